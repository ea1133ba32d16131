"""README's table of transfer syntaxes, made from what was tried on this machine.

Rows of one title, which follow one another, become one row: it is as good as its worst file.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from dali_pipelines.doctor.decoder_trial import DecoderCheck

_HEAD: Final = (
    "| transfer syntax | UID | on the CPU (tried) | values (tried) | on a GPU (by its rules) |",
    "|---|---|---|---|---|",
)
_FAMILY: Final = "1.2.840.10008.1.2.4."  # of all that ISO 10918, 14495 and 15444 compress
_DECODERS: Final = {  # what is inside imagecodecs, by kind of codestream
    "jpeg_dct": "imagecodecs (libjpeg-turbo)",
    "jpeg_lossless": "imagecodecs (libjpeg-turbo)",
    "jpegls": "imagecodecs (CharLS)",
    "j2k": "imagecodecs (OpenJPEG)",
    "htj2k": "imagecodecs (OpenJPH, else OpenJPEG)",
}


def syntax_table(checks: Sequence[DecoderCheck]) -> list[str]:
    """The lines of the table in Markdown, without line ends."""
    rows = (_row(list(group)) for _, group in groupby(checks, key=lambda check: check.title))
    return [*_HEAD, *(f"| {' | '.join(row)} |" for row in rows)]


def _row(checks: list[DecoderCheck]) -> tuple[str, ...]:
    """The cells of one title: name, UIDs, decoders, values, GPU."""
    uids = dict.fromkeys(check.uid for check in checks)
    short = (uid.replace(_FAMILY, ".4.") for uid in uids)
    used = [check for check in checks if check.chosen]
    gpu = all(check.by_dali_gpu for check in used)
    return (
        checks[0].title,
        ", ".join(short),
        "; ".join(dict.fromkeys(_decoders(checks))),
        _values(used),
        "DALI" if gpu else "as on the CPU",
    )


def _decoders(checks: list[DecoderCheck]) -> Iterator[str]:
    """Who decodes by default, and who decodes instead in threads."""
    for check in checks:
        if check.decoder == "imagecodecs":
            yield _DECODERS.get(check.kind, check.decoder)
        elif check.decoder == "dali":
            yield f"DALI with `isolation: thread`{_trouble([check])}"
        else:
            yield "NumPy" if check.decoder == "numpy" else check.decoder


def _values(checks: list[DecoderCheck]) -> str:
    """What came of the values: what was wrong, or how exact they are and what cannot be proved."""
    if any(check.outcome != "ok" for check in checks):
        return _trouble(checks).removeprefix(": ")
    tolerance = max(check.tolerance for check in checks)
    exact = f"within {tolerance}" if tolerance else "bit for bit"
    return exact if all(check.proven for check in checks) else f"{exact}, `unproven`"


def _trouble(checks: list[DecoderCheck]) -> str:
    bad = sorted({check.outcome for check in checks} - {"ok"})
    return f": {', '.join(bad)}" if bad else ""
