"""How the images were stored and how fast they went: decode statistics of manifest and run."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from trainer.report.run_facts import RunFacts

_PASSES = ("train", "validate")


@dataclass(frozen=True, slots=True)
class StreamCount:
    """Images of one kind of codestream; `megapixels` is their median."""

    kind: str
    images: int
    lossy: int
    bits: str
    megapixels: float
    mebibytes: float


@dataclass(frozen=True, slots=True)
class PassSpeed:
    """One kind of pass over images: medians of its epochs, and the peak of memory in MiB."""

    name: str
    passes: int
    images: int
    seconds: float
    rate_img_s: float
    wait_share: float
    host_mib: float | None
    gpu_mib: float | None


def stream_counts(manifest: pd.DataFrame) -> list[StreamCount]:
    """The images of a manifest by kind of codestream, the most frequent first."""
    parts = [(str(kind), part) for kind, part in manifest.groupby("stream_kind", sort=True)]
    return [_count(kind, part) for kind, part in sorted(parts, key=lambda item: -len(item[1]))]


def pass_speeds(runs: Sequence[RunFacts]) -> list[PassSpeed]:
    """What training and validating took, over all epochs of all runs."""
    rows = pd.DataFrame([row for run in runs for row in run.timing])
    if rows.empty or "pass" not in rows.columns:
        return []
    return [_speed(name, part) for name in _PASSES if len(part := rows[rows["pass"] == name])]


def decoded_counts(runs: Sequence[RunFacts]) -> dict[str, int]:
    """Images by decoder and kind of codestream, such as {"dali j2k": 96}, over all runs."""
    counts: Counter[str] = Counter()
    for run in runs:
        counts.update(run.decoded)
    return dict(sorted(counts.items()))


def _count(kind: str, part: pd.DataFrame) -> StreamCount:
    pixels = part["stream_height"].astype("float64") * part["stream_width"].astype("float64")
    lengths = part["fragment_lengths"].map(lambda sizes: float(sum(sizes)))
    bits = sorted({int(precision) for precision in part["stream_precision"].dropna()})
    return StreamCount(
        kind=kind,
        images=len(part),
        lossy=int(part["stream_lossy"].fillna(False).sum()),
        bits=", ".join(map(str, bits)),
        megapixels=float(pixels.median()) / 1e6,
        mebibytes=float(lengths.sum()) / 2**20,
    )


def _speed(name: str, part: pd.DataFrame) -> PassSpeed:
    def highest(column: str) -> float | None:
        known = part[column].dropna() if column in part.columns else pd.Series(dtype=float)
        return float(known.max()) if len(known) else None

    return PassSpeed(
        name=name,
        passes=len(part),
        images=int(part["images"].sum()),
        seconds=float(part["seconds"].sum()),
        rate_img_s=float(part["rate_img_s"].median()),
        wait_share=float(part["wait_share"].median()),
        host_mib=highest("host_mib"),
        gpu_mib=highest("gpu_mib"),
    )
