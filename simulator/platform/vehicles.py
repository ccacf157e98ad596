"""What a person wants to see of each vehicle while the platform runs."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from edge.clock import NS_PER_S, TimeQuality
from edge.records import Record
from edge.wire.status import Status
from simulator.platform.rows import Stream, StreamKey

VEHICLES_IN_MEMORY = 4096
STREAMS_A_VEHICLE = 64
LATENCIES_KEPT = 1024


@dataclass(slots=True)
class VehicleCounts:
    """One vehicle in this run.

    Attributes:
        records: stored in this run.
        authenticated: of these, those under a device's key, which are not provable to third parties.
        doubles: came again with equal contents.
        conflicts: came again with other contents.
        rejected: messages on its topics that were not taken in.
        media: stills and clips that became complete.
        status: its latest signed status word; None before any.
        last_seen_ns: Unix time of the latest accepted message, 0 before any.
        latest: the latest record stored, by its sample instant.
        streams: those heard of last, by what tells them apart; only so many are remembered.
        latencies_s: from a message's newest sample instant to its arrival, of the latest messages whose time
            is good enough (NTP or GNSS).
    """

    records: int = 0
    authenticated: int = 0
    doubles: int = 0
    conflicts: int = 0
    rejected: int = 0
    media: int = 0
    status: Status | None = None
    last_seen_ns: int = 0
    latest: Record | None = None
    streams: OrderedDict[StreamKey, Stream] = field(default_factory=OrderedDict)
    latencies_s: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCIES_KEPT))

    @property
    def watermark(self) -> int:
        """Of the stream heard of last: every number up to here is stored or reported lost."""
        return next(reversed(self.streams.values())).sequence.watermark if self.streams else 0

    @property
    def missing(self) -> int:
        """How many numbers of the remembered streams are missing."""
        return sum(stream.sequence.missing_count for stream in self.streams.values())

    def latency_s(self, share: float) -> float | None:
        """The latency that `share` (0 to 1) of the latest messages do not exceed, or None."""
        if not self.latencies_s:
            return None
        ordered = sorted(self.latencies_s)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class VehicleWatch:
    """Counts by vehicle; those heard of last are kept, so that invented names cannot fill the memory."""

    def __init__(self) -> None:
        self._vehicles: OrderedDict[str, VehicleCounts] = OrderedDict()

    def __getitem__(self, vehicle: str) -> VehicleCounts:
        """The counts of `vehicle`, all 0 when it was not heard of."""
        counts = self._vehicles.setdefault(vehicle, VehicleCounts())
        self._vehicles.move_to_end(vehicle)
        if len(self._vehicles) > VEHICLES_IN_MEMORY:
            self._vehicles.popitem(last=False)
        return counts

    def items(self) -> list[tuple[str, VehicleCounts]]:
        """The vehicles that are remembered and their counts, in order of name."""
        return sorted(self._vehicles.items(), key=itemgetter(0))

    def heard(self, stream: Stream, now_ns: int) -> VehicleCounts:
        """Take note of an accepted message; hand out the vehicle's counts."""
        counts = self[stream.vehicle]
        counts.last_seen_ns = now_ns
        counts.streams[stream.key] = stream
        counts.streams.move_to_end(stream.key)
        if len(counts.streams) > STREAMS_A_VEHICLE:
            counts.streams.popitem(last=False)
        return counts

    def stored(self, vehicle: str, records: Sequence[Record], now_ns: int, *, prompt: bool = True) -> None:
        """Take note of records of which some were new; only those that came `prompt` tell of the latency."""
        counts = self[vehicle]
        newest = max(records, key=_wall_ns)
        if counts.latest is None or _wall_ns(newest) >= _wall_ns(counts.latest):
            counts.latest = newest
        if prompt and newest.timebase.quality >= TimeQuality.NTP:
            counts.latencies_s.append((now_ns - _wall_ns(newest)) / NS_PER_S)


def _wall_ns(record: Record) -> int:
    return record.timebase.wall_ns(record.t_ns)
