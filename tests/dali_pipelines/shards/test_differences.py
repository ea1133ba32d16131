"""What shards are and what is asked of them, told apart in words."""

from dataclasses import replace

from dali_pipelines.recipe import Recipe
from dali_pipelines.shards.differences import differences, rounding_alone

SPEC = {
    "format_version": 2,
    "recipe_hash": "a" * 12,
    "images": 9,
    "plan_sha256": "1",
    "shards": {"format": "shards", "dtype": "uint16", "images": 256},
    "recipe": {"name": "default-1536"},
}


def test_each_difference_names_both_and_the_option() -> None:
    assert differences(SPEC, {**SPEC, "images": 8, "plan_sha256": "2", "recipe": {}}) == []
    other = {"recipe_hash": "b" * 12, "recipe": {"name": "mirai"}}
    shards = {"format": "npy", "dtype": "uint8", "images": 64}
    assert differences(SPEC, {**SPEC, **other, "shards": shards}) == [
        "it has recipe default-1536 aaaaaaaaaaaa, not mirai bbbbbbbbbbbb",
        "it has --format shards, not npy",
        "it has --dtype uint16, not uint8",
        "it has --shard-size 256, not 64",
    ]
    assert differences(SPEC, {**SPEC, "format_version": 3}) == ["it has shards of version 2, not 3"]
    assert len(differences({}, SPEC)) == 5


def test_recipes_that_only_round_otherwise() -> None:
    held = Recipe("r")
    half = replace(held, resize=replace(held.resize, bits=8, dtype="float16"))
    assert rounding_alone(held, held) == ""
    assert (
        rounding_alone(held, half)
        == "resize.bits=null, not 8 and resize.dtype=float32, not float16"
    )
    other = replace(half, voi=replace(held.voi, pick=1))
    assert rounding_alone(held, other) == ""
