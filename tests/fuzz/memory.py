"""The most memory that this process and its children ever had, in bytes (proc(5), VmHWM)."""

import os
import resource
from pathlib import Path


def peak_of_this() -> int:
    """Of this process; not by getrusage, which counts what its parent had when it was started."""
    return _peak(os.getpid())


def peak_of_children() -> int:
    """Of the largest child, be it gone or alive; 0 where none can be seen."""
    gone = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return max(gone, *map(_peak, _children()), 0)


def _children() -> list[int]:
    tasks = Path(f"/proc/{os.getpid()}/task")
    return [int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()]


def _peak(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)
