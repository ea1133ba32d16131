"""`mammo predict`: checkpoints and images to scores per image, breast and patient."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.limits import DEFAULT_LIMIT, parse_limit

if TYPE_CHECKING:
    import pandas as pd

    from dali_pipelines.verdicts import Reject
    from trainer.predict import Predictions


@click.command()
@click.argument(
    "sources", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="MANIFEST|DICOM..."
)
@click.option(
    "--ckpt", "checkpoints", multiple=True, required=True, type=click.Path(path_type=Path),
    help="A checkpoint; several are averaged.",
)  # fmt: skip
@click.option(
    "-O", "--out", default="predictions.csv", type=click.Path(dir_okay=False, path_type=Path),
    help="The table per image; breasts and patients come beside it.",
)  # fmt: skip
@click.option("--fold", type=int, help="Score only this fold of the manifest.")
@click.option("--recipe", help="Stop unless the checkpoint learned from this recipe.")
@click.option(
    "--ids", type=click.Choice(["keyed", "raw"]), default="keyed",
    help="Name images and patients by keyed hashes, or as the header does.",
)  # fmt: skip
@click.option(
    "--id-key", type=click.Path(dir_okay=False, path_type=Path),
    show_default="beside the manifest, else beside OUT; suffix .key",
    help="The key of the hashes.",
)  # fmt: skip
@click.option("--batch", type=click.IntRange(min=1), default=8, help="Images at a time.")
@click.option("--device", type=click.Choice(["auto", "cpu", "gpu"]), default="auto")
@click.option("--max-rejects", metavar="N|P%", default=DEFAULT_LIMIT, help="Leave with 3 above it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    *,
    sources: tuple[Path, ...],
    checkpoints: tuple[Path, ...],
    out: Path,
    fold: int | None,
    recipe: str | None,
    ids: str,
    id_key: Path | None,
    batch: int,
    device: Any,
    max_rejects: str,
    as_json: bool,
) -> None:
    r"""Score the images of a manifest, or of DICOM files and folders.

    \b
    mammo predict train.parquet --ckpt runs/first/best.pt --fold 0 -O predictions.csv
    mammo predict one_exam/ --ckpt fold0.pt --ckpt fold1.pt

    The pixels are prepared by the recipe in the checkpoint. Images without a score are rows of
    OUT's _rejects.csv; inputs that are no images of ours do not count towards --max-rejects.
    """
    from cli.watched import open_watched
    from dali_pipelines.identity import load_key
    from dali_pipelines.recipe import load_recipe
    from trainer.predict import PredictOptions, load_scorer, predict
    from trainer.predictions import key_path

    limit = parse_limit(max_rejects)
    scorer = load_scorer(checkpoints, load_recipe(recipe) if recipe else None)
    is_manifest = len(sources) == 1 and sources[0].suffix == ".parquet"
    rejects: list[Reject] = []
    if is_manifest:
        frame = _read(sources[0], fold)
    out.parent.mkdir(parents=True, exist_ok=True)
    key = load_key(id_key or key_path(sources[0] if is_manifest else out))
    if not is_manifest:
        frame, rejects = _scan(sources, key, fold)
    options = PredictOptions(
        key if ids == "keyed" else None, device, batch, open_source=open_watched
    )
    predictions = predict(frame, scorer, options)
    if predictions.is_main:
        facts = _write(predictions, rejects, out)
        click.echo(json.dumps(facts) if as_json else str(out))
    if frame.empty:
        raise DatasetError(f"no image among the inputs; {str(_beside(out, 'rejects'))!r} says why")
    lost = sum(reject.reason.status == "failed" for reject in rejects)
    limit.enforce(lost + len(predictions.rejects), lost + len(frame))


def _read(manifest: Path, fold: int | None) -> "pd.DataFrame":
    """The rows of a manifest, or of one fold of it."""
    from dali_pipelines.manifest import read_manifest

    frame = read_manifest(manifest)
    if fold is None:
        return frame
    if "fold" not in frame.columns:
        raise DatasetError(f"{str(manifest)!r} has no folds; assign them with `mammo split`")
    chosen = frame[frame["fold"] == fold].reset_index(drop=True)
    if chosen.empty:
        known = ", ".join(str(k) for k in sorted(frame["fold"].dropna().unique()))
        raise ConfigError(f"the manifest has no fold {fold}; it has folds {known}")
    return chosen


def _scan(
    sources: Sequence[Path], key: bytes, fold: int | None
) -> "tuple[pd.DataFrame, list[Reject]]":
    """The images among files and folders, as rows of a manifest, and all else."""
    from cli.progress import progress
    from dali_pipelines.catalog.scan import ScanOptions, scan
    from dali_pipelines.catalog.walk import walk
    from dali_pipelines.manifest import to_frame

    if fold is not None:
        raise ConfigError("--fold needs a manifest with folds, not DICOM files")
    inputs = list(walk(sources))
    with progress(len(inputs), "scan", "files") as bar:
        found = scan(inputs, ScanOptions(), key, lambda done, counts: bar.update(done, **counts))
    return to_frame(found.records), list(found.rejects)


def _write(predictions: "Predictions", rejects: "list[Reject]", out: Path) -> dict[str, Any]:
    """Write the tables of all levels and of what has no score; say where they are."""
    from dali_pipelines.verdicts import write_rejects
    from trainer.aggregate import breast_scores, patient_scores
    from trainer.predictions import write_csv

    breasts = breast_scores(predictions.table)
    tables = {
        "image": (out, predictions.table),
        "breast": (_beside(out, "breast"), breasts),
        "patient": (_beside(out, "patient"), patient_scores(breasts)),
    }
    for path, table in tables.values():
        write_csv(table, path)
    rejected = write_rejects([*rejects, *predictions.rejects], _beside(out, "rejects"))
    facts = {level: {"path": str(path), "n": len(table)} for level, (path, table) in tables.items()}
    return {**facts, "rejects": {"path": str(_beside(out, "rejects")), "n": rejected}}


def _beside(out: Path, name: str) -> Path:
    return out.with_name(f"{out.stem}_{name}.csv")
