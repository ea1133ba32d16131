"""`mammo predict`: checkpoints and images to scores per image, breast and patient."""

from functools import partial
from pathlib import Path
from typing import Any, get_args

import click

from cli.checks import ends_in, require_apart, require_own_rejects
from cli.ending import print_result, say_verdicts
from dali_pipelines.dicom.frames import Frames
from dali_pipelines.errors import DatasetError
from dali_pipelines.rejects.limits import DEFAULT_LIMIT, parse_limit


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
    callback=ends_in(".csv"),
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
@click.option(
    "--frames", type=click.Choice(get_args(Frames)), default="error",
    help="What a DICOM object of several frames gives: nothing, one frame, each, or their maximum.",
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
    frames: Frames,
    max_rejects: str,
    as_json: bool,
    **how: Any,
) -> None:
    r"""Score the images of a manifest, or of DICOM files and folders.

    \b
    mammo predict train.parquet --ckpt runs/first/best.pt --fold 0 -O predictions.csv
    mammo predict one_exam/ --ckpt fold0.pt --ckpt fold1.pt

    The pixels are prepared by the recipe in the checkpoint. Images without a score are rows of
    OUT's _rejects.csv; inputs that are no images of ours do not count towards --max-rejects.
    """
    from cli.progress import progress
    from cli.watched import PREDICT, open_watched
    from dali_pipelines.recipe import load_recipe
    from dali_pipelines.rejects.table import rejects_beside
    from trainer.inputs import read_inputs
    from trainer.predict import PredictOptions, load_scorer, predict
    from trainer.predictions import write_tables

    limit = parse_limit(max_rejects)
    require_apart(_tables(out), [*sources, *checkpoints, id_key])
    require_own_rejects(out)
    scorer = load_scorer(checkpoints, load_recipe(recipe) if recipe else None)
    watch = partial(progress, label="scan", unit="files")
    inputs = read_inputs(sources, out, fold, id_key, watch, frames)
    key = inputs.key if ids == "keyed" else None
    options = PredictOptions(key, **how, open_source=partial(open_watched, phases=PREDICT))
    predictions = predict(inputs.frame, scorer, options)
    if not predictions.is_main:
        return
    facts = write_tables(predictions.table, [*inputs.rejects, *predictions.rejects], out)
    counts = predictions.counts.and_rejects(inputs.rejects)
    if inputs.frame.empty:
        raise DatasetError(f"no image among {counts.line(rejects_beside(out))}")
    say_verdicts(counts, rejects_beside(out))
    lost = (inputs.lost + len(predictions.rejects), inputs.lost + len(inputs.frame))
    print_result(facts, out, limit, lost, as_json=as_json)


def _tables(out: Path) -> list[Path]:
    """All that is written."""
    from dali_pipelines.rejects.table import rejects_beside
    from trainer.predictions import beside

    return [out, beside(out, "breast"), beside(out, "patient"), rejects_beside(out)]
