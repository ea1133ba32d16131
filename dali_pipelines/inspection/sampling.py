"""A few images that stand for all: drawn at random, but some of every class of codestream."""

import math
from collections.abc import Sequence

import numpy as np

from dali_pipelines.errors import ConfigError
from dali_pipelines.records import ImageRecord
from dali_pipelines.routing import StreamClass, class_of


def sample_size(text: str, total: int) -> int:
    """How many of `total` a text such as "100" or "5%" asks for, the latter rounded up.

    Raises ConfigError for a text that is neither.
    """
    plain = text.strip()
    if plain.isascii() and plain.isdecimal():
        return min(int(plain), total)
    number, percent, rest = plain.partition("%")
    try:
        share = float(number) / 100
    except ValueError:
        share = -1.0
    if not percent or rest or not 0 <= share <= 1:
        raise ConfigError(f"--sample is a number or a percentage like 5%, not {text!r}")
    return math.ceil(share * total)


def choose_sample(records: Sequence[ImageRecord], size: int, seed: int) -> list[int]:
    """Positions of `size` records, ascending: the same for the same seed.

    Decoders' bugs depend on the class of a codestream, so each class (kind, precision, predictor,
    manufacturer) has one record among them at least, even if that makes more than `size`.
    """
    order = np.random.default_rng(seed).permutation(len(records)).tolist()
    of_class: dict[StreamClass, int] = {}
    for k in order:
        of_class.setdefault(class_of(records[k]), k)
    chosen = set(of_class.values())
    others = [k for k in order if k not in chosen]
    return sorted([*chosen, *others[: max(0, size - len(chosen))]])
