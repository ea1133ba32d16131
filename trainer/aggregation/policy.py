"""Which rule joins views, breasts and exams, and what becomes of unusual views; as one text.

A text is up to three rules, of views, breasts and exams, then policies that are not the usual:

    mean/max/max
    mean/noisy-or
    top2/max/mean,odd=drop,implants=displaced
    spr-1st-code,repeated=mean

A preset's name may stand for the rules. `trainer.aggregation.views` states the policies.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal, get_args

from dali_pipelines.errors import ConfigError
from dali_pipelines.settings import closest
from trainer.aggregation.rules import RULES, is_rule, require_rule

Repeated = Literal["all", "mean"]
Odd = Literal["keep", "drop"]
Implants = Literal["all", "displaced", "full"]

_POLICIES: Final[dict[str, tuple[str, ...]]] = {
    "repeated": get_args(Repeated),
    "odd": get_args(Odd),
    "implants": get_args(Implants),
}
_RULES: Final = ("views", "breasts", "exams")
_WANTED: Final = ", ".join(f"{name}={'|'.join(known)}" for name, known in _POLICIES.items())


@dataclass(frozen=True, slots=True)
class Aggregation:
    """How scores of images become those of breasts, exams and patients.

    `views` joins the images of a breast, `breasts` those of an exam, `exams` those of a patient.
    Raises ConfigError where there is no such rule or policy.
    """

    views: str = "mean"
    breasts: str = "max"
    exams: str = "max"
    repeated: Repeated = "all"
    odd: Odd = "keep"
    implants: Implants = "all"

    def __post_init__(self) -> None:
        for name in _RULES:
            require_rule(getattr(self, name))
        for name, known in _POLICIES.items():
            if getattr(self, name) not in known:
                raise ConfigError(
                    f"{name} is {str(getattr(self, name))[:40]!r}, wanted is one of "
                    f"{'|'.join(known)}"
                )

    def __str__(self) -> str:
        """The text that `parse_aggregation` reads: the rules, and policies that are not usual."""
        rules = "/".join(getattr(self, name) for name in _RULES)
        usual = {field.name: field.default for field in fields(self)}
        changed = [
            f"{name}={getattr(self, name)}"
            for name in _POLICIES
            if getattr(self, name) != usual[name]
        ]
        return ",".join([rules, *changed])


# what won: SPR's first place as its write-up says it, and as its script does it, which takes the
# greatest of all images of an exam; RSNA's first place takes the mean of a breast's images
PRESETS: Final[dict[str, Aggregation]] = {
    "spr-1st": Aggregation("mean", "max"),
    "spr-1st-code": Aggregation("max", "max"),
    "rsna-1st": Aggregation("mean"),
}


def parse_aggregation(text: str) -> Aggregation:
    """The aggregation that a text or the name of a preset says; ConfigError where none is said."""
    first, *policies = (part.strip() for part in text.split(","))
    return replace(_read_rules(first), **_read_policies(policies))


def _read_rules(text: str) -> Aggregation:
    rules = text.split("/")
    if text in PRESETS:
        return PRESETS[text]
    policy = next((rule for rule in rules if "=" in rule), None)
    if policy is not None:
        raise ConfigError(
            f"{policy[:40]!r} stands where a rule of an aggregation is to stand; policies follow "
            f"the rules after commas, as in mean/max/max,repeated=mean, and are {_WANTED}"
        )
    if len(rules) > len(_RULES):
        raise ConfigError(
            f"the aggregation {text[:80]!r} has {len(rules)} rules; wanted are up to 3: of views, "
            "breasts and exams, such as mean/max/max"
        )
    if len(rules) == 1 and not is_rule(text):
        raise ConfigError(
            f"no aggregation {text[:40]!r}.{closest(text, (*PRESETS, *RULES))} Several rules are "
            "those of views, breasts and exams, such as mean/max/max"
        )
    named: dict[str, Any] = dict(zip(_RULES, rules, strict=False))
    return Aggregation(**named)


def _read_policies(parts: list[str]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for part in parts:
        name, _, value = part.partition("=")
        if name not in _POLICIES:
            raise ConfigError(
                f"no policy {name[:40]!r} of an aggregation.{closest(name, _POLICIES)} Policies "
                f"are {_WANTED}"
            )
        changed[name] = value
    return changed
