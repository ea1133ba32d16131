"""What the table of contents of an archive says, whichever kind of archive it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from dali_pipelines.verdicts import Reason

Entry = TypeVar("Entry")


@dataclass(frozen=True, order=True, slots=True)
class LostMember:
    """A member that is never read: a link or a device, or one whose name a later one has.

    An empty `name` stands for all that follows a place where the archive itself is damaged.
    """

    name: str
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Directory(Generic[Entry]):
    """The regular files of an archive by name, in its own order, and what nothing is read from.

    Names come as they are, be they hostile: they are only ever keys of this table, never paths.
    """

    files: Mapping[str, Entry]
    lost: tuple[LostMember, ...]


def sort_members(members: Iterable[tuple[str, Entry] | LostMember]) -> Directory[Entry]:
    """The directory of (name, entry) pairs and of members that are lost already.

    Of members with one name the last counts, as everywhere.
    """
    files: dict[str, Entry] = {}
    lost = list[LostMember]()
    for member in members:
        if isinstance(member, LostMember):
            lost.append(member)
            continue
        name, entry = member
        if name in files:
            detail = "a later member of the archive has this name too; that one was read"
            lost.append(LostMember(name, Reason.DUPLICATE_CONFLICT, detail))
        files[name] = entry
    return Directory(files, tuple(lost))


def not_a_file(name: str) -> LostMember:
    """A member that is a link or a device."""
    return LostMember(name, Reason.NOT_A_FILE, "a link or a device in an archive is not read")
