"""`mammo demo`: the whole chain on synthetic exams, with a report at the end."""

from pathlib import Path

import click

from cli.options import device_option, json_option, seed_option


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path), default="demo")
@click.option("--patients", type=click.IntRange(min=12), default=60, help="Exams of four images.")
@seed_option("Other exams, other folds.")
@device_option()
@json_option
def command(*, out: Path, patients: int, seed: int, device: str, as_json: bool) -> None:
    r"""Run the whole chain on synthetic exams.

    \b
    mammo demo

    Writes synthetic DICOM files, then scans, splits, trains, predicts and evaluates as the
    commands of these names do, and puts a page with curves and pictures at OUT/report.html, a model
    card beside it. Needs no GPU, no data and no network. Synthetic results prove nothing clinical.
    """
    import json

    from dali_pipelines.phantom.patients import PhantomSettings
    from trainer.demo import NOTICE, DemoSettings, run_demo

    settings = DemoSettings(PhantomSettings(patients=patients, seed=seed), device)  # type: ignore[arg-type]
    result = run_demo(out, settings, lambda line: click.echo(line, err=True))
    click.echo(NOTICE, err=True)
    click.echo(json.dumps(result.figures) if as_json else str(result.report))
