"""Checkpoints that are damaged, foreign, of another network, or would run code."""

import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

from tests.bad_inputs.case import Build, Case
from tests.bad_inputs.exams import write_checkpoint, write_manifest
from tests.bad_inputs.outputs import predict
from trainer.checksums import checksum_path

_NOT_OPENED = "holds more than plain tensors and numbers, and is not opened"


class _Malicious:
    """Asks whoever unpickles it to make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[object, ...]:
        import os

        return os.makedirs, (self.folder,)


def _changed(change: Callable[[bytes], bytes], *, digest: bool = False) -> Build:
    """A manifest, and a sound checkpoint of whose bytes `change` makes others.

    `digest`: its SHA-256 is still beside it, as it was written.
    """

    def build(folder: Path) -> Path:
        write_manifest(folder)
        path = write_checkpoint(folder)
        path.write_bytes(change(path.read_bytes()))
        if not digest:
            checksum_path(path).unlink()
        return path

    return build


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flipped(data: bytes) -> bytes:
    """One bit of a weight is another; the weights fill the middle of the file."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def _torch(make: Callable[[Path], object]) -> Build:
    """A manifest, and a file of torch that holds something else."""

    def build(folder: Path) -> Path:
        import torch

        write_manifest(folder)
        torch.save(make(folder), folder / "model.pt")
        return folder / "model.pt"

    return build


def _malicious_pickle(folder: Path) -> Path:
    write_manifest(folder)
    (folder / "model.pt").write_bytes(pickle.dumps(_Malicious(folder / "out")))
    return folder / "model.pt"


def _malicious(folder: Path) -> dict[str, object]:
    return {"x": _Malicious(folder / "out")}


def _of(network: str, channels: int, classes: int) -> Build:
    """A manifest, and a checkpoint that states another network than its weights are of."""
    arguments = {"model_name": network, "in_chans": channels, "num_classes": classes}

    def build(folder: Path) -> Path:
        write_manifest(folder)
        return write_checkpoint(folder, model_args=arguments)

    return build


def _safetensors(header: bytes, length: int | None = None) -> Build:
    """A manifest, and an artifact whose safetensors file has that header and no data."""

    def build(folder: Path) -> Path:
        from trainer.artifact import save_artifact
        from trainer.checkpoint import load_checkpoint

        write_manifest(folder)
        path = folder / "model.safetensors"
        save_artifact(load_checkpoint(write_checkpoint(folder)), path)
        checksum_path(path).unlink()
        size = struct.pack("<Q", len(header) if length is None else length)
        path.write_bytes(size + header + bytes(64))
        return path

    return build


def _by_safetensors(folder: Path) -> list[str]:
    return predict(folder, "model.safetensors")


_HOLE = json.dumps({"a": {"dtype": "F32", "shape": [4], "data_offsets": [16, 32]}}).encode()
_HUGE = json.dumps({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 64]}}).encode()


def _refused(
    name: str,
    build: Build,
    sentence: str,
    row: int,
    command: Callable[[Path], list[str]] = predict,
) -> Case:
    """A case in which a checkpoint is not taken, and nothing is written."""
    return Case(name, build, 5, sentence, row, command=command, left=())


_FOREIGN = "it is no torch zip file"
_OTHER = "is of another network"
_NO_TENSORS = "is not a safetensors file"

CASES = [
    _refused("checkpoint_half_written", _changed(_half), "is damaged or was cut short", 92),
    _refused("checkpoint_flipped", _changed(_flipped), "fails its checksum; use another", 93),
    _refused("checkpoint_altered", _changed(_flipped, digest=True), "its SHA-256 is not", 93),
    _refused("checkpoint_empty", _changed(lambda _: b""), _FOREIGN, 94),
    _refused("checkpoint_of_text", _changed(lambda _: b"weights\n"), _FOREIGN, 94),
    _refused("checkpoint_of_a_list", _torch(lambda _: [1]), "holds a list, not named tensors", 94),
    _refused("checkpoint_of_weights", _torch(lambda _: {}), "that `mammo train` wrote", 94),
    _refused("checkpoint_missing", write_manifest, "no checkpoint", 94),
    _refused("checkpoint_other_network", _of("test_vit", 1, 1), _OTHER, 95),
    _refused("checkpoint_other_channels", _of("test_resnet", 3, 1), _OTHER, 95),
    _refused("checkpoint_other_classes", _of("test_resnet", 1, 5), _OTHER, 95),
    _refused("checkpoint_malicious", _torch(_malicious), _NOT_OPENED, 96),
    _refused("checkpoint_malicious_pickle", _malicious_pickle, _FOREIGN, 96),
    *(
        _refused(f"safetensors_{name}", build, _NO_TENSORS, 97, _by_safetensors)
        for name, build in (
            ("header_too_long", _safetensors(b"{}", 1 << 62)),
            ("hole", _safetensors(_HOLE)),
            ("huge_shape", _safetensors(_HUGE)),
            ("no_json", _safetensors(b"not json")),
        )
    ),
]
