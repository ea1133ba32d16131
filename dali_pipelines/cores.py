"""How many processor cores there are to share out."""

import os


def core_count() -> int:
    """Logical cores that this process may use, which a container may have limited."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
