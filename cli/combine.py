"""`mammo combine`: the manifests of several data sets to one, for training on all of them."""

import json
from pathlib import Path

import click

from cli.checks import ends_in, require_apart
from cli.options import json_option


@click.command()
@click.argument("parts", nargs=-1, required=True, metavar="NAME=MANIFEST...")
@click.option(
    "-O", "--out", required=True, type=click.Path(dir_okay=False, path_type=Path),
    callback=ends_in(".parquet"), help="Where to write the combined manifest.",
)  # fmt: skip
@json_option
def command(*, parts: tuple[str, ...], out: Path, as_json: bool) -> None:
    r"""Combine manifests of several data sets into one, with a column that says which.

    \b
    mammo combine rsna=rsna.parquet vindr=vindr.parquet -O all.parquet

    A patient becomes NAME/patient, so that equal ids of two sets stay two patients. Of an image
    that two sets share the first is kept, the other is in OUT_rejects.csv with what the scans
    rejected. Folds stay; assign those that are missing with `mammo split --keep`. Scan the parts of
    one data set together, not here: a patient of two of them may become two.
    """
    from dali_pipelines.atomic import alone_with
    from dali_pipelines.catalog.combine import combine, parse_parts
    from dali_pipelines.identity import load_key
    from dali_pipelines.manifest import read_manifest, write_manifest
    from dali_pipelines.rejects.counts import counted
    from dali_pipelines.rejects.table import read_rejects, rejects_beside, write_rejects

    manifests = parse_parts(parts)
    require_apart([out], manifests.values())
    rejects = [
        row
        for path in map(rejects_beside, manifests.values())
        if path.exists()
        for row in read_rejects(path)
    ]
    with alone_with(out):
        combined = combine({name: read_manifest(path) for name, path in manifests.items()})
        load_key(out.with_suffix(".key"))
        write_rejects([*rejects, *combined.repeated], rejects_beside(out))
        write_manifest(combined.frame, out)
    for name, count in combined.images.items():
        click.echo(f"{name}: {count:,} images", err=True)
    if combined.repeated:
        click.echo(f"{counted(len(combined.repeated), 'repeated file')} left out", err=True)
    warnings = combined.warnings()
    for sentence in warnings:
        click.echo(f"warning: {sentence}", err=True)
    facts = {"manifest": str(out), "images": combined.images, "repeated": len(combined.repeated)}
    click.echo(json.dumps(facts | {"warnings": warnings}) if as_json else str(out))
