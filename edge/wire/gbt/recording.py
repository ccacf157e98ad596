"""`RecordCodec`: records as reports of one edition, and back; what cannot be said is told, never dropped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edge.catalogue.catalogue import Catalogue, builtin
from edge.catalogue.item import Edition
from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.records import Record, Value
from edge.wire.gbt.beijing import TIME_BYTES, time_bytes, unix_seconds
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.field import table
from edge.wire.gbt.frame import Command, Response
from edge.wire.gbt.layout import Layout
from edge.wire.gbt.message import CUSTOM_FIRST, Body, Message, Report, write_body
from edge.wire.gbt.options import DEFAULT_OPTIONS, Options
from edge.wire.gbt.plan import BodyPlan, GroupBody, Reading, body_plan
from edge.wire.gbt.profile import Profile
from edge.wire.gbt.told import Told, Why

ALARM_LEVEL = 3
"""From this level on a record is an alarm's."""

_BYTES_PER_ENTRY = 64
_BYTES_PER_ELEMENT = 4


@dataclass(frozen=True, slots=True)
class Said:
    """A record as reports.

    Attributes:
        reports: one, or several of the same time where one cannot hold it all.
        told: what they say otherwise than the record.
    """

    reports: tuple[Report, ...]
    told: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """A record out of reports.

    Attributes:
        record: the record; its time is Unix time, as good as a real-time clock's.
        told: what of the reports it does not hold as it is.
    """

    record: Record
    told: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class _Arranged:
    """Which bodies carry the items of a record, by their names alone.

    Attributes:
        names: of the items, in order of the record.
        unsaid: those that no body carries.
        present: the plans of its bodies in order of their information types, with the numbers of the motors,
            packs and stacks that it has; 0 for other bodies.
        lists: items whose values are lists.
    """

    names: tuple[str, ...]
    unsaid: tuple[Told, ...]
    present: tuple[tuple[BodyPlan, tuple[int, ...]], ...]
    lists: tuple[str, ...]


class RecordCodec:
    """Between records and the reports of one edition.

    A record and the record read back from its reports differ in nothing but what is told: each `Told` names
    an item and what the reports say for it. Reports have whole seconds and neither number, mask nor boot.

    Args:
        edition: which.
        options: choices that the standard leaves.
        profile: describes custom blocks; None where there are none.
        catalogue: the items.
    """

    def __init__(
        self,
        edition: Edition,
        options: Options = DEFAULT_OPTIONS,
        profile: Profile | None = None,
        catalogue: Catalogue | None = None,
    ) -> None:
        self.edition = edition
        self.options = options
        self.profile = profile
        self._catalogue = catalogue or builtin()
        if profile is not None and profile.edition not in {None, edition}:
            raise GbtError(f"the profile '{profile.name}' is not for the edition of {edition.value}")
        known = table(edition)
        parts = {type_id: known.fields(f"body {type_id:02X}") for type_id in known.bodies}
        if profile is not None:
            parts |= {type_id: block.fields for type_id, block in profile.blocks.items()}
        self._plans: dict[int, BodyPlan] = {
            type_id: body_plan(type_id, fields, self._catalogue, options)
            for type_id, fields in sorted(parts.items())
        }
        self._bodies: dict[str, int] = {}
        for type_id, plan in self._plans.items():
            for template in plan.templates:
                if template in self._bodies:
                    raise GbtError(f"the item {template} is in two bodies", todo="See the profile's blocks")
                self._bodies[template] = type_id
        self._splitting = tuple(
            plan for plan in self._plans.values() if isinstance(plan, GroupBody) and plan.chunk
        )
        self._arranged = self._arrange(())

    def say(self, record: Record) -> Said:
        """The reports that say a record.

        A body is there if the record has an entry for any of its items.

        Raises:
            GbtError: the record has no wall time, or a value is a list where it must not be.
        """
        if record.timebase.quality is TimeQuality.NONE:
            raise GbtError("the record has no wall time", todo="Wait until the clock is set")
        time = time_bytes(record.timebase.wall_ns(record.t_ns) // NS_PER_S)
        bodies, told, fits = self._write(record.values)
        if fits:
            return Said((Report(time, tuple([rounds[0] for rounds in bodies])),), tuple(told))
        reports = tuple(Report(time, spread) for spread in self._spread(bodies))
        return Said(reports or (Report(time, ()),), tuple(told))

    def messages(self, record: Record, vin: bytes) -> tuple[tuple[Message, ...], tuple[Told, ...]]:
        """A record as messages of a vehicle, as reissue where it is one, and what they say otherwise."""
        said = self.say(record)
        command = Command.REISSUE if record.reissue else Command.REAL_TIME
        return (
            tuple(Message(self.edition, command, Response.COMMAND, vin, one) for one in said.reports),
            said.told,
        )

    def hear(self, reports: Sequence[Report], *, number: int = 1, reissue: bool = False) -> Heard:
        """The record that reports of one instant say.

        Args:
            reports: at least one; all of the same time.
            number: of the record.
            reissue: whether they came as reissue.

        Raises:
            GbtError: their times differ, or are none.
        """
        if len({report.time for report in reports}) != 1:
            raise GbtError("the reports of one record have one time")
        seconds = unix_seconds(reports[0].time)
        if seconds is None:
            raise GbtError(f"{reports[0].time.hex()} is no time")
        told: list[Told] = []
        reading = Reading(told.append)
        for report in reports:
            for body in report.bodies:
                self._read(body, reading)
            if report.rest:
                told.append(Told(f"type {report.rest[0]:02X}", Why.NOT_DESCRIBED, None, report.rest.hex()))
        for plan in self._splitting:
            plan.finish(reading)
        level = reading.found.get("alarm.max_level")
        record = Record(
            number=number,
            t_ns=seconds * NS_PER_S,
            timebase=Timebase(0, TimeQuality.RTC),
            values=reading.found,
            alarm=isinstance(level, int) and level >= ALARM_LEVEL,
            reissue=reissue,
        )
        return Heard(record, tuple(told))

    def _write(self, values: Mapping[str, Value]) -> tuple[list[list[Body]], list[Told], bool]:
        """Each body, once for every message that it needs; what is told; whether one message holds all."""
        arranged = self._arranged
        names = tuple(values)
        if arranged.names != names:
            arranged = self._arranged = self._arrange(names)
        told = list(arranged.unsaid)
        present = arranged.present
        elements = 0
        for item_id in arranged.lists:
            value = values[item_id]
            if isinstance(value, tuple):
                elements += len(value)
        tell = told.append
        fits = True
        bodies = []
        for plan, numbers in present:
            rounds = plan.write(values, numbers, tell)
            if plan.type_id >= CUSTOM_FIRST:
                rounds = [Body(plan.type_id, (plan.layout.write(body.raws),)) for body in rounds]
            if rounds:
                bodies.append(rounds)
                fits = fits and len(rounds) == 1
        small = _BYTES_PER_ENTRY * (len(values) + len(present)) + _BYTES_PER_ELEMENT * elements
        return bodies, told, fits and small < self.options.unit_bytes

    def _arrange(self, names: tuple[str, ...]) -> _Arranged:
        """Which bodies carry the items called `names`; records of one vehicle have the same ones."""
        unsaid: list[Told] = []
        lists: list[str] = []
        present: dict[int, set[int]] = {type_id: set() for type_id in self.options.always}
        for item_id in names:
            place = self._place(item_id)
            if isinstance(place, Why):
                unsaid.append(Told(item_id, place))
                continue
            present.setdefault(place[0], set()).add(place[1])
            if self._catalogue.item(item_id).is_list:
                lists.append(item_id)
        plans = tuple((self._plan(type_id), tuple(sorted(present[type_id]))) for type_id in sorted(present))
        return _Arranged(names, tuple(unsaid), plans, tuple(lists))

    def _plan(self, type_id: int) -> BodyPlan:
        plan = self._plans.get(type_id)
        if plan is None:
            raise GbtError(f"the edition of {self.edition.value} has no type {type_id:02X}")
        return plan

    def _place(self, item_id: str) -> tuple[int, int] | Why:
        """The body of an item, and the number of the motor, pack or stack."""
        key = self._catalogue.key(item_id)
        if key is None:
            return Why.UNKNOWN
        type_id = self._bodies.get(self._catalogue.by_key(key[0]).id)
        return Why.NOT_IN_EDITION if type_id is None else (type_id, key[1])

    def _spread(self, bodies: Iterable[list[Body]]) -> list[tuple[Body, ...]]:
        """Bodies over as many units as they need: cells that go on, and what is too much for one unit."""
        waiting = list(bodies)
        spread: list[tuple[Body, ...]] = []
        while waiting:
            unit: list[Body] = []
            room = self.options.unit_bytes - TIME_BYTES
            for rounds in waiting:
                for body in self._pieces(rounds[0]):
                    size = len(write_body(body, self.edition))
                    if size > room and unit:
                        spread.append(tuple(unit))
                        unit, room = [], self.options.unit_bytes - TIME_BYTES
                    unit.append(body)
                    room -= size
            spread.append(tuple(unit))
            waiting = [rounds[1:] for rounds in waiting if len(rounds) > 1]
        return [_joined(unit) for unit in spread]

    def _pieces(self, body: Body) -> list[Body]:
        """A body of groups as one for each group, which `_joined` puts together again."""
        plan = self._plans[body.type_id]
        if not isinstance(plan, GroupBody) or body.type_id >= CUSTOM_FIRST:
            return [body]
        return [Body(body.type_id, (1, (member,))) for member in body.raws[1]]

    def _read(self, body: Body, reading: Reading) -> None:
        plan = self._plans.get(body.type_id)
        if plan is None:
            block = body.raws[0]
            reading.tell(Told(f"type {body.type_id:02X}", Why.NOT_DESCRIBED, None, f"{len(block)} bytes"))
            return
        raws = body.raws
        if body.type_id >= CUSTOM_FIRST:
            try:
                raws = read_block(plan.layout, raws[0])
            except GbtError as error:
                reading.tell(Told(f"type {body.type_id:02X}", Why.NOT_DESCRIBED, None, str(error)))
                return
        plan.read(raws, reading)


def read_block(layout: Layout, block: bytes) -> tuple[object, ...]:
    """The raw values of a custom block.

    Raises:
        GbtError: the block is shorter or longer than its profile says.
    """
    raws, end = layout.read(block)
    if end != len(block):
        raise GbtError(f"{len(block) - end} bytes more than the profile describes", offset=end)
    return raws


def reports_of(messages: Iterable[Message]) -> tuple[Report, ...]:
    """The reports of real-time and reissue messages; responses and encrypted ones have none."""
    return tuple(one.content for one in messages if isinstance(one.content, Report))


def _joined(unit: Iterable[Body]) -> tuple[Body, ...]:
    joined: list[Body] = []
    for body in unit:
        if joined and joined[-1].type_id == body.type_id:
            before = joined.pop().raws
            body = Body(body.type_id, (before[0] + 1, (*before[1], *body.raws[1])))  # noqa: PLW2901 - grown
        joined.append(body)
    return tuple(joined)
