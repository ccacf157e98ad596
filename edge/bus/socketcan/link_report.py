"""`LinkReport`: what a source says of its interface: each event counted and logged, and why it is away."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from edge.bus.condition import AlarmKind, BusAlarm, Conditions, Listening
from edge.bus.socketcan.follow import LinkChange, LinkEvent
from edge.bus.socketcan.link import LinkWatch
from edge.bus.socketcan.link_state import LinkState
from edge.bus.socketcan.listening import judge
from edge.clock import NS_PER_S, Clock
from edge.closing import Closing

LOOK_PERIOD_S = 0.2
"""A source may ask at every reading; the kernel is looked to so often."""
LOOK_AWAY_S = 0.02
"""The same while the interface is away: what comes before it is opened again is lost."""

LINES_MAX, LINES_PERIOD_S = 5, 60.0
"""Of one kind of event so many lines are told in such a time; a loose plug must not fill the log."""

_MESSAGES_MISSED = "link messages missed"
_MESSAGES_UNREADABLE = "link messages unreadable"
_QUESTIONS_REFUSED = "link questions refused"
_NOT_AS_CONFIGURED = "not as configured"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a configuration says of an interface that somebody else sets up.

    Attributes:
        bitrate: bits a second; None where nothing is said.
        data_bitrate: of the data phase of CAN FD; None where nothing is said.
        fd: whether CAN FD frames are to be received.
        listen_only: whether its controller has to be listen-only; False where it is known to take part.
    """

    bitrate: int | None = None
    data_bitrate: int | None = None
    fd: bool = False
    listen_only: bool = True

    def unlike(self, state: LinkState) -> tuple[str, ...]:
        """In what an interface is not as expected, a sentence each; what the kernel does not tell is fine."""
        found = []
        if self.bitrate and state.bitrate and state.bitrate != self.bitrate:
            found.append(f"{state.name} has {state.bitrate} bit/s, the configuration says {self.bitrate}")
        if self.data_bitrate and state.data_bitrate and state.data_bitrate != self.data_bitrate:
            found.append(
                f"{state.name} has {state.data_bitrate} bit/s of data, "
                f"the configuration says {self.data_bitrate}"
            )
        if self.fd and state.takes_fd is False:
            found.append(f"{state.name} takes no CAN FD frames, the configuration says fd = true")
        return tuple(found)


class LinkReport(Closing):
    """Looks to an interface for a source, and reports what happens to it.

    Nothing is ever set: whoever configures the interface is told by the log that it is not as it should be.

    Args:
        watch: of the interface; closed with this.
        bus: name of the bus, for the log.
        clock: says when to look again.
        expected: what the configuration says of the interface.
        conditions: where it is put down how the bus stands.
    """

    def __init__(
        self,
        watch: LinkWatch,
        *,
        bus: str,
        clock: Clock,
        expected: Expected | None = None,
        conditions: Conditions | None = None,
    ) -> None:
        self._watch = watch
        self._bus = bus
        self._clock = clock
        self._expected = expected or Expected()
        self._conditions = conditions or Conditions()
        self._unlike: tuple[str, ...] = ()
        self._look_at_ns = 0
        self._lines: dict[LinkEvent, tuple[int, int]] = {}
        self._facts: Counter[str] = Counter(
            {
                LinkEvent.DOWN: 0,
                LinkEvent.UP: 0,
                LinkEvent.GONE: 0,
                LinkEvent.BACK: 0,
                LinkEvent.OTHER_DEVICE: 0,
                LinkEvent.RENAMED: 0,
                LinkEvent.BITRATE: 0,
                LinkEvent.BUS_OFF: 0,
                LinkEvent.RESTARTED: 0,
                LinkEvent.STATE: 0,
                LinkEvent.NOT_LISTEN_ONLY: 0,
                LinkEvent.LISTEN_ONLY: 0,
            }
        )
        if watch.state is not None:
            logger.info("bus %s: %s is %s", bus, watch.state.name, watch.state)
        self.look()

    @property
    def state(self) -> LinkState | None:
        """The interface as of the last look; None while there is none."""
        return self._watch.state

    @property
    def interface(self) -> str:
        """By which name it is to be opened now: its own, or where it is gone the one to come back by."""
        state = self._watch.state
        return self._watch.interface if state is None else state.name

    @property
    def outage(self) -> str:
        """Why nothing can come from the interface as of the last look; empty while it is there and up."""
        state = self._watch.state
        if state is None:
            return f"{self._watch.interface} is gone"
        return "" if state.up else f"{state.name} is down"

    @property
    def listen_only_alarm(self) -> bool:
        """Whether the interface has to be listen-only, and was up without being so as of the last look."""
        return self._expected.listen_only and self._watch.listen_only_alarm

    @property
    def facts(self) -> Mapping[str, int]:
        """What was counted, for the account: events of the link, and what could not be learnt of them."""
        facts = {
            _MESSAGES_MISSED: self._watch.overruns,
            _MESSAGES_UNREADABLE: self._watch.unreadable,
            _QUESTIONS_REFUSED: self._watch.unanswered,
        }
        return +(self._facts + Counter(facts))

    @property
    def blind(self) -> bool:
        """Whether the kernel could not be asked, so that state and outage may be old ones."""
        return self._watch.blind

    def fileno(self) -> int:
        """See `LinkWatch.fileno`: when it is readable, `look` has something to hear."""
        return self._watch.fileno()

    def look(self, *, at_once: bool = False) -> tuple[LinkChange, ...]:
        """Look to the interface if that is due, count and log what has happened; never waits.

        Args:
            at_once: whether to look, and to ask the kernel, whatever the time: reading has just failed.

        Returns:
            What has happened, in order.
        """
        now_ns = self._clock.boot_ns()
        if not at_once and now_ns < self._look_at_ns:
            return ()
        changes = self._watch.look(ask=at_once)
        period_s = LOOK_AWAY_S if self.outage else LOOK_PERIOD_S
        self._look_at_ns = now_ns + round(period_s * NS_PER_S)
        for change in changes:
            self._facts[change.event] += change.count
            if change.event is not LinkEvent.STATE:
                # Error frames tell of states with their time; here they only stand in for lost ones.
                self._tell(change, now_ns)
        self._compare()
        self._put_down()
        return changes

    def close(self) -> None:
        """Close the watch; a second call does nothing."""
        self._watch.close()

    def _tell(self, change: LinkChange, now_ns: int) -> None:
        since_ns, lines = self._lines.get(change.event, (now_ns, 0))
        if now_ns - since_ns >= LINES_PERIOD_S * NS_PER_S:
            since_ns, lines = now_ns, 0
        self._lines[change.event] = (since_ns, lines + 1)
        known = change.event is LinkEvent.NOT_LISTEN_ONLY and not self._expected.listen_only
        level = logging.WARNING if change.trouble and not known else logging.INFO
        if lines < LINES_MAX:
            times = f" ({change.count} times)" if change.count > 1 else ""
            times += ", as the configuration says (listen_only)" if known else ""
            logger.log(level, "bus %s: %s%s", self._bus, change.words, times)
        elif lines == LINES_MAX:
            logger.log(
                level,
                "bus %s: '%s' goes on; it is counted, and told again in a minute",
                self._bus,
                change.event,
            )

    def _compare(self) -> None:
        """Raise an alarm for what is not as configured, once for each, and clear it when it is."""
        state = self._watch.state
        if state is None or not state.up:
            return
        unlike = self._expected.unlike(state)
        for words in unlike:
            if words not in self._unlike:
                self._facts[_NOT_AS_CONFIGURED] += 1
                logger.warning("bus %s: %s", self._bus, words)
        if self._unlike and not unlike:
            logger.info("bus %s: %s is as configured now", self._bus, state.name)
        self._unlike = unlike

    def _put_down(self) -> None:
        """Say how the bus stands now; an interface that is down keeps the alarms that it had."""
        state = self._watch.state
        alarms = [BusAlarm(AlarmKind.NOT_AS_CONFIGURED, words) for words in self._unlike]
        if state is not None and self.listen_only_alarm:
            alarms.insert(0, BusAlarm(AlarmKind.NOT_LISTEN_ONLY, judge(state).words))
        listening = Listening.UNKNOWN
        if state is not None and state.listen_only is not None:
            listening = Listening.ONLY if state.listen_only else Listening.NOT_ONLY
        self._conditions.tell(
            replace(
                self._conditions.of(self._bus),
                link="" if state is None else str(state),
                listening=listening,
                listening_required=self._expected.listen_only,
                away=self.outage,
                alarms=() if state is None else tuple(alarms),
            )
        )
