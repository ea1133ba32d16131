"""Sound files of every kind give what torch.load gives, and files that are no weights say so."""

import collections
import datetime as dt
import io
import pathlib
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from dali_pipelines.errors import CheckpointError
from trainer.weights.files import read_weight_file

DTYPES = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.bool),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
)


def _equal_to_torch(path: Path, weights: dict[str, torch.Tensor]) -> None:
    file = read_weight_file(path)
    values = file.read(file.shapes)
    assert list(values) == list(weights)
    for name, value in values.items():
        assert value.dtype == weights[name].dtype
        assert torch.equal(value, weights[name])


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "plain"])
def test_every_type_and_kind_of_view(tmp_path: Path, zipped: bool, protocol: int) -> None:
    path = tmp_path / "w"
    whole = torch.arange(24.0)
    weights = {str(d): torch.tensor([0, 1, 2, 3]).to(d) for d in DTYPES} | {
        "view": whole[4:10].reshape(2, 3),
        "transposed": whole[12:18].reshape(2, 3).T,
        "scalar": torch.tensor(3),
        "empty": torch.empty(0, 3),
        "parameter": nn.Parameter(torch.ones(2)),
        "buffer": nn.Buffer(torch.ones(3)),
    }
    torch.save(weights, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    _equal_to_torch(path, torch.load(path, weights_only=False))  # True knows protocol 2 alone


def test_the_types_that_only_new_files_have(tmp_path: Path) -> None:
    path = tmp_path / "w"
    dtypes = (torch.uint16, torch.uint32, torch.uint64)
    torch.save({str(d): torch.tensor([1, 2]).to(d) for d in dtypes}, path)
    _equal_to_torch(path, torch.load(path, weights_only=True))


@given(
    sizes=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=5),
    zipped=st.booleans(),
)
@settings(deadline=None, max_examples=30)
def test_state_dicts_of_any_size(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[tuple[int, int]], zipped: bool
) -> None:
    path = tmp_path_factory.mktemp("w") / "w"
    weights = {f"layer.{i}": torch.randn(size) for i, size in enumerate(sizes)}
    torch.save(collections.OrderedDict(weights), path, _use_new_zipfile_serialization=zipped)
    _equal_to_torch(path, weights)


def test_what_scripts_keep_beside_weights_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "w"
    content = {
        "state_dict": {"a": torch.ones(2)},
        "optimizer": {"state": collections.defaultdict(dict, {0: {"step": torch.tensor(1)}})},
        "rng": np.random.RandomState(0).get_state(),
        "loss": np.float64(0.3),
        "best": (1, {2, 3}, frozenset({4}), b"bytes", None, True, 1 << 80, -1.5),
        "out": pathlib.PurePosixPath("runs/1"),
        "when": dt.datetime(2023, 2, 27),
        "device": torch.device("cpu"),
        "dtype": torch.bfloat16,
        "size": torch.Size([1, 2]),
        "order": collections.deque([1, 2], 3),
        "counts": collections.Counter("aab"),
    }
    for zipped in (True, False):
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
        _equal_to_torch(path, {"a": torch.ones(2)})


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "plain"])
def test_a_module_is_flattened_to_its_state_dict(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "w"
    inner = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2), nn.ReLU())
    module = nn.ModuleDict({"body": inner, "head": nn.Linear(2, 1)})
    torch.save({"model": module, "epoch": 3}, path, _use_new_zipfile_serialization=zipped)
    file = read_weight_file(path)
    values, wanted = file.read(file.shapes), module.state_dict()
    assert values.keys() == wanted.keys()
    assert all(torch.equal(value, wanted[name]) for name, value in values.items())


@pytest.mark.parametrize(
    "nest",
    [
        lambda w: w,
        lambda w: {"state_dict": w},
        lambda w: {"model": w, "optimizer": {"state": {0: torch.zeros(1)}}},
        lambda w: {"model_state_dict": w},
        lambda w: {"model": {"state_dict": w}},
        lambda w: {"state_dict": {"a": torch.zeros(1)}, "state_dict_ema": w},
        lambda w: {"state_dict": w, "state_dict_ema": None},
        lambda w: {"model": {"a": torch.zeros(1)}, "model_ema": w},
        lambda w: {"model": w, "ema": {}},
        lambda w: {"model": w, "ema": {"decay": torch.tensor(0.999)}},
    ],
)
def test_weights_are_found_below_the_usual_names(tmp_path: Path, nest: Any) -> None:
    path = tmp_path / "w"
    weights = {"a": torch.ones(2), "b": torch.zeros(1)}
    torch.save(nest(weights), path)
    _equal_to_torch(path, weights)


def test_views_of_storages_in_old_files(tmp_path: Path) -> None:
    """Torch before 0.4 kept a view as a place in its whole: numbers 2 and 3 of four here."""
    pickled = io.BytesIO()
    pickler = pickle.Pickler(pickled, protocol=2)
    whole, view = torch.zeros(4), torch.zeros(2)
    names = {id(whole): None, id(view): ("1", 2, 2)}

    class Tensor:
        def __init__(self, stored: torch.Tensor) -> None:
            self.stored = stored

        def __reduce__(self) -> tuple[Any, ...]:
            size = (self.stored.numel(),)
            return torch._utils._rebuild_tensor, (Held(id(self.stored)), 0, size, (1,))

    class Held:
        def __init__(self, key: int) -> None:
            self.key = key

    pickler.persistent_id = lambda held: (  # type: ignore[method-assign]
        ("storage", torch.FloatStorage, "0", "cpu", 4, names[held.key])
        if isinstance(held, Held)
        else None
    )
    pickler.dump({"whole": Tensor(whole), "view": Tensor(view)})
    opening = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    path = tmp_path / "w"
    path.write_bytes(
        b"".join(pickle.dumps(value, protocol=2) for value in opening)
        + pickled.getvalue()
        + pickle.dumps(["0"], protocol=2)
        + struct.pack("<q4f", 4, 1, 2, 3, 4)
    )
    _equal_to_torch(path, {"whole": torch.tensor([1.0, 2, 3, 4]), "view": torch.tensor([3.0, 4])})


@pytest.mark.parametrize("length", [0x80, 0x3C, 0x1F8B])
def test_a_safetensors_header_of_any_length(tmp_path: Path, length: int) -> None:
    """Whose length is the first byte of a pickle (one file of 32), of a web page, of gzip."""
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.ljust(length)
    path = tmp_path / "w"
    path.write_bytes(struct.pack("<Q", length) + header + struct.pack("<f", 2.5))
    _equal_to_torch(path, {"a": torch.tensor([2.5])})


def test_what_a_damaged_safetensors_says_does_not_steer_a_terminal(tmp_path: Path) -> None:
    header = b'{"a": {"dtype": "\\u001b[2J", "shape": [1], "data_offsets": [0, 4]}}'
    path = tmp_path / "w"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(CheckpointError, match="no sound safetensors") as caught:
        read_weight_file(path)
    assert str(caught.value).isprintable()


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    """A flipped byte in a tensor that nobody asks for is none of the others' business."""
    path = tmp_path / "w"
    torch.save({"a": torch.ones(100), "b": torch.full((100,), 2.0)}, path)
    content = bytearray(path.read_bytes())
    content[content.index(torch.full((100,), 2.0).numpy().tobytes()) + 7] ^= 1
    path.write_bytes(content)
    file = read_weight_file(path)
    assert torch.equal(file.read(["a"])["a"], torch.ones(100))
    with pytest.raises(ValueError, match="fails its checksum"):
        file.read(["b"])


def test_safetensors_are_known_by_their_content(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    weights = {"a": torch.ones(2, 3), "b": torch.zeros(1)}
    save_file(weights, path)
    _equal_to_torch(path, weights)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(CheckpointError, match="no sound safetensors"):
        read_weight_file(path)


def _zip_of_files() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("snapshots/mirai.p", b"x")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "run `git lfs pull`"),
        (b"<!DOCTYPE html><html></html>", "is a web page"),
        (b"\n<html></html>", "is a web page"),
        (b"\x89HDF\r\n\x1a\n", "Keras"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"\x93NUMPY\x01\x00", "NumPy"),
        (b"", "is neither safetensors nor of torch.save"),
        (b"hello", "is neither safetensors nor of torch.save"),
        (_zip_of_files(), "is a zip file of 1 files and none of torch; unpack it"),
        (b"PK\x03\x04", "damaged or was cut short"),
        (b"\x80\x02K\x01.", "opens with another number"),
    ],
)  # fmt: skip
def test_what_is_no_weight_file_says_what_it_is(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=reason):
        read_weight_file(path)


def test_no_weights_and_no_file(tmp_path: Path) -> None:
    path = tmp_path / "w"
    with pytest.raises(CheckpointError, match="no weight file"):
        read_weight_file(path)
    for content in ({}, {"epoch": 3}, [torch.ones(2)], torch.ones(2), {"state_dict": {}}):
        torch.save(content, path)
        with pytest.raises(CheckpointError, match="holds no weights"):
            read_weight_file(path)
