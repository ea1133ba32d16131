"""scan: one verdict for each input, whatever the workers do."""

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from dali_pipelines.catalog.scan import ScanOptions, scan
from dali_pipelines.dicom.image import ReadOptions
from dali_pipelines.records import ImageRecord
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import Reason, Reject, RejectError

RecordOf = Callable[..., ImageRecord]
KEY = bytes(32)
READER = """
import os
from dali_pipelines.verdicts import Reason, RejectError

RECORDS = {}

def read(source, key, options):
    if "kill" in source.path:
        os._exit(3)
    if "bad" in source.path:
        raise RejectError(Reason.TRUNCATED, "cut short")
    if "bug" in source.path:
        raise KeyError("DOE^JANE")
    with open(source.path + ".pickle", "rb") as file:
        import pickle
        found = pickle.load(file)
    return found if isinstance(found, tuple) else (found,)
"""


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that children can import too; it finds the record of a path beside the path."""
    (tmp_path / "reader_of_scan.py").write_text(READER)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("reader_of_scan")


@pytest.fixture
def inputs(tmp_path: Path, record_of: RecordOf) -> list[Source | Reject]:
    """Twelve images, of which two come twice, and one input of each way to fail."""
    import pickle

    found: list[Source | Reject] = []
    for i in range(12):
        uid, path = str(i % 10), str(tmp_path / f"{11 - i:02}.dcm")
        flags = ("no_view",) if i == 3 else ()
        sha256 = "other" if i == 11 else uid
        record = record_of(path=path, sop_instance_uid=uid, sha256=sha256, flags=flags)
        Path(path + ".pickle").write_bytes(pickle.dumps(record))
        found.append(Source(path))
    found.insert(2, Source(str(tmp_path / "bad")))
    found.insert(5, Source(str(tmp_path / "kill")))
    found.insert(7, Reject("/fifo", "", "", "walk", Reason.NOT_A_FILE, "special"))
    found.append(Source(str(tmp_path / "bug")))
    found.append(Source(str(tmp_path / "missing")))
    return found


def reasons(rejects: tuple[Reject, ...]) -> dict[str, Reason]:
    return {Path(reject.path).name: reject.reason for reject in rejects}


def test_every_input_has_one_verdict_and_death_costs_one_file(
    reader: ModuleType, inputs: list[Source | Reject]
) -> None:
    seen: list[int] = []
    told: list[dict[str, int]] = []

    def progress(done, counts):
        seen.append(done)
        told.append(dict(counts))

    result = scan(inputs, ScanOptions(workers=2), KEY, progress, reader.read)
    assert result.counts == {"ok": 9, "flagged": 1, "skipped": 2, "failed": 5}
    assert sum(seen) == len(inputs) == 17
    assert told[-1] == result.counts, "the last word knows of duplicates"
    assert told[-2] == {"ok": 11, "flagged": 1, "skipped": 1, "failed": 4}
    # 10 and 11 are images 1 and 0; 00 and 01 came first in order of path
    assert reasons(result.rejects) == {
        "10.dcm": Reason.DUPLICATE_CONFLICT,
        "11.dcm": Reason.DUPLICATE,
        "bad": Reason.TRUNCATED,
        "bug": Reason.UNEXPECTED,
        "fifo": Reason.NOT_A_FILE,
        "kill": Reason.DECODER_CRASH,
        "missing": Reason.IO,
    }
    assert [r.location.path for r in result.records] == sorted(
        r.location.path for r in result.records
    )


def test_the_result_does_not_depend_on_workers_or_order(
    reader: ModuleType, inputs: list[Source | Reject]
) -> None:
    harmless = [item for item in inputs if not item.path.endswith("kill")]
    here = scan(harmless, ScanOptions(workers=1), KEY, read=reader.read)
    assert scan(harmless, ScanOptions(workers=2), KEY, read=reader.read) == here
    assert scan(harmless[::-1], ScanOptions(), KEY, read=reader.read) == here


def test_what_an_exception_says_is_not_passed_on(
    reader: ModuleType, inputs: list[Source | Reject]
) -> None:
    result = scan([inputs[-2]], ScanOptions(workers=1), KEY, read=reader.read)
    assert result.rejects[0].detail == "KeyError while it was read"


def test_the_reader_is_given_key_and_options() -> None:
    given = []

    def read(source: Source, key: bytes, options: ReadOptions) -> tuple[ImageRecord, ...]:
        given.append((source, key, options))
        raise RejectError(Reason.COLOR, "colors")

    options = ReadOptions(hash=False, accept_processing=True)
    scan([Source("/a", "m")], ScanOptions(options, workers=1), b"k", read=read)
    assert given == [(Source("/a", "m"), b"k", options)]


def test_nothing_gives_nothing() -> None:
    result = scan([], ScanOptions(), KEY)
    assert (result.records, result.rejects) == ((), ())
    assert set(result.counts.values()) == {0}


def test_an_input_of_several_images_has_one_verdict(
    reader: ModuleType, record_of: RecordOf, tmp_path: Path
) -> None:
    import pickle

    paths = [str(tmp_path / name) for name in "abc"]
    for uid, path in enumerate(paths):
        found = tuple(
            record_of(
                path=path,
                sop_instance_uid=str(uid % 2),
                frame=k,
                sha256=str(k),
                flags=("sc",) if path == paths[1] and k == 2 else (),
            )
            for k in range(3)
        )
        Path(path + ".pickle").write_bytes(pickle.dumps(found))
    sources = [Source(path) for path in paths]
    result = scan(sources, ScanOptions(workers=1), KEY, read=reader.read)
    assert [(r.location.path, r.tags.frame) for r in result.records] == [
        (path, k) for path in paths[:2] for k in range(3)
    ]
    assert result.counts == {"ok": 1, "flagged": 1, "skipped": 1, "failed": 0}
    assert reasons(result.rejects) == {"c": Reason.DUPLICATE}
    again = scan(sources[2:], ScanOptions(workers=1), KEY, read=reader.read, known=result.records)
    assert again == result
