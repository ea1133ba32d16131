"""The tensors of a weight file of any kind, by name; what kind it is follows from its content."""

import itertools
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open

from dali_pipelines.errors import CheckpointError
from trainer.printable import printable
from trainer.weights.stored import ForeignError, StoredTensor, Stub, WeightFile
from trainer.weights.torch_files import ReadStorages, read_plain, read_zip

# where training scripts keep weights, the averaged ones first: they score best
_NESTS: Final = (
    *("state_dict_ema", "model_ema", "ema_state_dict", "ema", "state_dict", "model_state_dict"),
    *("model", "module", "net", "network", "weights"),
)
_MOST_TENSORS: Final = 100_000  # the largest networks of timm have some 2,000
_LONGEST: Final = 500  # letters of a name; timm's have up to 60
_DEEPEST: Final = 3  # mappings within mappings
_OTHERS: Final = (  # what files are that were taken for weights
    (b"version https://git-lfs", "only points to a file of Git LFS; run `git lfs pull` there"),
    (b"<", "is a web page, perhaps of a download that asks for a login; download it again"),
    (b"\x89HDF", "is a Keras file of HDF5; convert it to safetensors first"),
    (b"\x1f\x8b", "is a gzip file; unpack it first"),
    (b"\x93NUMPY", "is a NumPy array; convert it to safetensors first"),
)


def read_weight_file(path: Path) -> WeightFile:
    """The tensors of a safetensors, torch zip or old plain torch file, of which nothing is run.

    A state dict may lie below the names that training scripts use, a whole module is flattened to
    the names of its state_dict(). Raises CheckpointError where there is no file, it holds no
    weights, or it is damaged or more than weights.
    """
    if not path.is_file():
        raise CheckpointError(f"no weight file {str(path)!r}; give the path of a local file")
    try:
        return _read(path)
    except ForeignError as error:
        raise CheckpointError(f"weight file {str(path)!r} {error}") from error
    except (OSError, MemoryError, RecursionError) as error:
        raise CheckpointError(f"weight file {str(path)!r} cannot be read: {error}") from error


def _read(path: Path) -> WeightFile:
    with path.open("rb") as file:
        head = file.read(64)
    # first: its first 8 bytes are a length, and may open as any other kind of file does
    if head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] < path.stat().st_size:
        return _of_safetensors(path)
    if head[:4] == b"PK\x03\x04":
        return _of_pickle(*read_zip(path))
    if head[:1] == b"\x80":  # the opcode PROTO
        return _of_pickle(*read_plain(path))
    for magic, advice in _OTHERS:
        if head.lstrip().startswith(magic):
            raise ForeignError(advice)
    raise ForeignError("is neither safetensors nor of torch.save; save a state_dict() as one")


def _of_pickle(content: Any, read_storages: ReadStorages) -> WeightFile:
    tensors = _weights(content, set(), _DEEPEST)
    if not tensors:
        raise ForeignError("holds no weights")

    def read(names: Iterable[str]) -> dict[str, torch.Tensor]:
        wanted = {name: tensors[name] for name in names}
        numbers = read_storages([tensor.storage for tensor in wanted.values()])
        return {name: t.of(numbers[t.storage.key]) for name, t in wanted.items()}

    return WeightFile({name: tensor.shape for name, tensor in tensors.items()}, read)


def _of_safetensors(path: Path) -> WeightFile:
    def read(names: Iterable[str]) -> dict[str, torch.Tensor]:
        try:
            with safe_open(path, "pt") as file:
                return {name: file.get_tensor(name) for name in names}
        except SafetensorError as error:
            raise ForeignError(f"is damaged: {printable(str(error), 200)}") from error

    try:
        with safe_open(path, "pt") as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - no mapping
    except SafetensorError as error:
        raise ForeignError(f"is no sound safetensors file: {printable(str(error), 200)}") from error
    return WeightFile(shapes, read)


def _weights(content: Any, seen: set[int], depth: int) -> dict[str, StoredTensor]:
    """The tensors of the mapping or module within what a training script saved; {} without one.

    Of several the one with the most: an average may be of some parameters only, or of a rate.
    """
    if id(content) in seen:  # a mapping may hold itself
        return {}
    seen.add(id(content))
    names = _NESTS if depth and isinstance(content, Mapping) else ()
    inner = [_weights(content.get(name), seen, depth - 1) for name in names]
    return max(inner, key=len, default={}) or dict(
        itertools.islice(_tensors(content), _MOST_TENSORS)
    )


def _tensors(content: Any) -> Iterator[tuple[str, StoredTensor]]:
    """The tensors of a state dict, or of a module by the names of its state_dict()."""
    if isinstance(content, Mapping):
        yield from ((k, v) for k, v in _items(content) if isinstance(v, StoredTensor))
        return
    open_modules = [("", content)]
    for _ in range(_MOST_TENSORS):  # a module may hold itself
        if not open_modules or len(open_modules) > _MOST_TENSORS:
            return
        prefix, module = open_modules.pop()
        state = module.state if isinstance(module, Stub) else None
        if not isinstance(state, dict) or len(prefix) > _LONGEST:
            continue
        for kind in ("_parameters", "_buffers"):
            for name, tensor in _items(state.get(kind)):
                if isinstance(tensor, StoredTensor):
                    yield f"{prefix}{name}", tensor
        inner = _items(state.get("_modules"))[:_MOST_TENSORS]
        open_modules.extend((f"{prefix}{name}.", module) for name, module in inner)


def _items(value: Any) -> list[tuple[str, Any]]:
    items = value.items() if isinstance(value, Mapping) else ()
    return [(n, item) for n, item in items if isinstance(n, str) and len(n) <= _LONGEST]
