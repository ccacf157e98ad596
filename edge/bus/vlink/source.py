"""`VlinkSource`: the buses behind one microcontroller as a live source of frames."""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence

from edge.account import Hop
from edge.bus.condition import Conditions
from edge.bus.source import FrameSource
from edge.bus.tally import Tally
from edge.bus.vlink.board_report import BoardReport, Member
from edge.bus.vlink.clock_relation import ClockRelation, Exchange
from edge.bus.vlink.commands import Outcome
from edge.bus.vlink.frames_columns import FrameColumns, frame_columns
from edge.bus.vlink.losses import BusLosses
from edge.bus.vlink.port import Port
from edge.bus.vlink.session import MALFORMED, SILENCES, Began, FramesCame, HostSession, Told
from edge.bus.vlink.stamped_frames import JUMPS, NOBODY, UNCOUNTED_MS, StampedFrames, Uncounted, places_of
from edge.clock import NS_PER_S, Clock, Timebase
from edge.errors import SourceError
from edge.frames import FrameBatch
from edge.wire.vlink_messages import ACK_DONE, OVERRUN_COUNTED, Event, Status

IN_RING = "lost: board's ring full"
ON_LINE = "lost: on the line to the board"
RING_OR_LINE = "lost: in the board's ring or on the line"
OVERRUN = "lost: controller overrun"
FLAGGED = "controller overflow"
IN_RESETS = "lost in a reset of the board"

RESETS = "board reset"
OUTAGES, REOPENED = "outages", "reopened"
OTHER_BUS = "of a bus of the board that is not configured"
BEFORE_RUN = "taken by the board before this run"
OVERRUNS_BEFORE = "controller overruns before this run"
STEPS_BACK = "numbers of the board stepped back"
UNTAKEN = "bytes that the board did not take"

REOPEN_FIRST_S, REOPEN_MAX_S = 0.1, 5.0
ASKING_S = 0.03
"""An answer about time is worth what it is read soon: a reading waits so long at most for all it asks."""
POLLING_S, GOLDEN = 0.001, 0.618
"""USB is polled each millisecond. Questions in a row come at other moments of it, by the golden ratio."""
NO_ANSWER_NS = 5 * NS_PER_S
READING_BYTES = 1 << 20
"""Read at one reading at most, so that a board that never pauses holds nothing else up."""
UNSENT_BYTES = 1024
TOLD_MAX = 256

_WAIT_MAX_S = 0.1

logger = logging.getLogger(__name__)


class VlinkSource(FrameSource):
    """Live buses out of one board that speaks vlink (docs/vlink.md).

    There is no thread: the board holds what has not been read, and the system some of it. What was lost
    entered and is set aside, to the frame, by the board's numbers and counters; what controllers only flag
    is *at least*, and what a reset forgot is an interval of time.

    A board that is unplugged, resets, or says nothing for 3 s is begun with anew by itself; frame numbers of
    the same boot go on, so that what was lost meanwhile is known.

    Times are those of the board's clock, put on boot time by `ClockRelation`. What comes before the clocks
    are related waits for 2 s at most, and is then put where the board's greeting says that it is at the
    latest. Times of one bus never run backwards, and none is later than its reading.

    Args:
        members: the buses of the configuration, each another one of the board.
        open_port: opens the board's port, also again.
        clock: gives boot time.
        random_u32: gives nonces.
        conditions: where it is put down how the buses stand.
        attended: whether the board is spoken with after `close`, until `hang_up`: it is the supervisor of
            the gateway's power, which waits for an answer when everything else is closed.

    Raises:
        SourceError: the port cannot be opened now.
    """

    live = True

    def __init__(
        self,
        members: Sequence[Member],
        open_port: Callable[[], Port],
        *,
        clock: Clock,
        random_u32: Callable[[], int],
        conditions: Conditions | None = None,
        attended: bool = False,
    ) -> None:
        self._names = tuple(member.name for member in members)
        self._open_port = open_port
        self._clock = clock
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._tally = Tally()
        self._facts: Counter[str] = Counter()
        self._losses = tuple(BusLosses() for _ in members)
        self._at = tuple(member.place for member in members)
        places = places_of(self._at)
        self._places = places.tolist()
        self._frames = StampedFrames(self._names, places, clock, self._tell_uncounted)
        self._report = BoardReport(members, clock, conditions or Conditions())
        self._session = HostSession(random_u32)
        self._said: deque[Status | Event] = deque(maxlen=TOLD_MAX)
        self._outcomes: list[Outcome] = []
        self._attended = attended
        self._frames_over = False
        self._counted = False
        self._unsent = b""
        self._behind = False
        self._reopen_at_ns = 0
        self._reopen_s = REOPEN_FIRST_S
        self._port: Port | None = None
        self._alone_since_ns = 0
        self._question: int | None = None
        self._moment = 0.0
        self._connect()

    @property
    def buses(self) -> tuple[str, ...]:
        """See `FrameSource.buses`."""
        return self._names

    @property
    def timebase(self) -> Timebase:
        """See `FrameSource.timebase`: the clock's."""
        return self._clock.timebase()

    @property
    def behind(self) -> bool:
        """See `FrameSource.behind`."""
        return bool(self._frames.taken) or self._behind

    @property
    def relation(self) -> ClockRelation:
        """How the board's clock relates to boot time, as of now."""
        return self._frames.relation

    @property
    def uncounted(self) -> tuple[Uncounted, ...]:
        """The last hundred times around resets in which nothing counted frames."""
        return tuple(self._frames.uncounted)

    def fileno(self) -> int:
        """A descriptor that becomes readable when there is something to read; -1 while there is none."""
        port = self._port
        return -1 if port is None else port.fileno()

    def said(self) -> tuple[Status | Event | Outcome, ...]:
        """What board and supervisor said since the last call, the last 256, and what became of commands."""
        with self._lock:
            said = (*self._said, *self._outcomes)
            self._said.clear()
            self._outcomes.clear()
        return said

    def ask(self, code: int, argument: bytes = b"") -> int:
        """Have a command sent at the next reading, and again until it is answered; its `Outcome` is said.

        Args:
            code: ``COMMAND_*`` (edge/wire/vlink_messages.py).
            argument: of the code.

        Returns:
            The number that the outcome has.
        """
        with self._lock:
            return self._session.ask(code, argument)

    def read(self, timeout_s: float) -> FrameBatch | None:
        """See `FrameSource.read`; None only after `close`."""
        left_s = timeout_s
        while True:
            wait_s = max(0.0, min(left_s, _WAIT_MAX_S))
            with self._lock:
                if not self._frames.taken and not self._stop.is_set():
                    self._turn(wait_s)
                batch = self._frames.taken.popleft() if self._frames.taken else None
                if batch is not None:
                    self._tally.hand_on(batch)
                away = self._port is None
            if batch is not None:
                return batch
            if self._stop.is_set():
                return None
            if away and wait_s:
                self._clock.wait(self._stop, wait_s)
            left_s -= wait_s
            if left_s <= 0:
                return FrameBatch.empty(self._names)

    def close(self) -> None:
        """See `FrameSource.close`; frames that were received before can still be read."""
        self._stop.set()
        with self._lock:
            if self._frames_over:
                return
            port = self._port
            if port is not None:
                try:
                    self._take_all(port)
                except OSError as error:
                    logger.info("%s: nothing more can be received: %s", port.name, error.strerror)
            self._frames.let_go(at_once=True)
            self._frames_over = True
            if not self._attended:
                self._let_go_of_port()

    def attend(self, timeout_s: float) -> None:
        """Speak with the board after `close`, for so long; frames are not taken any more, nor counted."""
        with self._lock:
            if self._frames_over and self._attended:
                self._turn(timeout_s)
                away = self._port is None
            else:
                away = True
        if away and timeout_s:
            self._clock.wait(threading.Event(), timeout_s)

    def hang_up(self) -> None:
        """Close the port that `close` has left open, or have it do so."""
        with self._lock:
            self._attended = False
            if self._frames_over:
                self._let_go_of_port()

    def _let_go_of_port(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            self._session.closed()
            port.close()

    def hop(self) -> Hop:
        """See `FrameSource.hop`."""
        with self._lock:
            name = f"bus {self._names[0]}" if len(self._names) == 1 else "merged buses"
            hop = self._tally.hop(name)
            losses = self._losses
            set_aside = {
                IN_RING: sum(one.in_ring for one in losses),
                ON_LINE: sum(one.on_line for one in losses),
                RING_OR_LINE: sum(one.ring_or_line for one in losses),
                OVERRUN: sum(one.overruns for one in losses),
            }
            at_least = {
                FLAGGED: sum(one.overrun_flags for one in losses),
                IN_RESETS: sum(one.in_resets for one in losses),
            }
            facts = {
                BEFORE_RUN: sum(one.before for one in losses),
                OVERRUNS_BEFORE: sum(one.overruns_before for one in losses),
                STEPS_BACK: sum(one.steps_back for one in losses),
            }
            counted = (
                self._session.counts,
                self._report.facts,
                self._frames.facts,
                self._facts,
                Counter(facts),
            )
            told = sum(counted, Counter())
        return Hop(
            hop.name,
            hop.unit,
            hop.entered + sum(set_aside.values()),
            hop.left,
            {**hop.set_aside, **+Counter(set_aside)},
            {**hop.at_least, **+Counter(at_least)},
            {**hop.facts, **told},
        )

    def _turn(self, wait_s: float) -> None:
        """Read what has come, do what is due."""
        port = self._port
        if port is None:
            self._connect_if_due()
            self._session.step(self._clock.boot_ns())
            self._take_up(self._session.outcomes())
            return
        try:
            self._take_all(port)
            self._converse(port)
            nothing = self._frames_over or not self._frames.taken
            if wait_s and nothing and port.wait(self._wait_s(wait_s)):
                self._take_all(port)
        except OSError as error:
            self._disconnect(error.strerror or str(error))
        self._take_up(self._session.outcomes())
        self._frames.let_go()

    def _wait_s(self, wait_s: float) -> float:
        """Until something is due at the latest."""
        due_ns = self._session.due_ns
        if due_ns is None:
            return wait_s
        return min(wait_s, max(0.0, (due_ns - self._clock.boot_ns()) / NS_PER_S))

    def _take_all(self, port: Port) -> None:
        """Read until nothing is there; see that what was read before the port went is taken up.

        Raises:
            OSError: the port is gone.
        """
        left = READING_BYTES
        while left > 0 and (data := port.read()):
            left -= len(data)
            self._take_up(self._session.receive(data, self._clock.boot_ns()))
        self._behind = left <= 0

    def _converse(self, port: Port) -> None:
        """Write what is due, and wait for the answers to questions about time, for each of them once."""
        end_ns = self._clock.boot_ns() + round(ASKING_S * NS_PER_S)
        while True:
            self._write(port)
            question = self._session.question
            if question is None or question == self._question:
                return
            self._question = question
            while self._session.question is not None:
                left_ns = end_ns - self._clock.boot_ns()
                if left_ns <= 0:
                    return
                if port.wait(left_ns / NS_PER_S):
                    self._take_all(port)
            self._moment = (self._moment + GOLDEN) % 1
            self._clock.wait(self._stop, self._moment * POLLING_S)

    def _write(self, port: Port) -> None:
        now_ns = self._clock.boot_ns()
        if len(self._unsent) > UNSENT_BYTES:
            self._facts[UNTAKEN] += len(self._unsent)
            self._unsent = b""
        joined = self._session.joined
        self._unsent += self._session.step(now_ns)
        if self._unsent:
            self._unsent = self._unsent[port.write(self._unsent) :]
        if self._session.joined:
            return
        if joined:
            self._alone_since_ns = now_ns
            self._report.tell(SILENCES, "the board has said nothing for 3 s; it is asked anew", trouble=True)
        elif now_ns - self._alone_since_ns > NO_ANSWER_NS:
            self._report.port(port.name, self._session.refusal or "the board does not answer")

    def _take_up(self, told: Sequence[Told]) -> None:
        for one in told:
            match one:
                case FramesCame() | Began() | Status() if self._frames_over:
                    # Nothing is counted any more; what it says of itself is all that is wanted.
                    self._said += [one] if isinstance(one, Status) else []
                case FramesCame(payloads=payloads):
                    self._accept(frame_columns(payloads))
                case Exchange():
                    self._learn(one)
                case Status():
                    self._status(one)
                    self._said.append(one)
                case Event():
                    self._report.tell(
                        "event", f"board: {one.text or 'event'} ({one.code:#06x}, {one.argument})"
                    )
                    self._said.append(one)
                case Outcome():
                    if one.result != ACK_DONE:
                        self._report.tell("command", f"command {one.code}: {one.text}", trouble=True)
                    self._outcomes.append(one)
                case Began():
                    self._began(one)

    def _began(self, began: Began) -> None:
        hello = began.hello
        if began.first or began.reset:
            self._frames.boot(reset=began.reset)
            for losses in self._losses:
                losses.begin(reset=began.reset)
        if began.reset:
            self._facts[RESETS] += 1
            self._report.tell(
                RESETS,
                "the board was reset: what it held is lost, and nothing counts what came until it listens",
                trouble=True,
            )
        self._frames.relation.hint(hello.t_us, began.heard_ns)
        self._counted = bool(hello.capabilities & OVERRUN_COUNTED)
        self._report.hello(hello)

    def _status(self, status: Status) -> None:
        for place, losses in zip(self._at, self._losses, strict=True):
            if place < len(status.buses):
                losses.told(status.buses[place], counted=self._counted)
        relation = self._frames.relation
        self._report.clocks(relation.uncertainty_ns(status.t_us), relation.drift_ppm)
        self._report.status(
            status, resets=self._facts[RESETS], lost=sum(losses.lost for losses in self._losses)
        )

    def _learn(self, exchange: Exchange) -> None:
        if self._frames.learn(exchange):
            self._report.tell(JUMPS, "the board's clock jumped; it is related anew", trouble=True)

    def _accept(self, columns: FrameColumns) -> None:
        """Count what came, and have it stamped."""
        self._session.counts[MALFORMED] += columns.malformed
        for place, first, count in zip(
            columns.packet_bus.tolist(),
            columns.packet_first.tolist(),
            columns.packet_frames.tolist(),
            strict=True,
        ):
            index = self._places[place]
            if index == NOBODY:
                self._facts[OTHER_BUS] += count
            else:
                self._losses[index].came(first, count)
                self._tally.entered += count
        self._frames.add(columns)

    def _tell_uncounted(self, gap: Uncounted) -> None:
        self._report.tell(
            UNCOUNTED_MS,
            f"nothing counts what came in {(gap.to_ns - gap.from_ns) / NS_PER_S:.3f} s around the reset",
            trouble=True,
            bus=gap.bus,
        )

    def _connect(self) -> None:
        """Open the board's port and begin.

        Raises:
            SourceError: it cannot be opened.
        """
        port = self._open_port()
        now_ns = self._clock.boot_ns()
        self._port = port
        self._alone_since_ns = now_ns
        self._unsent = b""
        self._reopen_s = REOPEN_FIRST_S
        self._session.opened(now_ns, port.bit_rate)
        self._report.port(port.name, "")
        try:
            self._write(port)
        except OSError as error:
            self._disconnect(error.strerror or str(error))

    def _connect_if_due(self) -> None:
        now_ns = self._clock.boot_ns()
        if now_ns < self._reopen_at_ns:
            return
        try:
            self._connect()
        except SourceError as error:
            self._report.gone(error.what)
            self._reopen_s = min(2 * self._reopen_s, REOPEN_MAX_S)
            self._reopen_at_ns = now_ns + round(self._reopen_s * NS_PER_S)
        else:
            self._facts[REOPENED] += 1
            self._report.tell(REOPENED, "the board's port is open again")

    def _disconnect(self, words: str) -> None:
        port, self._port = self._port, None
        self._session.closed()
        self._facts[OUTAGES] += 1
        self._reopen_at_ns = self._clock.boot_ns() + round(self._reopen_s * NS_PER_S)
        if port is not None:
            port.close()
            self._report.tell(OUTAGES, f"{port.name} is gone: {words}", trouble=True)
            self._report.gone(f"{port.name} is gone")
