"""No image of up to 100 megapixels takes a worker more than 1.5 GB, and no bomb takes anything.

What was resident at most is read from /proc: what getrusage tells of a process begins with what the
one had that started it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.evidence.large_files import (
    BOMBS,
    SYNTAXES,
    four_by_four_blocks,
    restated_size,
    write_large,
)

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
MOST = 1_500_000_000
COMPARED = [name for name in SYNTAXES if name not in ("raw", "deflated")]  # by second decoders
MORE_FOR_A_BOMB = 50_000_000
SCAN = """
def peaks(path):
    from dali_pipelines.dicom.image import ReadOptions, read_image
    from dali_pipelines.storage.archive import Source
    read_image(Source(path), b"k" * 32, ReadOptions())
    return {"scan": high_water(os.getpid())}
"""
DECODE = """
def peaks(path):
    from resource import RUSAGE_CHILDREN, getrusage
    from dali_pipelines.dicom.image import ReadOptions, read_image
    from dali_pipelines.isolation.isolated_decoder import IsolatedDecoder
    from dali_pipelines.reader import read_encoded
    from dali_pipelines.recipe import Recipe
    from dali_pipelines.storage.archive import Source
    from dali_pipelines.verdicts import RejectError
    record = read_image(Source(path), b"k" * 32, ReadOptions())
    encoded, decoder, code = read_encoded(record), IsolatedDecoder(timeout_s=900), ""
    try: decoder.decode(encoded, Recipe("any"))
    except RejectError as error: code = error.reason.value
    decoder.close()
    return {"decode": 1024 * getrusage(RUSAGE_CHILDREN).ru_maxrss, "code": code}
"""
SECOND = """
def peaks(path):
    from resource import RUSAGE_CHILDREN, getrusage
    from dali_pipelines.dicom.image import ReadOptions, read_image
    from dali_pipelines.inspection.verify import verify
    from dali_pipelines.storage.archive import Source
    record = read_image(Source(path), b"k" * 32, ReadOptions())
    found = verify([record], 1)
    (kind,) = found.kinds.values()
    return {"verify": 1024 * getrusage(RUSAGE_CHILDREN).ru_maxrss, "equal": kind.equal,
            "not_compared": list(kind.reasons), "rejects": len(found.rejects)}
"""
LOAD = """
def peaks(path):
    from benchmarks.process_tree import descendants
    from dali_pipelines.dicom.image import ReadOptions, read_image
    from dali_pipelines.loader import Loader
    from dali_pipelines.loader_settings import LoaderSettings
    from dali_pipelines.plan import sequential_blocks
    from dali_pipelines.recipe import load_recipe
    from dali_pipelines.storage.archive import Source
    record = read_image(Source(path), b"k" * 32, ReadOptions())
    settings = LoaderSettings(threads=1, readers=1, timeout_s=900)
    with Loader([record], load_recipe("default-1536"), settings, "cpu") as loader:
        (batch,) = loader.run(sequential_blocks(1, 1))
        code = "".join(reject.reason.value for reject in loader.rejects)
        found = [high_water(pid) for pid in descendants(os.getpid())]
    return {"load": found[0], "decode": max([0, *found[1:]]), "code": code}
"""
MAIN = """
import json, os, sys
def high_water(pid):
    with open(f"/proc/{pid}/status") as file:
        return 1024 * next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
print(json.dumps(peaks(sys.argv[1])))
"""
BOMB = (
    f"""
MORE = {MORE_FOR_A_BOMB}
"""
    + """
import json, os, resource, sys
from dali_pipelines.dicom.image import ReadOptions, read_images
from dali_pipelines.reader import read_encoded
from dali_pipelines.storage.archive import Source, list_members
from dali_pipelines.verdicts import RejectError
def status(name):
    with open("/proc/self/status") as file:
        return 1024 * next(int(line.split()[1]) for line in file if line.startswith(name))
good, path, forged = sys.argv[1], sys.argv[2], sys.argv[3:]
(record,) = read_images(Source(good), b"k" * 32, ReadOptions())  # imports and caches
if forged:
    (record,) = read_images(Source(path), b"k" * 32, ReadOptions())
    with open(path, "r+b") as file: file.write(open(forged[0], "rb").read())
    os.utime(path, ns=(record.location.mtime_ns, record.location.mtime_ns))
resource.setrlimit(resource.RLIMIT_DATA, (status("VmData") + MORE, -1))
before = status("VmHWM")
try:
    if forged: read_encoded(record)
    else: read_images(Source(path, "image.dcm" if path.endswith("zip") else ""), b"k" * 32,
                      ReadOptions())
    code = ""
except RejectError as error: code = error.reason.value
print(json.dumps({"code": code, "more": status("VmHWM") - before}))
"""
)


def run(program: str, *arguments: Path) -> dict[str, Any]:
    """What a program says that runs in a new interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=1000,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def allowed(pixels: int, imports: int) -> float:
    """1.5 GB for 100 megapixels, less in proportion for fewer, above what the imports take."""
    return imports + (MOST - imports) * pixels / 100e6


def test_the_largest_image_fits_in_every_syntax(
    tmp_path: Path, full: bool, record_evidence: Callable
) -> None:
    side = 10_000 if full else 1_500
    found: dict[str, dict[str, int]] = {}
    for name in SYNTAXES:
        path = write_large(tmp_path / "large.dcm", side, name)
        way = LOAD if full or name == "j2k" else DECODE
        peaks = run(SCAN + MAIN, path) | run(way + MAIN, path)
        assert peaks.pop("code") == "", name
        found[name] = peaks
    record_evidence("memory", {"megapixels": side**2 / 1e6, "peak_bytes": found})
    for name, peaks in found.items():
        for process, peak in peaks.items():
            imports = 700_000_000 if process == "load" else 100_000_000  # torch; NumPy and pydicom
            assert peak <= allowed(side**2, imports), (name, process, peak)


def test_second_decoders_have_memory_for_a_mammogram(
    tmp_path: Path, full: bool, record_evidence: Callable
) -> None:
    """`mammo verify` of 25 megapixels: CharLS of GDCM aborts where it gets too little."""
    side = 5_000 if full else 3_000
    found: dict[str, int] = {}
    for name in COMPARED if full else ("jpegls", "jpeg_sv1"):
        told = run(SECOND + MAIN, write_large(tmp_path / "large.dcm", side, name))
        found[name] = told.pop("verify")
        assert told == {"equal": 1, "not_compared": [], "rejects": 0}, name
        assert found[name] <= MOST, name
    record_evidence("verify_memory", {"megapixels": side**2 / 1e6, "peak_bytes": found})


def test_what_a_second_decoder_has_no_memory_for_is_not_condemned(
    tmp_path: Path, full: bool
) -> None:
    """GDCM would take 1.9 GB of address space for 100 megapixels, and no child may."""
    if not full:
        pytest.skip("takes 100 megapixels")
    told = run(SECOND + MAIN, write_large(tmp_path / "large.dcm", 10_000, "jpegls"))
    assert (told["equal"], told["rejects"], len(told["not_compared"])) == (0, 0, 1)
    assert told["verify"] <= MOST


@pytest.mark.parametrize(("build", "code"), BOMBS, ids=[build.__name__ for build, _ in BOMBS])
def test_a_bomb_is_refused_before_memory_is_taken(
    build: Callable[[Path], Path], code: str, tmp_path: Path
) -> None:
    good = write_large(tmp_path / "good.dcm", 64, "j2k")
    suffix = "zip" if "zip" in build.__name__ else "dcm"
    told = run(BOMB, good, build(tmp_path / f"bomb.{suffix}"))
    assert told["code"] == code
    assert told["more"] < MORE_FOR_A_BOMB


def test_a_header_forged_after_the_scan_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    good = write_large(tmp_path / "good.dcm", 64, "j2k")
    forged = tmp_path / "forged"
    forged.write_bytes(restated_size(good.read_bytes(), 10_000, 10_000))
    (tmp_path / "image.dcm").write_bytes(good.read_bytes())
    told = run(BOMB, good, tmp_path / "image.dcm", forged)
    assert told["code"] == "E_CHANGED"
    assert told["more"] < MORE_FOR_A_BOMB


def test_a_decoder_that_wants_more_than_its_share_gets_none(tmp_path: Path, full: bool) -> None:
    side = 10_000 if full else 3_000
    told = run(DECODE + MAIN, four_by_four_blocks(tmp_path / "blocks.dcm", side))
    assert told["code"] == "E_OOM"
    assert told["decode"] <= allowed(side**2, 100_000_000)
