"""The counter hash, against whole numbers of Python."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.augment.hashing import hashed, upload_keys


def mix(value: int) -> int:
    for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97)):
        value = ((value ^ (value >> shift)) * factor) % 2**32
    return value ^ (value >> 15)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4), st.integers(1, 30))
def test_a_number_is_the_hash_of_its_place_and_key(keys: list[int], count: int) -> None:
    found = hashed(torch.tensor(keys), count)
    wanted = [[mix(mix(place) ^ key) for place in range(count)] for key in keys]
    assert found.tolist() == wanted


def test_every_bit_is_set_half_of_the_time_whatever_the_key() -> None:
    bits = (hashed(torch.arange(4), 1 << 15)[..., None] >> torch.arange(32)) & 1
    share = bits.double().mean(dim=1)
    assert (share - 0.5).abs().max() < 4.5 * 0.5 / 2**7.5  # 128 shares, deviations of one


def test_keys_cover_32_bits() -> None:
    keys = upload_keys(np.array([0.0, 0.5, 1 - 2**-53]), torch.device("cpu"))
    assert keys.tolist() == [0, 2**31, 2**32 - 1]
