"""What every test may use: the real files beside the checkout, and a quiet process."""

import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dali_pipelines.records import Grayscale, ImageRecord, ImageTags, Location, StreamInfo

ROOT = Path(__file__).parent.parent

# As `cli.main` does. Threads of torch that wait spin, for which a busy machine has no core:
# 15 times slower (measured). libgomp reads this when torch is imported, which is later.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real DICOM files; skips without it, fails without it under REQUIRE_SHARED=1."""
    folder = Path(os.environ.get("MAMMO_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "README.md").exists():
        message = f"real DICOM files are absent: no {folder}"
        if os.environ.get("REQUIRE_SHARED") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def record_of() -> Callable[..., ImageRecord]:
    """record_of(patient_id="7", path="/a.dcm", height=9, ...) -> an ImageRecord with these fields.

    A field is set wherever a part of the record has one of that name.
    """
    text = [f.name for f in dataclasses.fields(ImageTags) if f.type is str]
    rest: dict[str, Any] = {"view_modifiers": (), "implant": None, "age_years": None}
    numbers = {"rows": 4, "columns": 3, "bits_allocated": 16, "bits_stored": 12, "high_bit": 11}
    tags = ImageTags(**dict.fromkeys(text, ""), **rest, **numbers, signed=False, spacing_mm=None)
    location = Location("/data/a.dcm", "", "range", ((100, 50),), 150, 1_700_000_000_000_000_000)
    plain = ImageRecord(
        "0" * 32, tags, location, StreamInfo("j2k", 4, 3, 1, 12, signed=False), Grayscale(12, 12)
    )

    def make(**changes: Any) -> ImageRecord:
        def changed(part: Any) -> Any:
            names = {f.name for f in dataclasses.fields(part)} & changes.keys()
            return dataclasses.replace(part, **{name: changes[name] for name in names})

        return changed(
            dataclasses.replace(
                plain,
                tags=changed(plain.tags),
                location=changed(plain.location),
                stream=changed(plain.stream),
            )
        )

    return make


@pytest.fixture(scope="session")
def dcmtk() -> Path:
    """The folder of DCMTK's programs; skips or fails as `shared_data` does."""
    program = shutil.which("dcmdjpeg")
    if program is None:
        message = "DCMTK is not installed (Debian package dcmtk)"
        if os.environ.get("REQUIRE_SHARED") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return Path(program).parent


@pytest.fixture(scope="session")
def noise() -> Callable[..., np.ndarray]:
    """noise(precision, shape) -> values over the whole range of that precision."""

    def make(precision: int, shape: tuple[int, int] = (37, 29), seed: int = 0) -> np.ndarray:
        values = np.random.default_rng(seed).integers(0, 1 << precision, shape).astype(np.uint16)
        values[0, 0], values[-1, -1] = 0, (1 << precision) - 1
        return values

    return make


@pytest.fixture(scope="session")
def phantom_manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labeled and split manifest of 8 small synthetic patients in mixed syntaxes."""
    from dali_pipelines.catalog.build import CatalogSettings, plan_catalog, write_catalog
    from dali_pipelines.manifest import write_manifest
    from dali_pipelines.phantom.exams import write_phantoms
    from dali_pipelines.phantom.patients import PhantomSettings
    from dali_pipelines.splits import assign_folds

    folder = tmp_path_factory.mktemp("phantoms")
    exams = write_phantoms(folder / "exams", PhantomSettings(patients=8, height=128, width=104))
    settings = CatalogSettings(folder / "manifest.parquet", labels=(exams.labels,))
    catalog = write_catalog(plan_catalog([exams.images], settings))
    write_manifest(assign_folds(catalog.frame, folds=2, seed=0), settings.manifest)
    return settings.manifest
