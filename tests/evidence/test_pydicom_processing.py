"""pydicom's own tests of its gray scale, with our functions in the place of pydicom's.

tests/pixels/test_processing.py of the installed version, from PyPI. All pass but those of the list
below, which ask for an exception or a warning in pydicom's words; the values that two of them ask
for after that are in `test_lut_tags`. Where pydicom's arithmetic departs from the standard
(`test_grayscale_departures`) it has no test, so no value of any test is another than ours.
"""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.evidence.pydicom_files import pydicom_data, pydicom_source

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9"  # a proxy that is none: what pydicom does not find it shall not get
PLUGIN = "pydicom_with_our_grayscale"
OF_OURS = (  # the classes whose tests call the functions that were replaced
    "TestModalityLUT",
    "TestApplyWindowing",
    "TestApplyVOI",
    "TestApplyVOILUT",
    "TestApplyPresentationLUT",
)
API_NOT_ARITHMETIC = {
    "TestModalityLUT::test_lut_sequence_zero_entries": "wants IndexError once a pixel meets the "
    "part of a table that is missing; a modality LUT that is too short is refused as such",
    "TestModalityLUT::test_no_endianness_raises": "wants AttributeError for LUT Data of a data set "
    "without byte order; what comes from a file has one",
    "TestApplyWindowing::test_window_bad_photometric_interp": "wants ValueError for RGB; color is "
    "skipped before its gray scale is asked for",
    "TestApplyWindowing::test_window_bad_parameters": "wants other words in the ValueError for a "
    "window without width, and for an unknown function",
    "TestApplyWindowing::test_window_bad_index": "wants IndexError for an index that names no "
    "window; it is a reject of the image",
    "TestApplyVOI::test_voi_zero_entries": "wants IndexError once a pixel meets the part of a "
    "table that is missing; a VOI LUT that is too short is flagged and passed over",
    "TestApplyVOI::test_voi_bad_depth": "wants NotImplementedError for entries of 7 and 17 bits; "
    "such a VOI LUT is flagged and passed over",
    "TestApplyVOI::test_voi_uint16_array_float": "wants a warning that fractions may be wrong; "
    "ours take the nearest entry",
    "TestApplyVOI::test_no_endianness_raises": "wants AttributeError, as above",
    "TestApplyPresentationLUT::test_shape_unknown_raises": "wants NotImplementedError for a shape "
    "of another name; the Photometric Interpretation stands in for it",
}


def test_pydicoms_tests_pass_with_our_functions(tmp_path, record_evidence):
    plain = run_tests(tmp_path / "plain")
    ours = run_tests(tmp_path / "ours", "-p", PLUGIN)
    assert plain.keys() == ours.keys()
    assert {outcome for outcome, _ in plain.values()} <= {"passed", "skipped"}
    failed = {name for name, (outcome, _) in ours.items() if outcome == "failed"}
    assert failed == API_NOT_ARITHMETIC.keys()
    called = {name for name, (_, calls) in ours.items() if calls}
    wanted = {name for name in ours if name.split("::")[0] in OF_OURS}
    assert called == wanted
    record_evidence(
        "pydicom_processing",
        {
            "tests": len(ours),
            "skipped_by_pydicom": sum(outcome == "skipped" for outcome, _ in ours.values()),
            "tests_of_our_functions": len(called),
            "passed_of_these": len(called - failed),
            "api_not_arithmetic": API_NOT_ARITHMETIC,
        },
    )


def run_tests(folder: Path, *options: str) -> dict[str, tuple[str, int]]:
    """The outcome of each test, and how often it called our functions, by "class::test"."""
    data = folder / "home" / ".pydicom" / "data"  # where pydicom looks before it downloads
    data.mkdir(parents=True)
    for file in pydicom_data().iterdir():
        (data / file.name).symlink_to(file)
    environment = {
        **os.environ,
        "HOME": str(folder / "home"),
        "HTTPS_PROXY": NOWHERE,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'evidence'}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    source, report = pydicom_source(), folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "-p", "no:cacheprovider"]
    command += [*options, f"--rootdir={source}", f"--junitxml={report}"]
    command.append(str(source / "tests" / "pixels" / "test_processing.py"))
    done = subprocess.run(
        command, env=environment, cwd=source, check=False, capture_output=True, timeout=300
    )
    assert done.returncode in (0, 1), done.stdout.decode()[-2000:]
    return {
        f"{case.get('classname', '').split('.')[-1]}::{case.get('name')}": outcome_of(case)
        for case in ET.parse(report).iter("testcase")
    }


def outcome_of(case: ET.Element) -> tuple[str, int]:
    noted = {item.get("name"): item.get("value") for item in case.iter("property")}
    calls = int(noted.get("calls") or 0)
    if case.find("skipped") is not None:
        return "skipped", calls
    bad = case.find("failure") is not None or case.find("error") is not None
    return "failed" if bad else "passed", calls
