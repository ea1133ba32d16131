"""The network of a checkpoint, built again with its weights, and the recipe of its images."""

import torch
from torch import nn

from dali_pipelines.errors import CheckpointError, ConfigError
from dali_pipelines.recipe import Recipe, recipe_from_dict
from trainer.checkpoint import Checkpoint, restore_model
from trainer.networks.build import build_model
from trainer.printable import printable


def rebuild_model(checkpoint: Checkpoint, source: str) -> nn.Module:
    """The network with the weights to score by; `source` names the checkpoint in messages.

    Raises CheckpointError where its arguments describe none, or another than its weights are of.
    That is seen before memory is taken: a few bytes of arguments can describe any size.
    """
    try:
        with torch.device("meta"):
            planned = build_model(checkpoint.model_args)
        if _size(planned.state_dict()) > _size(checkpoint.weights):
            raise CheckpointError(
                f"{source} is of another network than {type(planned).__name__}: it lacks weights"
            )
        model = build_model(checkpoint.model_args)
    except ConfigError as error:
        raise CheckpointError(
            f"{source} has no usable network: {printable(str(error), 500)}"
        ) from error
    restore_model(model, checkpoint.weights, source)
    return model


def kept_recipe(checkpoint: Checkpoint, source: str) -> Recipe:
    """The recipe of the images that a checkpoint learned from.

    Raises CheckpointError where it is none, or one by which this version makes other pixels.
    """
    try:
        recipe = recipe_from_dict(checkpoint.recipe)
    except ConfigError as error:
        raise CheckpointError(
            f"{source} has no usable recipe: {printable(str(error), 500)}"
        ) from error
    if recipe.hash != checkpoint.recipe_hash:
        raise CheckpointError(
            f"{source} learned from images of recipe {printable(checkpoint.recipe_hash)}, which "
            f"this version would prepare otherwise ({recipe.hash}); use the version that trained it"
        )
    return recipe


def _size(weights: dict[str, torch.Tensor]) -> int:
    return sum(value.numel() for value in weights.values())
