"""A run directory written by hand, with what `mammo train` leaves and a report reads."""

import json
from pathlib import Path
from typing import Any

import yaml

from dali_pipelines.recipe import Recipe
from dali_pipelines.rejects.table import REJECTS, write_rejects
from dali_pipelines.settings import to_dict
from dali_pipelines.verdicts import Reason, Reject
from trainer.settings import TrainSettings

LOST = Reject("/secret/lost.dcm", "", "e" * 32, "decode", Reason.TRUNCATED, "cut short")


def write_run(
    folder: Path, fold: int = 0, aurocs: tuple[float | None, ...] = (0.6, 0.9, 0.8)
) -> Path:
    """The run in `folder`, an epoch for each AUROC of its breasts; the best is the greatest."""
    folder.mkdir(parents=True)
    settings = to_dict(TrainSettings(epochs=len(aurocs), fold=fold))
    settings["model"]["pretrained"] = "/home/owner/weights.pt"
    recipe = to_dict(Recipe("toy"))
    recipe["roi"]["detector"]["path"] = "/home/owner/boxes.onnx"
    config = {"train": settings, "recipe": recipe}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    environment = {"versions": {"torch": "2.0", "timm": "absent"}, "cores": 2, "cuda": None}
    _dump(folder / "env.json", {**environment, "host": "ward-7"})
    status = {"state": "done", "decoded": {"dali j2k": 40, "numpy raw": 2}}
    known = [value for value in aurocs if value is not None]
    best = aurocs.index(max(known)) + 1 if known else 1
    _dump(folder / "status.json", {**status, "best": {"epoch": best}, "host": "ward-7"})
    metrics = [{"epoch": 1, "step": 1, "block": 1, "train/loss": 9.0}]
    timing: list[dict[str, Any]] = []
    for epoch, auroc in enumerate(aurocs, start=1):
        row = {"epoch": epoch, "step": 2 * epoch, "train/loss": 1 / epoch}
        metrics.append({**row, "val/breast/auroc": auroc, "val/patient/auroc": auroc})
        speed = {"wait_share": 0.25, "host_mib": 100.0 * epoch, "gpu_mib": None}
        for name, seconds in (("train", 2.0), ("validate", 1.0)):
            rate = {"pass": name, "seconds": seconds, "images": 8, "rate_img_s": 8 / seconds}
            timing.append({"epoch": epoch, "step": 2 * epoch, **rate, **speed})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in metrics))
    (folder / "timing.jsonl").write_text("".join(json.dumps(row) + "\n" for row in timing))
    write_rejects([LOST], folder / REJECTS)
    return folder


def _dump(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content))
