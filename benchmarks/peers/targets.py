"""The figures that the loader on the CPU is judged by, from the document of the peers."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from benchmarks.target import Target

Document = Mapping[str, Any]
MIB: Final = 1 << 20


def _share_of_bare(row: str) -> Callable[[Document], float]:
    return lambda found: float(found["rows"][row]["share_of_bare_decoder"]["median"])


def _times_spr(row: str) -> Callable[[Document], float]:
    return lambda found: float(found["rows"][row]["peers"]["spr"]["times_as_fast"]["median"])


def _most_memory_gb(found: Document) -> float:
    """GB (1e9 bytes) above the imports, of the syntax that takes most; KeyError if not known."""
    taken = [row["above_import_mib"] for row in found["memory"]["loader"].values()]
    if None in taken:
        raise KeyError("above_import_mib")
    return float(max(taken) * MIB / 1e9)


TARGETS: Final = (
    Target("loader / bare decoder, j2k", _share_of_bare("j2k"), "at least", 0.85, 0.93),
    Target("loader / bare decoder, jpeg_sv1", _share_of_bare("jpeg_sv1"), "at least", 0.45, 0.65),
    Target("jpeg_sv1 / SPR winner", _times_spr("jpeg_sv1"), "at least", 3.0, 4.5),
    Target("j2k / SPR winner", _times_spr("j2k"), "at least", 1.25, 1.4),
    Target(
        "j2k decode.reduce=auto / SPR winner",
        _times_spr("j2k decode.reduce=auto"),
        "at least",
        3.5,
        6.0,
    ),
    Target("htj2k / SPR winner on j2k", _times_spr("htj2k"), "at least", 5.0, 9.0),
    Target("loader's memory above its imports, GB", _most_memory_gb, "at most", 1.5, 0.9),
)


def judge_all(document: Document) -> list[dict[str, Any]]:
    """The table, a row for each target; none on a GPU, where other bars hold."""
    if document["settings"]["device"] == "gpu":
        return []
    return [target.judge(document) for target in TARGETS]
