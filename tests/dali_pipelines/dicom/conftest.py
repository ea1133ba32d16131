"""Multi-frame objects as the scan reads them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dali_pipelines.dicom.image import ReadOptions, read_images
from dali_pipelines.records import ImageRecord
from dali_pipelines.storage.archive import Source
from tests.dicom_file import DicomFile


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., tuple[ImageRecord, ...]]:
    """read(file or bytes, frames="all", ...) -> its records."""

    def read_all(
        file: DicomFile | bytes, frames: Any = "all", **options: Any
    ) -> tuple[ImageRecord, ...]:
        path = tmp_path / "frames.dcm"
        path.write_bytes(file if isinstance(file, bytes) else file.encode())
        return read_images(Source(str(path)), bytes(32), ReadOptions(frames=frames, **options))

    return read_all
