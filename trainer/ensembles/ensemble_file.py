"""The ensemble file: which members, how they are combined, and what follows from their score.

JSON of format "mammostream-ensemble". Members are named by their paths relative to the file, so
that a folder with both can be moved, and by their SHA-256: a member that was trained anew is
another one.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from dali_pipelines.atomic import replacing
from dali_pipelines.errors import CheckpointError, ConfigError, DamagedError
from trainer.aggregation.policy import parse_aggregation
from trainer.checksums import file_sha256
from trainer.decisions.decision import Decision
from trainer.document import number_of, read_document, refused, value_of
from trainer.ensembles.combine import COMBINES, Combine
from trainer.printable import printable

FORMAT: Final = "mammostream-ensemble"
FORMAT_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Member:
    """A checkpoint or either file of an artifact, its weight, and the fold that it never saw.

    `sha256` is that of the file at `path`; `fold` is None for one that no cross-validation made.
    """

    path: Path
    sha256: str
    weight: float = 1.0
    fold: int | None = None


@dataclass(frozen=True, slots=True)
class EnsembleFile:
    """Members, how their scores become one, and the decision that was chosen on those.

    `aggregation` is the text of an `Aggregation`; `figures` what the choice is worth.
    """

    members: tuple[Member, ...]
    combine: Combine = "prob"
    aggregation: str = "mean/max/max"
    decision: Decision | None = None
    figures: dict[str, Any] = field(default_factory=dict)


def write_ensemble(ensemble: EnsembleFile, path: Path) -> None:
    """Write the file, replaced as a whole; the paths of members become relative to its folder."""
    folder = path.parent.resolve()
    members = [
        {
            "path": Path(os.path.relpath(member.path.resolve(), folder)).as_posix(),
            "sha256": member.sha256,
            "weight": member.weight,
            "fold": member.fold,
        }
        for member in ensemble.members
    ]
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "members": members,
        "combine": ensemble.combine,
        "aggregation": ensemble.aggregation,
        "decision": ensemble.decision.to_dict() if ensemble.decision else None,
        "figures": ensemble.figures,
    }
    with replacing(path) as aside:
        aside.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def is_ensemble(path: Path) -> bool:
    """Whether a file says of itself that it is an ensemble file; False where it cannot be read."""
    try:
        return path.suffix == ".json" and read_document(path).get("format") == FORMAT
    except (CheckpointError, OSError):
        return False


def read_ensemble(path: Path) -> EnsembleFile:
    """The ensemble in a file, its members found from there and unchanged since.

    Raises CheckpointError where the file is none or makes no sense or a member is gone,
    DamagedError where a member is not the one that was chosen.
    """
    content = read_document(path)
    where = f"the ensemble file {str(path)!r}"
    _require_format(content, path)
    documents = value_of(content, "members", list, where)
    if not documents:
        raise refused(where, "members", "a member or more are", documents)
    members = tuple(
        _member(document, path.parent, f"member {number} of {where}")
        for number, document in enumerate(documents, start=1)
    )
    how = value_of(content, "combine", str, where)
    if how not in COMBINES:
        raise refused(where, "combine", f"one of {', '.join(COMBINES)} is", how)
    decision = content.get("decision")
    if decision is not None:
        decision = Decision.from_dict(value_of(content, "decision", dict, where), where)
    figures = value_of(content, "figures", dict, where)
    return EnsembleFile(members, how, _aggregation(content, where), decision, figures)


def _require_format(content: Mapping[str, Any], path: Path) -> None:
    if content.get("format") != FORMAT:
        raise CheckpointError(f"{str(path)!r} is no ensemble file; `mammo ensemble` writes them")
    if content.get("format_version") != FORMAT_VERSION:
        found = printable(repr(content.get("format_version")))
        raise CheckpointError(
            f"{str(path)!r} has format {found}, this version reads format {FORMAT_VERSION}; use "
            "the version that wrote it"
        )


def _aggregation(content: Mapping[str, Any], where: str) -> str:
    text = value_of(content, "aggregation", str, where)
    try:
        return str(parse_aggregation(text))
    except ConfigError:
        raise refused(where, "aggregation", "rules such as mean/max/max are", text) from None


def _member(document: Any, folder: Path, where: str) -> Member:
    """One member, its path as seen from here, after its bytes were checked."""
    if not isinstance(document, dict):
        raise CheckpointError(f"{where} is no mapping; use the file as it was written")
    name = PurePosixPath(value_of(document, "path", str, where))
    if name.is_absolute():
        raise refused(where, "path", "a path relative to the file is", str(name))
    weight = number_of(document, "weight", where)
    if weight <= 0:
        raise refused(where, "weight", "a number above 0 is", weight)
    fold = document.get("fold")
    if fold is not None and (type(fold) is not int or fold < 0):
        raise refused(where, "fold", "a whole number from 0 or null is", fold)
    member = Member(folder / name, value_of(document, "sha256", str, where), weight, fold)
    _require_unchanged(member, where)
    return member


def _require_unchanged(member: Member, where: str) -> None:
    if not _is_file(member.path):
        raise CheckpointError(
            f"{where} is not there; keep members where they are as seen from the file, or choose "
            "again with `mammo ensemble`"
        )
    if file_sha256(member.path) != member.sha256:
        raise DamagedError(
            f"{where} is not the one that was chosen: it was trained anew or is damaged; choose "
            "again with `mammo ensemble`"
        )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, a folder that may not be entered
        return False
