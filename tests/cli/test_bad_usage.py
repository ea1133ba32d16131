"""The program as a person meets it: bad folders, bad usage, one sentence and the right code."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.main import main
from dali_pipelines.phantom.header import HeaderSpec, make_uid
from dali_pipelines.phantom.write import write_dicom
from dali_pipelines.rejects.table import read_rejects


@dataclass(frozen=True)
class Done:
    code: int
    stdout: str
    stderr: str


@pytest.fixture
def mammo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Callable[..., Done]:
    """mammo("scan in -O m.parquet") runs the program in tmp_path."""

    def run(line: str) -> Done:
        monkeypatch.chdir(tmp_path)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(line.split())
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def mixed_folder(tmp_path: Path, noise) -> Path:
    """Three good files among one of each kind of trouble."""
    folder = tmp_path / "in"
    folder.mkdir()
    for k, syntax in enumerate(("raw", "j2k", "jpeg_sv1")):
        spec = HeaderSpec(syntax=syntax, sop_uid=make_uid(f"image {k}"))
        write_dicom(folder / f"good{k}.dcm", noise(12, (48, 40), seed=k), spec)
    whole = (folder / "good2.dcm").read_bytes()
    (folder / "cut.dcm").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("not an image\n")
    (folder / "empty.dcm").touch()
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    frames = HeaderSpec(sop_uid=make_uid("frames"), changes={"NumberOfFrames": 2})
    write_dicom(folder / "frames.dcm", noise(12, (48, 40)), frames)
    return folder


def test_a_folder_of_trouble_is_scanned_to_the_end_and_each_is_named(
    mixed_folder: Path, mammo: Callable[..., Done]
) -> None:
    done = mammo("scan in -O m.parquet --workers 1")
    assert (done.code, done.stdout) == (0, "m.parquet\n")
    rejects = read_rejects(mixed_folder.parent / "m_rejects.csv")
    assert {(Path(r.path).name, r.reason.value) for r in rejects} == {
        ("cut.dcm", "E_TRUNCATED"),
        ("notes.txt", "not_dicom"),
        ("empty.dcm", "E_EMPTY"),
        ("loop", "directory_loop"),
        ("frames.dcm", "multiframe"),
    }


@pytest.mark.parametrize(("limit", "code"), [("5", 0), ("4", 3), ("100%", 0), ("10%", 3)])
def test_above_max_rejects_the_code_is_3(
    limit: str, code: int, mixed_folder: Path, mammo: Callable[..., Done]
) -> None:
    done = mammo(f"scan in -O m.parquet --workers 1 --max-rejects {limit}")
    assert done.code == code
    assert (mixed_folder.parent / "m.parquet").exists()
    assert len(read_rejects(mixed_folder.parent / "m_rejects.csv")) == 5


@pytest.fixture
def workplace(phantom_manifest: Path, tmp_path: Path) -> Path:
    """A folder with a good manifest, one with a patient in two folds, and odd files."""
    from dali_pipelines.manifest import read_manifest, write_manifest

    shutil.copy(phantom_manifest, tmp_path / "good.parquet")
    shutil.copy(phantom_manifest.with_suffix(".key"), tmp_path / "good.key")
    frame = read_manifest(phantom_manifest)
    leaky = frame.assign(fold=[k % 2 for k in range(len(frame))])
    write_manifest(leaky, tmp_path / "leaky.parquet")
    write_manifest(frame.drop(columns="cancer"), tmp_path / "unlabeled.parquet")
    (tmp_path / "labels.csv").write_text("image_id,outcome\na,1\n")
    (tmp_path / "wrong.yaml").write_text("epocs: 3\n")
    return tmp_path


@pytest.mark.parametrize(
    ("line", "code", "sentence"),
    [
        ("scan nowhere -O m.parquet", 2, "nowhere"),
        ("scan good.key -O m.parquet --labels labels.csv", 3, "cancer"),
        ("scan good.key -O m.parquet --labels labels.csv --label-column target", 3, "target"),
        ("split nowhere.parquet", 2, "no manifest 'nowhere.parquet'"),
        ("split unlabeled.parquet", 3, "cancer"),
        ("split labels.csv", 3, "is not a manifest"),
        ("preprocess good.parquet out --recipe demmo", 2, "Did you mean 'demo'?"),
        ("preprocess good.parquet out --set roi.margn=1", 2, "Did you mean 'roi.auto.margin'?"),
        ("train good.parquet -O run --config wrong.yaml", 2, "Did you mean 'epochs'?"),
        ("train good.parquet -O run --config nowhere.yaml", 2, "nowhere.yaml"),
        ("train good.parquet -O run --recipe nosuch", 2, "no recipe 'nosuch'"),
        ("train good.parquet -O run --model test_resnt", 2, "Did you mean"),
        ("train leaky.parquet -O run --model test_resnet", 3, "are in two folds"),
        ("train unlabeled.parquet -O run --model test_resnet", 3, "cancer"),
        ("predict nowhere.parquet --ckpt none.pt", 5, "none.pt"),
        ("predict good.parquet --ckpt none.pt", 5, "none.pt"),
        ("predict good.parquet --ckpt labels.csv", 5, "labels.csv"),
        ("evaluate nowhere.csv", 2, "nowhere.csv"),
        ("evaluate labels.csv", 3, "prob"),
        ("config show --set optim.lrr=1", 2, "Did you mean 'optim.lr'?"),
    ],
)
def test_bad_usage_is_one_clear_sentence(
    line: str, code: int, sentence: str, workplace: Path, mammo: Callable[..., Done]
) -> None:
    before = sorted(path.name for path in workplace.iterdir())
    done = mammo(line)
    assert (done.code, done.stdout) == (code, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    errors = [text for text in done.stderr.splitlines() if text.lower().startswith("error: ")]
    assert len(errors) == 1
    made = {path.name for path in workplace.iterdir()} - set(before)
    assert made <= {"m.key"}  # a scan makes the key of its manifest before it reads labels
