"""Lossy codestreams of real size: our values are those of other decoders, every one of them.

What an encoder lost is its own affair; a decoder has no freedom that would show. DCT decoders do
have some (T.83), but DCMTK's and ours round alike.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from dali_pipelines.cpu.decode import decode
from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.doctor.trial_files import Trial, write_trial
from dali_pipelines.phantom.encode import encode_frame
from dali_pipelines.reader import read_encoded
from dali_pipelines.storage.archive import Source
from tests.evidence.oracles import JPEG, ORACLES

pytestmark = pytest.mark.slow

HEIGHT, WIDTH = 2294, 1914


def tissue(bits: int) -> np.ndarray:
    """(HEIGHT, WIDTH) of `bits` bits: waves and grain, half of it background."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    grain = np.random.default_rng(bits).normal(0, 0.01, (HEIGHT, WIDTH))
    waves = 0.5 + 0.3 * np.sin(columns / 90) * np.cos(rows / 70) + grain
    shown = np.where(columns < WIDTH // 2, waves, 0).clip(0, 1)
    return np.rint(shown * ((1 << bits) - 1)).astype(np.uint16)


def streams(full: bool) -> Iterator[tuple[str, str, int, bytes]]:
    """Name, end of the UID, bits, and the codestream; one quality of each unless `full`."""
    some = slice(None) if full else slice(1, 2)
    eight, twelve = tissue(8).astype(np.uint8), tissue(12)
    for level in (30, 75, 95)[some]:
        yield f"dct-8-{level}", "50", 8, imagecodecs.jpeg8_encode(eight, level=level)
        extended = imagecodecs.jpeg8_encode(twelve, level=level, bitspersample=12)
        yield f"dct-12-{level}", "51", 12, extended
    for near in (1, 3, 10)[some]:
        room = 2 * twelve.nbytes
        yield f"near-8-{near}", "81", 8, imagecodecs.jpegls_encode(eight, level=near, out=room)
        yield f"near-12-{near}", "81", 12, imagecodecs.jpegls_encode(twelve, level=near, out=room)
    for level in (35, 50, 70)[some]:
        options = {"level": level, "codecformat": "j2k", "reversible": False}
        yield f"j2k-8-{level}", "91", 8, imagecodecs.jpeg2k_encode(eight, **options)
        stream = imagecodecs.jpeg2k_encode(twelve, bitspersample=12, **options)
        yield f"j2k-12-{level}", "91", 12, stream
    yield "j2k-5-3", "91", 12, encode_frame(twelve, 12, "j2k")
    for step in (1e-3, 1e-4, 1e-5)[some]:
        stream = imagecodecs.htj2k_encode(twelve, level=step, reversible=False)
        yield f"htj2k-{step}", "203", 12, stream


def test_lossy_codestreams_decode_as_elsewhere(
    full: bool, tmp_path: Path, dcmtk: Path, record_evidence: Callable[..., None]
) -> None:
    compared: dict[str, list[str]] = {}
    for name, last, bits, stream in streams(full):
        trial = Trial(name, name, f"{JPEG}{last}", bytes(stream), tissue(bits), bits)
        path = tmp_path / "lossy.dcm"
        write_trial(path, trial)
        record = read_image(Source(str(path)), b"key", ReadOptions())
        ours = decode(read_encoded(record)).values
        for oracle, of in ORACLES[trial.uid].items():
            theirs = of(path, tmp_path)[0]
            off = np.abs(theirs.astype(np.int64) - ours)
            assert not off.any(), (name, oracle, int((off > 0).sum()), int(off.max()))
            compared.setdefault(name, []).append(oracle)
    assert len(compared) == (22 if full else 8)
    facts = {"pixels": HEIGHT * WIDTH, "different_values": 0, "equal_to": compared}
    record_evidence("lossy_syntaxes", facts)
