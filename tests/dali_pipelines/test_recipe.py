"""Recipes: found by name, hashed by what changes a pixel."""

from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

from dali_pipelines.errors import ConfigError
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe, load_recipe, recipe_from_dict, recipe_names

SIZES = {
    "default-1536": (1536, 768),
    "default-2048": (2048, 1024),
    "demo": (256, 208),
    "gavranovic": (512, 512),
    "gavranovic-fixed": (512, 512),
    "lecture": (1344, 768),
    "mammo-clip": (1520, 912),
    "mirai": (2048, 1664),
    "mirai-fixed": (2048, 1664),
    "nyu": (2944, 1920),
    "rsna-1st": (2048, 1024),
    "rsna-1st-fixed": (2048, 1024),
    "spr-1st": (2048, 1024),
    "stemgene": (224, 224),
}


def test_the_recipes_of_the_package_load_and_differ() -> None:
    assert {name: load_recipe(name).size for name in recipe_names()} == SIZES
    assert len({load_recipe(name).hash for name in recipe_names()}) == len(SIZES)


@pytest.mark.parametrize("name", SIZES)
def test_a_recipe_opens_with_its_command(name: str) -> None:
    first = (resources.files("configs") / "recipes" / f"{name}.yaml").read_text().splitlines()[0]
    wanted = "# mammo demo" if name == "demo" else f"# mammo train manifest.parquet --recipe {name}"
    assert first.startswith(wanted)


@pytest.mark.parametrize("name", [name for name in SIZES if name.endswith("-fixed")])
def test_a_mended_recipe_names_what_it_mends(name: str) -> None:
    assert load_recipe(name).hash != load_recipe(name.removesuffix("-fixed")).hash
    text = (
        resources.files("configs") / "recipes" / f"{name.removesuffix('-fixed')}.yaml"
    ).read_text()
    assert "kept" in text
    assert name in text


def test_the_hash_covers_every_setting_but_the_name() -> None:
    recipe = load_recipe("demo")
    assert replace(recipe, name="other").hash == recipe.hash
    changes = ["roi.auto.margin=0.1", "voi.pick=widest", "resize.size=[9, 9]", "roi.mirror=none"]
    assert len({load_recipe("demo", [change]).hash for change in changes} | {recipe.hash}) == 5


def test_the_hash_of_the_defaults_is_what_it_was() -> None:
    """A change here makes every shard and checkpoint of before unusable: raise it knowingly."""
    assert len(Recipe("any").hash) == 12
    rounded = Recipe("any", resize=ResizeSettings(bits=16))  # as shards of 16 bits are
    assert rounded.hash == load_recipe("default-1536").hash


def test_a_stored_recipe_is_the_same_recipe() -> None:
    recipe = load_recipe("demo", ["resize.channels=3"])
    assert recipe_from_dict(recipe.to_dict()) == recipe


def test_a_recipe_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("resize: {size: [64, 32], fit: stretch}\n")
    recipe = load_recipe(str(tmp_path / "mine.yaml"))
    assert (recipe.name, recipe.size, recipe.resize.fit) == ("mine", (64, 32), "stretch")


@pytest.mark.parametrize(
    ("name", "sets", "message"),
    [
        ("demmo", [], "no recipe 'demmo'. Did you mean 'demo'?"),
        ("nowhere.yaml", [], "no file 'nowhere.yaml'"),
        ("demo", ["roi.auto.margn=1"], "Did you mean 'roi.auto.margin'?"),
        ("demo", ["resize.size=[0, 4]"], "1 ... 16384"),
        ("demo", ["resize.std=0"], "above 0"),
        ("demo", ["roi.auto.threshold=2"], "roi.auto.threshold must lie in"),
    ],
)
def test_a_wrong_recipe_is_one_sentence(name: str, sets: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_recipe(name, sets)
    assert message in str(caught.value)
