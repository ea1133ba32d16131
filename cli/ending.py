"""How a command of many inputs ends: verdicts to stderr, the result to stdout, or exit code 3."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dali_pipelines.rejects.counts import VerdictCounts
    from dali_pipelines.rejects.limits import RejectLimit


def say_verdicts(counts: "VerdictCounts", rejects: Path) -> None:
    """Count the inputs by verdict on one line of stderr, and name the table that says why."""
    click.echo(counts.line(rejects), err=True)


def print_result(
    document: Mapping[str, Any],
    out: Path,
    limit: "RejectLimit",
    lost: tuple[int, int],
    *,
    as_json: bool,
) -> None:
    """Print the document as JSON, or `out`, which stands for success and so comes with no error.

    Raises RejectsError where `lost`, rejected inputs and those there were, are above the limit.
    """
    if as_json:
        click.echo(json.dumps(document))
    limit.enforce(*lost)
    if not as_json:
        click.echo(str(out))
