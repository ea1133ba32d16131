"""No file that was cut anywhere gives an image, in any syntax that carries an end to look for."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dali_pipelines.cpu.decode import decode
from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.phantom.header import HeaderSpec
from dali_pipelines.phantom.write import write_dicom
from dali_pipelines.reader import read_encoded
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import RejectError

SYNTAXES = ["raw", "implicit", "deflated", "rle", "j2k", "j2k_boxed", "htj2k", "jpegls", "jpeg_sv1"]
KEY = b"k" * 32


def outcome(path: Path, options: ReadOptions) -> str:
    """The code that the file ends with, "image" where it gives one."""
    try:
        decode(read_encoded(read_image(Source(str(path)), KEY, options)))
    except RejectError as error:
        return error.reason.value
    return "image"


@pytest.mark.slow
@pytest.mark.parametrize("hashed", [True, False], ids=["hashed", "no-hash"])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_cut_file_never_gives_an_image(
    syntax: str, hashed: bool, tmp_path: Path, full: bool, record_evidence: Callable
) -> None:
    rng = np.random.default_rng(7)
    values = (rng.random((200, 160)) * 3000 + np.arange(160)).astype(np.uint16)
    path = tmp_path / "whole.dcm"
    write_dicom(path, values, HeaderSpec(syntax=syntax))
    whole = path.read_bytes()
    options = ReadOptions(hash=hashed)
    assert outcome(path, options) == "image"
    # the last bytes are the sequence delimiter and padding, which hold nothing of the image
    cuts = rng.integers(1, len(whole) - 16, 250 if full else 25)
    outcomes = Counter()
    for cut in [*cuts.tolist(), len(whole) // 2]:
        path.write_bytes(whole[:cut])
        outcomes[outcome(path, options)] += 1
    record_evidence(f"truncation-{syntax}-{'hash' if hashed else 'no-hash'}", dict(outcomes))
    assert outcomes["image"] == 0
