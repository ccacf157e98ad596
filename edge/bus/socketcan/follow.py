"""`LinkFollower`: follows one interface through what the kernel tells, and says what happened to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from edge.bus.socketcan.bus_state import ControllerState
from edge.bus.socketcan.link_state import LinkState
from edge.bus.socketcan.listening import ListenOnlyAlarm
from edge.bus.socketcan.netlink import LinkTold


class LinkEvent(StrEnum):
    """What can happen to an interface; the words are those of the account."""

    DOWN = "link down"
    UP = "link up"
    GONE = "link gone"
    BACK = "link back"
    OTHER_DEVICE = "link back as another device"
    RENAMED = "link renamed"
    BITRATE = "bitrate changed"
    BUS_OFF = "link bus-off"
    RESTARTED = "link restarted"
    STATE = "controller state changed"
    NOT_LISTEN_ONLY = "not listen-only"
    LISTEN_ONLY = "listen-only again"


@dataclass(frozen=True, slots=True)
class LinkChange:
    """Something happened to an interface.

    Attributes:
        event: what.
        words: for people, one sentence without a full stop.
        trouble: whether somebody has to be told, as something may be lost or wrong from now on.
        count: how often, where the driver has counted more than one since the last look.
    """

    event: LinkEvent
    words: str
    trouble: bool = False
    count: int = 1


class LinkFollower:
    """Follows an interface by the index that the kernel gave it.

    A renamed interface is followed. One that is gone is looked for by the name that it was asked for by: a
    device that is plugged in again comes as a new interface. Such a one that gives the name away before it
    was ever up has only passed through it, as while names are handed out to several adapters, and is not
    followed.

    Args:
        interface: its name, or one of its alternative names.

    Attributes:
        state: as told last; None while there is no such interface.
    """

    def __init__(self, interface: str) -> None:
        self.interface = interface
        self.state: LinkState | None = None
        self._last: LinkState | None = None
        self._settled = True
        self._alarm = ListenOnlyAlarm()

    @property
    def listen_only_alarm(self) -> bool:
        """Whether it was last found to be able to send."""
        return self._alarm.standing

    def hear(self, message: LinkTold) -> tuple[LinkChange, ...]:
        """Take in what the kernel tells of any link, in the order in which it does."""
        link, state = message.link, self.state
        if state is not None and link.index == state.index:
            new = LinkState.of(link)
            if message.deleted:
                return self._gone(f"{state.name} is gone")
            if not self._settled and not new.answers_to(self.interface):
                return self._gone(f"{state.name} is {new.name} now, and was never up under its old name")
            return tuple(self._changed(state, new))
        if state is None and not message.deleted:
            new = LinkState.of(link)
            if new.answers_to(self.interface):
                return tuple(self._found(new))
        return ()

    def absent(self) -> tuple[LinkChange, ...]:
        """Take in that the kernel does not know the interface that it was asked for."""
        return () if self.state is None else self._gone(f"{self.state.name} is gone")

    def _gone(self, words: str) -> tuple[LinkChange, ...]:
        self.state = None
        self._alarm = ListenOnlyAlarm()
        return (LinkChange(LinkEvent.GONE, words, trouble=True),)

    def _found(self, new: LinkState) -> Iterator[LinkChange]:
        last = self._last
        self._settled = new.up or last is None
        if last is None:
            yield from _states(_of_unknown_past(new), new)
            yield from self._accept(new)
            return
        if new.device and last.device and new.device != last.device:
            yield LinkChange(
                LinkEvent.OTHER_DEVICE,
                f"{new.name} is back, and another device is behind it: {new.device}, before {last.device}",
                trouble=True,
            )
        else:
            yield LinkChange(LinkEvent.BACK, f"{new.name} is back")
        yield from self._changed(replace(_of_unknown_past(new), up=last.up), new)

    def _changed(self, before: LinkState, new: LinkState) -> Iterator[LinkChange]:
        if new.name != before.name:
            yield LinkChange(LinkEvent.RENAMED, f"{before.name} is called {new.name} now", trouble=True)
        if before.up and not new.up:
            yield LinkChange(LinkEvent.DOWN, f"{new.name} is down", trouble=True)
        yield from self._rates(new)
        yield from _states(before, new)
        if new.up and not before.up:
            yield LinkChange(LinkEvent.UP, f"{new.name} is up: {new}")
        yield from self._accept(new)

    def _rates(self, new: LinkState) -> Iterator[LinkChange]:
        """Compare bit rates with the last that were set: while an interface is made there are none."""
        last = self._last
        if last is None or not new.bitrate or not last.bitrate:
            return
        if (new.bitrate, new.data_bitrate) != (last.bitrate, last.data_bitrate):
            yield LinkChange(
                LinkEvent.BITRATE, f"{new.name} has {_rate(new)} now, before {_rate(last)}", trouble=True
            )

    def _accept(self, new: LinkState) -> Iterator[LinkChange]:
        self.state = new
        self._settled = self._settled or new.up
        last = self._last
        if last is not None and not new.bitrate:
            self._last = replace(new, bitrate=last.bitrate, data_bitrate=last.data_bitrate)
        else:
            self._last = new
        judgement = self._alarm.look(new)
        if judgement is not None:
            yield LinkChange(
                LinkEvent.NOT_LISTEN_ONLY if judgement.alarm else LinkEvent.LISTEN_ONLY,
                judgement.words,
                trouble=judgement.alarm,
            )


def _of_unknown_past(state: LinkState) -> LinkState:
    """Before what was found first of an interface: nothing is known of what its controller went through."""
    return replace(state, controller_state=ControllerState.UNKNOWN, counts=None)


def _rate(state: LinkState) -> str:
    data = f" and {state.data_bitrate} bit/s of data" if state.data_bitrate else ""
    return f"{state.bitrate} bit/s{data}"


def _states(before: LinkState, new: LinkState) -> Iterator[LinkChange]:
    """What became of the controller: by its driver's counts where those rose, else by its state."""
    was, now = before.controller_state, new.controller_state
    off = _risen(before, new, "bus_offs") or int(now is ControllerState.BUS_OFF and now is not was)
    restarted = _risen(before, new, "restarts") or int(
        was is ControllerState.BUS_OFF and now is not was and before.up and new.up
    )
    if off:
        yield LinkChange(
            LinkEvent.BUS_OFF, f"{new.name} is bus-off; {_restart(new)}", trouble=True, count=off
        )
    if restarted:
        yield LinkChange(LinkEvent.RESTARTED, f"{new.name} was restarted after bus-off", count=restarted)
    if not off and not restarted and now is not was and ControllerState.UNKNOWN not in {was, now}:
        yield LinkChange(LinkEvent.STATE, f"{new.name}: controller is {now}, was {was}")


def _restart(state: LinkState) -> str:
    if state.restart_ms:
        return f"it is restarted after {state.restart_ms} ms"
    return f"it stays so until somebody restarts it: 'ip link set {state.name} type can restart'"


def _risen(before: LinkState, new: LinkState, count: str) -> int:
    if before.counts is None or new.counts is None:
        return 0
    return max(0, int(getattr(new.counts, count)) - int(getattr(before.counts, count)))
