"""Which image goes into which shard, and by what an image that is there already is known again.

A shard is a unit of its own: the images of its stretch of the manifest, by id and content. Another
manifest, another process or another share of the work leaves a shard alone that is as planned.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from dali_pipelines.columns import grayscale_to_json
from dali_pipelines.errors import ConfigError
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import Grayscale, ImageRecord
from dali_pipelines.shards.settings import ShardSettings, kept_recipe

_CONTENT_DIGITS: Final = 16  # hexadecimal, 64 bits: compared for one image_id only
_PREFIX: Final = "shard-"


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """One image: its position among the records, and a digest of all that its pixels come from."""

    index: int
    record: ImageRecord
    content: str


@dataclass(frozen=True, slots=True)
class PlannedShard:
    """The shard in `folder`."""

    folder: Path
    images: tuple[PlannedImage, ...]


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """All shards of `records` below one folder, in order."""

    out: Path
    records: Sequence[ImageRecord]
    recipe: Recipe
    settings: ShardSettings
    shards: tuple[PlannedShard, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over all that the rows of the shards take from the manifest."""
        images = (image for shard in self.shards for image in shard.images)
        lines = (f"{i.record.image_id} {i.content} {label_of(i.record)}" for i in images)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Share:
    """The part of the shards that one process makes: shard k where k mod `of` is `number`."""

    number: int = 0
    of: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.number < self.of:
            raise _no_share(f"{self.number}/{self.of}")

    def take(self, plan: ShardPlan) -> tuple[PlannedShard, ...]:
        """The shards of this part."""
        return plan.shards[self.number :: self.of]

    def count(self, images: int, size: int) -> int:
        """How many of `images` lie in its shards, of up to `size` each."""
        firsts = range(self.number * size, images, self.of * size)
        return sum(min(size, images - first) for first in firsts)


def parse_share(text: str) -> Share:
    """The share that a text like "0/3" names; ConfigError where it names none."""
    number, slash, of = text.partition("/")
    if not (slash and number.isascii() and number.isdecimal() and of.isdecimal()):
        raise _no_share(repr(text))
    return Share(int(number), int(of))


def _no_share(found: str) -> ConfigError:
    return ConfigError(f"--shard is i/n with i from 0 to n - 1, such as 0/3, not {found}")


def plan_shards(
    records: Sequence[ImageRecord], recipe: Recipe, settings: ShardSettings, out: Path
) -> ShardPlan:
    """The shards of the records below `out`, in order; nothing is read or written.

    Their recipe is `recipe` as shards of these settings keep it.

    Raises ConfigError where there is no record.
    """
    if not records:
        raise ConfigError("the manifest holds no image to prepare")
    images = [PlannedImage(k, record, content_of(record)) for k, record in enumerate(records)]
    size = settings.images
    shards = tuple(
        PlannedShard(out / shard_name(number), tuple(images[first : first + size]))
        for number, first in enumerate(range(0, len(images), size))
    )
    return ShardPlan(out, records, kept_recipe(recipe, settings), settings, shards)


def shard_name(number: int) -> str:
    """The name of a shard's folder."""
    return f"{_PREFIX}{number:05d}"


def shard_number(name: str) -> int | None:
    """The number of the shard in a folder of that name; None where it is no shard's."""
    digits = name.removeprefix(_PREFIX)
    is_ours = digits != name and digits.isascii() and digits.isdecimal()
    return int(digits) if is_ours and name == shard_name(int(digits)) else None


def label_of(record: ImageRecord) -> tuple[str, str]:
    """What a row says of the picture that its pixels do not depend on: laterality and view."""
    return record.tags.laterality, record.tags.view


def content_of(record: ImageRecord) -> str:
    """A digest of the codestream and of how its values are to be read.

    The codestream stands by its hash, else by where in which file it lies.
    """
    place, tags = record.location, record.tags
    stream = record.sha256 or f"{place.file_size} {place.mtime_ns} {place.fragments}"
    layout = (tags.rows, tags.columns, tags.bits_allocated, tags.bits_stored, tags.high_bit)
    read_by = (tags.transfer_syntax_uid, tags.manufacturer)  # order of bytes; whose LUTs count
    parts = (stream, place.frame_fragments, layout, tags.signed, read_by, record.stream)
    text = f"{parts!r} {_grayscale_digest(record.grayscale)}"
    return hashlib.sha256(text.encode()).hexdigest()[:_CONTENT_DIGITS]


@lru_cache(maxsize=1024)
def _grayscale_digest(grayscale: Grayscale) -> str:
    return hashlib.sha256(grayscale_to_json(grayscale).encode()).hexdigest()
