"""`mammo train` and `predict` on shards: the weights and scores of the same run on DICOM."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from cli.predict import command as predict
from cli.preprocess import command as preprocess
from cli.train import command as train
from dali_pipelines.catalog.build import CatalogSettings, plan_catalog, write_catalog
from dali_pipelines.errors import ConfigError
from dali_pipelines.manifest import write_manifest
from dali_pipelines.phantom.exams import write_phantoms
from dali_pipelines.phantom.patients import PhantomSettings
from dali_pipelines.splits import assign_folds
from trainer.checkpoint import load_checkpoint

SMALL = ["--set", "resize.size=[48, 32]"]
RUN = [
    *("--recipe", "demo", "--model", "test_resnet", "--fold", "0"),
    *("--epochs", "2", "--device", "cpu"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """m.parquet of eight patients in two folds, and shards of it as uint16 and float32."""
    root = tmp_path_factory.mktemp("shards option")
    small = PhantomSettings(patients=8, prevalence=0.5, height=96, width=80, workers=1)
    exams = write_phantoms(root / "phantoms", small)
    settings = CatalogSettings(root / "m.parquet", labels=(exams.labels,))
    catalog = write_catalog(plan_catalog([exams.images], settings))
    write_manifest(assign_folds(catalog.frame, 2, seed=0), settings.manifest)
    for dtype, bits in (("uint16", 16), ("float32", "null")):
        done = run(
            preprocess, root / "m.parquet", root / dtype, "--recipe", "demo", *SMALL,
            "--dtype", dtype, "--set", f"resize.bits={bits}", "--device", "cpu",
        )  # fmt: skip
        assert done.exit_code == 0
    return root


def run(command: object, *args: object) -> Result:
    return CliRunner().invoke(command, [str(arg) for arg in args], catch_exceptions=False)


@pytest.mark.parametrize(("dtype", "rounded"), [("uint16", "16"), ("float32", "null")])
def test_shards_and_dicom_give_the_same_weights_and_scores(
    dtype: str, rounded: str, folder: Path, tmp_path: Path
) -> None:
    manifest, shards = folder / "m.parquet", folder / dtype
    asked = [*SMALL, "--set", f"resize.bits={rounded}"]
    run(train, manifest, "-O", tmp_path / "dicom", *RUN, *asked)
    run(train, manifest, "-O", tmp_path / "shards", *RUN[2:], "--shards", shards)
    dicom, stored = (load_checkpoint(tmp_path / name / "last.pt") for name in ("dicom", "shards"))
    assert stored.recipe_hash == dicom.recipe_hash
    assert all(torch.equal(stored.model[name], value) for name, value in dicom.model.items())
    ckpt = ["--ckpt", tmp_path / "shards" / "last.pt", "--device", "cpu"]
    run(predict, manifest, *ckpt, "-O", tmp_path / "a.csv", "--shards", shards)
    run(predict, manifest, *ckpt, "-O", tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_another_recipe_than_that_of_the_shards_is_one_sentence(
    folder: Path, tmp_path: Path
) -> None:
    args = [folder / "m.parquet", "-O", tmp_path / "run", "--shards", folder / "uint16"]
    with pytest.raises(ConfigError, match="not of demo"):
        run(train, *args, "--recipe", "demo")
    with pytest.raises(ConfigError, match="cannot be read"):
        run(train, *args[:3], "--shards", tmp_path)
