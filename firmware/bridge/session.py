"""The device's side of vlink (docs/vlink.md), slcan until a host says HELLO; no I/O.

What comes from the host goes in by `receive`; `compose` seals what is due into an `Outgoing`.
"""

from array import array

from . import pack
from .outgoing import LINES, REPLIES
from .ring import TICKS
from .slcan import ROOM
from .wire import messages, vlink

LINGER_US = 5_000
"""A packet that is not full waits for more frames for so long."""
PLENTY = 64
"""It does not where so many cells wait: a full packet has 77 standard frames of 8 bytes."""
PRESENT_S = 5
"""On a port that forgets, frames and events wait after so long a silence of the host."""

NOT_LISTENING = 0x101
LISTENING_AGAIN = 0x102
BUS_STATE = 0x103
EVENTS_LOST = 0x104
NOT_FED = 0x105

_ANSWERS = 4
_EVENTS = 16
_ROOM = vlink.LIMIT - vlink.CRC


class Session:
    """One device's sessions.

    Attributes:
        vlink: whether a host has said HELLO since boot.
        slcan: what answers until then; may be None.
        silent_s: since the last good packet of the host; whoever counts seconds counts it up.
        heard: whether bytes came during a session; whoever looks sets it back.
        understood: whether good packets came; likewise.
        unknown: packets of a type that is none.
        malformed: packets whose payload is malformed.
        skipped: frames that were set aside when slcan was opened.
    """

    def __init__(self, rings: tuple[object, ...], outgoing: object, slcan: object, device: object) -> None:
        """Begin in the state slcan.

        Args:
            rings: of the buses.
            outgoing: takes what is due.
            slcan: of bus 0.
            device: has `hello(now)`, `status(now)`, `command(code, argument)`, and `forgets`, of its port.
        """
        self.vlink = False
        self.slcan = slcan
        self.silent_s = 0
        self.heard = False
        self.understood = False
        self.unknown = 0
        self.malformed = 0
        self.skipped = 0
        self.decoder = vlink.Decoder()
        self._rings = rings
        self._out = outgoing
        self._device = device
        self._next = 0
        self._since = array("I", [0] * len(rings))
        self._acks = []
        self._answered = []
        self._questions = []
        self._status = None
        self._events = []
        self._event_slot = None
        self._events_lost = 0
        self._after = None

    def bad_packets(self) -> int:
        """Tell how many packets of the host were none."""
        return self.decoder.too_long + self.decoder.bad_cobs + self.decoder.bad_crc

    def receive(self, buffer: bytearray, n: int, now: int) -> None:
        """Take what came from the host.

        Args:
            buffer: with it.
            n: how much of it.
            now: the clock when it was there.
        """
        self.heard = self.heard or self.vlink
        self.decoder.feed(buffer, n)
        while True:
            packet = self.decoder.packet()
            if packet is None:
                break
            self.understood = True
            self.silent_s = 0
            kind, _, payload = packet
            try:
                self._take(kind, payload, now)
            except ValueError:
                self.malformed += 1
        if not self.vlink and self.slcan is not None:
            self.slcan.feed(buffer, n)

    def tell(self, now: int, code: int, argument: int, text: str) -> None:
        """Queue an EVENT; of too many the oldest are lost, which is told in their place."""
        if len(self._events) >= _EVENTS:
            self._events.pop(1 if self._event_slot is not None else 0)
            self._events_lost += 1
        self._events.append(messages.Event(self._rings[0].t_us(now), code, argument, text))

    def report(self, status: object) -> None:
        """Send this STATUS; one that still waits gives way to it."""
        self._status = status

    def compose(self, now: int, drained: bool) -> None:
        """Seal what is due, as far as there are buffers for it.

        Args:
            now: the clock.
            drained: whether all that went to the port has left the board.
        """
        if self._acks or self._status or self._events or self._questions or self._after:
            self._compose_rest(now, drained)
        if self._questions or self._after:
            # An answer must not stand in a queue: its time would be an old one.
            return
        if not self.vlink:
            self._compose_slcan()
        elif self._present():
            self.compose_frames(now)

    def compose_frames(self, now: int) -> None:
        """Seal frames, of each bus in turn; takes no memory."""
        buses = len(self._rings)
        for _ in range(buses):
            bus = self._next
            ring = self._rings[bus]
            waiting = ring.waiting()
            if not waiting:
                self._since[bus] = now
            elif waiting >= PLENTY or (now - self._since[bus]) & TICKS >= LINGER_US:
                slot = self._out.frames()
                if slot is None:
                    return
                end = pack.fill(ring.state, ring.cells, slot.packet, _ROOM)
                if end:
                    self._out.seal(slot, vlink.FRAMES, end)
                self._since[bus] = now
            bus += 1
            self._next = 0 if bus == buses else bus

    def _compose_rest(self, now: int, drained: bool) -> None:
        out = self._out
        self._follow_event()
        while self._acks:
            slot = out.control()
            if slot is None:
                return
            self._seal(slot, vlink.ACK, self._acks.pop(0))
        if not self.vlink:
            return
        if self._after and out.empty() and drained:
            after = self._after
            self._after = None
            after()
        if self._events and self._event_slot is None and self._present():
            slot = out.control()
            if slot is None:
                return
            if self._events_lost:
                self._events.insert(
                    0,
                    messages.Event(
                        self._rings[0].t_us(now), EVENTS_LOST, self._events_lost, "events that found no room"
                    ),
                )
                self._events_lost = 0
            self._seal(slot, vlink.EVENT, self._events[0])
            self._event_slot = slot
        if self._status:
            slot = out.control()
            if slot is None:
                return
            self._seal(slot, vlink.STATUS, self._status)
            self._status = None
        if self._questions and out.empty() and drained:
            question, rx_us = self._questions.pop(0)
            answer = messages.TimeAnswer(question.number, question.host_ns, rx_us, self._device.t_us())
            self._seal(out.control(), vlink.TIME, answer)

    def _present(self) -> bool:
        return self.silent_s < PRESENT_S or not self._device.forgets

    def _follow_event(self) -> None:
        """Let go of an EVENT whose last byte has gone."""
        if self._event_slot is not None and self._event_slot.kind != vlink.EVENT:
            self._event_slot = None
            self._events.pop(0)

    def _seal(self, slot: object, kind: int, message: object) -> None:
        self._out.seal(slot, kind, message.write(slot.packet, vlink.HEADER))

    def _compose_slcan(self) -> None:
        slcan = self.slcan
        if slcan is None:
            return
        out = self._out
        if slcan.replied:
            slot = out.control()
            if slot is None:
                return
            slot.line[: slcan.replied] = slcan.replies[: slcan.replied]
            out.plain(slot, REPLIES, 0, slcan.replied)
            slcan.replied = 0
        if not slcan.opened:
            return
        slot = out.frames()
        if slot is None:
            return
        ring = self._rings[0]
        if slcan.fresh:
            # Who opens a channel expects what comes from now on.
            slcan.fresh = False
            while pack.fill(ring.state, ring.cells, slot.packet, _ROOM):
                self.skipped += slot.packet[16]
        end = pack.fill(ring.state, ring.cells, slot.packet, ROOM)
        if end:
            n = slcan.lines(slot.packet, end, slot.line)
            if n:
                out.plain(slot, LINES, end, n)
            else:
                self.skipped += slot.packet[16]

    def _take(self, kind: int, payload: object, now: int) -> None:
        if kind == vlink.HOST_HELLO:
            self._begin(messages.read_host_hello(payload), now)
        elif not self.vlink:
            self.unknown += 1
        elif kind == vlink.HOST_TIME:
            self._questions.append((messages.read_time_question(payload), self._rings[0].t_us(now)))
            if len(self._questions) > _ANSWERS:
                self._questions.pop(0)
        elif kind == vlink.COMMAND:
            self._obey(messages.read_command(payload))
        else:
            self.unknown += 1

    def _begin(self, hello: object, now: int) -> None:
        if hello.version < vlink.VERSION:
            self._answer(messages.Ack(hello.nonce, messages.ACK_UNKNOWN, "version 1 is spoken here"))
            return
        self.vlink = True
        self._acks = []
        self._answered = []
        self._questions = []
        self._after = None
        out = self._out
        self._follow_event()
        self._event_slot = None
        out.begin()
        self._seal(out.control(), vlink.ACK, messages.Ack(hello.nonce, messages.ACK_DONE, ""))
        self._seal(out.control(), vlink.HELLO, self._device.hello(now))
        out.again()
        self._status = self._device.status(now)

    def _obey(self, command: object) -> None:
        for ack in self._answered:
            if ack.number == command.number:
                self._answer(ack)
                return
        result, text, after = self._device.command(command.code, command.argument)
        ack = messages.Ack(command.number, result, text)
        self._answered.append(ack)
        if len(self._answered) > _ANSWERS:
            self._answered.pop(0)
        self._answer(ack)
        self._after = after or self._after

    def _answer(self, ack: object) -> None:
        # One that finds no room is asked for again.
        if len(self._acks) < _ANSWERS:
            self._acks.append(ack)
