import pytest

from dali_pipelines.errors import CheckpointError
from trainer.scores.trained_images import TRAINED_ON, told_trained, trained_images


@pytest.mark.parametrize("images", [0, 7, None])
def test_what_is_told_is_read(images: int | None) -> None:
    assert trained_images({TRAINED_ON: told_trained(images)}) == images


def test_an_earlier_document_does_not_tell() -> None:
    assert trained_images({"format": "mammostream-predictions"}) is None


@pytest.mark.parametrize("told", [None, 7, {"images": -1}, {"images": True}, {"images": "7"}])
def test_nonsense_is_refused(told: object) -> None:
    with pytest.raises(CheckpointError, match="the document about the predictions has"):
        trained_images({TRAINED_ON: told})
