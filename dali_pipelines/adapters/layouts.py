"""The data sets that have an adapter: how their tables are told, and what reads them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from dali_pipelines.adapters import (
    cbis_ddsm,
    cmmd,
    csaw,
    csv_labels,
    embed,
    inbreast,
    mias,
    mirai_csv,
    rsna,
    spr,
    vindr,
)
from dali_pipelines.adapters.labels import Labels
from dali_pipelines.adapters.table import Table


@dataclass(frozen=True, slots=True)
class Layout:
    """One data set.

    `tables` are sets of columns, of which each of its tables has one whole. `read` takes the tables
    and the name of a label rule; `read_column`, where there is one, the column of the label in its
    place. Columns other than `keep` are not read, unless that is None. `generic`: any data set's,
    so that no table is taken for it which another layout knows.
    """

    title: str
    tables: Sequence[Sequence[str]]
    read: Callable[[Sequence[Table], str], Labels]
    read_column: Callable[[Sequence[Table], str], Labels] | None = None
    keep: Collection[str] | None = None
    generic: bool = False

    def find(self, header: Collection[str]) -> Sequence[str]:
        """The columns by which a table of these columns, in lower case, is told; else ()."""
        known = (names for names in self.tables if {n.lower() for n in names} <= set(header))
        return next(known, ())


LAYOUTS: Final[Mapping[str, Layout]] = {
    "csv": Layout(
        "any table with a row an image",
        tuple(product(csv_labels.IMAGE_KEYS, csv_labels.LABELS)),
        csv_labels.read_labels,
        csv_labels.read_column,
        generic=True,
    ),
    "rsna": Layout(
        "RSNA Screening Mammography 2023",
        (
            ("image_id", "cancer", "biopsy", "invasive", "difficult_negative_case"),
            ("image_id", "laterality", "view", "prediction_id"),
        ),
        rsna.read_labels,
        rsna.read_column,
    ),
    "spr": Layout(
        "SPR Screening Mammography Recall 2025",
        (("AccessionNumber", "Laterality", "target"),),
        spr.read_labels,
    ),
    "vindr": Layout(
        "VinDr-Mammo",
        (("study_id", "image_id", "breast_birads", "breast_density", "split"),),
        vindr.read_labels,
    ),
    "embed": Layout(
        "EMBED open data",
        (
            ("empi_anon", "acc_anon", "asses", "side"),
            ("empi_anon", "acc_anon", "anon_dicom_path", "ImageLateralityFinal"),
        ),
        embed.read_labels,
        keep=embed.COLUMNS,
    ),
    "csaw": Layout(
        "CSAW-CC",
        (("anon_filename", "imagelaterality", "x_case", "x_cancer_laterality", "rad_recall"),),
        csaw.read_labels,
    ),
    "cbis-ddsm": Layout(
        "CBIS-DDSM",
        (("patient_id", "left or right breast", "image view", "abnormality id", "pathology"),),
        cbis_ddsm.read_labels,
    ),
    "inbreast": Layout("INbreast", (("File Name", "ACR", "Bi-Rads"),), inbreast.read_labels),
    "cmmd": Layout("CMMD", (("ID1", "LeftRight", "classification"),), cmmd.read_labels),
    "mias": Layout("mini-MIAS", (mias.COLUMNS,), mias.read_labels),
    "mirai-csv": Layout(
        "the CSV of Mirai",
        (("patient_id", "exam_id", "file_path", "years_to_cancer", "years_to_last_followup"),),
        mirai_csv.read_labels,
    ),
}
