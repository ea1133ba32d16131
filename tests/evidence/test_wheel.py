"""The built wheel runs outside the checkout: nothing that it needs was left behind."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked into a folder of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.slow
def test_the_wheel_is_what_runs(installed: Path, tmp_path: Path) -> None:
    program = "import cli, trainer, dali_pipelines as d; print(cli.__file__, d.__file__)"
    assert run(installed, tmp_path, "-c", program).stdout.count(str(installed)) == 2
    assert not (installed / "tests").exists()


@pytest.mark.slow
def test_doctor_and_demo_run_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    assert "wrong" not in run(installed, tmp_path, "-m", "cli", "doctor").stdout
    done = run(installed, tmp_path, "-m", "cli", "demo", "out", "--patients", "12", "--json")
    assert isinstance(json.loads(done.stdout)["breast/auroc"], float)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<h2>Exams</h2>" in page
    assert "http://" not in page.replace("http://www.w3.org/", "").replace("http://purl.org/", "")
