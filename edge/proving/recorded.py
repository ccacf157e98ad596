"""Experiments with real payloads: a recording as it is, and with its forbidden bits drawn anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from edge.bus.source import FrameSource
from edge.frames import FrameBatch, FrameFlag, Indices, Int64s
from edge.policy.classed import ClassedDatabase
from edge.policy.j1939_transport import is_transport
from edge.proving.containers import has_containers
from edge.proving.finding import Counterexample, Occasion
from edge.proving.reading import Booleans, Reading, meant_by
from edge.proving.twins import Difference, Twins

_CLASSIC_BYTES = 8
_WAIT_S = 1.0


class Redrawn:
    """A recording whose forbidden bits are drawn anew, frame by frame.

    Segments of transport protocols and containers stay as they are, and so do error and remote frames.

    Args:
        databases: of each bus.
        occasion: what is collected.
        bits: draws the bits.
    """

    def __init__(
        self,
        databases: Mapping[str, Sequence[ClassedDatabase]],
        occasion: Occasion,
        bits: np.random.Generator,
    ) -> None:
        self._databases = databases
        self._occasion = occasion
        self._random = bits
        self._readings: dict[tuple[str, bool, int], Reading] = {}
        self._channels = {
            (bus, channel.extended, channel.arbitration_id)
            for bus, several in databases.items()
            for one in several
            for channel in one.channels
        }
        self._speaking = frozenset(
            bus for bus, several in databases.items() if any(one.speaks_j1939 for one in several)
        )

    def reading(self, bus: str, arbitration_id: int, *, extended: bool) -> Reading:
        """What is forbidden of the frames of an id."""
        key = (bus, extended, arbitration_id)
        if key not in self._readings:
            meant = meant_by(self._databases.get(bus, ()), arbitration_id, extended=extended)
            self._readings[key] = Reading(meant, self._occasion.classes)
        return self._readings[key]

    def redraw(self, batch: FrameBatch) -> tuple[FrameBatch, Booleans, Booleans]:
        """Draw forbidden bits anew.

        Returns:
            The other batch, which bits were flipped, and which are forbidden: bool of (frames, 8 * W).
        """
        forbidden = np.zeros((len(batch), 8 * batch.data.shape[1]), np.bool_)
        moved = np.zeros_like(forbidden)
        for bus, arbitration_id, extended, rows in self._groups(batch):
            reading = self.reading(bus, arbitration_id, extended=extended)
            data, length = batch.data[rows], batch.length[rows]
            if has_containers(reading.meant):
                continue
            denied = reading.forbidden(data, length)
            channel = (bus, extended, arbitration_id) in self._channels
            if channel:
                single = (data[:, 0] > 0) & (data[:, 0] < _CLASSIC_BYTES) & bool(reading.meant)
                denied[~single] = False
                denied[:, :8] = False
            flips = denied & (self._random.random(denied.shape) < 0.5)  # noqa: PLR2004 - as often as not
            along = reading.dragged(flips, data, length) & ~denied
            if channel:
                along[:, :8] = False
            forbidden[rows] = denied
            moved[rows] = flips | (along & (self._random.random(denied.shape) < 0.5))  # noqa: PLR2004 - as above
        packed = np.packbits(moved, axis=1, bitorder="little")
        return replace(batch, data=batch.data ^ packed), moved, forbidden

    def _groups(self, batch: FrameBatch) -> Iterator[tuple[str, int, bool, Indices]]:
        """The frames of each id that are judged by themselves."""
        extended = batch.has(FrameFlag.EXTENDED)
        plain = ~(batch.has(FrameFlag.ERROR) | batch.has(FrameFlag.REMOTE))
        for number, bus in enumerate(batch.buses):
            of_bus = (batch.bus == number) & plain
            if bus in self._speaking:
                of_bus &= ~(extended & is_transport(batch.arbitration_id))
            for wide in (False, True):
                places = np.flatnonzero(of_bus & (extended == wide))
                for identifier in np.unique(batch.arbitration_id[places]).tolist():
                    rows = places[batch.arbitration_id[places] == identifier]
                    yield bus, identifier, wide, rows


def prove_recording(
    source: FrameSource, redrawn: Redrawn, twins: Twins, occasion: Occasion, begin_ns: int
) -> tuple[Counterexample | None, int, int]:
    """Send a recording through both doors.

    Args:
        source: the recording, from its begin; read to its end.
        redrawn: draws the bits.
        twins: the doors, turned to the occasion.
        occasion: what is collected.
        begin_ns: the time that its first frame is given.

    Returns:
        A counterexample, whose payloads are left out: they are somebody's; the frames; a time after all.
    """
    frames, last_ns, shift_ns = 0, begin_ns, None
    while (batch := source.read(_WAIT_S)) is not None:
        if not len(batch):
            continue
        if shift_ns is None:
            shift_ns = begin_ns - int(batch.t_ns[0])
        t_ns = _rising(batch.t_ns + shift_ns, last_ns)
        last_ns = int(t_ns[-1])
        one = replace(batch, t_ns=t_ns)
        two, moved, forbidden = redrawn.redraw(one)
        frames += len(one)
        found = twins.compare(one, two, np.packbits(forbidden, axis=1, bitorder="little"))
        if found is not None:
            return _counterexample(occasion, redrawn, (one, two), moved, (twins, found)), frames, last_ns
    return None, frames, last_ns


def _rising(t_ns: Int64s, after_ns: int) -> Int64s:
    """Times as they are but for nanoseconds, so that each frame has one of its own."""
    steps = np.arange(1, len(t_ns) + 1, dtype=np.int64)
    rising: Int64s = np.maximum.accumulate(np.maximum(t_ns - steps, after_ns)) + steps
    return rising


def _counterexample(
    occasion: Occasion,
    redrawn: Redrawn,
    pair: tuple[FrameBatch, FrameBatch],
    moved: Booleans,
    outcome: tuple[Twins, Difference],
) -> Counterexample:
    twins, found = outcome
    if found.row is None:
        return Counterexample(
            occasion.title, "", 0, extended=False, kind="frame", bit=None, signals=(), depends=found.depends
        )
    one = pair[0].frame(found.row)
    extended = FrameFlag.EXTENDED in one.flags
    reading = redrawn.reading(one.bus, one.arbitration_id, extended=extended)
    left = [twins.alone(batch.take(slice(found.row, found.row + 1))) for batch in pair]
    shown = 0
    if left[0] is not None and left[1] is not None:
        shown = int.from_bytes(left[0], "little") ^ int.from_bytes(left[1], "little")
    bits = [bit for bit in np.flatnonzero(moved[found.row]).tolist() if shown >> bit & 1]
    bit = bits[0] if bits else None
    return Counterexample(
        occasion.title,
        one.bus,
        one.arbitration_id,
        extended,
        "frame",
        bit,
        () if bit is None else tuple(reading.names(bit)),
        found.depends,
    )
