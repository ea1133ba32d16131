"""What OUT_about.json says of images that were trained on by a network that scores them."""

from collections.abc import Mapping
from typing import Any, Final

from trainer.document import refused, value_of

TRAINED_ON: Final = "trained_on"
_IMAGES: Final = "images"
_WHERE: Final = "the document about the predictions"


def told_trained(images: int | None) -> dict[str, int | None]:
    """What the document holds under `TRAINED_ON`, for `trained_images` to read."""
    return {_IMAGES: images}


def trained_images(about: Mapping[str, Any]) -> int | None:
    """How many scored images a member had learned from; None where that cannot be told.

    Documents of earlier versions do not say it. Raises CheckpointError where one makes no sense.
    """
    if TRAINED_ON not in about:
        return None
    images = value_of(about, TRAINED_ON, dict, _WHERE).get(_IMAGES)
    if images is None or (type(images) is int and images >= 0):
        return images
    raise refused(_WHERE, _IMAGES, "a number that is not negative, or null, is", images)
