"""How many processor cores there are, and how many ranks of a run share them."""

import os


def core_count() -> int:
    """Logical cores that this process may use, which a container may have limited."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def rank_count(default: int = 1) -> int:
    """Ranks on this machine, as torchrun tells them; the default where it tells no number."""
    told = os.environ.get("LOCAL_WORLD_SIZE", "")
    return max(1, int(told)) if told.isdecimal() else default
