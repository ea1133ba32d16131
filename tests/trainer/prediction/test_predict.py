from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from dali_pipelines.errors import CheckpointError
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from trainer.checkpoint import Checkpoint, save_checkpoint
from trainer.networks.build import build_model
from trainer.prediction.predict import Ensemble, PredictOptions, load_scorer, predict

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
def options(fake_source: Any) -> PredictOptions:
    return PredictOptions(
        key=None, device="cpu", batch=5, loader=LoaderSettings(threads=1), open_source=fake_source
    )


class _Constant(nn.Module):
    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)[:, None]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logits[: len(images)]


def test_an_ensemble_is_the_mean_of_probabilities() -> None:
    first, second = [0.0, 2.0, -3.0], [1.0, -2.0, -5.0]
    together = Ensemble([_Constant(first), _Constant(second)])(torch.zeros(3)).squeeze(1)
    mean = (torch.tensor(first).sigmoid() + torch.tensor(second).sigmoid()) / 2
    torch.testing.assert_close(together.sigmoid(), mean)
    assert torch.equal(Ensemble([_Constant(first)])(torch.zeros(3)).squeeze(1), torch.tensor(first))


def test_an_ensemble_keeps_what_a_probability_cannot_hold() -> None:
    together = Ensemble([_Constant([60.0, -60.0]), _Constant([50.0, -50.0])])(torch.zeros(2))
    # 1 - p is the mean of e**-60 and e**-50: about e**-50 / 2
    expected = torch.tensor([[50.0], [-50.0]]) + torch.tensor([[1], [-1]]) * np.log(2)
    torch.testing.assert_close(together, expected.float(), rtol=1e-4, atol=0)


def test_scores_are_those_of_the_images_one_by_one(
    save: Any, options: PredictOptions, toy_frame: pd.DataFrame, toy_records: Any, fake_source: Any
) -> None:
    paths = [save(1), save(2)]
    predictions = predict(toy_frame, load_scorer(paths), options)
    assert predictions.rejects == []
    table = predictions.table.set_index("image_id")
    assert len(table) == 64
    probs = []
    for path in paths:
        alone = predict(toy_frame, load_scorer([path]), replace(options, batch=1))
        assert alone.table["image_id"].to_list() == predictions.table["image_id"].to_list()
        probs.append(alone.table["prob"].to_numpy())
    np.testing.assert_allclose(table["prob"], np.mean(probs, axis=0), atol=1e-6)
    assert table["prob"].nunique() > 60
    assert set(table["recipe_hash"]) == {RECIPE.hash}


def test_rejected_images_have_no_score_and_cost_no_other(
    save: Any, options: PredictOptions, toy_frame: pd.DataFrame
) -> None:
    scorer = load_scorer([save(1)])
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
    table = predict(toy_frame.iloc[:0], load_scorer([save(1)]), options).table
    assert len(table) == 0
    assert "prob" in table.columns


def test_other_pixels_are_refused(save: Any) -> None:
    first, second = save(1), save(2, OTHER)
    assert load_scorer([first]).recipe == RECIPE
    assert load_scorer([first], replace(RECIPE, name="renamed")).recipe.hash == RECIPE.hash
    with pytest.raises(CheckpointError, match=f"toy {RECIPE.hash}, and other {OTHER.hash}"):
        load_scorer([first], OTHER)
    with pytest.raises(CheckpointError, match="prepare them otherwise"):
        load_scorer([first, second])
    with pytest.raises(CheckpointError, match="use the version that trained it"):
        load_scorer([save(3, recipe_hash="0123456789ab")])


def test_a_checkpoint_of_another_network_is_refused(save: Any) -> None:
    path = save(1, model_args={**ARGS, "in_chans": 3})
    with pytest.raises(CheckpointError, match="another network than ResNet"):
        load_scorer([path])


def test_a_checkpoint_names_nothing_but_a_network(save: Any) -> None:
    path = save(1, model_args={**ARGS, "model_name": "hf-hub:timm/resnet18"})
    with pytest.raises(CheckpointError, match=r"1\.pt.*no usable network"):
        load_scorer([path])


def test_images_are_prepared_on_the_device_that_was_asked_for(
    save: Any, options: PredictOptions, toy_frame: pd.DataFrame, fake_source: Any
) -> None:
    opened = []

    def open_source(records: Any, recipe: Any, settings: Any, device: str) -> Any:
        opened.append(device)
        return fake_source(records, recipe, settings)

    predict(toy_frame[:2], load_scorer([save(1)]), replace(options, open_source=open_source))
    assert opened == ["cpu"]
