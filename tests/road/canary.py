"""Frames with canaries: the bits that may not be collected hold other values, as a sender would send them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edge.database.model import Message, Signal
from edge.frames import FD_BYTES, FrameBatch, FrameFlag, Indices, UInt8s, UInt16s
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from simulator.vehicle.checksum import crc8

WINDOW_BYTES = 6
"""Canaries are searched for in pieces of 48 bits: a piece is not met by chance in a megabyte."""

SHOWN = 64
"""Frames of an id whose pieces are searched for; without a generator all of them hold the same ones."""

Bits = npt.NDArray[np.uint8]
Booleans = npt.NDArray[np.bool_]


class Canaries:
    """What of each frame may be collected, read from classes alone, and other bits in the place of the rest.

    It knows nothing of the door: a bit may pass that a signal of a collected class has while it is there,
    unless a signal that is not collected has it too, or its multiplexer is not collected.

    Args:
        databases: the classed database of each bus.
        collect: the classes to collect.

    Attributes:
        planted: bits that were planted.
        in_segments: pieces (see `pieces`) of messages that were cut into segments.
    """

    def __init__(self, databases: Mapping[str, ClassedDatabase], collect: frozenset[DataClass]) -> None:
        self._classes = databases
        self._collect = collect
        self._messages = {
            (bus, message.extended, message.arbitration_id): message
            for bus, classed in databases.items()
            for message in classed.database.messages
        }
        self.planted = 0
        self.in_segments: set[bytes] = set()

    def plant(self, batch: FrameBatch, draw: np.random.Generator | None) -> FrameBatch:
        """`batch` with other bits wherever they may not be collected, checksums taken anew.

        Bytes past a frame's length, which no source fills, are planted too.

        Args:
            batch: frames as the vehicle would send them.
            draw: draws the bits of each frame; None: a message has the same ones in each of its frames.
        """
        batch = batch.widened(FD_BYTES)
        data = batch.data.copy()
        for key, rows, message in self._groups(batch):
            seeded = draw or np.random.default_rng([key, 11])
            other = seeded.integers(0, 256, (len(rows) if draw else 1, FD_BYTES), np.uint8)
            bus = batch.buses[int(batch.bus[rows[0]])]
            data[rows] = self._planted(bus, message, data[rows], batch.length[rows], other)
        return replace(batch, data=data)

    def pieces(self, batch: FrameBatch, *, segments: Collection[int]) -> Iterator[bytes]:
        """Every six bytes of a frame that begin at a byte and may not be collected at all.

        Args:
            batch: planted frames.
            segments: the ids of segments, which no message describes as they are.
        """
        for _, every, message in self._groups(batch):
            rows = every[:SHOWN]
            if int(batch.arbitration_id[rows[0]]) not in segments:
                bus = batch.buses[int(batch.bus[rows[0]])]
                yield from self._free(bus, message, batch.data[rows], batch.length[rows])

    def _free(self, bus: str, message: Message | None, data: UInt8s, length: UInt16s) -> Iterator[bytes]:
        bits = np.unpackbits(data, axis=1, bitorder="little")
        allowed = self._allowed(bus, message, bits, length)
        free: Booleans = ~np.any(allowed.reshape(len(data), -1, 8), axis=2)
        for row, places in zip(data, free.tolist(), strict=True):
            for start in range(len(places) - WINDOW_BYTES + 1):
                if all(places[start : start + WINDOW_BYTES]):
                    yield row[start : start + WINDOW_BYTES].tobytes()

    def _groups(self, batch: FrameBatch) -> Iterator[tuple[int, Indices, Message | None]]:
        """The frames of each id with the message that describes them; none describes what is no data."""
        extended = batch.has(FrameFlag.EXTENDED)
        dead = batch.has(FrameFlag.ERROR | FrameFlag.REMOTE)
        keys = batch.bus.astype(np.int64) << 32 | dead.astype(np.int64) << 31
        keys |= extended.astype(np.int64) << 30 | batch.arbitration_id
        for key in np.unique(keys).tolist():
            rows = np.flatnonzero(keys == key)
            first = rows[0]
            place = (
                batch.buses[int(batch.bus[first])],
                bool(extended[first]),
                int(batch.arbitration_id[first]),
            )
            yield key, rows, None if dead[first] else self._messages.get(place)

    def payload(self, bus: str, message: Message, payload: bytes, other: bytes) -> bytes:
        """One payload of any length, with bits of `other`; for messages that come in segments."""
        rows, lengths = np.frombuffer(payload, np.uint8)[None, :], np.array([len(payload)], np.uint16)
        planted = self._planted(bus, message, rows, lengths, np.frombuffer(other, np.uint8)[None, :])
        self.in_segments.update(self._free(bus, message, planted, lengths))
        return bytes(planted[0])

    def hide(self, content: bytes) -> bytes:
        """Take note of a message in segments of which nothing may be collected."""
        self.planted += 8 * len(content)
        self.in_segments.update(
            content[start : start + WINDOW_BYTES] for start in range(len(content) - WINDOW_BYTES + 1)
        )
        return content

    def _allowed(self, bus: str, message: Message | None, bits: Bits, length: UInt16s) -> Booleans:
        """Which of `bits` (frames, bits of the payload, bit 0 of a byte first) may be collected."""
        found = np.zeros(bits.shape, np.bool_)
        if message is None:
            return found
        denied = np.arange(bits.shape[1]) >= 8 * length.astype(np.intp)[:, None]
        for signal in message.signals:
            there, steered = self._there(bus, message, signal, bits)
            places = [bit for bit in signal.bits if bit < bits.shape[1]]
            kind = self._classes[bus].class_of(message.name, signal.name)
            target = found if kind in self._collect and steered else denied
            target[np.flatnonzero(there)[:, None], places] = True
        return found & ~denied

    def _planted(
        self, bus: str, message: Message | None, data: UInt8s, length: UInt16s, other: UInt8s
    ) -> UInt8s:
        bits = np.unpackbits(data, axis=1, bitorder="little")
        allowed = self._allowed(bus, message, bits, length)
        self.planted += int(np.count_nonzero(~allowed))
        mixed = np.where(allowed, bits, np.unpackbits(other, axis=1, bitorder="little"))
        planted = np.packbits(mixed, axis=1, bitorder="little")
        if message is not None:
            _take_checksum(message, planted, length)
        return planted

    def _there(self, bus: str, message: Message, signal: Signal, bits: Bits) -> tuple[Booleans, bool]:
        """In which frames a signal may be there, and whether all its multiplexers may be looked at."""
        there = np.ones(len(bits), np.bool_)
        for condition in signal.conditions:
            multiplexer = message.signal(condition.multiplexer)
            if self._classes[bus].class_of(message.name, multiplexer.name) not in self._collect:
                return np.ones(len(bits), np.bool_), False
            weights = 1 << np.arange(len(multiplexer.bits))
            there &= np.isin(bits[:, list(multiplexer.bits)] @ weights, list(condition.values))
        return there, True


def _take_checksum(message: Message, data: UInt8s, length: UInt16s) -> None:
    """Write the checksum of the reference vehicle's messages as its senders do."""
    for signal in message.signals:
        if signal.name.endswith("_Checksum"):
            assert sorted(signal.bits) == list(range(8))
            attributes = message.codec.dbc.attributes if message.codec.dbc else {}
            data_id = attributes.get("ChecksumDataId")
            number = int(data_id.value) if data_id is not None else 0
            sent = np.where(np.arange(data.shape[1]) < length[:, None], data, 0)
            data[:, 0] = crc8(sent[:, : message.length], number)


@dataclass(slots=True)
class Search:
    """Looks for canaries at any bit offset of any bytes.

    Attributes:
        patterns: sorted 48-bit pieces, first bit of the wire's byte order in the lowest place.
        mirrored: the same of bytes read from their highest bit.
        texts: pieces as hexadecimal digits.
        searched: bytes searched.
    """

    patterns: npt.NDArray[np.uint64]
    mirrored: npt.NDArray[np.uint64]
    texts: frozenset[str]
    searched: int = 0

    @classmethod
    def of(cls, pieces: Iterable[bytes]) -> Search:
        """Search for `pieces` of six bytes."""
        known = sorted({piece for piece in pieces if len(set(piece)) > 2})
        rows = np.array([list(piece) for piece in known], np.uint8).reshape(-1, WINDOW_BYTES)
        return cls(
            np.sort(_words(np.unpackbits(rows, axis=1, bitorder="little"))[:, 0]),
            np.sort(_words(np.unpackbits(rows, axis=1))[:, 0]),
            frozenset(piece.hex() for piece in known),
        )

    def hits(self, content: bytes) -> int:
        """How many canaries are in `content`, at any bit, in either order of bits, or as hexadecimal."""
        self.searched += len(content)
        octets = np.frombuffer(content, np.uint8)
        found = 0
        for order, patterns in (("little", self.patterns), ("big", self.mirrored)):
            bits = np.unpackbits(octets, bitorder=order)  # type: ignore[call-overload]
            if len(bits) >= 8 * WINDOW_BYTES:
                words = _words(bits[None, :])[0]
                place = np.minimum(np.searchsorted(patterns, words), len(patterns) - 1)
                found += int(np.count_nonzero(patterns[place] == words))
        text = content.decode("latin-1").lower()
        packed = "".join(character for character in text if character in "0123456789abcdef")
        for start in range(len(packed) - 2 * WINDOW_BYTES + 1):
            found += packed[start : start + 2 * WINDOW_BYTES] in self.texts
        return found


def _words(bits: Bits) -> npt.NDArray[np.uint64]:
    """The 48-bit number that begins at each bit of each row."""
    count = bits.shape[1] - 8 * WINDOW_BYTES + 1
    words = np.zeros((len(bits), count), np.uint64)
    for place in range(8 * WINDOW_BYTES):
        words |= bits[:, place : place + count].astype(np.uint64) << np.uint64(place)
    return words
