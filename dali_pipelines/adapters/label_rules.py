"""Every label rule of every adapter, in words: what is 1, what is 0, what has no label.

The first rule of an adapter is the one it takes unless another is asked for. `mammo scan` prints
the rule that it used, `mammo scan --list-adapters` prints them all.
"""

from collections.abc import Mapping
from typing import Final

from dali_pipelines.errors import ConfigError
from dali_pipelines.settings import closest

OWN_COLUMN: Final = "column"  # the name of the rule where a column holds the labels as they are

RULES: Final[Mapping[str, Mapping[str, str]]] = {
    "csv": {OWN_COLUMN: "0 or 1 as column cancer, else label, has it for the image"},
    "rsna": {
        "cancer": "0 or 1 as column cancer has it for the breast; test.csv has no labels",
        "recall": "by BIRADS of the breast: 0 is 1; 1 and 2 are 0; blank has no label",
    },
    "spr": {
        "recall": "by Laterality of the exam, which holds L, R, B (both), N (none) or, with target "
        "0, nothing: a breast it names is 1, any other 0; an image of unknown side has a label "
        "only where both breasts have the same one",
    },
    "vindr": {
        "cancer": "by breast_birads of the breast: 5 is 1; 1 to 4 are 0",
        "suspicious": "by breast_birads of the breast: 4 and 5 are 1; 1 to 3 are 0",
        "recall": "by breast_birads of the breast: 3 to 5 are 1; 1 and 2 are 0",
    },
    "embed": {
        "cancer": "by the gravest path_severity of the breast: 0 and 1 are 1; 2 to 5 are 0; 6 "
        "(another organ) has no label, nor has a cancer of which no side or both are named; "
        "without pathology as recall, but never 1",
        "recall": "by asses of the breast's findings: any A, P, S, M or K is 1; N and B are 0; a "
        "breast without a finding in an exam of both is 0; X has no label",
    },
    "csaw": {
        "cancer": "x_case 1 with rad_timing 1 is 1 for the breast in x_cancer_laterality, without "
        "that timing (cancer found later) it has no label; the other breast and x_case 0 are 0",
        "recall": "rad_recall 1 is 1 for the breast in x_cancer_laterality and for one whose "
        "rad_recall_type is 1 or 2; any other breast is 0; no label where rad_recall is blank, or "
        "is 1 and neither breast is named",
    },
    "cbis-ddsm": {
        "cancer": "any MALIGNANT abnormality of the image, in whichever table, is 1; BENIGN and "
        "BENIGN_WITHOUT_CALLBACK alone are 0; crops and masks have no label",
    },
    "inbreast": {
        "cancer": "by Bi-Rads of the image, since no biopsies were released: 4a, 4b, 4c, 5 and 6 "
        "are 1; 1 to 3 are 0",
        "recall": "by Bi-Rads of the image: 3 to 6 are 1; 1 and 2 are 0",
    },
    "cmmd": {
        "cancer": "by classification of the breast: Malignant is 1, Benign alone 0; a breast "
        "without a row has no label",
    },
    "mias": {
        "cancer": "any abnormality of severity M is 1; B alone and NORM are 0; an abnormality of "
        "no severity has no label"
    },
    "mirai-csv": {
        f"{years}-year": f"of the exam: years_to_cancer below {years} is 1; {years} and more, or "
        f"100 (no cancer) with years_to_last_followup of {years} or more, is 0; shorter follow-up "
        "and blank years_to_cancer have no label"
        for years in (5, 4, 3, 2, 1)
    },
}


def pick_rule(adapter: str, rule: str | None) -> str:
    """That rule, or the first of the adapter; ConfigError where it has none of that name."""
    rules = RULES[adapter]
    if rule is None:
        return next(iter(rules))
    if rule not in rules:
        raise ConfigError(
            f"the adapter {adapter!r} has no label rule {rule!r}.{closest(rule, rules)}"
        )
    return rule
