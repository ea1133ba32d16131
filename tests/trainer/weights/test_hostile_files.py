"""Files that would run code, or take all memory, where they are opened as weights: refused."""

import builtins
import collections
import io
import os
import pickle
import resource
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dali_pipelines.errors import CheckpointError
from trainer.weights import pickle_machine
from trainer.weights.files import read_weight_file
from trainer.weights.globals import call
from trainer.weights.load import load_weights
from trainer.weights.sets import recognize
from trainer.weights.stored import ForeignError, Name, Storage

MARKER = "it-ran"
WATCHED = ("exec", "compile", "import", "os.", "subprocess.", "socket.", "pickle.", "ctypes.")


class Payload:
    """Pickled as the call of a function."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.call = (function, args)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


class State:
    """Pickled as an object that is given a state."""

    def __init__(self, state: Any) -> None:
        self.state = state

    def __reduce__(self) -> tuple[Any, ...]:
        return (collections.UserDict, (), self.state)


COMMAND = f"touch {MARKER}"
CALLS: dict[str, Callable[[], Any]] = {
    "os.system": lambda: Payload(os.system, COMMAND),
    "eval": lambda: Payload(builtins.eval, f"open({MARKER!r}, 'w')"),
    "exec": lambda: Payload(builtins.exec, f"open({MARKER!r}, 'w')"),
    "open": lambda: Payload(open, MARKER, "w"),
    "import": lambda: Payload(builtins.__import__, "antigravity"),
    "getattr": lambda: Payload(getattr, "x", "join"),
    "popen": lambda: Payload(subprocess.Popen, ["touch", MARKER]),
    "torch.hub": lambda: Payload(torch.hub.load, ".", "x"),
    "torch.load": lambda: Payload(torch.load, MARKER),
    "nested": lambda: Payload(list, [Payload(os.system, COMMAND)]),
    "partial": lambda: Payload(__import__("functools").partial, os.system, COMMAND),
    "a function of a test": lambda: Payload(_touch),
    "state": lambda: State({"x": Payload(os.system, COMMAND)}),
    "mapping": lambda: Payload(map, os.system, [COMMAND]),
}


def _touch() -> None:
    Path(MARKER).touch()


@pytest.fixture(autouse=True)
def _nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    assert not Path(MARKER).exists()


class Watch:
    """What the interpreter reports within it: code run, modules imported, files made or removed."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.is_open = False
        sys.addaudithook(self._hear)  # for the rest of the process: Python takes none away

    def __enter__(self) -> list[str]:
        self.seen.clear()
        self.is_open = True
        return self.seen

    def __exit__(self, *_: object) -> None:
        self.is_open = False

    def _hear(self, event: str, _: object) -> None:
        if self.is_open and event.startswith(WATCHED):
            self.seen.append(event)


"".encode("cp437")  # of names in zip files: Python imports it once, on first use
WATCH = Watch()


def _refused(path: Path, reason: str = "weight file") -> None:
    """It is refused, for that reason, and nothing is run, imported or compiled meanwhile."""
    with WATCH as seen, pytest.raises(CheckpointError, match=reason):
        read_weight_file(path)
    assert seen == []


def _zip(path: Path, content: bytes, **records: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        for key, data in records.items():
            archive.writestr(f"archive/data/{key}", data)
    return path


def _plain(path: Path, content: bytes, keys: tuple[str, ...] = (), tail: bytes = b"") -> Path:
    opening = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    head = b"".join(pickle.dumps(value, protocol=2) for value in opening)
    path.write_bytes(head + content + pickle.dumps(list(keys), protocol=2) + tail)
    return path


def test_the_watch_sees_what_torch_would_run(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save(Payload(os.system, "true"), path)
    with WATCH as seen:
        torch.load(path, weights_only=False)
    assert "os.system" in seen


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "plain"])
@pytest.mark.parametrize("call", CALLS)
def test_a_call_is_refused(tmp_path: Path, call: str, zipped: bool) -> None:
    path = tmp_path / "w.pt"
    weights = {"conv1.weight": torch.zeros(2, 2), "extra": CALLS[call]()}
    torch.save(weights, path, _use_new_zipfile_serialization=zipped)
    _refused(path, "which no weights need|calls|no part of weights")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_call_is_refused_in_every_protocol(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "w.pt"
    torch.save({"x": Payload(os.system, COMMAND)}, path, pickle_protocol=protocol)
    _refused(path, "names posix.system")


def test_a_sound_set_with_a_call_in_it_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    model = timm.create_model("test_resnet", pretrained=False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.save({"state_dict": before, "args": Payload(os.system, COMMAND)}, path)
    for use in (recognize, lambda p: load_weights(model, p)):
        with pytest.raises(CheckpointError, match=r"names posix\.system, which no weights need"):
            use(path)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


NESTED = b"K\x01K\x02\x86q\x00" + b"h\x00\x86q\x00" * 60  # a pair of pairs ..., 2 ** 60 numbers
BY_HAND = {
    "INST": (b"\x80\x02(icollections\nOrderedDict\n.", "opcode INST"),
    "OBJ": (b"\x80\x02(ccollections\nOrderedDict\no.", "opcode OBJ"),
    "a module of Python 2": (b"\x80\x02c__builtin__\neval\n)R.", "names builtins.eval"),
    "a renamed module": (b"\x80\x02ccommands\ngetoutput\n)R.", "names subprocess.getoutput"),
    "a dotted name": (b"\x80\x04\x8c\x07onconet\x8c\x09os.system\x93)R.", "names onconet.os.sys"),
    "a dotted name of torch": (b"\x80\x04\x8c\x05torch\x8c\x05os.ls\x93)R.", "names torch.os.ls"),
    "a name that is no text": (b"\x80\x04K\x01K\x02\x93)R.", "by what is no text"),
    "an object of a command": (b"\x80\x02csubprocess\nPopen\n)\x81.", "names subprocess.Popen"),
    "an object of torch": (b"\x80\x02ctorch.jit\nX\n)\x81.", "makes an object of torch.jit.X"),
    "a name that steers a terminal": (b"\x80\x04\x8c\x02os\x8c\x05\x1b[2Jx\x93.", r"os\.\?\[2Jx"),
    "an object of no class": (b"\x80\x02])\x81.", "of what is no class"),
    "a foreign function": (b"\x80\x02confoo\nbar\n)R.", "calls onfoo.bar"),
    "a call of a list": (b"\x80\x02]]\x85R.", "calls what is no function"),
    "a call with no tuple": (b"\x80\x02ctorch\nSize\n]R.", "calls what is no function"),
    "a call with another argument": (b"\x80\x02ctorch\nSize\nK\x01\x85R.", "no list of natural"),
    "a call with more arguments": (b"\x80\x02ctorch\nSize\n))\x86R.", "what it does not take"),
    "a text persistent id": (b"\x80\x02Pos.system\n.", "opcode PERSID"),
    "a foreign persistent id": (b"\x80\x02X\x04\x00\x00\x00evil\x85Q.", "id that is no storage"),
    "a persistent id of the wrong type": (b"\x80\x02K\x01Q.", "id that is no tuple"),
    "an extension": (b"\x80\x02\x82\x01.", "opcode EXT1"),
    "a buffer out of band": (b"\x80\x05\x97.", "opcode NEXT_BUFFER"),
    "a text of protocol 0": (b"\x80\x02S'x'\n.", "opcode STRING"),
    "a state of a number": (b"\x80\x02K\x01}b.", "a state to what has none"),
    "an item of a list": (b"\x80\x02]K\x00K\x01s.", "of what is no mapping"),
    "an item for a mapping": (b"\x80\x02}K\x00a.", "appends to what is no list"),
    "an empty stack": (b"\x80\x02R.", "makes no sense"),
    "a tuple of too little": (b"\x80\x02K\x01\x87.", "makes no sense"),
    "no end": (b"\x80\x02}", "damaged"),
    "a memo that is not there": (b"\x80\x02h\x05.", "makes no sense"),
    "an unknown opcode": (b"\x80\x02\xff.", "makes no sense"),
    "a text longer than the file": (b"\x80\x04\x8d" + b"\xff" * 7 + b"\x7fX.", "makes no sense"),
    "a number longer than the file": (b"\x80\x02\x8b\xff\xff\xff\x7f\x01.", "makes no sense"),
    "a hash that never ends": (b"\x80\x02}" + NESTED + b"K\x00s.", "holds no weights"),
    "a set of such": (b"\x80\x04\x8f(" + NESTED + b"\x90.", "holds no weights"),
    "a frozen set of such": (b"\x80\x04(" + NESTED + b"\x91.", "holds no weights"),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_a_pickle_by_hand_is_refused(tmp_path: Path, name: str) -> None:
    content, reason = BY_HAND[name]
    _refused(_zip(tmp_path / "zip", content), reason)
    _refused(_plain(tmp_path / "plain", content), reason)


def test_torch_is_not_asked_for_a_type_by_name() -> None:
    """It imports whole modules on being asked for an attribute."""
    storage = Storage("0", torch.float32, 4)
    args = (storage, 0, (), (), False, None, Name("torch", "onnx"))
    with WATCH as seen, pytest.raises(ForeignError, match="no known type"):
        call(Name("torch._utils", "_rebuild_tensor_v3"), args)
    assert seen == []


def _tensor_pickle(
    *, numel: int, shape: tuple[int, ...], stride: tuple[int, ...], offset: int = 0
) -> bytes:
    """{"w": tensor} over the storage "0", whose count of numbers is free."""

    class Tensor:
        def __reduce__(self) -> tuple[Any, ...]:
            args = (Stored(), offset, shape, stride, False, collections.OrderedDict())
            return (torch._utils._rebuild_tensor_v2, args)

    class Stored:
        pass

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: object) -> object:
            kind = torch.FloatStorage
            return ("storage", kind, "0", "cpu", numel) if isinstance(obj, Stored) else None

    stream = io.BytesIO()
    Pickler(stream, protocol=2).dump({"w": Tensor()})
    return stream.getvalue()


LARGER, NATURAL = "larger than what is stored", "no list of natural numbers"
LIES = {  # numbers stored, shape, strides, offset
    "a storage of 4 TB": (1 << 40, (2,), (1,), 0, "of another size than it has"),
    "a storage of less than none": (-1, (2,), (1,), 0, "id that is no storage"),
    "a tensor beyond its storage": (4, (5,), (1,), 0, LARGER),
    "a tensor that begins beyond it": (4, (2,), (1,), 3, LARGER),
    "a tensor before its storage": (4, (2,), (1,), -1, NATURAL),
    "one number shown often": (4, (1 << 40,), (0,), 0, LARGER),
    "steps backwards": (4, (2,), (-1,), 0, NATURAL),
    "a side of less than none": (4, (-2,), (1,), 0, NATURAL),
    "too few strides": (4, (2, 2), (1,), 0, "another number of strides"),
    "a stride of no 64 bits": (4, (1,), (1 << 70,), 0, NATURAL),
    "an offset of no 64 bits": (4, (0,), (1,), 1 << 70, NATURAL),
    "too many sides": (4, (1,) * 65, (1,) * 65, 0, NATURAL),
}


@pytest.mark.parametrize("lie", LIES)
def test_sizes_that_lie_are_refused(tmp_path: Path, lie: str) -> None:
    numel, shape, stride, offset, reason = LIES[lie]
    content = _tensor_pickle(numel=numel, shape=shape, stride=stride, offset=offset)
    numbers = struct.pack("<4f", 1, 2, 3, 4)
    _refused(_zip(tmp_path / "zip", content, **{"0": numbers}), reason)
    tail = struct.pack("<q", numel) + numbers
    _refused(_plain(tmp_path / "plain", content, ("0",), tail), reason)


def test_the_pickles_of_those_lies_are_sound_without_them(tmp_path: Path) -> None:
    content = _tensor_pickle(numel=4, shape=(2, 2), stride=(1, 2))
    numbers = struct.pack("<4f", 1, 2, 3, 4)
    wanted = torch.tensor([[1.0, 3.0], [2.0, 4.0]])
    for path in (
        _zip(tmp_path / "zip", content, **{"0": numbers}),
        _plain(tmp_path / "plain", content, ("0",), struct.pack("<q", 4) + numbers),
    ):
        assert torch.equal(read_weight_file(path).read(["w"])["w"], wanted)


def test_a_shape_that_torch_cannot_have_is_refused_on_reading(tmp_path: Path) -> None:
    content = _tensor_pickle(numel=4, shape=(1 << 62, 1 << 62, 0), stride=(1, 1, 1))
    file = read_weight_file(_zip(tmp_path / "zip", content, **{"0": bytes(16)}))
    with pytest.raises(ForeignError, match=NATURAL):
        file.read(["w"])


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_directory_gives_weights_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Flags and sizes in a zip's directory make zipfile raise more than it documents."""
    content = bytearray(_sound(zipped=True))
    start = content.index(b"PK\x01\x02")
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(start, len(content) - 1))
        content[place] = data.draw(st.sampled_from([0, 1, 127, 128, 255]))
    path = tmp_path_factory.mktemp("damage") / "w"
    path.write_bytes(content)
    with suppress(CheckpointError, ForeignError):
        file = read_weight_file(path)
        file.read(file.shapes)


def test_a_compressed_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + b"}0" * (8 << 20) + b"N.")
    assert path.stat().st_size < 100_000
    _refused(path, "compressed or longer than torch writes")


def test_a_pickle_that_is_too_long_is_refused(tmp_path: Path) -> None:
    _refused(_zip(tmp_path / "zip", b"\x80\x02" + b"}" * (17 << 20)), "longer than torch writes")


def _text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


ENDLESS = {  # a few bytes that ask for memory or time without bound
    "copies of a mapping": b"ccollections\nOrderedDict\nq\x00}("
    + b"".join(_text(str(i)) + b"N" for i in range(20_000))
    + b"uq\x01("
    + b"h\x00h\x01\x85R" * 5_000
    + b"t.",
    "copies of a list": b"ccollections\nOrderedDict\nq\x00]("
    + b"X\x01\x00\x00\x00aN\x86" * 20_000
    + b"eq\x01("
    + b"h\x00h\x01\x85R" * 5_000
    + b"t.",
    "very many opcodes": b"N0" * 200_000 + b"N.",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_work_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(pickle_machine, "_MOST_STEPS", 200_000)  # of 3,000,000: to be quick
    _refused(_zip(tmp_path / "zip", b"\x80\x02" + ENDLESS[name]), "asks for more work than weights")


def test_calls_within_calls_have_an_end(tmp_path: Path) -> None:
    nested = b"(h\x00N" * 5_000 + b")" + b"Nt" * 5_000
    content = b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\nq\x00" + nested + b"R."
    _refused(_zip(tmp_path / "zip", content), "cannot be read")


def test_keys_that_would_collide_are_not_kept(tmp_path: Path) -> None:
    """All of their hashes are 0: a dict of n of them takes n * n comparisons."""
    numbers = (pickle.encode_long(i * sys.hash_info.modulus) for i in range(1, 100_000))
    keys = b"".join(b"\x8a" + bytes([len(n)]) + n + b"N" for n in numbers)
    _refused(_zip(tmp_path / "zip", b"\x80\x02}(" + keys + b"u."), "holds no weights")


def test_names_do_not_grow_with_the_depth_of_modules(tmp_path: Path) -> None:
    """A module that holds itself by 200 names of 2,000 letters: 30 deep that is 360 MB of names."""
    held = b"".join(_text(f"{i:2000d}") + b"h\x00" for i in range(200))
    content = (
        b"\x80\x02ctorch.nn.modules.container\nSequential\n)\x81q\x00}"
        + _text("_modules") + b"}(" + held + b"usb."
    )  # fmt: skip
    path = _zip(tmp_path / "zip", content)
    tracemalloc.start()
    try:
        _refused(path, "holds no weights")
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_records_may_not_overlap(tmp_path: Path) -> None:
    """Many records over the same bytes, each of which would be read into memory of its own."""
    path = _zip(tmp_path / "zip", b"\x80\x02}.", **{"0": bytes(1 << 16), "1": bytes(1 << 10)})
    content = bytearray(path.read_bytes())
    place = content.index(b"archive/data/1", content.index(b"PK\x01\x02")) - 46
    content[place + 20 : place + 28] = struct.pack("<II", 1 << 17, 1 << 17)  # APPNOTE 4.3.12: sizes
    path.write_bytes(content)
    _refused(path, "compressed or longer than torch writes")


def test_two_records_of_one_name_are_refused(tmp_path: Path) -> None:
    path = _zip(tmp_path / "zip", b"\x80\x02}.", **{"0": b"1234", "1": b"5678"})
    content = path.read_bytes()
    path.write_bytes(content.replace(b"archive/data/1", b"archive/data/0"))
    _refused(path, "two records of one name")


def test_a_module_that_holds_itself_ends(tmp_path: Path) -> None:
    # a = Module(); a._modules = {"x": a, "y": a}
    content = (
        b"\x80\x02ctorch.nn.modules.container\nSequential\n)\x81q\x00}X\x08\x00\x00\x00_modules"
        b"}(X\x01\x00\x00\x00xh\x00X\x01\x00\x00\x00yh\x00usb."
    )
    _refused(_zip(tmp_path / "zip", content), "holds no weights")
    _refused(_zip(tmp_path / "nest", b"\x80\x02}q\x00X\x05\x00\x00\x00modelh\x00s."), "no weights")


def test_little_memory_is_taken_by_a_file_that_claims_much(tmp_path: Path) -> None:
    path = _plain(
        tmp_path / "plain", _tensor_pickle(numel=1 << 38, shape=(1 << 38,), stride=(1,)), ("0",)
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _refused(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # KiB


def _sound(zipped: bool) -> bytes:
    stream = io.BytesIO()
    content = {"state_dict": torch.nn.Linear(3, 2).state_dict(), "epoch": 3, "args": {"lr": [0.1]}}
    torch.save(content, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "plain"])
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_damage_gives_weights_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, zipped: bool, data: st.DataObject
) -> None:
    content = bytearray(_sound(zipped))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damage") / "w"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    try:
        file = read_weight_file(path)
    except CheckpointError:
        return
    try:
        values = file.read(file.shapes)
    except ForeignError:
        return
    assert all(tuple(v.shape) == file.shapes[name] for name, v in values.items())
