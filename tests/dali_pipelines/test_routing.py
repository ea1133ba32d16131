"""Which decoder takes which codestream."""

import pytest

from dali_pipelines import routing
from dali_pipelines.pixel_settings import DecodeSettings
from dali_pipelines.records import StreamInfo
from dali_pipelines.routing import class_of, route, route_gpu

WHOLE = DecodeSettings()


def stream(kind="j2k", precision=12, **changes):
    predictor = 1 if kind == "jpeg_lossless" else 0
    facts = {"components": 1, "signed": False, "predictor": predictor, **changes}
    return StreamInfo(kind, 40, 30, precision=precision, **facts)


def on_gpu(stream, reduce=0, sound=True):
    return route_gpu(stream, DecodeSettings(reduce), sound_nvjpeg=sound) == "gpu"


@pytest.mark.parametrize("kind", ["j2k", "htj2k", "jpeg_lossless"])
@pytest.mark.parametrize("precision", [8, 9, 12, 15, 16])
def test_the_gpu_takes_8_to_16_bits(kind, precision):
    assert on_gpu(stream(kind, precision))


@pytest.mark.parametrize("kind", ["j2k", "htj2k", "jpeg_lossless"])
@pytest.mark.parametrize(
    "change", [{"signed": True}, {"components": 3}, {"precision": 7}, {"precision": 17}]
)
def test_the_gpu_takes_nothing_else_of_the_kinds_it_knows(kind, change):
    assert not on_gpu(stream(kind, **change))


@pytest.mark.parametrize("kind", ["raw", "rle", "jpegls", "jpeg_dct"])
@pytest.mark.parametrize("precision", [8, 12, 16])
def test_the_gpu_does_not_take_other_kinds(kind, precision):
    assert not on_gpu(stream(kind, precision))


@pytest.mark.parametrize("predictor", range(2, 8))
def test_only_predictor_1_is_decoded_on_the_gpu(predictor):
    assert not on_gpu(stream("jpeg_lossless", predictor=predictor))


def test_a_point_transform_goes_to_the_cpu():
    assert not on_gpu(stream("jpeg_lossless", point_transform=2))


def test_an_unsound_nvjpeg_loses_lossless_jpeg_only():
    assert not on_gpu(stream("jpeg_lossless"), sound=False)
    assert on_gpu(stream("j2k"), sound=False)


@pytest.mark.parametrize("reduce", [1, 2, 3, "auto"])
def test_dali_cannot_reduce(reduce):
    assert not on_gpu(stream("j2k"), reduce)
    assert not on_gpu(stream("htj2k"), reduce)
    assert on_gpu(stream("jpeg_lossless"), reduce)  # always decoded whole


@pytest.mark.parametrize(
    ("found", "decoder"),
    [
        (stream("j2k", 9), "dali"),
        (stream("htj2k", 16), "imagecodecs"),
        (stream("j2k", 8), "imagecodecs"),
        (stream("j2k", signed=True), "imagecodecs"),
        (stream("j2k", components=3), "imagecodecs"),
        (stream("jpeg_lossless"), "imagecodecs"),
        (stream("jpegls"), "imagecodecs"),
        (stream("jpeg_dct", 8), "imagecodecs"),
        (stream("rle"), "imagecodecs"),
        (stream("raw"), "numpy"),
    ],
)
def test_routes_on_the_cpu(found, decoder, monkeypatch):
    monkeypatch.setattr(routing, "has_dali", lambda: True)
    assert route(found) == decoder
    monkeypatch.setattr(routing, "has_dali", lambda: False)
    assert route(found) == ("imagecodecs" if decoder == "dali" else decoder)


def test_a_class_is_what_decoders_differ_by(record_of):
    first = record_of(kind="jpeg_lossless", precision=14, predictor=1, manufacturer="Acme")
    assert class_of(first) == class_of(
        record_of(
            kind="jpeg_lossless",
            precision=14,
            predictor=1,
            manufacturer="Acme",
            height=9,
            path="/b",
        )
    )
    for change in ({"precision": 12}, {"predictor": 6}, {"manufacturer": "Emca"}, {"kind": "j2k"}):
        facts = {"kind": "jpeg_lossless", "precision": 14, "predictor": 1, "manufacturer": "Acme"}
        assert class_of(record_of(**{**facts, **change})) != class_of(first)


def test_a_class_says_what_it_is(record_of):
    lossless = record_of(kind="jpeg_lossless", precision=14, predictor=1, manufacturer="Acme")
    assert str(class_of(lossless)) == "jpeg_lossless of 14 bits, predictor 1, by Acme"
    assert str(class_of(record_of())) == "j2k of 12 bits, by an unnamed manufacturer"


@pytest.mark.parametrize("kind", ["j2k", "htj2k", "jpeg_lossless", "raw", "rle", "jpegls"])
def test_the_maximum_over_frames_is_never_dalis(kind):
    assert route(stream(kind), frames=2) == ("numpy" if kind == "raw" else "imagecodecs")
    assert route_gpu(stream(kind), WHOLE, sound_nvjpeg=True, frames=2) == "cpu"
