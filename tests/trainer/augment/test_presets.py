"""Named augmentations, and how they lie under a user's own values."""

from importlib import resources

import numpy as np
import pytest
import torch

from dali_pipelines.errors import ConfigError
from dali_pipelines.settings import build, to_dict
from trainer.augment.augmenter import Augmenter
from trainer.augment.levels import Levels
from trainer.augment.presets import load_preset, preset_layers, preset_names
from trainer.augment.settings import AugmentSettings
from trainer.settings import TrainSettings

PEERS = {
    "gavranovic", "mammo-clip", "mirai", "rsna-10th", "rsna-1st", "rsna-5th", "rsna-6th",
    "spr-1st", "stemgene",
}  # fmt: skip


def resolve(*layers: dict[str, object]) -> AugmentSettings:
    named = [(str(place), {"augment": values}) for place, values in enumerate(layers)]
    return build(TrainSettings, preset_layers(named))[0].augment


def test_the_peers_and_ours_are_there() -> None:
    assert set(preset_names()) == PEERS | {"none", "light", "strong"}
    assert load_preset("none") == AugmentSettings()


@pytest.mark.parametrize("name", [name for name in preset_names() if name != "none"])
def test_each_preset_opens_with_its_command_and_changes_images(name: str) -> None:
    text = (resources.files("configs") / "augment" / f"{name}.yaml").read_text("utf-8")
    command, about = text.splitlines()[:2]
    assert command.startswith("# mammo train ")
    assert command.endswith(f"--set augment.preset={name}")
    assert about.startswith("# About: ")
    assert load_preset(name).preset == name
    images = torch.rand(12, 1, 32, 24)
    after = Augmenter(load_preset(name), Levels((0.0,), (1.0,)), 0)(images, 0, np.arange(12))
    changed = [not torch.equal(a, b) for a, b in zip(after, images, strict=True)]
    assert sum(changed) >= 6
    assert 0 <= after.min() <= after.max() <= 1


def test_the_winner_of_rsna_2023_as_published() -> None:
    found = load_preset("rsna-1st")
    assert found.share == 0.9
    assert found.affine.shift == (0.2, 0.1)  # vertical, horizontal
    assert sum(found.probabilities[name] for name in ("affine", "elastic", "grid")) == 0.5
    assert found.probabilities["curve"] + found.probabilities["brightness"] == 0.5


def test_the_sixth_and_tenth_places_as_published() -> None:
    sixth, tenth = load_preset("rsna-6th"), load_preset("rsna-10th")
    assert sixth.dropout.holes == (20, 20)  # albumentations: as many as the greatest number
    assert tenth.gamma.power == (0.5, 1.5)  # gamma_limit=(50, 150)
    assert tenth.brightness.add == tenth.brightness.contrast == (-0.5, 0.5)
    assert tenth.elastic.p == tenth.grid.p == tenth.dropout.p == 0  # switched off there


def test_the_elastic_part_of_mammo_clip_moves_corners_as_the_default_it_leaves() -> None:
    assert load_preset("mammo-clip").elastic.affine == 50


def test_own_values_lie_over_the_preset_beside_and_after_its_name() -> None:
    beside = resolve({"preset": "rsna-1st", "hflip": 0.1})
    after = resolve({"preset": "rsna-1st"}, {"hflip": 0.1})
    for found in (beside, after):
        assert (
            found
            == build(
                AugmentSettings, [("p", to_dict(load_preset("rsna-1st"))), ("own", {"hflip": 0.1})]
            )[0]
        )


def test_a_preset_named_later_replaces_what_was_said_before() -> None:
    every = to_dict(AugmentSettings(hflip=1))  # as a file that states every default
    assert resolve(every, {"preset": "mirai"}) == load_preset("mirai")
    assert resolve({"preset": "strong"}, {"preset": "none"}) == AugmentSettings()
    assert resolve(every, {"preset": "mirai"}, {"vflip": 0}).vflip == 0


def test_without_a_name_nothing_is_added() -> None:
    layers = [("file", {"epochs": 3}), ("--set", {"augment": {"hflip": 0.5}})]
    assert preset_layers(layers) == layers


def test_resolved_settings_resolve_to_themselves() -> None:
    found = resolve({"preset": "spr-1st", "noise": {"p": 0.0}})
    assert resolve(to_dict(found)) == found


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no preset 'rsna1st'\. Did you mean 'rsna-1st'"):
        resolve({"preset": "rsna1st"})
