"""How what a folder of shards holds differs from what is asked of it, in words."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from dali_pipelines.recipe import Recipe

# setting of a shard -> the option that asks for it
_OPTIONS: Final = {"format": "--format", "dtype": "--dtype", "images": "--shard-size"}


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """One phrase for each thing in which two spec.json differ, other than the plan; [] for none.

    `found` may be damaged or of another version.
    """
    phrases = []
    version, wanted_version = found.get("format_version"), wanted["format_version"]
    if version != wanted_version:
        phrases.append(f"it has shards of version {version}, not {wanted_version}")
    if found.get("recipe_hash") != wanted["recipe_hash"]:
        phrases.append(f"it has recipe {_recipe(found)}, not {_recipe(wanted)}")
    held = found.get("shards")
    for name, value in wanted["shards"].items():
        has = held.get(name) if isinstance(held, Mapping) else None
        if has != value:
            phrases.append(f"it has {_OPTIONS[name]} {has}, not {value}")
    return phrases


def rounding_alone(held: Recipe, wanted: Recipe) -> str:
    """In what bits or type two recipes differ that are else the same; "" for others."""
    resize = replace(wanted.resize, bits=held.resize.bits, dtype=held.resize.dtype)
    if held.hash == wanted.hash or replace(wanted, resize=resize).hash != held.hash:
        return ""
    return " and ".join(
        f"resize.{name}={_yaml(has)}, not {_yaml(value)}"
        for name in ("bits", "dtype")
        if (has := getattr(held.resize, name)) != (value := getattr(wanted.resize, name))
    )


def _recipe(spec: Mapping[str, Any]) -> str:
    """The recipe's name and hash, and whether a table of boxes is part of it."""
    recipe = spec.get("recipe")
    known: Mapping[str, Any] = recipe if isinstance(recipe, Mapping) else {}
    by_hand = " with boxes by hand" if known.get("review") else ""
    return f"{known.get('name', 'without name')} {spec.get('recipe_hash')}{by_hand}"


def _yaml(value: object) -> str:
    return "null" if value is None else str(value)
