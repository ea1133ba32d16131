"""`mammo verify`: decode images of a manifest a second time, by other decoders, and compare."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cli.checks import SEED, require_own_rejects
from cli.ending import say_verdicts
from dali_pipelines.errors import DatasetError
from dali_pipelines.rejects.limits import parse_limit

if TYPE_CHECKING:
    from dali_pipelines.inspection.verify import KindReport, Verification
    from dali_pipelines.records import ImageRecord

SAMPLE: Final = "100"
_COUNTS: Final = ("images", "hashed", "equal", "differing", "not_compared", "rejected")
_NAMED: Final = 5  # images of each flag


@click.command()
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option(
    "--sample", metavar="N|P%", show_default="100",
    help="So many images, at least one of each kind, precision, predictor and manufacturer.",
)  # fmt: skip
@click.option("--all", "take_all", is_flag=True, help="Take all images.")
@click.option("--seed", type=SEED, default=0, help="Another seed, another sample.")
@click.option("-j", "--workers", type=click.IntRange(min=0), default=0, show_default="one a core")
@click.option("--max-rejects", metavar="N|P%", default="0", help="Leave with 3 above it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    *,
    manifest: Path,
    sample: str | None,
    take_all: bool,
    seed: int,
    workers: int,
    max_rejects: str,
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
    from dali_pipelines.inspection.sampling import choose_sample, sample_size
    from dali_pipelines.manifest import read_manifest, to_records
    from dali_pipelines.rejects.counts import count_images
    from dali_pipelines.rejects.table import rejects_beside, write_rejects

    if take_all and sample is not None:
        raise click.UsageError("--all takes every image and --sample some; give one of them")
    limit, base = parse_limit(max_rejects), manifest.with_name(f"{manifest.stem}_verify")
    require_own_rejects(base)
    records = to_records(read_manifest(manifest))
    if not records:
        raise DatasetError(f"{str(manifest)!r} holds no image to verify")
    wanted = "100%" if take_all else SAMPLE if sample is None else sample
    size = sample_size(wanted, len(records))
    chosen = [records[k] for k in choose_sample(records, size, seed)]
    found = _verify(chosen, workers)
    table = rejects_beside(base)
    write_rejects(found.rejects, table)
    seen = found.flagged
    flagged = {r.image_id: bool(r.flags) or r.image_id in seen for r in chosen}
    say_verdicts(count_images(flagged, found.rejects), table)
    if as_json:
        facts = {"images": len(chosen), "of": len(records), "seed": seed}
        click.echo(json.dumps({**facts, **found.to_dict(), "table": str(table)}))
    else:
        click.echo(f"{len(chosen):,} of {len(records):,} images, seed {seed}")
        click.echo("\n".join(_lines(found)))
    limit.enforce(len(found.rejects), len(chosen))


def _verify(records: "Sequence[ImageRecord]", workers: int) -> "Verification":
    from cli.progress import progress
    from dali_pipelines.inspection.verify import verify
    from dali_pipelines.loader_settings import LoaderSettings

    with progress(len(records), "verify") as bar:
        threads = LoaderSettings(threads=workers).resolved_threads()
        return verify(records, threads, lambda rejects: bar.update(1, rejected=rejects))


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
