"""Sets united by real threads at once, which the kernels cannot show, emulated one at a time.

x86 orders memory more strictly than a GPU does, so this shows interleavings and no more.
"""

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from dali_pipelines.gpu.device import read_source
from tests.dali_pipelines.gpu.host_device import compiler

HARNESS = """
#include <algorithm>
#include <thread>
#include <vector>
#define __device__ inline
using std::max;
static thread_local unsigned calls;
static int min(int a, int b) {  // after roots were found, before one is united with the other
    if (++calls % 7 == 0) std::this_thread::yield();
    return std::min(a, b);
}
static int atomicMin(int* address, int value) {
    int before = __atomic_load_n(address, __ATOMIC_RELAXED);
    while (before > value && !__atomic_compare_exchange_n(
        address, &before, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
    return before;
}
"""
MAIN = """
extern "C" void unite_all(int* labels, const int* pairs, int count, int threads) {
    std::vector<std::thread> workers;
    for (int t = 0; t < threads; ++t)
        workers.emplace_back([=] {
            for (int i = t; i < count; i += threads) {
                unite(labels, pairs[2 * i], pairs[2 * i + 1]);
            }
        });
    for (auto& worker : workers) worker.join();
}
extern "C" void find_roots(int* labels, int* roots, int count) {
    for (int i = 0; i < count; ++i) roots[i] = find_root(labels, i);
}
"""


@pytest.fixture(scope="module")
def united(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The functions of union_find.cuh, compiled for this CPU."""
    request.getfixturevalue("_host_kernels")  # which skips or fails without a compiler
    library = Path(tmp_path_factory.mktemp("union")) / "union_find.so"
    include = read_source("label_parts").split("// The px of an image as bits")[0]
    assert "find_root" in include
    command = [
        str(compiler()),
        "-O2",
        "-std=c++17",
        "-shared",
        "-fPIC",
        "-pthread",
        "-x",
        "c++",
        "-",
    ]
    source = HARNESS + include + MAIN
    subprocess.run([*command, "-o", str(library)], input=source, text=True, check=True)
    return ctypes.CDLL(str(library))


@pytest.mark.parametrize("kind", ["chains", "forest", "knots"])
def test_threads_at_once_unite_what_is_to_be_united(united: ctypes.CDLL, kind: str) -> None:
    rng = np.random.default_rng(2)
    for nodes in [100, 1000, 10_000] * 8:
        if kind == "chains":  # rows of a breast: each united with the one above
            pairs = np.stack([np.arange(1, nodes), np.arange(nodes - 1)], axis=1)
            pairs = pairs[rng.random(nodes - 1) < 0.999]
        else:
            near = 3 if kind == "forest" else nodes
            first = rng.integers(0, nodes, nodes // 2)
            pairs = np.stack([first, (first + rng.integers(1, near, len(first))) % nodes], axis=1)
        pairs = rng.permuted(pairs, axis=1).astype(np.int32)
        labels = np.arange(nodes, dtype=np.int32)
        united.unite_all(labels.ctypes, pairs.ctypes, len(pairs), 8)
        roots = np.empty(nodes, np.int32)
        united.find_roots(labels.ctypes, roots.ctypes, nodes)
        graph = sparse.coo_array((np.ones(len(pairs)), pairs.T), (nodes, nodes))
        _, wanted = sparse.csgraph.connected_components(graph, directed=False)
        _, first, place = np.unique(wanted, return_index=True, return_inverse=True)
        assert np.array_equal(roots, first[place])
