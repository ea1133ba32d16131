"""Every DICOM file of pydicom's test set and of the shared folder: decoded exactly, or on the list.

What decodes must equal strict oracles (`oracles.py`) number by number and, where pydicom asserts
values, those. What does not stands in rejected_references.csv with its code and why. No file may
be missing from both, and no line of the list may be without a file.
"""

import csv
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import HTJ2KLossless

from dali_pipelines.cpu.decode import decode
from dali_pipelines.dicom.image import ReadOptions, read_images
from dali_pipelines.reader import read_encoded
from dali_pipelines.records import ImageRecord
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import RejectError
from tests.evidence.oracles import ORACLES
from tests.evidence.pydicom_files import IN_WHEEL, find_file, pixel_references, pydicom_data

pytestmark = pytest.mark.slow

REJECTED = Path(__file__).with_name("rejected_references.csv")
OPTIONS = ReadOptions(any_modality=True, accept_processing=True, frames="all")
NO_DATA = {".py", ".pyc", ".json"}  # pydicom's code
NOT_DISTRIBUTED = {  # gray references whose file is only on GitHub, in no package
    "JLSL_08_07_0_1F.dcm",
    "JLSL_16_15_1_1F.dcm",
    "liver_nonbyte_aligned.dcm",
    "parametric_map_double_float.dcm",
    "parametric_map_float.dcm",
}
COLOR_NOT_DISTRIBUTED = {
    "HTJ2KLossless_08_RGB.dcm",
    "HTJ2K_08_RGB.dcm",
    *(f"JLSL_RGB_ILV{k}.dcm" for k in range(3)),
    "JLSN_RGB_ILV0.dcm",
}
REFUSED = {  # no gray pictures: masks of 1 bit, and dose grids of 32
    *("liver", "liver_1frame", "liver_expb", "liver_expb_1frame"),
    *("rtdose", "rtdose_1frame", "rtdose_expb", "rtdose_expb_1frame"),
    *("rtdose_rle", "rtdose_rle_1frame"),
}
GRAY = ("MONOCHROME1", "MONOCHROME2")
# (file, oracle) -> why this oracle does not judge this file; the others do.
DEPARTURES: dict[tuple[str, str], str] = {
    ("test_files/J2K_pixelrep_mismatch.dcm", "openjpeg"): (
        "the codestream says unsigned, Pixel Representation says signed: OpenJPEG goes by the one, "
        "gdcm, pydicom's asserted values and we by the other"
    ),
    ("nema_wg04/JLSL/MR1_JLSL", "pyjpegls"): (
        "a zero byte stands between the last coded byte and EOI, at which the CharLS of pyjpegls "
        "1.5.1 stops; without that byte it gives our numbers, and so does dcmdjpls with it"
    ),
}

SAME_IMAGE = {  # pydicom drops all of a file whose sequence delimiter is cut off
    "emri_small_jpeg_2k_lossless_too_short.dcm": "emri_small_jpeg_2k_lossless.dcm",
}


@dataclass(frozen=True)
class Found:
    """One file of a collection: `path` is what is read, which may be unpacked or wrapped."""

    collection: str
    name: str
    path: Path


def numbers(record: ImageRecord) -> np.ndarray:
    """The stored values (H, W) int64 that our path gives, with their sign."""
    pixels = decode(read_encoded(record))
    values = (np.asarray(pixels.values) >> pixels.shift).astype(np.int64)
    bits = record.grayscale.bits
    if record.grayscale.signed:
        values = np.where(values >> (bits - 1), values - (1 << bits), values)
    return values


def decoded(path: Path) -> tuple[list[ImageRecord], np.ndarray]:
    """Our records of a file, and the numbers (N, H, W) of all its frames."""
    records = list(read_images(Source(str(path)), b"key of the tests", OPTIONS))
    return records, np.stack([numbers(record) for record in records])


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """pydicom must find what it wants here; and its remarks on these files are known."""
    pydicom_data(), pixel_references()
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="module")
def files(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Found]:
    """All files of the three collections, but pydicom's code and the crops, which are no DICOM."""
    folders = {
        "pydicom": IN_WHEEL,
        "pydicom-data": pydicom_data(),
        "mammograms": shared_data / "mammograms",
        "conformance": shared_data / "conformance",
    }
    found = [
        Found(collection, path.relative_to(folder).as_posix(), path)
        for collection, folder in folders.items()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in NO_DATA
    ]
    aside = tmp_path_factory.mktemp("references")
    return [Found(f.collection, f.name, as_dicom(f.path, aside)) for f in found]


def as_dicom(path: Path, aside: Path) -> Path:
    """The file itself, or what it is once unpacked (.zst) or wrapped as HTJ2K (.j2c)."""
    if path.suffix == ".zst":
        plain = aside / path.stem
        plain.write_bytes(imagecodecs.zstd_decode(path.read_bytes()))
        return plain
    if path.suffix == ".j2c":
        truth = path.parents[1] / "nema_wg04" / "REF" / f"{path.stem}_UNC.zst"
        dataset = pydicom.dcmread(as_dicom(truth, aside))
        dataset.file_meta.TransferSyntaxUID = HTJ2KLossless
        dataset.PixelData = encapsulate([path.read_bytes()])
        dataset["PixelData"].is_undefined_length = True
        dataset["PixelData"].VR = "OB"
        dataset.save_as(aside / path.name)
        return aside / path.name
    return path


def listed() -> dict[tuple[str, str], str]:
    """(collection, pattern of names) -> code, from the committed list."""
    with REJECTED.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(row["why"] for row in rows)
    return {(row["collection"], row["file"]): row["code"] for row in rows}


def rows_for(found: Found, rejected: dict[tuple[str, str], str]) -> list[tuple[str, str]]:
    return [row for row in rejected if row[0] == found.collection and fnmatch(found.name, row[1])]


def judged_file(found: Found) -> Path:
    """The file that oracles are given in place of ours: most often the same."""
    return found.path.with_name(SAME_IMAGE.get(found.name, found.path.name))


def difference(found: Found, ours: np.ndarray, folder: Path) -> Iterator[tuple[str, str]]:
    """The name of each oracle that judged, and what it says against our numbers, "" for nothing."""
    syntax = pydicom.dcmread(found.path, stop_before_pixels=True).file_meta.TransferSyntaxUID
    for name, oracle in ORACLES[syntax].items():
        if (found.name, name) in DEPARTURES:
            continue
        try:
            theirs = oracle(judged_file(found), folder).astype(np.int64)
        except Exception as error:  # noqa: BLE001 - whatever it is, it says nothing of our numbers
            yield name, f"{name} gave {type(error).__name__}"
            continue
        if theirs.shape != ours.shape:
            yield name, f"shape {ours.shape}, {name} has {theirs.shape}"
            continue
        off = np.abs(theirs - ours)
        yield name, f"{name}: {(off > 0).sum()} of {off.size}, up to {off.max()}" * bool(off.any())


def test_every_file_is_decoded_exactly_or_is_on_the_list(
    files: list[Found], tmp_path: Path, dcmtk: Path, record_evidence: Callable[..., None]
) -> None:
    rejected, used, wrong = listed(), set(), []
    codes, syntaxes, judged = Counter[str](), Counter[str](), Counter[str]()
    for found in files:
        name, rows = f"{found.collection}/{found.name}", rows_for(found, rejected)
        try:
            records, ours = decoded(found.path)
        except RejectError as error:
            used |= set(rows)
            codes[error.reason.value] += 1
            if [rejected[row] for row in rows] != [error.reason.value]:
                wrong.append(f"{name}: {error}; listed are {[rejected[row] for row in rows]}")
            continue
        if rows:
            wrong.append(f"{name} is decoded, though it is listed")
        syntaxes[records[0].tags.transfer_syntax_uid] += len(records)
        for oracle, complaint in difference(found, ours, tmp_path):
            judged[oracle] += 1
            wrong += [f"{name}: {complaint}"] * bool(complaint)
    assert not wrong, "\n".join(wrong)
    assert set(rejected) - used == set()
    facts = {"files": len(files), "frames_by_syntax": syntaxes, "rejects": codes}
    departures = {f"{name}, {oracle}": why for (name, oracle), why in DEPARTURES.items()}
    record_evidence("pydicom_files", {**facts, "files_judged_by": judged, "not_judged": departures})


def test_the_asserted_values_of_every_gray_reference_come_out(
    record_evidence: Callable[..., None],
) -> None:
    passed, absent, refused = [], set(), set()
    for reference in gray_references():
        path = find_file(reference.name)
        if path is None:
            absent.add(reference.name)
        elif reference.ds.BitsAllocated in (1, 32):
            refused.add(reference.name)
            with pytest.raises(RejectError):
                decoded(path)
        else:
            _, ours = decoded(path)
            values = (ours[0] if len(ours) == 1 else ours).astype(reference.dtype)
            assert values.shape == reference.shape, reference.name
            assert np.array_equal(values, ours.reshape(values.shape)), reference.name
            reference.test(values)
            passed.append(reference.name)
    assert absent == NOT_DISTRIBUTED
    assert refused == {f"{name}.dcm" for name in REFUSED}
    assert len(passed) >= 30
    facts = {"passed": len(passed), "refused": sorted(refused), "absent": sorted(absent)}
    record_evidence("pydicom_references", facts)


def gray_references() -> Iterator[Any]:
    """pydicom's references of gray images, and those of which nothing but the name is here."""
    for references in pixel_references().PIXEL_REFERENCE.values():
        for reference in references:
            if find_file(reference.name) is None:
                if reference.name not in COLOR_NOT_DISTRIBUTED:
                    yield reference
            elif reference.ds.PhotometricInterpretation in GRAY:
                yield reference


@pytest.mark.parametrize("image", ["CT1", "MR1", "NM1", "RG3"])
def test_the_lossless_codecs_of_one_image_give_the_uncompressed_one(
    image: str, files: list[Found]
) -> None:
    by_name = {f.name: f.path for f in files if f.collection == "conformance"}
    truth = pydicom.dcmread(by_name[f"nema_wg04/REF/{image}_UNC.zst"]).pixel_array
    coded = [f"nema_wg04/{codec}/{image}_{codec}" for codec in ("J2KR", "JLSL", "JPLL", "RLE")]
    for name in (*coded, f"htj2k/{image}.j2c"):
        _, ours = decoded(by_name[name])
        assert np.array_equal(ours[0], truth), name
