"""Named files, folders, zip and tar archives -> the inputs of a scan.

The first step of the way: gives a `Source` for each regular file and member, and a `Reject`
for whatever else stands there. Opens nothing but folders and the tables of contents of archives.
"""

import errno
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

from dali_pipelines.errors import ConfigError
from dali_pipelines.storage.archive import Source, list_lost_members, list_members
from dali_pipelines.storage.regular_file import reject_of
from dali_pipelines.verdicts import Reason, Reject, RejectError

STAGE: Final = "walk"
MACOSX: Final = "__MACOSX"  # the folder of resource forks that macOS adds to its archives
_MACOSX_DETAIL: Final = "macOS resource forks; nothing below it was read"

_ARCHIVES: Final = (".zip", ".tar")
_COMPRESSED_TARS: Final = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")
_COMPRESSED_DETAIL: Final = (
    "a compressed tar cannot be read from its middle; decompress it to a plain .tar"
)

Input = Source | Reject
_Identity = tuple[int, int]  # st_dev and st_ino


def walk(sources: Sequence[Path], own: Collection[Path] = ()) -> Iterator[Input]:
    """Every input at and below `sources` once, in an order that depends on the names alone.

    A source below another one adds nothing. A link to a file is an input; a link to a folder is
    one reject and is not entered. The files `own`, written or read by the scan itself, are left
    out. Memory grows with the largest folder or archive, not with the tree. Raises ConfigError
    where a source does not exist.
    """
    for source in sources:
        if not os.path.exists(source):
            raise ConfigError(f"no file or folder {str(source)!r}; name an existing one to scan")
    return _walk(_outermost(sources), frozenset(os.path.realpath(path) for path in own))


def _outermost(sources: Sequence[Path]) -> list[str]:
    """Absolute paths in order, without those that lie at or below another one."""
    tops = {
        source.resolve(): str(source.resolve() if ".." in source.parts else source.absolute())
        for source in sources
    }
    return sorted(top for real, top in tops.items() if tops.keys().isdisjoint(real.parents))


def _walk(tops: Sequence[str], own: frozenset[str]) -> Iterator[Input]:
    for top in tops:
        if stat.S_ISDIR(os.stat(top).st_mode):
            yield from _tree(top, own)
        elif stat.S_ISREG(os.stat(top).st_mode):
            yield from _regular(top, own)
        else:
            yield _special(top)


def _tree(top: str, own: frozenset[str]) -> Iterator[Input]:
    """The files of each folder, then its folders; a stack, so that depth cannot exhaust Python."""
    above = frozenset(_identity(str(parent)) for parent in Path(os.path.realpath(top)).parents)
    pending = [(top, above)]
    while pending:
        folder, above = pending.pop()
        try:
            here = _identity(folder)
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            yield _unreadable(folder, error)
            continue
        if here in above:  # a folder mounted below itself
            yield _loop(folder)
            continue
        inside = above | {here}
        folders = []
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) and entry.name != MACOSX:
                folders.append((entry.path, inside))
            else:
                yield from _entry(entry, inside, own)
        pending.extend(reversed(folders))


def _entry(
    entry: os.DirEntry[str], above: frozenset[_Identity], own: frozenset[str]
) -> Iterator[Input]:
    if entry.is_file(follow_symlinks=False):
        yield from _regular(entry.path, own)
    elif entry.is_symlink():
        yield from _link(entry.path, above, own)
    elif entry.name == MACOSX:
        yield _reject(entry.path, Reason.NOT_AN_IMAGE, _MACOSX_DETAIL)
    else:
        yield _special(entry.path)


def _link(path: str, above: frozenset[_Identity], own: frozenset[str]) -> Iterator[Input]:
    try:
        target = os.stat(path)
    except OSError as error:
        yield _unreadable(path, error)
        return
    if stat.S_ISREG(target.st_mode):
        yield from _regular(path, own)
    elif not stat.S_ISDIR(target.st_mode):
        yield _special(path)
    elif (target.st_dev, target.st_ino) in above:
        yield _loop(path)
    else:
        detail = "a link to a folder is not followed; name the folder itself as a source"
        yield _reject(path, Reason.NOT_A_FILE, detail)


def _regular(path: str, own: frozenset[str]) -> Iterator[Input]:
    name = os.path.basename(path)
    if any(name == os.path.basename(mine) for mine in own) and os.path.realpath(path) in own:
        return
    if (detail := _not_an_image(name)) is not None:
        yield _reject(path, Reason.NOT_AN_IMAGE, detail)
    elif name.lower().endswith(_ARCHIVES):
        yield from _members(path)
    elif name.lower().endswith(_COMPRESSED_TARS):
        yield _reject(path, Reason.UNSUPPORTED, _COMPRESSED_DETAIL)
    else:
        yield Source(path)


def _members(path: str) -> Iterator[Input]:
    """The members of an archive in order of name; its resource forks are one reject.

    A link, and a member whose name a later one has too, is a reject.
    """
    try:
        members = sorted(list_members(Path(path)))
        lost = sorted(list_lost_members(Path(path)))
    except RejectError as error:
        yield _reject(path, error.reason, error.detail)
        return
    if not members and not lost:
        yield _reject(path, Reason.NOT_AN_IMAGE, "an archive without files")
    if any(map(_is_fork, [*members, *(member.name for member in lost)])):
        yield _reject(path, Reason.NOT_AN_IMAGE, _MACOSX_DETAIL, f"{MACOSX}/")
    for member in members:
        if _is_fork(member):
            continue
        if (detail := _not_an_image(member.rsplit("/", 1)[-1])) is not None:
            yield _reject(path, Reason.NOT_AN_IMAGE, detail, member)
        else:
            yield Source(path, member)
    for gone in lost:
        if not _is_fork(gone.name):
            yield _reject(path, gone.reason, gone.detail, gone.name)


def _is_fork(member: str) -> bool:
    return MACOSX in member.split("/")[:-1]


def _not_an_image(name: str) -> str | None:
    if name.startswith("._"):
        return "an AppleDouble file, which macOS leaves beside a real one"
    if name.upper() == "DICOMDIR":
        return "a DICOMDIR is an index; the files it names are scanned for themselves"
    return None


def _identity(folder: str) -> _Identity:
    info = os.stat(folder)
    return info.st_dev, info.st_ino


def _reject(path: str, reason: Reason, detail: str, member: str = "") -> Reject:
    return Reject(path, member, "", STAGE, reason, detail)


def _unreadable(path: str, error: OSError) -> Reject:
    if error.errno == errno.ELOOP:
        return _reject(path, Reason.DIRECTORY_LOOP, "a link that leads to itself")
    verdict = reject_of(error)
    return _reject(path, verdict.reason, verdict.detail)


def _loop(path: str) -> Reject:
    detail = "a folder that holds itself, through a link or a mount; not entered again"
    return _reject(path, Reason.DIRECTORY_LOOP, detail)


def _special(path: str) -> Reject:
    return _reject(path, Reason.NOT_A_FILE, "neither a regular file nor a folder")
