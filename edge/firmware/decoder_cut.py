"""Expressions by which board code cuts raw values out of a frame; none of them leaves the small integers.

An integer of a 32-bit board has 31 bits; a larger one takes memory. So what is longer comes in cells of 24
bits, and a sign is spread over the topmost bits before they are moved to their place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from edge.database.model import Signal
from edge.firmware.decoder_plan import LIMB_BITS, SMALL_BITS

BYTE_BITS = 8


@dataclass(frozen=True, slots=True)
class Piece:
    """Bits that one byte of a frame gives to a cell.

    Attributes:
        byte: which byte.
        low: its lowest bit that counts.
        width: how many bits count.
        place: where the lowest of them goes.
    """

    byte: int
    low: int
    width: int
    place: int


@dataclass(frozen=True, slots=True)
class Cut:
    """How one cell comes about.

    Attributes:
        pieces: the topmost first.
        signed: whether the topmost bit is the sign.
    """

    pieces: tuple[Piece, ...]
    signed: bool

    def text(self, named: Iterable[int] = ()) -> str:
        """The expression; bytes that are `named` stand in a variable of their own."""
        names = frozenset(named)
        if len(self.pieces) == 1:
            return _piece_text(self.pieces[0], byte_text(self.pieces[0].byte, names), signed=self.signed)[0]
        texts = [
            _piece_text(piece, byte_text(piece.byte, names), signed=self.signed and place == 0)
            for place, piece in enumerate(self.pieces)
        ]
        return " | ".join(text if binds else f"({text})" for text, binds in texts)


def byte_text(byte: int, named: Iterable[int]) -> str:
    """How a byte of the frame is written."""
    return f"b{byte}" if byte in named else f"d[{byte}]"


def cuts_of(signal: Signal, *, signed: bool | None = None) -> tuple[Cut, ...]:
    """The cells of a signal, the least significant first.

    Args:
        signal: the signal.
        signed: False for the bits alone, as multiplexers are compared; the signal's own by default.
    """
    with_sign = signal.signed if signed is None else signed
    bits = signal.bits
    size = len(bits) if len(bits) <= SMALL_BITS + with_sign else LIMB_BITS
    return tuple(
        Cut(tuple(_pieces(bits[low : low + size])), with_sign and low + size >= len(bits))
        for low in range(0, len(bits), size)
    )


def bytes_of(cuts: Iterable[Cut]) -> Counter[int]:
    """How often each byte is read."""
    return Counter(piece.byte for cut in cuts for piece in cut.pieces)


def _pieces(bits: Sequence[int]) -> Iterator[Piece]:
    runs: list[Piece] = []
    place = 0
    while place < len(bits):
        byte, low = divmod(bits[place], BYTE_BITS)
        width = 1
        while (
            place + width < len(bits)
            and bits[place + width] == bits[place] + width
            and low + width < BYTE_BITS
        ):
            width += 1
        runs.append(Piece(byte, low, width, place))
        place += width
    return reversed(runs)


def _piece_text(piece: Piece, byte: str, *, signed: bool) -> tuple[str, bool]:
    """The expression of a piece, and whether it can stand in an `|` without parentheses."""
    text, binds = byte, True
    if piece.low:
        text, binds = f"{byte} >> {piece.low}", False
    if piece.low + piece.width < BYTE_BITS:
        text, binds = f"{text if binds else f'({text})'} & {(1 << piece.width) - 1}", False
    if signed:
        sign = 1 << piece.width - 1
        text, binds = f"({text if binds else f'({text})'} ^ {sign}) - {sign}", False
    if piece.place:
        text, binds = f"{text if binds else f'({text})'} << {piece.place}", True
    return text, binds
