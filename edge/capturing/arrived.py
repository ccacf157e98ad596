"""`Arrived`: what has come from capture and was not handed on yet, and what capture says of itself."""

from __future__ import annotations

from collections.abc import Sequence

from edge.account import Hop
from edge.bus.condition import BusCondition
from edge.capture import Captured
from edge.capturing.lives import Lives, Outage
from edge.capturing.message import Counts, Observed, Report
from edge.capturing.reporting import ReportReader
from edge.capturing.said import printable_condition
from edge.frames import FrameBatch
from edge.sensors.observation import Observation


class Arrived:
    """Takes up what one process of capture after the other sends.

    Any thread may ask for the account and for how buses stand; the rest is one thread's.

    Args:
        now_ns: boot-monotonic time.

    Attributes:
        mask: the name of the mask of the last batch.
        place: see `MaskedSource.place`; as of the last report.
        buses: see `MaskedSource.buses`; likewise.
        reported_ns: boot-monotonic time of the last report, or of the start of its process.
        wanted: whether what comes is to be handed on; otherwise it is only counted.
    """

    def __init__(self, now_ns: int) -> None:
        self.mask = ""
        self.place: str | None = None
        self.buses: tuple[BusCondition, ...] = ()
        self.reported_ns = now_ns
        self.wanted = True
        self._lives = Lives()
        self._reports = ReportReader()
        self._batches: list[FrameBatch] = []
        self._observations: list[Observation] = []

    @property
    def outages(self) -> Sequence[Outage]:
        """See `Lives.outages`."""
        return self._lives.outages

    def begin(self, now_ns: int) -> None:
        """Another process was started."""
        self._reports = ReportReader()
        self.reported_ns = now_ns

    def ready(self, t_ns: int, mask: str) -> None:
        """It has opened everything, and masks with `mask`."""
        self.mask = mask
        self._lives.ready(t_ns)

    def take(self, message: FrameBatch | Observed) -> None:
        """Take up what was captured."""
        if isinstance(message, FrameBatch):
            self.mask = message.mask
            self._batches.append(message)
            frames, observations = len(message), 0
        else:
            self._observations += message.observations
            frames, observations = 0, len(message.observations)
        (self._lives.arrive if self.wanted else self._lives.discard)(frames, observations)

    def hear(self, told: Report | Counts) -> None:
        """Take up what the process says of itself.

        Raises:
            BorderError: it says nothing that can be understood.
        """
        self._lives.report(self._reports.hear(told))
        self.reported_ns = told.t_ns
        if isinstance(told, Report):
            self.place = told.place
            self.buses = tuple(map(printable_condition, told.buses))

    def end(self, crash: str) -> None:
        """The process has ended; see `Lives.end`."""
        self._lives.end(crash, self.reported_ns)

    def hops(self, now_ns: int) -> tuple[Hop, ...]:
        """See `Lives.hops`."""
        return self._lives.hops(now_ns)

    def captured(self) -> Captured | None:
        """Hand on what has come; None if nothing has."""
        if not self._batches and not self._observations:
            return None
        found = Captured(tuple(self._batches), tuple(self._observations))
        self._batches, self._observations = [], []
        return found
