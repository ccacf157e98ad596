"""`Trial`: captures the phases of the egress test one after the other."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from edge.clock import NS_PER_S, Clock
from edge.egress.flows import FlowTable
from edge.egress.frame import Frame
from edge.egress.packet_socket import LinkAddress, Take
from edge.egress.result import Basis, Phase, PhaseResult

_TICK_S = 0.2
_STOOD_STILL_S = 10.0
_DRAIN_S = 5.0


class PacketSource(Protocol):
    """Where packets come from: `edge.egress.packet_socket.PacketSocket`, in tests a list."""

    def read(self, timeout_s: float, take: Take, *, most: int = ...) -> int:
        """Hand packets to `take`, waiting for the first; tell how many there were."""

    def lost(self) -> int:
        """How many packets there was no room for, since the last call."""

    def interfaces(self) -> Collection[str]:
        """Those that are there now and are read."""


class Trial:
    """Captures phases; between them too, so that what a vehicle sends while it is switched counts.

    Args:
        source: of packets.
        table: counts them.
        clock: tells how long a phase lasts.
        stopped: whether the test is to end now.
    """

    def __init__(
        self,
        source: PacketSource,
        table: FlowTable,
        clock: Clock,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._source = source
        self._table = table
        self._clock = clock
        self._stopped = stopped

    def wait(self, phase: Phase, ready: Callable[[], bool], record: Take | None = None) -> bool:
        """Capture into a phase that has not begun yet, until `ready` says that it may.

        Returns:
            Whether it may; False if the test ends.
        """
        while not self._stopped():
            if ready():
                return True
            self._source.read(_TICK_S, self._taking(phase, record))
        return False

    def run(
        self,
        phase: Phase,
        seconds: float,
        *,
        record: Take | None = None,
        progress: Callable[[float], None] = lambda _: None,
    ) -> PhaseResult:
        """Capture one phase.

        Args:
            phase: which.
            seconds: how long; it may be stopped earlier, which the result shows.
            record: gets each packet too.
            progress: is told how many seconds have passed.
        """
        take = self._taking(phase, record)
        begun_ns = seen_ns = self._clock.boot_ns()
        still_ns = 0
        interfaces = set(self._source.interfaces())
        while not self._stopped() and (left_ns := begun_ns + round(seconds * NS_PER_S) - seen_ns) > 0:
            self._source.read(min(_TICK_S, left_ns / NS_PER_S), take)
            now_ns = self._clock.boot_ns()
            if now_ns - seen_ns > _STOOD_STILL_S * NS_PER_S:
                still_ns += now_ns - seen_ns
            seen_ns = now_ns
            progress((now_ns - begun_ns) / NS_PER_S)
        self._drain(take)
        interfaces.update(self._source.interfaces())
        return phase_result(
            phase,
            self._table,
            asked_s=seconds,
            lasted_s=(seen_ns - begun_ns) / NS_PER_S,
            basis=Basis.MEASURED,
            lost=self._source.lost(),
            still_s=still_ns / NS_PER_S,
            interfaces=interfaces,
        )

    def _taking(self, phase: Phase, record: Take | None) -> Take:
        table = self._table

        def take(frame: Frame, link: LinkAddress) -> None:
            table.add(phase, frame)
            if record is not None:
                record(frame, link)

        return take

    def _drain(self, take: Take) -> None:
        """Take what came in before the end and still waits; a flood has to end at some time."""
        end_ns = self._clock.boot_ns() + round(_DRAIN_S * NS_PER_S)
        while self._source.read(0.0, take) and self._clock.boot_ns() < end_ns:
            pass


def _seen_on(table: FlowTable, phase: Phase) -> set[str]:
    """Interfaces that packets of a phase went by, such as one that was gone again at its end."""
    return {key.interface for key in table.flows if key.phase == phase} - {""}


def phase_result(
    phase: Phase,
    table: FlowTable,
    *,
    asked_s: float,
    lasted_s: float,
    basis: Basis,
    lost: int | None,
    still_s: float = 0.0,
    files: Collection[str] = (),
    interfaces: Collection[str] = (),
) -> PhaseResult:
    """What a table counted of a phase, and how it was captured; see `PhaseResult`."""
    return PhaseResult(
        phase=phase,
        asked_s=asked_s,
        lasted_s=lasted_s,
        basis=basis,
        packets=table.packets[phase],
        lost=lost,
        still_s=still_s,
        unreadable={cause: count for (one, cause), count in table.unreadable.items() if one == phase},
        unreadable_in={cause: count for (one, cause), count in table.unreadable_in.items() if one == phase},
        beyond=table.beyond[phase],
        files=tuple(files),
        interfaces=tuple(sorted({*interfaces, *_seen_on(table, phase)})),
    )
