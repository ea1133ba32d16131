"""How many inputs may be rejected before a run counts as failed: `--max-rejects 5%`."""

from dataclasses import dataclass
from typing import Final

from dali_pipelines.errors import ConfigError, RejectsError

DEFAULT_LIMIT: Final = "5%"
NO_LIMIT: Final = "100%"


@dataclass(frozen=True, slots=True)
class RejectLimit:
    """The most inputs that may be rejected: `count` of them, or `share` of all, in 0 ... 1."""

    text: str
    count: int | None = None
    share: float = 1.0

    def enforce(self, rejected: int, total: int) -> None:
        """Raise RejectsError where more than that many of `total` inputs were rejected."""
        most = self.share * total if self.count is None else self.count
        if rejected > most:
            raise RejectsError(
                f"{rejected:,} of {total:,} inputs were rejected, more than --max-rejects "
                f"{self.text} allows; `mammo rejects` explains the table of rejects"
            )


def parse_limit(text: str) -> RejectLimit:
    """The limit in a text such as "5%", or "12" for a number; ConfigError for anything else."""
    plain = text.strip()
    if plain.isascii() and plain.isdecimal():
        return RejectLimit(plain, count=int(plain))
    number, percent, rest = plain.partition("%")
    try:
        share = float(number) / 100
    except ValueError:
        share = -1.0
    if not percent or rest or not 0 <= share <= 1:
        raise ConfigError(f"--max-rejects is a number or a percentage like 5%, not {text!r}")
    return RejectLimit(plain, share=share)
