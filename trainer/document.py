"""JSON documents that anybody may have written: every value is checked before it is used."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from dali_pipelines.errors import CheckpointError
from trainer.printable import printable

T = TypeVar("T")

_WORDS = {str: "text", int: "a whole number", dict: "a mapping", list: "a list"}


def read_document(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file; CheckpointError where it is not there or holds none."""
    if not path.is_file():  # a pipe would never end
        raise CheckpointError(f"no file {str(path)!r}; give the path of a JSON document")
    try:
        content = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{str(path)!r} is no JSON document; use another copy") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{str(path)!r} holds no mapping of names to values")
    return content


def value_of(document: Mapping[str, Any], name: str, kind: type[T], where: str) -> T:
    """That value of a document, of exactly that type; CheckpointError where it is not."""
    value = document.get(name)
    if type(value) is not kind:
        raise refused(where, name, f"{_WORDS[kind]} is", value)
    return value


def number_of(document: Mapping[str, Any], name: str, where: str) -> float:
    """That value of a document as a finite number; CheckpointError where it is none."""
    value = document.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise refused(where, name, "a finite number is", value)


def refused(where: str, name: str, wanted: str, value: object) -> CheckpointError:
    """The error for a value; `wanted` goes before the word "wanted": "a list is"."""
    return CheckpointError(
        f"{where} has {printable(repr(value))} for {name!r}, {wanted} wanted; use the file as it "
        "was written"
    )
