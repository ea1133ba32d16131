"""What a process and all that it started use: CPU seconds and memory, as Linux tells in /proc.

Seen from outside, so that watching costs the watched process nothing. On other systems both are
None: there a process can only ask about itself.
"""

import os
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
_TIMES: Final = slice(11, 15)  # utime, stime, cutime, cstime, behind the name (proc(5), stat)


def descendants(pid: int, proc: Path = PROC) -> list[int]:
    """The process and, below it, every process that it or they started and that still runs."""
    found = [pid]
    for parent in found:  # grows while it is read
        for children in proc.glob(f"{parent}/task/*/children"):
            found.extend(int(child) for child in _read(children).split())
    return found


def cpu_seconds(pid: int, proc: Path = PROC) -> float | None:
    """User and system time of the tree so far, also of children that have ended; to 10 ms."""
    ticks = 0
    for member in descendants(pid, proc):
        stat = _read(proc / str(member) / "stat")
        if not stat and member == pid:
            return None
        ticks += sum(int(field) for field in stat.rpartition(")")[2].split()[_TIMES])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int, proc: Path = PROC) -> float | None:
    """Resident memory of the tree, where a page that k processes share counts 1/k in each (PSS).

    The plain sum would count what a forked worker shares with its parent twice.
    """
    kib = 0
    for member in descendants(pid, proc):
        lines = _read(proc / str(member) / "smaps_rollup").splitlines()
        pss = [line.split()[1] for line in lines if line.startswith("Pss:")]
        if not pss and member == pid:
            return None
        kib += sum(map(int, pss))
    return kib / 1024


def _read(file: Path) -> str:
    """The text, "" if the process has ended in the meantime."""
    try:
        return file.read_text()
    except OSError:
        return ""
