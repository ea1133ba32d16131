"""Frozen dataclasses from layers of YAML and `--set a.b=c`; a later layer wins.

A setting lives in one dataclass beside the code it steers and has its default only there. What a
layer says is checked against that dataclass: an unknown key, a wrong type or a value outside the
allowed set is reported, all mistakes at once, with the layer it came from.
"""

import dataclasses
import difflib
import math
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from dali_pipelines.errors import ConfigError

T = TypeVar("T")
Layer = tuple[str, Mapping[str, Any]]  # (where it came from, nested mapping)
_DEFAULT: Final = "default"
_NEAR: Final = 0.6  # similarity of a slip of the pen, as `difflib` measures it


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; an empty file gives {}. Raises ConfigError if it has none."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"no file {str(path)!r}; give the path of a YAML file") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{str(path)!r} cannot be read as YAML: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{str(path)!r} must hold `key: value` lines, not a {_kind(content)}")
    return content


def parse_sets(pairs: Iterable[str]) -> dict[str, Any]:
    """A nested mapping from texts like "optim.lr=3e-4"; values are read as YAML."""
    tree: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set needs key=value, found {pair!r}")
        node = tree
        *parents, leaf = key.strip().split(".")
        for name in parents:
            node = node.setdefault(name, {})
            if not isinstance(node, dict):
                raise ConfigError(f"--set {pair!r} goes below {name!r}, which was given a value")
        try:
            node[leaf] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {pair!r} has a value that is not YAML") from error
    return tree


def build(cls: type[T], layers: Sequence[Layer] = ()) -> tuple[T, dict[str, str]]:
    """An instance of the dataclass `cls`, and for each dotted key the layer that set it.

    Raises ConfigError that names every mistake, one a line.
    """
    problems: list[str] = []
    origins: dict[str, str] = {}
    instance = _build(cls, layers, "", problems, origins)
    if problems:
        raise ConfigError("\n".join(problems))
    assert instance is not None
    return instance, origins


def to_dict(settings: Any) -> dict[str, Any]:
    """The settings as nested plain values, which `build` turns back into an equal instance."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, list | tuple) else value

    result: dict[str, Any] = plain(dataclasses.asdict(settings))
    return result


def closest(name: str, known: Iterable[str]) -> str:
    """A sentence that names the known name nearest to `name`, else all that are known."""
    options = sorted(known)
    near = difflib.get_close_matches(name, options, n=1, cutoff=_NEAR)
    return f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(options)}."


def _build(
    cls: type[T], layers: Sequence[Layer], prefix: str, problems: list[str], origins: dict[str, str]
) -> T | None:
    hints = get_type_hints(cls)
    names = [f.name for f in dataclasses.fields(cls) if f.init]  # type: ignore[arg-type]
    before = len(problems)
    values: dict[str, Any] = {}
    for source, mapping in layers:
        problems.extend(
            f"{source}: no setting '{prefix}{key}'.{_closest_setting(str(key), cls, prefix)}"
            for key in mapping
            if key not in names
        )
    for name in names:
        dotted = prefix + name
        given = [(source, mapping[name]) for source, mapping in layers if name in mapping]
        if dataclasses.is_dataclass(hints[name]):
            below = [(source, _section(source, dotted, v, problems)) for source, v in given]
            values[name] = _build(hints[name], below, dotted + ".", problems, origins)
        elif given:
            source, raw = given[-1]
            origins[dotted] = source
            values[name] = _checked(raw, hints[name], f"{source}: '{dotted}'", problems)
        else:
            origins[dotted] = _DEFAULT
    if len(problems) > before:
        return None
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        problems.append(f"{prefix.rstrip('.') or cls.__name__}: {error}")
        return None


def _closest_setting(key: str, cls: type[Any], prefix: str) -> str:
    """A sentence with the whole name of the setting nearest to `key`, here or in a section below.

    Where none is near it names those that are here.
    """
    found = dict(reversed(list(_settings(cls, prefix))))  # of equal names the first
    near = difflib.get_close_matches(key, found, n=1, cutoff=_NEAR)
    if near:
        return f" Did you mean '{found[near[0]]}'?"
    return f" Known: {', '.join(sorted(field.name for field in dataclasses.fields(cls)))}."


def _settings(cls: type[Any], prefix: str) -> Iterator[tuple[str, str]]:
    """The name of each setting and its whole name; those of sections after those that are here."""
    hints = get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls) if field.init]
    yield from ((name, prefix + name) for name in names)
    for name in names:
        if dataclasses.is_dataclass(hints[name]):
            yield from _settings(hints[name], f"{prefix}{name}.")


def _section(source: str, dotted: str, value: Any, problems: list[str]) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    problems.append(f"{source}: '{dotted}' is a section and needs keys, not {value!r}")
    return {}


def _checked(raw: Any, hint: Any, where: str, problems: list[str]) -> Any:
    try:
        return _convert(raw, hint)
    except ValueError as error:
        problems.append(f"{where} must be {error}, not {raw!r}")
        return None


def _convert(raw: Any, hint: Any) -> Any:
    """`raw` as the annotated type; ValueError whose text is the wanted type if it cannot be."""
    origin = get_origin(hint)
    if origin is Literal:
        if any(type(raw) is type(choice) and raw == choice for choice in get_args(hint)):
            return raw
        raise ValueError(" | ".join(repr(choice) for choice in get_args(hint)))
    if origin in (Union, types.UnionType):
        return _convert_union(raw, get_args(hint))
    if origin is tuple:
        return _convert_tuple(raw, get_args(hint))
    if hint is float and not isinstance(raw, bool):
        return _to_float(raw)  # YAML 1.1 reads 3e-4 as text
    if hint is Path and isinstance(raw, str):
        return Path(raw)
    if isinstance(raw, hint) and not (isinstance(raw, bool) and hint is not bool):
        return raw
    raise ValueError({str: "text", int: "an integer", bool: "true or false"}.get(hint, str(hint)))


def _to_float(raw: Any) -> float:
    try:
        number = float(raw)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("a number") from None
    if not math.isfinite(number):
        raise ValueError("a finite number")
    return number


def _convert_union(raw: Any, choices: tuple[Any, ...]) -> Any:
    wanted = []
    for choice in choices:
        if choice is type(None):
            if raw is None:
                return None
            wanted.append("null")
            continue
        try:
            return _convert(raw, choice)
        except ValueError as error:
            wanted.append(str(error))
    raise ValueError(" or ".join(wanted))


def _convert_tuple(raw: Any, item_types: tuple[Any, ...]) -> tuple[Any, ...]:
    endless = item_types[-1] is Ellipsis
    if not isinstance(raw, list | tuple) or not (endless or len(raw) == len(item_types)):
        raise ValueError("a list such as [a, b]" if endless else f"a list of {len(item_types)}")
    kinds = [item_types[0]] * len(raw) if endless else list(item_types)
    return tuple(_convert(item, kind) for item, kind in zip(raw, kinds, strict=True))


def _kind(value: Any) -> str:
    return "list" if isinstance(value, list) else type(value).__name__
