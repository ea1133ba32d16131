"""The images of a committed shard, each read when it is asked for."""

import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.shards.containers import common_file, file_name
from dali_pipelines.shards.payloads import Payload, encoding_of
from dali_pipelines.shards.rows import Rows
from dali_pipelines.shards.settings import ShardSettings


class StoredImages:
    """The images that the rows of a shard tell of, by `row`: read-only arrays (C, H, W).

    Each is read from its file when it is asked for, and none stays open: of a map, a file that
    another process cuts short or a disk that fails would end this process by SIGBUS, and shards may
    be more than a process may have files. UNREADABLE where a file is gone or damaged.
    """

    def __init__(
        self, folder: Path, rows: Rows, settings: ShardSettings, shape: tuple[int, int, int]
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._shape = shape
        self._dtype = np.dtype(settings.dtype).newbyteorder("<")
        self._ids: list[str] = [rows["image_id"][place] for place in rows.made]
        self._offsets: list[int] = [rows["offset"][place] for place in rows.made]
        self._sizes: list[int] = [rows["bytes"][place] for place in rows.made]

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, row: int) -> NDArray[Any]:
        image = encoding_of(self._settings).decode(self._payload(row), self._shape, self._dtype)
        image.flags.writeable = False
        return image

    def are_whole(self) -> bool:
        """Whether the files are there and long enough for what they hold; no image is read."""
        lengths = {entry.name: entry.stat().st_size for entry in os.scandir(self._folder)}
        ends = [at + size for at, size in zip(self._offsets, self._sizes, strict=True)]
        common = common_file(self._settings)
        if common is not None:
            return lengths.get(common, -1) >= max(ends, default=0)
        names = (file_name(self._settings, image_id) for image_id in self._ids)
        return all(lengths.get(name, -1) >= end for name, end in zip(names, ends, strict=True))

    def _payload(self, row: int) -> Payload:
        first, end = self._offsets[row], self._offsets[row] + self._sizes[row]
        file = self._folder / file_name(self._settings, self._ids[row])
        with file.open("rb") as opened:
            opened.seek(first)
            payload = opened.read(end - first)
        if len(payload) != end - first:
            raise EOFError(f"{len(payload)} bytes, wanted {end - first}")
        return payload


def checksum(image: NDArray[Any]) -> int:
    """Zlib's CRC-32 of the numbers (C, H, W), little-endian."""
    little = np.ascontiguousarray(image, image.dtype.newbyteorder("<"))
    return zlib.crc32(little.reshape(-1).view(np.uint8).data)
