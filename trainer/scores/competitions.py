"""What a competition takes: which rows, how they are named, and what it calls their scores.

RSNA Screening Mammography Breast Cancer Detection (2023) scores breasts by their probabilistic F1:
`prediction_id` is the patient and the side, `cancer` a probability or a decision.
SPR Screening Mammography Recall (2025) scores exams by their AUROC: `AccessionNumber` has six
digits, with zeros before it, `target` is a probability.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from dali_pipelines.adapters.spr import DIGITS
from dali_pipelines.adapters.table import Table
from dali_pipelines.adapters.table_text import read_table
from trainer.aggregation.levels import Level

CompetitionName = Literal["rsna", "spr"]


@dataclass(frozen=True, slots=True)
class Competition:
    """One row a unit of `level`, named by `id_column` and scored in `value_column`.

    An id of a row is `pattern` all through, in words `wanted`. `prior` is the share of positives
    among such rows in the training set, for rows of which no image has a score.
    """

    id_column: str
    value_column: str
    level: Level
    pattern: re.Pattern[str]
    wanted: str
    prior: float

    @property
    def header(self) -> str:
        """The first line of a file."""
        return f"{self.id_column},{self.value_column}"

    def read_ids(self, path: Path) -> list[str]:
        """The ids that a file of the competition asks for, in its order, each once.

        Its sample submission, or the table of the test images. Raises ConfigError if there is no
        such file, DatasetError if it names no rows of this competition.
        """
        table = read_table(path, {self.id_column.lower()})
        ids = [self.fill(cell) for cell in table.names(self.id_column)]
        self.require_ids(table, ids)
        return list(dict.fromkeys(ids))

    def require_ids(self, table: Table, ids: Sequence[str]) -> None:
        """Raise DatasetError, naming the lines, where an id is none of this competition."""
        wrong = [i for i, name in enumerate(ids) if not self.pattern.fullmatch(name)]
        table.require_none(wrong, f"column {self.id_column!r} must hold {self.wanted}")

    def may_be_id(self, name: str) -> bool:
        """Whether a patient (rsna) or an exam (spr) of that name has rows in the competition."""
        row = f"{name}_L" if self.level == "breast" else self.fill(name)
        return name != "" and self.pattern.fullmatch(row) is not None

    def fill(self, name: str) -> str:
        """The id with the leading zeros that a table of numbers has lost."""
        return name.zfill(DIGITS) if self.level == "exam" else name


COMPETITIONS: Final[dict[CompetitionName, Competition]] = {
    "rsna": Competition(
        id_column="prediction_id",
        value_column="cancer",
        level="breast",
        pattern=re.compile(r"[^\s,]+_[LR]"),
        wanted="a patient and a side, such as 10008_L",
        prior=0.0206,  # 2.06 % of the training images are of a breast with cancer
    ),
    "spr": Competition(
        id_column="AccessionNumber",
        value_column="target",
        level="exam",
        pattern=re.compile(rf"[0-9]{{{DIGITS}}}"),
        wanted=f"{DIGITS} digits, with zeros before a shorter number",
        prior=0.148,  # 1,789 of 12,088 training exams were recalled
    ),
}
