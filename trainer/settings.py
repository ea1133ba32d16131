"""Every setting of a training run, composed from the dataclasses of its parts.

Values come from the defaults below, then configs/train/*.yaml, then options and `--set a.b=c`;
`dali_pipelines.settings.build` puts them together and collects the mistakes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from dali_pipelines.errors import ConfigError
from dali_pipelines.loader_settings import LoaderSettings
from trainer.aggregation.levels import LEVELS
from trainer.aggregation.policy import parse_aggregation
from trainer.augment.settings import AugmentSettings
from trainer.decisions.rules import parse_rule
from trainer.losses.settings import LossSettings
from trainer.networks.settings import ModelSettings
from trainer.optim.settings import AverageSettings, OptimSettings, SpeedSettings
from trainer.requirements import require, require_natural
from trainer.sampling_settings import DataSettings

RISING: Final = ("auroc", "auprc", "pf1", "sens_at_spec90", "spec_at_sens90")  # more is better


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """One training run.

    `fold` is held out for validation where `validate` is "fold"; "none" trains on every fold.
    `monitor` is the figure "<level>/<name>" that decides which epoch is the best; a run ends where
    it has not risen for `patience` epochs, 0 for never. `aggregate` says how images become breasts,
    exams and patients there, `threshold` is the rule of the threshold that is chosen at that level
    (`trainer.decisions.rules`). `threads` are those of torch on a CPU, 0
    for all cores shared among the ranks of the machine. `save_blocks` is the number of blocks
    between checkpoints within an epoch, `log_blocks` that between rows of figures, 0 for one at
    its end only. `track` names where figures are also sent.
    """

    epochs: int = 10
    seed: int = 0
    fold: int = 0
    validate: Literal["fold", "none"] = "fold"
    monitor: str = "breast/auroc"
    patience: int = 0
    aggregate: str = "mean/max/max"
    threshold: str = "f1"
    threads: int = 0
    save_blocks: int = 0
    log_blocks: int = 0
    track: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = ()
    model: ModelSettings = field(default_factory=ModelSettings)
    data: DataSettings = field(default_factory=DataSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    optim: OptimSettings = field(default_factory=OptimSettings)
    average: AverageSettings = field(default_factory=AverageSettings)
    speed: SpeedSettings = field(default_factory=SpeedSettings)
    loader: LoaderSettings = field(default_factory=LoaderSettings)

    def __post_init__(self) -> None:
        for name in ("seed", "fold", "patience", "threads", "save_blocks", "log_blocks"):
            require_natural(name, getattr(self, name))
        require(self.epochs >= 1, "epochs", "1 or more", self.epochs)
        level, _, name = self.monitor.partition("/")
        wanted = f"one of {'|'.join(LEVELS)} / one of {'|'.join(RISING)}"
        require(level in LEVELS and name in RISING, "monitor", wanted, self.monitor)
        _require_parsed("aggregate", parse_aggregation, self.aggregate)
        _require_parsed("threshold", parse_rule, self.threshold)
        needs = self.patience or self.average.top or self.optim.schedule == "plateau"
        wanted = "'fold' where patience, average.top or the schedule 'plateau' look at its figures"
        require(self.validate == "fold" or not needs, "validate", wanted, self.validate)
        sees_one = self.model.unit == "image" or not self.loss.tasks.view
        require(sees_one, "model.unit", "image where loss.tasks.view is set", self.model.unit)


def _require_parsed(name: str, parse: Callable[[str], object], text: str) -> None:
    """Raise ValueError, as the other requirements, where a text does not parse."""
    try:
        parse(text)
    except ConfigError as error:
        raise ValueError(f"{name}: {error}") from error
