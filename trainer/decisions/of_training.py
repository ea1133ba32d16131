"""What training decided for one network: how its scores are joined, and the threshold on them."""

from collections.abc import Mapping
from typing import Any

from dali_pipelines.errors import CheckpointError, ConfigError
from trainer.aggregation.policy import Aggregation, parse_aggregation
from trainer.decisions.decision import Decision
from trainer.printable import printable

_USUAL = str(Aggregation())


def decision_of_training(
    settings: Mapping[str, Any], threshold: object, where: str
) -> tuple[Aggregation, Decision | None]:
    """The aggregation of kept training settings, and the decision by a kept threshold.

    It is of the level of settings["monitor"]; None without a threshold. Raises CheckpointError
    where they make no sense, with `where` for their name.
    """
    how = kept_aggregation(settings.get("aggregate", _USUAL))
    if threshold is None:
        return how, None
    document = {
        "level": str(settings.get("monitor", "breast/auroc")).partition("/")[0],
        "rule": settings.get("threshold", "f1"),
        "threshold": threshold,
        "chosen_on": {"aggregation": str(how)},
    }
    return how, Decision.from_dict(document, where)


def kept_aggregation(text: object) -> Aggregation:
    """The aggregation that a file keeps as text; CheckpointError where it says none."""
    try:
        return parse_aggregation(str(text))
    except ConfigError as error:
        raise CheckpointError(
            f"a kept aggregation is none: {printable(str(error), 300)}"
        ) from error
