"""Sound exams for commands to fail on: images, labels, a manifest with folds, a checkpoint."""

from collections.abc import Sequence
from pathlib import Path

from dali_pipelines.phantom.header import make_uid
from tests.bad_inputs.sound import sound_file, sound_values

PATIENTS = 4
SIDES = ("L", "R")
_MODEL = {"model_name": "test_resnet", "in_chans": 1, "num_classes": 1}


def write_images(folder: Path) -> Path:
    """A folder of a left and a right image of each of four patients, named "0L.dcm" and so on."""
    images = folder / "images"
    images.mkdir()
    for patient in range(PATIENTS):
        for k, side in enumerate(SIDES):
            own = folder / f"{folder.name} {patient}{side}"  # names the image, and is no file
            study = make_uid(f"{folder.name} {patient}")
            file = sound_file(own, PatientID=f"P{patient}", StudyInstanceUID=study)
            file.tags["ImageLaterality"] = side
            file.pixels = sound_values(seed=2 * patient + k).astype("<u2").tobytes()
            file.write(images / f"{patient}{side}.dcm")
    return images


def label_rows(**changed: str) -> list[str]:
    """Lines of a label table: the left breasts of two patients have cancer."""
    names = [f"{patient}{side}" for patient in range(PATIENTS) for side in SIDES]
    labels = {name: str(int(name in ("0L", "1L"))) for name in names} | changed
    return ["image_id,cancer", *(f"{name},{label}" for name, label in labels.items())]


def write_labels(folder: Path, rows: Sequence[str] | bytes) -> Path:
    """A label table of these lines, or of these bytes."""
    path = folder / "labels.csv"
    path.write_bytes(rows if isinstance(rows, bytes) else "\n".join([*rows, ""]).encode())
    return path


def write_manifest(folder: Path) -> Path:
    """The manifest of new images, labeled and in two folds."""
    from dali_pipelines.catalog.build import CatalogSettings, plan_catalog, write_catalog
    from dali_pipelines.catalog.scan import ScanOptions
    from dali_pipelines.manifest import write_manifest as write
    from dali_pipelines.splits import assign_folds

    labels = write_labels(folder, label_rows())
    settings = CatalogSettings(folder / "m.parquet", labels=(labels,), scan=ScanOptions(workers=1))
    catalog = write_catalog(plan_catalog([write_images(folder)], settings))
    write(assign_folds(catalog.frame, folds=2, seed=0), settings.manifest)
    return settings.manifest


def write_checkpoint(folder: Path, name: str = "model.pt", **changes: object) -> Path:
    """A checkpoint of a small network that has learned nothing; `changes` to its fields."""
    from dataclasses import replace

    from dali_pipelines.pixel_settings import ResizeSettings
    from dali_pipelines.recipe import Recipe
    from trainer.checkpoint import Checkpoint, save_checkpoint
    from trainer.networks.build import build_model

    recipe = Recipe("small", resize=ResizeSettings(size=(32, 24)))
    weights = build_model(_MODEL).state_dict()
    made = Checkpoint(weights, _MODEL, recipe.to_dict(), recipe.hash, {}, {}, 1, 0, "", {}, [], {})
    save_checkpoint(replace(made, **changes), folder / name)
    return folder / name
