"""What does not fit a table cell as it is: file names that are not UTF-8, and the gray scale.

The manifest and rejects.csv write and read these through here; both ways are exact.
"""

import base64
import json
import re
import zlib
from typing import Any, Final

from dali_pipelines.records import Grayscale, Lut, Window

_ESCAPED: Final = re.compile(r"\\(?:\\|[nr]|u([0-9a-f]{4}))")
_LINE_BREAKS: Final = {"\\n": "\n", "\\r": "\r"}


def escape(text: str) -> str:
    r"""Text that UTF-8 can hold: a lone surrogate as \udcff, a backslash doubled.

    Lone surrogates are Python's stand-in for the bytes of a file name that are not UTF-8.
    """
    if text.isascii() and "\\" not in text:
        return text
    return text.replace("\\", "\\\\").encode("utf-8", "backslashreplace").decode("utf-8")


def escape_line(text: str) -> str:
    r"""As `escape`, and on one line: a line break as \n or \r."""
    return escape(text).replace("\r", "\\r").replace("\n", "\\n")


def unescape(text: str) -> str:
    """What `escape` or `escape_line` was given."""
    if "\\" not in text:
        return text
    return _ESCAPED.sub(_original, text)


def _original(escaped: re.Match[str]) -> str:
    if escaped[1]:
        return chr(int(escaped[1], 16))
    return _LINE_BREAKS.get(escaped[0], "\\")


def grayscale_to_json(grayscale: Grayscale) -> str:
    """One line of JSON with every field; the data of tables as base64 of zlib."""
    content = {
        "bits": grayscale.bits,
        "bits_stored": grayscale.bits_stored,
        "signed": grayscale.signed,
        "slope": _number(grayscale.slope),
        "intercept": _number(grayscale.intercept),
        "modality_lut": _lut_to_dict(grayscale.modality_lut),
        "function": grayscale.function,
        "windows": [[_number(w.center), _number(w.width)] for w in grayscale.windows],
        "voi_luts": [_lut_to_dict(lut) for lut in grayscale.voi_luts],
        "invert": grayscale.invert,
        "padding": grayscale.padding,
    }
    return json.dumps(content, separators=(",", ":"))


def grayscale_from_json(text: str) -> Grayscale:
    """What `grayscale_to_json` was given."""
    content: dict[str, Any] = json.loads(text)
    content["modality_lut"] = _lut_from_dict(content["modality_lut"])
    content["windows"] = tuple(Window(*pair) for pair in content["windows"])
    content["voi_luts"] = tuple(map(_lut_from_dict, content["voi_luts"]))
    content["padding"] = content["padding"] and tuple(content["padding"])
    return Grayscale(**content)


def _number(value: float) -> float:
    """Equal values as equal text: 1 as 1.0, -0.0 as 0.0."""
    return float(value) + 0.0


def _lut_to_dict(lut: Lut | None) -> dict[str, Any] | None:
    if lut is None:
        return None
    packed = base64.b64encode(zlib.compress(lut.data)).decode("ascii")
    return {"first": lut.first, "bits": lut.bits, "data": packed}


def _lut_from_dict(content: dict[str, Any] | None) -> Lut | None:
    if content is None:
        return None
    data = zlib.decompress(base64.b64decode(content["data"]))
    return Lut(content["first"], content["bits"], data)
