"""What a pickle says, worked out without Python's pickle: nothing in it is imported or called.

The opcodes of protocols 2 to 5 are read by the standard library's disassembler, which runs none of
them, and done here on lists, dicts, numbers, texts and what `globals` gives. Opcodes that torch
never writes (the text ones of protocol 0, INST, OBJ, extensions, buffers out of band) are refused.

Weights are known by texts, so mappings keep those keys alone and sets become lists: no other value
is hashed. The hash of nested tuples, or keys chosen to collide, could take longer than the world.
"""

import io
import pickletools
from collections.abc import Callable
from typing import Any, Final

from trainer.weights.globals import call, global_name, instance
from trainer.weights.stored import ForeignError, StoredTensor, Stub

_VALUES: Final = {  # opcodes whose argument is the value
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_FRESH: Final[dict[str, Callable[[], Any]]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": list,
}
_SHORT_TUPLES: Final = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NOTHING: Final = {"PROTO", "FRAME"}
# opcodes, and items that calls copy; 4,000 tensors with their optimizer take some 400,000
_MOST_STEPS: Final = 3_000_000


def unpickle(stream: io.BytesIO, persistent: Callable[[tuple[Any, ...]], Any]) -> Any:
    """The content of the next pickle of a stream, which then stands behind it.

    `persistent` gives what a persistent id, a tuple, stands for. Raises ForeignError where the
    pickle is damaged, or would run more than the making of tensors and containers.
    """
    machine = _Machine(persistent)
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name == "STOP":
                return machine.stack.pop()
            machine.do(opcode.name, argument)
    except ForeignError:  # is a ValueError, but says more
        raise
    except (IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise ForeignError("is damaged or was cut short: its pickle makes no sense") from error
    raise ForeignError("is damaged or was cut short: its pickle has no end")


class _Machine:
    """A stack, the stacks below each mark, and the values that were put aside by number."""

    def __init__(self, persistent: Callable[[tuple[Any, ...]], Any]) -> None:
        self.stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._persistent = persistent
        self._steps = 0

    def do(self, name: str, argument: Any) -> None:
        """One opcode."""
        self._spend(1)
        if name in _VALUES:
            self.stack.append(argument)
        elif name in _FRESH:
            self.stack.append(_FRESH[name]())
        elif name in _SHORT_TUPLES:
            count = _SHORT_TUPLES[name]
            if len(self.stack) < count:
                raise IndexError(name)
            self.stack[-count:] = [tuple(self.stack[-count:])]
        elif name not in _NOTHING:
            step = getattr(self, f"_{name.lower()}", None)
            if step is None:
                raise ForeignError(f"has a pickle opcode {name}, which torch never writes")
            step(argument)

    def _spend(self, steps: int) -> None:
        """Count work: a short file can ask for any amount by copying what it has already."""
        self._steps += steps
        if self._steps > _MOST_STEPS:
            raise ForeignError("asks for more work than weights need, and is not opened")

    def _mark(self, _: None) -> None:
        self._below.append(self.stack)
        self.stack = []

    def _since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self._below.pop()
        return items

    def _pop(self, _: None) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._since_mark()

    def _pop_mark(self, _: None) -> None:
        self._since_mark()

    def _tuple(self, _: None) -> None:
        items = self._since_mark()
        self.stack.append(tuple(items))

    def _frozenset(self, _: None) -> None:
        items = self._since_mark()
        self.stack.append(items)

    def _append(self, _: None) -> None:
        item = self.stack.pop()
        self._extend([item])

    def _appends(self, _: None) -> None:
        self._extend(self._since_mark())

    def _extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, Stub):  # a list of a foreign class: no weights in it
            raise ForeignError("appends to what is no list")

    def _setitem(self, _: None) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._assign([key, value])

    def _setitems(self, _: None) -> None:
        self._assign(self._since_mark())

    def _assign(self, items: list[Any]) -> None:
        target = self.stack[-1]
        mapping = target.items if isinstance(target, Stub) else target
        if not isinstance(mapping, dict):
            raise ForeignError("sets an item of what is no mapping")
        pairs = zip(items[::2], items[1::2], strict=True)
        mapping.update((key, value) for key, value in pairs if isinstance(key, str))

    def _global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")  # as pickletools gives both lines
        self.stack.append(global_name(module, name))

    def _stack_global(self, _: None) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise ForeignError("names a global by what is no text")
        self.stack.append(global_name(module, name))

    def _reduce(self, _: None) -> None:
        args, function = self.stack.pop(), self.stack.pop()
        for argument in args if isinstance(args, tuple) else ():
            self._spend(len(argument) if isinstance(argument, tuple | list | dict) else 1)
        self.stack.append(call(function, args))

    def _newobj(self, _: None) -> None:
        args, cls = self.stack.pop(), self.stack.pop()
        self.stack.append(instance(cls, args))

    def _newobj_ex(self, _: None) -> None:
        _keywords, args, cls = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self.stack.append(instance(cls, args))

    def _build(self, _: None) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, Stub):
            target.state = state
        elif not isinstance(target, dict | StoredTensor):  # attributes of those are not looked for
            raise ForeignError("gives a state to what has none")

    def _binpersid(self, _: None) -> None:
        saved = self.stack.pop()
        if not isinstance(saved, tuple):
            raise ForeignError("has a persistent id that is no tuple")
        self.stack.append(self._persistent(saved))

    def _binget(self, index: int) -> None:
        self.stack.append(self._memo[index])

    def _binput(self, index: int) -> None:
        self._memo[index] = self.stack[-1]

    def _memoize(self, _: None) -> None:
        self._memo[len(self._memo)] = self.stack[-1]

    _additems = _appends
    _long_binget = _binget
    _long_binput = _binput
