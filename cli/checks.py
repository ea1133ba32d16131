"""What several commands require of their options before any work begins."""

import math
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import click

from dali_pipelines.errors import ConfigError


def ends_in(suffix: str) -> Callable[[click.Context, click.Parameter, Path | None], Path | None]:
    """A callback for -O that raises ConfigError unless the file is named as what it will hold."""

    def check(
        _context: click.Context, _parameter: click.Parameter, out: Path | None
    ) -> Path | None:
        if out is not None and out.suffix != suffix:
            wanted = str(out.parent / ((out.stem or "out") + suffix))
            raise ConfigError(f"-O {str(out)!r} must end in {suffix}; name it {wanted!r}")
        return out

    return check


def require_apart(outputs: Sequence[Path], inputs: Iterable[Path | None]) -> None:
    """Raise ConfigError if a file to write is also one to read, under whatever name."""
    read = {os.path.realpath(path) for path in inputs if path is not None}
    for out in outputs:
        if os.path.realpath(out) in read:
            raise ConfigError(
                f"{str(out)!r} would be overwritten and is an input; choose another name with -O"
            )


def require_own_rejects(out: Path) -> None:
    """Raise ConfigError if the table of rejects beside `out` would be that of a manifest's scan."""
    manifest = out.with_suffix(".parquet")
    if manifest.exists() and manifest != out:
        raise ConfigError(
            f"the rejects of {str(out)!r} would replace those of the manifest {str(manifest)!r}; "
            "choose another name"
        )


def times(factor: int) -> Callable[[click.Context, click.Parameter, int], int]:
    """A callback for an option in thousands, millions or the like: the number in single units."""
    return lambda _context, _parameter, value: value * factor


def finite(
    _context: click.Context, _parameter: click.Parameter, value: float | None
) -> float | None:
    """The value, which a range alone lets be NaN."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number")
    return value
