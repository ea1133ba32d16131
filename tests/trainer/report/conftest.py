"""A small network, and a run of it as `mammo train` leaves it."""

from collections.abc import Callable

import pytest
import torch

from dali_pipelines.recipe import Recipe
from trainer.networks.build import build_model
from trainer.prediction.scorers import Scorer, Scorers


@pytest.fixture(scope="session")
def toy_scorers() -> Callable[..., Scorers]:
    """toy_scorers(recipe, unit="image", held_out=(0,)) -> an untrained network for each fold."""

    def make(
        recipe: Recipe, unit: str = "image", held_out: tuple[int | None, ...] = (None,)
    ) -> Scorers:
        args = {
            "model_name": "test_resnet",
            "in_chans": 1,
            "num_classes": 1,
            **({} if unit == "image" else {"unit": unit, "fusion": "max"}),
        }
        torch.manual_seed(0)
        return Scorers(
            tuple(
                Scorer(build_model(args), recipe, args, f"{k}" * 64, held_out=fold)
                for k, fold in enumerate(held_out)
            )
        )

    return make
