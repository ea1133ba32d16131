"""How many inputs may be rejected before a run counts as failed: `--max-rejects 5%`."""

from typing import Final

from dali_pipelines.errors import ConfigError, RejectsError

DEFAULT_LIMIT: Final = "5%"


def parse_share(text: str) -> float:
    """A share in [0, 1] from "5%" or "0.05"; ConfigError for anything else."""
    number, percent, rest = text.strip().partition("%")
    try:
        share = float(number) / (100 if percent else 1)
    except ValueError:
        share = -1.0
    if rest or not 0 <= share <= 1:
        raise ConfigError(f"a share is written like 5% or 0.05 and lies in 0 ... 1, not {text!r}")
    return share


def require_few_rejects(rejected: int, total: int, limit: float) -> None:
    """Raise RejectsError where more than the share `limit` of `total` inputs was rejected."""
    if rejected > limit * total:
        raise RejectsError(
            f"{rejected:,} of {total:,} inputs were rejected ({rejected / total:.1%}), more than "
            f"--max-rejects {limit:.1%} allows; the table of rejects says why"
        )
