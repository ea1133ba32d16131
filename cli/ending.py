"""How a command of many inputs ends: verdicts to stderr, the result to stdout, or exit code 3."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dali_pipelines.errors import DatasetError

if TYPE_CHECKING:
    from dali_pipelines.records import ImageRecord
    from dali_pipelines.rejects.counts import VerdictCounts
    from dali_pipelines.rejects.limits import RejectLimit
    from dali_pipelines.verdicts import Reject


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


def judge_pictures(
    records: "Sequence[ImageRecord]",
    rejects: "list[Reject]",
    unread: "list[Reject]",
    table: Path,
) -> "VerdictCounts":
    """The verdicts on all inputs, said on stderr; DatasetError where none of them is an image."""
    from dali_pipelines.rejects.counts import count_images

    _say_rejects([*unread, *rejects], table)
    flagged = {record.image_id: bool(record.flags) for record in records}
    counts = count_images(flagged, rejects).and_rejects(unread)
    if not records:
        raise DatasetError(f"no image among {counts.line(table)}")
    say_verdicts(counts, table)
    return counts


def _say_rejects(rejects: "list[Reject]", table: Path) -> None:
    """One line for each input without a picture, and a row of the table, if there is any.

    An input has no image_id where its header was not read.
    """
    from dali_pipelines.rejects.table import write_rejects

    for reject in rejects:
        name = reject.image_id or "an input"
        click.echo(f"{name}: {reject.reason.value}: {reject.detail}", err=True)
    if rejects or table.exists():
        write_rejects(rejects, table)
