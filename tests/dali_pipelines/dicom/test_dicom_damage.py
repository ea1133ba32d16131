"""A damaged file gives a verdict, never another exception and never a picture that is not whole."""

import random
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dali_pipelines.phantom.encode import SYNTAXES, encode_frame
from dali_pipelines.reader import read_encoded
from dali_pipelines.records import ImageRecord
from dali_pipelines.verdicts import Reason, RejectError

Read = Callable[..., ImageRecord]
HARMLESS = ({"no_seq_delim"}, {"no_seq_delim", "length_beyond_eof"})
LOST_BEFORE_PIXELS = {Reason.TRUNCATED, Reason.NO_PIXELS, Reason.NOT_DICOM, Reason.EMPTY}


@pytest.fixture(scope="module")
def whole_files(new_dicom: Any) -> dict[str, bytes]:
    """A file of 40 x 30 pixels in every syntax."""
    values = np.random.default_rng(1).integers(0, 4096, (40, 30)).astype(np.uint16)
    lut = {"LUTDescriptor": (256, 0, 12), "LUTData": tuple(range(256))}
    view = {"CodeValue": "R-10226", "CodingSchemeDesignator": "SRT"}
    files = {}
    for name in SYNTAXES:
        file = new_dicom(Rows=40, Columns=30, VOILUTSequence=[lut], ViewCodeSequence=[view])
        file.syntax, file.implicit = SYNTAXES[name], name == "implicit"
        data = encode_frame(values, 12, name)
        native = name in ("raw", "implicit", "deflated")
        file.pixels = data if native else [data[:500], data[500:]]
        files[name] = file.encode()
        if name == "deflated":
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            packed = packer.compress(file.data_set()) + packer.flush()
            files[name] = bytes(128) + b"DICM" + file.meta() + packed
    return files


def cuts(size: int, count: int) -> list[int]:
    spread = {round(step * (size - 1) / count) for step in range(count)}
    return sorted(spread | {*range(size - 12, size)})


@pytest.mark.parametrize("name", sorted(SYNTAXES))
def test_a_cut_file_never_gives_an_image(
    whole_files: dict[str, bytes], read_dicom: Read, name: str
) -> None:
    whole = whole_files[name]
    complete = read_dicom(whole)
    for cut in cuts(len(whole), 60):
        try:
            record = read_dicom(whole[:cut])
        except RejectError as error:
            assert error.reason in LOST_BEFORE_PIXELS | {Reason.CORRUPT}, cut  # noqa: PT017
            continue
        # Only the end mark and the padding before it may be missing, and then nothing is lost.
        assert set(record.flags) - set(complete.flags) in HARMLESS, cut
        assert record.sha256 == complete.sha256


@pytest.mark.parametrize("name", ["raw", "implicit", "j2k"])
def test_a_cut_in_the_header_says_so_at_every_byte(
    whole_files: dict[str, bytes], read_dicom: Read, name: str
) -> None:
    whole = whole_files[name]
    end = whole.index(b"\xe0\x7f\x10\x00")
    for cut in range(0, end, 7):
        with pytest.raises(RejectError) as caught:
            read_dicom(whole[:cut])
        assert caught.value.reason in LOST_BEFORE_PIXELS, cut


@pytest.mark.parametrize("name", sorted(SYNTAXES))
def test_changed_bytes_give_a_record_or_a_verdict(
    whole_files: dict[str, bytes], read_dicom: Read, name: str
) -> None:
    dice = random.Random(name)
    for _ in range(120):
        data = bytearray(whole_files[name])
        for _ in range(dice.choice((1, 1, 2, 8))):
            data[dice.randrange(128, len(data))] = dice.choice((0, 0xFF, dice.randrange(256)))
        if dice.random() < 0.2:
            at = dice.randrange(len(data))
            data[at:at] = dice.randbytes(dice.randrange(1, 9))
        try:
            read_encoded(read_dicom(bytes(data), max_pixels=1 << 20))
        except RejectError as error:
            assert error.detail  # noqa: PT017


def test_lengths_that_lie_are_never_allocated(new_dicom: Any, read_dicom: Read) -> None:
    file = new_dicom()
    whole = file.encode()
    at = whole.index(b"\x28\x00\x10\x00US") + 6
    for lie in (b"\xff\xff", b"\xfe\xff", b"\x00\x00"):
        with pytest.raises(RejectError):
            read_dicom(whole[:at] + lie + whole[at + 2 :])
    deep = b"\x54\x00\x20\x02SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 1000
    pixels = whole.index(b"\xe0\x7f\x10\x00")
    with pytest.raises(RejectError) as caught:
        read_dicom(whole[:pixels] + deep + whole[pixels:])
    assert caught.value.reason is Reason.CORRUPT


def test_a_real_file_cut_anywhere_gives_no_image(shared_data: Path, read_dicom: Read) -> None:
    for name in ("mammograms/OutOfBoundsOverlay.dcm", "conformance/nema_wg04/RLE/NM1_RLE"):
        whole = (shared_data / name).read_bytes()
        for cut in [round(share * len(whole)) for share in (0.001, 0.01, 0.3, 0.5, 0.9, 0.999)]:
            with pytest.raises(RejectError) as caught:
                read_dicom(whole[:cut])
            assert caught.value.reason in LOST_BEFORE_PIXELS, (name, cut)
