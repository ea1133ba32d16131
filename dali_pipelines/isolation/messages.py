"""What a decoder process is asked and what it answers, as JSON: nothing is unpickled at either end.

A child that runs a hostile codestream may be taken over by it. What it sends is therefore read as
data of a known form, and anything else is as if the child had died.
"""

import base64
import json
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Final, NamedTuple, Union, get_args, get_origin, get_type_hints

from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord, StreamInfo
from dali_pipelines.stages import Pixels
from dali_pipelines.verdicts import Reason, RejectError

ANSWER_BYTES: Final = 4096  # PIPE_BUF of Linux: up to here a write to a pipe comes whole

_DETAIL_CHARACTERS: Final = 500  # six bytes each at most, as JSON escapes them


class Request(NamedTuple):
    """One codestream of `length` bytes, or the `sizes` of several in a row, to be decoded."""

    record: ImageRecord
    recipe: Recipe
    length: int
    sizes: tuple[int, ...]


class Shape(NamedTuple):
    """What was decoded: the shape of the values, and `Pixels.shift` and `Pixels.reduce`."""

    height: int
    width: int
    shift: int
    reduce: int


def write_request(request: Request) -> bytes:
    """The request as JSON."""
    return json.dumps([_plain(part) for part in request]).encode()


def read_request(text: bytes) -> Request:
    """The request that `write_request` made, equal in every field."""
    hints = get_type_hints(Request)
    parts = zip(hints.values(), json.loads(text), strict=True)
    return Request(*(_typed(hint, part) for hint, part in parts))


def write_answer(result: Pixels | RejectError) -> bytes:
    """The answer as JSON of at most ANSWER_BYTES; the values themselves lie in shared memory."""
    if isinstance(result, RejectError):
        return json.dumps([result.reason.value, result.detail[:_DETAIL_CHARACTERS]]).encode()
    height, width = result.values.shape
    return json.dumps(Shape(height, width, result.shift, result.reduce)).encode()


def read_answer(text: bytes, stream: StreamInfo) -> Shape | RejectError:
    """The answer about this stream; ValueError for anything that is not one."""
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("the answer is nested too deep") from None
    match found:
        case [str(reason), str(detail)]:
            return RejectError(Reason(reason), detail[:_DETAIL_CHARACTERS])
        case [int(), int(), int(shift), int(reduce)] if 0 <= shift < 16 and 0 <= reduce < 32:
            shape = Shape(*found)
            if shape[:2] == (-(-stream.height >> reduce), -(-stream.width >> reduce)):
                return shape
    raise ValueError("the answer has another form or shape than it must have")


def _plain(value: Any) -> Any:
    """Dataclasses as objects, tuples as lists, bytes as base64."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _typed(hint: Any, value: Any) -> Any:
    """What `_plain` made of a value of the type `hint`, undone."""
    origin, inner = get_origin(hint), get_args(hint)
    if value is None:
        return None
    if origin in (Union, UnionType):  # of one type and None, of types that JSON has, or a tuple
        tuples = [kind for kind in inner if get_origin(kind) is tuple]
        return _typed(tuples[0] if tuples and isinstance(value, list) else inner[0], value)
    if origin is tuple:
        kinds = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        return tuple(_typed(kind, item) for kind, item in zip(kinds, value, strict=True))
    if hint is bytes:
        return base64.b64decode(value)
    if isinstance(value, dict):
        return hint(**{name: _typed(kind, value[name]) for name, kind in _hints(hint).items()})
    return value


@cache
def _hints(kind: Any) -> dict[str, Any]:
    """The fields of a dataclass, with their types."""
    return get_type_hints(kind)
