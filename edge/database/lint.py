"""What is wrong with a database, or at least odd: what loading mended, and what a reader should know."""

from __future__ import annotations

import math
from collections.abc import Iterator

from edge.database.layout import numeric
from edge.database.model import Database, Defect, Message, Signal

_FLOAT_BITS = 64
_LONGEST_CLASSIC_BYTES = 8
_FD_BYTES = frozenset({*range(9), 12, 16, 20, 24, 32, 48, 64})
_SLACK = 1e-9


def lint(database: Database) -> tuple[Defect, ...]:
    """All defects of `database`, by line: those that loading named, and remarks about messages and signals.

    The remarks' codes are ``length-not-canfd``, ``long-classic-message``, ``range-upside-down``,
    ``range-beyond-raw``, ``scale-zero`` and ``choice-beyond-raw``.
    """
    remarks = [remark for message in database.messages for remark in _remarks(message)]
    return tuple(sorted((*database.defects, *remarks), key=lambda defect: defect.line))


def _remarks(message: Message) -> Iterator[Defect]:
    if message.contained:
        return
    if message.is_fd and message.length not in _FD_BYTES:
        yield Defect(
            "length-not-canfd",
            message.line,
            f"message {message.name} has {message.length} bytes, a length that no CAN FD frame has",
        )
    if not message.is_fd and message.pgn is None and message.length > _LONGEST_CLASSIC_BYTES:
        yield Defect(
            "long-classic-message",
            message.line,
            f"message {message.name} has {message.length} bytes, but the file does not say that it is CAN FD",
        )
    for signal in message.signals:
        yield from _signal_remarks(message, signal)


def _signal_remarks(message: Message, signal: Signal) -> Iterator[Defect]:
    name = f"{message.name}.{signal.name}"
    if signal.scale == 0:
        yield Defect("scale-zero", signal.line, f"{name} has the scale 0: all values are {signal.offset}")
        return
    if signal.is_float or len(signal.bits) > _FLOAT_BITS:
        return
    low, high = reach(message, signal)
    least, most = signal.minimum, signal.maximum
    if least is not None and most is not None and least > most:
        yield Defect("range-upside-down", signal.line, f"{name} is to lie between {least} and {most}")
    else:
        slack = _SLACK * max(abs(low), abs(high), 1.0)
        beyond = [
            bound for bound in (least, most) if bound is not None and not low - slack <= bound <= high + slack
        ]
        if beyond:
            yield Defect(
                "range-beyond-raw",
                signal.line,
                f"{name} is to lie between {least} and {most}, but its {len(signal.bits)} bits reach only"
                f" from {low} to {high}",
            )
    raw_low, raw_high = _raw_range(signal)
    outside = [value for value in signal.choices or () if not raw_low <= value <= raw_high]
    if outside:
        yield Defect(
            "choice-beyond-raw",
            signal.line,
            f"{name} names the raw value {outside[0]}, which its {len(signal.bits)} bits cannot hold",
        )


def _raw_range(signal: Signal) -> tuple[int, int]:
    low = -(1 << len(signal.bits) - 1) if signal.signed else 0
    return low, low + (1 << len(signal.bits)) - 1


def reach(message: Message, signal: Signal) -> tuple[float, float]:
    """The least and greatest physical value that an integer signal can take."""
    conversion = numeric(message.codec.get_signal_by_name(signal.name).conversion)
    values = [conversion.raw_to_scaled(raw, decode_choices=False) for raw in _raw_range(signal)]
    numbers = [value for value in values if isinstance(value, int | float)]
    return min(numbers, default=math.nan), max(numbers, default=math.nan)
