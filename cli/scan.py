"""`mammo scan`: files and folders to a manifest, and a row of rejects.csv for all else."""

import json
from pathlib import Path

import click

from cli.checks import ends_in, require_apart
from dali_pipelines.limits import NO_LIMIT, parse_limit


@click.command()
@click.argument(
    "sources", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="SRC..."
)
@click.option(
    "-O",
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    callback=ends_in(".parquet"),
    help="The manifest to write; rejects.csv comes beside it.",
)
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A table of labels to join.",
)
@click.option(
    "--adapter",
    type=click.Choice(["csv", "rsna", "spr"]),
    show_default="csv",
    help="The layout of the labels.",
)
@click.option("--label-column", help="The column of the label, where it is not the usual one.")
@click.option("--no-hash", is_flag=True, help="Skip the SHA-256 of each codestream.")
@click.option(
    "--accept-processing", is_flag=True, help="Take images FOR PROCESSING too, which are skipped."
)
@click.option(
    "--any-modality", is_flag=True, help="Take other images than radiographs too, such as CT."
)
@click.option(
    "-j",
    "--workers",
    type=click.IntRange(min=0),
    default=0,
    show_default="one a core",
    help="Processes that read headers.",
)
@click.option(
    "--max-rejects",
    metavar="N|P%",
    default=NO_LIMIT,
    help="Leave with 3 if rejects.csv has more rows than N, or than P percent of the inputs.",
)
@click.option(
    "--id-key",
    type=click.Path(dir_okay=False, path_type=Path),
    show_default="beside the manifest, suffix .key",
    help="The key of the image ids; made if there is none.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    *,
    sources: tuple[Path, ...],
    out: Path,
    labels: Path | None,
    adapter: str | None,
    label_column: str | None,
    no_hash: bool,
    workers: int,
    max_rejects: str,
    id_key: Path | None,
    as_json: bool,
    **taken: bool,
) -> None:
    r"""Find the images in folders, files and zip archives, and write a manifest.

    \b
    mammo scan train_images -O train.parquet --labels train.csv --adapter rsna

    Each input ends as an image or as a row of rejects.csv that says why not; one that cannot be
    read never ends the scan. Links to folders are not followed.
    """
    from cli.progress import progress
    from dali_pipelines.catalog.build import CatalogSettings, plan_catalog, write_catalog
    from dali_pipelines.catalog.scan import ScanOptions
    from dali_pipelines.dicom.image import ReadOptions

    limit = parse_limit(max_rejects)
    if adapter is not None and labels is None:
        raise click.UsageError("--adapter needs --labels")
    options = ScanOptions(ReadOptions(hash=not no_hash, **taken), workers)
    settings = CatalogSettings(out, id_key, labels, adapter or "csv", label_column, options)
    require_apart([out, settings.rejects], [*sources, labels, id_key])
    plan = plan_catalog(sources, settings)
    with progress(len(plan.inputs), "scan", "files") as bar:
        catalog = write_catalog(plan, lambda done, counts: bar.update(done, **counts))
    click.echo(catalog.text(), err=True)
    click.echo(json.dumps(catalog.to_dict()) if as_json else str(out))
    limit.enforce(catalog.rejected, catalog.inputs)
