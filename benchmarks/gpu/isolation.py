"""What one damaged codestream costs on the GPU: itself, its batch, or the context."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.gpu.decoders import decode_proved, moved, new_dali, open_decoder, stored_values
from benchmarks.gpu.inputs import COMPRESSED, Inputs, Note, coded_image
from dali_pipelines.codestream.stream import bare_codestream
from dali_pipelines.decoder import Decoded
from dali_pipelines.gpu.decoder import GpuDecoder
from dali_pipelines.gpu.device import current_device
from dali_pipelines.graph import BatchError, DaliDecoder
from dali_pipelines.phantom.header import HeaderSpec
from dali_pipelines.stages import Encoded, Pixels
from dali_pipelines.verdicts import RejectError

Bytes = NDArray[np.uint8]
Coded = list[tuple[Encoded, NDArray[np.uint16]]]
PRECISION: Final = 12


def garbage(data: Bytes) -> Bytes:
    """Noise behind the first marker."""
    noise = np.random.default_rng(0).integers(0, 256, len(data)).astype(np.uint8)
    noise[:2] = data[:2]
    return noise


def truncated(data: Bytes) -> Bytes:
    """The first half, closed with the end marker."""
    return np.concatenate([data[: len(data) // 2], data[-2:]])


def noise_inside(data: Bytes) -> Bytes:
    """One percent in the middle replaced, by bytes that begin no marker."""
    changed = data.copy()
    length = max(16, len(data) // 100)
    start = len(data) // 2
    rng = np.random.default_rng(1)
    changed[start : start + length] = rng.integers(0, 0x80, len(changed[start : start + length]))
    return changed


def header_only(data: Bytes) -> Bytes:
    """100 bytes and the end marker."""
    return np.concatenate([data[:100], data[-2:]])


DAMAGES: Final[tuple[Callable[[Bytes], Bytes], ...]] = (
    truncated,
    header_only,
    garbage,
    noise_inside,
)


def measure(inputs: Inputs, note: Note) -> None:
    """For each syntax and damage: what became of the bad one, and were the others exact, too."""
    dali = new_dali(1)
    with tempfile.TemporaryDirectory() as folder, open_decoder() as decoder:
        for syntax in COMPRESSED:
            coded = _coded(syntax, inputs, Path(folder, "a.dcm"))
            for damage in DAMAGES:
                name = f"{syntax} {damage.__name__}"
                mine = [(_by(name, item), values) for item, values in coded]
                bad = Encoded(damage(mine[0][0].data), mine[0][0].record)
                row: dict[str, Any] = {
                    "reader": _seen_by_reader(bad),
                    "dali_alone": _alone(dali, bad),
                }
                row |= _among_good(decoder, mine, bad)
                row |= {"moved": any(name in kind for kind in moved(decoder))}
                note(name, row)


def _by(maker: str, item: Encoded) -> Encoded:
    """The same under another manufacturer: a ban is by class, so it reaches no other case."""
    tags = replace(item.record.tags, manufacturer=maker)
    return Encoded(item.data, replace(item.record, tags=tags))


def _coded(syntax: str, inputs: Inputs, path: Path) -> Coded:
    """Six images of a sixteenth of the full size, coded."""
    shape = (max(inputs.size[0] // 4, 64), max(inputs.size[1] // 4, 64))
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 1 << PRECISION, shape).astype(np.uint16) for _ in range(6)]
    header = HeaderSpec(syntax, PRECISION)
    return [(coded_image(image, header, path), image) for image in images]


def _seen_by_reader(bad: Encoded) -> str:
    """The reader's verdict: what it rejects never comes to a decoder."""
    try:
        bare_codestream(bad.data.data, bad.record.stream)
    except RejectError as error:
        return error.reason.value
    return "passes"


def _alone(dali: DaliDecoder, bad: Encoded) -> str:
    dali.submit([bad.data])
    try:
        dali.receive()
    except BatchError:
        return "refused"
    return "gave a picture"


def _among_good(decoder: GpuDecoder, coded: Coded, bad: Encoded) -> dict[str, Any]:
    """Whole batch, batch with the bad one in its middle, the bad one alone, whole batch."""
    good = [item for item, _ in coded]
    values = [image for _, image in coded]
    before = decode_proved(decoder, good)
    *around, middle = _with_bad(decode_proved(decoder, [*good[:2], bad, *good[2:]]))
    (alone,) = decode_proved(decoder, [bad])
    after = decode_proved(decoder, good)
    return {
        "in_batch": _verdict(middle),
        "alone": _verdict(alone),
        "others_exact": all(_exact(found, values) for found in (before, around, after)),
        "context_alive": _is_alive(),
    }


def _with_bad(found: list[Decoded]) -> list[Decoded]:
    """The good ones, then the bad one, which was third."""
    return [*found[:2], *found[3:], found[2]]


def _verdict(found: Decoded) -> str:
    return found.reason.value if isinstance(found, RejectError) else "picture"


def _exact(found: list[Decoded], values: list[NDArray[np.uint16]]) -> bool:
    return all(
        isinstance(pixels, Pixels) and np.array_equal(stored_values(pixels), image)
        for pixels, image in zip(found, values, strict=True)
    )


def _is_alive() -> bool:
    """Whether the device still computes."""
    device = current_device().torch_device
    return int(torch.arange(5, device=device).sum().item()) == 10
