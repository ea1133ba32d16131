"""How the network learns."""

from dataclasses import dataclass
from typing import Literal

from trainer.requirements import require, require_natural, require_positive, require_share

Schedule = Literal[
    "cosine", "linear", "poly", "step", "one-cycle", "restarts", "plateau", "constant"
]


@dataclass(frozen=True, slots=True)
class OptimSettings:
    """The optimizer, its learning rate over the run, and what may learn.

    `name` is one of timm's optimizers. `betas` are of Adam and its kin, () for the optimizer's
    own, `eps` likewise with 0; `momentum` is of SGD and its kin. `layer_decay` d below 1 gives
    layer k of n the rate lr * d^(n - k). `frozen` are names of parts that do not learn before
    epoch `frozen_epochs` is done, or never where that is 0; "layer[12]" or "*.bn1" name several,
    "backbone" all but the head.

    The rate rises linearly from `warmup_lr` over `warmup_share` of the run, then follows
    `schedule` down to `min_lr`: "cosine", "linear" and "poly" (power 0.9) over the rest of the
    run, "one-cycle" so too but rises as a cosine; "step" multiplies it by `factor` every
    `step_epochs`, "restarts" repeats the cosine every `step_epochs`, "plateau" multiplies it by
    `factor` where the monitored figure has not risen for more than `patience` epochs. These three
    count epochs from the start of the run.

    A step is over `accumulate` batches of each rank. Gradients are clipped to the norm
    `clip_norm`; 0 leaves them as they are.
    """

    name: str = "adamw"
    lr: float = 3e-4
    weight_decay: float = 0.05
    betas: tuple[float, ...] = ()
    eps: float = 0.0
    momentum: float = 0.9
    layer_decay: float = 1.0
    frozen: tuple[str, ...] = ()
    frozen_epochs: int = 0
    schedule: Schedule = "cosine"
    warmup_share: float = 0.05
    warmup_lr: float = 0.0
    min_lr: float = 0.0
    factor: float = 0.1
    step_epochs: int = 10
    patience: int = 3
    accumulate: int = 1
    clip_norm: float = 1.0

    def __post_init__(self) -> None:
        require(bool(self.name), "name", "one of timm's optimizers", self.name)
        require_positive("lr", self.lr)
        require_natural("weight_decay", self.weight_decay)
        require(all(0 <= beta < 1 for beta in self.betas), "betas", "in [0, 1)", self.betas)
        require_natural("eps", self.eps)
        require_share("momentum", self.momentum)
        require(0 < self.layer_decay <= 1, "layer_decay", "in (0, 1]", self.layer_decay)
        require_natural("frozen_epochs", self.frozen_epochs)
        require_share("warmup_share", self.warmup_share)
        require(0 <= self.warmup_lr <= self.lr, "warmup_lr", "in [0, lr]", self.warmup_lr)
        require(0 <= self.min_lr <= self.lr, "min_lr", "in [0, lr]", self.min_lr)
        require(0 < self.factor < 1, "factor", "in (0, 1)", self.factor)
        require(self.step_epochs >= 1, "step_epochs", "1 or more", self.step_epochs)
        require_natural("patience", self.patience)
        require(self.accumulate >= 1, "accumulate", "1 or more", self.accumulate)
        require_natural("clip_norm", self.clip_norm)


@dataclass(frozen=True, slots=True)
class AverageSettings:
    """Averages of weights, which often score better than the last ones.

    `ema` is the decay of an exponential moving average over steps, 0 for none; where there is one
    it is what is validated and kept as the best. With `ema_warmup` the decay rises to that over
    the first steps, so that a short run does not score by its initial weights. `top` is how many
    of the best epochs are kept and averaged at the end, 0 for none.
    """

    ema: float = 0.0
    ema_warmup: bool = True
    top: int = 0

    def __post_init__(self) -> None:
        require_share("ema", self.ema)
        require_natural("top", self.top)


@dataclass(frozen=True, slots=True)
class SpeedSettings:
    """What changes how fast a step is more than what it computes.

    `amp` "auto" means bfloat16 on a GPU, float16 on one that has no bfloat16, and float32 on a
    CPU. `channels_last` is how images lie in memory. `tf32` lets a GPU round the factors of
    float32 products to 10 bits. `compile` is torch.compile. `checkpointing` computes activations
    twice and keeps fewer. `sync_bn` lets batch norm see the batch of all ranks; where one has no
    image, as at the end of an epoch, all take the averages so far. `deterministic` takes algorithms
    that give the same bits again on a GPU too, as is always done on a CPU.
    """

    amp: Literal["auto", "bf16", "fp16", "off"] = "auto"
    channels_last: bool = False
    tf32: bool = False
    compile: bool = False
    checkpointing: bool = False
    sync_bn: bool = False
    deterministic: bool = False
