"""What a weight file may hold: tensors not read yet, names, and objects that do nothing."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch


class ForeignError(ValueError):
    """What a file holds is damaged, or is more than weights; the text ends a sentence on it."""


@dataclass(frozen=True, slots=True)
class Name:
    """A global that a file names: a class or function, of which nothing but the name is known."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Stub:
    """An object of a class that is not looked for: what it was made of, and nothing it can do."""

    name: Name
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Storage:
    """A stretch of `numel` numbers in the file, found there by `key`; `start` of them are skipped.

    A storage of bytes (`dtype` uint8) gets its type from the tensor that looks at it.
    """

    key: str
    dtype: torch.dtype
    numel: int
    start: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes it takes."""
        return self.numel * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A view of a storage, as torch.as_strided takes it; offset and strides count numbers."""

    storage: Storage
    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def __post_init__(self) -> None:
        """Raise ForeignError where the view leaves its storage or repeats what is in it.

        A view of stride 0 takes no room in the file and any room in memory.
        """
        numbers = (self.offset, *self.shape, *self.stride)
        if any(type(number) is not int or not 0 <= number < 1 << 63 for number in numbers):
            raise ForeignError("has a tensor whose shape is no list of natural numbers")
        if len(self.shape) != len(self.stride):
            raise ForeignError("has a tensor with another number of strides than of sides")
        numel = math.prod(self.shape)
        sides = zip(self.shape, self.stride, strict=True)
        end = self.offset + 1 + sum((n - 1) * step for n, step in sides) if numel else 0
        room = self.storage.nbytes - self.storage.start * self.storage.dtype.itemsize
        if max(end, numel) * self.dtype.itemsize > room:
            raise ForeignError("has a tensor that is larger than what is stored for it")

    def of(self, data: torch.Tensor) -> torch.Tensor:
        """The tensor, given all bytes of its storage, (`nbytes`,) uint8.

        Raises ForeignError for a shape that torch cannot have.
        """
        size = self.dtype.itemsize
        seen = data[self.storage.start * self.storage.dtype.itemsize :]
        if self.storage.start:
            seen = seen.clone()  # as_strided counts from the first byte in memory
        try:
            typed = seen[: len(seen) // size * size].view(self.dtype)
            return typed.as_strided(self.shape, self.stride, self.offset)
        except (RuntimeError, TypeError, ValueError) as error:
            raise ForeignError("has a tensor whose shape is no list of natural numbers") from error


@dataclass(frozen=True, slots=True)
class WeightFile:
    """The shapes of a file's tensors by name, and `read`, which gives those of some names.

    They are on the CPU. `read` raises ForeignError where one of them is damaged.
    """

    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[Iterable[str]], dict[str, torch.Tensor]]
