"""Every setting of a training run, composed from the dataclasses of its parts.

Values come from the defaults below, then configs/train/*.yaml, then options and `--set a.b=c`;
`dali_pipelines.settings.build` puts them together and collects the mistakes.
"""

import math
from dataclasses import dataclass, field
from typing import Final, Literal

from dali_pipelines.loader_settings import LoaderSettings
from trainer.aggregate import LEVELS

RISING: Final = ("auroc", "auprc", "pf1", "sens_at_spec90", "spec_at_sens90")  # more is better


def _require(fits: bool, name: str, wanted: str, found: object) -> None:
    if not fits:
        raise ValueError(f"{name} must be {wanted}, not {found!r}")


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The network: a timm architecture, and a local file of weights ("" starts from scratch).

    `pool` is how the feature map becomes one vector: "default" is the architecture's own choice,
    "max" suits findings that are small in the image, as the winner of RSNA 2023 found.
    """

    name: str = "convnext_small"
    pretrained: str = ""
    pool: Literal["default", "avg", "max"] = "default"
    drop: float = 0.0

    def __post_init__(self) -> None:
        _require(bool(self.name), "name", "a timm architecture", self.name)
        _require(0 <= self.drop < 1, "drop", "in [0, 1)", self.drop)


@dataclass(frozen=True, slots=True)
class OptimSettings:
    """AdamW under a linear warm-up over `warmup_share` of the run, then a cosine to 0.

    Gradients are clipped to the norm `clip_norm`; 0 leaves them as they are.
    """

    lr: float = 3e-4
    weight_decay: float = 0.05
    warmup_share: float = 0.05
    clip_norm: float = 1.0

    def __post_init__(self) -> None:
        _require(0 < self.lr < math.inf, "lr", "above 0", self.lr)
        _require(0 <= self.weight_decay < math.inf, "weight_decay", "0 or more", self.weight_decay)
        _require(0 <= self.warmup_share < 1, "warmup_share", "in [0, 1)", self.warmup_share)
        _require(0 <= self.clip_norm < math.inf, "clip_norm", "0 or more", self.clip_norm)


@dataclass(frozen=True, slots=True)
class DataSettings:
    """What a batch of one rank holds, and who is left out.

    `positive_share` is the share of positives in each block, null takes them as they come.
    `unlabeled` says what to do with images that have no label: stop, or leave them out.
    """

    batch: int = 8
    positive_share: float | None = 0.25
    unlabeled: Literal["stop", "drop"] = "stop"

    def __post_init__(self) -> None:
        _require(self.batch >= 1, "batch", "1 or more", self.batch)
        share = self.positive_share
        _require(share is None or 0 < share < 1, "positive_share", "in (0, 1) or null", share)
        _require(share is None or self.batch >= 2, "batch", "2 or more to be balanced", self.batch)


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """One training run.

    `fold` is held out for validation where `validate` is "fold"; "none" trains on every fold.
    `monitor` is the figure "<level>/<name>" that decides which epoch is the best. `amp` "auto"
    means bfloat16 on a GPU and float32 on a CPU. `threads` are those of torch on a CPU, 0 for all
    cores shared among the ranks of the machine. `save_blocks` is the number of blocks between
    checkpoints within an epoch, 0 for one at its end only.
    """

    epochs: int = 10
    seed: int = 0
    fold: int = 0
    validate: Literal["fold", "none"] = "fold"
    monitor: str = "breast/auroc"
    amp: Literal["auto", "off"] = "auto"
    threads: int = 0
    save_blocks: int = 0
    model: ModelSettings = field(default_factory=ModelSettings)
    optim: OptimSettings = field(default_factory=OptimSettings)
    data: DataSettings = field(default_factory=DataSettings)
    loader: LoaderSettings = field(default_factory=LoaderSettings)

    def __post_init__(self) -> None:
        for name in ("seed", "fold", "threads", "save_blocks"):
            _require(getattr(self, name) >= 0, name, "0 or more", getattr(self, name))
        _require(self.epochs >= 1, "epochs", "1 or more", self.epochs)
        level, _, name = self.monitor.partition("/")
        wanted = f"one of {'|'.join(LEVELS)} / one of {'|'.join(RISING)}"
        _require(level in LEVELS and name in RISING, "monitor", wanted, self.monitor)
