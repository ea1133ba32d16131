"""`mammo train` and `predict` on shards: the weights and scores of the same run on DICOM."""

from collections.abc import Callable, Iterator
from dataclasses import replace
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
from trainer.epoch import Step
from trainer.run import Run
from trainer.run_folder import LAST
from trainer.source import Source

SMALL = ["--set", "resize.size=[48, 32]"]
RUN = [
    *("--recipe", "demo", "--model", "test_resnet", "--fold", "0"),
    *("--epochs", "1", "--device", "cpu"),
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
    dicom, stored = (load_checkpoint(tmp_path / name / LAST) for name in ("dicom", "shards"))
    assert stored.recipe_hash == dicom.recipe_hash
    assert all(torch.equal(stored.model[name], value) for name, value in dicom.model.items())
    ckpt = ["--ckpt", tmp_path / "shards" / LAST, "--device", "cpu"]
    run(predict, manifest, *ckpt, "-O", tmp_path / "a.csv", "--shards", shards)
    run(predict, manifest, *ckpt, "-O", tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


@pytest.mark.parametrize("first", ["dicom", "shards"])
def test_a_run_on_one_goes_on_with_the_other(
    first: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the weights of the run that nothing stopped."""
    sources = {
        "dicom": [*RUN, *SMALL, "--set", "resize.bits=16"],
        "shards": [*RUN[2:], "--shards", folder / "uint16"],
    }
    short = ["--set", "data.batch=4"]
    args = [folder / "m.parquet", "-O", tmp_path / "run"]
    second = "shards" if first == "dicom" else "dicom"
    run(train, args[0], "-O", tmp_path / "whole", *sources[second], *short)
    with monkeypatch.context() as patch:
        patch.setattr(Run, "train", stopped_at_once(Run.train))
        assert run(train, *args, *sources[first], *short).exit_code == 75
    assert load_checkpoint(tmp_path / "run" / LAST).blocks == 1
    assert run(train, *args, *sources[second], *short).exit_code == 0
    whole, mixed = (load_checkpoint(tmp_path / name / LAST) for name in ("whole", "run"))
    assert all(torch.equal(mixed.model[name], value) for name, value in whole.model.items())


def stopped_at_once(real: Callable[..., Iterator[Step]]) -> Callable[..., Iterator[Step]]:
    """`Run.train` that is asked to stop in its first step."""

    def steps(self: Run, source: Source) -> Iterator[Step]:
        yield from (replace(step, stop=True) for step in real(self, source))

    return steps


def test_another_recipe_than_that_of_the_shards_is_one_sentence(
    folder: Path, tmp_path: Path
) -> None:
    args = [folder / "m.parquet", "-O", tmp_path / "run", "--shards", folder / "uint16"]
    with pytest.raises(ConfigError, match="not of demo"):
        run(train, *args, "--recipe", "demo")
    with pytest.raises(ConfigError, match=r"no shards in .*; `mammo preprocess` makes them"):
        run(train, *args[:3], "--shards", tmp_path)
