"""The page: self-contained, escaped, honest where a figure is not defined, and without a path."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.verdicts import Reason, Reject
from tests.trainer.report.toy_run import write_run
from trainer.decisions.decision import Decision
from trainer.evaluation.options import EvaluationOptions
from trainer.report.build import ReportOptions, Sources, build_report
from trainer.report.page import RESEARCH_USE, write_card, write_report
from trainer.report.run_facts import read_runs

QUICK = EvaluationOptions(repeats=100)
EMPTY = Reject("/secret/a.dcm", "", "", "read", Reason.EMPTY, "the file has <0> bytes")


def scores(labels: list[int | None]) -> pd.DataFrame:
    """Two images of two patients, and more as labels ask, of two vendors."""
    n = len(labels)
    return pd.DataFrame(
        {
            "image_id": [f"{k:032x}" for k in range(n)],
            "patient_id": [f"p{k // 2}" for k in range(n)],
            "exam_id": [f"e{k // 2}" for k in range(n)],
            "laterality": ["L", "R"] * (n // 2),
            "view": ["CC"] * n,
            "prob": np.linspace(0.9, 0.1, n),
            "cancer": pd.array(labels, dtype="Int64"),
            "vendor": ["<Maker>", "Other"] * (n // 2),
        }
    )


def page_of(path: Path, sources: Sources, title: str = "A <run>") -> str:
    write_report(build_report(sources, ReportOptions(title, "synthetic & so on")), path)
    return path.read_text(encoding="utf-8")


class Text(HTMLParser):
    """The words of a page, and that every element is closed."""

    VOID = ("meta", "link", "img", "input", "br")

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)


def words(page: str) -> str:
    reader = Text()
    reader.feed(page)
    assert reader.open == []
    return " ".join(" ".join(reader.words).split())


def test_figures_subgroups_and_rejects_are_on_the_page(tmp_path: Path) -> None:
    sources = Sources(scores([1, 0, 1, 0, 0, 0]), "Told.", QUICK, rejects=[EMPTY])
    page = page_of(tmp_path / "report.html", sources)
    text = words(page)
    # breasts: each image is its own, at 0.9 1, 0.74 0, 0.58 1, 0.42 0, 0.26 0, 0.1 0
    assert "AUROC by breast 0.875" in text
    assert "scored 6 6 3 3" in text
    assert "with cancer 2 2 2 2" in text
    assert "Few patients:" in text
    assert "Told. The scores of the views of a breast become one by mean," in text
    assert "1 inputs gave no image" in text
    assert "the file has <0> bytes" in text
    assert "A <run>" in text
    assert "<Maker> few" in text
    assert RESEARCH_USE in text
    assert page.count("<svg") == 4 + 2  # four charts, a mark for each vendor


def test_counts_at_the_threshold_worked_by_hand(tmp_path: Path) -> None:
    decision = Decision("breast", "f1", 0.5, chosen_on={"n": 40, "npos": 9})
    options = EvaluationOptions(repeats=100, decision=decision)
    page = page_of(tmp_path / "r.html", Sources(scores([1, 0, 1, 0, 0, 1]), evaluation=options))
    text = words(page)
    assert "cancer no cancer score 0.500 and over 2 1 below 1 2" in text
    assert "sensitivity 0.667" in text
    assert "by the rule f1 on scores by breast (40 breasts, 9 with cancer)" in text
    assert ">threshold</text>" in page


def test_folds_of_a_cross_validation_stand_by_themselves(tmp_path: Path) -> None:
    # each fold is right by itself, 1 and 1, and together 3 of 4 pairs are: 0.9 0.7 | 0.6 0.2
    table = scores([1, 0, 1, 0]).assign(prob=[0.9, 0.7, 0.6, 0.2], fold=[0, 0, 1, 1])
    sources = Sources(table, "Told.", QUICK, is_out_of_fold=True)
    text = words(page_of(tmp_path / "a.html", sources))
    assert "AUROC by breast 0.750" in text
    assert "within the folds, the AUROC by breast is 1.000 to 1.000" in text
    assert "fold 0 few 1 1 1.000" in text
    other = words(page_of(tmp_path / "b.html", Sources(table, "Told.", QUICK)))
    assert "fold 0" not in other
    assert "Figures of all folds" not in other


def test_more_groups_than_a_table_holds_are_still_split(tmp_path: Path) -> None:
    table = scores([1, 0] * 25).assign(vendor=[f"Maker {k:02}" for k in range(50)])
    (rows,) = build_report(
        Sources(table, evaluation=QUICK), ReportOptions()
    ).scores.subgroups.values()
    assert len(rows) == 21
    assert rows[-1].value == "30 others"


def test_a_score_of_several_images_is_said_to_be_one(tmp_path: Path) -> None:
    table = scores([1, 0, 1, 0])
    assert "score the views" not in words(page_of(tmp_path / "a.html", Sources(table)))
    sources = Sources(table.assign(unit_id=["a", "a", "b", "b"]), "Told.", QUICK)
    text = words(page_of(tmp_path / "b.html", sources))
    assert "Told. The network scores the views of a breast or an exam together" in text


def test_what_a_strange_ensemble_says_of_its_choice_is_no_number_of_the_page() -> None:
    decision = Decision("breast", "f1", 0.5, chosen_on={"n": "many", "patients": 9})
    options = EvaluationOptions(repeats=100, decision=decision)
    report = build_report(Sources(scores([1, 0]), evaluation=options), ReportOptions())
    assert "on scores by breast (9 patients)" in report.decided


def test_an_undefined_figure_is_a_dash_and_there_is_no_curve(tmp_path: Path) -> None:
    page = page_of(tmp_path / "r.html", Sources(scores([0, 0, 0, 0]), evaluation=QUICK))
    assert "AUROC by breast -" in words(page)
    assert "One class is missing" in words(page)
    assert "nan" not in page.lower().replace("financ", "")


@pytest.mark.parametrize("labels", [[None, None], []])
def test_scores_without_a_label_have_no_figures(tmp_path: Path, labels: list) -> None:
    page = page_of(tmp_path / "r.html", Sources(scores(labels), evaluation=QUICK))
    assert 'id="scores"' not in page
    assert "No image with a label was scored, so there are no figures." in words(page)
    assert "No rejects are known" in words(page)


def test_the_page_loads_nothing_runs_nothing_and_is_the_same_twice(tmp_path: Path) -> None:
    sources = Sources(scores([1, 0, 1, 0]), evaluation=QUICK)
    first = page_of(tmp_path / "a.html", sources)
    assert first == page_of(tmp_path / "b.html", sources)
    assert "default-src 'none'" in first
    assert not re.search(r'(src|href)="(?!data:|#)', first)
    assert "<script" not in first
    assert "url(" not in first
    assert not re.search(r"\bon\w+=", first)


def test_every_anchor_of_the_page_is_there(tmp_path: Path) -> None:
    runs = read_runs(write_run(tmp_path / "run"))
    page = page_of(tmp_path / "r.html", Sources(scores([1, 0, 1, 0]), evaluation=QUICK, runs=runs))
    anchors = re.findall(r'href="#(\w+)"', page)
    assert {"scores", "subgroups", "training", "rejects", "setup"} == set(anchors)
    assert all(f'id="{anchor}"' in page for anchor in anchors)


def test_what_a_run_knows_of_places_and_machines_is_not_on_the_page(tmp_path: Path) -> None:
    runs = read_runs(write_run(tmp_path / "run"))
    page = page_of(tmp_path / "r.html", Sources(runs=runs, rejects=[EMPTY, *runs[0].rejects]))
    assert "E_TRUNCATED" in page
    assert "weights.pt" in page
    assert "dali j2k 40" in words(page)
    for secret in ("/home", "/secret", "ward-7", str(tmp_path)):
        assert secret not in page


def test_exams_hang_on_the_page_with_their_heat_maps(
    phantom_manifest: Path, toy_scorers, tmp_path: Path
) -> None:
    from dali_pipelines.manifest import read_manifest
    from trainer.scores.table import prediction_table

    manifest = read_manifest(phantom_manifest)
    table = prediction_table(manifest, np.linspace(-3, 3, len(manifest)), "hash", b"k" * 16)
    scorers = toy_scorers(Recipe("toy", resize=ResizeSettings(size=(64, 48))), held_out=(0, 1))
    sources = Sources(table, "", QUICK, manifest, scorers=scorers)
    quick = LoaderSettings(isolation="thread", threads=1)
    report = build_report(sources, ReportOptions(exams=1, device="cpu", loader=quick))
    write_report(report, tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert page.count('<figure class="exam">') == sum(len(g.exams) for g in report.exams) >= 2
    first = page[page.index('<figure class="exam">') :]
    hung = re.findall(r'<span class="view">([^<]*)<', first)[:4]
    assert hung == ["R CC", "L CC", "R MLO", "L MLO"]
    assert first.count("data:image/jpeg") >= 8
    assert not set(manifest["patient_id"]) & set(re.findall(r"\w+", page))
    assert not any(uid in page for uid in manifest["sop_instance_uid"])
    assert str(phantom_manifest.parent) not in page


def test_the_card_says_what_only_the_owner_can_and_counts_the_rest(tmp_path: Path) -> None:
    runs = read_runs(write_run(tmp_path / "run"))
    sources = Sources(scores([1, 0, 1, 0, 0, 0]), "Told.", QUICK, runs=runs, rejects=[EMPTY])
    report = build_report(sources, ReportOptions("A|run"))
    write_card(report, tmp_path / "MODEL_CARD.md")
    card = (tmp_path / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.startswith("# Model card: A\\|run\n")
    assert RESEARCH_USE in card
    assert "## Intended use\n\n\N{MATHEMATICAL LEFT WHITE SQUARE BRACKET} Owner:" in card
    assert "| AUROC | 0.875 (" in card
    assert "| scored, with cancer | 6, 2 | 6, 2 | 3, 2 | 3, 2 |" in card
    assert r"| \<Maker\> (few) |" in card
    assert "Groups marked few have fewer than ten" in card
    assert "- Scores are not calibrated" in card
    assert "2 of 3 scored patients have cancer" in card
    assert "/home" not in card


def test_every_row_of_a_table_of_the_card_has_as_many_cells_as_its_head(tmp_path: Path) -> None:
    decision = Decision("breast", "f1", 0.5)
    options = EvaluationOptions(repeats=100, decision=decision)
    write_card(
        build_report(Sources(scores([1, 0, 1, 0]), evaluation=options), ReportOptions()),
        tmp_path / "card.md",
    )
    cells: list[int] = []
    for line in (tmp_path / "card.md").read_text().splitlines():
        if line.startswith("|"):
            cells.append(len(re.findall(r"(?<!\\)\|", line)))
        else:
            assert len(set(cells)) <= 1
            cells = []


def test_the_card_names_the_networks_by_their_weights(tmp_path: Path, toy_scorers) -> None:
    runs = read_runs(write_run(tmp_path / "run"))
    scorers = toy_scorers(Recipe("toy", resize=ResizeSettings(size=(64, 48))), held_out=(0, None))
    sources = Sources(scores([1, 0]), evaluation=QUICK, runs=runs, scorers=scorers)
    write_card(build_report(sources, ReportOptions(exams=0)), tmp_path / "card.md")
    card = (tmp_path / "card.md").read_text()
    assert f"| 1 x 64 x 48 | 0 | `{'0' * 64}` |" in card
    assert f"| 1 x 64 x 48 | none | `{'1' * 64}` |" in card
    assert "one as the mean of their probabilities, by weight." in card
    assert "began from the weights `weights.pt` (mind their license) and ran for 3 epochs." in card
