import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from dali_pipelines.cores import core_count
from dali_pipelines.errors import CheckpointError
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.plan import Blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.stages import Batch
from tests.trainer.conftest import FakeMultiSource
from trainer.checkpoint import Checkpoint, save_checkpoint
from trainer.networks.build import build_model
from trainer.prediction.predict import PredictOptions, predict
from trainer.prediction.scorers import load_scorers
from trainer.prediction.tta import parse_tta
from trainer.prediction.unfinished import remove_unfinished

RECIPE = Recipe("toy", resize=ResizeSettings(size=(32, 32)))
OTHER = Recipe("other", resize=ResizeSettings(size=(64, 64)))
ARGS = {"model_name": "test_resnet", "in_chans": 1, "num_classes": 1}


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def run(seed: int, recipe: Recipe = RECIPE, **changes: Any) -> Path:
        torch.manual_seed(seed)
        checkpoint = Checkpoint(
            model=build_model(ARGS).state_dict(),
            model_args=ARGS,
            recipe=recipe.to_dict(),
            recipe_hash=recipe.hash,
            settings={},
            optimizer={},
            epoch=1,
            blocks=0,
            data="",
            best={},
            history=[],
            versions={},
        )
        path = tmp_path / f"{seed}.pt"
        save_checkpoint(replace(checkpoint, **changes), path)
        return path

    return run


@pytest.fixture
def options(fake_multi_source: Any) -> PredictOptions:
    return PredictOptions(
        device="cpu", batch=5, loader=LoaderSettings(threads=1), open_source=fake_multi_source
    )


def test_scores_are_those_of_the_images_one_by_one(
    save: Any, options: PredictOptions, toy_frame: pd.DataFrame
) -> None:
    paths = [save(1), save(2)]
    predictions = predict(toy_frame, load_scorers(paths), options)
    assert predictions.rejects == []
    table = predictions.table.set_index("image_id")
    assert len(table) == 64
    probs = []
    for path in paths:
        alone = predict(toy_frame, load_scorers([path]), replace(options, batch=1))
        assert alone.table["image_id"].to_list() == predictions.table["image_id"].to_list()
        probs.append(alone.table["prob"].to_numpy())
    np.testing.assert_allclose(table["prob"], np.mean(probs, axis=0), atol=1e-6)
    assert table["prob"].nunique() > 60
    assert set(table["recipe_hash"]) == {RECIPE.hash}


def test_rejected_images_have_no_score_and_cost_no_other(
    save: Any, options: PredictOptions, toy_frame: pd.DataFrame
) -> None:
    scorer = load_scorers([save(1)])
    whole = predict(toy_frame, scorer, options).table.set_index("image_id")
    spoiled = toy_frame["image_id"].isin(["p00LMLO", "p07RCC"])
    frame = toy_frame.assign(manufacturer=toy_frame["manufacturer"].where(~spoiled, "broken"))
    partly = predict(frame, scorer, options)
    assert [r.image_id for r in partly.rejects] == ["p00LMLO", "p07RCC"]
    rest = partly.table.set_index("image_id")
    assert len(rest) == 62
    assert "1.2.p00LMLO" not in rest.index
    np.testing.assert_allclose(rest["logit"], whole.loc[rest.index, "logit"], atol=1e-5)


def test_an_empty_manifest_gives_an_empty_table(
    save: Any, options: PredictOptions, toy_frame: pd.DataFrame
) -> None:
    table = predict(toy_frame.iloc[:0], load_scorers([save(1)]), options).table
    assert len(table) == 0
    assert "prob" in table.columns


def test_other_pixels_are_refused(save: Any) -> None:
    first, second = save(1), save(2, OTHER)
    assert load_scorers([first]).recipes == (RECIPE,)
    renamed = load_scorers([first], replace(RECIPE, name="renamed"))
    assert renamed.recipes[0].hash == RECIPE.hash
    with pytest.raises(CheckpointError, match=f"toy {RECIPE.hash}, and other {OTHER.hash}"):
        load_scorers([first], OTHER)
    with pytest.raises(CheckpointError, match="prepare them otherwise"):
        load_scorers([first, second], RECIPE)
    with pytest.raises(CheckpointError, match="use the version that trained it"):
        load_scorers([save(3, recipe_hash="0123456789ab")])


def test_each_member_is_shown_the_images_of_its_own_recipe(
    save: Any, options: PredictOptions, toy_frame: pd.DataFrame
) -> None:
    """The fake source shows the second recipe of a pass brighter, and one alone never."""
    paths = [save(1), save(2, OTHER), save(3)]
    scorers = load_scorers(paths)
    assert [recipe.hash for recipe in scorers.recipes] == [RECIPE.hash, OTHER.hash]
    together = predict(toy_frame[:6], scorers, options).table
    assert set(together["recipe_hash"]) == {f"{RECIPE.hash}+{OTHER.hash}"}
    alone = [_logits(toy_frame[:6], [path], options) for path in paths]
    bright = _logits(toy_frame[:6], [paths[1]], replace(options, open_source=_Brighter))
    mean = _probs([alone[0], bright, alone[2]]).mean(axis=0)
    np.testing.assert_allclose(together["prob"], mean, atol=1e-6)
    assert abs(alone[1] - bright).max() > 1e-3


def test_members_count_by_their_weights_and_in_the_way_asked_for(
    save: Any, options: PredictOptions, toy_frame: pd.DataFrame
) -> None:
    paths = [save(1), save(2)]
    first, second = (_logits(toy_frame, [path], options) for path in paths)
    logits = predict(toy_frame, load_scorers(paths, None, "logit", [3, 1]), options).table["logit"]
    np.testing.assert_allclose(logits, (3 * first + second) / 4, atol=1e-6)
    ranks = predict(toy_frame, load_scorers(paths, None, "rank"), options).table["prob"]
    wanted = (first.argsort().argsort() + second.argsort().argsort() + 2) / 2 / 65
    np.testing.assert_allclose(ranks, wanted, atol=1e-9)


def test_variants_are_averaged_by_their_logits(
    save: Any, options: PredictOptions, toy_frame: pd.DataFrame
) -> None:
    scorers = load_scorers([save(1)])
    plain = _logits(toy_frame[:5], [save(1)], options)
    mirrored = predict(toy_frame[:5], scorers, replace(options, open_source=_Mirrored)).table
    both = predict(toy_frame[:5], scorers, replace(options, tta=parse_tta("hflip"))).table
    np.testing.assert_allclose(both["logit"], (plain + mirrored["logit"]) / 2, atol=1e-6)
    assert abs(both["logit"] - plain).max() > 1e-4


def test_out_of_fold_scores_are_those_of_the_member_that_never_saw_the_image(
    save: Any, options: PredictOptions, toy_frame: pd.DataFrame
) -> None:
    settings = [{"validate": "fold", "fold": fold} for fold in (0, 1)]
    paths = [save(k, data="d", settings=one) for k, one in enumerate(settings)]
    asked = replace(options, out_of_fold=True, cohort="d")
    table = predict(toy_frame, load_scorers(paths), asked).table
    assert table["image_id"].to_list() == toy_frame["sop_instance_uid"].to_list()
    for fold, path in enumerate(paths):
        held_out = (toy_frame["fold"] == fold).to_numpy()
        alone = _logits(toy_frame[held_out].reset_index(drop=True), [path], options)
        np.testing.assert_allclose(table["logit"][held_out], alone, atol=1e-6)


class _Killed(BaseException):
    pass


def test_a_prediction_that_died_goes_on_to_the_same_table(
    save: Any,
    options: PredictOptions,
    toy_frame: pd.DataFrame,
    tmp_path: Path,
    fake_multi_source: Any,
) -> None:
    """13 blocks: after 4 it dies, is asked to stop at the next life's 3rd, and then ends."""
    broken = toy_frame["image_id"].isin(["p00LMLO", "p07RCC"])
    frame = toy_frame.assign(manufacturer=toy_frame["manufacturer"].mask(broken, "broken"))
    scorers = load_scorers([save(1), save(2, OTHER)])
    whole = predict(frame, scorers, options)
    shown: list[str] = []
    kept = replace(options, unfinished=tmp_path / "unfinished")

    def opening(on_batch: Callable[[int], None]) -> PredictOptions:
        def open_source(*args: Any) -> Any:
            source = fake_multi_source(*args)
            source.source.on_batch, source.source.shown = on_batch, shown
            return source

        return replace(kept, open_source=open_source)

    def die(number: int) -> None:
        if number == 4:
            raise _Killed

    with pytest.raises(_Killed):
        predict(frame, scorers, opening(die))
    stopped = predict(
        frame, scorers, opening(lambda k: os.kill(os.getpid(), signal.SIGTERM) if k == 3 else None)
    )
    assert stopped.state == "preempted"
    assert len(stopped.table) + len(stopped.rejects) == (4 + 4) * 5
    ended = predict(frame, scorers, opening(lambda _: None))
    assert ended.state == "done"
    pd.testing.assert_frame_equal(ended.table, whole.table, check_exact=True)
    assert ended.rejects == whole.rejects
    assert ended.counts == whole.counts
    assert len(shown) == len(set(shown)) == 62  # nothing was scored twice
    again = predict(frame, scorers, opening(die))  # nothing is left to score
    pd.testing.assert_frame_equal(again.table, whole.table, check_exact=True)
    remove_unfinished(tmp_path / "unfinished")
    assert not (tmp_path / "unfinished").exists()


def test_a_checkpoint_of_another_network_is_refused(save: Any) -> None:
    path = save(1, model_args={**ARGS, "in_chans": 3})
    with pytest.raises(CheckpointError, match="another network than ResNet"):
        load_scorers([path])


def test_a_checkpoint_names_nothing_but_a_network(save: Any) -> None:
    path = save(1, model_args={**ARGS, "model_name": "hf-hub:timm/resnet18"})
    with pytest.raises(CheckpointError, match=r"1\.pt.*no usable network"):
        load_scorers([path])


@pytest.mark.parametrize("ranks", [1, 2, 9])
def test_a_score_does_not_depend_on_the_ranks(
    save: Any,
    options: PredictOptions,
    toy_frame: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
    ranks: int,
) -> None:
    """All have as many threads of torch, by which it chooses how to convolve."""
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(ranks))
    threads = []

    class Noting(FakeMultiSource):
        def run(self, blocks: Blocks) -> Iterator[tuple[Batch, ...]]:
            threads.append(torch.get_num_threads())
            return super().run(blocks)

    predict(toy_frame[:1], load_scorers([save(1)]), replace(options, open_source=Noting))
    assert threads == [max(2, core_count())]


def test_images_are_prepared_on_the_device_that_was_asked_for(
    save: Any, options: PredictOptions, toy_frame: pd.DataFrame, fake_multi_source: Any
) -> None:
    opened = []

    def open_source(records: Any, recipes: Any, settings: Any, device: str) -> Any:
        opened.append(device)
        return fake_multi_source(records, recipes, settings)

    predict(toy_frame[:2], load_scorers([save(1)]), replace(options, open_source=open_source))
    assert opened == ["cpu"]


class _Changed(FakeMultiSource):
    """As the fake, with `change` made to all images."""

    def change(self, images: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def run(self, blocks: Blocks) -> Iterator[tuple[Batch, ...]]:
        for batches in super().run(blocks):
            yield tuple(replace(batch, images=self.change(batch.images)) for batch in batches)


class _Brighter(_Changed):
    def change(self, images: torch.Tensor) -> torch.Tensor:
        return images + 1


class _Mirrored(_Changed):
    def change(self, images: torch.Tensor) -> torch.Tensor:
        return images.flip(3)


def _logits(frame: pd.DataFrame, paths: list[Path], options: PredictOptions) -> Any:
    return predict(frame, load_scorers(paths), options).table["logit"].to_numpy()


def _probs(logits: list[Any]) -> Any:
    return 1 / (1 + np.exp(-np.array(logits)))
