"""What augmentation refuses, in one sentence each."""

import pytest

from dali_pipelines.errors import ConfigError
from dali_pipelines.settings import build, parse_sets
from trainer.augment.settings import CHANGES, AugmentSettings


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("hflip=1.5", r"hflip must be in \[0, 1\]"),
        ("share=-1", r"share must be in \[0, 1\]"),
        ("crop.scale=[0.9, 0.5]", r"crop.scale must be two numbers in order within \[0.01, 1\]"),
        ("crop.ratio=[0, 1]", "crop.ratio must be"),
        ("crop.fit=fill", "'pad' | 'stretch'"),
        ("affine.scale=[0, 1]", "affine.scale must be"),
        ("affine.shift=[2, 0]", "affine.shift must be"),
        ("affine.shear=[50, 0]", "affine.shear must be"),
        ("elastic.sigma=0.5", "elastic.sigma must be 1 px or more"),
        ("grid.steps=0", "grid.steps must be"),
        ("optical.limit=3", "optical.limit must be"),
        ("window.width=1", r"window.width must be in \[0, 1\)"),
        ("brightness.add=[1, 0]", "brightness.add must be"),
        ("gamma.power=[0, 1]", "gamma.power must be"),
        ("curve.spread=-1", "curve.spread must be"),
        ("downscale.scale=[0, 1]", "downscale.scale must be"),
        ("blur.sigma=[0, 1]", "blur.sigma must be"),
        ("noise.std=[0, 2]", "noise.std must be"),
        ("dropout.holes=[0, 1]", "dropout.holes must be"),
        ("mixup.alpha=0", "mixup.alpha must be"),
        ("one_of=[[hflip, hflip]]", "groups of changes, each named once"),
        ("one_of=[[hflip], [hflip]]", "groups of changes, each named once"),
        ("one_of=[[flip]]", "'hflip' | 'vflip'"),
        ("border=wrap", "'black' | 'reflect'"),
    ],
)
def test_what_makes_no_sense_is_refused(pair: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(AugmentSettings, [("--set", parse_sets([pair]))])


def test_the_probabilities_of_a_group_add_up_to_one_at_most() -> None:
    sets = parse_sets(["one_of=[[hflip, vflip]]", "hflip=0.6", "vflip=0.5"])
    with pytest.raises(ConfigError, match="add up to 1 at most, not \\['hflip', 'vflip'\\]"):
        build(AugmentSettings, [("--set", sets)])
    build(AugmentSettings, [("--set", {**sets, "vflip": 0.4})])


def test_nothing_is_changed_by_default() -> None:
    settings = AugmentSettings()
    assert list(settings.probabilities) == list(CHANGES)
    assert not settings.changes_images
    assert AugmentSettings(vflip=0.1).changes_images
    assert not AugmentSettings(vflip=0.1, share=0).changes_images
