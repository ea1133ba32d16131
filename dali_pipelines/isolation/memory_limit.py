"""How much memory one decoder may take, so that a hostile codestream cannot take the machine's.

A small codestream can ask for any amount: one of 100 megapixels in blocks of 4 x 4 has six million
of them to keep a record of. On systems other than Linux nothing is bounded.
"""

import ctypes
import errno
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# Measured on 100 MP, at most (J2K in one tile): 7.1, besides codestream and shared memory.
BYTES_PER_PIXEL: Final = 9
SPARE_BYTES: Final = 64 << 20  # tables of the decoders, and what an allocator leaves unused
MOST_BYTES: Final = 1_500_000_000  # for any image of up to 100 MP
MOST_PER_PIXEL: Final = 15  # the same, where --max-pixels lets larger ones in

_IS_LINUX: Final = sys.platform == "linux"


class AddressSpace:
    """What this process may map, counted from what it has mapped when this is made.

    The address space is bounded and not the heap: it also holds what is shared, and is an upper
    bound of what is resident.
    """

    def __init__(self, bytes_per_pixel: int = BYTES_PER_PIXEL) -> None:
        self._base = _mapped_bytes()
        self._libraries = 0
        self._bytes_per_pixel = bytes_per_pixel
        self._most = 0

    def count_libraries(self) -> None:
        """Let what was mapped since this was made count as no part of any image."""
        self._libraries = max(self._libraries, _mapped_bytes() - self._base)

    @contextmanager
    def bounded(self, pixels: int, stream_bytes: int, shared_bytes: int) -> Iterator[None]:
        """While the block runs, no more than such an image needs, or an earlier one needed.

        The bound never falls: the allocator keeps what an earlier image took.
        """
        if not _IS_LINUX:
            yield
            return
        needed = self._bytes_per_pixel * pixels + stream_bytes + SPARE_BYTES
        bound = max(MOST_BYTES, MOST_PER_PIXEL * pixels)
        wanted = min(self._base + shared_bytes + needed, bound)
        self._most = max(self._most, wanted + self._libraries)
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = self._most if hard == resource.RLIM_INFINITY else min(self._most, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


class LackOfMemory:
    """Whether memory was refused to this thread since `watch`, by what the C library keeps of it.

    OpenJPEG refuses a codestream as damaged where it got no memory for it.
    """

    def __init__(self) -> None:
        self._errno = _find_errno() if _IS_LINUX else None

    def watch(self) -> None:
        """Forget what was."""
        if self._errno is not None:
            self._errno.value = 0

    def was_met(self) -> bool:
        """Whether the last call to fail was one for memory."""
        return self._errno is not None and self._errno.value == errno.ENOMEM


def _find_errno() -> ctypes.c_int:
    """The number of the last error in this thread, where glibc and musl keep it."""
    locate = ctypes.CDLL(None).__errno_location
    locate.restype = ctypes.POINTER(ctypes.c_int)
    found: ctypes.c_int = locate().contents
    return found


def _mapped_bytes() -> int:
    if not _IS_LINUX:
        return 0
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
