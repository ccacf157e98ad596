"""The figures by which a platform judges vehicles and their types, each with its limit and verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType

from edge.catalogue.item import Edition
from edge.clock import NS_PER_S
from edge.wire.gbt.frame import Command
from edge.wire.gbt.message import Report
from simulator.gbt.accepted import Accepted
from simulator.gbt.continuity import PERIOD_S, Continuity
from simulator.gbt.shapes import AlarmMonth, Shape
from simulator.gbt.value_counts import ReportCounter, ValueCounts, report_counter

_BEIJING = timedelta(hours=8)
_MONTHS_MOST = 24


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of the figures, as `Platform-side data-quality KPIs` has them.

    Attributes:
        parse_errors: share of a vehicle's frames that cannot be parsed, to stay below.
        latency_s: mean time from collection to arrival, to stay below.
        reissue: share of reissued reports, not to go beyond.
        values: share of empty, of abnormal, of invalid values and of lost reports, to stay below.
        vehicles: share of a type's vehicles that may miss one of the first three, to stay below.
        period_s: the longest time between two reports.
        off_s: see `Continuity`.
        due: information types that are always due.
    """

    parse_errors: float = 0.03
    latency_s: float = 300.0
    reissue: float = 0.20
    values: float = 0.01
    vehicles: float = 0.10
    period_s: int = PERIOD_S
    off_s: int = 600
    due: frozenset[int] = frozenset({0x01})


DEFAULT_LIMITS = Limits()


class VehicleFigures:
    """What is counted of one vehicle.

    Attributes:
        vin: of the vehicle.
        type: as the register names it; empty where it does not.
        frames: that named it, with stretches of garbage on its connection.
        parse_errors: those of them that cannot be parsed, each stretch one.
        real_time: reports taken that came as real-time.
        reissued: that came as reissue.
        doubles: that came again and were not kept.
        latency_s: added up over real-time reports, none of them below 0.
        counts: values of the reports taken.
        continuity: which reports are lost.
        months: by ``2026-03``.
    """

    __slots__ = (
        "_counters",
        "continuity",
        "counts",
        "doubles",
        "frames",
        "latency_s",
        "months",
        "parse_errors",
        "real_time",
        "reissued",
        "type",
        "vin",
    )

    def __init__(self, vin: str, vehicle_type: str = "", limits: Limits = DEFAULT_LIMITS) -> None:
        self.vin = vin
        self.type = vehicle_type
        self.frames = 0
        self.parse_errors = 0
        self.real_time = 0
        self.reissued = 0
        self.doubles = 0
        self.latency_s = 0.0
        self.counts = ValueCounts()
        self.continuity = Continuity(limits.period_s, limits.off_s)
        self.months: dict[str, AlarmMonth] = {}
        self._counters: Mapping[Edition, ReportCounter] = {
            edition: report_counter(edition, limits.due) for edition in Edition
        }

    def take(self, accepted: Accepted, shape: Shape | None = None, report: Report | None = None) -> None:
        """Count a report that was taken for the first time.

        Args:
            accepted: the report.
            shape: of its data unit, if it is known; then its values are counted when that is flushed.
            report: the data unit taken apart, if it is.
        """
        live = accepted.command == Command.REAL_TIME
        if live:
            self.real_time += 1
            self.latency_s += max(0.0, accepted.received_ns / NS_PER_S - accepted.time_s)
        else:
            self.reissued += 1
        first = self.continuity.take(accepted.time_s, live=live)
        month = self._month(month_of(accepted.time_s))
        if shape is not None:
            shape.add(accepted.unit, self.counts, month, first=first)
            return
        facts = self._counters[accepted.edition].count(
            accepted.report if report is None else report,
            self.counts,
            first=first,
            seek_cells=not month.cells,
        )
        month.alarm |= facts.alarm
        month.position |= facts.position
        month.cells |= facts.cells

    def _month(self, name: str) -> AlarmMonth:
        month = self.months.get(name)
        if month is None:
            month = self.months[name] = AlarmMonth()
            if len(self.months) > _MONTHS_MOST:
                del self.months[min(self.months)]
        return month

    @property
    def parse_error_share(self) -> float | None:
        """Of its frames; None without any."""
        return _share(self.parse_errors, self.frames)

    @property
    def mean_latency_s(self) -> float | None:
        """Of real-time reports; None without any."""
        return self.latency_s / self.real_time if self.real_time else None

    @property
    def reissue_share(self) -> float | None:
        """Of its reports; None without any."""
        return _share(self.reissued, self.real_time + self.reissued)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with its limit.

    Attributes:
        scope: ``vehicle`` or ``type``.
        subject: its VIN or name.
        name: of the figure.
        rule: in words.
        value: a share, or seconds; None where nothing was to be judged.
        limit: that it must stay below; for `reissue share` not go beyond; None where the rule is a condition.
        met: the verdict; None without a value.
        basis: what the value was made of.
    """

    scope: str
    subject: str
    name: str
    rule: str
    value: float | None
    limit: float | None
    met: bool | None
    basis: str


RULES: Mapping[str, str] = MappingProxyType(
    {
        "parse errors": "frames that cannot be parsed: below {parse_errors:.0%} of a vehicle's",
        "latency": "mean time from collection to arrival: below {latency_s:.0f} s",
        "reissue share": "reissued reports: not above {reissue:.0%} of a vehicle's",
        "empty": "empty values: below {values:.0%}",
        "abnormal": "abnormal values: below {values:.0%}",
        "invalid": "invalid values: below {values:.0%}",
        "lost": "reports lost, one every {period_s} s at least: below {values:.0%}",
        "level-3 alarm": "an alarm of level 3 or 4 has a valid position and cell voltage in its month",
    }
)
"""Each figure's rule in words; its source is the platform side of GB/T 32960.2 as publicly told."""

_OF_TYPE: Mapping[str, str] = MappingProxyType(
    {
        "parse errors": "vehicles of a type with {parse_errors:.0%} parse errors: below {vehicles:.0%}",
        "latency": "vehicles of a type with a mean latency of {latency_s:.0f} s: below {vehicles:.0%}",
        "reissue share": "vehicles of a type with more than {reissue:.0%} reissued: below {vehicles:.0%}",
    }
)


@dataclass(frozen=True, slots=True)
class KpiReport:
    """All figures at one moment.

    Attributes:
        types: of each type of vehicles, in order of name.
        vehicles: of each vehicle.
    """

    types: tuple[Figure, ...]
    vehicles: tuple[Figure, ...]

    @property
    def met(self) -> bool:
        """Whether every figure that could be judged is within its limit."""
        return all(one.met is not False for one in (*self.types, *self.vehicles))


@dataclass(slots=True)
class _Judge:
    limits: Limits
    figures: list[Figure] = field(default_factory=list)

    def add(
        self,
        scope: str,
        subject: str,
        name: str,
        part: float | None,
        limit: float,
        basis: str,
        *,
        limit_allowed: bool = False,
    ) -> bool | None:
        met = None if part is None else part < limit or (limit_allowed and part == limit)
        rules = _OF_TYPE if scope == "type" and name in _OF_TYPE else RULES
        rule = rules[name].format_map(_Named(self.limits))
        self.figures.append(Figure(scope, subject, name, rule, part, limit, met, basis))
        return met


class _Named(dict[str, object]):
    """The limits by name, for a rule's words."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._limits = limits

    def __missing__(self, key: str) -> object:
        return getattr(self._limits, key)


def judge(vehicles: Iterable[VehicleFigures], limits: Limits = DEFAULT_LIMITS) -> KpiReport:
    """Judge vehicles and their types."""
    by_type: dict[str, list[VehicleFigures]] = {}
    for one in sorted(vehicles, key=lambda each: each.vin):
        by_type.setdefault(one.type, []).append(one)
    types, each = _Judge(limits), _Judge(limits)
    for name, members in sorted(by_type.items()):
        verdicts = [_judge_vehicle(one, each) for one in members]
        for place, rule in enumerate(_OF_TYPE):
            judged = [verdict[place] for verdict in verdicts if verdict[place] is not None]
            missing = sum(met is False for met in judged)
            types.add(
                "type",
                name or "no type",
                rule,
                _share(missing, len(judged)),
                limits.vehicles,
                f"{missing} of {len(judged)} vehicles",
            )
        total = ValueCounts()
        for one in members:
            total.add(one.counts)
        lost = sum(one.continuity.lost for one in members)
        reports = sum(one.continuity.reports for one in members)
        _values("type", name or "no type", total, (lost, reports), types)
    return KpiReport(tuple(types.figures), tuple(each.figures))


def _judge_vehicle(one: VehicleFigures, judge_: _Judge) -> tuple[bool | None, bool | None, bool | None]:
    limits = judge_.limits
    reports = one.real_time + one.reissued
    first_three = (
        judge_.add(
            "vehicle",
            one.vin,
            "parse errors",
            one.parse_error_share,
            limits.parse_errors,
            f"{one.parse_errors} of {one.frames} frames",
        ),
        judge_.add(
            "vehicle",
            one.vin,
            "latency",
            one.mean_latency_s,
            limits.latency_s,
            f"{one.latency_s:.1f} s over {one.real_time} reports",
        ),
        judge_.add(
            "vehicle",
            one.vin,
            "reissue share",
            one.reissue_share,
            limits.reissue,
            f"{one.reissued} of {reports} reports",
            limit_allowed=True,
        ),
    )
    _values("vehicle", one.vin, one.counts, (one.continuity.lost, one.continuity.reports), judge_)
    for month, facts in sorted(one.months.items()):
        if facts.alarm:
            lacking = [
                name
                for name, is_there in (("position", facts.position), ("cells", facts.cells))
                if not is_there
            ]
            words = f"{month}: no valid {' or '.join(lacking)}" if lacking else f"{month}: both"
            judge_.figures.append(
                Figure(
                    "vehicle",
                    one.vin,
                    "level-3 alarm",
                    RULES["level-3 alarm"],
                    None,
                    None,
                    not lacking,
                    words,
                )
            )
    return first_three


def _values(scope: str, subject: str, counts: ValueCounts, lost: tuple[int, int], judge_: _Judge) -> None:
    for name, count in (("empty", counts.empty), ("abnormal", counts.abnormal), ("invalid", counts.invalid)):
        share = _share(count, counts.values)
        judge_.add(scope, subject, name, share, judge_.limits.values, f"{count} of {counts.values} values")
    expected = lost[0] + lost[1]
    basis = f"{lost[0]} of {expected} reports"
    judge_.add(scope, subject, "lost", _share(lost[0], expected), judge_.limits.values, basis)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


@lru_cache(maxsize=64)
def _month_of_hour(hour: int) -> str:
    return f"{datetime.fromtimestamp(hour * 3600, UTC) + _BEIJING:%Y-%m}"


def month_of(unix_s: int) -> str:
    """The month of Beijing time, such as ``2026-03``."""
    return _month_of_hour(unix_s // 3600)
