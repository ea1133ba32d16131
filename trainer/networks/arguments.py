"""The arguments of a network, as plain values: what settings ask for, and what may be built.

They travel in checkpoints, so they are checked like any other input: timm's own arguments may
name files and addresses, ours may not.
"""

import difflib
from collections.abc import Callable, Mapping
from typing import Any, Final

import timm

from dali_pipelines.errors import ConfigError
from trainer.networks.settings import FUSIONS, POOLS, VIEWS, ModelSettings

_MAX_SIDE: Final = 1 << 14  # px, that of recipes
_MAX_WIDTH: Final = 1 << 16  # of a layer
_MAX_LAYERS: Final = 64
_REQUIRED: Final = {"model_name", "in_chans", "num_classes"}


def model_args(
    settings: ModelSettings, channels: int, size: tuple[int, int], outputs: int = 1
) -> dict[str, Any]:
    """The arguments that build the network again, as plain values for a checkpoint.

    `size` (H, W) px is passed on only to a network that is built for one size. What is at its
    default is left out. Raises ConfigError for a name that timm does not know.
    """
    if not _is_known(settings.name):
        near = difflib.get_close_matches(settings.name, timm.list_models(), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else " timm.list_models() names all."
        raise ConfigError(f"timm has no model {settings.name!r}.{hint}")
    args: dict[str, Any] = {
        "model_name": settings.name,
        "in_chans": channels,
        "num_classes": outputs,
    }
    known = timm.get_pretrained_cfg(settings.name)
    if known is not None and known.fixed_input_size:
        args["img_size"] = list(size)
    return args | _choices(settings)


def require_sound(args: Mapping[str, Any]) -> None:
    """Raise ConfigError for arguments that `model_args` would not give."""
    fits = _REQUIRED <= set(args) <= set(_SOUND) and ("unit" in args) == ("fusion" in args)
    if not fits or not all(_SOUND[name](value) for name, value in args.items()):
        raise ConfigError(
            f"{dict(args)} does not describe a network of timm by {', '.join(sorted(_SOUND))} "
            "alone, each within its bounds"
        )


def _choices(settings: ModelSettings) -> dict[str, Any]:
    """What the settings say beside the architecture, where it is not the default."""
    args: dict[str, Any] = {}
    if settings.pool != "default":
        args["global_pool"] = settings.pool
    if settings.drop:
        args["drop_rate"] = settings.drop
    if settings.drop_path:
        args["drop_path_rate"] = settings.drop_path
    if settings.head == "mlp":
        args["hidden"] = settings.hidden
    if settings.padding != "own":
        args["padding"] = settings.padding
    if settings.views > 1:
        args |= {"unit": settings.unit, "fusion": settings.fusion}
        if settings.fusion == "transformer":
            args["layers"] = settings.layers
    return args


def _is_known(name: object) -> bool:
    """Whether timm has that architecture itself; false for addresses such as "hf-hub:..."."""
    return isinstance(name, str) and ":" not in name and timm.is_model(name.partition(".")[0])


def _whole(last: int) -> Callable[[object], bool]:
    return lambda value: type(value) is int and 1 <= value <= last  # bool is no number here


def _share(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value < 1


def _size(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_whole(_MAX_SIDE), value))


def _one_of(*names: str) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and value in names


_SOUND: Final[dict[str, Callable[[object], bool]]] = {
    "model_name": _is_known,
    "in_chans": lambda value: type(value) is int and value in (1, 3),
    "num_classes": _whole(_MAX_WIDTH),
    "img_size": _size,
    "global_pool": _one_of(*(pool for pool in POOLS if pool != "default")),
    "drop_rate": _share,
    "drop_path_rate": _share,
    "hidden": _whole(_MAX_WIDTH),
    "padding": _one_of("nominal"),
    "unit": _one_of(*(unit for unit, views in VIEWS.items() if views > 1)),
    "fusion": _one_of(*FUSIONS),
    "layers": _whole(_MAX_LAYERS),
}
