"""Where the images of a benchmark come from."""

import shutil
from pathlib import Path

import pytest

from benchmarks.images import DEFAULT_SYNTAXES, STORED, Images, find_records
from dali_pipelines.errors import ConfigError, DatasetError


def test_phantoms_are_taken_again_and_again(tmp_path: Path) -> None:
    records = Images((), (96, 80), 6).records("rle", tmp_path / "rle")
    assert [record.stream.kind for record in records] == ["rle"] * 6
    assert {(r.stream.height, r.stream.width) for r in records} == {(96, 80)}
    assert len({record.image_id for record in records}) == 4
    assert records[4:] == records[:2]


def test_files_are_taken_as_they_are_or_written_anew(tiny_dicom: Path, tmp_path: Path) -> None:
    images = Images((tiny_dicom,), count=3)
    stored = images.records(STORED, tmp_path / STORED)
    assert [record.stream.kind for record in stored] == ["jpegls"] * 3
    assert not any((tmp_path / STORED).iterdir())
    anew = images.records("htj2k", tmp_path / "htj2k")
    assert [record.stream.kind for record in anew] == ["htj2k"] * 3
    assert [r.tags.sop_instance_uid for r in anew] == [r.tags.sop_instance_uid for r in stored]
    assert (tmp_path / "htj2k").stat().st_mode & 0o777 == 0o700  # headers of patients


def test_no_more_files_are_looked_at_than_needed(tiny_dicom: Path, tmp_path: Path) -> None:
    for k, path in enumerate(sorted(tiny_dicom.rglob("*.dcm"))):
        shutil.copy(path, tmp_path / f"{k}.dcm")
    (tmp_path / "a.txt").write_text("no image")
    assert len(find_records([tmp_path], 2)) == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no image among 0 inputs"):
        find_records([tmp_path / "empty"], 2)


def test_what_suits_the_images_is_the_default() -> None:
    assert Images().default_syntaxes == DEFAULT_SYNTAXES
    assert Images((Path("a"),)).default_syntaxes == (STORED,)


def test_mistakes_are_found_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'j2k'"):
        Images().check(["j2"])
    with pytest.raises(ConfigError, match="no syntax 'stored'"):
        Images().check([STORED])
    with pytest.raises(ConfigError, match="no file or folder"):
        Images((tmp_path / "absent",)).check([STORED])
    Images((tmp_path,)).check([STORED, "j2k"])
