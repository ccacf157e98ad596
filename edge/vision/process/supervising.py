"""`VisionProcess`: a camera in a process of its own, watched, ended and started again by the gateway."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from edge.account import Hop
from edge.capturing.back_off import BackOff
from edge.capturing.rights import Rights
from edge.clock import NS_PER_S, Clock
from edge.errors import VisionError
from edge.uplink.events import Notice
from edge.vision.media import Media
from edge.vision.plan import VisionPlan
from edge.vision.process.believing import is_believed, is_believed_account
from edge.vision.process.early import EarlyOrders
from edge.vision.process.lives import VisionLives
from edge.vision.process.messages import (
    Close,
    Counted,
    Done,
    Failed,
    Pictured,
    PlainHop,
    PlanOrder,
    Ready,
    Request,
    Said,
    ToChild,
    ToGateway,
    Trigger,
    encode,
    media_of,
)
from edge.vision.process.opening import PLANNED
from edge.vision.process.said import plain
from edge.vision.process.started import StartedVision
from edge.vision.process.surface import LOST_ORDERS, Tell, VisionSource
from edge.vision.reasons import Dropped

START_S = 60.0
"""Models are loaded and the camera is open by then, on a small machine too."""

SILENT_S = 15.0
"""The process reports several times a second; one that says nothing for so long hangs, and is killed."""

WAITING_BYTES_MOST = 64 << 20
WAITING_MOST = 256
"""Stills and clips that wait to be taken; what comes beyond that is dropped."""

LINES_MOST, LINES_S = 50, 60.0
"""So many lines of the process go to the log in that time; it is not to fill a disk."""

_UNSENT_MOST = 1 << 20
_EXCHANGE_S = 0.05

logger = logging.getLogger(__name__)


class VisionProcess(VisionSource):
    """Takes stills and clips from a process that alone sees what a camera sees.

    While `allowed` says no there is no process, and the device is closed: one that runs is killed with the
    step that hears it. A process that dies is started again after 1 s, then after twice as long up to 30 s;
    one that says that it will fail again, such as where a model is not the pinned one, is not.

    For one thread, which should live as long as the gateway: the process dies with the thread whose step
    started it. No step waits for anything.

    Args:
        plan: what the process is to do.
        clock: stamps starts and deaths.
        tell: told of deaths and new starts; they go to the log too.
        allowed: whether pictures may be taken now; asked in each step.
        rights: what the process may do that not everybody may; whom it becomes.
        opening: see `edge.vision.process.opening.opening_of`.
        silent_s: see `SILENT_S`.

    Attributes:
        failure: why no process is started any more; None while that may be.
        ended: whether the camera has come to its end, as a file does.
    """

    def __init__(
        self,
        plan: VisionPlan,
        *,
        clock: Clock,
        tell: Tell | None = None,
        allowed: Callable[[], bool] = lambda: True,
        rights: Rights = Rights(),  # noqa: B008 - frozen
        opening: str = PLANNED,
        silent_s: float = SILENT_S,
    ) -> None:
        self._plan = plan
        self._clock = clock
        self._notify = tell
        self._allowed = allowed
        self._rights = rights
        self._opening = opening
        self._silent_s = silent_s
        self._lives = VisionLives(plan.name)
        self._early = EarlyOrders()
        self._wanted = False
        self._closing = False
        self._process: StartedVision | None = None
        self._killed: StartedVision | None = None
        self._cause = ""
        self._ready = False
        self._heard_s = self._started_s = self._now_s()
        self._back_off = BackOff(self._started_s)
        self._media: list[Media] = []
        self._media_bytes = 0
        self._told_lacking: tuple[str, ...] = ()
        self._told_words = False
        self._lines = 0
        self._lines_from_s = self._started_s
        self.failure: VisionError | None = None
        self.ended = False

    @property
    def pid(self) -> int | None:
        """Process id; None while there is none that works."""
        return None if self._process is None else self._process.pid

    @property
    def ready(self) -> bool:
        """Whether the camera is open, and confined."""
        return self._ready

    def start(self) -> None:
        """See `VisionSource.start`."""
        self._wanted = True

    def step(self, now_ns: int) -> None:
        """See `VisionSource.step`; `allowed` is heeded with it, so that its pace decides how soon."""
        now_s = now_ns / NS_PER_S
        self._reap()
        may = self._may()
        self._lives.note(fact=LOST_ORDERS, count=self._early.lapsed(now_s))
        if self._process is None:
            if may and self._killed is None and not self._closing and now_s >= self._back_off.due_s:
                self._begin(now_s)
            return
        if not may:
            self._forbid()
            return
        self._process.go_on()
        self._exchange(now_s, 0.0)

    def take(self) -> list[Media]:
        """See `VisionSource.take`."""
        found, self._media, self._media_bytes = self._media, [], 0
        return found

    def request(self) -> bool:
        """See `VisionSource.request`."""
        return self._ask(Request())

    def trigger(self, name: str, t_ns: int) -> bool:
        """See `VisionSource.trigger`."""
        return self._ask(Trigger(name=name, t_ns=t_ns))

    def hops(self) -> tuple[Hop, ...]:
        """See `VisionSource.hops`."""
        return self._lives.hops()

    @property
    def gone(self) -> bool:
        """See `VisionSource.gone`."""
        return self._process is None and self._killed is None

    def stop(self) -> None:
        """See `VisionSource.stop`: the process is killed."""
        self._want_no_more()
        self._hear_out()
        if self._process is not None:
            self._end(Dropped.STOPPED if self._allowed() else Dropped.POLICY, "", mourned=False)

    def close(self, within_s: float) -> None:
        """See `VisionSource.close`; a process that takes longer is killed."""
        self._want_no_more()
        end_s = self._now_s() + within_s
        if self._order(Close()):
            while (process := self._process) is not None and self._now_s() < end_s and self._allowed():
                process.go_on()
                self._exchange(self._now_s(), _EXCHANGE_S)
        if self._process is not None:
            self._end(Dropped.STOPPED if self._allowed() else Dropped.POLICY, "did not end", mourned=False)
        never = threading.Event()
        while self._killed is not None and self._now_s() < end_s + 1:
            self._clock.wait(never, _EXCHANGE_S / 10)
            self._reap()

    def _want_no_more(self) -> None:
        self._wanted = False
        self._closing = True
        self._lives.note(fact=LOST_ORDERS, count=self._early.let_go())

    def _now_s(self) -> float:
        return self._clock.boot_ns() / NS_PER_S

    def _begin(self, now_s: float) -> None:
        self._started_s = self._heard_s = now_s
        self._ready = False
        try:
            self._process = StartedVision(self._rights, self._opening)
        except VisionError as error:
            self._mourn(error.what, ran_s=0.0)
            return
        self._process.channel.send(encode(PlanOrder.model_validate({"plan": self._plan.as_json()})))
        self._process.go_on()

    def _may(self) -> bool:
        return self._wanted and not self.ended and self.failure is None and self._allowed()

    def _ask(self, order: Request | Trigger) -> bool:
        """Ask the camera now, or as soon as it is ready."""
        waits = not self._ready and self._may()
        if self._order(order) or (waits and self._early.keep(order, self._now_s())):
            return True
        self._lives.note(fact=LOST_ORDERS)
        return False

    def _order(self, order: ToChild) -> bool:
        process = self._process
        if process is None or not self._ready or process.channel.unsent_bytes > _UNSENT_MOST:
            return False
        process.channel.send(encode(order))
        return True

    def _exchange(self, now_s: float, timeout_s: float) -> None:
        """Take up what comes in; kill what does not obey."""
        process = self._process
        if process is None:
            return
        try:
            messages = process.channel.receive(timeout_s)
            for message, body in messages:
                self._hear(message, body)
                if self._process is None:
                    return
        except VisionError as error:
            self._lives.note("messages that were none")
            self._end(Dropped.CRASH, f"sent what is no message: {error.what}")
            return
        if process.words_bytes() and not self._told_words:
            self._told_words = True
            logger.info(
                "camera %s: a library wrote to its standard streams; that is shown nowhere", self._name
            )
        if messages:
            self._heard_s = now_s
        self._end_if_stuck(process, now_s)

    def _end_if_stuck(self, process: StartedVision, now_s: float) -> None:
        """End a process that is dead, or from which nothing comes although it should."""
        if process.channel.ended:
            self._end(Dropped.CRASH, "")
        elif not self._ready and now_s - self._started_s > START_S:
            self._end(Dropped.CRASH, f"was not ready within {START_S:.0f} s")
        elif self._ready and now_s - self._heard_s > self._silent_s:
            self._end(Dropped.CRASH, f"said nothing for {self._silent_s:.0f} s")

    @property
    def _name(self) -> str:
        return self._plan.name

    def _hear(self, message: ToChild | ToGateway, body: bytes) -> None:
        """Take up one message.

        Raises:
            VisionError: it cannot be.
        """
        match message:
            case Ready(lacking=lacking) if not self._ready:
                self._ready = True
                self._tell_lacking(lacking)
                for order in self._early.hand_on():
                    self._ask(order)
            case Counted(hops=hops):
                self._take_account(hops)
            case Pictured() if self._ready:
                self._take_up(media_of(message, body))
            case Said(level=level, text=text):
                self._log(level, text)
            case Failed():
                self._fail(message)
            case Done() if self._ready:
                self.ended = not self._closing
                self._end(Dropped.STOPPED, "", mourned=False)
            case _:
                raise VisionError("a message out of turn")

    def _hear_out(self) -> None:
        """Take up the accounts that have come: nothing else is wanted of a process that is to be killed."""
        with suppress(VisionError):
            for message, _ in () if self._process is None else self._process.channel.receive(0):
                if isinstance(message, Counted):
                    self._take_account(message.hops)

    def _take_account(self, told: Sequence[PlainHop]) -> None:
        hops = [
            Hop(one.name, "frames", one.entered, one.left, one.set_aside, facts=one.facts) for one in told
        ]
        if not is_believed_account(hops, self._plan, self._lives.facts):
            raise VisionError("an account that is not of this camera")
        self._lives.report(hops)

    def _take_up(self, media: Media) -> None:
        """Hand on what is of this camera, and could be.

        Raises:
            VisionError: it is not, so that nothing of this process is believed any more.
        """
        if not is_believed(media, self._plan, self._clock.boot_ns()):
            self._lives.refuse(Dropped.DAMAGED)
            raise VisionError("a picture that is not of this camera, or of no time")
        if len(self._media) >= WAITING_MOST or self._media_bytes + len(media.content) > WAITING_BYTES_MOST:
            self._lives.refuse(Dropped.QUEUE)
            return
        self._lives.arrive()
        self._media.append(media)
        self._media_bytes += len(media.content)

    def _log(self, level: int, text: str) -> None:
        now_s = self._now_s()
        if now_s - self._lines_from_s > LINES_S:
            self._lines, self._lines_from_s = 0, now_s
        self._lines += 1
        if self._lines <= LINES_MOST:
            logger.log(level, "camera %s: %s", self._name, plain(text))
        else:
            self._lives.note("lines that were not logged")

    def _fail(self, failed: Failed) -> None:
        """Take up why the process ends."""
        what, where, todo = map(plain, (failed.what, failed.where, failed.todo))
        if not failed.final:
            self._end(Dropped.CRASH, f"{where}: {what}" if where else what)
            return
        self.failure = VisionError(what, where=where or f"camera {self._name}", todo=todo)
        self._end(Dropped.CRASH, what, mourned=False)
        self._tell(
            f"camera {self._name}: {where + ': ' if where else ''}{what}; "
            "it stays closed until that is mended and the gateway started again",
            trouble=True,
        )

    def _forbid(self) -> None:
        """End the process at once, with all that is in it: it may not see any more."""
        self._hear_out()
        held = len(self._media)
        self._lives.withdraw(Dropped.POLICY, held)
        self.take()
        self._end(Dropped.POLICY, "", mourned=False)

    def _end(self, lost: Dropped, cause: str, *, mourned: bool = True) -> None:
        """Let go of the process.

        Args:
            lost: why what was in it is lost.
            cause: what it did; empty where how it died tells.
            mourned: whether it should have lived.
        """
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        ran_s, self._ready = self._now_s() - self._started_s if self._ready else 0.0, False
        self._killed, self._cause = process, cause
        self._lives.end(lost)
        if mourned:
            self._lives.note("crashes")
            self._mourn(cause or "died", ran_s=ran_s)
        self._reap()

    def _mourn(self, cause: str, *, ran_s: float) -> None:
        delay_s = self._back_off.died(self._now_s(), ran_s=ran_s)
        self._tell(
            f"camera {self._name}: its process {cause}; it is started again in {delay_s:.0f} s", trouble=True
        )

    def _reap(self) -> None:
        if self._killed is not None and (how := self._killed.reaped()) is not None:
            logger.info("camera %s: its process %s", self._name, how)
            self._killed = None

    def _tell_lacking(self, lacking: tuple[str, ...]) -> None:
        for sentence in lacking:
            if sentence not in self._told_lacking:
                self._tell(
                    f"camera {self._name} is not as well guarded as it could be: {plain(sentence)}",
                    trouble=True,
                )
        self._told_lacking = lacking

    def _tell(self, text: str, *, trouble: bool) -> None:
        logger.log(logging.WARNING if trouble else logging.INFO, "%s", text)
        if self._notify is not None:
            self._notify(Notice(text, trouble))
