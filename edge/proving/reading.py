"""Which bits of a frame a policy forbids: read plainly from databases and classes, not by the door's code."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.database.layout import pgn_of
from edge.database.model import Message, Signal
from edge.frames import UInt8s, UInt16s
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass

Booleans = npt.NDArray[np.bool_]
_WORD_BITS = 63


@dataclass(frozen=True, slots=True, eq=False)
class Meant:
    """A message that frames of an id may be, and its database.

    Attributes:
        classed: the database.
        message: the message.
    """

    classed: ClassedDatabase
    message: Message

    def class_of(self, signal: Signal) -> DataClass | None:
        """The class of one of its signals."""
        return self.classed.class_of(self.message.name, signal.name)


def meant_by(
    databases: Sequence[ClassedDatabase], arbitration_id: int, *, extended: bool
) -> tuple[Meant, ...]:
    """The messages that frames of an id may be: those of the id, and those of its J1939 group."""
    return tuple(
        Meant(classed, message)
        for classed in databases
        for message in classed.database.messages
        if message.extended == extended
        and (
            message.arbitration_id == arbitration_id
            or (message.pgn is not None and message.pgn == pgn_of(arbitration_id))
        )
    )


class Reading:
    """What a policy forbids of the frames of one id.

    Args:
        meant: the messages that they may be.
        collect: the classes that are collected.
    """

    def __init__(self, meant: Sequence[Meant], collect: Collection[DataClass]) -> None:
        self.meant = tuple(meant)
        self._collect = frozenset(collect)
        self._checked = [
            (one, one.message.signal(declared.signal[1]), _covered(one, declared.covers, declared.signal))
            for one in self.meant
            for declared in one.classed.integrity
            if declared.signal[0] == one.message.name
        ]

    def forbidden(self, data: UInt8s, length: UInt16s) -> Booleans:
        """Bits of signals that are there and whose class is not collected, or that no signal there describes.

        Args:
            data: uint8 of (frames, W).
            length: bytes of each frame.

        Returns:
            bool of (frames, 8 * W); none past a frame's end.
        """
        bits = np.unpackbits(data, axis=1, bitorder="little")
        denied = np.zeros(bits.shape, np.bool_)
        described = np.zeros(bits.shape, np.bool_)
        for one in self.meant:
            for signal in one.message.signals:
                places = _within(signal.bits, bits)
                there = np.flatnonzero(present(one.message, signal, bits, length))
                described[np.ix_(there, places)] = True
                if one.class_of(signal) not in self._collect:
                    denied[np.ix_(there, places)] = True
        inside = np.arange(bits.shape[1]) < 8 * length.astype(np.int64)[:, None]
        return (denied | ~described) & inside

    def denied(self, data: UInt8s, length: UInt16s) -> Booleans:
        """Only the bits of signals that are there and whose class is not collected; see `forbidden`."""
        bits = np.unpackbits(data, axis=1, bitorder="little")
        denied = np.zeros(bits.shape, np.bool_)
        for one in self.meant:
            for signal in one.message.signals:
                if one.class_of(signal) not in self._collect:
                    places = _within(signal.bits, bits)
                    there = np.flatnonzero(present(one.message, signal, bits, length))
                    denied[np.ix_(there, places)] = True
        return denied & (np.arange(bits.shape[1]) < 8 * length.astype(np.int64)[:, None])

    def dragged(self, changed: Booleans, data: UInt8s, length: UInt16s) -> Booleans:
        """The bits that a sender may change as well, since its checksums and counters are over what changed.

        How a checksum is computed is nowhere said: any of its bits may change. One over another's bits
        follows it.

        Args:
            changed: bool of (frames, 8 * W).
            data: the frames before, uint8 of (frames, W).
            length: bytes of each.

        Returns:
            Those bits together with `changed`.
        """
        bits = np.unpackbits(data, axis=1, bitorder="little")
        moved = changed.copy()
        inside = np.arange(bits.shape[1]) < 8 * length.astype(np.int64)[:, None]
        there = [present(one.message, signal, bits, length) for one, signal, _ in self._checked]
        while True:
            before = int(np.count_nonzero(moved))
            for (_, signal, covered), here in zip(self._checked, there, strict=True):
                over = _within(covered, bits)
                own = _within(signal.bits, bits)
                rows = np.flatnonzero(moved[:, over].any(axis=1) & here)
                moved[np.ix_(rows, own)] = True
            moved &= inside
            if int(np.count_nonzero(moved)) == before:
                return moved

    def names(self, bit: int) -> Iterator[str]:
        """The signals that a bit may belong to, with their classes."""
        for one in self.meant:
            for signal in one.message.signals:
                if bit in signal.bits:
                    yield f"{one.message.name}.{signal.name} ({one.class_of(signal) or 'no class'})"


def present(message: Message, signal: Signal, bits: UInt8s, length: UInt16s) -> Booleans:
    """Which frames have a signal: its multiplexers are there, with the values that it waits for."""
    there = np.ones(len(bits), np.bool_)
    for condition in signal.conditions:
        multiplexer = next((one for one in message.signals if one.name == condition.multiplexer), None)
        if multiplexer is None:
            continue
        if max(multiplexer.bits) >= bits.shape[1] or len(multiplexer.bits) > _WORD_BITS:
            return np.zeros(len(bits), np.bool_)
        there &= max(multiplexer.bits) < 8 * length.astype(np.int64)
        there &= np.isin(raw_of(multiplexer, bits), np.array(sorted(condition.values), np.int64))
    return there


def raw_of(signal: Signal, bits: UInt8s) -> npt.NDArray[np.int64]:
    """The raw value of an integer signal of up to 63 bits in each frame."""
    weights = np.int64(1) << np.arange(len(signal.bits), dtype=np.int64)
    value: npt.NDArray[np.int64] = bits[:, list(signal.bits)].astype(np.int64) @ weights
    if signal.signed:
        value -= (value >> (len(signal.bits) - 1) & 1) << len(signal.bits)
    return value


def _within(places: Sequence[int], bits: UInt8s) -> npt.NDArray[np.intp]:
    """Those of some bits that the columns of `bits` reach."""
    return np.array([bit for bit in places if bit < bits.shape[1]], np.intp)


def _covered(
    meant: Meant, covers: frozenset[tuple[str, str]] | None, signal: tuple[str, str]
) -> tuple[int, ...]:
    """The bits that a checksum is taken over, its own apart."""
    own = set(meant.message.signal(signal[1]).bits)
    if covers is None:
        return tuple(bit for bit in range(8 * meant.message.length) if bit not in own)
    return tuple(sorted({bit for _, name in covers for bit in meant.message.signal(name).bits} - own))
