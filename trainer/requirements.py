"""What settings must fulfill: one sentence for each that does not."""

import math


def require(fits: bool, name: str, wanted: str, found: object) -> None:
    """Raise ValueError "<name> must be <wanted>, not <found>" where it does not fit."""
    if not fits:
        raise ValueError(f"{name} must be {wanted}, not {found!r}")


def require_share(name: str, value: float) -> None:
    """Raise ValueError unless 0 <= value < 1."""
    require(0 <= value < 1, name, "in [0, 1)", value)


def require_probability(name: str, value: float) -> None:
    """Raise ValueError unless 0 <= value <= 1."""
    require(0 <= value <= 1, name, "in [0, 1]", value)


def require_natural(name: str, value: float) -> None:
    """Raise ValueError unless the value is finite and 0 or more."""
    require(0 <= value < math.inf, name, "0 or more", value)


def require_positive(name: str, value: float) -> None:
    """Raise ValueError unless the value is finite and above 0."""
    require(0 < value < math.inf, name, "above 0", value)


def require_range(
    name: str, pair: tuple[float, float], least: float = -math.inf, most: float = math.inf
) -> None:
    """Raise ValueError unless `pair` is (low, high) with least <= low <= high <= most."""
    low, high = pair
    bounds = f"two numbers in order within [{least:g}, {most:g}]"
    require(least <= low <= high <= most, name, bounds, list(pair))
