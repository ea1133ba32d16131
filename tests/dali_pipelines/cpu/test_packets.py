"""JPEG 2000 with all its packets gives its picture, and none where one is missing at the end."""

import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
from PIL import Image, features

from dali_pipelines.codestream.levels import removable_levels
from dali_pipelines.codestream.open_end import ends_open
from dali_pipelines.codestream.stream import read_stream_info
from dali_pipelines.cpu.decode import decode
from dali_pipelines.cpu.reduced_decode import decode_reduced
from dali_pipelines.decoder import Decoder
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.pixel_settings import DecodeSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.stages import Encoded
from dali_pipelines.verdicts import Reason, RejectError
from tests.fuzz.tiles import encode_one, encode_tiles, join, split, untold

SHAPE = (128, 64)


@pytest.fixture(scope="module")
def values(noise: Callable) -> np.ndarray:
    return noise(12, SHAPE)


@pytest.fixture
def encoded_as(encoded_of: Callable, values: np.ndarray) -> Callable[[bytes], Encoded]:
    def make(stream: bytes) -> Encoded:
        info, plain = read_stream_info(stream), encoded_of(values, "j2k", 12).record
        grayscale = replace(plain.grayscale, bits=info.precision)
        record = replace(plain, stream=info, grayscale=grayscale)
        return Encoded(np.frombuffer(stream, np.uint8), record)

    return make


def streams(values: np.ndarray) -> Iterator[tuple[bytes, list]]:
    yield split(encode_one(values, 12))
    yield split(encode_tiles(values, 12))
    yield split(bytes(imagecodecs.htj2k_encode(values, reversible=True, tilepart=1)))
    yield split(bytes(imagecodecs.htj2k_encode(values, reversible=True, tilepart=1, tile=(64, 64))))


@pytest.mark.parametrize("open_end", [False, True])
def test_whole_streams_give_their_picture(
    open_end: bool, values: np.ndarray, encoded_as: Callable
) -> None:
    for header, parts in streams(values):
        encoded = encoded_as(join(header, untold(parts), open_end=open_end))
        assert ends_open(encoded.data, encoded.record.stream.kind)
        assert np.array_equal(decode(encoded).values, values)


FORMS = {
    "TNsot 0": lambda header, parts: join(header, untold(parts)),
    "TNsot 0, Psot 0": lambda header, parts: join(header, untold(parts), open_end=True),
    "lengths and numbers made right": lambda header, parts: join(
        header, [part._replace(of=len(parts)) for part in parts]
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_missing_tile_parts_are_noticed(
    form: str, values: np.ndarray, encoded_as: Callable
) -> None:
    header, parts = list(streams(values))[2]
    assert len(parts) == 6
    for kept in range(1, len(parts)):
        stream = FORMS[form](header, parts[:kept])
        assert imagecodecs.jpeg2k_decode(stream).shape == SHAPE  # OpenJPEG alone gives a picture
        with pytest.raises(RejectError) as caught:
            decode(encoded_as(stream))
        assert caught.value.reason is Reason.TRUNCATED


@pytest.mark.parametrize("pillow", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_a_cut_at_any_byte_gives_no_picture(
    form: str, pillow: bool, encoded_as: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without OpenJPEG in Pillow they are read whole."""
    monkeypatch.setattr(features, "check_codec", lambda _: pillow)
    values = np.zeros(SHAPE, np.uint16)
    values[40:90, 20:50] = 1000 + np.arange(30)
    header, (part,) = split(encode_one(values, 12))
    passed, pictures = [], 0
    for end in range(2, len(part.body)):
        stream = FORMS[form](header, [part._replace(body=part.body[:end])])
        try:
            imagecodecs.jpeg2k_decode(stream)
            pictures += 1
        except RuntimeError:
            continue
        try:
            decode(encoded_as(stream))
            passed.append(end)
        except RejectError as error:
            assert error.reason is Reason.TRUNCATED  # noqa: PT017
    assert pictures > 0
    assert passed == []


def odd_tiles(values: np.ndarray, kind: str, tile: tuple[int, int]) -> bytes:
    """Lossless, 8 bit, in tiles of (height, width) that leave no wavelet level to take away."""
    if kind == "htj2k":
        return bytes(imagecodecs.htj2k_encode(values, reversible=True, tile=tile))
    stream = io.BytesIO()
    picture = Image.fromarray(values)
    picture.save(stream, "JPEG2000", no_jp2=True, irreversible=False, tile_size=tile[::-1])
    return stream.getvalue()


@pytest.mark.parametrize("tile", [(77, 77), (33, 65), (50, 30)])
@pytest.mark.parametrize("kind", ["j2k", "htj2k"])
def test_a_cut_in_tiles_of_odd_size_gives_no_picture(
    kind: str, tile: tuple[int, int], encoded_as: Callable
) -> None:
    small = np.zeros(SHAPE, np.uint8)
    small[40:120, 20:60] = 100 + np.arange(40)
    whole = odd_tiles(small, kind, tile)
    assert removable_levels(whole) < 2
    assert np.array_equal(decode(encoded_as(whole)).values, small)
    header, parts = split(whole)
    pictures = 0
    for end in range(2, len(parts[-1].body)):
        stream = join(header, [*parts[:-1], parts[-1]._replace(body=parts[-1].body[:end])])
        with contextlib.suppress(RuntimeError):
            pictures += imagecodecs.jpeg2k_decode(stream).shape == SHAPE  # OpenJPEG alone
        with pytest.raises(RejectError):
            decode(encoded_as(stream))
    assert pictures > 0 or kind == "htj2k"


@pytest.mark.parametrize("kind", ["j2k", "htj2k"])
def test_a_sound_stream_that_is_read_whole_is_decoded_twice(
    kind: str, encoded_as: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more behind it, and as it is: the second alone gives the picture."""
    small = np.zeros(SHAPE, np.uint8)
    small[40:120, 20:60] = 100 + np.arange(40)
    whole = odd_tiles(small, kind, (77, 77))
    sizes: list[int] = []
    for name in ("jpeg2k_decode", "htj2k_decode"):
        plain = getattr(imagecodecs, name)

        def count(data: np.ndarray, *, plain: Callable = plain, **options: object) -> np.ndarray:
            sizes.append(len(data))
            return plain(data, **options)

        monkeypatch.setattr(imagecodecs, name, count)
    assert np.array_equal(decode(encoded_as(whole)).values, small)
    assert len(sizes) == 2
    assert sizes[0] > sizes[1] == len(whole)


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_no_other_decoder_sees_an_open_stream(
    isolation: str, values: np.ndarray, encoded_as: Callable
) -> None:
    """DALI and reduced decoding would give a picture of what is left."""
    from concurrent.futures import ThreadPoolExecutor

    header, parts = list(streams(values))[2]
    stream = bytearray(join(header, untold(parts[:3])))
    encoded = encoded_as(bytes(stream))
    encoded = replace(
        encoded, record=replace(encoded.record, stream=replace(encoded.record.stream, kind="j2k"))
    )
    with ThreadPoolExecutor(1) as pool:
        for recipe in (Recipe("any"), Recipe("small", DecodeSettings(reduce=1))):
            decoder = Decoder(LoaderSettings(isolation=isolation, threads=1), recipe, pool)
            try:
                (result,) = decoder.decode([encoded])
            finally:
                decoder.close()
            assert isinstance(result, RejectError)
            assert result.reason is Reason.TRUNCATED


def test_reduced_decoding_takes_whole_streams_and_refuses_others(
    values: np.ndarray, encoded_as: Callable
) -> None:
    recipe = Recipe("small", DecodeSettings(reduce=1))
    header, parts = list(streams(values))[2]
    pixels = decode_reduced(encoded_as(join(header, untold(parts))), recipe)
    assert (pixels.reduce, pixels.values.shape) == (1, (64, 32))
    for form in FORMS.values():
        with pytest.raises(RejectError) as caught:
            decode_reduced(encoded_as(form(header, parts[:3])), recipe)
        assert caught.value.reason is Reason.TRUNCATED
