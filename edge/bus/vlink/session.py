"""`HostSession`: the gateway's end of vlink without I/O: bytes in, what they say out, bytes to be written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from edge.bus.vlink.clock_relation import Exchange, line_ns
from edge.bus.vlink.commands import NUMBERS, Commands, Outcome
from edge.clock import NS_PER_S
from edge.wire import vlink
from edge.wire.vlink_messages import (
    ACK_DONE,
    COMMAND_STATUS,
    Ack,
    Command,
    Event,
    Hello,
    HostHello,
    Status,
    TimeAnswer,
    TimeQuestion,
    read_ack,
    read_event,
    read_hello,
    read_status,
    read_time_answer,
)

HELLO_PERIOD_NS = NS_PER_S // 2
REFUSED_PERIOD_NS = 10 * NS_PER_S
"""A board that speaks no version known here is asked so often: it may be given other firmware."""
SILENCE_NS = 3 * NS_PER_S

FIRST_QUESTIONS, QUESTIONS = 16, 8
"""So many time questions are asked in a row, the next as soon as one is answered: at first, and later."""
PAUSES = ((16, NS_PER_S // 4), (28, NS_PER_S // 2))
"""Up to so many rows of a session one follows another so soon: the drift has to be learnt first."""
PAUSE_NS = 2 * NS_PER_S
QUESTIONS_KEPT = 8

EARLY_PACKETS = 256
"""Packets of frames kept until a HELLO says of which boot they are."""

_NONCE = NUMBERS + 1
_HEADER_AND_REST = vlink.HEADER + vlink.CRC + 2
QUESTION_OCTETS, ANSWER_OCTETS = _HEADER_AND_REST + 12, _HEADER_AND_REST + 28
"""Bytes of a time question and of its answer on the line, delimiter included."""

UNKNOWN_TYPE = "packets of unknown type"
MALFORMED = "packets malformed"
MISSING = "packets lost on the line"
DAMAGED = "packets damaged"
NO_PACKET = "bytes that are no packet"
SKIPPED = "packets of before a session"
SILENCES = "board silent"
SESSIONS = "sessions"
UNASKED = "answers to no question"


@dataclass(frozen=True, slots=True)
class Began:
    """A session began.

    Attributes:
        hello: what the device is.
        heard_ns: boot time at which it said so.
        first: no session was before it.
        reset: the device has been reset since the one before it.
    """

    hello: Hello
    heard_ns: int
    first: bool
    reset: bool


@dataclass(frozen=True, slots=True)
class FramesCame:
    """Payloads of FRAMES, in order; not shown by `repr`."""

    payloads: list[bytes] = field(repr=False)


Told = Began | FramesCame | Status | Event | Exchange | Outcome


class _State(Enum):
    CLOSED = auto()
    ASKING = auto()
    ACKNOWLEDGED = auto()
    JOINED = auto()


class HostSession:
    """Holds a session with a device, and begins anew whenever it has to (docs/vlink.md, "Session").

    The owner says when a port is open, hands in what it reads, writes what `step` gives, and does so again at
    `due_ns` at the latest.

    Args:
        random_u32: gives nonces.
        bit_rate: of a UART, by which the time that packets take on the line is known; None for a line whose
            rate means nothing, such as USB.

    Attributes:
        counts: packets and bytes that were not as they should be, silences and sessions, for the account.
        refusal: why the device does not begin a session; empty unless it said so.
        hello: of the device, as of the last session.
    """

    def __init__(self, random_u32: Callable[[], int], bit_rate: int | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self.refusal = ""
        self.hello: Hello | None = None
        self._random_u32 = random_u32
        self._bit_rate = bit_rate
        self._decoder = vlink.Decoder()
        self._encoder = vlink.Encoder()
        self._state = _State.CLOSED
        self._live = False
        self._nonce = _NONCE
        self._sequence: int | None = None
        self._heard_ns = 0
        self._hello_at_ns = 0
        self._early: list[bytes] = []
        self._unsure = 0
        self._nameless = False
        self._asked = self._rows = self._left_in_row = 0
        self._question_at_ns = 0
        self._questions: dict[int, int] = {}
        self._commands = Commands()

    @property
    def joined(self) -> bool:
        """Whether a session stands."""
        return self._state is _State.JOINED

    @property
    def question(self) -> int | None:
        """Number of the last time question while it has no answer: the sooner that is read, the better."""
        return self._asked if self._asked in self._questions else None

    @property
    def due_ns(self) -> int | None:
        """Boot time at which `step` is to be called at the latest; None while no port is open."""
        match self._state:
            case _State.CLOSED:
                return None
            case _State.ASKING | _State.ACKNOWLEDGED:
                return self._hello_at_ns
        due_ns = min(self._heard_ns + SILENCE_NS, self._question_at_ns)
        command_ns = self._commands.due_ns()
        return due_ns if command_ns is None else min(due_ns, command_ns)

    def opened(self, now_ns: int, bit_rate: int | None = None) -> None:
        """Begin on a port that has just been opened; what the port before had begun is no part of it.

        Args:
            now_ns: boot time.
            bit_rate: see the class.
        """
        self._settle_decoder()
        self._decoder = vlink.Decoder()
        self._bit_rate = bit_rate
        self._live = self._nameless = False
        self._early.clear()
        self._sequence = None
        self._begin(now_ns)

    def closed(self) -> None:
        """Take up that the port is gone."""
        self._state = _State.CLOSED
        self._live = False
        self._questions.clear()

    def ask(self, code: int, argument: bytes = b"", *, quiet: bool = False) -> int:
        """Have a command sent, and again until its ACK comes, for 5 s at most, with a session or without.

        Args:
            code: ``COMMAND_*``.
            argument: of the code (docs/vlink.md).
            quiet: whether nobody wants to know its outcome.

        Returns:
            The number under which its `Outcome` will be told.
        """
        return self._commands.ask(code, argument, quiet=quiet)

    def outcomes(self) -> list[Outcome]:
        """What has become of commands and is not told yet: where nothing comes, `receive` tells nothing."""
        return self._commands.outcomes()

    def step(self, now_ns: int) -> bytes:
        """Do what is due, once all that has come is handed in.

        Returns:
            What is to be written now.
        """
        self._commands.grow_old(now_ns)
        if self._state is _State.JOINED and now_ns - self._heard_ns >= SILENCE_NS:
            self.counts[SILENCES] += 1
            self._begin(now_ns)
        if self._state in {_State.ASKING, _State.ACKNOWLEDGED}:
            return self._greeting(now_ns) if now_ns >= self._hello_at_ns else b""
        if self._state is _State.CLOSED:
            return b""
        return self._commands_due(now_ns) + self._question_due(now_ns)

    def receive(self, data: bytes, now_ns: int) -> list[Told]:
        """Take up what was read.

        Args:
            data: bytes of the line.
            now_ns: boot time at which they had been read.

        Returns:
            What they say, in order, and what has become of commands.
        """
        told: list[Told] = []
        self._decoder.feed(data, len(data))
        while (packet := self._decoder.packet()) is not None:
            kind, sequence, payload = packet
            self._heard_ns = now_ns
            try:
                self._take(kind, sequence, bytes(payload), now_ns, told)
            except ValueError:
                self.counts[MALFORMED] += 1
        self._settle_decoder()
        return told + self._commands.outcomes()

    def _begin(self, now_ns: int) -> None:
        self._state = _State.ASKING
        self._nonce = self._random_u32() | _NONCE
        self._hello_at_ns = now_ns
        self._questions.clear()

    def _greeting(self, now_ns: int) -> bytes:
        self._hello_at_ns = now_ns + (REFUSED_PERIOD_NS if self.refusal else HELLO_PERIOD_NS)
        self._state = _State.ASKING
        self._encoder.sequence = 0
        return b"\0" + self._packet(vlink.HOST_HELLO, HostHello(vlink.VERSION, self._nonce))

    def _commands_due(self, now_ns: int) -> bytes:
        return b"".join(self._packet(vlink.COMMAND, one) for one in self._commands.due(now_ns))

    def _question_due(self, now_ns: int) -> bytes:
        if now_ns < self._question_at_ns:
            return b""
        self._asked = (self._asked + 1) & 0xFFFF_FFFF
        if self._left_in_row:
            self._left_in_row -= 1
        else:
            self._left_in_row = (QUESTIONS if self._rows else FIRST_QUESTIONS) - 1
            self._rows += 1
        pause_ns = next((each for most, each in PAUSES if self._rows <= most), PAUSE_NS)
        self._question_at_ns = now_ns + pause_ns
        while len(self._questions) >= QUESTIONS_KEPT:
            del self._questions[next(iter(self._questions))]
        self._questions[self._asked] = now_ns
        return self._packet(vlink.HOST_TIME, TimeQuestion(self._asked, now_ns))

    def _packet(self, kind: int, message: HostHello | Command | TimeQuestion) -> bytes:
        end = message.write(self._encoder.buffer, vlink.HEADER)
        n = self._encoder.seal(kind, end)
        return bytes(self._encoder.line[:n])

    def _take(self, kind: int, sequence: int, payload: bytes, now_ns: int, told: list[Told]) -> None:
        if kind == vlink.ACK:
            ack = read_ack(payload)
            if ack.number == self._nonce:
                self._acknowledged(ack, sequence, now_ns)
                return
        elif kind == vlink.HELLO and self._state is _State.ACKNOWLEDGED:
            self._follow(sequence)
            self._join(read_hello(payload), now_ns, told)
            return
        elif kind == vlink.HELLO and self._state is _State.JOINED:
            # Nobody asked for it, so that the device has been reset, and knows nothing of a session.
            self._live = self._nameless = False
            self._begin(now_ns)
            return
        if self._nameless:
            self._follow(sequence)
            if kind == vlink.FRAMES and len(self._early) < EARLY_PACKETS:
                self._early.append(payload)
            else:
                self.counts[SKIPPED] += 1
            if self._state is _State.ACKNOWLEDGED:
                # The HELLO behind the ACK was lost.
                self._hello_at_ns = now_ns
        elif not self._live:
            # Of the boot that was known, if the HELLO says that it still is the same.
            if kind == vlink.FRAMES and self.hello is not None and len(self._early) < EARLY_PACKETS:
                self._early.append(payload)
            else:
                self.counts[SKIPPED] += 1
        else:
            self._follow(sequence)
            self._say(kind, payload, now_ns, told)

    def _acknowledged(self, ack: Ack, sequence: int, now_ns: int) -> None:
        if ack.result != ACK_DONE:
            self.refusal = ack.text or f"the board refused with {ack.result}"
            self._hello_at_ns = now_ns + REFUSED_PERIOD_NS
            return
        self.refusal = ""
        self._sequence = sequence
        if not self._nameless:
            self._unsure = len(self._early)
        self._nameless = True
        self._state = _State.ACKNOWLEDGED
        self._hello_at_ns = now_ns + HELLO_PERIOD_NS

    def _join(self, hello: Hello, now_ns: int, told: list[Told]) -> None:
        first = self.hello is None
        reset = self.hello is not None and self.hello.boot != hello.boot
        self.hello = hello
        self._state = _State.JOINED
        self._live = True
        self._nameless = False
        self.counts[SESSIONS] += 1
        self._questions.clear()
        self._rows = self._left_in_row = 0
        self._question_at_ns = now_ns
        self._commands.session(now_ns, reset=reset)
        self.ask(COMMAND_STATUS, quiet=True)
        told.append(Began(hello, now_ns, first, reset))
        # A time that is later than the HELLO's is of a boot before it.
        same = self._early if not (first or reset) else self._early[self._unsure :]
        early = [one for one in same if _first_t_us(one) <= hello.t_us]
        self.counts[SKIPPED] += len(self._early) - len(early)
        self._early.clear()
        if early:
            told.append(FramesCame(early))

    def _follow(self, sequence: int) -> None:
        if self._sequence is not None:
            self.counts[MISSING] += vlink.missing_between(self._sequence, sequence)
        self._sequence = sequence

    def _say(self, kind: int, payload: bytes, now_ns: int, told: list[Told]) -> None:
        if kind == vlink.FRAMES:
            last = told[-1] if told else None
            if isinstance(last, FramesCame):
                last.payloads.append(payload)
            else:
                told.append(FramesCame([payload]))
        elif kind == vlink.STATUS:
            told.append(read_status(payload))
        elif kind == vlink.EVENT:
            told.append(read_event(payload))
        elif kind == vlink.TIME:
            self._answered(read_time_answer(payload), now_ns, told)
        elif kind == vlink.ACK:
            self._commands.answered(read_ack(payload))
        elif kind != vlink.HELLO:
            self.counts[UNKNOWN_TYPE] += 1

    def _answered(self, answer: TimeAnswer, now_ns: int, told: list[Told]) -> None:
        asked_ns = self._questions.pop(answer.number, None)
        if asked_ns is None or asked_ns != answer.host_ns:
            self.counts[UNASKED] += 1
            return
        if self._left_in_row and answer.number == self._asked:
            self._question_at_ns = now_ns
        told.append(
            Exchange(
                asked_ns + line_ns(QUESTION_OCTETS, self._bit_rate),
                answer.rx_us,
                answer.tx_us,
                now_ns - line_ns(ANSWER_OCTETS, self._bit_rate),
            )
        )

    def _settle_decoder(self) -> None:
        """Move what the decoder counted to the account."""
        decoder = self._decoder
        self.counts[DAMAGED] += decoder.bad_crc + decoder.bad_cobs + decoder.too_long
        self.counts[NO_PACKET] += decoder.skipped_bytes
        decoder.bad_crc = decoder.bad_cobs = decoder.too_long = decoder.skipped_bytes = 0


def _first_t_us(payload: bytes) -> int:
    """The time in the head of a payload of FRAMES."""
    return int.from_bytes(payload[5:13], "little")
