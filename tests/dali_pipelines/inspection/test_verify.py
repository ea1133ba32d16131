"""Verification finds changed bytes, decoders that disagree, and pictures that are none."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import dali_pipelines.inspection.verify
from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.inspection.verify import KindReport, verify
from dali_pipelines.manifest import read_manifest
from dali_pipelines.manifest_rows import to_records
from dali_pipelines.phantom.header import HeaderSpec
from dali_pipelines.phantom.write import write_dicom
from dali_pipelines.records import ImageRecord
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import Flag, Reason
from tests.pool_without_children import PoolWithoutChildren

OTHERS = """
from dali_pipelines.stages import Pixels
from dali_pipelines.inspection.second_decoder import decode_second
from dali_pipelines.verdicts import Reason, RejectError
import numpy as np, os
def off_by_five(encoded, recipe):
    found = decode_second(encoded, recipe)
    values = found.values.copy()
    values[3, 4] = (values[3, 4] + 5) % 4096
    return Pixels(values, found.shift)
def refuses(encoded, recipe):
    raise RejectError(Reason.CORRUPT, "no such table")
def too_slow(encoded, recipe):
    raise RejectError(Reason.TIMEOUT, "not within 60 s")
def dies(encoded, recipe):
    os.abort()
"""


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dali_pipelines.inspection.verify, "DecodePool", PoolWithoutChildren)


@pytest.fixture
def second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """second("refuses"): this function of OTHERS is the second decoder."""
    (tmp_path / "other_decoders.py").write_text(OTHERS)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])

    def choose(name: str) -> None:
        monkeypatch.setattr(
            dali_pipelines.inspection.verify, "SECOND_DECODER", f"other_decoders:{name}"
        )

    return choose


@pytest.fixture
def image(tmp_path: Path) -> Callable[..., ImageRecord]:
    """image(syntax, values) -> the record of a new file of 12 bits."""

    def make(syntax: str, values: np.ndarray | None = None, **header: object) -> ImageRecord:
        if values is None:
            values = np.zeros((96, 80), np.uint16)
            values[10:80, :40] = np.random.default_rng(1).integers(1000, 3000, (70, 40))
        path = tmp_path / f"{syntax}.dcm"
        write_dicom(path, values, HeaderSpec(syntax=syntax, precision=12, **header))
        return read_image(Source(str(path)), b"k" * 32, ReadOptions())

    return make


def only(records: list[ImageRecord]) -> KindReport:
    (kind,) = verify(records, 1).kinds.values()
    return kind


def test_sound_images_are_equal_and_hashed(phantom_manifest: Path) -> None:
    records = to_records(read_manifest(phantom_manifest))
    calls: list[int] = []
    found = verify(records, 2, calls.append)
    assert found.rejects == []
    assert found.flags == {}
    assert calls == [0] * len(records)
    assert sum(kind.images for kind in found.kinds.values()) == len(records) == 32
    for name, kind in found.kinds.items():
        assert kind.hashed == kind.images
        assert kind.equal == (0 if name == "raw" else kind.images)
        assert kind.not_compared == sum(kind.reasons.values()) == kind.images - kind.equal
        assert kind.max_difference == 0


@pytest.mark.usefixtures("here")
def test_a_flipped_bit_is_found_by_the_hash_and_without_one_said_to_be_unknown(
    image: Callable,
) -> None:
    record = image("raw")
    path = Path(record.location.path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    now = replace(record.location, mtime_ns=path.stat().st_mtime_ns)
    found = verify([replace(record, location=now)], 1)
    assert [(r.stage, r.reason) for r in found.rejects] == [("read", Reason.CHANGED)]
    assert found.kinds["raw"].rejected == 1
    assert found.kinds["raw"].hashed == found.kinds["raw"].unhashed == 0
    blind = only([replace(record, location=now, sha256="")])
    assert (blind.rejected, blind.hashed, blind.unhashed) == (0, 0, 1)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("other", "words", "most"),
    [
        ("off_by_five", "1 of 7,680 values differ from liblj92's, by up to 5", 5),
        ("refuses", "liblj92 does not: no such table", 0),
    ],
)
def test_decoders_that_disagree_are_a_mismatch(
    other: str, words: str, most: int, image: Callable, second: Callable
) -> None:
    second(other)
    found = verify([image("jpeg_sv1")], 1)
    (reject,) = found.rejects
    assert reject.reason is Reason.MISMATCH
    assert words in reject.detail
    kind = found.kinds["jpeg_lossless"]
    assert (kind.differing, kind.equal, kind.max_difference) == (1, 0, most)


@pytest.mark.usefixtures("here")
def test_a_second_decoder_that_says_nothing_of_the_file_is_no_mismatch(
    image: Callable, second: Callable
) -> None:
    second("too_slow")
    found = verify([image("jpeg_sv1")], 1)
    assert found.rejects == []
    assert found.kinds["jpeg_lossless"].reasons == {"liblj92: not within 60 s": 1}


def test_a_second_decoder_that_dies_condemns_nothing(image: Callable, second: Callable) -> None:
    """GDCM aborts where memory is lacking, which says nothing of the file."""
    second("dies")
    found = verify([image("jpeg_sv1")], 1)
    assert found.rejects == []
    assert found.kinds["jpeg_lossless"].reasons == {
        "liblj92: the decoder process ended with status -6": 1
    }


@pytest.mark.usefixtures("here")
def test_one_bad_file_costs_one_row(image: Callable) -> None:
    good, gone, cut = image("jpeg_sv1"), image("jpegls"), image("rle")
    Path(gone.location.path).unlink()
    path = Path(cut.location.path)
    path.write_bytes(path.read_bytes()[:-600])
    stat = path.stat()
    cut = replace(
        cut, location=replace(cut.location, file_size=stat.st_size, mtime_ns=stat.st_mtime_ns)
    )
    records = [replace(r, image_id=str(k)) for k, r in enumerate((good, gone, cut))]
    found = verify(records, 2)
    assert {r.image_id: r.stage for r in found.rejects} == {"1": "read", "2": "read"}
    assert found.kinds["jpeg_lossless"].equal == 1
    assert (found.kinds["jpegls"].rejected, found.kinds["rle"].rejected) == (1, 1)


@pytest.mark.usefixtures("here")
def test_pictures_are_looked_at(image: Callable) -> None:
    blank = image("j2k", np.full((96, 80), 7, np.uint16))
    assert verify([blank], 1).flags == {Flag.CONSTANT: [blank.image_id]}
    document = verify([blank], 1).to_dict()
    assert document["flags"] == {"constant_image": [blank.image_id]}
    assert document["kinds"]["j2k"]["second"] == {
        "OpenJPEG of Pillow (another build of the same library)": 1
    }


@pytest.mark.usefixtures("here")
def test_an_image_without_a_display_is_rejected(image: Callable) -> None:
    record = image("rle")
    flat = replace(record, grayscale=replace(record.grayscale, slope=0.0))
    found = verify([flat], 1)
    assert [(r.stage, r.reason) for r in found.rejects] == [("prepare", Reason.RESCALE)]


@pytest.mark.usefixtures("here")
def test_signed_values_differ_by_what_their_sign_says(image: Callable, second: Callable) -> None:
    """Of 12 bits, -1 and 4 are 5 apart, their patterns 4095 and 4 are 4091."""
    values = np.full((96, 80), 4095, np.uint16)
    record = image("jpeg_sv1", values)
    signed = replace(record, grayscale=replace(record.grayscale, signed=True))
    second("off_by_five")
    assert only([record]).max_difference == 4091
    assert only([signed]).max_difference == 5
