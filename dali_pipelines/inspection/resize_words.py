"""What became of the box and of its values, in words: the last decisions on the way of an image."""

from collections.abc import Iterator, Sequence
from typing import Final

from dali_pipelines.geometry import Side, placement
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.stages import Roi

_ENDS: Final = {  # what the values called 0 and 1 are before the mean and std of the recipe
    "none": ("black", "white"),
    "min-max": ("its least value", "its greatest"),
    "standardize": ("its mean", "one deviation above"),
}


def resize_words(box: Roi, settings: ResizeSettings) -> str:
    """The sizes before and after, the scale, and what was added or cut off at which edge."""
    rows, columns = placement(box, settings)
    height, width = settings.size
    before = _edges(_spare(rows, box.height), _spare(columns, box.width))
    after = _edges(_rest(rows, height), _rest(columns, width))
    parts = [
        *_list("black added first", before),
        *_list("black added", after),
        *_list("cut off", [(-count, where) for count, where in after]),
    ]
    scale = f"{rows.count_out / rows.count_in:.3g} down, "
    scale += f"{columns.count_out / columns.count_in:.3g} across"
    kind = "" if settings.filter == "area" or settings.fit == "keep" else f", {settings.filter}"
    sizes = f"{box.height:,} x {box.width:,} px to {rows.count_out:,} x {columns.count_out:,}"
    return f"{sizes} (x {scale}{kind}); {'; '.join(parts) or 'nothing added'}"


def number_words(settings: ResizeSettings) -> str:
    """The numbers that the two ends of the values become, and in what form."""
    names = _ENDS[settings.per_image]
    low, high = (_numbers(settings, end) for end in (0, 1))
    equal = len(set(zip(settings.means, settings.stds, strict=True))) == 1
    channels = f"{settings.channels} {'equal ' * equal}channels"
    parted = settings.per_image == "min-max" and settings.per_image_bits == 8
    parts = [
        *([f"rounded to {2**settings.bits:,} levels"] if settings.bits else []),
        f"{names[0]} {low}",
        f"{names[1]} {high}{' in 256 levels' * parted}",
        "1 channel" if settings.channels == 1 else channels,
        settings.dtype,
    ]
    return ", ".join(parts)


def _numbers(settings: ResizeSettings, value: int) -> str:
    """What this value becomes in each channel, once if it is the same in all."""
    pairs = zip(settings.means, settings.stds, strict=True)
    return " / ".join(dict.fromkeys(f"{(value - mean) / std:.4g}" for mean, std in pairs))


def _spare(side: Side, box: int) -> tuple[int, int]:
    """Black px before and after the box, in px of the source."""
    return side.before, side.count_in - side.before - box


def _rest(side: Side, size: int) -> tuple[int, int]:
    """Px of the output before and after what the box became; below 0 where it was cut off."""
    return side.corner, size - side.corner - side.count_out


def _edges(down: Sequence[int], across: Sequence[int]) -> list[tuple[int, str]]:
    return list(zip((*down, *across), ("above", "below", "left", "right"), strict=True))


def _list(what: str, edges: Sequence[tuple[int, str]]) -> Iterator[str]:
    counts = [f"{count:,} px {where}" for count, where in edges if count > 0]
    if counts:
        yield f"{what}: {', '.join(counts)}"
