"""`mammo report`: a page, and a model card, about a run or a file of predictions."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.checks import ends_in, require_apart
from cli.options import aggregate_option, device_option, seed_option

if TYPE_CHECKING:
    from trainer.aggregation.policy import Aggregation


@click.command()
@click.argument("source", type=click.Path(path_type=Path), metavar="RUN|PREDICTIONS")
@click.option(
    "-O", "--out", type=click.Path(dir_okay=False, path_type=Path), callback=ends_in(".html"),
    show_default="report.html, or none with --card", help="The page.",
)  # fmt: skip
@click.option(
    "--card", type=click.Path(dir_okay=False, path_type=Path), callback=ends_in(".md"),
    help="Write a model card, MODEL_CARD.md.",
)  # fmt: skip
@click.option(
    "--manifest", type=click.Path(path_type=Path),
    help="Where the images come from: for counts, subgroups, the leakage receipt and pictures.",
)  # fmt: skip
@click.option(
    "--run", type=click.Path(file_okay=False, path_type=Path),
    help="The run that PREDICTIONS are of: for learning curves, settings and heat maps.",
)  # fmt: skip
@click.option(
    "--ckpt", "checkpoints", multiple=True, type=click.Path(path_type=Path),
    show_default="those of the run", help="The networks that made the scores, for heat maps.",
)  # fmt: skip
@aggregate_option
@click.option(
    "--exams", type=click.IntRange(0, 20), default=2,
    help="Show so many exams of each kind, the worst and the best; 0 for no pictures.",
)  # fmt: skip
@click.option("--title", default="MammoStream report", help="The heading of page and card.")
@click.option(
    "--bootstrap", "repeats", type=click.IntRange(min=100), default=1000,
    help="Draws of patients that intervals are made from.",
)  # fmt: skip
@seed_option("Of the draws.")
@device_option("What prepares the pictures and their heat maps.")
def command(
    *,
    source: Path,
    out: Path | None,
    card: Path | None,
    manifest: Path | None,
    run: Path | None,
    checkpoints: tuple[Path, ...],
    how: "Aggregation | None",
    exams: int,
    title: str,
    repeats: int,
    seed: int,
    device: str,
) -> None:
    r"""Write a page on what the scores are worth, and a model card.

    \b
    mammo report runs/all --manifest train.parquet -O report.html
    mammo report predictions.csv --manifest test.parquet --run runs/all
    mammo report runs/all --manifest train.parquet --card MODEL_CARD.md

    The page is one file that asks nothing of the network: counts, figures with intervals, curves,
    the worst and the best exams as readers hang them with heat maps, rejects, settings, versions.
    It names images by keyed ids and no path; what is burned into pixels is on its pictures.
    """
    from trainer.report.build import ReportOptions, build_report
    from trainer.report.page import write_card, write_report
    from trainer.report.read_sources import Places, read_sources

    if run is not None and source.is_dir():
        raise click.UsageError("--run goes with PREDICTIONS; RUN is one itself")
    if out is None and card is None:
        out = Path("report.html")
    outputs = [path for path in (out, card) if path is not None]
    require_apart(outputs, [source, manifest, *checkpoints])
    places = Places(source, manifest, run, checkpoints)
    options = ReportOptions(title, exams=exams if out else 0, device=device)  # type: ignore[arg-type]
    report = build_report(read_sources(places, how, repeats, seed), options)
    if out is not None:
        write_report(report, out)
    if card is not None:
        write_card(report, card)
    click.echo("\n".join(map(str, outputs)))
