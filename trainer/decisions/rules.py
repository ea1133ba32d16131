"""Rules that choose a threshold, as text.

    f1, f0.5, f2    the greatest F-beta
    pf1             the greatest pF1 of decisions: of 0 and 1 the probabilistic F1 of RSNA 2023 is
                    the ordinary one (Yacouby and Axman 2020), so this is f1 by the contest's name
    grid            the greatest F1 among 0, 0.01, ... 1; of equals the nearest to 0.5, as RSNA's
                    first place chose
    youden          the greatest sensitivity + specificity - 1 (Youden 1950)
    spec90          the least with a specificity of 90 % or more
    sens90          the greatest with a sensitivity of 90 % or more
    p97.935         that percentile of the scores, linear between neighbors; RSNA's first place
    prior           as many findings as the labels say; prior2.1: 2.1 % of all

A score from the threshold on is a finding. Of thresholds that are equally good the least is taken,
which misses least, but for grid and sens.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from dali_pipelines.errors import ConfigError
from dali_pipelines.settings import closest

Kind = Literal["f", "grid", "youden", "spec", "sens", "percentile", "prior"]

_NUMBER: Final = r"(\d{1,3}(?:\.\d{1,9})?)"
_FORMS: Final[dict[Kind, re.Pattern[str]]] = {
    "f": re.compile("f" + _NUMBER),
    "grid": re.compile("grid()"),
    "youden": re.compile("youden()"),
    "spec": re.compile("spec" + _NUMBER),
    "sens": re.compile("sens" + _NUMBER),
    "percentile": re.compile("p" + _NUMBER),
    "prior": re.compile(f"prior{_NUMBER}?"),
}
_EXAMPLES: Final = ("f1", "f2", "pf1", "grid", "youden", "spec90", "sens90", "p97.935", "prior")


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of rule and its number: beta of f, else percent; None where it has none."""

    kind: Kind
    number: float | None = None

    @property
    def needs_labels(self) -> bool:
        """Whether labels are needed, and both of them."""
        return self.kind != "percentile" and not (self.kind == "prior" and self.number is not None)


def parse_rule(text: str) -> Rule:
    """The rule of a text such as "spec90"; ConfigError where there is none."""
    if text == "pf1":
        return Rule("f", 1.0)
    for kind, form in _FORMS.items():
        if found := form.fullmatch(text):
            rule = Rule(kind, float(found[1]) if found[1] else None)
            _require_range(rule, text)
            return rule
    raise ConfigError(
        f"no rule {text[:40]!r} for a threshold.{closest(text, _EXAMPLES)} Numbers may be others: "
        "f2, spec95, sens80, p99.5, prior0.5"
    )


def _require_range(rule: Rule, text: str) -> None:
    if rule.kind == "f" and not rule.number:
        raise ConfigError(f"the rule {text!r} has beta 0; wanted is one above, such as f1")
    if rule.kind != "f" and rule.number is not None and rule.number > 100:
        raise ConfigError(f"the rule {text!r} has more than 100 percent")
