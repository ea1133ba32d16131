"""A study that trains in seconds: small images of synthetic patients, 1 in 20 of them damaged."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from dali_pipelines.catalog.build import CatalogSettings, plan_catalog, write_catalog
from dali_pipelines.manifest import write_manifest
from dali_pipelines.manifest_rows import to_records
from dali_pipelines.phantom.exams import write_phantoms
from dali_pipelines.phantom.patients import PhantomSettings
from dali_pipelines.recipe import load_recipe
from dali_pipelines.shards.preprocess import preprocess
from dali_pipelines.shards.settings import ShardSettings
from dali_pipelines.splits import assign_folds
from tests.evidence.training_runs import Study

FOLDS: Final = 4
DAMAGED: Final = 20  # one image in so many
_RECIPE: Final = ("demo", ["resize.size=[64, 48]"])


def write_study(folder: Path, patients: int, settings: Mapping[str, Any]) -> Study:
    """Four images a patient; the damaged ones are cut short once the manifest is written."""
    exams = write_phantoms(
        folder / "exams", PhantomSettings(patients=patients, height=128, width=104)
    )
    catalog = CatalogSettings(folder / "manifest.parquet", labels=(exams.labels,))
    frame = write_catalog(plan_catalog([exams.images], catalog)).frame
    frame = assign_folds(frame, folds=FOLDS, seed=0)
    write_manifest(frame, catalog.manifest)
    for path in sorted(exams.images.rglob("*.dcm"))[::DAMAGED]:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    records = to_records(frame)
    done = preprocess(records, load_recipe(*_RECIPE), folder / "shards", ShardSettings())
    assert len(done.rejects) == -(-len(records) // DAMAGED)
    return with_settings(Study(catalog.manifest, folder / "shards", folder), "config", settings)


def with_settings(study: Study, name: str, settings: Mapping[str, Any]) -> Study:
    """The same study to be trained by other settings, kept in a file of that name."""
    config = study.manifest.with_name(f"{name}.yaml")
    config.write_text(yaml.safe_dump(dict(settings)))
    return dataclasses.replace(study, config=config)
