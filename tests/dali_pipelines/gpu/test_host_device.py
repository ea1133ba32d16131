"""The stand-in for a GPU: what it computes, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dali_pipelines.gpu.device import current_device
from tests.dali_pipelines.gpu import host_device as module
from tests.dali_pipelines.gpu.host_device import HostDevice

SOURCES = {
    "kernels": Path(__file__).with_name("shim_kernels.cu").read_text("utf-8"),
    "one": 'extern "C" __global__ void one(int* out) { *out = 1; }',
    "broken": 'extern "C" __global__ void broken(int* out) { *out = undeclared; }',
}


@pytest.fixture
def device(host_device):
    return HostDevice(SOURCES.__getitem__)


def test_the_fixture_is_the_device_of_the_steps(host_device):
    assert current_device() is host_device
    assert host_device.torch_device.type == "cpu"
    assert host_device.launched == []


@pytest.mark.parametrize("kernel", ["by_blocks", "by_warps"])
def test_reduction(device, kernel):
    values = torch.from_numpy(np.random.default_rng(0).integers(0, 9999, 500).astype(np.uint16))
    total = torch.zeros(1, dtype=torch.int64 if kernel == "by_blocks" else torch.int32)
    device.launch("kernels", kernel, (8,), (64,), (values, total, np.int32(500)))
    assert total.item() == values.numpy().sum()
    assert device.launched == [("kernels", kernel)]


def test_each_thread_of_the_grid_runs_once(device):
    out = torch.full((6, 6, 6, 3), -1, dtype=torch.int32)
    device.launch("kernels", "places", (3, 2, 1), (2, 3, 6), (out,))
    z, y, x = np.indices((6, 6, 6))
    np.testing.assert_array_equal(out.numpy(), np.stack([x, y, z], axis=-1))


@pytest.mark.parametrize("size", [1, 33, 96])
def test_barriers_hold_all_threads(device, size):
    out = torch.empty(3, size, dtype=torch.int32)
    device.launch("kernels", "neighbors", (3,), (size,), (out,))
    assert out.tolist() == [[(i + 5) % size for i in range(size)]] * 3


def test_threads_that_have_ended_do_not_count_at_a_barrier(device):
    out = torch.zeros(64, dtype=torch.int32)
    device.launch("kernels", "early", (1,), (64,), (out,))
    assert out.tolist() == [20 * 10 + 3] * 40 + [0] * 24


def test_shared_memory_starts_as_a_pattern_in_each_block(device):
    out = torch.zeros(2, dtype=torch.int32)
    device.launch("kernels", "left_over", (2,), (1,), (out,))
    assert out.tolist() == [np.array(0xA5A5A5A5, np.uint32).astype(np.int32), 7]


def test_warps_exchange_values(device):
    out = torch.empty(64, 6, dtype=torch.int32)
    device.launch("kernels", "shuffles", (1,), (64,), (out,))
    for i, row in enumerate(out.tolist()):
        first, lane = i - i % 32, i % 32
        assert row[:4] == [first + 3, i - (lane > 0), i + 2 * (lane < 30), i ^ 5]
        assert row[4:] == ([11, 1] if i < 32 else [11, 2])


def test_scalars_of_every_type_arrive(device):
    out = torch.zeros(7, dtype=torch.float64)
    scalars = (np.int32(-1), np.uint32(2**32 - 1), np.int64(-(2**40)), np.uint64(2**63))
    floats = (np.float32(0.1), np.float64(0.1), np.bool_(True))
    device.launch("kernels", "all", (1,), (1,), (out, *scalars, *floats))
    assert out.tolist() == [-1, 2**32 - 1, -(2**40), 2**63, float(np.float32(0.1)), 0.1, 1]


def test_a_product_is_rounded_before_it_is_added_to(device):
    out = torch.zeros(2)
    args = [np.float32(1 + 2**-12), np.float32(1 + 2**-12), np.float32(-1 - 2**-11)]
    device.launch("kernels", "no_contraction", (1,), (1,), (out, *args))
    assert out.tolist() == [0, 2**-24]


def test_functions(device):
    out = torch.tensor([9, 3, 9, 15, 9, 0, 4], dtype=torch.int32)
    wide = torch.tensor([5, 3], dtype=torch.int64)
    device.launch("kernels", "atomics", (1,), (1,), (out, wide))
    assert (out.tolist(), wide.tolist()) == ([5, 5, 15, 6, 1, 4, 8], [2**40, 2**40 + 3])
    device.launch("kernels", "bits", (1,), (1,), (out, np.float32(1)))
    assert out.tolist() == [0x3F800000, 1, 2, 63, 4, -4 + 3 + 1 + 4, 5 + 8 + 16]


def test_tensor_types_match_by_size_and_family_and_bytes_may_be_anything(device):
    args = (np.int32(1),)
    device.launch("kernels", "shift", (1,), (1,), (torch.zeros(1, dtype=torch.int32), *args))
    device.launch("kernels", "shift", (1,), (1,), (torch.zeros(4, dtype=torch.uint8), *args))
    for wrong in (torch.float32, torch.int64, torch.uint16):
        with pytest.raises(TypeError, match="argument 0 is a tensor of"):
            device.launch("kernels", "shift", (1,), (1,), (torch.zeros(1, dtype=wrong), *args))


OUT = torch.zeros(1, dtype=torch.int32)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((OUT,), "takes 2 arguments"),
        ((OUT, np.int32(1), np.int32(1)), "takes 2 arguments"),
        ((OUT, 1), "argument 1 is .*int.*, but the parameter is i4"),
        ((OUT, np.int64(1)), "argument 1 is int64, but the parameter is i4"),
        ((OUT, np.uint32(1)), "argument 1 is uint32, but the parameter is i4"),
        ((OUT, np.float32(1)), "argument 1 is float32"),
        ((OUT, OUT), "argument 1 is a tensor of torch.int32, but the parameter is i4"),
        ((np.uint64(0), np.int32(1)), r"argument 0 is uint64, but the parameter is \*u4"),
        ((OUT.numpy(), np.int32(1)), "argument 0 is"),
    ],
)
def test_wrong_arguments_are_refused(device, args, message):
    with pytest.raises(TypeError, match=message):
        device.launch("kernels", "shift", (1,), (1,), args)
    assert device.launched == []


def test_a_tensor_with_gaps_is_refused(device):
    out = torch.zeros(4, 4, dtype=torch.int32)[:, ::2]
    with pytest.raises(ValueError, match="contiguous"):
        device.launch("kernels", "shift", (1,), (1,), (out, np.int32(1)))


@pytest.mark.parametrize(
    ("grid", "block"),
    [((0,), (1,)), ((1, 65536), (1,)), ((1,), (1025,)), ((1,), (1, 1, 65)), ((1,), (33, 32))],
)
def test_what_no_gpu_launches_is_refused(device, grid, block):
    with pytest.raises(ValueError, match="no GPU launches"):
        device.launch("kernels", "shift", grid, block, (OUT, np.int32(1)))


def test_a_deadlock_is_reported_and_the_next_launch_runs(device):
    with pytest.raises(RuntimeError, match=r"deadlock of kernels.cu.*the threads of a block wait"):
        device.launch("kernels", "deadlock", (2,), (64,), (OUT.clone(),))
    with pytest.raises(RuntimeError, match="deadlock"):
        device.launch("kernels", "deadlock", (1,), (64,), (OUT.clone(),))
    out = torch.zeros(1, dtype=torch.int32)
    device.launch("kernels", "deadlock", (1,), (1,), (out,))
    assert out.item() == 1


@pytest.mark.parametrize(
    ("kernel", "block", "message"),
    [("partial", 32, "leaves out lanes"), ("absent", 31, "a lane that is not there")],
)
def test_warp_functions_without_a_meaning_are_reported(device, kernel, block, message):
    with pytest.raises(RuntimeError, match=message):
        device.launch("kernels", kernel, (1,), (block,), (OUT.clone(),))


@pytest.mark.parametrize(
    ("kernel", "good", "bad", "message"),
    [
        ("store", np.int32(3), np.int32(4), "index out of bounds"),
        ("shift", np.int32(31), np.int32(32), "shift by the width"),
        ("divide", np.int32(1), np.int32(0), "division by 0"),
        ("cast", np.float32(-(2.0**31)), np.float32(2.0**31), "value too large for the integer"),
    ],
)
def test_undefined_behavior_fails_the_launch_and_no_other(device, kernel, good, bad, message):
    for _ in range(2):
        device.launch("kernels", kernel, (1,), (40,), (OUT.clone(), good))
        with pytest.raises(RuntimeError, match=f"kernels.cu:[0-9]+: {message}"):
            device.launch("kernels", kernel, (1,), (40,), (OUT.clone(), bad))


def test_a_misaligned_address_fails_the_launch(device):
    memory, out = torch.zeros(64, dtype=torch.uint8), torch.zeros(16, dtype=torch.uint8)
    start = -memory.data_ptr() % 16
    device.launch("kernels", "load", (1,), (1,), (memory[start : start + 16], out))
    with pytest.raises(RuntimeError, match="misaligned"):
        device.launch("kernels", "load", (1,), (1,), (memory[start + 2 : start + 18], out))


def test_a_kernel_that_does_not_compile_says_where(device):
    with pytest.raises(RuntimeError, match=r"broken.cu:1:.*undeclared"):
        device.launch("broken", "broken", (1,), (1,), (OUT,))


def test_a_folder_that_others_can_write_to_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(tmp_path))
    HostDevice(SOURCES.__getitem__).launch("one", "one", (1,), (1,), (OUT.clone(),))
    (folder,) = tmp_path.iterdir()
    assert [path.suffix for path in folder.iterdir()] == [".so"]
    folder.chmod(0o777)
    with pytest.raises(AssertionError, match="open to other users"):
        HostDevice(SOURCES.__getitem__).launch("one", "one", (1,), (1,), (OUT.clone(),))
