"""The bit budget of streams that libjpeg-turbo, liblj92 and the makers of real files encoded."""

from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.encaps import generate_frames

from dali_pipelines.codestream.bit_budget import prove_decoded
from dali_pipelines.codestream.stream import read_stream_info
from dali_pipelines.verdicts import Reason, RejectError

Image = NDArray[np.uint16]


def prove(stream: bytes, values: Image) -> None:
    prove_decoded(memoryview(stream), read_stream_info(stream), values)


def require_truncated(stream: bytes) -> None:
    values = imagecodecs.jpeg8_decode(stream).astype(np.uint16)  # it decodes without a word
    with pytest.raises(RejectError) as caught:
        prove(stream, values)
    assert caught.value.reason is Reason.TRUNCATED


def cut_and_closed(stream: bytes, share: float) -> bytes:
    stop = min(int(len(stream) * share), len(stream) - 3)  # of the scan, a byte is missing at least
    return stream[:stop].rstrip(b"\xff") + b"\xff\xd9"


def drift(shape: tuple[int, int], seed: int = 3) -> Image:
    """A random walk along the rows, so that the predictors differ in what they cost."""
    steps = np.random.default_rng(seed).integers(-9, 10, shape)
    return np.clip(np.cumsum(steps, axis=1) + 2000, 0, 4095).astype(np.uint16)


@pytest.mark.parametrize("predictor", range(1, 8))
def test_streams_of_libjpeg_turbo(predictor: int) -> None:
    image = drift((64, 50))
    stream = imagecodecs.jpeg8_encode(image, lossless=True, predictor=predictor, bitspersample=12)
    assert read_stream_info(stream).predictor == predictor
    prove(stream, image)
    for share in (0.5, 0.8, 0.99, 0.999):
        require_truncated(cut_and_closed(stream, share))


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_streams_of_liblj92(bits: int) -> None:
    image = (drift((40, 70)) >> max(12 - bits, 0)).astype(np.uint16)
    prove(imagecodecs.ljpeg_encode(image, bitspersample=bits), image)


def lossless_streams(folder: Path) -> list[Path]:
    return [
        folder / "mammograms" / "GH133.dcm",
        folder / "mammograms" / "OutOfBoundsOverlay.dcm",
        *sorted((folder / "conformance" / "jpeg_lossless_sel1to7").glob("*.dcm")),
        *sorted((folder / "conformance" / "nema_wg04" / "JPLL").iterdir()),
    ]


def test_real_files(shared_data: Path) -> None:
    predictors = set()
    for path in lossless_streams(shared_data):
        header = pydicom.dcmread(path)
        count = int(header.get("NumberOfFrames", 1))
        stream = next(generate_frames(header.PixelData, number_of_frames=count))
        values = imagecodecs.jpeg8_decode(stream).astype(np.uint16)
        prove(stream, values)
        predictors.add(read_stream_info(stream).predictor)
        for share in (0.5, 0.9999):
            require_truncated(cut_and_closed(stream, share))
    assert predictors == set(range(1, 8))


def test_spare_bits_of_a_real_mammogram(shared_data: Path) -> None:
    # 2 spare bits in a 16-bit SOF: less a byte, the scan is 6 bits short; with one more, 10 long.
    header = pydicom.dcmread(shared_data / "mammograms" / "GH133.dcm")
    stream = next(generate_frames(header.PixelData, number_of_frames=1))
    assert read_stream_info(stream).precision == 16
    values = imagecodecs.jpeg8_decode(stream).astype(np.uint16)
    end = stream.rindex(b"\xff\xd9")
    for scan, bits in ((stream[: end - 1], -6), (stream[:end] + b"\1", 10)):
        with pytest.raises(RejectError) as caught:
            prove(scan + b"\xff\xd9", values)
        numbers = [int(word) for word in caught.value.detail.split() if word.isdigit()]
        has, need = numbers[2:4]
        assert has - need == bits
