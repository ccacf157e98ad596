"""`Incoming`: the bytes of a connection as messages for this terminal; all else is counted and left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from edge.uplink.gbt.rules import SessionRules
from edge.uplink.gbt.secrecy import Secrecy
from edge.uplink.settings import ns
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import Frame, Response
from edge.wire.gbt.message import Message, Opaque, message_of
from edge.wire.gbt.security.faults import DecryptionError
from edge.wire.gbt.stream import Skipped, StreamDecoder


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A frame for this terminal whose data unit is none of its command."""

    frame: Frame
    fault: GbtError


class Incoming:
    """Reads one connection after the other.

    Args:
        rules: in numbers.
        vin: of the terminal.
        secrecy: decrypts.

    Attributes:
        facts: what was left out, counted.
    """

    def __init__(self, rules: SessionRules, vin: bytes, secrecy: Secrecy) -> None:
        self.facts: Counter[str] = Counter()
        self._rules = rules
        self._vin = vin
        self._secrecy = secrecy
        self._decoder = StreamDecoder()
        self._fed_ns = 0
        self._garbage_bytes = 0

    @property
    def hopeless(self) -> bool:
        """Whether so much came without a frame that this is another protocol."""
        return self._garbage_bytes >= self._rules.garbage_bytes

    def begin(self) -> None:
        """The next bytes are of a new connection."""
        self._decoder = StreamDecoder()
        self._garbage_bytes = 0

    def take(self, data: bytes, now_ns: int) -> Iterator[Message | Unreadable]:
        """What some bytes complete, in order."""
        waited = self._decoder.pending
        found = self._decoder.feed(data)
        if found or not waited:
            # What only adds to a frame that was begun may as well be what it hides.
            self._fed_ns = now_ns
        yield from self._sort(found, now_ns)

    def stalled_ns(self) -> int | None:
        """When the rest of a frame is no longer waited for; None if none is."""
        return self._fed_ns + ns(self._rules.stall_s) if self._decoder.pending else None

    def flush(self, now_ns: int) -> Iterator[Message | Unreadable]:
        """Wait for no rest any more: what looked like the start of a long frame may hide short ones."""
        yield from self._sort(self._decoder.flush(), now_ns)

    def _sort(self, found: list[Frame | Skipped], now_ns: int) -> Iterator[Message | Unreadable]:
        for one in found:
            if isinstance(one, Skipped):
                self.facts["bytes that are no frame"] += one.length
                self._garbage_bytes += one.length
                continue
            self._garbage_bytes = 0
            message = self._read(one, now_ns)
            if message is not None:
                yield message

    def _read(self, frame: Frame, now_ns: int) -> Message | Unreadable | None:
        if frame.edition is not self._rules.edition:
            self.facts["frames of the other edition"] += 1
            return None
        if frame.vin != self._vin and frame.response != Response.COMMAND:
            self.facts["answers for another VIN"] += 1
            return None
        try:
            frame = self._secrecy.opened(frame, now_ns)
        except DecryptionError:
            self.facts["frames that do not decrypt"] += 1
            if frame.response != Response.COMMAND:
                return None
            content = Opaque(frame.unit, "encrypted")
            return Message(frame.edition, frame.command, frame.response, frame.vin, content, frame.encryption)
        try:
            return message_of(frame)
        except GbtError as fault:
            self.facts["frames that cannot be read"] += 1
            return Unreadable(frame, fault)
