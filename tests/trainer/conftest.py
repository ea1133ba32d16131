"""A toy archive without files: records whose images a fake source draws from their names."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from dali_pipelines.plan import EMPTY, Blocks
from dali_pipelines.records import ImageRecord
from dali_pipelines.stages import Batch
from dali_pipelines.verdicts import Reason, Reject

SIDES = (("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO"))
BROKEN = "broken"  # manufacturer of an image that the source rejects
BRIGHT = "bright"  # manufacturer of an image with a bright square


class FakeSource:
    """As the loader, but draws 32 x 32 images: noise from the name, and a square if BRIGHT."""

    def __init__(
        self, records: Sequence[ImageRecord], recipe: object, settings: object, device: str = "cpu"
    ) -> None:
        self.records = records
        self.shown: list[str] = []
        self.on_batch: Callable[[int], None] = lambda _number: None
        self._rejects: dict[int, Reject] = {}

    def __enter__(self) -> "FakeSource":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @property
    def rejects(self) -> list[Reject]:
        return [self._rejects[index] for index in sorted(self._rejects)]

    def run(self, blocks: Blocks) -> Iterator[Batch]:
        for number, indices in enumerate(blocks):
            self.on_batch(number)
            images = torch.zeros(len(indices), 1, 32, 32)
            valid = torch.zeros(len(indices), dtype=torch.bool)
            for slot, index in enumerate(indices.tolist()):
                if index != EMPTY and self._is_whole(index):
                    images[slot, 0] = torch.from_numpy(draw(self.records[index]))
                    valid[slot] = True
                    self.shown.append(self.records[index].image_id)
            ids = tuple(self.records[i].image_id if i >= 0 else "" for i in indices.tolist())
            yield Batch(images, valid, indices, ids)

    def _is_whole(self, index: int) -> bool:
        record = self.records[index]
        if record.tags.manufacturer == BROKEN:
            place = record.location.path
            self._rejects[index] = Reject(
                place, "", record.image_id, "decode", Reason.TRUNCATED, "cut short"
            )
        return index not in self._rejects


class FakeMultiSource:
    """As the loader of several recipes: those after the first show it brighter, by 1 each."""

    def __init__(
        self, records: Sequence[ImageRecord], recipes: Sequence[object], *settings: Any
    ) -> None:
        self.source = FakeSource(records, recipes[0], *settings)
        self.recipes = recipes

    def __enter__(self) -> "FakeMultiSource":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @property
    def rejects(self) -> list[Reject]:
        return self.source.rejects

    @property
    def rejects_by_id(self) -> dict[str, Reject]:
        return {reject.image_id: reject for reject in self.source.rejects}

    def run(self, blocks: Blocks) -> Iterator[tuple[Batch, ...]]:
        for batch in self.source.run(blocks):
            yield tuple(replace(batch, images=batch.images + k) for k in range(len(self.recipes)))


def draw(record: ImageRecord) -> np.ndarray[Any, np.dtype[np.float32]]:
    rng = np.random.default_rng(zlib.crc32(record.image_id.encode()))
    image = rng.normal(0, 0.3, (32, 32)).astype(np.float32)
    if record.tags.manufacturer == BRIGHT:
        row, column = rng.integers(2, 22, 2)
        image[row : row + 8, column : column + 8] += 2
    return image


@pytest.fixture
def fake_source() -> type[FakeSource]:
    return FakeSource


@pytest.fixture
def fake_multi_source() -> type[FakeMultiSource]:
    return FakeMultiSource


@pytest.fixture
def toy_records(record_of: Callable[..., ImageRecord]) -> list[ImageRecord]:
    """16 patients of 4 views; every fourth patient has cancer on the left, where it is bright."""
    return [
        record_of(
            image_id=f"p{patient:02d}{side}{view}",
            path=f"/toy/p{patient:02d}{side}{view}",
            sop_instance_uid=f"1.2.p{patient:02d}{side}{view}",
            study_instance_uid=f"1.3.p{patient:02d}",
            patient_id=f"p{patient:02d}",
            laterality=side,
            view=view,
            manufacturer=BRIGHT if patient % 4 == 0 and side == "L" else "",
        )
        for patient in range(16)
        for side, view in SIDES
    ]


@pytest.fixture
def toy_frame(toy_records: list[ImageRecord]) -> pd.DataFrame:
    """The manifest of `toy_records` with labels and two folds, by patient."""
    from dali_pipelines.manifest_rows import to_frame

    frame = to_frame(toy_records)
    patient = frame["patient_id"].str[1:].astype(int)
    return frame.assign(
        cancer=(frame["manufacturer"] == BRIGHT).astype("Int8"),
        fold=(patient // 4 % 2).astype("Int16"),
    )


@pytest.fixture
def toy_manifest(toy_frame: pd.DataFrame, tmp_path: Path) -> Path:
    """`toy_frame` as a file."""
    from dali_pipelines.manifest import write_manifest

    write_manifest(toy_frame, tmp_path / "toy.parquet")
    return tmp_path / "toy.parquet"


@pytest.fixture
def toy_runs(toy_manifest: Path, fake_source: type[FakeSource], tmp_path: Path) -> Any:
    """Runs on `toy_manifest`, each in a folder of its own."""
    from tests.trainer.toy_runs import ToyRuns

    return ToyRuns(toy_manifest, tmp_path, fake_source)
