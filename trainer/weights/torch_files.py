"""Weight files that torch.save wrote: zip files, and the plain ones of before torch 1.6.

A zip holds `<name>/data.pkl` and one record for each storage, `<name>/data/<key>`. A plain file is
a row of pickles (magic number, version, system, content, keys of the storages) and then, for each
key, the count of its numbers in 8 bytes and the numbers.
"""

import io
import os
import struct
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch

from trainer.weights.globals import storage_type
from trainer.weights.pickle_machine import unpickle
from trainer.weights.stored import ForeignError, Storage

ReadStorages = Callable[[Iterable[Storage]], dict[str, torch.Tensor]]  # bytes (n,) uint8 by key

_MAGIC: Final = 0x1950A86A20F9469CFC6C  # torch.serialization.MAGIC_NUMBER
_PROTOCOL: Final = 1001
_MOST: Final = 16 << 20  # bytes of pickles
_DAMAGE: Final = (  # what zipfile raises on reading what is none, or is damaged
    *(zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, OverflowError),
    struct.error,
)


def read_zip(path: Path) -> tuple[Any, ReadStorages]:
    """The content of a torch zip file with stored tensors, and what reads their storages.

    Raises ForeignError where it is no such file, is damaged, or is more than weights.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            records = {info.filename: info for info in archive.infolist()}
            _require_apart(archive, path)
            root = _root(records)
            content = _record(archive, records[f"{root}data.pkl"], _MOST)
            order = records.get(f"{root}byteorder")
            if order is not None and _record(archive, order, 16) != b"little":
                raise ForeignError("was written on a big-endian machine, whose order is not read")
    except ForeignError:  # is a ValueError, but says more
        raise
    except _DAMAGE as error:
        raise ForeignError("is damaged or was cut short: its zip file cannot be read") from error
    found: dict[str, Storage] = {}

    def declared(saved: tuple[Any, ...]) -> Storage:
        storage = _declared(saved, found)
        info = records.get(f"{root}data/{storage.key}")
        if info is None or info.file_size != storage.nbytes:
            raise ForeignError("declares a storage of another size than it has")
        return storage

    def read(storages: Iterable[Storage]) -> dict[str, torch.Tensor]:
        wanted = {storage.key: storage for storage in storages}
        try:
            with zipfile.ZipFile(path) as archive:
                return {
                    key: _bytes(_record(archive, records[f"{root}data/{key}"], s.nbytes), s)
                    for key, s in wanted.items()
                }
        except ForeignError:
            raise
        except _DAMAGE as error:
            raise ForeignError("is damaged: a record fails its checksum") from error

    return unpickle(io.BytesIO(content), declared), read


def read_plain(path: Path) -> tuple[Any, ReadStorages]:
    """As `read_zip`, of a file of before torch 1.6, which has no checksums."""
    with path.open("rb") as file:
        head = io.BytesIO(file.read(_MOST))
        size = os.fstat(file.fileno()).st_size
    if unpickle(head, _refuse) != _MAGIC or unpickle(head, _refuse) != _PROTOCOL:
        raise ForeignError("is no file of torch.save: it opens with another number than those")
    unpickle(head, _refuse)
    found: dict[str, Storage] = {}

    def declared(saved: tuple[Any, ...]) -> Any:
        if len(saved) == 4 and saved[0] == "module":  # a class, and its source code
            return saved[1]
        return _declared(saved, found)

    content = unpickle(head, declared)
    keys = unpickle(head, _refuse)
    places = _places(path, head.tell(), size, [found.get(str(key)) for key in _list(keys)])

    def read(storages: Iterable[Storage]) -> dict[str, torch.Tensor]:
        numbers = {}
        with path.open("rb") as file:
            for storage in storages:
                if storage.key not in places:
                    raise ForeignError("names a storage that it does not hold")
                if storage.key not in numbers:
                    file.seek(places[storage.key])
                    numbers[storage.key] = _bytes(file.read(storage.nbytes), storage)
        return numbers

    return content, read


def _places(path: Path, start: int, size: int, storages: list[Storage | None]) -> dict[str, int]:
    """Where in the file the numbers of each storage begin."""
    places = {}
    with path.open("rb") as file:
        for storage in storages:
            file.seek(start)
            count = file.read(8)
            if storage is None or len(count) < 8:
                raise ForeignError("is damaged or was cut short: it lacks a storage")
            if struct.unpack("<q", count)[0] != storage.numel or start + storage.nbytes > size - 8:
                raise ForeignError("declares a storage of another size than it has")
            places[storage.key] = start + 8
            start += 8 + storage.nbytes
    return places


def _declared(saved: tuple[Any, ...], found: dict[str, Storage]) -> Storage:
    """The storage of ("storage", type, key, device, count), in old files with a view of it."""
    if len(saved) not in (5, 6) or saved[0] != "storage":
        raise ForeignError("has a persistent id that is no storage")
    _, kind, key, _, count, *view = saved
    if not isinstance(key, str | int) or type(count) is not int or count < 0:
        raise ForeignError("has a persistent id that is no storage")
    storage = Storage(str(key), storage_type(kind), count)
    first = found.setdefault(storage.key, storage)
    if first.nbytes != storage.nbytes:
        raise ForeignError("declares one storage in two sizes")
    if not view or view[0] is None:
        return storage
    _, offset, length = _view(view[0])
    if min(offset, length) < 0 or offset + length > count:
        raise ForeignError("has a view that leaves its storage")
    return replace(storage, start=offset)


def _view(view: Any) -> tuple[Any, int, int]:
    if not isinstance(view, tuple) or [type(number) for number in view[1:]] != [int, int]:
        raise ForeignError("has a view that is none")
    return view[0], view[1], view[2]


def _require_apart(archive: zipfile.ZipFile, path: Path) -> None:
    """Raise ForeignError where records overlap or unfold: together they are longer than the file.

    Of two records of one name only the last would be seen.
    """
    records = archive.infolist()
    if len(set(archive.namelist())) < len(records):
        raise ForeignError("has two records of one name")
    if sum(info.file_size for info in records) > path.stat().st_size:
        raise ForeignError("has records that are compressed or longer than torch writes")


def _record(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    """The bytes of a record, its checksum proved; torch never compresses, so a bomb is refused."""
    if info.compress_type != zipfile.ZIP_STORED or info.file_size > most:
        raise ForeignError("has a record that is compressed or longer than torch writes")
    return archive.read(info)


def _root(records: dict[str, zipfile.ZipInfo]) -> str:
    roots = [name.removesuffix("data.pkl") for name in records if name.endswith("/data.pkl")]
    if len(roots) != 1:
        raise ForeignError(
            f"is a zip file of {len(records)} files and none of torch; unpack it and name the one "
            "with the weights"
        )
    return roots[0]


def _bytes(data: bytes, storage: Storage) -> torch.Tensor:
    if len(data) != storage.nbytes:
        raise ForeignError("was cut short")
    if not data:  # of which frombuffer makes no tensor
        return torch.empty(0, dtype=torch.uint8)
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)  # `data` may not be written to


def _list(keys: Any) -> list[Any]:
    if not isinstance(keys, list) or not all(isinstance(key, str | int) for key in keys):
        raise ForeignError("is damaged: it has no list of its storages")
    return keys


def _refuse(_: tuple[Any, ...]) -> Any:
    raise ForeignError("has a persistent id where torch writes none")
