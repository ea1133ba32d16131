"""A second try at what failed: the same files as a scan of everything, and nothing else opened."""

import os
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dali_pipelines.atomic import alone_with
from dali_pipelines.catalog import build as build_module
from dali_pipelines.catalog import scan as scan_module
from dali_pipelines.catalog.build import CatalogSettings, plan_catalog, write_catalog
from dali_pipelines.catalog.retry import Retried, plan_retry, write_retry
from dali_pipelines.catalog.scan import ScanOptions
from dali_pipelines.dicom.image import ReadOptions
from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.manifest import read_manifest, write_manifest
from dali_pipelines.rejects.table import read_rejects

NewDicom = Callable[..., Any]


class Archive:
    """A folder of images, of which each is named by its UID, and the files of its scan."""

    def __init__(self, root: Path, new_dicom: NewDicom) -> None:
        self.images, self._new = root / "images", new_dicom
        self.settings = CatalogSettings(root / "m.parquet", scan=ScanOptions(workers=1))
        self.images.mkdir()

    def write(self, name: str, uid: str, pixels: bytes = bytes(48), **tags: Any) -> Path:
        file = self._new(SOPInstanceUID=uid, PatientID=f"P{uid}", **tags)
        file.pixels = pixels
        path: Path = file.write(self.images / name)
        return path

    def put(self, name: str, uid: str, state: str) -> None:
        """A file in that state; every third file of a UID has other pixels."""
        pixels = bytes([int(name[0]) // 3]) * 48
        path = self.write(name, uid, pixels, NumberOfFrames=2 if state == "stack" else 1)
        if state == "cut":
            self.cut(path)
        elif state in {"empty", "text"}:
            path.write_text("no image" if state == "text" else "")

    def cut(self, path: Path) -> bytes:
        """Cut a file in half; what it held."""
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        return whole

    def scan(self, **changes: Any) -> None:
        settings = replace(self.settings, **changes)
        write_catalog(plan_catalog([self.images], settings))

    def retry(self, *sources: Path, **changes: Any) -> Retried:
        return write_retry(plan_retry(sources, replace(self.settings, **changes)))

    def require_as_fresh(self, **changes: Any) -> None:
        """The files are, to the byte, those of a scan of everything as it is now."""
        fresh = self.settings.manifest.with_name("fresh.parquet")
        self.scan(manifest=fresh, key=self.settings.key_path, **changes)
        assert (
            self.settings.rejects.read_bytes() == fresh.with_name("fresh_rejects.csv").read_bytes()
        )
        pd.testing.assert_frame_equal(read_manifest(self.settings.manifest), read_manifest(fresh))
        assert self.settings.manifest.read_bytes() == fresh.read_bytes()

    @property
    def codes(self) -> dict[str, str]:
        rows = read_rejects(self.settings.rejects)
        return {row.member or Path(row.path).name: row.reason.value for row in rows}


def test_names_that_are_no_utf8_are_tried_again_and_kept(archive: Archive) -> None:
    good, bad = os.fsdecode(b"1_\xff.dcm"), os.fsdecode(b"2_\xfe.dcm")
    archive.write(good, "1.1")
    path = archive.write(bad, "1.2")
    whole = archive.cut(path)
    archive.scan()
    path.write_bytes(whole)
    assert archive.retry().new_images == 1
    archive.require_as_fresh()


@pytest.fixture
def archive(tmp_path: Path, new_dicom: NewDicom) -> Archive:
    return Archive(tmp_path, new_dicom)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the inputs that are opened from now on."""
    names: list[str] = []
    real = scan_module._verdict

    def spy(source, **how):
        names.append(source.member or Path(source.path).name)
        return real(source, **how)

    monkeypatch.setattr(scan_module, "_verdict", spy)
    return names


def test_only_what_failed_is_opened_and_the_result_is_as_fresh(
    archive: Archive, opened: list[str]
) -> None:
    archive.write("a", "1.1")
    mended = archive.write("b", "1.2")
    archive.write("c", "1.3", NumberOfFrames=2)
    archive.cut(archive.write("d", "1.4"))
    (archive.images / "notes.txt").write_text("no image")
    whole = archive.cut(mended)
    archive.scan()
    assert archive.codes == {
        "b": "E_TRUNCATED", "c": "multiframe", "d": "E_TRUNCATED", "notes.txt": "not_dicom"
    }  # fmt: skip
    opened.clear()
    mended.write_bytes(whole)
    retried = archive.retry()
    assert opened == ["b", "d"]
    assert (retried.tried, retried.new_images, retried.counts.inputs) == (2, 1, 5)
    assert archive.codes == {"c": "multiframe", "d": "E_TRUNCATED", "notes.txt": "not_dicom"}
    archive.require_as_fresh()


STATES = ("whole", "cut", "empty", "text", "stack")
FILES = st.tuples(st.sampled_from("123"), st.sampled_from(STATES), st.sampled_from(STATES))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(files=st.lists(FILES, min_size=1, max_size=6))
def test_any_mending_gives_what_a_scan_of_everything_gives(
    files: list[tuple[str, str, str]], new_dicom: NewDicom
) -> None:
    """Each file has one of three UIDs, and a state before; only what failed takes its next one."""
    with TemporaryDirectory() as folder:
        archive = Archive(Path(folder), new_dicom)
        for number, (uid, before, _) in enumerate(files):
            archive.put(f"{number}.dcm", uid, before)
        with suppress(DatasetError):
            archive.scan()
        failed = {name for name, code in archive.codes.items() if code.startswith("E_")}
        for number, (uid, _, after) in enumerate(files):
            if f"{number}.dcm" in failed:
                archive.put(f"{number}.dcm", uid, after)
        try:
            archive.retry()
        except DatasetError:
            with pytest.raises(DatasetError, match="no image"):
                archive.scan()
        else:
            archive.require_as_fresh()


def test_trying_again_in_vain_changes_no_byte(archive: Archive) -> None:
    archive.write("a", "1.1")
    archive.cut(archive.write("b", "1.2"))
    archive.scan()
    files = (archive.settings.manifest, archive.settings.rejects)
    before = [path.read_bytes() for path in files]
    assert archive.retry().new_images == 0
    assert [path.read_bytes() for path in files] == before


def test_a_source_narrows_what_is_tried(archive: Archive, opened: list[str]) -> None:
    archive.write("a", "1.1")
    for name in ("low/b", "low/c", "high/d"):
        (archive.images / name).parent.mkdir(exist_ok=True)
        archive.cut(archive.write(name, f"1.{ord(name[-1])}"))
    archive.scan()
    opened.clear()
    assert archive.retry(archive.images / "low").tried == 2
    assert opened == ["b", "c"]
    assert archive.retry(archive.images / "high" / "d").tried == 1
    assert archive.retry(archive.images / "a").tried == 0, "which was good"
    for unknown in (archive.images / "lo", archive.images / "a" / "b", Path("nosuch")):
        with pytest.raises(ConfigError, match="nothing that was scanned lies at or below"):
            archive.retry(unknown)
    archive.require_as_fresh()


def test_what_is_gone_stays_as_an_io_error(archive: Archive) -> None:
    archive.write("a", "1.1")
    gone = archive.write("b", "1.2")
    archive.cut(gone)
    (archive.images / "dangling").symlink_to("nowhere")
    archive.scan()
    assert archive.codes == {"b": "E_TRUNCATED", "dangling": "E_IO"}
    before = archive.settings.rejects.read_text().splitlines()
    gone.unlink()
    archive.retry()
    assert archive.codes == {"b": "E_IO", "dangling": "E_IO"}
    after = archive.settings.rejects.read_text().splitlines()
    assert after[2] == before[2], "a link that still leads nowhere"
    assert archive.retry().counts.inputs == 3


def test_members_of_an_archive_that_was_fetched_again(archive: Archive) -> None:
    def pack(*, whole: bool) -> None:
        with zipfile.ZipFile(archive.images / "z.zip", "w") as file:
            for name, uid in (("a", "2.1"), ("b", "2.2")):
                image = archive.write(name, uid)
                content = image.read_bytes()
                file.writestr(name, content if whole or name == "a" else content[:-90])
                image.unlink()
            file.writestr("notes.txt", "no image")
        os.utime(archive.images / "z.zip", ns=(1, 10**18 + whole))

    archive.write("other", "2.3")
    pack(whole=False)
    archive.scan()
    assert archive.codes == {"b": "E_TRUNCATED", "notes.txt": "not_dicom"}
    frame = read_manifest(archive.settings.manifest)
    write_manifest(frame.assign(cancer=pd.array([1, 0], "Int8")), archive.settings.manifest)
    pack(whole=True)
    retried = archive.retry()
    assert (retried.tried, retried.new_images, retried.read_again) == (1, 1, 1)
    assert "1 known image read again from a changed archive" in retried.text()
    found = read_manifest(archive.settings.manifest)
    assert found["cancer"].tolist() == [1, 0, pd.NA]
    write_manifest(found.drop(columns="cancer"), archive.settings.manifest)
    archive.require_as_fresh()


def test_a_whole_archive_that_could_not_be_read(archive: Archive) -> None:
    archive.write("a", "3.1")
    image = archive.write("inside", "3.2")
    with zipfile.ZipFile(archive.images / "z.zip", "w") as file:
        file.write(image, "inside")
    image.unlink()
    whole = archive.cut(archive.images / "z.zip")
    archive.scan()
    assert list(archive.codes) == ["z.zip"]
    (archive.images / "z.zip").write_bytes(whole)
    assert archive.retry().new_images == 1
    archive.require_as_fresh()


def test_duplicates_are_settled_as_if_all_were_read_at_once(archive: Archive) -> None:
    first = archive.write("a", "4.1")
    archive.write("b", "4.1")
    archive.write("c", "4.1")
    content = archive.cut(first)
    archive.scan()
    assert archive.codes == {"a": "E_TRUNCATED", "c": "duplicate"}
    first.write_bytes(content)
    archive.retry()
    assert archive.codes == {"b": "duplicate", "c": "duplicate"}
    archive.require_as_fresh()


def test_a_duplicate_is_compared_with_the_copy_that_is_kept_now(archive: Archive) -> None:
    first = archive.write("a", "5.1", pixels=b"\7" * 48)
    for name in "bc":
        archive.write(name, "5.1", pixels=b"\1" * 48)
    content = archive.cut(first)
    archive.scan()
    assert archive.codes == {"a": "E_TRUNCATED", "c": "duplicate"}
    first.write_bytes(content)
    archive.retry()
    assert archive.codes == {"b": "E_DUP_CONFLICT", "c": "E_DUP_CONFLICT"}
    archive.require_as_fresh()


def test_an_object_of_several_frames_counts_once(archive: Archive) -> None:
    scan = ScanOptions(ReadOptions(frames="all"), workers=1)
    stack = archive.write("a", "4.2", bytes(range(96)), NumberOfFrames=2)
    archive.write("b", "4.3", bytes(range(96)), NumberOfFrames=2)
    whole = archive.cut(stack)
    archive.scan(scan=scan)
    stack.write_bytes(whole)
    retried = archive.retry(scan=scan)
    assert (retried.new_images, retried.counts.inputs, retried.counts.rejected) == (2, 2, 0)
    archive.require_as_fresh(scan=scan)


def test_columns_of_later_commands_stay_and_new_images_say_what_they_lack(
    archive: Archive, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("image_id,cancer,density,laterality\n6.1,1,B,R\n6.2,0,C,L\n")
    archive.write("a", "6.1")
    mended = archive.write("b", "6.2", b"\1" * 48, StudyInstanceUID="6")
    whole = archive.cut(mended)
    archive.scan(labels=(labels,))
    frame = read_manifest(archive.settings.manifest)
    write_manifest(frame.assign(fold=pd.array([3], dtype="Int16")), archive.settings.manifest)
    old = read_manifest(archive.settings.manifest)
    mended.write_bytes(whole)

    retried = archive.retry()
    assert (retried.unlabeled, retried.without_fold) == (1, 1)
    said = retried.text().splitlines()[1:3]
    assert said == [
        "1 image of the manifest without a label; --labels gives labels",
        "1 image of the manifest without a fold; `mammo split "
        f"{archive.settings.manifest} --keep` moves no other image",
    ]
    assert archive.retry().text().splitlines()[1:3] == said, "also where nothing is new"
    found = read_manifest(archive.settings.manifest)
    pd.testing.assert_frame_equal(found.iloc[:1], old)
    assert found["fold"].isna().tolist() == [False, True]
    assert found["density"].tolist() == ["B", ""]

    whole = archive.cut(mended)
    write_manifest(old, archive.settings.manifest)
    archive.scan(labels=(labels,))
    mended.write_bytes(whole)
    retried = archive.retry(labels=(labels,))
    assert (retried.unlabeled, retried.without_fold) == (0, None)
    assert "no image of the manifest has a fold" in retried.text()
    archive.require_as_fresh(labels=(labels,))


def test_new_images_inherit_the_fold_of_their_patient(archive: Archive, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("image_id,cancer,patient_id\n8.1,1,P\n8.2,0,Q\n8.3,0,P\n8.4,0,R\n")
    again = {}
    for number, (name, study) in enumerate(zip("abcd", "5678", strict=True)):
        uid, pixels = f"8.{number + 1}", bytes([number]) * 48
        again[name] = archive.write(name, uid, pixels, StudyInstanceUID=study)
    again["e"] = archive.write("e", "8.5", b"\5" * 48, StudyInstanceUID="6")
    del again["a"], again["b"]
    whole = {name: archive.cut(path) for name, path in again.items()}
    archive.scan(labels=(labels,))
    folds = pd.array([2, 1], dtype="Int16")
    frame = read_manifest(archive.settings.manifest).assign(fold=folds)
    write_manifest(frame, archive.settings.manifest)
    for name, path in again.items():
        path.write_bytes(whole[name])
    found = archive.retry(labels=(labels,))
    assert found.without_fold == 1
    fold = read_manifest(archive.settings.manifest)["fold"]
    assert fold.tolist() == [2, 1, 2, pd.NA, 1], "by the labels' patient, nobody's, by the study"


def test_after_a_scan_without_any_image(archive: Archive) -> None:
    image = archive.write("a", "7.1")
    whole = archive.cut(image)
    with pytest.raises(
        Exception, match=r"no image among 1 input: 0 ok, 1 failed \(E_TRUNCATED 1\)"
    ):
        archive.scan()
    image.write_bytes(whole)
    assert archive.retry().new_images == 1
    archive.require_as_fresh()


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("run", ["scan", "retry"])
def test_a_run_killed_between_the_two_files_mixes_no_scans(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, run: str, published: bool
) -> None:
    """Killed before the manifest has its name, both files are as before; after it, both as new."""

    def killed(frame: pd.DataFrame, path: Path) -> None:
        if published:
            write_manifest(frame, path)
        raise KeyboardInterrupt

    archive.write("a", "8.1")
    mended = archive.write("b", "8.2")
    archive.cut(archive.write("c", "8.3"))
    whole = archive.cut(mended)
    archive.scan()
    mended.write_bytes(whole)
    before = [path.read_bytes() for path in (archive.settings.manifest, archive.settings.rejects)]
    with monkeypatch.context() as patch:
        patch.setattr(build_module, "write_manifest", killed)
        with pytest.raises(KeyboardInterrupt):
            archive.scan() if run == "scan" else archive.retry()
    assert archive.settings.rejects.read_bytes() == before[1]
    assert (archive.settings.manifest.read_bytes() == before[0]) is not published
    retried = archive.retry()
    assert (retried.tried, retried.new_images) == ((1, 0) if published else (2, 1))
    archive.require_as_fresh()
    assert not archive.settings.pending.exists()


def test_rejects_of_another_scan_are_not_taken(archive: Archive) -> None:
    archive.write("a", "8.1")
    archive.cut(archive.write("b", "8.2"))
    archive.scan()
    rows = archive.settings.rejects.read_text().splitlines()
    archive.settings.rejects.write_text("\ufeff" + "\n".join(rows), encoding="utf-8")
    assert archive.retry().tried == 1, "saved by a spreadsheet, with the same rows"
    archive.settings.rejects.write_text(rows[0] + "\n")
    with pytest.raises(ConfigError, match=r"m_rejects.csv' is not as the scan of '.*' wrote it"):
        archive.retry()


def test_a_scan_without_any_image_leaves_an_earlier_one_alone(archive: Archive) -> None:
    archive.write("a", "8.1")
    mended = archive.write("b", "8.2")
    whole = archive.cut(mended)
    archive.scan()
    files = (archive.settings.manifest, archive.settings.rejects)
    before = [path.read_bytes() for path in files]
    other = archive.images.with_name("other")
    other.mkdir()
    (other / "notes.txt").write_text("no image")
    with pytest.raises(DatasetError, match=r"1 input: 1 skipped \(not_dicom 1\); nothing was wri"):
        write_catalog(plan_catalog([other], archive.settings))
    assert [path.read_bytes() for path in files] == before
    mended.write_bytes(whole)
    assert archive.retry().new_images == 1
    archive.require_as_fresh()


class Pack:
    """A zip file of an archive: members by name, of the UID given, cut where that has a minus."""

    def __init__(self, archive: Archive, name: str) -> None:
        self.archive, self.path, self.times = archive, archive.images / name, 0

    def write(self, **members: str) -> None:
        with zipfile.ZipFile(self.path, "w") as file:
            for name, uid in members.items():
                image = self.archive.write("inside", uid.lstrip("-"))
                content = image.read_bytes()
                file.writestr(name, content[:-90] if uid.startswith("-") else content)
                image.unlink()
            file.writestr("notes.txt", "no image")
        self.times += 1
        os.utime(self.path, ns=(1, 10**18 + self.times))


def test_known_images_that_their_archive_has_no_more_are_failures(archive: Archive) -> None:
    pack = Pack(archive, "z.zip")
    archive.write("other", "2.9")
    pack.write(a="2.1", b="-2.2", c="-2.3")
    archive.scan()
    frame = read_manifest(archive.settings.manifest)
    more = {"cancer": pd.array([1, 0], "Int8"), "fold": pd.array([0, 1], "Int16")}
    write_manifest(frame.assign(**more), archive.settings.manifest)
    pack.write(b="-2.2")
    for times in range(2):
        retried = archive.retry()
        assert archive.codes == {
            "a": "E_IO", "b": "E_TRUNCATED", "c": "E_IO", "notes.txt": "not_dicom"
        }  # fmt: skip
        assert (retried.counts.inputs, retried.gone, retried.read_again) == (5, 1 - times, 0)
    details = {row.detail for row in read_rejects(archive.settings.rejects) if row.reason == "E_IO"}
    assert len(details) == 1
    assert details.pop().startswith("gone since the scan")
    pack.write(a="2.1", b="2.2", c="2.3")
    assert archive.retry().new_images == 3
    assert archive.codes == {"notes.txt": "not_dicom"}


def test_what_is_gone_is_said(archive: Archive) -> None:
    pack = Pack(archive, "z.zip")
    archive.write("other", "2.9")
    pack.write(a="2.1", b="-2.2")
    archive.scan()
    pack.write(b="-2.2")
    assert "1 known image gone since the scan, with label and fold" in archive.retry().text()


def test_a_duplicate_takes_the_place_of_an_image_that_is_gone(archive: Archive) -> None:
    pack = Pack(archive, "a.zip")
    pack.write(a="2.1", b="-2.2")
    archive.write("copy", "2.1")
    archive.scan()
    assert archive.codes == {"b": "E_TRUNCATED", "copy": "duplicate", "notes.txt": "not_dicom"}
    pack.write(b="2.2")
    archive.retry()
    assert archive.codes == {"a": "E_IO", "notes.txt": "not_dicom"}
    assert read_manifest(archive.settings.manifest)["sop_instance_uid"].tolist() == ["2.2", "2.1"]


def test_another_key_than_that_of_the_first_scan_is_found(archive: Archive, tmp_path: Path) -> None:
    scan = ScanOptions(ReadOptions(frames="all"), workers=1)
    archive.write("a", "4.2", bytes(range(96)), NumberOfFrames=2)
    archive.cut(archive.write("b", "4.3"))
    archive.scan(scan=scan)
    before = archive.settings.manifest.read_bytes()
    (tmp_path / "other.key").write_text("ab" * 32)
    with pytest.raises(ConfigError, match=r"other.key' did not make the ids of .*m\.parquet"):
        archive.retry(key=tmp_path / "other.key")
    assert archive.settings.manifest.read_bytes() == before
    assert archive.retry().tried == 1


def test_a_retry_reads_as_the_first_scan_did(archive: Archive) -> None:
    scan = ScanOptions(ReadOptions(hash=False, frames="middle"), workers=1)
    archive.write("a", "4.1")
    stack = archive.write("b", "4.2", bytes(range(96)), NumberOfFrames=2)
    whole = archive.cut(stack)
    archive.scan(scan=scan)
    stack.write_bytes(whole)
    changes = {"scan": ScanOptions(ReadOptions(max_pixels=7), workers=1)}
    settings = replace(archive.settings, **changes)
    with pytest.raises(ConfigError, match=r"frames 'middle', not 'error'; hash False, not True"):
        plan_retry([], settings, {"hash", "frames"})
    assert archive.retry(**changes).new_images == 1, "options that were not given"
    archive.require_as_fresh(scan=scan)
    assert not plan_retry([], settings, {"any_modality"}).inputs
    frame = read_manifest(archive.settings.manifest)
    frame.attrs.clear()
    write_manifest(frame, archive.settings.manifest)
    with pytest.raises(DatasetError, match="does not say with what options it was scanned"):
        archive.retry()


def test_runs_on_one_manifest_lose_no_row_of_each_other(archive: Archive) -> None:
    archive.write("a", "4.1")
    mended = archive.write("b", "4.2")
    whole = archive.cut(mended)
    archive.scan()
    late = plan_retry([], archive.settings)
    with alone_with(archive.settings.manifest):
        for run in (archive.scan, archive.retry):
            with pytest.raises(ConfigError, match="another run is writing to"):
                run()
    mended.write_bytes(whole)
    assert archive.retry().new_images == 1
    with pytest.raises(ConfigError, match=r"another run wrote '.*m\.parquet' meanwhile"):
        write_retry(late)
    names = {path.name for path in archive.settings.manifest.parent.iterdir()}
    assert names == {"images", "m.key", "m.parquet", "m_rejects.csv"}


def test_there_must_be_something_to_go_on_from(archive: Archive) -> None:
    with pytest.raises(ConfigError, match=r"no earlier scan at .*m\.parquet'; run without --retry"):
        plan_retry([], archive.settings)
    archive.write("a", "9.1")
    archive.scan()
    archive.settings.key_path.unlink()
    with pytest.raises(ConfigError, match=r"no id key .*--id-key"):
        plan_retry([], archive.settings)
