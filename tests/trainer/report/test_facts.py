"""The plain facts of a page: speed, stored images, rejects, settings; and numbers in words."""

from dataclasses import replace

import pytest

from dali_pipelines.identity import image_id
from dali_pipelines.manifest_rows import to_frame
from dali_pipelines.verdicts import Reason, Reject
from tests.trainer.report.toy_run import LOST, write_run
from trainer.intervals.interval import Interval
from trainer.report import words
from trainer.report.reject_list import reject_list
from trainer.report.run_facts import read_runs
from trainer.report.setup_facts import setup_of
from trainer.report.work_facts import StreamCount, decoded_counts, pass_speeds, stream_counts

KEY = b"k" * 16


def test_speed_is_the_median_of_the_epochs_and_the_peak_of_memory(tmp_path) -> None:
    train, validate = pass_speeds(read_runs(write_run(tmp_path / "run")))
    assert (train.name, train.passes, train.images, train.seconds) == ("train", 3, 24, 6.0)
    assert (train.rate_img_s, train.wait_share) == (4.0, 0.25)
    assert (train.host_mib, train.gpu_mib) == (300.0, None)
    assert validate.rate_img_s == 8.0
    assert pass_speeds([]) == []


def test_what_decoded_how_many_images_in_all_runs(tmp_path) -> None:
    runs = read_runs(write_run(tmp_path / "a")) + read_runs(write_run(tmp_path / "b"))
    assert decoded_counts(runs) == {"dali j2k": 80, "numpy raw": 4}


def test_codestreams_are_counted_by_kind_the_most_frequent_first(record_of) -> None:
    frame = to_frame(
        [
            record_of(kind="j2k", height=1000, width=2000, precision=12, fragments=((0, 1 << 20),)),
            record_of(kind="raw", height=10, width=10, precision=16),
            record_of(kind="j2k", height=1000, width=4000, precision=10, lossy=True,
                      fragments=((0, 1 << 19), (9, 1 << 19))),
        ]
    )  # fmt: skip
    first, second = stream_counts(frame)
    assert first == StreamCount("j2k", 2, 1, "10, 12", megapixels=3.0, mebibytes=2.0)
    assert (second.kind, second.images) == ("raw", 1)


def test_rejects_are_counted_once_and_named_by_keyed_ids() -> None:
    scanned = Reject("/secret/a.dcm", "m", "", "read", Reason.EMPTY, "no bytes")
    rejects = reject_list([scanned, LOST, LOST], 10, KEY)
    assert (rejects.total, rejects.inputs) == (2, 10)
    assert [(one.code, one.count) for one in rejects.counts] == [("E_EMPTY", 1), ("E_TRUNCATED", 1)]
    assert all(one.meaning and one.advice for one in rejects.counts)
    assert [line.input_id for line in rejects.lines] == [
        image_id(KEY, "/secret/a.dcmm"), LOST.image_id,
    ]  # fmt: skip
    assert reject_list([scanned], None, None).lines[0].input_id == ""
    odd = replace(scanned, path="/secret/\udcff.dcm")  # a byte that is no UTF-8
    assert len(reject_list([odd], None, KEY).lines[0].input_id) == 32


def test_settings_that_are_not_the_usual_ones_without_any_place(tmp_path) -> None:
    (run,) = read_runs(write_run(tmp_path / "run", fold=2))
    setup = setup_of(run)
    assert setup.changed == {
        "train.epochs": "3",
        "train.fold": "2",
        "train.model.pretrained": "weights.pt",
        "recipe.name": "toy",
    }
    assert "boxes.onnx" in setup.settings
    assert "/home" not in setup.settings
    assert setup.versions == {"torch": "2.0", "timm": "absent"}
    assert setup.machine == {"cores": "2"}


def test_numbers_in_words() -> None:
    assert words.figure(0.98765) == "0.988"
    assert words.figure(None) == words.span(None) == words.percent(None) == "-"
    assert words.span(Interval(0.1234, 0.9)) == "0.123\N{EN DASH}0.900"
    assert words.percent(0.4567) == "46 %"
    assert words.percent(0.4567, 1) == "45.7 %"
    assert words.count(12345) == "12,345"
    assert words.plural("breast") == "breasts"


@pytest.mark.parametrize(
    ("prob", "text"),
    [
        (0.0, "0.000"), (1.0, "1.000"), (0.0004, "< 0.001"), (0.0005, "0.001"),
        (0.9996, "> 0.999"), (0.9994, "0.999"), (0.5, "0.500"),
    ],
)  # fmt: skip
def test_a_score_near_an_end_is_not_written_as_that_end(prob: float, text: str) -> None:
    assert words.score(prob) == text


def test_marks_of_markdown_are_escaped() -> None:
    assert words.plain("a|b*c_d`e`\n<f>") == r"a\|b\*c\_d\`e\` \<f\>"
    assert words.plain("a\r\u2028# b") == r"a \# b"


def test_epochs_of_one_run_and_of_several() -> None:
    assert [words.epochs(k) for k in ([1], [3], [2, 2], [2, 5, 3])] == [
        "1 epoch", "3 epochs", "2 epochs each", "2 to 5 epochs",
    ]  # fmt: skip
