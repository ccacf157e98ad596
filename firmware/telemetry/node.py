"""The telemetry node: samples each period, commits the record, lets the uplink bring it to the platform."""

import hashlib
import os

from .cbor import Writer
from .clock import NS_PER_MS, NodeClock, ticks_ms
from .flash_ring import FlashRing
from .link import CLOSED, CONNECTING
from .mac import ENVELOPE_BYTES, UP, Authenticator
from .record import ALARM, LIVE, NONE, RTC, RecordWriter
from .uplink import Uplink, UplinkSettings

_CLOCK = 0x3FFFFFFF


class Node:
    """All that a node does, a short turn at a time.

    A turn waits for the name server's answer and the arithmetic of TLS alone; where that is longer than a
    period, the records that were not made are told as lost.

    Args:
        sampler: gives the values of now (`sampler.Sampler`).
        vehicle: VIN or pseudonym.
        key: the device's key, 32 bytes.
        folder: of the ring, on a file system that outlives power cuts.
        link: the connection (`link.Link`).
        settings: how to reach the platform (`uplink.UplinkSettings`).
        period_ms: of the records.
        mask: name of the mask of what is sampled, `MASK` of the decoder.
        clock: the node's time.
        feed: called each turn with milliseconds modulo 2^30: brings the frames that came to the decoder.
        segment_bytes: of the ring.
        segments: of the ring.
        sync: as for the ring.
        random: gives so many random bytes.

    Attributes:
        counts: what happened, by name; those of the uplink and the ring stand there.
    """

    def __init__(
        self,
        sampler,
        vehicle: str,
        key: bytes,
        folder: str,
        link,
        settings=None,
        period_ms: int = 10_000,
        mask: str = "",
        clock=None,
        feed=None,
        segment_bytes: int = 4096,
        segments: int = 16,
        sync=None,
        random=os.urandom,
    ) -> None:
        self._sampler, self._link, self._period_ms, self._feed = sampler, link, period_ms, feed
        self.clock = clock or NodeClock()
        self._authenticator = Authenticator(key, vehicle)
        name = hashlib.sha256(vehicle.encode()).digest()[:8]
        self.ring = FlashRing(folder, name, self._authenticator.key_id, random, segment_bytes, segments, sync)
        self._writer = RecordWriter(
            vehicle, self.ring.stream, random(16), sampler.keys, mask, self.ring.predecessor, sampler.elements
        )
        self._wrapped = Writer(self._writer.size + ENVELOPE_BYTES)
        self.uplink = Uplink(
            self.ring,
            self._writer,
            self._authenticator,
            settings or UplinkSettings("nevgate-node-" + vehicle),
            lambda: random(1)[0],
            message_bytes=self._writer.size + ENVELOPE_BYTES,
        )
        self._next_ms = (self.clock.now_ms() // period_ms + 1) * period_ms
        self._sent = 0
        self._pending = False
        self.counts = {"records": 0, "records not kept": 0, "instants missed": 0, "connections ended": 0}

    def turn(self) -> int:
        """Do what is due; how many milliseconds nothing will be."""
        if self._feed is not None:
            self._feed(ticks_ms() & _CLOCK)
        now_ms = self.clock.now_ms()
        if now_ms >= self._next_ms:
            missed = (now_ms - self._next_ms) // self._period_ms
            if missed:
                # The name server, or the arithmetic of TLS, took longer than a period.
                self.counts["instants missed"] += missed
                self._not_kept(missed)
            self._record()
            self._next_ms += (missed + 1) * self._period_ms
        try:
            busy = self._talk(now_ms)
        except (OSError, ValueError, MemoryError):
            self._hang_up(now_ms)
            busy = False
        return 0 if busy else max(0, self._next_ms - self.clock.now_ms())

    def knows_time(self, wall_ns: int, quality: int) -> None:
        """Take the wall time; records of this boot that were made without one are corrected."""
        if self.clock.set(wall_ns, quality):
            now_ns = self.clock.now_ms() * NS_PER_MS
            self.uplink.correct(0, now_ns, self.clock.offset_ns, self.clock.quality)

    def _record(self) -> None:
        """Sample, number, authenticate, commit. One that cannot be kept is told as lost."""
        number = self.ring.next_number
        try:
            values = self._sampler.read(ticks_ms() & _CLOCK)
            alarm = self._sampler.alarm
            kind = ALARM if alarm else LIVE
            t_ns = self.clock.now_ms() * NS_PER_MS
            message = self._writer.record(
                kind, number, t_ns, self.clock.offset_ns, self.clock.quality, values, alarm
            )
            self._wrapped.reset()
            self._authenticator.wrap(message, UP, self._wrapped)
            self.ring.append(self._wrapped.written())
        except (OSError, ValueError, MemoryError):
            self.counts["records not kept"] += 1
            self._not_kept(1)
            return
        self._sampler.told()
        self.counts["records"] += 1
        self.uplink.committed(number, kind)

    def _not_kept(self, count: int) -> None:
        self.ring.skip(count)
        self.uplink.lost()

    def _talk(self, now_ms: int) -> bool:
        """Move what the connection takes and gives; whether there may be more at once."""
        link, uplink = self._link, self.uplink
        if link.state == CLOSED:
            if now_ms < uplink.next_try_ms:
                return False
            link.open(now_ms)
        if link.state == CONNECTING:
            if link.step(now_ms):
                self._pending = False
                uplink.opened(now_ms)
            return False
        if uplink.overdue(now_ms):
            raise OSError("no answer")
        moved = False
        count = link.read_into(uplink.reader.room())
        if count:
            moved = True
            uplink.received(count, now_ms)
            self._take_time()
        if not self._pending and uplink.compose(now_ms):
            self._pending, self._sent = True, 0
        if self._pending:
            # The whole packet in one write; only where the connection takes less is there a second.
            written = link.write(uplink.out.written()[self._sent :])
            self._sent += written
            self._pending = self._sent < uplink.out.length
            moved = moved or written > 0
        return moved

    def _take_time(self) -> None:
        """A node without a clock takes the platform's, which is authenticated but may have been under way."""
        server_time_ns, self.uplink.server_time_ns = self.uplink.server_time_ns, 0
        if server_time_ns and self.clock.quality == NONE:
            self.knows_time(server_time_ns, RTC)

    def _hang_up(self, now_ms: int) -> None:
        self.counts["connections ended"] += 1
        self._link.close()
        self.uplink.closed(now_ms)
