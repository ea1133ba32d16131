"""Milliseconds an image that augmentation takes, beside a training step of ResNet-18.

Run: python -m benchmarks.augment [--size 512x256] [--batch 4] [--device cuda] [--repeats 7]

A round is a step of the network (forward, backward, SGD; bfloat16 on a GPU), then a batch through
every preset and through every change alone, given to each image. Shares are of medians. On a CPU
all of it is on one thread.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import timm
import torch

from benchmarks.machine import machine_facts
from benchmarks.timing import round_off, spread
from dali_pipelines.settings import build
from trainer.augment.augmenter import Augmenter
from trainer.augment.levels import Levels
from trainer.augment.presets import NONE, load_preset, preset_names
from trainer.augment.settings import CHANGES, AugmentSettings

RESULT: Final = Path(__file__).parent / "results" / "augment.json"
LEAST_REPEATS: Final = 5  # fewer say nothing about the spread
BATCHES: Final = 4  # of a preset in a round: what happens to an image is a matter of chance
STEP: Final = "step"


def contenders() -> dict[str, AugmentSettings]:
    """What is measured beside the step: every preset, and every change alone at probability 1."""
    presets = {f"preset {name}": load_preset(name) for name in preset_names() if name != NONE}
    flat = {"hflip", "vflip", "median"}
    alone: dict[str, AugmentSettings] = {
        name: build(AugmentSettings, [(name, {name: 1.0 if name in flat else {"p": 1.0}})])[0]
        for name in CHANGES
    }
    return {**presets, **alone}


def open_step(images: torch.Tensor) -> Callable[[], None]:
    """A training step of ResNet-18 on those images."""
    torch.manual_seed(0)
    device = images.device
    model = timm.create_model("resnet18", in_chans=1, num_classes=1, pretrained=False)
    model = model.to(device).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    targets = (torch.arange(len(images), device=device) % 2).float()

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            logits = model(images)[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def measure(size: tuple[int, int], batch: int, repeats: int, device: str) -> Mapping[str, Any]:
    """Spread of the milliseconds an image: of the step, each preset and each change."""
    images = torch.rand(batch, 1, *size, device=device) * 2 - 1
    step = open_step(images)
    levels = Levels((-1.0,), (1.0,))
    augmenters = {name: Augmenter(made, levels, 0) for name, made in contenders().items()}
    times: defaultdict[str, list[float]] = defaultdict(list)
    for number in range(repeats + 1):
        found = {STEP: _timed_ms(step, device) / batch}
        for name, augmenter in augmenters.items():
            found[name] = _timed_ms(lambda: _augment(augmenter, images, number), device)  # noqa: B023
            found[name] /= batch * BATCHES
        if number:  # the first warms up
            for name, value in found.items():
                times[name].append(value)
    return {name: spread(values) for name, values in times.items()}


def _augment(augmenter: Augmenter, images: torch.Tensor, number: int) -> None:
    for part in range(BATCHES):
        first = (number * BATCHES + part) * len(images)
        augmenter(images, 0, np.arange(first, first + len(images)))


def _timed_ms(run: Callable[[], None], device: str) -> float:
    start = time.perf_counter()
    run()
    if device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) * 1e3


def parse_options() -> argparse.Namespace:
    """The command line; it ends the program where a value makes no sense."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", default="512x256")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    if options.repeats < LEAST_REPEATS:
        parser.error(f"--repeats must be at least {LEAST_REPEATS}")
    return options


def main() -> None:
    """Measure, write benchmarks/results/augment.json, print a line for each row."""
    options = parse_options()
    torch.set_num_threads(1)
    height, width = (int(edge) for edge in options.size.split("x"))
    found = measure((height, width), options.batch, options.repeats, options.device)
    step_ms = found[STEP]["median"]
    rows = {
        name: {"ms": row, "share_of_step": round_off(row["median"] / step_ms)}
        for name, row in found.items()
    }
    for name, row in rows.items():
        print(f"{name:<20} {row['ms']['median']:9.3f} ms an image {row['share_of_step']:8.2%}")
    about = {"size": [height, width], "batch": options.batch, "device": options.device}
    content = {"machine": machine_facts(), **about, "repeats": options.repeats, "rows": rows}
    options.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
