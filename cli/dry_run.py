"""What `mammo preprocess --dry-run` prints: what would be done, and what it would take."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.progress import format_duration
from dali_pipelines.rejects.counts import counted

if TYPE_CHECKING:
    from dali_pipelines.shards.estimate import Estimate


def print_estimate(found: "Estimate", out: Path, *, as_json: bool) -> None:
    """Print an estimate for the folder `out`, as lines or as one JSON document."""
    if as_json:
        click.echo(json.dumps({"out": str(out), "dry_run": True, **found.to_dict()}))
    else:
        click.echo("\n".join(_lines(found, out)))


def _lines(found: "Estimate", out: Path) -> Iterator[str]:
    """What would be done, in words; nothing was."""
    yield f"{counted(found.images, 'image')} to prepare, {found.held:,} in shards that stay"
    for title, counts in (("syntax", found.syntaxes), ("vendor", found.manufacturers)):
        yield from (f"  {title}  {count:>9,}  {name}" for name, count in counts.items())
    yield f"about {found.bytes / 1e9:,.2f} GB to write, {_free_bytes(out) / 1e9:,.2f} GB are free"
    if found.timed:
        timed = counted(found.timed, "image")
        yield f"about {format_duration(found.seconds)}, an estimate from {timed} on this machine"


def _free_bytes(out: Path) -> int:
    """Free on the disk that the folder is or would be on."""
    there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    return shutil.disk_usage(there).free
