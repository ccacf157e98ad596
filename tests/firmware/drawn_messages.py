"""Messages that nobody would write: any order, length and sign, multiplexers in multiplexers, overlaps."""

from __future__ import annotations

from pathlib import Path

import cantools.database.can
from cantools.database.conversion import BaseConversion
from hypothesis import strategies as st

from edge.database.layout import lay_out
from edge.database.model import Database

CodecSignal = cantools.database.can.Signal
FLOATS = (16, 32, 64)
Multiplexer = tuple[CodecSignal, list[int]]
BYTES = (*range(1, 9), 12, 16, 20, 24, 32, 48, 64)


@st.composite
def placed(draw: st.DrawFn, name: str, message_bits: int, longest: int) -> CodecSignal:
    """A signal somewhere in the message."""
    is_float = longest >= FLOATS[0] and draw(st.integers(0, 5)) == 0
    lengths = [one for one in FLOATS if one <= min(longest, message_bits)]
    is_float = is_float and bool(lengths)
    length = draw(st.sampled_from(lengths) if is_float else st.integers(1, min(longest, message_bits)))
    first = draw(st.integers(0, message_bits - length))
    little = draw(st.booleans())
    start = first if little else first // 8 * 8 + 7 - first % 8
    scale = draw(st.sampled_from([1, 2, 0.5, 0.1, -0.25, 1e-7]))
    offset = draw(st.sampled_from([0, -40, 0.5]))
    return CodecSignal(
        name,
        start,
        length,
        "little_endian" if little else "big_endian",
        is_signed=not is_float and draw(st.booleans()),
        conversion=BaseConversion.factory(scale=scale, offset=offset, is_float=is_float),
    )


@st.composite
def drawn_message(draw: st.DrawFn, number: int = 0) -> cantools.database.can.Message:
    """A message of up to 64 bytes."""
    length = draw(st.sampled_from(BYTES))
    bits = 8 * length
    signals = [draw(placed(f"s{place}", bits, 64)) for place in range(draw(st.integers(1, 6)))]
    outer: list[Multiplexer] = []
    for place in range(draw(st.integers(0, 3))):
        size = draw(st.sampled_from([1, 2, 4, 8, 12, 31, 32, 40]))
        multiplexer = draw(placed(f"m{place}", bits, min(size, bits)))
        multiplexer.conversion = BaseConversion.factory(scale=1, offset=0, is_float=False)
        multiplexer.is_signed = multiplexer.is_signed and multiplexer.length > 1
        multiplexer.is_multiplexer = True
        low = -(1 << multiplexer.length - 1) if multiplexer.is_signed else 0
        high = low + (1 << multiplexer.length) - 1
        nested: bool = draw(st.booleans())
        if outer and nested:
            select(draw, multiplexer, outer)
        value = st.one_of(st.integers(low, min(low + 6, high)), st.integers(low, high))
        known = draw(st.lists(value, min_size=1, max_size=8, unique=True))
        outer.append((multiplexer, known))
    for signal in signals:
        steered: bool = draw(st.booleans())
        if outer and steered:
            select(draw, signal, outer)
    return cantools.database.can.Message(
        0x100 + number,
        f"M{number}",
        length,
        [*(one for one, _ in outer), *signals],
        is_fd=length > 8,
        strict=False,
    )


def select(draw: st.DrawFn, signal: CodecSignal, outer: list[Multiplexer]) -> None:
    """Let some values of a multiplexer select a signal."""
    parent, known = outer[draw(st.integers(0, len(outer) - 1))]
    signal.multiplexer_signal = parent.name
    signal.multiplexer_ids = draw(st.lists(st.sampled_from(known), min_size=1, unique=True))


def database_of(messages: list[cantools.database.can.Message]) -> Database:
    """As if a file had held them."""
    laid_out, _ = lay_out(messages, lines={}, assume_j1939=False, where="")
    return Database(Path("drawn.dbc"), "", laid_out)
