"""A code of rejects.csv, or a flag of the manifest, -> what it means and what to do about it."""

from dataclasses import dataclass

from dali_pipelines.rejects.flag_texts import FLAG_TEXTS
from dali_pipelines.rejects.reason_texts import REASON_TEXTS
from dali_pipelines.verdicts import Flag, Reason


@dataclass(frozen=True, slots=True)
class Explanation:
    """One sentence on what was found, and one on what to do."""

    meaning: str
    advice: str


def explain(code: Reason | Flag) -> Explanation:
    """The explanation of a code; every member of both enums has one."""
    return Explanation(*(REASON_TEXTS[code] if isinstance(code, Reason) else FLAG_TEXTS[code]))
