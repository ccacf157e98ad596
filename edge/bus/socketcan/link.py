"""`LinkWatch`: asks the kernel about one interface, and hears what it tells of its own accord."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable

from edge.bus.socketcan.follow import LinkChange, LinkFollower
from edge.bus.socketcan.link_state import LinkState
from edge.bus.socketcan.netlink import LinkTold, Refused, Unreadable, question, told
from edge.clock import NS_PER_S, Clock
from edge.closing import Closing
from edge.errors import SourceError

ASK_PERIOD_S = 2.0
"""The kernel is asked anew so often: it tells nothing of its own accord of a controller's error state, nor of
what is set while an interface is down. An answer may have to wait for whoever changes links just then."""

DATAGRAMS_MAX = 64
"""Taken at one look: a machine whose links change all the time must not keep frames waiting."""

_RTMGRP_LINK = 1
_DATAGRAM_BYTES = 1 << 16
_NOT_KNOWN = frozenset({errno.ENODEV, errno.ENXIO, errno.EADDRNOTAVAIL})


class NetlinkSocket(Closing):
    """A socket on which the kernel answers questions about links, and tells of all that happens to them.

    Raises:
        OSError: there is none to be had.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC,
            socket.NETLINK_ROUTE,
        )
        try:
            self._socket.bind((0, _RTMGRP_LINK))
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Its descriptor; -1 once closed."""
        return self._socket.fileno()

    def ask(self, request: bytes) -> None:
        """Put a question; its answer is there when this returns.

        Raises:
            OSError: it cannot be put.
        """
        # A plain write: whoever forbids this process to send on sockets need make no exception for it.
        os.write(self.fileno(), request)

    def hear(self) -> bytes:
        """The next datagram; empty if it does not come from the kernel.

        Raises:
            BlockingIOError: there is none.
            OSError: some were missed (``ENOBUFS``).
        """
        datagram, (sender, _) = self._socket.recvfrom(_DATAGRAM_BYTES)
        return b"" if sender else datagram

    def close(self) -> None:
        """Close it; a second call does nothing."""
        self._socket.close()


class LinkWatch(Closing):
    """Watches one interface over a netlink socket that only asks and listens: nothing is ever set.

    What was missed, since the socket's buffer was full, is made up by asking anew; what an interface went
    through meanwhile is then known by its end alone.

    Args:
        interface: its name, or one of its alternative names; it need not be there.
        clock: says when to ask anew.
        open_socket: how the kernel is reached.

    Attributes:
        overruns: how often messages were missed.
        unreadable: messages of the kernel whose lengths contradict each other.
        unanswered: questions that could not be asked.
        blind: whether the last one could not, so that the state may be an old one.

    Raises:
        SourceError: the kernel cannot be asked.
    """

    def __init__(
        self, interface: str, clock: Clock, *, open_socket: Callable[[], NetlinkSocket] = NetlinkSocket
    ) -> None:
        self._clock = clock
        self._follower = LinkFollower(interface)
        self._sequence = 0
        self._asked_index = 0
        self._ask_at_ns: int | None = None
        self.overruns = self.unreadable = self.unanswered = 0
        self.blind = False
        try:
            question(0, name=interface)
            self._socket = open_socket()
        except ValueError as error:
            raise SourceError("is no name of an interface", where=repr(interface)) from error
        except OSError as error:
            raise SourceError(
                f"the kernel cannot be asked about its link: {error.strerror}",
                where=interface,
                todo="Allow AF_NETLINK in the service (RestrictAddressFamilies)",
            ) from error
        self._first = self._look()
        if self.unanswered:
            self.close()
            raise SourceError("the kernel takes no questions about its link", where=interface)

    @property
    def interface(self) -> str:
        """By which name it was asked for."""
        return self._follower.interface

    @property
    def state(self) -> LinkState | None:
        """The interface as of the last look; None while there is none."""
        return self._follower.state

    @property
    def listen_only_alarm(self) -> bool:
        """Whether the interface was up and not listen-only when that was told last."""
        return self._follower.listen_only_alarm

    def fileno(self) -> int:
        """A descriptor that becomes readable when the kernel tells of any link; -1 once closed."""
        return self._socket.fileno()

    def look(self, *, ask: bool = False) -> tuple[LinkChange, ...]:
        """Take in what there is, without waiting, and tell what happened since the last look.

        The first look also tells of a state that is trouble already.

        Args:
            ask: whether to ask anew now, and not only when that is due.
        """
        first, self._first = self._first, ()
        return first + self._look(ask=ask)

    def close(self) -> None:
        """Close the socket; a second call does nothing, and a look then tells nothing."""
        self._socket.close()

    def _look(self, *, ask: bool = False) -> tuple[LinkChange, ...]:
        if self.fileno() < 0:
            return ()
        changes = self._drain()
        if ask or self._ask_at_ns is None or self._clock.boot_ns() >= self._ask_at_ns:
            changes += self._ask()
            if self._asked_index and self.state is None:
                # What has that index no more may be back under its name already.
                changes += self._ask()
        return changes

    def _ask(self) -> tuple[LinkChange, ...]:
        """Ask, and take the answer, which is there when the question has been written."""
        self._sequence += 1
        self._asked_index = 0 if self.state is None else self.state.index
        self._ask_at_ns = self._clock.boot_ns() + round(ASK_PERIOD_S * NS_PER_S)
        try:
            self._socket.ask(question(self._sequence, index=self._asked_index, name=self.interface))
        except OSError:
            self.unanswered += 1
            self.blind = True
            return ()
        self.blind = False
        return self._drain()

    def _drain(self) -> tuple[LinkChange, ...]:
        changes: list[LinkChange] = []
        for _ in range(DATAGRAMS_MAX):
            try:
                datagram = self._socket.hear()
            except BlockingIOError:
                break
            except OSError as error:
                self.overruns += 1
                self._ask_at_ns = None
                if error.errno == errno.ENOBUFS:
                    continue
                break
            for message in told(datagram):
                changes += self._take(message)
        return tuple(changes)

    def _take(self, message: LinkTold | Refused | Unreadable) -> tuple[LinkChange, ...]:
        match message:
            case LinkTold():
                return self._follower.hear(message)
            case Refused(sequence=sequence, error=error) if sequence == self._sequence:
                state = self.state
                if error in _NOT_KNOWN and state is not None and state.index == self._asked_index:
                    return self._follower.absent()
            case Unreadable():
                self.unreadable += 1
        return ()
