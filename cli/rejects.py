"""`mammo rejects`: what the codes of a table of rejects mean, how many there are, what to do."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cli.options import json_option

if TYPE_CHECKING:
    from dali_pipelines.verdicts import Flag, Reason, Reject

_INDENT: Final = "    "


@click.command()
@click.argument(
    "table", required=False, metavar="FILE", type=click.Path(dir_okay=False, path_type=Path)
)
@click.option(
    "--code", "codes", multiple=True, metavar="CODE",
    help="List the inputs with this code; may be given several times.",
)  # fmt: skip
@click.option(
    "--paths", is_flag=True,
    help="Also name the files of --code, which go by image_id otherwise.",
)  # fmt: skip
@click.option("--codes", "everything", is_flag=True, help="Explain every code and flag there is.")
@json_option
def command(
    *, table: Path | None, codes: tuple[str, ...], paths: bool, everything: bool, as_json: bool
) -> None:
    r"""Explain why inputs gave no image, and what to do.

    \b
    mammo rejects train_rejects.csv
    mammo rejects train_rejects.csv --code E_TRUNCATED --paths

    FILE is the OUT_rejects.csv of scan and predict, or the rejects.csv of preprocess and train.
    Paths may hold names of patients, so they are printed only where --paths asks for them.
    """
    from dali_pipelines.rejects.table import read_rejects

    if everything and (table or codes or paths):
        raise click.UsageError("--codes stands alone")
    if paths and not codes:
        raise click.UsageError("--paths needs --code")
    if everything:
        document, lines = _every_code()
    elif table is None:
        raise click.UsageError("Missing argument 'FILE'; or give --codes.")
    elif codes:
        wanted = [_reason(code) for code in codes]
        rows = enumerate(read_rejects(table), start=2)  # line 1 of the table names its columns
        document, lines = _list([(n, row) for n, row in rows if row.reason in wanted], paths)
    else:
        document, lines = _summary(read_rejects(table), table)
    click.echo(json.dumps(document, indent=2) if as_json else "\n".join(lines))


def _every_code() -> tuple[dict[str, Any], Iterator[str]]:
    """The closed set of codes and flags."""
    from dali_pipelines.verdicts import Flag, Reason

    document = {
        "reasons": [_describe(reason) for reason in Reason],
        "flags": [_describe(flag) for flag in Flag],
    }
    return document, _explained([*Reason, *Flag])


def _summary(rows: "Sequence[Reject]", table: Path) -> tuple[dict[str, Any], Iterator[str]]:
    """How many inputs ended with each code, the most frequent first, explained."""
    from dali_pipelines.rejects.counts import count_verdicts, counted
    from dali_pipelines.rejects.retrying import find_retry

    counts = count_verdicts(len(rows), [], rows)
    retry = find_retry(rows, table)
    document = {
        "inputs": counts.rejected,
        "skipped": counts.skipped,
        "failed": counts.failed,
        "retry": retry and retry.to_dict(),
        "codes": [{**_describe(code), "count": n} for code, n in counts.reasons.items()],
    }
    title = f"{counted(counts.rejected, 'input')} gave no image: {counts.why() or 'none at all'}"
    explained = _explained(list(counts.reasons), counts.reasons)
    return document, chain([title], explained, [retry.text()] if retry else [])


def _list(
    rows: "Sequence[tuple[int, Reject]]", paths: bool
) -> tuple[dict[str, Any], Iterator[str]]:
    """One entry for each of the rows and its line, with its path only where that was asked for."""
    nameless = sum(not row.image_id for _, row in rows)
    if nameless and not paths:
        click.echo(
            f"{nameless:,} of {len(rows):,} have no image_id, since no header was read, and go by "
            "their line in the table; --paths names the files",
            err=True,
        )
    names = ("path", "member") if paths else ()
    document = [
        {name: getattr(row, name) for name in ("image_id", "stage", "detail", *names)}
        | {"code": row.reason.value, "line": line}
        for line, row in rows
    ]
    return {"rows": document}, _rows(rows, paths)


def _rows(rows: "Sequence[tuple[int, Reject]]", paths: bool) -> Iterator[str]:
    for line, row in rows:
        name = row.image_id or f"line {line}"
        yield f"{name:<32}  {row.reason.value}  {row.stage}  {_plain(row.detail)}"
        if paths:
            member = f"  member {_plain(row.member)}" if row.member else ""
            yield f"{_INDENT}{_plain(row.path)}{member}"


def _explained(
    codes: "Sequence[Reason | Flag]", counts: "Mapping[Reason, int] | None" = None
) -> Iterator[str]:
    """Three lines for each code: what it is and how often it came, its meaning, what to do."""
    for code in codes:
        about = _describe(code)
        number = f"  {counts[code]:,}" if counts else ""  # type: ignore[index]
        yield f"{about['code']} ({about['status']}){number}"
        yield _INDENT + about["meaning"]
        yield _INDENT + about["advice"]


def _describe(code: "Reason | Flag") -> dict[str, Any]:
    from dali_pipelines.rejects.explanations import explain
    from dali_pipelines.verdicts import Reason, Status

    about = explain(code)
    status = code.status if isinstance(code, Reason) else Status.FLAGGED
    facts = {"code": code.value, "status": status.value}
    return {**facts, "meaning": about.meaning, "advice": about.advice}


def _reason(code: str) -> "Reason":
    from dali_pipelines.settings import closest
    from dali_pipelines.verdicts import Flag, Reason

    if code in list(Flag):
        raise click.UsageError(
            f"{code!r} is no code of rejects but a flag of accepted images: `mammo preview "
            f"MANIFEST --flag {code}` draws what the scan flagged, `mammo verify --json` names "
            "what it flags itself"
        )
    known = [reason.value for reason in Reason]
    if code not in known:
        raise click.UsageError(f"no code {code!r} of rejects.{closest(code, known)}")
    return Reason(code)


def _plain(text: str) -> str:
    """Text that cannot move the cursor: what is not printable as its number."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
