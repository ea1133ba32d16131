"""Which command opens the failed inputs of a table of rejects again, if any does.

A scan and a preprocess complete what they wrote; verify, predict and train have nothing to
complete, so they are just run again.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dali_pipelines.rejects.counts import counted
from dali_pipelines.rejects.table import REJECTS, rejects_beside
from dali_pipelines.verdicts import Reason, Reject, Status

_SCANNED: Final = frozenset(("walk", "read", "compare"))
_PREPARED: Final = frozenset(("read", "decode", "prepare"))
_SHARDS: Final = "spec.json"  # of `shards`: no other command fills a folder with it
# what may go well the next time though nobody did anything
_BY_THEMSELVES: Final = frozenset((Reason.TIMEOUT, Reason.OUT_OF_MEMORY, Reason.DECODER_CRASH))


@dataclass(frozen=True, slots=True)
class Retry:
    """The command, how many failed inputs it opens, and how many of these may just pass."""

    command: str
    failed: int
    may_pass: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"command": self.command, "failed": self.failed, "may_pass": self.may_pass}

    def text(self) -> str:
        """One sentence."""
        one = self.failed == 1
        sentence = (
            f"`{self.command}` opens the {counted(self.failed, 'failed input')} again, once "
            f"{'it is' if one else 'they are'} mended"
        )
        if not self.may_pass:
            return sentence
        return f"{sentence}; {'it' if one else f'{self.may_pass:,} of them'} may pass unmended too"


def find_retry(rows: Sequence[Reject], table: Path) -> Retry | None:
    """The retry of the rows of this table; None where none failed, or its command has no retry.

    A table of the scan lies beside its manifest, one of preprocess among the shards.
    """
    command, stages = _command(table)
    failed = [
        row.reason for row in rows if row.reason.status is Status.FAILED and row.stage in stages
    ]
    if not failed:
        return None
    return Retry(command, len(failed), sum(reason in _BY_THEMSELVES for reason in failed))


def _command(table: Path) -> tuple[str, frozenset[str]]:
    """The command, and the stages of its rows; no stages where there is none."""
    manifest = table.with_name(f"{table.stem.removesuffix('_rejects')}.parquet")
    if rejects_beside(manifest) == table and manifest.is_file():
        return f"mammo scan -O {shlex.quote(str(manifest))} --retry-failed", _SCANNED
    if table.name == REJECTS and (table.parent / _SHARDS).is_file():
        folder = shlex.quote(str(table.parent))
        return f"mammo preprocess MANIFEST {folder} --retry-failed", _PREPARED
    return "", frozenset()
