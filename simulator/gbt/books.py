"""`Books`: what all connections of a platform share: register, vehicles, figures, store, account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from edge.account import Hop
from edge.wire.gbt.message import Report
from simulator.gbt.accepted import Accepted
from simulator.gbt.checks import Fault, RefusedError
from simulator.gbt.events import Turn
from simulator.gbt.keys import VehicleKeys
from simulator.gbt.kpis import DEFAULT_LIMITS, KpiReport, Limits, VehicleFigures, judge
from simulator.gbt.register import OPEN_REGISTER, Register
from simulator.gbt.settings import PlatformSettings
from simulator.gbt.shapes import Shape, Shapes
from simulator.gbt.store import Store
from simulator.gbt.value_counts import report_counter
from simulator.gbt.vehicle_state import Standing, VehicleState

Sink = Callable[[Accepted], None]
"""Takes each report that was accepted for the first time, at once and in order; it must not block."""


class Books:
    """Who is known, what was taken of whom, and what became of the rest.

    Args:
        store: where reports go; None for one in memory.
        register: who is known.
        settings: how it behaves.
        limits: of the figures.
        sinks: handed each accepted report, such as what forwards it to another platform.

    Attributes:
        settings: see above.
        register: see above.
        vehicles: those heard of, by VIN.
        platforms: connections of platforms that are logged in, by user.
        chips: security chips that were activated, and the VIN of each.
        counts: messages that are no stored reports, by what became of them.
        facts: what else is worth knowing, counted.
        shapes: how reports lie in bytes that came often.
        no_keys: the keys of nobody.
        frames: messages in all.
        garbage: stretches of bytes that belong to none.
    """

    def __init__(
        self,
        store: Store | None = None,
        register: Register = OPEN_REGISTER,
        settings: PlatformSettings | None = None,
        *,
        limits: Limits = DEFAULT_LIMITS,
        sinks: Iterable[Sink] = (),
    ) -> None:
        self.settings = settings or PlatformSettings()
        self.register = register
        self.store = store or Store()
        self.limits = limits
        self.vehicles: dict[bytes, VehicleState] = {}
        self.platforms: dict[str, Standing] = {}
        self.chips: dict[bytes, bytes] = {}
        self.counts: Counter[str] = Counter()
        self.facts: Counter[str] = Counter()
        self.shapes = Shapes()
        self.no_keys = VehicleKeys()
        self.frames = 0
        self.garbage = 0
        self.stored = 0
        self._sinks = tuple(sinks)
        self._dropped: list[tuple[Standing, Turn]] = []

    def vehicle(self, vin: bytes) -> VehicleState:
        """The state of a vehicle.

        Raises:
            RefusedError: the register does not know it, or there are too many.
        """
        state = self.vehicles.get(vin)
        if state is None:
            entry = self.register.vehicle(vin)
            if entry is None:
                raise RefusedError(Fault.VIN_UNKNOWN)
            if len(self.vehicles) >= self.settings.vehicles_most:
                raise RefusedError(Fault.FULL)
            name = vin.decode("ascii", "backslashreplace")
            state = self.vehicles[vin] = VehicleState(
                entry,
                name,
                VehicleFigures(name, entry.type, self.limits),
                self.store.shelf(vin),
                VehicleKeys(entry.ciphers, entry.verifier),
            )
        return state

    def take(
        self,
        state: VehicleState,
        accepted: Accepted,
        shape: Shape | None = None,
        report: Report | None = None,
    ) -> bool:
        """Keep a report that passed every check; tell whether it is new.

        Args:
            state: its vehicle.
            accepted: the report.
            shape: of its data unit, if it is known.
            report: the data unit taken apart, if it is.
        """
        if not self.store.add(state.shelf, accepted):
            state.figures.doubles += 1
            self.counts["double"] += 1
            return False
        self.stored += 1
        state.figures.take(accepted, shape, report)
        if shape is None and report is not None:
            counter = report_counter(accepted.edition, self.limits.due)
            self.shapes.learn(accepted.edition, accepted.unit, report, counter)
        for sink in self._sinks:
            sink(accepted)
        return True

    def drop(self, connection: Standing, why: str) -> None:
        """End another connection than the one at work; `dropped` hands it out."""
        self._dropped.append((connection, connection.end(why)))

    def dropped(self) -> list[tuple[Standing, Turn]]:
        """Connections that were ended on another one's account since this was asked last."""
        found, self._dropped = self._dropped, []
        return found

    def kpis(self) -> KpiReport:
        """The figures of all vehicles heard of."""
        self.shapes.flush()
        return judge((state.figures for state in self.vehicles.values()), self.limits)

    def hops(self) -> tuple[Hop, ...]:
        """The account of this run: messages, and what became of them."""
        return (
            Hop(
                "GB/T platform",
                "messages",
                self.frames,
                self.stored,
                dict(sorted(self.counts.items())),
                facts={"stretches of garbage": self.garbage, **self.facts},
            ),
        )

    def commit(self) -> None:
        """Make what was taken durable.

        Raises:
            StoreError: the store cannot be written.
        """
        self.shapes.flush()
        self.store.commit()
