"""NVIDIA's compiler takes every kernel, for every GPU this project runs on; no GPU is needed.

Run with -s to see the registers, spills and shared memory of each.
"""

import os
import re
from importlib import resources

import pytest

from dali_pipelines.gpu.device import OPTIONS, read_source
from tests.dali_pipelines.gpu.host_device import KERNEL

ARCHITECTURES = (75, 80, 86, 89, 90, 100, 120)  # Turing ... Blackwell: what CUDA 13 supports
MAX_STATIC_SHARED = 48 << 10  # bytes; more only as dynamic shared memory, with an opt-in

# CuPy adds -ftz=true: float32 results below 2**-126 become 0. Integers and doubles are not touched.
# No float32 of ours comes near that: display values are 0 or at least 1; weights of a resize are 0
# or, being differences of doubles of up to 2**16 px divided by as many, above 2**-60; and a sum
# that all but cancels keeps a last bit of its terms. Only a recipe's mean or std of 2**60 and
# beyond could tell the difference.
CUPY_OPTIONS = ("-ftz=true",)

USAGE = re.compile(
    r"Compiling entry function '(?P<kernel>\w+)'.*?"
    r"(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, "
    r"(?P<loads>\d+) bytes spill loads.*?Used (?P<registers>\d+) registers(?P<rest>[^\n]*)",
    re.DOTALL,
)
SOURCES = sorted(
    item.name.removesuffix(".cu")
    for item in (resources.files("dali_pipelines.gpu") / "kernels").iterdir()
    if item.name.endswith(".cu")
)


@pytest.fixture(scope="module")
def nvrtc():
    """NVIDIA's run-time compiler; skips without it, fails under REQUIRE_SHARED=1."""
    try:
        from cuda.bindings import nvrtc

        nvrtc.nvrtcVersion()
    except (ImportError, RuntimeError) as error:
        message = f"kernels cannot be compiled: {error}; install cuda-bindings, nvidia-cuda-nvrtc"
        if os.environ.get("REQUIRE_SHARED") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return nvrtc


def compile_source(nvrtc, source, architecture):
    """(whether it compiles, the compiler's words) with the options of CudaDevice."""
    status, program = nvrtc.nvrtcCreateProgram(source.encode(), b"kernels.cu", 0, [], [])
    assert status == nvrtc.nvrtcResult.NVRTC_SUCCESS
    options = (*OPTIONS, *CUPY_OPTIONS, f"-arch=sm_{architecture}", "--ptxas-options=-v")
    words = [option.encode() for option in options]
    (status,) = nvrtc.nvrtcCompileProgram(program, len(words), words)
    log = bytes(nvrtc.nvrtcGetProgramLogSize(program)[1])
    nvrtc.nvrtcGetProgramLog(program, log)  # writes into it
    nvrtc.nvrtcDestroyProgram(program)
    return status == nvrtc.nvrtcResult.NVRTC_SUCCESS, log.decode(errors="replace")


def usage_of(log):
    """kernel -> {"registers", "spilled", "shared", "stack"}, the last three in bytes."""
    usage = {}
    for match in USAGE.finditer(log):
        shared = re.search(r"(\d+) bytes smem", match["rest"])
        usage[match["kernel"]] = {
            "registers": int(match["registers"]),
            "spilled": int(match["stores"]) + int(match["loads"]),
            "shared": int(shared[1]) if shared else 0,
            "stack": int(match["stack"]),
        }
    return usage


def test_there_are_kernels():
    assert SOURCES


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", SOURCES)
def test_kernels_compile_and_fit(nvrtc, name, architecture):
    source = read_source(name)
    compiled, log = compile_source(nvrtc, source, architecture)
    assert compiled, log
    assert "warning" not in log, log
    usage = usage_of(log)
    assert set(usage) == set(KERNEL.findall(source)), log
    for kernel, used in usage.items():
        print(f"sm_{architecture} {name}.{kernel}: {used}")  # noqa: T201 - for -s
        assert used["spilled"] == 0
        assert used["shared"] <= MAX_STATIC_SHARED


HEAD = 'extern "C" __global__ void k(int* out) '


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (HEAD + "{ *out = 1 }", 'expected a ";"'),
        (HEAD + "{ *out = undeclared; }", "undefined"),
        ("int f() { return 1; }\n" + HEAD + "{ *out = f(); }", "without execution space"),
        (HEAD + "{ __shared__ int a[12289]; a[*out] = 1; *out = a[1]; }", "too much shared data"),
    ],
)
def test_a_wrong_kernel_does_not_compile(nvrtc, source, message):
    compiled, log = compile_source(nvrtc, source, 90)
    assert not compiled
    assert message in log


def test_usage_is_read(nvrtc):
    body = "{ __shared__ int a[256]; a[threadIdx.x] = *out; __syncthreads(); *out = a[9]; }"
    _, log = compile_source(nvrtc, HEAD + body, 80)
    (used,) = usage_of(log).values()
    assert used["shared"] == 1024
    assert used["spilled"] == 0
    assert used["registers"] >= 4


def test_spills_are_noticed(nvrtc):
    source = """extern "C" __global__ void __launch_bounds__(1024) k(int* out, int step) {
        int values[200];  // all loaded before the first is stored, which may change the others
        _Pragma("unroll") for (int i = 0; i < 200; i++) values[i] = out[i * step];
        _Pragma("unroll") for (int i = 0; i < 200; i++) out[i * step] = values[199 - i];
    }"""
    _, log = compile_source(nvrtc, source, 80)
    (used,) = usage_of(log).values()
    assert used["spilled"] > 0
