"""The privacy canary on two files; `tests/evidence/test_privacy_canary.py` has all commands."""

from pathlib import Path

import numpy as np
import pytest

from cli.main import main
from dali_pipelines.phantom.header import HeaderSpec
from dali_pipelines.phantom.write import write_dicom
from tests.evidence.canary import MARK, NAME, mark_file, marks_in

COMMANDS = (
    "scan in -O out/m.parquet --json -j 1",
    "rejects out/m_rejects.csv",
    "preview in -O out/previews --recipe demo --max-rejects 100%",
    "preprocess out/m.parquet out/shards --recipe demo",
)


@pytest.fixture
def marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "in" / NAME
    values = np.random.default_rng(0).integers(0, 4096, (40, 30)).astype(np.uint16)
    write_dicom(tmp_path / "plain.dcm", values, HeaderSpec("j2k"))
    mark_file(tmp_path / "plain.dcm", folder / f"{NAME}.dcm", 1, 1)
    content = (folder / f"{NAME}.dcm").read_bytes()
    (folder / f"{NAME}_cut.dcm").write_bytes(content[:-400])
    (folder / f"{NAME}.txt").write_text(NAME)
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    return folder


def test_nothing_that_is_said_or_written_outside_working_files_is_marked(
    marked: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert len(marks_in((marked / f"{NAME}.dcm").read_bytes())) == 5
    for line in COMMANDS:
        with pytest.raises(SystemExit):
            main(["-v", *line.split()])
        said = capfd.readouterr()
        assert marks_in((said.out + said.err).encode()) == [], line
    working = {Path("out", name) for name in ("m.parquet", "m.key", "m_rejects.csv")}
    written = {path for path in Path("out").rglob("*") if path.is_file()}
    assert working < written
    for path in working:
        assert path.stat().st_mode & 0o777 == 0o600
    assert marks_in(Path("out/m.parquet").read_bytes())
    for path in written - working:
        if not path.name.endswith("rejects.csv"):
            assert marks_in(path.read_bytes()) == [], path
        assert MARK not in str(path)
