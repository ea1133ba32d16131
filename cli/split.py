"""`mammo split`: a labeled manifest to one with folds, and a receipt that nothing leaks."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cli.checks import ends_in
from cli.options import json_option, manifest_argument, seed_option
from dali_pipelines.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from dali_pipelines.splits import Receipt

FOLDS: Final = 4


@click.command()
@manifest_argument
@click.option(
    "--folds", type=click.IntRange(min=2), show_default="4; with --keep as many as there are",
    help="How many folds.",
)  # fmt: skip
@seed_option("Another seed, other folds.")
@click.option(
    "--keep", is_flag=True, help="Keep the folds that the manifest has; place only new patients."
)
@click.option("--group", default="patient_id", help="The column that is never split.")
@click.option("--label", default="cancer", help="The column that is spread evenly.")
@click.option(
    "-O",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=ends_in(".parquet"),
    show_default="the manifest itself",
    help="Where to write the manifest with folds.",
)
@json_option
def command(
    *, manifest: Path, group: str, label: str, out: Path | None, as_json: bool, **how: Any
) -> None:
    r"""Assign each patient to a fold, and prove that no fold knows another.

    \b
    mammo split train.parquet --folds 4

    The same images, labels and seed give the same folds. Patients who share a study, an identical
    codestream or the label table's patient stay together. Images that were added later get folds by
    --keep; without it patients change folds, and a checkpoint may have learned from its own.
    """
    from dali_pipelines.atomic import alone_with
    from dali_pipelines.manifest import read_manifest, write_manifest
    from dali_pipelines.splits import leakage_receipt, require_no_overlap

    out = out or manifest
    with alone_with(out):
        before = read_manifest(manifest)
        frame = _split(before, label, group, **how)
        require_no_overlap(frame, group)
        _carry_key(manifest.with_suffix(".key"), out.with_suffix(".key"))
        write_manifest(frame, out)
        _carry_rejects(manifest, out)
    _say_moved(before, frame, group)
    receipt = leakage_receipt(frame, group, label)
    click.echo(receipt.text(), err=True)
    _say_lacking(receipt, label, how["folds"] or (0 if how["keep"] else FOLDS))
    click.echo(json.dumps({"manifest": str(out), **receipt.to_dict()}) if as_json else str(out))


def _split(
    frame: "pd.DataFrame", label: str, group: str, *, folds: int | None, seed: int, keep: bool
) -> "pd.DataFrame":
    from dali_pipelines.splits import assign_folds, complete_folds

    if keep:
        return complete_folds(frame, folds, seed, label, group)
    return assign_folds(frame, folds or FOLDS, seed, label, group)


def _say_moved(before: "pd.DataFrame", after: "pd.DataFrame", group: str) -> None:
    from dali_pipelines.kept_folds import count_moved

    moved, placed = count_moved(before, after, group)
    if moved:
        click.echo(
            f"{moved:,} of {placed:,} patients with a fold are in another one now, so a checkpoint "
            "may have learned from its held-out fold; --keep keeps the folds that a manifest has",
            err=True,
        )


def _say_lacking(receipt: "Receipt", label: str, wanted: int) -> None:
    """Warn of folds without a positive image, on which no model can be judged.

    A fold without any patient is one; `wanted` is the least number of folds there ought to be.
    """
    positives = {row.fold: row.positives for row in receipt.folds}
    lacking = [k for k in range(max(wanted - 1, *positives) + 1) if not positives.get(k)]
    if lacking:
        named = ", ".join(map(str, lacking))
        click.echo(
            f"warning: no image with {label} 1 in {'fold' if len(lacking) == 1 else 'folds'} "
            f"{named}; no model can be judged there, ask for fewer folds or add positive patients",
            err=True,
        )


def _carry_key(old: Path, new: Path) -> None:
    """Put the key of the image ids beside the new manifest too, so that ids stay the same."""
    from dali_pipelines.atomic import PRIVATE_MODE, replacing
    from dali_pipelines.identity import load_key

    if not old.exists():
        return
    if not new.exists():
        with replacing(new, PRIVATE_MODE) as aside:
            aside.write_bytes(old.read_bytes())
    elif load_key(old) != load_key(new):
        raise ConfigError(
            f"the id keys {str(old)!r} and {str(new)!r} differ, so ids would change; "
            "choose another name with -O, or remove the key that is not needed"
        )


def _carry_rejects(old: Path, new: Path) -> None:
    """Put what the scan rejected beside the new manifest too, for `mammo scan --retry-failed`."""
    from dali_pipelines.rejects.table import read_rejects, rejects_beside, write_rejects

    if old != new and rejects_beside(old).exists():
        write_rejects(read_rejects(rejects_beside(old)), rejects_beside(new))
