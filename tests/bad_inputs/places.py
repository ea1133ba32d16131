"""What stands in a folder and is no file, and files of hostile names."""

import os
import stat
from pathlib import Path

from dali_pipelines.verdicts import Reason
from tests.bad_inputs.case import Build, Case
from tests.bad_inputs.sound import sound_file, write_bytes


def _link(target: str) -> Build:
    def build(folder: Path) -> Path:
        (folder / "link").symlink_to(target)
        return folder / "link"

    return build


def _link_to_folder(folder: Path) -> Path:
    (folder / "real").mkdir()
    sound_file(folder).write(folder / "real" / "image.dcm")
    (folder / "alias").symlink_to("real")
    return folder / "alias"


def _mutual_links(folder: Path) -> list[Path]:
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    return [folder / "a", folder / "b"]


def _node(kind: int) -> Build:
    def build(folder: Path) -> Path:
        os.mknod(folder / "node", 0o600 | kind)
        return folder / "node"

    return build


def _named(*names: bytes, sound: bool = True) -> Build:
    """Files of these names: sound images, or empty ones."""

    def build(folder: Path) -> list[Path]:
        paths = [folder / os.fsdecode(name) for name in names]
        for k, path in enumerate(paths):
            own = folder / f"{folder.name} {k}"  # names the image, and is no file
            path.write_bytes(sound_file(own).encode() if sound else b"")
        return paths

    return build


_HOSTILE = (
    b"line\nbreak\r.dcm",
    b"\xff\xfe not utf-8.dcm",
    "\u00e9\U0001fa7a.dcm".encode(),
    b"n" * 251 + b".dcm",
    b'=cmd|"x",1.dcm',
    b"-rf; $(x) `y` 'z'.dcm",
)
_LOOP = "a folder that holds itself"

CASES = [
    Case("link_to_itself", _link("link"), Reason.DIRECTORY_LOOP, "a link that leads to itself", 19),
    Case("links_in_a_ring", _mutual_links, Reason.DIRECTORY_LOOP, "leads to itself", 19, count=2),
    Case("link_to_parent", _link(".."), Reason.DIRECTORY_LOOP, _LOOP, 19),
    Case("link_to_own_folder", _link("."), Reason.DIRECTORY_LOOP, _LOOP, 19),
    Case("link_to_root", _link("/"), Reason.DIRECTORY_LOOP, _LOOP, 19),
    Case(
        "link_to_folder",
        _link_to_folder,
        Reason.NOT_A_FILE,
        "a link to a folder is not followed",
        19,
        images=1,
    ),
    Case("link_to_nothing", _link("nothing"), Reason.IO, "(ENOENT)", 17),
    Case("fifo", _node(stat.S_IFIFO), Reason.NOT_A_FILE, "neither a regular file", 20),
    Case("socket", _node(stat.S_IFSOCK), Reason.NOT_A_FILE, "neither a regular file", 20),
    Case("device", _link("/dev/zero"), Reason.NOT_A_FILE, "neither a regular file", 20),
    Case("hostile_names", _named(*_HOSTILE), (), row=23, count=len(_HOSTILE)),
    Case(
        "hostile_names_of_bad_files",
        _named(*_HOSTILE, sound=False),
        Reason.EMPTY,
        "no bytes",
        79,
        count=len(_HOSTILE),
    ),
    Case(
        "dicomdir",
        lambda folder: write_bytes(folder, sound_file(folder).encode(), "DICOMDIR"),
        Reason.NOT_AN_IMAGE,
        "a DICOMDIR is an index",
        25,
    ),
    Case(
        "apple_double",
        lambda folder: write_bytes(folder, sound_file(folder).encode(), "._image.dcm"),
        Reason.NOT_AN_IMAGE,
        "an AppleDouble file",
        11,
    ),
]
