"""pydicom's test suite and its data, from the package index: nothing of either is committed.

They are kept in the ignored folder .pytest_cache, so that they are fetched once.
"""

import importlib.util
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pydicom
import pytest

KEPT = Path(__file__).parents[2] / ".pytest_cache" / "downloads"
DOWNLOAD_S = 120
IN_WHEEL = Path(pydicom.__file__).parent / "data"


@cache
def pydicom_source() -> Path:
    """The unpacked source distribution of the pydicom that is installed: `tests`, `src`, `doc`."""
    version = metadata.version("pydicom")
    (source,) = _unpacked(f"pydicom=={version}", "--no-binary", ":all:").iterdir()
    return source


@cache
def pydicom_data() -> Path:
    """The folder of DICOM files of the package pydicom-data."""
    return _unpacked("pydicom-data", "--only-binary", ":all:") / "data_store" / "data"


@cache
def pixel_references() -> ModuleType:
    """pydicom's tests/pixels/pixels_reference.py, which looks for its files with `find_file`."""
    path = pydicom_source() / "tests" / "pixels" / "pixels_reference.py"
    spec = importlib.util.spec_from_file_location("pixels_reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.get_testdata_file = _test_data
    return module


def find_file(name: str) -> Path | None:
    """The file of that name in pydicom's wheel or in pydicom-data; never downloaded by pydicom."""
    for folder in (IN_WHEEL, pydicom_data()):
        for path in sorted(folder.rglob(name)):
            return path
    return None


def _test_data(name: str, read: bool = False) -> Path | pydicom.Dataset | None:
    """What pydicom's get_testdata_file gives, without its downloads."""
    path = find_file(name)
    return pydicom.dcmread(path, force=True) if read and path else path


def _unpacked(requirement: str, *options: str) -> Path:
    """The folder that holds what pip downloads for `requirement`."""
    folder = KEPT / requirement.replace("=", "")
    if folder.is_dir():
        return folder
    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=KEPT) as aside:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", *options]
        _download([*command, "--dest", f"{aside}/packed", requirement], requirement)
        (archive,) = Path(aside, "packed").iterdir()
        _unpack(archive, Path(aside, "unpacked"))
        if not folder.is_dir():
            shutil.move(f"{aside}/unpacked", folder)
    return folder


def _download(command: list[str], requirement: str) -> None:
    """Run pip, twice at most, for two minutes each."""
    for _ in range(2):
        try:
            subprocess.run(command, capture_output=True, check=True, timeout=DOWNLOAD_S)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            continue
        return
    pytest.fail(
        f"pip could not download {requirement}, which this evidence needs, twice in "
        f"{DOWNLOAD_S} s; ask again with the package index in reach",
        pytrace=False,
    )


def _unpack(archive: Path, folder: Path) -> None:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)
    else:
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
