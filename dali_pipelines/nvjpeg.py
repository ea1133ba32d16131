"""The nvJPEG that decodes for us: which file of it this process has loaded, and is it sound?

What the package installer noted is not enough: a machine's own CUDA may come first on the library
path, so that another file is loaded than the one that was installed with DALI.
"""

import ctypes
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Older ones give zeros, without a word, for lossless JPEG of 9 to 15 bits and for streams whose
# DHT stands before SOF3, as real mammograms have it; nvImageCodec issue 50.
SOUND_VERSION: Final = (13, 0, 2)

_MEMORY_MAP: Final = Path("/proc/self/maps")
_PARTS: Final = 3  # MAJOR_VERSION 0, MINOR_VERSION 1, PATCH_LEVEL 2 of CUDA's library_types.h

log = logging.getLogger("mammo.decode")


@dataclass(frozen=True, slots=True)
class Nvjpeg:
    """One loaded file of nvJPEG; `version` is (major, minor, patch), () where it does not say."""

    file: Path
    version: tuple[int, ...]

    @property
    def sound(self) -> bool:
        """Whether it decodes lossless JPEG right."""
        return self.version >= SOUND_VERSION

    @property
    def complaint(self) -> str:
        """One sentence on what is wrong with it, "" if nothing is."""
        if self.sound:
            return ""
        version = ".".join(map(str, self.version)) or "of an unknown version"
        return (
            f"{self.file} is nvJPEG {version}, which decodes lossless JPEG to zeros on a GPU: "
            "update it to 13.0.2, or take its folder off the library path"
        )


def loaded_nvjpeg(maps: Path = _MEMORY_MAP) -> tuple[Nvjpeg, ...]:
    """Each file of nvJPEG that this process has loaded; DALI loads it with its first pipeline.

    `maps` lists a process's files as /proc/self/maps does; without one there are none.
    """
    return tuple(Nvjpeg(file, read_version(file)) for file in _mapped_files("libnvjpeg.so", maps))


def can_decode_lossless() -> bool:
    """Whether nvJPEG is loaded and sound; a warning names each file that is not."""
    libraries = loaded_nvjpeg()
    for library in libraries:
        if not library.sound:
            log.warning("%s; until then the CPU decodes it", library.complaint)
    return bool(libraries) and all(library.sound for library in libraries)


def read_version(file: Path) -> tuple[int, ...]:
    """The version that the library `file` gives of itself, () if it cannot be asked."""
    part = ctypes.c_int()
    version = []
    try:
        library = ctypes.CDLL(str(file))
        for k in range(_PARTS):
            if library.nvjpegGetProperty(k, ctypes.byref(part)):
                return ()
            version.append(part.value)
    except (OSError, AttributeError):  # gone since it was loaded, or without that function
        return ()
    return tuple(version)


def _mapped_files(prefix: str, maps: Path) -> Iterator[Path]:
    """The mapped files whose name starts with `prefix`, each once."""
    if not maps.exists():
        return
    lines = maps.read_text(errors="replace").splitlines()
    columns = (line.split(maxsplit=5) for line in lines)
    files = dict.fromkeys(Path(parts[5].strip()) for parts in columns if len(parts) > 5)
    yield from (file for file in files if file.name.startswith(prefix))
