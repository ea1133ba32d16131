"""The pointing game: is the hottest px of an image of a patient never seen inside of her lesion?

Zhang et al., "Top-down Neural Attention by Excitation Backprop", 2016, section 4.1, without their
margin of 15 px: a hit is within the radius of a lesion. Judged beside three kinds of chance: the
share of the cut-out box that lesions take up, the heat of other images of the same side and view
laid over this one, and a network that has learned nothing.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from dali_pipelines.manifest import read_manifest
from dali_pipelines.stages import Roi
from dali_pipelines.verdicts import Reject
from tests.evidence.cross_validation import mammo, scan
from trainer.explain.explain import Explained, ExplainOptions, explain
from trainer.networks.build import build_model
from trainer.prediction.scorers import Scorers, load_scorers

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CONFIG = "configs/train/demo.yaml"
PATIENTS = {True: "200", False: "48"}
SIZES = {True: "[256, 208]", False: "[128, 104]"}  # of the prepared images, full or not
EPOCHS = {True: "5", False: "4"}
FOLDS = 4
LAST, BEFORE = "", "layer3"  # maps of 1/32 and 1/16 of the image
OCCLUDED = 10  # images: each takes hundreds of passes
Heats = dict[str, tuple[NDArray[np.float32], Roi]]  # by image_id, on the px of the file


@dataclass(frozen=True)
class Study:
    """Held-out images with lesions, a row for each lesion, and the network that learned."""

    frame: pd.DataFrame
    lesions: pd.DataFrame
    scorers: Scorers


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, full: bool) -> Study:
    folder = tmp_path_factory.mktemp("pointing")
    exams, manifest, run = folder / "exams", folder / "m.parquet", folder / "run"
    mammo("phantom", exams, "--patients", PATIENTS[full])
    scan(exams / "images", exams / "labels.csv", manifest, FOLDS)
    recipe = ("--recipe", "demo", "--set", f"resize.size={SIZES[full]}")
    mammo("preprocess", manifest, folder / "shards", *recipe, "--device", "cpu")
    options = ("--config", ROOT / CONFIG, "--epochs", EPOCHS[full], "--fold", "0")
    mammo("train", manifest, "-O", run, *options, "--shards", folder / "shards", "--device", "cpu")
    frame = read_manifest(manifest)
    held_out = frame[frame["fold"] == 0].reset_index(drop=True)
    names = held_out[["image_id", "sop_instance_uid", "laterality", "view"]]
    lesions = pd.read_csv(exams / "lesions.csv", usecols=["image_id", "kind", *_PLACE])
    lesions = lesions.rename(columns={"image_id": "sop_instance_uid"}).merge(names)
    return Study(held_out, lesions, load_scorers([next(run.rglob("last.pt"))]))


_PLACE = ("row_px", "column_px", "radius_px")


def test_heat_points_at_lesions(
    study: Study, full: bool, record_evidence: Callable[..., None]
) -> None:
    heats = {layer or "last": look(study, layer) for layer in (LAST, BEFORE)}
    layers = (LAST, BEFORE) if full else ()
    untrained = {layer or "last": look(learned_nothing(study), layer) for layer in layers}
    found = {name: facts(study, heat) for name, heat in heats.items()}
    record_evidence(
        "pointing",
        {
            "network": f"mammo train --config {CONFIG} --epochs {EPOCHS[full]} --fold 0",
            "recipe": f"demo, resize.size={SIZES[full]}",
            "patients": int(PATIENTS[full]),
            "images_with_lesions_held_out": study.lesions["image_id"].nunique(),
            "lesion_radius_px_median": round(float(study.lesions["radius_px"].median()), 1),
            "chance_by_area_of_the_box": round(area_share(study, heats["last"]), 4),
            "grad_cam": found,
            "grad_cam_untrained": {n: facts(study, heat) for n, heat in untrained.items()},
            "occlusion": facts(study, look(study, method="occlusion")) if full else None,
        },
    )
    chance = area_share(study, heats["last"])
    assert found["layer3"]["hits"] > 5 * chance
    assert found["layer3"]["hits"] > found["layer3"]["hits_with_heat_of_others"]
    if full:
        assert found["last"]["hits"] > 5 * chance
        assert found["layer3"]["hits"] > 0.5


def look(study: Study, layer: str = "", method: str = "grad-cam") -> Heats:
    """Heat of each image with a lesion; of some of them by occlusion."""
    ids = sorted(set(study.lesions["image_id"]))
    ids = ids if method == "grad-cam" else ids[:OCCLUDED]
    options = ExplainOptions(method, layer, "cpu")  # type: ignore[arg-type]
    heats: Heats = {}
    for seen in explain(study.frame, study.scorers, ids, options):
        assert not isinstance(seen, Reject)
        heats[seen.record.image_id] = on_file(seen), seen.seen[0].roi
    assert sorted(heats) == ids
    return heats


def on_file(seen: Explained) -> NDArray[np.float32]:
    return seen.heat((seen.record.stream.height, seen.record.stream.width))


def learned_nothing(study: Study) -> Study:
    """The same with a network of the same form as it was before it learned."""
    (scorer,) = study.scorers.members
    torch.manual_seed(0)
    model = build_model(scorer.args)
    return Study(study.frame, study.lesions, Scorers((type(scorer)(model, scorer.recipe),)))


def facts(study: Study, heats: Heats) -> dict[str, Any]:
    """Shares of images, and px of the file."""
    own = [(name, name) for name in heats]
    hits = [is_hit(study, heats, image, of) for image, of in own]
    masses = set(study.lesions.loc[study.lesions["kind"] == "mass", "image_id"])
    of_masses = [hit for (name, _), hit in zip(own, hits, strict=True) if name in masses]
    others = [is_hit(study, heats, image, of) for image, of in others_of(study, heats)]
    distances = [distance(study, heats, image, of)[0] for image, of in own]
    return {
        "images": len(heats),
        "hits": mean(hits),
        "hits_where_there_is_a_mass": mean(of_masses),
        "hits_with_heat_of_others": mean(others),
        "images_without_heat": sum(not heat.any() for heat, _ in heats.values()),
        "median_distance_px": round(float(np.median(distances)), 1),
    }


def mean(hits: list[bool]) -> float:
    return round(float(np.mean(hits)), 4)


def others_of(study: Study, heats: Heats) -> list[tuple[str, str]]:
    """Each image with each other one of the same side and view."""
    kinds = study.frame.set_index("image_id")[["laterality", "view"]].agg(" ".join, axis=1)
    return [(a, b) for a in heats for b in heats if a != b and kinds[a] == kinds[b]]


def is_hit(study: Study, heats: Heats, image: str, of: str) -> bool:
    """Whether the hottest px of the heat `of` one image lies in a lesion of `image`."""
    away, radius = distance(study, heats, image, of)
    return away <= radius


def distance(study: Study, heats: Heats, image: str, of: str) -> tuple[float, float]:
    """From the hottest px to the nearest lesion's center, and that lesion's radius; px."""
    heat = heats[of][0]
    if not heat.any():
        return math.inf, 0.0
    rows, columns = np.nonzero(heat == heat.max())
    marks = study.lesions.loc[study.lesions["image_id"] == image, list(_PLACE)].to_numpy()
    away = np.hypot(marks[:, 0] - rows.mean(), marks[:, 1] - columns.mean())
    nearest = int(np.argmin(away - marks[:, 2]))
    return float(away[nearest]), float(marks[nearest, 2])


def area_share(study: Study, heats: Heats) -> float:
    """The mean share of the box of the breast that lesions take up."""
    areas = np.pi * study.lesions["radius_px"] ** 2
    by_image = areas.groupby(study.lesions["image_id"]).sum()
    boxes = {name: roi.height * roi.width for name, (_, roi) in heats.items()}
    return float(np.mean([by_image[name] / boxes[name] for name in heats]))
