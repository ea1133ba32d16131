"""`mammo verify`: decode images of a manifest a second time, by other decoders, and compare."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cli.checks import require_own_rejects
from cli.ending import say_verdicts
from cli.options import (
    json_option,
    manifest_argument,
    max_rejects_option,
    seed_option,
    workers_option,
)
from dali_pipelines.errors import DatasetError

if TYPE_CHECKING:
    from dali_pipelines.inspection.verify import KindReport, Verification
    from dali_pipelines.records import ImageRecord
    from dali_pipelines.rejects.limits import RejectLimit

SAMPLE: Final = "100"
_COUNTS: Final = ("images", "hashed", "equal", "differing", "not_compared", "rejected")
_NAMED: Final = 5  # images of each flag


@click.command()
@manifest_argument
@click.option(
    "--sample", metavar="N|P%", show_default="100",
    help="So many images, at least one of each kind, precision, predictor and manufacturer.",
)  # fmt: skip
@click.option("--all", "take_all", is_flag=True, help="Take all images.")
@seed_option("Another seed, another sample.")
@workers_option()
@max_rejects_option("0")
@json_option
def command(
    *,
    manifest: Path,
    sample: str | None,
    take_all: bool,
    seed: int,
    workers: int,
    limit: "RejectLimit",
    as_json: bool,
) -> None:
    r"""Decode images of a manifest a second time, by other decoders, and compare.

    \b
    mammo verify train.parquet --sample 5%

    Each image's bytes are compared with the SHA-256 of the scan, its stored values with those of a
    second decoder (to the bit; DCT JPEG and the 9-7 wavelet to 1), and its picture is looked at:
    blank, inverted, no breast, burned out, on the wrong side. What fails is a row of
    train_verify_rejects.csv beside the manifest. Both decoders are those of the CPU.
    """
    from dali_pipelines.rejects.counts import count_images
    from dali_pipelines.rejects.table import rejects_beside, write_rejects

    if take_all and sample is not None:
        raise click.UsageError("--all takes every image and --sample some; give one of them")
    base = manifest.with_name(f"{manifest.stem}_verify")
    require_own_rejects(base)
    records = _read(manifest)
    chosen = _choose(records, "100%" if take_all else sample, seed)
    found = _verify(chosen, workers)
    table = rejects_beside(base)
    write_rejects(found.rejects, table)
    seen = found.flagged
    flagged = {r.image_id: bool(r.flags) or r.image_id in seen for r in chosen}
    say_verdicts(count_images(flagged, found.rejects), table)
    facts = {"images": len(chosen), "of": len(records), "seed": seed}
    _print(facts, found, table, as_json=as_json)
    limit.enforce(len(found.rejects), len(chosen))


def _read(manifest: Path) -> "list[ImageRecord]":
    from dali_pipelines.manifest import read_manifest
    from dali_pipelines.manifest_rows import to_records

    records = to_records(read_manifest(manifest))
    if not records:
        raise DatasetError(f"{str(manifest)!r} holds no image to verify")
    return records


def _choose(records: "Sequence[ImageRecord]", sample: str | None, seed: int) -> "list[ImageRecord]":
    from dali_pipelines.inspection.sampling import choose_sample, sample_size

    size = sample_size(SAMPLE if sample is None else sample, len(records))
    return [records[k] for k in choose_sample(records, size, seed)]


def _verify(records: "Sequence[ImageRecord]", workers: int) -> "Verification":
    from cli.progress import progress
    from dali_pipelines.inspection.verify import verify
    from dali_pipelines.loader_settings import LoaderSettings

    with progress(len(records), "verify") as bar:
        threads = LoaderSettings(threads=workers).resolved_threads()
        return verify(records, threads, lambda rejects: bar.update(1, rejected=rejects))


def _print(facts: dict[str, int], found: "Verification", table: Path, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({**facts, **found.to_dict(), "table": str(table)}))
    else:
        click.echo(f"{facts['images']:,} of {facts['of']:,} images, seed {facts['seed']}")
        click.echo("\n".join(_lines(found)))


def _lines(found: "Verification") -> Iterator[str]:
    """A table by kind of codestream, then by whom it was compared, and what was seen."""
    from dali_pipelines.rejects.explanations import explain

    line = "{:<14}" + "{:>9}" * 3 + "{:>11}" + "{:>14}" + "{:>10}" + "{:>16}"
    yield line.format("kind", *(name.replace("_", " ") for name in _COUNTS), "max difference")
    for name, kind in found.kinds.items():
        counts = (f"{getattr(kind, count):,}" for count in _COUNTS)
        yield line.format(name, *counts, f"{kind.max_difference:,}" if kind.second else "-")
    for name, kind in found.kinds.items():
        yield from _notes(name, kind)
    unhashed = sum(kind.unhashed for kind in found.kinds.values())
    if unhashed:
        yield f"{unhashed:,} unhashed: the scan took no SHA-256, so changed bytes would go unseen"
    for flag, images in found.flags.items():
        yield f"{len(images):,} {flag.value}: {explain(flag).meaning}"
        more = ", ..." if len(images) > _NAMED else ""  # all of them are in the JSON document
        yield f"    {', '.join(images[:_NAMED])}{more}"


def _notes(name: str, kind: "KindReport") -> Iterator[str]:
    yield from (f"{name}: {count:,} by {who}" for who, count in kind.second.items())
    yield from (f"{name}: {count:,} not compared: {why}" for why, count in kind.reasons.items())
