"""The proof's kernel against the CPU's count of bits, and against damage that decoders let pass."""

from dataclasses import replace

import imagecodecs
import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.encaps import generate_frames

from dali_pipelines.codestream.bit_budget import Budget, needed_bits
from dali_pipelines.gpu.proof import prove
from dali_pipelines.phantom.lossless_jpeg import LosslessJpeg, encode_lossless
from dali_pipelines.records import StreamInfo
from tests.dali_pipelines.gpu.lossless_cases import Case, case_of, drift, encoded, noise

pytestmark = pytest.mark.usefixtures("each_device")

UNCODABLE = 1 << 40  # what the kernel counts for a tile with a difference that has no code


def proof_of(*cases):
    return prove(
        [case.pixels for case in cases],
        [case.budget for case in cases],
        [case.info for case in cases],
    )


def doubts(*cases):
    return proof_of(*cases).doubtful()


def assert_counted_as_on_the_cpu(*cases):
    for case, counted in zip(cases, proof_of(*cases).counted, strict=True):
        wanted = needed_bits(case.image, case.info, case.budget)
        assert counted.bits.tolist() == wanted.tolist()
        low = case.info.point_transform
        assert (counted.lowest, counted.highest) == (
            int(case.image.min()) >> low,
            int(case.image.max()) >> low,
        )


@pytest.mark.parametrize("precision", range(8, 17))
def test_whole_streams_of_a_batch_are_beyond_doubt(precision, each_device):
    cases = [
        encoded(
            noise((5 + predictor, 30 + 40 * predictor), precision, predictor),
            precision,
            predictor=predictor,
            restart_rows=rows,
        )
        for predictor in range(1, 8)
        for rows in (0, 3)
    ]
    assert_counted_as_on_the_cpu(*cases)
    each_device.launched.clear()
    assert doubts(*cases) == [False] * len(cases)
    assert each_device.launched == [("proof", "count_bits")]


SHAPES = [(1, 2), (2, 1), (1, 300), (70, 1), (31, 255), (32, 256), (33, 257), (65, 513), (64, 8)]


@pytest.mark.parametrize("rows", [0, 1, 2, 31, 32, 33, 64])
def test_tiles_and_intervals_of_any_size(rows):
    cases = [
        encoded(drift(shape, seed), predictor=4, restart_rows=min(rows, 65535 // shape[1]))
        for seed, shape in enumerate(SHAPES)
    ]
    assert_counted_as_on_the_cpu(*cases)
    assert doubts(*cases) == [False] * len(cases)


@pytest.mark.parametrize("predictor", range(1, 8))
def test_streams_of_libjpeg_turbo(predictor):
    image = drift((40, 50))
    stream = imagecodecs.jpeg8_encode(image, lossless=True, predictor=predictor, bitspersample=12)
    case = case_of(stream, image)
    assert_counted_as_on_the_cpu(case)
    assert doubts(case) == [False]


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("point_transform", [1, 3, 7])
def test_point_transform(predictor, point_transform):
    image = noise((35, 40), 10) >> point_transform << point_transform
    info = StreamInfo("jpeg_lossless", 35, 40, 1, 10, signed=False, predictor=predictor)
    info = replace(info, point_transform=point_transform)
    lengths = np.arange(17, dtype=np.uint8)[::-1] % 16 + 1
    assert_counted_as_on_the_cpu(Case(image, Budget(lengths, 6, np.zeros(6, int)), info))


def test_hand_worked_bits():
    # 8 bits, predictor 1: differences 0 and +1, then -1 and 0, each code of 2 bits.
    info = StreamInfo("jpeg_lossless", 2, 2, 1, 8, signed=False, predictor=1)
    lengths = np.array([2, 2] + [0] * 15, np.uint8)
    case = Case(np.array([[128, 129], [127, 127]], np.uint16), Budget(lengths, 2, [16]), info)
    counted = proof_of(case).counted[0]
    assert counted.bits.tolist() == [2 + 3 + 3 + 2]
    assert (counted.lowest, counted.highest) == (127, 129)


@pytest.mark.parametrize(("spare", "doubtful"), [(-1, True), (0, False), (7, False), (8, True)])
def test_0_to_7_bits_to_spare_in_each_interval(spare, doubtful):
    case = encoded(drift((9, 7)), restart_rows=4)
    needed = needed_bits(case.image, case.info, case.budget)
    for interval in range(3):
        budget = replace(case.budget, bits=needed + np.eye(3, dtype=int)[interval] * spare)
        assert doubts(replace(case, budget=budget)) == [doubtful]


def test_category_16_has_no_extra_bits():
    image = np.array([[0, 32768]], np.uint16)  # -32768, then 32768: both category 16
    case = encoded(image, 16)
    assert proof_of(case).counted[0].bits.tolist() == [2]
    assert doubts(case) == [False]


def test_a_difference_without_a_code_is_seen_in_its_interval():
    case = encoded(drift((80, 300)), restart_rows=40)
    image = case.image.copy()
    image[50, 100:103] ^= 0x800
    case = replace(case, image=image)
    first, second = proof_of(case).counted[0].bits
    assert first < UNCODABLE <= second
    assert doubts(case) == [True]


def test_nothing_but_differences_without_a_code():
    # The worst that one tile can hold, 8192 px, and then more tiles of it.
    info = StreamInfo("jpeg_lossless", 64, 512, 1, 16, signed=False, predictor=1)
    case = Case(noise((64, 512), 16), Budget(np.zeros(17, np.uint8), 64, np.zeros(1, int)), info)
    assert proof_of(case).counted[0].bits.tolist() == [4 * UNCODABLE]


def test_the_longest_codes_are_not_taken_for_missing_ones():
    # A checkerboard of differences 16384 and -16384: codes of 16 bits with 15 more, one whole tile.
    rows, columns = np.indices((32, 256))
    image = np.where((rows + columns) % 2, 32768, 16384).astype(np.uint16)
    info = StreamInfo("jpeg_lossless", 32, 256, 1, 16, signed=False, predictor=1)
    case = Case(image, Budget(np.full(17, 16, np.uint8), 32, np.zeros(1, int)), info)
    assert proof_of(case).counted[0].bits.tolist() == [31 * 32 * 256]


@pytest.mark.parametrize("predictor", [1, 4, 7])
@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_stream_cut_and_closed_with_eoi_is_doubtful(predictor, share):
    stream = encode_lossless(noise((40, 50)), LosslessJpeg(12, predictor))
    start = stream.index(b"\xff\xda") + 10
    stop = start + int((len(stream) - 2 - start) * share)
    case = case_of(stream[:stop].rstrip(b"\xff") + b"\xff\xd9")
    assert case.image.shape == (40, 50)  # it decodes without a word
    assert doubts(case) == [True]


@pytest.mark.parametrize("predictor", range(1, 8))
def test_a_changed_pixel_is_doubtful_where_it_costs_other_bits(predictor):
    case = encoded(drift((34, 41)), predictor=predictor, restart_rows=17)
    for at in ((0, 0), (16, 40), (17, 0), (33, 40)):
        image = case.image.copy()
        image[at] = 4095
        changed = replace(case, image=image)
        codes = Budget(np.full(17, 9, np.uint8), 17, case.budget.bits)  # for any difference
        assert_counted_as_on_the_cpu(replace(changed, budget=codes))
        assert doubts(case, changed, case) == [False, True, False]


@pytest.mark.parametrize("value", [0, 1, 2048, 4095])
def test_constant_output_is_doubtful(value):
    case = encoded(drift((34, 41)))
    constant = np.full((34, 41), value, np.uint16)
    assert doubts(replace(case, image=constant), case) == [True, False]
    honest = encoded(constant)  # even where the bits add up
    assert doubts(honest) == [True]
    constant[33, 40] ^= 1
    assert doubts(encoded(constant)) == [False]


def test_one_pixel_is_constant():
    case = encoded(np.array([[77]], np.uint16))
    assert_counted_as_on_the_cpu(case)
    assert doubts(case) == [True]


def test_an_empty_batch_launches_nothing(each_device):
    assert prove([], [], []).doubtful() == []
    assert each_device.launched == []


def test_pixels_of_another_shape_are_refused():
    case = encoded(drift((6, 7)))
    with pytest.raises(AssertionError):
        proof_of(replace(case, image=case.image[:5]))


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_any_batch_needs_what_it_needs_on_the_cpu(data):
    cases = []
    for _ in range(data.draw(st.integers(1, 3))):
        height, width = data.draw(st.integers(1, 70)), data.draw(st.integers(1, 300))
        precision = data.draw(st.integers(8, 16))
        info = StreamInfo(
            "jpeg_lossless",
            height,
            width,
            components=1,
            precision=precision,
            signed=False,
            predictor=data.draw(st.integers(1, 7)),
            point_transform=data.draw(st.integers(0, precision - 1)),
        )
        image = noise((height, width), precision, data.draw(st.integers(0, 9)))
        image = image >> info.point_transform << info.point_transform
        lengths = np.array(data.draw(st.lists(st.integers(1, 16), min_size=17, max_size=17)))
        rows = data.draw(st.integers(1, height))
        bits = np.zeros(-(-height // rows), int)
        cases.append(Case(image, Budget(lengths.astype(np.uint8), rows, bits), info))
    assert_counted_as_on_the_cpu(*cases)


def real_streams(folder):
    for path in [
        folder / "mammograms" / "GH133.dcm",
        folder / "mammograms" / "OutOfBoundsOverlay.dcm",
        *sorted((folder / "conformance" / "jpeg_lossless_sel1to7").glob("*sel?.dcm")),
    ]:
        header = pydicom.dcmread(path)
        yield next(generate_frames(header.PixelData, number_of_frames=1))


def test_real_files(shared_data):
    cases = [case_of(stream) for stream in real_streams(shared_data)]
    assert {case.info.predictor for case in cases} == set(range(1, 8))
    proof = proof_of(*cases)
    assert proof.doubtful() == [False] * len(cases)
    for case, counted in zip(cases, proof.counted, strict=True):
        assert counted.bits.tolist() == needed_bits(case.image, case.info, case.budget).tolist()
    zeros = [replace(case, image=np.zeros_like(case.image)) for case in cases[1:]]
    assert doubts(*zeros) == [True] * len(zeros)
