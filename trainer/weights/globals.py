"""Which names a weight file may use, and what comes of it when it calls one.

Nothing here imports or runs what a file names: the few calls that make containers and tensors are
done by the functions of this file, some more leave an object that does nothing, and any other call
is refused. A class of a package that is not here (omegaconf, onconet) gives such an object; one of
the standard library, of torch or of NumPy only where this file has its name.
"""

import sys
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING  # names of Python 2, which protocol 2 has
from collections.abc import Callable, Mapping
from typing import Any, Final

import torch

from trainer.printable import printable
from trainer.weights.stored import ForeignError, Name, Storage, StoredTensor, Stub

_HERE: Final = sys.stdlib_module_names | {"torch", "numpy", "torchvision", "timm", "scipy"}
_PARTS: Final = ("torch.nn.", "torch.optim.", "timm.models.", "timm.layers.", "torchvision.models.")
_INERT: Final = {  # called, they leave a stub: what training scripts keep beside weights
    *("_codecs.encode", "argparse.Namespace", "builtins.bytearray", "builtins.complex"),
    *("builtins.frozenset", "builtins.object", "builtins.range", "builtins.set", "builtins.slice"),
    *("collections.deque", "copyreg._reconstructor"),
    *("datetime.date", "datetime.datetime", "datetime.timedelta", "datetime.timezone"),
    *("functools.partial", "operator.getitem", "types.SimpleNamespace", "uuid.UUID"),
    *("numpy.dtype", "numpy.ndarray", "torch.device"),
    *(
        f"numpy.{core}.multiarray.{name}"
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    ),
}
_TYPES: Final = {f"builtins.{t}" for t in ("bool", "bytes", "dict", "float", "int", "list", "str")}
_DTYPES: Final = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.bool, torch.uint8),
        *(torch.int8, torch.int16, torch.int32, torch.int64),
        *(torch.uint16, torch.uint32, torch.uint64),
    )
}
_MOST_SIDES: Final = 64
_STORAGES: Final = {  # torch.FloatStorage is of float32, ...
    f"{name}Storage": _DTYPES[dtype]
    for name, dtype in (
        *(("Double", "float64"), ("Float", "float32"), ("Half", "float16")),
        *(("BFloat16", "bfloat16"), ("Bool", "bool"), ("Byte", "uint8"), ("Untyped", "uint8")),
        *(("Char", "int8"), ("Short", "int16"), ("Int", "int32"), ("Long", "int64")),
    )
}


def global_name(module: str, name: str) -> Name:
    """The name, as Python 3 has it; ForeignError where it may not even be mentioned."""
    module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
    found = Name(module, name)
    own = module.partition(".")[0] in sys.stdlib_module_names
    if "." in name or (own and not _is_listed(found)):
        raise ForeignError(
            f"names {printable(str(found))}, which no weights need, and is not opened"
        )
    return found


def instance(cls: Any, args: tuple[Any, ...]) -> Any:
    """The object of a class: a container, or a stub where it is not one of those."""
    if not isinstance(cls, Name):
        raise ForeignError("makes an object of what is no class, and is not opened")
    if str(cls) in _MADE or _is_listed(cls):
        return call(cls, args)
    if cls.module.partition(".")[0] in _HERE and not f"{cls}".startswith(_PARTS):
        raise ForeignError(f"makes an object of {printable(str(cls))}, which is no part of weights")
    return Stub(cls)


def call(function: Any, args: Any) -> Any:
    """What a call gives: a container, a tensor or a stub; ForeignError for all other calls."""
    if not isinstance(function, Name) or not isinstance(args, tuple):
        raise ForeignError("calls what is no function, and is not opened")
    made = _MADE.get(str(function))
    if made is None and not _is_listed(function):
        raise ForeignError(
            f"calls {printable(str(function))}, which no weights need, and is not opened"
        )
    try:
        return Stub(function) if made is None else made(*args)
    except ForeignError:  # is a ValueError, but says more
        raise
    except (TypeError, ValueError, AttributeError) as error:
        raise ForeignError(f"calls {function} with what it does not take") from error


def storage_type(name: Any) -> torch.dtype:
    """The type of the numbers in a storage, from the class that torch names."""
    if not isinstance(name, Name) or name.name not in _STORAGES:
        raise ForeignError("keeps tensors in what is no storage of torch")
    return _STORAGES[name.name]


def _is_listed(name: Name) -> bool:
    full = str(name)
    own = full in _MADE or full in _INERT or full in _TYPES
    return own or name.module in ("typing", "pathlib", "pathlib._local")


def _mapping(items: Any = ()) -> dict[Any, Any]:
    pairs = items.items() if isinstance(items, Mapping) else items
    return {key: value for key, value in pairs if isinstance(key, str)}


def _tensor(storage: Any, offset: int, shape: Any, stride: Any, *_: Any) -> StoredTensor:
    return _typed_tensor(storage, offset, shape, stride, None, None, storage.dtype)


def _typed_tensor(
    storage: Any, offset: int, shape: Any, stride: Any, _grad: Any, _hooks: Any, dtype: Any, *_: Any
) -> StoredTensor:
    if isinstance(dtype, Name):
        dtype = _DTYPES.get(dtype.name)  # not getattr: torch imports modules on being asked
    if not isinstance(storage, Storage) or not isinstance(dtype, torch.dtype):
        raise ForeignError("has a tensor of no known type")
    return StoredTensor(storage, dtype, offset, _sides(shape), _sides(stride))


def _sides(values: Any) -> tuple[Any, ...]:
    """A shape or its strides; torch has no tensors of more sides."""
    if not isinstance(values, tuple | list) or len(values) > _MOST_SIDES:
        raise ForeignError("has a tensor whose shape is no list of natural numbers")
    return tuple(values)


def _first(value: Any, *_: Any) -> Any:
    return value


def _subclass(function: Any, _cls: Any, args: Any, _state: Any) -> Any:
    return call(function, args)


_MADE: Final[dict[str, Callable[..., Any]]] = {
    "collections.OrderedDict": _mapping,
    "collections.Counter": _mapping,
    "collections.defaultdict": lambda _factory=None, items=(): _mapping(items),
    "torch.Size": lambda sides=(): _sides(sides),
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _typed_tensor,
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    "torch.nn.parameter.Parameter": _first,
    "torch._tensor._rebuild_from_type_v2": _subclass,
}
