import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from dali_pipelines.errors import ConfigError
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from trainer.prediction.tta import parse_tta

RECIPE = Recipe("toy", resize=ResizeSettings(size=(8, 6)))  # black is (0 - 0.5) / 0.5
BLACK = -1.0


def _variants(text: str, images: torch.Tensor, recipe: Recipe = RECIPE) -> list[torch.Tensor]:
    return list(parse_tta(text).apply(images, recipe))


def _numbered(height: int = 8, width: int = 6) -> torch.Tensor:
    return torch.arange(2.0 * height * width).reshape(2, 1, height, width)


def test_the_image_itself_comes_first_and_alone_where_nothing_is_asked_for() -> None:
    images = _numbered()
    assert [one is images for one in _variants("", images)] == [True]
    assert _variants("hflip,scale=0.9", images)[0] is images


def test_flips_by_hand() -> None:
    image = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 1, 2, 2)
    _, across, down, both = (
        v.flatten().tolist() for v in _variants("hflip,vflip,hflip+vflip", image)
    )
    assert (across, down, both) == ([2, 1, 4, 3], [3, 4, 1, 2], [4, 3, 2, 1])


def test_a_shrunk_picture_lies_in_the_middle_of_black() -> None:
    images = torch.ones(1, 1, 8, 6)
    shrunk = _variants("scale=0.5", images)[1]
    wanted = torch.full((1, 1, 8, 6), BLACK)
    wanted[:, :, 2:6, 1:4] = 1  # 4 x 3 of 8 x 6; the column that is left over lies at the right
    assert torch.equal(shrunk, wanted)


def test_an_image_with_levels_of_its_own_is_framed_in_its_own_black() -> None:
    recipe = Recipe("own", resize=ResizeSettings(size=(4, 4), per_image="standardize"))
    images = torch.stack([torch.full((1, 4, 4), 5.0), torch.full((1, 4, 4), 7.0)])
    images[:, :, 0, 0] = torch.tensor([[-2.0], [-3.0]])
    shrunk = _variants("scale=0.5", images, recipe)[1]
    assert shrunk[:, 0, 3, 3].tolist() == [-2, -3]


def test_five_parts_are_enlarged_to_the_frame() -> None:
    images = _numbered()
    parts = _variants("crop=0.5", images)[1:]
    assert len(parts) == 5
    for part, (top, left) in zip(parts, [(0, 0), (0, 3), (4, 0), (4, 3), (2, 2)], strict=True):
        cut = images[:, :, top : top + 4, left : left + 3]
        wanted = functional.interpolate(cut, (8, 6), mode="bilinear", align_corners=False)
        torch.testing.assert_close(part, wanted)


def test_enlarging_cuts_the_middle() -> None:
    images = _numbered()
    middle = _variants("crop=0.5", images)[5]
    torch.testing.assert_close(_variants("scale=2", images)[1], middle)


def test_a_joined_change_multiplies_the_parts_of_both() -> None:
    images = _numbered()
    assert len(_variants("crop=0.9,hflip+crop=0.9,crop=0.9+crop=0.5", images)) == 1 + 5 + 5 + 25
    mirrored = _variants("hflip+crop=0.5", images)[1]
    torch.testing.assert_close(mirrored, _variants("crop=0.5", images.flip(3))[1])


@given(
    st.lists(
        st.sampled_from(["hflip", "vflip", "scale=0.9", "scale=1.25", "crop=0.8"]), unique=True
    )
)
def test_the_text_comes_back_and_images_stay_what_they_are(items: list[str]) -> None:
    tta = parse_tta(",".join(items))
    assert str(tta) == ",".join(items)
    assert parse_tta(str(tta)) == tta
    images = _numbered(9, 7).to(torch.bfloat16)
    before = images.clone()
    for variant in tta.apply(images, RECIPE):
        assert variant.shape == images.shape
        assert variant.dtype == images.dtype
    assert torch.equal(images, before)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hflp", "mean 'hflip'"),
        ("hflip,", "knows no change ''"),
        ("scale", "from 0.5 to 2"),
        ("scale=3", "from 0.5 to 2"),
        ("scale=nan", "from 0.5 to 2"),
        ("scale=1", "that is not 1"),
        ("crop=1.5", "from 0.5 to 1"),
        ("hflip=2", "knows no change 'hflip=2'"),
        ("hflip,hflip", "names a change twice"),
    ],
)
def test_what_is_no_change_is_one_sentence(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_tta(text)
