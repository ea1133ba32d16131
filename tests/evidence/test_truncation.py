"""No file that lost some of its end gives a picture, in any syntax that lets one see it.

A cut is made twice: in the file, and in the codestream, which then goes back into a file of right
lengths and is closed with EOI or EOC, as a repair tool would do it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from dali_pipelines.cpu.decode import decode
from dali_pipelines.decoder import Decoder
from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.reader import read_encoded
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import RejectError
from tests.evidence import cuts

KEY = b"k" * 32
LOSSLESS = (*cuts.PLAIN, *cuts.MADE)
# A run of RLE ends with its row, so the byte that makes a segment's length even is padding.
PADDED = {"rle"}


class Judge:
    """Takes a file the whole way, as scan and loader do, with both isolation modes' decoders."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "cut.dcm"
        self._open = ExitStack()
        pool = self._open.enter_context(ThreadPoolExecutor(1))
        self._decoders = [
            Decoder(LoaderSettings(isolation=isolation, threads=1), Recipe("any"), pool)
            for isolation in ("thread", "process")
        ]
        for decoder in self._decoders:
            self._open.callback(decoder.close)

    def __enter__(self) -> "Judge":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def pictures(self, data: bytes) -> Iterator[tuple[str, ImageRecord | None, np.ndarray | None]]:
        """The code that the file ends with, or "image" and its values, for each way of going."""
        self._path.write_bytes(data)
        for hashed in (True, False):
            try:
                record = read_image(Source(str(self._path)), KEY, ReadOptions(hash=hashed))
                encoded = read_encoded(record)
            except RejectError as error:
                yield error.reason.value, None, None
                continue
            for decoder in self._decoders:
                (result,) = decoder.decode([encoded])
                if isinstance(result, RejectError):
                    yield result.reason.value, record, None
                else:
                    yield "image", record, np.asarray(result.values)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    with Judge(tmp_path_factory.mktemp("cuts")) as judge:
        yield judge


@pytest.fixture(scope="module")
def values() -> np.ndarray:
    """A bright disk on a dark ground with noise, (192, 128), 12 bit: 3 x 2 tiles."""
    rows, columns = np.indices((192, 128))
    disk = np.hypot(rows - 96, columns) < 90
    noise = np.random.default_rng(7).random(disk.shape)
    return (disk * 2500 + noise * np.where(disk, 1500, 40)).astype(np.uint16)


@pytest.fixture(scope="module")
def facts() -> dict:
    """What all tests of this file found out, for the record."""
    return {"cut points": 0, "outcomes": {}}


def outcomes_of(judge: Judge, files: Iterable[bytes], sound: np.ndarray) -> Counter[str]:
    """How often each code came up; "same picture" where nothing of it was lost."""
    found: Counter[str] = Counter()
    for data in files:
        for code, _, values in judge.pictures(data):
            same = values is not None and np.array_equal(values, sound)
            found["same picture" if same else code] += 1
    return found


def all_cuts(whole: bytes, count: int, most: int = cuts.ALL) -> dict[str, Iterator[bytes]]:
    """Each form of cut with its files: `count` random ones, and those at `most` boundaries."""
    rng = np.random.default_rng(7)
    return {
        "file": cuts.cut_files(whole, rng, count, most),
        "codestream, closed": cuts.cut_streams(whole, rng, count, most),
    }


@pytest.mark.slow
@pytest.mark.parametrize("syntax", LOSSLESS)
def test_a_cut_gives_no_picture(
    syntax: str, judge: Judge, values: np.ndarray, full: bool, tmp_path: Path, facts: dict
) -> None:
    whole = cuts.sound_file(tmp_path, syntax, values)
    assert {code for code, _, _ in judge.pictures(whole)} == {"image"}
    for form, files in all_cuts(whole, 250 if full else 12).items():
        made = list(files)
        found = outcomes_of(judge, made, values)
        facts["cut points"] += len(made)
        facts["outcomes"][f"{syntax}, {form}"] = dict(found)
        assert found["image"] == 0, f"{form}: {found}"
        assert found["same picture"] == 0 or syntax in PADDED, f"{form}: {found}"


@pytest.mark.slow
@pytest.mark.parametrize("syntax", ["j2k tiles", "htj2k tile-parts", *cuts.ODD])
def test_missing_tiles_and_tile_parts_give_no_picture(
    syntax: str, judge: Judge, values: np.ndarray, tmp_path: Path, facts: dict
) -> None:
    whole = cuts.sound_file(tmp_path, syntax, values)
    forms = {
        "tile-parts gone": cuts.cut_tiles(whole, told=True, open_end=False),
        "tile-parts gone, TNsot 0": cuts.cut_tiles(whole, told=False, open_end=False),
        "tile-parts gone, TNsot 0, Psot 0": cuts.cut_tiles(whole, told=False, open_end=True),
    }
    if syntax == "htj2k tile-parts":
        forms |= {
            "last parts of all tiles gone": cuts.without_last_parts(whole, told=None),
            "last parts of all tiles gone, TNsot 0": cuts.without_last_parts(whole, told=0),
            "last parts of all tiles gone, TNsot made right": cuts.without_last_parts(whole, -1),
        }
    for form, files in forms.items():
        found = outcomes_of(judge, files, cuts.sound_values(syntax, values))
        facts["outcomes"][f"{syntax}, {form}"] = dict(found)
        assert sum(found.values()) > 0
        assert found["image"] == found["same picture"] == 0, f"{form}: {found}"


@pytest.mark.slow
@pytest.mark.parametrize("syntax", ["j2k", "htj2k", "j2k tiles", *cuts.ODD])
def test_a_cut_between_packets_gives_no_picture_though_psot_is_made_right(
    syntax: str, judge: Judge, values: np.ndarray, full: bool, tmp_path: Path, facts: dict
) -> None:
    whole = cuts.sound_file(tmp_path, syntax, values)
    sound = cuts.sound_values(syntax, values)
    assert all(np.array_equal(found, sound) for _, _, found in judge.pictures(whole))
    few = 12 if syntax in cuts.ODD else 60
    files = cuts.cut_packets(whole, np.random.default_rng(7), 600 if full else few)
    found = outcomes_of(judge, files, sound)
    facts["outcomes"][f"{syntax}, last tile-part cut, Psot made right"] = dict(found)
    assert found["image"] == found["same picture"] == 0, found


@pytest.mark.slow
@pytest.mark.parametrize("syntax", LOSSLESS)
def test_what_lost_padding_or_its_delimiter_is_the_same_picture_with_a_flag(
    syntax: str, judge: Judge, values: np.ndarray, tmp_path: Path
) -> None:
    whole = cuts.sound_file(tmp_path, syntax, values)
    before = next(iter(judge.pictures(whole)))[1].flags
    for data, flags in cuts.harmless_cuts(whole):
        if syntax == "deflated":
            continue  # its end is that of the deflate stream: nothing after it can be lost
        for hashed, (code, record, found) in enumerate(judge.pictures(data)):
            assert code == "image", (flags, code)
            assert np.array_equal(found, values), flags
            seen = flags if hashed < 2 else flags - {"trailing_bytes"}  # which the hash finds
            assert set(record.flags) - set(before) == seen


@pytest.mark.slow
@pytest.mark.parametrize("syntax", cuts.DCT)
def test_what_cannot_be_proved_says_so(
    syntax: str, judge: Judge, values: np.ndarray, full: bool, tmp_path: Path, facts: dict
) -> None:
    """A DCT codestream that was cut and closed is a sound one, with a gray end: hence the flag."""
    whole = cuts.sound_file(tmp_path, syntax, values)
    sound = next(iter(judge.pictures(whole)))
    assert "unproven" in sound[1].flags
    for form, files in all_cuts(whole, 250 if full else 12).items():
        found: Counter[str] = Counter()
        for data in files:
            for code, record, picture in judge.pictures(data):
                found[code] += 1
                if picture is not None and record.sha256:
                    assert "unproven" in record.flags
        facts["outcomes"][f"{syntax}, {form}"] = dict(found)
        assert form != "file" or found["image"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("syntax", LOSSLESS)
def test_a_real_mammogram_that_was_cut_gives_no_picture(
    syntax: str, judge: Judge, shared_data: Path, full: bool, tmp_path: Path, facts: dict
) -> None:
    """GH133, transcoded: all of it in a full run, 256 x 192 px of it otherwise."""
    source = Source(str(shared_data / "mammograms/GH133.dcm"))
    encoded = read_encoded(read_image(source, KEY, ReadOptions()))
    values = np.asarray(decode(encoded).values)
    rows, columns = (side // 64 * 64 for side in values.shape) if full else (256, 192)
    values = np.ascontiguousarray(values[:rows, :columns])
    assert values.max() < 4096
    whole = cuts.sound_file(tmp_path, syntax, values)
    for form, files in all_cuts(whole, *((10, 10) if full else (2, 2))).items():
        found = outcomes_of(judge, files, values)
        facts["outcomes"][f"GH133, {syntax}, {form}"] = dict(found)
        assert found["image"] == 0, f"{form}: {found}"


@pytest.mark.slow
def test_the_figures_are_kept(record_evidence: Callable, facts: dict) -> None:
    """Last in this file: what the tests above counted, two scans and two decoders a file."""
    assert facts["outcomes"]
    record_evidence("truncation", facts)
