"""Which nvJPEG is loaded: from made-up memory maps, and from this process."""

import ctypes
import importlib.util
import logging
from pathlib import Path

import pytest

from dali_pipelines import nvjpeg
from dali_pipelines.nvjpeg import (
    SOUND_VERSION,
    Nvjpeg,
    can_decode_lossless,
    loaded_nvjpeg,
    read_version,
)

MAPS = """\
7f00-7f01 r--p 00000000 fe:00 11 /a b/lib/libnvjpeg_ext.so.13
7f00-7f01 r--p 00000000 fe:00 12 /a b/lib/libnvjpeg2k.so.0
7f01-7f02 rw-p 00000000 00:00 0
7f02-7f03 r--p 00000000 fe:00 13 /a b/lib/libnvjpeg.so.13
7f03-7f04 r-xp 00001000 fe:00 13 /a b/lib/libnvjpeg.so.13
7f04-7f05 r-xp 00000000 fe:00 14 /cuda/lib64/libnvjpeg.so.12.3.1
7f06-7f07 rw-p 00000000 00:00 0 [heap]
"""


@pytest.fixture
def installed():
    """The file of nvJPEG that comes with DALI."""
    spec = importlib.util.find_spec("nvidia")
    found = [
        file
        for folder in spec.submodule_search_locations
        for file in Path(folder).rglob("libnvjpeg.so.*")
    ]
    if not found:
        pytest.skip("no nvJPEG is installed")
    return found[0]


def test_each_mapped_file_is_asked_once(tmp_path, monkeypatch):
    (tmp_path / "maps").write_text(MAPS)
    versions = {"/a b/lib/libnvjpeg.so.13": (13, 3, 2), "/cuda/lib64/libnvjpeg.so.12.3.1": ()}
    monkeypatch.setattr(nvjpeg, "read_version", lambda file: versions[str(file)])
    assert loaded_nvjpeg(tmp_path / "maps") == tuple(
        Nvjpeg(Path(file), version) for file, version in versions.items()
    )


def test_without_a_memory_map_nothing_is_loaded(tmp_path):
    assert loaded_nvjpeg(tmp_path / "no_such_file") == ()


@pytest.mark.parametrize(
    ("version", "sound"),
    [
        ((13, 0, 1), False),
        ((13, 0, 2), True),
        ((13, 3, 2), True),
        ((14, 0, 0), True),
        ((12, 9, 9), False),
        ((), False),
    ],
)
def test_sound_from_13_0_2_on(version, sound):
    library = Nvjpeg(Path("/cuda/lib64/libnvjpeg.so.13"), version)
    assert library.sound is sound
    assert (library.complaint == "") is sound


def test_the_complaint_names_file_and_version():
    old = Nvjpeg(Path("/cuda/lib64/libnvjpeg.so.13"), (13, 0, 1)).complaint
    assert "/cuda/lib64/libnvjpeg.so.13 is nvJPEG 13.0.1" in old
    assert "of an unknown version" in Nvjpeg(Path("/x/libnvjpeg.so.13"), ()).complaint


OLD, NEW = Nvjpeg(Path("/old/libnvjpeg.so.12"), (12, 4, 0)), Nvjpeg(Path("/new"), (13, 0, 2))


@pytest.mark.parametrize(
    ("loaded", "sound", "named"),
    [((NEW,), True, []), ((), False, []), ((NEW, OLD), False, ["/old/libnvjpeg.so.12"])],
)
def test_every_loaded_file_must_be_sound(loaded, sound, named, monkeypatch, caplog):
    monkeypatch.setattr(nvjpeg, "loaded_nvjpeg", lambda: loaded)
    with caplog.at_level(logging.WARNING, "mammo.decode"):
        assert can_decode_lossless() is sound
    assert [message.split()[0] for message in caplog.messages] == named


def test_a_library_gives_its_own_version(installed):
    assert read_version(installed) >= SOUND_VERSION


def test_a_loaded_library_is_found_in_this_process(installed):
    ctypes.CDLL(str(installed))
    assert installed.resolve() in {library.file.resolve() for library in loaded_nvjpeg()}
    assert all(library.sound for library in loaded_nvjpeg())


@pytest.mark.parametrize("content", [None, b"no library", "libc.so.6"])
def test_what_cannot_be_asked_has_no_version(content, tmp_path):
    """No such file, no library, and a library without nvJPEG's function."""
    file = Path(content) if isinstance(content, str) else tmp_path / "libnvjpeg.so.13"
    if isinstance(content, bytes):
        file.write_bytes(content)
    assert read_version(file) == ()


def test_dali_loads_it_with_its_first_pipeline():
    graph = pytest.importorskip("dali_pipelines.graph")
    graph.DaliDecoder(1, threads=1)
    assert len(loaded_nvjpeg()) >= 1
