"""`AtWork`: a session that is logged in: reports, heartbeats, and a data key that is renewed in time."""

from __future__ import annotations

from edge.clock import NS_PER_S
from edge.uplink.gbt import troubles
from edge.uplink.gbt.actions import Actions
from edge.uplink.gbt.heartbeats import Heartbeats
from edge.uplink.gbt.key_exchange import KeyExchange
from edge.uplink.gbt.platform_clock import PlatformClock
from edge.uplink.gbt.reports import Reports
from edge.uplink.gbt.terminal import Terminal
from edge.uplink.reasons import Reason
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import Command


class AtWork:
    """Sends what is to be sent while the session is logged in, and sees whether anybody answers.

    Args:
        terminal: says who it is.
        clock: wall time.
        reports: what is sent out of the store.
        beats: when heartbeats go.
        keys: data keys, if any.
        actions: what is to be done.

    Attributes:
        hurried: whether the end is near, so that heartbeats do not wait for their time.
    """

    def __init__(
        self,
        terminal: Terminal,
        clock: PlatformClock,
        reports: Reports,
        beats: Heartbeats,
        keys: KeyExchange,
        actions: Actions,
    ) -> None:
        self.hurried = False
        self._terminal = terminal
        self._clock = clock
        self._reports = reports
        self._beats = beats
        self._keys = keys
        self._actions = actions

    def useless(self, now_ns: int) -> Reason | None:
        """Why nothing is to be hoped for of the connection any more, if so."""
        gone_ns, overdue_ns = self._beats.given_up_ns(), self._reports.overdue_ns()
        if gone_ns is not None and now_ns >= gone_ns:
            return troubles.NO_BEAT
        if overdue_ns is not None and now_ns >= overdue_ns:
            return troubles.NO_REPORT_ANSWER
        return None

    def send(self, now_ns: int, login_ns: int) -> None:
        """Send what is due.

        Args:
            now_ns: boot time.
            login_ns: that of the login.
        """
        self._keys.renew(now_ns)
        self._send_reports(now_ns, login_ns)
        if now_ns >= self._beats.due_ns(wanted=self._beat_wanted()):
            self._beats.sent(now_ns)
            self._actions.send(self._terminal.plain(Command.HEARTBEAT), now_ns)

    def beaten(self, now_ns: int) -> bool:
        """A heartbeat was answered with success; False if none was to be answered."""
        number = self._beats.answered(now_ns)
        if number is None:
            return False
        self._reports.beaten(number)
        return True

    def wake_ns(self, now_ns: int) -> int | None:
        """When `useless` or `send` has something to do, if nothing happens before."""
        times = (
            self._beats.due_ns(wanted=self._beat_wanted()),
            self._beats.given_up_ns(),
            self._reports.overdue_ns(),
            self._reports.due_ns(),
            self._keys.wake_ns(now_ns),
        )
        return min((at_ns for at_ns in times if at_ns is not None and at_ns > now_ns), default=None)

    def _beat_wanted(self) -> bool:
        reports = self._reports
        waits = reports.urgent or self.hurried
        return reports.by_heartbeat and reports.under_way > 0 and waits

    def _send_reports(self, now_ns: int, login_ns: int) -> None:
        wall_s = self._clock.timebase().wall_ns(now_ns) // NS_PER_S
        seal = self._keys.sealing(now_ns)
        while seal is not None:
            frame = self._reports.next(now_ns, wall_s, login_ns, self._actions.unsent, self._beats.count)
            if frame is None:
                return
            try:
                self._actions.send_frame(seal(frame))
            except GbtError:
                self._reports.too_long()
                continue
            self._actions.facts["reports sent"] += 1
