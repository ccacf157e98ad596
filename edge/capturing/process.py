"""`CaptureProcess`: capture in a process of its own, started, watched and started again by the core."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from types import TracebackType

from edge.account import Hop
from edge.bus.condition import BusCondition
from edge.capture import Captured, MaskedSource
from edge.capturing.arrived import Arrived
from edge.capturing.back_off import BackOff
from edge.capturing.connection import Connection
from edge.capturing.lives import Outage
from edge.capturing.message import (
    Adopt,
    Ask,
    BorderError,
    Close,
    Counts,
    Done,
    Ended,
    Failed,
    Message,
    Observed,
    Order,
    PowerAsk,
    PowerTold,
    Ready,
    Report,
    Told,
)
from edge.capturing.opening import CapturePlan
from edge.capturing.pace import IDLE_MOST_S
from edge.capturing.said import error_of, printable, printable_power
from edge.capturing.started import StartedProcess
from edge.clock import NS_PER_S, Clock
from edge.errors import NevgateError, SourceError
from edge.frames import FrameBatch
from edge.policy.classes import DataClass
from edge.power.line import PowerCommand, PowerSaid, joined
from edge.uplink.events import Notice

BUFFER_BYTES = 32 << 20
START_S = 60.0
"""Databases, class files and devices are open by then; longest on a small machine with large databases."""

SILENT_S = 10.0
"""Capture answers within a tick; one that does not for so long hangs, and is killed."""

ADOPT_S = 0.5
"""So soon another mask is in force; capture that has not taken it up by then is killed with the old one."""

END_S = 10.0
"""So long capture may take to hand on what it has read."""

_GRACE_S = 0.5
POWER_WORDS_MAX = 1000
LONGEST_WAIT_S = IDLE_MOST_S + 0.2
"""What the core waits for at most: longer than capture ever waits between two readings."""

logger = logging.getLogger(__name__)


class CaptureProcess(MaskedSource):
    """Reads masked batches from a process that alone sees buses, sensors and what the door removes.

    The process is started at once, and waited for until its devices are open, so that what is wrong with them
    is known before anything else starts. One that dies later is missed at the next reading and started again
    after 1 s, then after twice as long up to 30 s; meanwhile nothing comes in, and reading takes its time as
    if nothing had happened on the buses. What that cost is in the account (docs/account.md, "Capture").

    One thread reads; any thread may adopt, ask for hops, or close. The process dies with the thread that made
    or restarted it, so that this should be the one that reads.

    It is a `PowerLine` too, where the plan has one: the process then stays after the end of its sources, with
    nothing to do but speak with the supervisor of power, until `hang_up`. One that dies meanwhile is not
    started again: power is cut then when the supervisor's patience is at its end.

    Args:
        plan: what is to be opened.
        collect: the classes to collect at first.
        admission: the name under which they are admitted.
        clock: tells outages; the process reads the machine's own.
        notify: told of deaths and new starts; they go to the log too.
        buffer_bytes: masked frames that may wait in the process while the core is busy.

    Attributes:
        items: ids of the items that its sensors provide.

    Raises:
        ConfigError: the configuration, or a file that it names, cannot be used or has changed.
        SourceError: a bus or sensor cannot be opened, or the process does not start.
    """

    def __init__(
        self,
        plan: CapturePlan,
        collect: Collection[DataClass],
        admission: str,
        *,
        clock: Clock,
        notify: Callable[[Notice], None] | None = None,
        buffer_bytes: int = BUFFER_BYTES,
    ) -> None:
        self._plan = plan
        self._clock = clock
        self._notify = notify
        self._buffer_bytes = buffer_bytes
        self._lock = threading.Lock()
        self._nothing = threading.Event()
        self._adopt = Adopt(0, tuple(sorted(collect)), admission)
        self._unadopted_s: float | None = None
        self._adopt_asked = 0
        self._adopted = 0
        self._arrived = Arrived(clock.boot_ns())
        self._process: StartedProcess | None = None
        self._closing_s: float | None = None
        self._finished = False
        self._failure: NevgateError | None = None
        self._ready: Ready | None = None
        self._asked = 0
        self._woken = False
        self._done = 0
        self._heard_s = self._started_s = self._now_s()
        self._back_off = BackOff(self._started_s)
        self._cause = ""
        self._told_lacking: tuple[str, ...] = ()
        self._attended = plan.power
        self._power_said: deque[PowerSaid] = deque(maxlen=POWER_WORDS_MAX)
        self.items: tuple[str, ...] = ()
        self._live = True
        try:
            self._start()
            self._await_ready()
        except BaseException:
            self._end_process("not wanted")
            raise

    @property
    def live(self) -> bool:
        """See `MaskedSource.live`."""
        return self._live

    @property
    def longest_wait_s(self) -> float:
        """See `MaskedSource.longest_wait_s`: longer than the process ever waits between two readings."""
        return LONGEST_WAIT_S

    @property
    def mask(self) -> str:
        """The name of the mask of the last batch; before any, the one that capture began with."""
        return self._arrived.mask

    @property
    def place(self) -> str | None:
        """See `MaskedSource.place`; as of what was read last."""
        return self._arrived.place

    @property
    def buses(self) -> tuple[BusCondition, ...]:
        """See `MaskedSource.buses`; as of what was read last."""
        return self._arrived.buses

    @property
    def pid(self) -> int | None:
        """Process id of capture; None while there is none."""
        return None if self._process is None else self._process.pid

    @property
    def _connection(self) -> Connection | None:
        process = self._process
        return None if process is None else process.connection

    @property
    def outages(self) -> Sequence[Outage]:
        """The last hundred times in which there was no capture, and nothing counted what there was."""
        return self._arrived.outages

    def read(self, timeout_s: float) -> Captured | None:
        """See `MaskedSource.read`.

        What the process had received when it was asked is handed on with the answer, so that no frame is on
        the way any more that came before.
        """
        end_s = self._now_s() + timeout_s
        self._start_if_due()
        number = self._ask(timeout_s)
        while not self._finished and self._failure is None and (number is None or self._done < number):
            if self._connection is None:
                if self._now_s() >= end_s:
                    break
                self._wait_without(end_s)
                number = self._ask(end_s - self._now_s())
                continue
            starting = self._ready is None and self._closing_s is None
            wait_s = end_s - self._now_s() + (0.0 if starting else _GRACE_S)
            if wait_s <= 0:
                break
            self._exchange(min(wait_s, _GRACE_S))
        return self._captured()

    def adopt(self, collect: Collection[DataClass], admission: str) -> None:
        """See `MaskedSource.adopt`; the process has it at once, and hands on a batch of the new mask.

        If it does not take it up within half a second, it is killed at the next reading; the one that is
        started then begins with the new mask.
        """
        with self._lock:
            self._adopt = Adopt(self._adopt.number + 1, tuple(sorted(collect)), admission)
            self._unadopted_s = self._now_s()
            self._adopt_asked = self._asked
            connection = self._connection
            if connection is not None:
                connection.send(self._adopt)

    def wake(self) -> None:
        """See `MaskedSource.wake`; the process reads at once and answers."""
        with self._lock:
            self._woken = True
            connection = self._connection
            if connection is not None and connection.unsent_bytes == 0:
                self._asked += 1
                connection.send(Ask(self._asked, 0))

    def close(self) -> None:
        """See `MaskedSource.close`."""
        with self._lock:
            if self._closing_s is not None:
                return
            self._closing_s = self._now_s()
            connection = self._connection
            if connection is not None:
                connection.send(Close())
            else:
                self._finished = True

    def hops(self) -> tuple[Hop, ...]:
        """See `MaskedSource.hops`; as of what was read last, with all processes added up."""
        return self._arrived.hops(self._clock.boot_ns())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, and wait until the process has ended; what is left in it is counted as unread."""
        self.close()
        self._arrived.wanted = False
        while self._connection is not None and not self._finished:
            self._exchange(_GRACE_S)

    def said(self) -> PowerSaid:
        """See `PowerLine.said`."""
        said = []
        while self._power_said:
            said.append(self._power_said.popleft())
        return joined(said)

    def ask(self, command: PowerCommand, seconds: int = 0) -> None:
        """See `PowerLine.ask`; what is asked for while there is no process is lost."""
        with self._lock:
            connection = self._connection
            if connection is not None:
                connection.send(PowerAsk(command, seconds))

    def attend(self, timeout_s: float) -> None:
        """See `PowerLine.attend`; for one thread, once reading has come to its end."""
        connection = self._connection
        if connection is None or not self._finished:
            self._clock.wait(self._nothing, timeout_s)
            return
        trouble = ""
        try:
            for message in connection.exchange(timeout_s):
                self._attend_to(message)
        except BorderError as error:
            trouble = f"sent what is no message: {error.what}"
        if trouble or connection.ended:
            self._tell(f"capture {trouble or 'died'}; the supervisor of power is out of reach", trouble=True)
            self.hang_up()

    def hang_up(self) -> None:
        """See `PowerLine.hang_up`: the process ends, now or with its sources."""
        self._attended = False
        if self._finished:
            with self._lock:
                process, self._process = self._process, None
            if process is not None:
                process.bury(kill=False)

    def _attend_to(self, message: Message) -> None:
        match message:
            case PowerTold(said=said):
                self._power_said.append(printable_power(said))
            case Told(level=level, text=text):
                logger.log(level, "capture: %s", printable(text))
            case _:
                raise BorderError("a message of sources that have ended", where="capture")

    def _now_s(self) -> float:
        return self._clock.boot_ns() / NS_PER_S

    def _start(self) -> None:
        """Start a process and tell it what to open; it is ready later."""
        process = StartedProcess(self._plan.rights)
        self._ready = None
        self._asked = self._done = self._adopted = 0
        self._heard_s = self._started_s = self._now_s()
        self._arrived.begin(self._clock.boot_ns())
        with self._lock:
            self._process = process
            adopt = self._adopt
            self._adopt_asked = 0
            process.connection.send(
                Order(
                    self._plan.opener,
                    self._plan.arguments,
                    adopt.collect,
                    adopt.admission,
                    self._buffer_bytes,
                    self._plan.needed,
                ),
                adopt,
            )

    def _await_ready(self) -> None:
        """Wait for a first process until it has opened everything."""
        while self._ready is None:
            if self._failure is not None:
                raise self._failure
            if self._connection is None:
                raise SourceError(f"did not start: {self._cause}", where="capture")
            self._exchange(_GRACE_S)

    def _start_if_due(self) -> None:
        if (
            self._connection is None
            and self._closing_s is None
            and not self._finished
            and self._failure is None
            and self._now_s() >= self._back_off.due_s
        ):
            try:
                self._start()
            except SourceError as error:
                self._mourn(error.what)

    def _wait_without(self, end_s: float) -> None:
        """Let time pass without a process, and start one if that falls due."""
        until_s = min(end_s, max(self._back_off.due_s, self._now_s()))
        self._clock.wait(self._nothing, max(0.0, until_s - self._now_s()))
        self._start_if_due()

    def _ask(self, timeout_s: float) -> int | None:
        """Ask for what has come; None if there is nobody to ask."""
        connection = self._connection
        if connection is None:
            return None
        with self._lock:
            self._asked += 1
            if self._woken:
                self._woken, timeout_s = False, 0.0
            if connection.unsent_bytes == 0:
                connection.send(Ask(self._asked, max(0, round(timeout_s * 1000))))
        return self._asked

    def _exchange(self, timeout_s: float) -> None:
        """Take up what comes in; bury a process that has died, and kill one that does not obey."""
        connection = self._connection
        if connection is None:
            return
        if self._closing_s is not None and self._ready is None:
            # It has read nothing yet that would have to be waited for.
            self._end_process(None)
            return
        try:
            messages = connection.exchange(timeout_s)
            for message in messages:
                self._take(message)
                if self._connection is None:
                    return
        except BorderError as error:
            self._end_process(f"sent what is no message: {error.what}")
            return
        if self._finished:
            return
        now_s = self._now_s()
        if connection.ended:
            self._end_process("")
        elif messages:
            self._heard_s = now_s
        else:
            self._end_if_stuck(now_s)

    def _end_if_stuck(self, now_s: float) -> None:
        """Kill a process from which nothing comes although it should."""
        if self._ready is None:
            if now_s - self._started_s > START_S:
                self._end_process(f"was not ready within {START_S:.0f} s")
        elif self._unadopted_s is not None and now_s - self._unadopted_s > ADOPT_S:
            self._end_process("did not take up what may be collected now")
        elif self._closing_s is not None and now_s - max(self._heard_s, self._closing_s) > END_S:
            self._end_process("did not end")
        elif self._asked > self._done and now_s - self._heard_s > SILENT_S:
            self._end_process("did not answer")

    def _take(self, message: Message) -> None:
        match message:
            case FrameBatch() | Observed():
                self._arrived.take(message)
            case Report(adopted=adopted) | Counts(adopted=adopted):
                self._arrived.hear(message)
                self._took_up(adopted)
            case Done(number=number):
                self._done = number
                if self._unadopted_s is not None and number > self._adopt_asked:
                    self._end_process("did not take up what may be collected now")
            case Ready():
                self._begin(message)
            case Told() | PowerTold():
                self._attend_to(message)
            case Failed():
                self._fail(message)
            case Ended() if self._attended:
                self._arrived.end("")
                self._finished = True
            case Ended():
                self._end_process(None)
            case _:
                raise BorderError("a message that only the core sends", where="capture")

    def _took_up(self, adopted: int) -> None:
        with self._lock:
            self._adopted = adopted
            if adopted >= self._adopt.number:
                self._unadopted_s = None

    def _begin(self, ready: Ready) -> None:
        first = not self.mask
        self._ready = ready
        with self._lock:
            if self._unadopted_s is not None:
                self._unadopted_s = self._now_s()
        self._live, self.items = ready.live, ready.items
        self._arrived.ready(ready.t_ns, ready.mask)
        for lacking in set(ready.lacking) - set(self._told_lacking):
            self._tell(f"capture is not as well guarded as it could be: {printable(lacking)}", trouble=True)
        self._told_lacking = ready.lacking
        if not first and self.outages:
            outage = self.outages[-1]
            missed_s = ((outage.to_ns or outage.from_ns) - outage.from_ns) / NS_PER_S
            self._tell(f"capture runs again; nothing was captured for {missed_s:.3f} s", trouble=False)

    def _fail(self, failed: Failed) -> None:
        """Take up why the process ends: what it could not open or read on, or that it crashed."""
        error = error_of(failed)
        if error is None:
            self._end_process(printable(failed.what) or "crashed")
        elif self._ready is None and self.mask:
            # It ran before, so that a device may come back.
            self._end_process(f"{error.where}: {error.what}" if error.where else error.what)
        else:
            self._failure = error
            self._end_process(None)

    def _end_process(self, crash: str | None) -> None:
        """Let go of the process, dead or alive.

        Args:
            crash: why it is done with; empty if it died by itself, None if it has ended in order.
        """
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return
        ending = process.bury(kill=bool(crash) or self._ready is None)
        cause = None if crash is None else crash or ending
        self._arrived.end(cause or "")
        if cause is None:
            self._finished = self._failure is None
        else:
            self._mourn(cause)

    def _mourn(self, cause: str) -> None:
        """Have another process started after a while."""
        self._cause = cause
        now_s = self._now_s()
        ran_s = 0.0 if self._ready is None else now_s - self._started_s
        delay_s = self._back_off.died(now_s, ran_s=ran_s)
        if self._closing_s is not None:
            self._finished = True
            self._tell(f"capture {cause} while it was to end", trouble=True)
        elif self.mask:
            self._tell(
                f"capture {cause}; it is started again in {delay_s:.0f} s, "
                "and nothing is captured until then",
                trouble=True,
            )

    def _captured(self) -> Captured | None:
        """Hand on what has arrived."""
        found = self._arrived.captured()
        if found is None:
            if self._failure is not None and not self._finished:
                self._finished = True
                raise self._failure
            if self._finished:
                return None
        if found is not None and found.batches:
            return found
        empty = replace(FrameBatch.empty(), timebase=self._clock.timebase(), mask=self.mask)
        return Captured((empty,), () if found is None else found.observations)

    def _tell(self, text: str, *, trouble: bool) -> None:
        logger.log(logging.WARNING if trouble else logging.INFO, "%s", text)
        if self._notify is not None:
            self._notify(Notice(text, trouble))
