"""`mammo scan`: files and folders to a manifest, and a row of its rejects for all else."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from cli.checks import ends_in, require_apart
from cli.ending import print_result, say_verdicts
from cli.options import (
    id_key_option,
    json_option,
    max_rejects_option,
    read_options,
    workers_option,
)
from dali_pipelines.rejects.limits import NO_LIMIT

if TYPE_CHECKING:
    from dali_pipelines.adapters import Labels
    from dali_pipelines.catalog.build import Catalog, CatalogSettings
    from dali_pipelines.catalog.retry import Retried
    from dali_pipelines.rejects.limits import RejectLimit

ADAPTERS: Final = (  # as in dali_pipelines.adapters, which takes a second to import
    *("auto", "csv", "rsna", "spr", "vindr", "embed", "csaw", "cbis-ddsm", "inbreast", "cmmd"),
    *("mias", "mirai-csv"),
)
_READ: Final = ("accept_processing", "any_modality", "frames", "max_pixels", "max_inflated")


def _list_adapters(context: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        from dali_pipelines.adapters import describe_adapters

        click.echo(describe_adapters())
        context.exit()


@click.command()
@click.argument("sources", nargs=-1, type=click.Path(path_type=Path), metavar="SRC...")
@click.option(
    "-O",
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    callback=ends_in(".parquet"),
    help="The manifest to write; with train.parquet come train_rejects.csv and the id key.",
)
@click.option(
    "--labels",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A table of labels to join, or a folder of them; again for another of the data set.",
)
@click.option(
    "--adapter",
    type=click.Choice(ADAPTERS),
    show_default="csv",
    help="The data set of the tables, looked for in the folders SRC too; auto tells it by columns.",
)
@click.option("--label-rule", help="What counts as 1, of --list-adapters; by default the first.")
@click.option(
    "--list-adapters",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_adapters,
    help="Print the data sets known, their columns and their label rules.",
)
@click.option("--label-column", help="The column of the label, where it is not the usual one.")
@click.option("--no-hash", is_flag=True, help="Skip the SHA-256 of each codestream.")
@click.option(
    "--accept-processing", is_flag=True, help="Take images FOR PROCESSING too, which are skipped."
)
@click.option(
    "--any-modality", is_flag=True, help="Take other images than radiographs too, such as CT."
)
@read_options
@workers_option("Processes that read headers.")
@max_rejects_option(NO_LIMIT)
@id_key_option("beside the manifest, suffix .key")
@click.option(
    "--retry-failed",
    is_flag=True,
    help="Open only what failed (codes E_...) when OUT was written, and complete OUT.",
)
@json_option
def command(
    *,
    sources: tuple[Path, ...],
    out: Path,
    labels: tuple[Path, ...],
    limit: "RejectLimit",
    id_key: Path | None,
    retry_failed: bool,
    as_json: bool,
    **how: Any,
) -> None:
    r"""Find the images in folders, files, zip and tar archives, and write a manifest.

    \b
    mammo scan train_images -O train.parquet --labels train.csv --adapter rsna
    mammo scan vindr -O vindr.parquet --adapter auto --label-rule recall

    Each input ends as an image or as a row of train_rejects.csv that says why not (`mammo rejects`
    explains the codes); one that cannot be read never ends the scan. Links to folders are not
    followed.

    Of n frames --frames middle takes number (n - 1) // 2, counted from 0; all gives one image a
    frame; mip takes of each pixel the value that is shown brightest.

    With --retry-failed, files are read as the first scan read them; SRC may be left out, or narrows
    what is tried. What was skipped stays so, as do columns that were added since. New images get
    labels by --labels and the fold of their patient; `mammo split --keep` places new patients.
    """
    if how["adapter"] not in {None, "csv"} and not labels:
        labels = tuple(source for source in sources if source.is_dir())
    settings = _settings(out, id_key, labels, **how)
    if not sources and not retry_failed:
        raise click.UsageError("Missing argument 'SRC...'.")
    require_apart([out, settings.rejects], [*sources, *labels, id_key])
    done = _retry(sources, settings) if retry_failed else _scan(sources, settings)
    click.echo(done.text(), err=True)
    say_verdicts(done.counts, settings.rejects)
    lost = (done.counts.rejected, done.counts.inputs)
    print_result(done.to_dict(), out, limit, lost, as_json=as_json)


def _settings(
    out: Path,
    id_key: Path | None,
    labels: tuple[Path, ...],
    *,
    adapter: str | None,
    label_column: str | None,
    label_rule: str | None,
    no_hash: bool,
    workers: int,
    **taken: Any,
) -> "CatalogSettings":
    """Where the manifest and its key lie, what is joined, and how files are read (`taken`)."""
    from dali_pipelines.catalog.build import CatalogSettings
    from dali_pipelines.catalog.scan import ScanOptions
    from dali_pipelines.dicom.read_options import ReadOptions

    if adapter is not None and not labels:
        raise click.UsageError(
            f"--adapter {adapter} has no table of labels to read: tables are read as files and "
            "from folders, not from archives; name the table, unpacked, with --labels"
        )
    options = ScanOptions(ReadOptions(hash=not no_hash, **taken), workers)
    how = (adapter or "csv", label_column, label_rule)
    return CatalogSettings(out, id_key, labels, *how, options)


def _scan(sources: tuple[Path, ...], settings: "CatalogSettings") -> "Catalog":
    from cli.progress import progress
    from dali_pipelines.catalog.build import plan_catalog, write_catalog

    plan = plan_catalog(sources, settings)
    _say(plan.labels)
    with progress(len(plan.inputs), "scan", "files") as bar:
        return write_catalog(plan, lambda done, counts: bar.update(done, **counts))


def _retry(sources: tuple[Path, ...], settings: "CatalogSettings") -> "Retried":
    from cli.progress import progress
    from dali_pipelines.catalog.retry import plan_retry, write_retry

    plan = plan_retry(sources, settings, _given())
    _say(plan.labels)
    with progress(len(plan.inputs), "scan again", "files") as bar:
        return write_retry(plan, lambda done, counts: bar.update(done, **counts))


def _say(labels: "Labels | None") -> None:
    if labels is not None:
        click.echo(labels.statement, err=True)


def _given() -> set[str]:
    """The fields of ReadOptions that an option of the command line sets."""
    context = click.get_current_context()
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = {name for name, source in sources.items() if source is ParameterSource.COMMANDLINE}
    fields = {"no_hash": "hash"} | {name: name for name in _READ}
    return {field for name, field in fields.items() if name in given}
