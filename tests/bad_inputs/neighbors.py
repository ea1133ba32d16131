"""The good images beside a bad input, and what the loader makes of all that a scan accepted."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.plan import sequential_blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.verdicts import Reject
from tests.bad_inputs.sound import sound_file

GOOD = {"a_good.dcm": "raw", "z_good.dcm": "rle"}  # the first and the last file of a folder
IN_THREADS = LoaderSettings(readers=1, threads=1, prefetch=1, isolation="thread")
IN_PROCESSES = LoaderSettings(readers=2, threads=2)

_RECIPE = Recipe("small", resize=ResizeSettings(size=(16, 12)))

Images = dict[str, np.ndarray]


def write_good(root: Path) -> None:
    """Write the good images into that folder."""
    for name, syntax in GOOD.items():
        sound_file(Path(name), syntax).write(root / name)


def load(
    records: Sequence[ImageRecord], settings: LoaderSettings = IN_THREADS
) -> tuple[Images, list[Reject]]:
    """What the loader makes of the records: prepared images by image_id, and rejects."""
    images = {}
    with Loader(records, _RECIPE, settings, device="cpu") as loader:
        for batch in loader.run(sequential_blocks(len(records), 8)):
            for name, valid, image in zip(batch.image_ids, batch.valid, batch.images, strict=True):
                if valid:
                    images[name] = image.numpy()
        return images, loader.rejects


def apart(records: Iterable[ImageRecord]) -> tuple[list[ImageRecord], list[ImageRecord]]:
    """The good images, without what depends on the folder, and the others."""
    good, others = [], []
    for record in records:
        name = os.path.basename(record.location.path)
        if name in GOOD:
            place = replace(record.location, path=name, mtime_ns=0)
            good.append(replace(record, location=place))
        else:
            others.append(record)
    return good, others
