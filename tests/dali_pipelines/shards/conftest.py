"""Five small images whose prepared values are known, and what a folder of shards holds."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.phantom.header import HeaderSpec, make_uid
from dali_pipelines.phantom.write import write_dicom
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.shards.rows import read_rows
from dali_pipelines.shards.settings import ShardSettings, stored_shape
from dali_pipelines.shards.stored_images import StoredImages
from dali_pipelines.storage.archive import Source

SIZE = (8, 6)


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """Whole images as they are: display values are the stored 16 bits."""
    resize = ResizeSettings(size=SIZE, fit="stretch", bits=16, mean=0.25, std=0.5)
    return Recipe("whole", roi=RoiSettings(method="none", mirror="none"), resize=resize)


@pytest.fixture
def settings() -> ShardSettings:
    """Two images a shard, so that five make three."""
    return ShardSettings(images=2, batch=2)


@pytest.fixture
def records(tmp_path: Path, noise: Callable) -> list[ImageRecord]:
    """Five raw images of 8 x 6 px and 16 bits, number k of `noise` with seed k."""
    made = []
    folder = tmp_path / "dicom"
    folder.mkdir()
    for k in range(5):
        spec = HeaderSpec(precision=16, sop_uid=make_uid(f"image {k}"))
        write_dicom(folder / f"{k}.dcm", noise(16, SIZE, seed=k), spec)
        made.append(read_image(Source(str(folder / f"{k}.dcm")), b"k" * 32, ReadOptions()))
    return made


@pytest.fixture
def images_in(recipe: Recipe) -> Callable[..., np.ndarray]:
    """images_in(folder of a shard, settings) -> all its images, (N, C, H, W)."""

    def read(folder: Path, settings: ShardSettings) -> np.ndarray:
        shape = stored_shape(recipe, settings)
        stored = StoredImages(folder, read_rows(folder), settings, shape)
        assert stored.are_whole()
        return np.array([stored[k] for k in range(len(stored))]).reshape(-1, *shape)

    return read


@pytest.fixture
def files_in() -> Callable[[Path], dict[str, bytes]]:
    """files_in(folder) -> the content of each file below it, hidden ones too, by relative path."""

    def read(folder: Path) -> dict[str, bytes]:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}

    return read
