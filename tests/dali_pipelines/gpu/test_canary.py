"""Two pictures of one codestream: the same to the bit, or the class moves to the CPU."""

import logging
from collections import Counter

import numpy as np
import pytest
import torch

from dali_pipelines.gpu.canary import FRAMES, Canary
from dali_pipelines.routing import class_of
from dali_pipelines.stages import Pixels
from dali_pipelines.verdicts import Reason, RejectError

pytestmark = pytest.mark.usefixtures("host_device")

VALUES = np.array([[0, 1, 2047], [2048, 4094, 4095]], np.uint16)


@pytest.fixture
def canary():
    return Canary(Counter())


def on_cpu(values=VALUES):
    return Pixels(values)


def on_gpu(values=VALUES, lowest=0):
    """12 bits spread over 16; `lowest` is what the 4 bits below them hold."""
    return Pixels(torch.from_numpy((values << 4) + np.uint16(lowest)), 4)


@pytest.mark.parametrize("lowest", [0, 7, 15])
def test_the_same_picture_is_the_gpus(lowest, canary, record_of):
    pixels = on_gpu(lowest=lowest)
    assert canary.compare(record_of(), pixels, on_cpu()) is pixels
    assert not canary.is_banned(record_of())


@pytest.mark.parametrize("place", [(0, 0), (1, 2)])
def test_one_wrong_bit_gives_the_cpus_picture_and_moves_the_class(place, canary, record_of):
    wrong = VALUES.copy()
    wrong[place] ^= 1
    truth = on_cpu()
    assert canary.compare(record_of(), on_gpu(wrong), truth) is truth
    assert canary.is_banned(record_of(path="/b.dcm", height=9))


def test_only_the_class_moves(canary, record_of):
    canary.ban(record_of(manufacturer="Acme"), "it lies")
    assert canary.is_banned(record_of(manufacturer="Acme"))
    for change in ({"manufacturer": "Emca"}, {"precision": 16}, {"kind": "htj2k"}):
        assert not canary.is_banned(record_of(**{"manufacturer": "Acme", **change}))


def test_bits_above_the_stored_value_say_nothing(canary, record_of):
    """A 16-bit codestream of 12-bit values: the CPU masks what overlays left above, DALI cannot."""
    record = record_of(precision=16)
    pixels = Pixels(torch.from_numpy(VALUES | np.uint16(0xA000)), 0)
    assert canary.compare(record, pixels, on_cpu()) is pixels


def test_an_odd_high_bit_is_shifted_on_both_sides(canary, record_of):
    """12 stored bits that hang from bit 15: the CPU shifts by 4, the GPU by 0 + 4."""
    record = record_of(precision=16, high_bit=15)
    hanging = VALUES << np.uint16(4)
    pixels = Pixels(torch.from_numpy(hanging | np.uint16(9)), 4)
    assert canary.compare(record, pixels, Pixels(hanging, 4)) is pixels


def test_a_rejected_codestream_says_nothing_of_its_class(canary, record_of):
    error = RejectError(Reason.CORRUPT, "it is")
    assert canary.compare(record_of(), on_gpu(), error) is error
    assert not canary.is_banned(record_of())
    assert canary.wants(record_of())


def test_frames_are_compared_until_enough_agreed(canary, record_of):
    for _ in range(FRAMES):
        assert canary.wants(record_of())
        canary.compare(record_of(), on_gpu(), on_cpu())
    assert not canary.wants(record_of())
    assert canary.wants(record_of(manufacturer="Emca"))


def test_the_first_frames_of_each_class_are_claimed(canary, record_of):
    claims = [canary.claims(record_of()) for _ in range(FRAMES + 2)]
    assert claims == [True] * FRAMES + [False] * 2
    assert canary.claims(record_of(precision=16))


def test_a_ban_is_said_once_and_counted_once(caplog, record_of):
    counts = Counter()
    canary = Canary(counts)
    record = record_of(manufacturer="Acme")
    with caplog.at_level(logging.WARNING, "mammo.decode"):
        canary.ban(record, "it lies")
        canary.ban(record, "it lies again")
    (said,) = caplog.messages
    assert said.startswith("j2k of 12 bits, by Acme: it lies; the CPU")
    assert counts == {f"moved to the cpu: {class_of(record)}": 1}


def test_comparisons_are_counted(record_of):
    counts = Counter()
    canary = Canary(counts)
    canary.compare(record_of(), on_gpu(), on_cpu())
    canary.compare(record_of(), on_gpu(), RejectError(Reason.CORRUPT, "it is"))
    assert counts == {"canary frames": 1}
