"""Every bad input ends with its own verdict, and the images beside it come out as without it."""

import csv
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cli.main import main
from dali_pipelines.catalog.build import CatalogSettings, plan_catalog, write_catalog
from dali_pipelines.catalog.scan import ScanOptions, scan
from dali_pipelines.catalog.walk import Input, walk
from dali_pipelines.dicom.image import ReadOptions
from dali_pipelines.manifest import read_manifest
from dali_pipelines.manifest_rows import to_records
from dali_pipelines.phantom.header import make_uid
from dali_pipelines.records import ImageRecord
from dali_pipelines.rejects.table import read_rejects
from dali_pipelines.verdicts import Reason, Reject
from tests.bad_inputs import CASES, Case
from tests.bad_inputs.case import nothing
from tests.bad_inputs.neighbors import GOOD, IN_PROCESSES, Images, apart, load, write_good

KEY = b"key of the catalogue"
INPUTS = [case for case in CASES if case.command is None]
COMMANDS = [case for case in CASES if case.command is not None]
NEEDS_HASHES = {"zip_crc_stored", "flipped_bit"}  # valid images, of other pixels than there were
TOGETHER = [case for case in INPUTS if not case.options]

loses_errors = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def check_scan(case: Case, records: list[ImageRecord], rejects: list[Reject]) -> None:
    """The scan's answers about the inputs of a case are those that it names."""
    if isinstance(case.expected, Reason) and not case.loads:
        assert [reject.reason for reject in rejects] == [case.expected] * case.count
        check_sentences(case, rejects)
        assert len(records) == case.images
    else:
        assert rejects == []
        assert len(records) == case.count * case.frames + case.images
        if isinstance(case.expected, tuple):
            wanted = set(case.expected)
            assert [set(record.flags) for record in records] == [wanted] * len(records)


def check_load(
    case: Case, records: list[ImageRecord], images: Images, rejects: list[Reject]
) -> None:
    """The loader delivers what the scan accepted, all of it finite, or says what the case says."""
    reasons = [reject.reason for reject in rejects]
    assert reasons == ([case.expected] * case.count if case.loads else [])
    check_sentences(case, rejects)
    lost = {reject.image_id for reject in rejects}
    for record in records:
        assert (record.image_id in images) == (record.image_id not in lost)
        if record.image_id in images:
            assert np.isfinite(images[record.image_id]).all()


def check_sentences(case: Case, rejects: list[Reject]) -> None:
    """Each says what the case says, on one line, without a path, a file's name or a UID."""
    for reject in rejects:
        assert case.sentence in reject.detail
        private = (reject.path, "bad.", make_uid(case.name), "\n")
        assert [word for word in private if word in reject.detail] == []


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[ImageRecord], Images]:
    """The two good images alone: their records, and what the loader makes of them."""
    root = tmp_path_factory.mktemp("clean")
    write_good(root)
    found = scan(list(walk([root])), ScanOptions(workers=1), KEY)
    images, _ = load(found.records)
    assert len(images) == len(GOOD)
    return apart(found.records)[0], images


def assert_good_are_intact(
    records: Iterable[ImageRecord], images: Images, clean: tuple[list[ImageRecord], Images]
) -> None:
    assert apart(records)[0] == clean[0]
    for name, image in clean[1].items():
        assert np.array_equal(images[name], image)


def walk_and_scan(
    case: Case, root: Path, **more: bool
) -> tuple[list[Input], list[ImageRecord], list[Reject]]:
    with case.during(root / case.name):
        inputs = list(walk([root]))
        if case.walked:
            case.walked(root / case.name)
        options = ScanOptions(ReadOptions(**case.options, **more), workers=1)
        found = scan(inputs, options, KEY)
    assert sum(found.counts.values()) == len(inputs)
    return inputs, list(found.records), list(found.rejects)


def test_names_are_unique_and_the_catalogue_is_large() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    assert len(INPUTS) >= 90


@loses_errors
@pytest.mark.parametrize("case", INPUTS, ids=lambda case: case.name)
def test_a_bad_input_costs_itself_alone(
    case: Case, tmp_path: Path, clean: tuple[list[ImageRecord], Images]
) -> None:
    write_good(tmp_path)
    (tmp_path / case.name).mkdir()
    assert case.build(tmp_path / case.name)
    inputs, records, rejects = walk_and_scan(case, tmp_path)
    assert len(inputs) == len(GOOD) + case.count + case.images
    check_scan(case, apart(records)[1], rejects)
    if case.after:
        case.after(tmp_path / case.name)
    images, lost = load(records)
    check_load(case, apart(records)[1], images, lost)
    assert_good_are_intact(records, images, clean)


@loses_errors
def test_without_hashes_no_bad_input_gives_an_image_either(tmp_path: Path) -> None:
    """What the scan then leaves unread, the loader finds."""
    for case in INPUTS:
        if not isinstance(case.expected, Reason) or case.name in NEEDS_HASHES:
            continue
        root = tmp_path / case.name
        (root / case.name).mkdir(parents=True)
        case.build(root / case.name)
        _, records, rejects = walk_and_scan(case, root, hash=False)
        if case.after:
            case.after(root / case.name)
        images, lost = load(records) if records else ({}, [])
        with noting(case.name):
            assert len(images) == case.images
            assert len(rejects) + len(lost) == case.count


@pytest.fixture
def untouched_logger() -> Iterator[None]:
    logger = logging.getLogger("mammo")
    level, handlers = logger.level, logger.handlers[:]
    yield
    logger.setLevel(level)
    logger.handlers[:] = handlers


@pytest.mark.usefixtures("untouched_logger")
@pytest.mark.parametrize("case", COMMANDS, ids=lambda case: case.name)
def test_a_command_says_what_is_wrong_and_leaves_nothing_half_written(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert case.command is not None
    folder = tmp_path / case.name
    folder.mkdir()
    case.build(folder)
    with case.during(folder), pytest.raises(SystemExit) as ended:
        main(case.command(folder))
    said = capsys.readouterr().err
    assert ended.value.code == case.expected, said
    assert case.sentence in said
    assert "Traceback" not in said
    out = folder / "out"
    left = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    assert [name for name in left if name.startswith(".")] == []
    assert case.left is None or left == sorted(case.left)


def test_all_bad_inputs_together_cost_themselves_alone(
    tmp_path: Path, clean: tuple[list[ImageRecord], Images]
) -> None:
    """One scan and one loader, as `mammo` runs them; each case keeps its verdict."""
    root, out = tmp_path / "inputs", tmp_path / "out"
    folders = {case.name: root / case.name for case in TOGETHER}
    for case in TOGETHER:
        folders[case.name].mkdir(parents=True)
        case.build(folders[case.name])
    write_good(root)
    settings = CatalogSettings(out / "m.parquet", scan=ScanOptions(workers=1))
    out.mkdir()
    settings.key_path.write_text(KEY.hex())
    with ExitStack() as stack:
        for case in TOGETHER:
            stack.enter_context(case.during(folders[case.name]))
        plan = plan_catalog([root], settings)
        for case in TOGETHER:
            if case.walked:
                case.walked(folders[case.name])
        before = set(tmp_path.rglob("*"))
        write_catalog(plan)
    assert set(tmp_path.rglob("*")) - before == {settings.manifest, settings.rejects}
    records, rejects = to_records(read_manifest(settings.manifest)), read_rejects(settings.rejects)
    assert len(records) + len(rejects) == len(plan.inputs)
    assert_a_spreadsheet_is_safe(settings.rejects)

    for case in TOGETHER:
        if case.after:
            case.after(folders[case.name])
    images, lost = load(records, IN_PROCESSES)
    for case in TOGETHER:
        below = partial(within, root / case.name)
        with noting(case.name):
            own = list(filter(below, records))
            check_scan(case, own, list(filter(below, rejects)))
            check_load(case, own, images, list(filter(below, lost)))
    assert_good_are_intact(records, images, clean)


def test_worker_processes_find_what_one_process_finds(tmp_path: Path) -> None:
    write_good(tmp_path)
    plain = [case for case in TOGETHER if not case.walked and case.during is nothing]
    for case in plain:
        (tmp_path / case.name).mkdir()
        case.build(tmp_path / case.name)
    inputs = list(walk([tmp_path]))
    alone, shared = (scan(inputs, ScanOptions(workers=workers), KEY) for workers in (1, 2))
    assert shared == alone


def within(folder: Path, item: ImageRecord | Reject) -> bool:
    path = item.path if isinstance(item, Reject) else item.location.path
    return path.startswith(f"{folder}{os.sep}")


@contextmanager
def noting(name: str) -> Iterator[None]:
    """The name of the case below an error."""
    try:
        yield
    except AssertionError as error:
        error.add_note(name)
        raise


def assert_a_spreadsheet_is_safe(table: Path) -> None:
    """No cell begins a formula, and no cell begins a new line."""
    with table.open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert [cell for cell in cells if cell[:1] in {*"=+-@\t"} and cell] == []
    assert [cell for cell in cells if "\n" in cell or "\r" in cell] == []
