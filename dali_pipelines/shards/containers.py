"""Where the encoded images of a shard go: one safetensors file, one tar file, or a file an image.

Each is written from front to back as the images come, so a shard takes the memory of a batch.
Each gives the same bytes for the same images: no time, no owner, no order but that of the plan.
"""

import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from dali_pipelines.shards.payloads import Payload, encoding_of
from dali_pipelines.shards.settings import DType, Format, ShardSettings

_HEADER_BYTES: Final = 512  # of the tensor file: its JSON takes some 150, the rest are spaces
_LENGTH_BYTES: Final = 8
_TAR_BLOCK: Final = 512
_COMMON: Final[Mapping[Format, str]] = {"shards": "images.safetensors", "webdataset": "images.tar"}
_FILE_MODE: Final = 0o644
_SAFETENSORS_TYPES: Final[Mapping[DType, str]] = {
    "uint8": "U8",
    "uint16": "U16",
    "float16": "F16",
    "float32": "F32",
}


class Container(Protocol):
    """What takes the images of one shard, one after another."""

    def add(self, image_id: str, payload: Payload, about: Mapping[str, Any]) -> int:
        """Write one image; the place in its file where its bytes begin."""


@contextmanager
def open_container(
    folder: Path, settings: ShardSettings, shape: tuple[int, int, int], recipe_hash: str
) -> Iterator[Container]:
    """A container in the empty `folder` for images (C, H, W) of this shape; complete at the end.

    OSError where the disk is full or the like, as from `Container.add`.
    """
    suffix = encoding_of(settings).suffix
    common = common_file(settings)
    if common is None:
        yield _Files(folder, suffix)
        return
    with (folder / common).open("wb") as file:
        if settings.format == "shards":
            tensors = _TensorFile(file, settings.dtype, shape, recipe_hash)
            yield tensors
            tensors.end()
        else:
            tar = _TarFile(file, suffix)
            yield tar
            tar.end()


def common_file(settings: ShardSettings) -> str | None:
    """The name of the one file that holds all images of a shard; None where each has its own."""
    return _COMMON.get(settings.format)


def file_name(settings: ShardSettings, image_id: str) -> str:
    """The name of the file that holds this image."""
    return common_file(settings) or f"{image_id}{encoding_of(settings).suffix}"


class _TensorFile:
    """A safetensors file of one tensor "images", (N, C, H, W).

    Not by the library: that wants all images at once, and its writer has an order of its own for
    what describes them. The header is of one length, since N is known last; spaces may fill it.
    Source: the format's README, github.com/huggingface/safetensors.
    """

    def __init__(
        self, file: BinaryIO, dtype: DType, shape: tuple[int, int, int], recipe_hash: str
    ) -> None:
        self._file = file
        self._dtype = dtype
        self._shape = shape
        self._recipe_hash = recipe_hash
        self._count = 0
        file.seek(_LENGTH_BYTES + _HEADER_BYTES)

    def add(self, image_id: str, payload: Payload, about: Mapping[str, Any]) -> int:  # noqa: ARG002
        place = self._file.tell()
        self._file.write(payload)
        self._count += 1
        return place

    def end(self) -> None:
        """Write the header."""
        tensor = {
            "dtype": _SAFETENSORS_TYPES[self._dtype],
            "shape": [self._count, *self._shape],
            "data_offsets": [0, self._file.tell() - _LENGTH_BYTES - _HEADER_BYTES],
        }
        content = {"__metadata__": {"recipe": self._recipe_hash}, "images": tensor}
        header = json.dumps(content, separators=(",", ":")).encode().ljust(_HEADER_BYTES)
        self._file.seek(0)
        self._file.write(_HEADER_BYTES.to_bytes(_LENGTH_BYTES, "little") + header)


class _Files:
    """A file for each image, named by its id."""

    def __init__(self, folder: Path, suffix: str) -> None:
        self._folder = folder
        self._suffix = suffix

    def add(self, image_id: str, payload: Payload, about: Mapping[str, Any]) -> int:  # noqa: ARG002
        with (self._folder / f"{image_id}{self._suffix}").open("wb") as file:
            file.write(payload)
        return 0


class _TarFile:
    """A tar file (POSIX ustar) of samples as WebDataset reads them: <id>.json, then the picture."""

    def __init__(self, file: BinaryIO, suffix: str) -> None:
        self._file = file
        self._tar = tarfile.TarFile(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT)
        self._suffix = suffix

    def add(self, image_id: str, payload: Payload, about: Mapping[str, Any]) -> int:
        self._add(f"{image_id}.json", json.dumps(about, sort_keys=True).encode())
        return self._add(f"{image_id}{self._suffix}", payload)

    def _add(self, name: str, payload: Payload) -> int:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(payload), _FILE_MODE
        place = self._file.tell() + _TAR_BLOCK
        self._tar.addfile(member, io.BytesIO(payload))
        return place

    def end(self) -> None:
        """Write the end mark."""
        self._tar.close()
