"""Nothing of a patient leaves the working files: marked exams go through every command.

The rule (DESIGN, decision 13). Manifest, its id key and tables of rejects may hold marks, and are
for their owner only. Nothing else that is printed or written may, with one exception: what the user
typed on the command line may be said back to the user, on stdout and stderr. So no mark is typed
here: each command gets plain names, relative to the folder that it runs in, and whatever it finds
below them is marked.
"""

import csv
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from cli.main import COMMANDS
from dali_pipelines.phantom.exams import write_phantoms
from dali_pipelines.phantom.patients import PhantomSettings
from tests.evidence.canary import (
    MARK,
    NAME,
    add_bad_files,
    change_files,
    mark_file,
    marks_in,
    write_bad_labels,
)

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
# Each command as it meets the marked files. What an earlier one writes a later one reads.
RUNS: dict[str, tuple[str, ...]] = {
    "scan": (
        "scan in -O out/m.parquet --labels labels.csv",
        "scan in -O out/m.parquet --labels labels.csv --retry-failed",
        "scan in -O out/json.parquet --json -j 1",
    ),
    "rejects": ("rejects out/m_rejects.csv", "rejects out/m_rejects.csv --code E_TRUNCATED"),
    "split": ("split out/m.parquet --folds 2",),
    "combine": ("combine a=out/m.parquet b=out/json.parquet -O out/all.parquet",),
    "preview": (
        "preview in -O out/previews --recipe demo --max-rejects 100%",
        "preview out/m.parquet -O out/more --recipe demo --max-rejects 100%",
    ),
    "montage": (
        "montage out/m.parquet -O out/sheets --recipe demo --by site -j 1 --max-rejects 100%",
        "montage in -O out/worst --recipe demo --json --max-rejects 100%",
    ),
    "verify": ("verify out/m.parquet --all --max-rejects 100%",),
    "preprocess": (
        "preprocess out/m.parquet out/shards --recipe demo",
        "preprocess out/m.parquet out/arrays --recipe demo --format npy --json",
        "preprocess out/m.parquet out/pictures --recipe demo --format png"
        " --review out/sheets/boxes.csv",
        "preprocess out/all.parquet out/tar --recipe demo --format webdataset --verify all",
        "preprocess out/all.parquet out/tiff --recipe demo --format tiff --shard 0/2 --dry-run",
    ),
    "train": (
        "train out/m.parquet -O out/run --recipe demo --model test_resnet --fold 0 --epochs 1"
        " --device cpu --max-rejects 100%",
        "train out/m.parquet -O out/stored_run --shards out/shards --model test_resnet --fold 0"
        " --epochs 1 --device cpu --max-rejects 100%",
        "train out/m.parquet -O out/folds --shards out/shards --model test_resnet --fold all"
        " --unit breast --epochs 1 --device cpu --max-rejects 100% --set log_blocks=1"
        " --set track=[tensorboard] --json",
    ),
    "export": (
        "export out/run/ckpt/last.pt -O out/model.onnx",
        "export out/run/ckpt/last.pt -O out/model.safetensors",
    ),
    "predict": (
        "predict out/m.parquet --ckpt out/run/ckpt/last.pt -O out/p.csv --max-rejects 100%",
        "predict in --ckpt out/run/ckpt/last.pt -O out/direct.csv --max-rejects 100% --json",
        "predict out/m.parquet --ckpt out/run/ckpt/last.pt -O out/stored.csv --shards out/shards",
        "predict out/m.parquet --ckpt out/run/ckpt/last.pt -O out/boxed.csv"
        " --review out/sheets/boxes.csv",
    ),
    "ensemble": (
        "ensemble out/folds -O out/ensemble.json --choose all",
        "predict in --ckpt out/ensemble.json -O out/together.json --tta hflip",
    ),
    "explain": ("explain out/m.parquet --ckpt out/run/ckpt/last.pt -O out/heat --sample 4",),
    "evaluate": (
        "evaluate out/p.csv",
        "evaluate out/p.csv --json --min-auroc 1",
        "evaluate out/direct.csv --manifest out/m.parquet --by vendor,age --curves out/curves",
        "evaluate out/p.csv --against out/stored.csv --bootstrap 10",
    ),
    "report": (
        "report out/p.csv --manifest out/m.parquet --run out/run -O out/report.html"
        " --card out/card.md --bootstrap 100 --device cpu",
        "report out/folds --manifest out/m.parquet -O out/folds.html --exams 0 --bootstrap 100",
    ),
}
LONG: dict[str, tuple[str, ...]] = {  # minutes: not in the slice
    "benchmark": (
        "benchmark loader --data in --images 4 --recipe demo",
        "benchmark decode --data in --images 4 --recipe demo --json",
    ),
    "doctor": ("doctor", "doctor --tune --data in --device cpu"),
}
SLICED_TOO = ("--review", "--shards")  # else the first line of each command is in the slice
READ_NO_IMAGES = {"phantom", "demo", "config", "completion"}
# The same after the files have changed, vanished or lost their end since the scan.
CHANGED = (
    "verify out/m.parquet --all",
    "preprocess out/m.parquet out/late --recipe demo",
    "train out/m.parquet -O out/late_run --recipe demo --model test_resnet --fold 0 --epochs 1"
    " --device cpu",
    "predict out/m.parquet --ckpt out/run/ckpt/last.pt -O out/late.csv",
    "montage out/m.parquet -O out/late_sheets --recipe demo",
    "preview out/m.parquet -O out/late_previews --recipe demo",
    "scan in -O out/late.parquet",
)
WRONG = (  # usage and data errors that know of ids
    "scan in -O out/wrong.parquet --labels twice.csv",
    "scan in -O out/wrong.parquet --labels strange.csv",
    "scan in -O out/wrong.parquet --labels empty.csv",
    "scan in -O in",
    "split out/json.parquet --folds 50",
    "train out/json.parquet -O out/wrong --recipe demo",
    "predict in/nowhere --ckpt out/run/ckpt/last.pt -O out/wrong.csv",
    "predict out/json.parquet --ckpt out/run/ckpt/last.pt -O out/wrong.csv --shards out/arrays",
    "preprocess out/m.parquet out/wrong_boxes --recipe demo --review labels.csv",
    "predict in --ckpt labels.csv -O out/wrong.csv",
    "evaluate out/m.parquet",
    "evaluate labels.csv",
    "rejects labels.csv",
)
# Each line as a call of `mammo -v`. A bug is the one ending that is none of a command's own.
COMMAND_LINES = """
import sys
from cli.main import BUG, main
if __name__ == "__main__":
    for line in sys.argv[1:]:
        try: main(["-v", *line.split()])
        except SystemExit as ended:
            if ended.code == BUG: raise
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with marked exams in `in`, sound and bad ones, and labels of the sound ones."""
    folder = tmp_path_factory.mktemp("exams")
    phantoms = write_phantoms(
        folder / "plain", PhantomSettings(patients=4, height=128, width=104, prevalence=0.5)
    )
    labels = pd.read_csv(phantoms.labels, dtype=str)
    new = {}
    for number, row in enumerate(labels.itertuples()):
        patient = sorted(set(labels["patient_id"])).index(row.patient_id)
        out = folder / "in" / f"{NAME} {patient}" / f"{NAME}_{number}.dcm"
        new[row.image_id] = mark_file(folder / "plain" / row.file, out, number, patient)
    labels["image_id"] = labels["image_id"].map(new)
    labels["patient_id"] = [f"{MARK}-{uid.rpartition('.')[2]}" for uid in labels["image_id"]]
    labels[["image_id", "cancer"]].to_csv(folder / "labels.csv", index=False)
    add_bad_files(folder / "in" / f"{NAME} bad", folder / "in" / f"{NAME} 0" / f"{NAME}_0.dcm")
    write_bad_labels(folder, labels)
    (folder / "out").mkdir()
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path) -> list[str]:
    """What leaks on the way to a manifest with folds and a checkpoint."""
    return said_and_written(folder, RUNS["scan"][0], RUNS["split"][0], RUNS["train"][0])


def said_and_written(folder: Path, *lines: str) -> list[str]:
    """Run commands in one process; where a mark has been left, and by what."""
    line = " && ".join(lines)
    done = subprocess.run(
        [sys.executable, "-c", COMMAND_LINES, *lines],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, (line, done.stderr[-2000:])
    leaks = [
        f"{line}: {stream} says {marks_in(text)}"
        for stream, text in (("stdout", done.stdout), ("stderr", done.stderr))
        if marks_in(text)
    ]
    return leaks + [f"{line}: {leak}" for leak in written(folder / "out")]


def written(out: Path) -> list[str]:
    """What is wrong with the files below `out`: marks where none may be, or eyes of others."""
    leaks = []
    for path in out.rglob("*"):
        name = path.relative_to(out).as_posix()
        if MARK in name:
            leaks.append(f"the name {name!r}")
        if path.is_file() and is_working_file(path):
            if path.stat().st_mode & 0o077:
                leaks.append(f"{name} has mode {path.stat().st_mode & 0o777:o}")
        elif path.is_file() and (found := marks_in(path.read_bytes())):
            leaks.append(f"{name} holds {found}")
    return leaks


def is_working_file(path: Path) -> bool:
    """Whether it is a manifest, the key of the ids, or a table of rejects."""
    is_manifest = path.suffix == ".parquet" and path.parent.name == "out"
    return is_manifest or path.suffix == ".key" or path.name.endswith("rejects.csv")


def test_no_command_was_forgotten() -> None:
    assert {*RUNS, *LONG, *READ_NO_IMAGES} == set(COMMANDS)


def test_the_marks_are_there_to_be_found(folder: Path) -> None:
    """Else finding none would mean nothing."""
    path = folder / "in" / f"{NAME} 0" / f"{NAME}_0.dcm"
    assert len(marks_in(path.read_bytes())) == 5
    packed = folder / "packed.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "plain")
    assert len(marks_in(packed.read_bytes())) == 5
    packed.unlink()


def test_no_mark_leaves_the_working_files(
    folder: Path, trained: list[str], full: bool, record_evidence: Callable
) -> None:
    leaks = list(trained)
    lines = [line for lines in RUNS.values() for line in lines]
    later = list(CHANGED)
    if full:
        lines += [line for lines in LONG.values() for line in lines]
        for line in lines:
            leaks += said_and_written(folder, line)
    else:
        later = later[1:2]
        lines = [
            line
            for name, lines in RUNS.items()
            for line in lines
            if name not in ("scan", "split", "train")
            and (line == lines[0] or any(option in line for option in SLICED_TOO))
        ]
        leaks += said_and_written(folder, *lines)
    with (folder / "out" / "m_rejects.csv").open(newline="") as file:
        assert sum(MARK in row["path"] for row in csv.DictReader(file)) >= 8
    assert len(pd.read_parquet(folder / "out" / "m.parquet")) == 16
    if full:
        lines += WRONG
        for line in WRONG:
            leaks += said_and_written(folder, line)
    change_files(folder / "in")
    for line in later:
        leaks += said_and_written(folder, line)
    record_evidence("privacy_canary", {"commands": len(lines) + len(later), "leaks": leaks})
    assert leaks == []


def test_no_bad_input_gives_its_name_away(
    folder: Path, trained: list[str], full: bool, record_evidence: Callable
) -> None:
    """The catalogue of bad inputs, but for what needs the machine to fail at the right moment."""
    from tests.bad_inputs import CASES
    from tests.bad_inputs.case import nothing

    cases = [case for case in CASES if case.command is None and case.during is nothing]
    cases = [case for case in cases if case.walked is None]
    assert len(cases) >= 80
    cases = cases if full else cases[::3]
    for case in cases:
        case_folder = folder / "bad" / f"{NAME} {case.name}"
        case_folder.mkdir(parents=True)
        case.build(case_folder)
    leaks = said_and_written(folder, "scan bad -O out/bad.parquet --any-modality --frames all")
    for case in cases:
        if case.after is not None:
            case.after(folder / "bad" / f"{NAME} {case.name}")
    later = [
        "preprocess out/bad.parquet out/bad_shards --recipe demo",
        "predict out/bad.parquet --ckpt out/run/ckpt/last.pt -O out/bad_scores.csv",
    ]
    if full:
        later += [
            "preprocess out/bad.parquet out/bad_more --recipe demo --set decode.reduce=auto",
            "verify out/bad.parquet --all",
            "preview out/bad.parquet -O out/bad_previews --recipe demo",
            "rejects out/bad_rejects.csv",
            "predict bad --ckpt out/run/ckpt/last.pt -O out/bad_direct.csv",
        ]
    leaks += said_and_written(folder, *later)
    record_evidence("privacy_canary_bad_inputs", {"cases": len(cases), "leaks": leaks})
    assert leaks == []
