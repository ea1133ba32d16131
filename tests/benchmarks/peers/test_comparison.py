"""Who is compared with whom, on made-up times; and one real round of the peers."""

import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.apart import measure
from benchmarks.images import Images
from benchmarks.job import Contender, Job
from benchmarks.peers import __main__ as program
from benchmarks.peers import comparison, spr, torch_dataloader
from benchmarks.timing import Measurement, Sample

PEERS = {
    "quick": SimpleNamespace(open_pass=None, LIBRARIES=(), OUTPUT="x", __doc__="Quick.\n\nMore."),
    "lost": SimpleNamespace(open_pass=None, LIBRARIES=("no_such",), OUTPUT="y", __doc__="Lost."),
}
SECONDS = {"loader j2k": 2.0, "loader htj2k": 1.0, "decode j2k": 1.0, "decode htj2k": 0.8}


def made_up(contenders: Any, repeats: int, on_pass: Any = None) -> dict[str, Measurement | str]:
    """Every contender takes its SECONDS, one more where fewer levels are decoded, others 4."""
    found: dict[str, Measurement | str] = {}
    for contender in contenders:
        if contender.missing:
            found[contender.name] = f"not installed: {contender.missing[0]}"
            continue
        wall_s = SECONDS.get(contender.name, 0.5 if "reduce" in contender.name else 4.0)
        found[contender.name] = Measurement((Sample(wall_s, wall_s),) * repeats, 50.0, 60.0)
    return found


def test_rows_and_ratios_by_hand(
    monkeypatch: pytest.MonkeyPatch, make_job: Callable[..., Job]
) -> None:
    monkeypatch.setattr(comparison, "measure", made_up)
    job = make_job("raw", 2)
    rows = comparison.compare({"j2k": job, "htj2k": job}, 5, PEERS)
    names = ["j2k", "j2k decode.reduce=auto", "htj2k", "htj2k decode.reduce=auto"]
    in_threads = {name for name in rows if "isolation" in name}
    assert [name for name in rows if name not in in_threads] == names
    times = [rows[name]["peers"]["quick"]["times_as_fast"]["median"] for name in names]
    assert times == [2.0, 8.0, 4.0, 8.0]
    assert rows["j2k"]["peers"]["quick"]["read"] == rows["htj2k"]["peers"]["quick"]["read"] == "j2k"
    assert rows["j2k"]["share_of_bare_decoder"]["median"] == 0.5
    assert rows["htj2k"]["share_of_bare_decoder"]["median"] == 0.8
    assert rows["j2k"]["loader"]["img_s"]["median"] == 1.0
    assert [name for name in names if "share_of_bare_decoder" in rows[name]] == ["j2k", "htj2k"]
    assert [name for name in names if "bare_decoder" in rows[name]] == ["j2k", "htj2k"]
    lost = {"outcome": "not installed: no_such"}
    assert all(rows[name]["peers"]["lost"] == lost for name in names)
    assert in_threads == {"j2k loader.isolation=thread", "htj2k loader.isolation=thread"}
    for name, ratio in (("j2k", 0.5), ("htj2k", 0.25)):  # they take 4 s
        row = rows[f"{name} loader.isolation=thread"]
        assert list(row) == ["loader", "times_as_fast_as_default"]
        assert row["times_as_fast_as_default"]["median"] == ratio


def test_only_wavelets_have_levels_to_leave_out(make_job: Callable[..., Job]) -> None:
    job = make_job("raw", 1)
    rows = comparison.rows_of({"jpeg_sv1": job, "j2k": job})
    assert [(row.name, row.job.recipe.decode.reduce, row.isolation) for row in rows] == [
        ("jpeg_sv1", 0, "process"),
        ("jpeg_sv1 loader.isolation=thread", 0, "thread"),
        ("j2k", 0, "process"),
        ("j2k decode.reduce=auto", "auto", "process"),
        ("j2k loader.isolation=thread", 0, "thread"),
    ]


def test_a_row_in_threads_is_measured_in_threads(
    monkeypatch: pytest.MonkeyPatch, make_job: Callable[..., Job]
) -> None:
    contenders: list[Contender] = []

    def keep(them: list[Contender], repeats: int, on_pass: Any) -> Any:
        contenders.extend(pickle.loads(pickle.dumps(them)))  # they go to other processes
        return made_up(them, repeats, on_pass)

    monkeypatch.setattr(comparison, "measure", keep)
    comparison.compare({"jpeg_sv1": make_job("raw", 1)}, 1, {})
    ways = {it.name: it.open_pass.keywords for it in contenders if it.name.startswith("loader")}
    assert ways == {
        "loader jpeg_sv1": {"isolation": "process"},
        "loader jpeg_sv1 loader.isolation=thread": {"isolation": "thread"},
    }


def test_the_program_writes_one_document(
    monkeypatch: pytest.MonkeyPatch,
    tiny_dicom: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(comparison, "measure", made_up)
    monkeypatch.setattr(comparison.compare, "__defaults__", (PEERS, lambda: None))
    monkeypatch.setattr(program, "PEERS", PEERS)
    out = tmp_path / "peers.json"
    words = f"peers --data {tiny_dicom} --images 2 --recipe demo --memory-size 128x104 --device cpu"
    monkeypatch.setattr(sys, "argv", [*words.split(), "--out", str(out)])
    program.main()
    document = json.loads(out.read_text())
    assert list(document) == ["machine", "settings", "rows", "memory", "targets"]
    assert list(document["rows"])[-1] == "jpeg_sv1 loader.isolation=thread"
    about = document["settings"]
    assert about["peers"]["quick"] == {"way": "Quick.", "gives": "x"}
    assert set(about["pydicom_decodes_with"]) == {"j2k", "jpeg_sv1"}
    assert document["memory"]["loader"]["j2k"]["above_import_mib"] == 10
    assert str(tiny_dicom) not in out.read_text()
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "j2k: 1.0 img/s, 0.5 of the bare decoder"
    assert printed[1:3] == ["    2.0 x (2.0 - 2.0) quick", "    (not installed: no_such) lost"]
    assert "j2k decode.reduce=auto: 4.0 img/s" in printed
    assert "j2k loader.isolation=thread: 0.5 img/s, 0.5 x the default" in printed
    assert document["targets"][0]["value"] == 0.5
    assert printed[-7].startswith("loader / bare decoder, j2k ")
    assert printed[-7].endswith(" 0.5  at least 0.85: NOT MET")
    assert printed[-1].endswith("0.01049  at most 1.5: met")


def test_peers_run_in_processes_of_their_own(tiny_dicom: Path, tmp_path: Path) -> None:
    """With workers, and with what they need imported there: two that differ most."""
    records = Images((tiny_dicom,), count=4).records("raw", tmp_path / "raw")
    recipe = program.load_recipe("demo", ["resize.size=[64, 32]"])
    job = Job(records, recipe, batch=2, threads=2)
    peers = {"spr": spr, "torch_dataloader": torch_dataloader}
    found = measure(
        [Contender(n, p.open_pass, job, p.LIBRARIES, optional=True) for n, p in peers.items()], 1
    )
    if found["spr"] == "not installed: cv2":
        pytest.skip("OpenCV is not installed (extra bench)")
    assert all(isinstance(measured, Measurement) for measured in found.values()), found
