"""Which coding comes back bit for bit, by which decoder, and what DALI alone makes of it."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.gpu.decoders import decode_proved, moved, new_dali, open_decoder, stored_values
from benchmarks.gpu.inputs import Inputs, Note, coded_image
from dali_pipelines.graph import BatchError
from dali_pipelines.phantom.header import HeaderSpec
from dali_pipelines.stages import Encoded, Pixels
from dali_pipelines.stored_values import spread_shift

FRAMES: Final = 3  # two that the canary sees, one that it does not
_SHAPE: Final = (260, 310)
_JPEGLS_BITS: Final = (8, 16)  # all that our encoder writes


def codings(quick: bool) -> Iterator[HeaderSpec]:
    """Every syntax, precision, predictor and order of tables that a file may come in."""
    for precision in (8, 12, 16) if quick else range(8, 17):
        for syntax in ("j2k", "htj2k", "rle", "raw"):
            yield HeaderSpec(syntax, precision)
        if precision in _JPEGLS_BITS:
            yield HeaderSpec("jpegls", precision)
        for first in (False, True):
            yield HeaderSpec("jpeg_sv1", precision, tables_first=first)
        for predictor in range(1, 8):
            yield HeaderSpec("jpeg_lossless", precision, predictor=predictor)


def measure(inputs: Inputs, note: Note) -> None:
    """`rows`: each coding through our decoder. `wrong`: how many came back otherwise."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, open_decoder() as decoder:
        for number, header in enumerate(codings(inputs.quick)):
            images = [_picture(header.precision, seed) for seed in range(FRAMES)]
            # Bans are by class, so none meets another's.
            header = replace(header, manufacturer=f"Report {number}")  # noqa: PLW2901
            batch = [coded_image(image, header, Path(folder, "a.dcm")) for image in images]
            found = decode_proved(decoder, batch)
            exact = all(
                isinstance(pixels, Pixels) and np.array_equal(stored_values(pixels), image)
                for pixels, image in zip(found, images, strict=True)
            )
            by_gpu = [
                isinstance(pixels, Pixels) and not isinstance(pixels.values, np.ndarray)
                for pixels in found
            ]
            took = "gpu" if all(by_gpu) else "both" if any(by_gpu) else "cpu"
            rows.append(_describe(header) | {"took": took, "exact": exact})
            note("rows", rows)
        note("moved", moved(decoder))
    note("wrong", sum(not row["exact"] for row in rows))


def measure_bare(inputs: Inputs, note: Note) -> None:
    """`rows`: what DALI alone makes of what it may be given, and of what we keep from it."""
    rows: list[dict[str, Any]] = []
    dali = new_dali(1)
    with tempfile.TemporaryDirectory() as folder:
        for header in codings(inputs.quick):
            if header.syntax in {"rle", "raw", "jpegls"}:
                continue
            image = _picture(header.precision, 0)
            encoded = coded_image(image, header, Path(folder, "a.dcm"))
            dali.submit([encoded.data])
            rows.append(_describe(header) | {"outcome": _outcome(dali, encoded, image)})
            note("rows", rows)


def _outcome(dali: Any, encoded: Encoded, image: NDArray[np.uint16]) -> str:
    try:
        (values,) = dali.receive()
    except BatchError:
        return "refused"
    if tuple(values.shape) != image.shape:
        return "wrong shape"
    found = stored_values(Pixels(values, spread_shift(encoded.record.stream)))
    if np.array_equal(found, image):
        return "exact"
    return "wrong values" if found.any() else "zeros"


def _picture(precision: int, seed: int) -> NDArray[np.uint16]:
    """Noise over a ramp: every bit in use, both extremes there."""
    height, width = _SHAPE[0] + seed, _SHAPE[1]
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 1 << precision, (height, width)).astype(np.uint16)
    top = (1 << precision) - 1
    values[:, : width // 2] = np.linspace(0, top, width // 2).astype(np.uint16)
    return values


def _describe(header: HeaderSpec) -> dict[str, Any]:
    return {
        "syntax": header.syntax,
        "precision": header.precision,
        "predictor": header.predictor if header.syntax.startswith("jpeg_") else None,
        "tables_first": header.tables_first,
    }
