"""Boards' arithmetic on a desk: bytecode whose numbers must be small integers, and viper's machine words.

What this cannot show, and an emulated board does: memory taken in a hard interrupt, and how long all takes.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

SMALLEST = -(2**30)
LARGEST = 2**30 - 1


def _wrapping(name: str, finish: Callable[[type[Any], int], Any]) -> Callable[[Any, Any], Any]:
    plain = getattr(int, name)

    def operate(self: Any, other: Any) -> Any:
        return finish(type(self), plain(int(self), int(other)))

    return operate


_OPERATORS = [
    f"__{side}{name}__"
    for side in ("", "r")
    for name in ("add", "sub", "mul", "and", "or", "xor", "lshift", "rshift")
]


class Small(int):
    """An integer of bytecode on a 32-bit board: one beyond 31 bits takes memory, which is an error."""

    def __new__(cls, value: int) -> Self:
        if not SMALLEST <= value <= LARGEST:
            raise OverflowError(f"{value} is no small integer")
        return super().__new__(cls, value)


class Word(int):
    """An integer of viper: the machine's word, which wraps."""

    bits = 32

    def __new__(cls, value: int) -> Self:
        half = 1 << (cls.bits - 1)
        return super().__new__(cls, ((value + half) & (2 * half - 1)) - half)


class LongWord(Word):
    """The same on a desk of 64 bits."""

    bits = 64


for _name in _OPERATORS:
    setattr(Small, _name, _wrapping(_name, lambda cls, value: cls(value)))
    setattr(Word, _name, _wrapping(_name, lambda cls, value: cls(value)))


class SmallArray:
    """An array whose elements come out as small integers, or not at all."""

    def __init__(self, held: Any) -> None:
        self.held = held

    def __getitem__(self, at: int) -> Small:
        assert at >= 0
        return Small(self.held[int(at)])

    def __setitem__(self, at: int, value: int) -> None:
        assert at >= 0
        self.held[int(at)] = int(Small(value))


class Pointer:
    """A pointer of viper: reads and stores as many bytes as it is wide, and must stay in its buffer."""

    def __init__(self, held: Any, width: int, word: type[Word], at: int = 0) -> None:
        self.octets = memoryview(held).cast("B")
        self.width = width
        self.word = word
        self.at = at

    def _where(self, index: int) -> slice:
        start = self.at + int(index) * self.width
        assert 0 <= start <= len(self.octets) - self.width, "outside of the buffer"
        return slice(start, start + self.width)

    def __getitem__(self, index: int) -> Word:
        return self.word(int.from_bytes(self.octets[self._where(index)], "little"))

    def __setitem__(self, index: int, value: int) -> None:
        low = int(value) & ((1 << 8 * self.width) - 1)
        self.octets[self._where(index)] = low.to_bytes(self.width, "little")


class Address:
    """A pointer as a number, to which a distance is added."""

    def __init__(self, pointer: Pointer, distance: int = 0) -> None:
        self.pointer = pointer
        self.distance = distance

    def __add__(self, distance: int) -> Address:
        return Address(self.pointer, self.distance + int(distance))


def viper_module(source: Path, package: str, word: type[Word]) -> types.ModuleType:
    """Run a module of viper code with words of a given width.

    Args:
        source: the module.
        package: in which it stands.
        word: `Word` for a board, `LongWord` for a desk.
    """

    def pointer(width: int) -> Callable[[Any], Pointer]:
        def point(to: Any) -> Pointer:
            if isinstance(to, Address):
                return Pointer(to.pointer.octets, width, word, to.pointer.at + to.distance)
            return Pointer(to, width, word)

        return point

    kinds: dict[str, Callable[[Any], Any]] = {"ptr8": pointer(1), "ptr32": pointer(4), "int": word}

    def viper(function: Any) -> Any:
        names = [name for name in function.__annotations__ if name != "return"]

        def call(*arguments: Any) -> int | None:
            given = [
                kinds[function.__annotations__[name]](argument)
                for name, argument in zip(names, arguments, strict=True)
            ]
            found = function(*given)
            return None if found is None else int(found)

        return call

    def unsigned(value: Any) -> Any:
        return Address(value) if isinstance(value, Pointer) else word(value)

    micropython = types.ModuleType("micropython")
    micropython.viper = viper  # type: ignore[attr-defined]
    micropython.const = word  # type: ignore[attr-defined]
    module = types.ModuleType(f"{package}.{source.stem}_{word.bits}")
    module.__package__ = package
    vars(module).update({"ptr8": pointer(1), "ptr32": pointer(4), "uint": unsigned})
    before = sys.modules.get("micropython")
    sys.modules["micropython"] = micropython
    try:
        code = compile("from __future__ import annotations\n" + source.read_text(), str(source), "exec")
        exec(code, vars(module))  # noqa: S102 - the firmware's own source
    finally:
        if before is None:
            del sys.modules["micropython"]
        else:
            sys.modules["micropython"] = before
    return module
