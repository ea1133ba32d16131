"""Settings of runs that are cut short: all that draws random numbers or remembers something."""

from typing import Any, Final

BATCH: Final = 4
# Checkpoints and rows of figures come at different steps, and neither at the end of an epoch.
SETTINGS: Final[dict[str, Any]] = {
    "seed": 7,
    "threads": 1,
    "save_blocks": 8,
    "log_blocks": 6,
    "model": {"name": "test_resnet", "drop": 0.2},
    "data": {"batch": BATCH, "positive_share": 0.25, "balance": "block"},
    "augment": {"preset": "strong", "mixup": {"p": 0.3}},
    "loss": {"smooth": 0.05, "tasks": {"view": 0.1}},
    "optim": {"lr": 3e-3, "accumulate": 2},
    "average": {"ema": 0.9, "top": 2},
}
