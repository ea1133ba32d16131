"""A few images that stand for all: drawn at random, but some of every class of codestream."""

import math
from collections.abc import Collection, Sequence

import numpy as np

from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.records import ImageRecord
from dali_pipelines.routing import StreamClass, class_of
from dali_pipelines.verdicts import Flag


def sample_size(text: str, total: int) -> int:
    """How many of `total` a text such as "100" or "5%" asks for, the latter rounded up.

    Raises ConfigError for a text that is neither, and for none at all.
    """
    plain = text.strip()
    if plain.isascii() and plain.isdecimal() and int(plain):
        return min(int(plain), total)
    number, percent, rest = plain.partition("%")
    try:
        share = float(number) / 100
    except ValueError:
        share = -1.0
    if not percent or rest or not 0 < share <= 1:
        raise ConfigError(f"--sample is a number above 0 or a percentage like 5%, not {text!r}")
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


def choose_images(
    records: Sequence[ImageRecord], ids: Collection[str], flags: Collection[Flag]
) -> list[ImageRecord]:
    """Those with one of the ids, and those with one of the flags; all where neither is given.

    Raises ConfigError where an id is that of no image, DatasetError where no image is left.
    """
    if unknown := set(ids) - {record.image_id for record in records}:
        raise ConfigError(f"no image {min(unknown)!r} among {len(records):,}; give its image_id")
    if not ids and not flags:
        return list(records)
    chosen = [r for r in records if r.image_id in ids or not set(flags).isdisjoint(r.flags)]
    if not chosen:
        raise DatasetError(
            f"the scan gave none of {len(records):,} images the flag {' or '.join(flags)}; `mammo "
            "verify --json` names the images that it flags itself, for --id"
        )
    return chosen


def draw_few(records: Sequence[ImageRecord], most: int) -> list[ImageRecord]:
    """At most so many of them, in order, drawn evenly; the same ones every time."""
    drawn = np.random.default_rng(0).permutation(len(records))[:most]
    return [records[k] for k in sorted(drawn.tolist())]
