"""Leaving out levels gives the low-pass band to the bit, or the whole image, or nothing."""

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dali_pipelines.codestream.stream import read_stream_info
from dali_pipelines.cpu import reduced_decode
from dali_pipelines.cpu.decode import decode
from dali_pipelines.cpu.reduced_decode import decode_reduced
from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.geometry import placement
from dali_pipelines.phantom.encode import encode_frame
from dali_pipelines.pixel_settings import DecodeSettings, ResizeSettings
from dali_pipelines.reader import read_encoded
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import Window
from dali_pipelines.shading import image_shading
from dali_pipelines.stages import Encoded
from dali_pipelines.steps import load_steps
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import Reason, RejectError
from dali_pipelines.voi_settings import Voi

J2K = ["j2k", "htj2k"]


def recipe(reduce: int | str, size: tuple[int, int] = (1536, 768), fit: str = "pad") -> Recipe:
    return Recipe("any", DecodeSettings(reduce), resize=ResizeSettings(size, fit))


def low_pass_rows(rows: np.ndarray) -> np.ndarray:
    """The even samples after the reversible 5-3 lifting steps of T.800 F.4.8.1, down the rows."""
    count = len(rows)
    if count == 1:
        return rows

    def at(k: int) -> np.ndarray:  # mirrored at the first and the last sample, T.800 F.4.7
        k = abs(k)
        return rows[k if k < count else 2 * (count - 1) - k]

    def high(n: int) -> np.ndarray:
        return at(2 * n + 1) - (at(2 * n) + at(2 * n + 2) >> 1)

    halves = range((count + 1) // 2)
    return np.stack([at(2 * n) + (high(n - 1) + high(n) + 2 >> 2) for n in halves])


def low_pass(values: np.ndarray, precision: int, levels: int) -> np.ndarray:
    """The band that remains, back at its DC level and cut off (T.800 G.1.2)."""
    middle = 1 << (precision - 1)
    band = values.astype(np.int64) - middle
    for _ in range(levels):
        band = low_pass_rows(low_pass_rows(band).T).T
    return np.clip(band + middle, 0, 2 * middle - 1)


def test_the_reference_by_hand() -> None:
    # high pass 8 - (0 + 4) / 2 = 6, mirrored; then 0 + (6 + 6 + 2) / 4 = 3, 4 + (6 + 6 + 2) / 4 = 7
    assert low_pass_rows(np.array([0, 8, 4])).tolist() == [3, 7]
    # high pass 1 - (0 + 6) / 2 = -2, 9 - 6 = 3, and 6 + (-2 + 3 + 2) / 4 = 6.75, rounded down
    assert low_pass_rows(np.array([0, 1, 6, 9])).tolist() == [-1, 6]


@pytest.mark.parametrize("syntax", J2K)
@pytest.mark.parametrize("precision", [8, 9, 12, 15, 16])
@pytest.mark.parametrize("shape", [(128, 96), (101, 77), (74, 123)])
def test_values_are_the_low_pass_band(
    syntax: str, precision: int, shape: tuple[int, int], noise: Callable, encoded_of: Callable
) -> None:
    values = noise(precision, shape)
    encoded = encoded_of(values, syntax, precision)
    for levels in (1, 2, 3):
        pixels = decode_reduced(encoded, recipe(levels))
        wanted = low_pass(values, precision, levels)
        assert (pixels.reduce, pixels.shift) == (levels, 0)
        assert pixels.values.dtype == np.uint16
        assert np.array_equal(pixels.values, wanted)


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    precision=st.integers(8, 16),
    levels=st.integers(1, 3),
    syntax=st.sampled_from(J2K),
    seed=st.integers(0, 99),
)
def test_any_size_and_precision(
    shape: tuple[int, int],
    precision: int,
    levels: int,
    syntax: str,
    seed: int,
    noise: Callable,
    encoded_of: Callable,
) -> None:
    values = noise(precision, shape, seed)
    pixels = decode_reduced(encoded_of(values, syntax, precision), recipe(levels))
    assert pixels.reduce <= levels
    assert np.array_equal(pixels.values, low_pass(values, precision, pixels.reduce))


def with_stream(encoded: Encoded, data: bytes) -> Encoded:
    record = dataclasses.replace(encoded.record, stream=read_stream_info(data))
    return Encoded(np.frombuffer(data, np.uint8), record)


def by_pillow(values: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "JPEG2000", no_jp2=True, **options)
    return file.getvalue()


@pytest.mark.parametrize(("coded", "asked", "given"), [(1, 0, 0), (2, 3, 1), (3, 1, 1), (4, 3, 3)])
def test_no_more_levels_than_there_are(
    coded: int, asked: int, given: int, noise: Callable, encoded_of: Callable
) -> None:
    values = noise(12, (100, 100))
    data = imagecodecs.jpeg2k_encode(
        values, codecformat="j2k", reversible=True, bitspersample=12, resolutions=coded
    )
    encoded = with_stream(encoded_of(values, "j2k", 12), bytes(data))
    pixels = decode_reduced(encoded, recipe(asked))
    assert pixels.reduce == given
    assert np.array_equal(pixels.values, low_pass(values, 12, given))


@pytest.mark.parametrize(("tile", "given"), [((32, 16), 3), ((20, 36), 2), ((15, 40), 0)])
def test_tiles_keep_their_places(
    tile: tuple[int, int], given: int, noise: Callable, encoded_of: Callable
) -> None:
    values = noise(8, (45, 50)).astype(np.uint8)
    data = by_pillow(values, tile_size=tile)
    encoded = with_stream(encoded_of(values.astype(np.uint16), "j2k", 8), data)
    pixels = decode_reduced(encoded, recipe(3))
    wanted = np.vstack(
        [
            np.hstack(
                [
                    low_pass(values[top : top + tile[1], left : left + tile[0]], 8, given)
                    for left in range(0, 50, tile[0])
                ]
            )
            for top in range(0, 45, tile[1])
        ]
    )
    assert pixels.reduce == given
    assert np.array_equal(pixels.values, wanted)


def test_an_image_that_begins_elsewhere_is_decoded_whole(
    noise: Callable, encoded_of: Callable
) -> None:
    values = noise(8, (45, 50))
    data = by_pillow(values.astype(np.uint8), offset=(3, 5), tile_offset=(0, 0), tile_size=(99, 99))
    pixels = decode_reduced(with_stream(encoded_of(values, "j2k", 8), data), recipe(1))
    assert pixels.reduce == 0
    assert np.array_equal(pixels.values, values)


def test_the_irreversible_wavelet_keeps_a_ramp(encoded_of: Callable) -> None:
    ramp = (np.arange(64)[:, None] * 40 + np.arange(48) * 10).astype(np.uint16)
    data = imagecodecs.jpeg2k_encode(
        ramp, level=100, codecformat="j2k", reversible=False, bitspersample=12
    )
    pixels = decode_reduced(with_stream(encoded_of(ramp, "j2k", 12), bytes(data)), recipe(2))
    inner = np.s_[2:-2, 2:-2]  # the mirror at the edges bends it
    assert pixels.reduce == 2
    assert np.abs(pixels.values.astype(int)[inner] - ramp[::4, ::4][inner]).max() <= 2


@pytest.mark.parametrize("syntax", ["raw", "rle", "jpegls", "jpeg_sv1"])
def test_other_codestreams_are_decoded_whole(
    syntax: str, noise: Callable, encoded_of: Callable
) -> None:
    values = noise(12)
    for reduce in (2, "auto"):
        pixels = decode_reduced(encoded_of(values, syntax, 12), recipe(reduce))
        assert pixels.reduce == 0
        assert np.array_equal(pixels.values, values)


@pytest.mark.parametrize("changes", [{"signed": True}, {"bits": 11}])
def test_patterns_that_are_no_numbers_are_not_averaged(
    changes: dict, noise: Callable, encoded_of: Callable
) -> None:
    encoded = encoded_of(noise(12), "j2k", 12)
    grayscale = dataclasses.replace(encoded.record.grayscale, **changes)
    encoded = Encoded(encoded.data, dataclasses.replace(encoded.record, grayscale=grayscale))
    pixels = decode_reduced(encoded, recipe(1))
    assert pixels.reduce == 0
    assert np.array_equal(pixels.values, decode(encoded).values)


def test_a_signed_codestream_is_decoded_whole(encoded_of: Callable) -> None:
    values = np.arange(-60, 60, dtype=np.int16).reshape(10, 12)
    data = imagecodecs.jpeg2k_encode(values, codecformat="j2k", reversible=True)
    encoded = with_stream(encoded_of(values.view(np.uint16), "j2k", 16), bytes(data))
    grayscale = dataclasses.replace(encoded.record.grayscale, signed=True, bits=16)
    record = dataclasses.replace(encoded.record, grayscale=grayscale)
    pixels = decode_reduced(Encoded(encoded.data, record), recipe(1))
    assert np.array_equal(pixels.values.view(np.int16), values)


def test_values_that_hang_from_an_odd_high_bit_stay_there(
    noise: Callable, encoded_of: Callable
) -> None:
    stored = noise(12)
    encoded = encoded_of(stored << np.uint16(4), "j2k", 16)
    tags = dataclasses.replace(encoded.record.tags, bits_stored=12, high_bit=15)
    record = dataclasses.replace(encoded.record, tags=tags)
    pixels = decode_reduced(Encoded(encoded.data, record), recipe(1))
    assert (pixels.shift, pixels.reduce) == (4, 1)
    assert np.array_equal(pixels.values, low_pass(stored.astype(int) << 4, 16, 1))


@pytest.mark.parametrize("syntax", J2K)
@pytest.mark.parametrize("share", [0.3, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("ending", [b"", b"\xff\xd9"])
def test_a_cut_codestream_never_gives_an_image(
    syntax: str, share: float, ending: bytes, noise: Callable, encoded_of: Callable
) -> None:
    """Also where its one tile-part tells the shorter length, as far as the container can lie."""
    whole = encoded_of(noise(12, (96, 80)), syntax, 12)
    kept = bytearray(whole.data[: int(len(whole.data) * share)].tobytes().rstrip(b"\xff"))
    start = kept.index(b"\xff\x90\x00\x0a")
    for honest in (False, True):
        if honest:
            kept[start + 6 : start + 10] = (len(kept) - start).to_bytes(4, "big")
        cut = Encoded(np.frombuffer(bytes(kept) + ending, np.uint8), whole.record)
        for reduce in (1, 2, 3, "auto"):
            with pytest.raises(RejectError) as caught:
                decode_reduced(cut, recipe(reduce))
            assert caught.value.reason in {Reason.TRUNCATED, Reason.CORRUPT}


def test_another_size_than_announced_is_refused(noise: Callable, encoded_of: Callable) -> None:
    encoded = encoded_of(noise(12), "j2k", 12)
    for height in (36, 38):
        stream = dataclasses.replace(encoded.record.stream, height=height)
        record = dataclasses.replace(encoded.record, stream=stream)
        with pytest.raises(RejectError) as caught:
            decode_reduced(Encoded(encoded.data, record), recipe(1))
        assert caught.value.reason is Reason.GEOMETRY


def test_no_memory_says_nothing_about_the_file(
    noise: Callable, encoded_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", exhausted)
    with pytest.raises(RejectError) as caught:
        decode_reduced(encoded_of(noise(12), "j2k", 12), recipe(1))
    assert caught.value.reason is Reason.OUT_OF_MEMORY


# "auto"


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The levels that were decoded without, in order."""
    levels: list[int] = []
    real = reduced_decode._decode_without

    def spy(encoded: Encoded, left_out: int) -> object:
        levels.append(left_out)
        return real(encoded, left_out)

    monkeypatch.setattr(reduced_decode, "_decode_without", spy)
    return levels


def breast(shape: tuple[int, int] = (256, 192)) -> np.ndarray:
    """A bright half ellipse at the left, three quarters as high and half as wide as the frame."""
    rows, columns = np.indices(shape) / np.array(shape)[:, None, None]
    inside = ((rows - 0.5) / 0.375) ** 2 + (columns / 0.5) ** 2 < 1
    return np.where(inside, 2000 + np.indices(shape)[0], 10).astype(np.uint16)


@pytest.mark.parametrize(
    ("size", "levels", "expected"),
    [
        ((20, 20), 3, [3]),  # the box is about 192 x 96, and 24 x 12 without 3 levels
        ((30, 30), 2, [3, 2]),
        ((60, 60), 1, [3, 1]),
        ((150, 150), 0, [3]),
        ((400, 400), 0, [3]),
    ],
)
def test_auto_takes_what_the_output_needs(
    size: tuple[int, int],
    levels: int,
    expected: list[int],
    tried: list[int],
    encoded_of: Callable,
) -> None:
    pixels = decode_reduced(encoded_of(breast(), "j2k", 12), recipe("auto", size))
    assert pixels.reduce == levels
    assert tried == expected
    assert pixels.values.shape == (256 >> levels, 192 >> levels)


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(8, 150),
    width=st.integers(8, 150),
    size=st.tuples(st.integers(1, 120), st.integers(1, 120)),
    fit=st.sampled_from(["pad", "stretch"]),
)
def test_auto_never_leaves_less_than_the_output_takes(
    height: int, width: int, size: tuple[int, int], fit: str, encoded_of: Callable
) -> None:
    wanted = recipe("auto", size, fit)
    encoded = encoded_of(breast((height, width)), "j2k", 12)
    pixels = decode_reduced(encoded, wanted)
    steps = load_steps("cpu")
    _, (box,) = steps.find([pixels], [image_shading(encoded.record, wanted)], wanted)
    rows, columns = placement(box, wanted.resize)
    fills = box.height >= rows.count_out and box.width >= columns.count_out
    assert pixels.reduce == 0 or fills


def test_auto_looks_again_where_the_box_shrank(
    tried: list[int], encoded_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The box that is found without 2 levels is less than twice the one found without 3."""
    boxes = iter([(16, 16), (29, 32), (60, 60)])

    def find(pixels: object, *_: object) -> reduced_decode.Roi:
        height, width = next(boxes)
        return reduced_decode.Roi(0, height, 0, width)

    monkeypatch.setattr(reduced_decode, "_find_box", find)
    encoded = encoded_of(breast(), "j2k", 12)
    assert decode_reduced(encoded, recipe("auto", (30, 30), "stretch")).reduce == 1
    assert tried == [3, 2, 1]


def test_auto_decodes_all_where_each_px_is_kept(tried: list[int], encoded_of: Callable) -> None:
    pixels = decode_reduced(encoded_of(breast(), "j2k", 12), recipe("auto", (20, 20), "keep"))
    assert (pixels.reduce, tried) == (0, [])


def test_auto_says_why_there_is_no_gray_scale(noise: Callable, encoded_of: Callable) -> None:
    wanted = dataclasses.replace(recipe("auto"), voi=Voi(use="window", fallback="reject"))
    with pytest.raises(RejectError) as caught:
        decode_reduced(encoded_of(noise(12), "j2k", 12), wanted)
    assert caught.value.reason is Reason.VOI


def test_auto_sees_the_breast_through_the_window(encoded_of: Callable) -> None:
    """A window that shows only the brightest rows makes a smaller box, so more is decoded."""
    encoded = encoded_of(breast(), "j2k", 12)
    narrow = dataclasses.replace(encoded.record.grayscale, windows=(Window(2180.0, 60.0),))
    seen = Encoded(encoded.data, dataclasses.replace(encoded.record, grayscale=narrow))
    wide = decode_reduced(encoded, recipe("auto", (24, 24))).reduce
    assert decode_reduced(seen, recipe("auto", (24, 24))).reduce < wide


def test_a_real_image_without_levels_is_its_low_pass_band(shared_data: Path) -> None:
    source = Source(str(shared_data / "mammograms" / "MG1_J2KI.dcm"))
    encoded = read_encoded(read_image(source, bytes(32), ReadOptions()))
    values = decode(encoded).values[:1024, :768]
    lossless = bytes(encode_frame(np.ascontiguousarray(values), 12, "j2k"))
    pixels = decode_reduced(with_stream(encoded, lossless), recipe(3))
    assert np.array_equal(pixels.values, low_pass(values, 12, 3))
    lossy = decode_reduced(encoded, recipe(3))  # the 9-7 wavelet: near the 5-3's band, not equal
    assert lossy.values.shape == (583, 383)
    inner = np.s_[:120, :90]
    difference = lossy.values[inner].astype(int) - pixels.values[inner]
    assert np.abs(difference).mean() < 40
