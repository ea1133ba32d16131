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


def outcomes_of_cuts(syntax: str, hashed: bool, path: Path, cuts: int) -> Counter[str]:
    """How a file ends that was cut at half and at `cuts` random places."""
    rng = np.random.default_rng(7)
    values = (rng.random((200, 160)) * 3000 + np.arange(160)).astype(np.uint16)
    write_dicom(path, values, HeaderSpec(syntax=syntax))
    whole = path.read_bytes()
    options = ReadOptions(hash=hashed)
    assert outcome(path, options) == "image"
    # the last bytes are the sequence delimiter and padding, which hold nothing of the image
    outcomes: Counter[str] = Counter()
    for cut in [len(whole) // 2, *rng.integers(1, len(whole) - 16, cuts).tolist()]:
        path.write_bytes(whole[:cut])
        outcomes[outcome(path, options)] += 1
    return outcomes


@pytest.mark.slow
def test_a_cut_file_never_gives_an_image(
    tmp_path: Path, full: bool, record_evidence: Callable
) -> None:
    table = {
        f"{syntax}, {'hashed' if hashed else 'not hashed'}": dict(
            outcomes_of_cuts(syntax, hashed, tmp_path / "file.dcm", 250 if full else 25)
        )
        for syntax in SYNTAXES
        for hashed in (True, False)
    }
    record_evidence("truncation", {"outcomes": table})
    assert [name for name, outcomes in table.items() if "image" in outcomes] == []
