"""`Cabin`: what the gateway tells a person in the vehicle, and what they may have it do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from edge.account import Hop
from edge.alarming import StandingAlarm
from edge.bus.condition import BusCondition
from edge.clock import NS_PER_S, Clock
from edge.consent.entries import Role
from edge.consent.plain import iso_time
from edge.consenting import Consenting
from edge.control.requests import Steering
from edge.control.uses import plain_clock, plain_uses
from edge.errors import ControlError
from edge.policy.classes import DataClass
from edge.policy.standing import Standing

_LOOK_NS = NS_PER_S // 2


@dataclass(frozen=True, slots=True)
class Seen:
    """What the gateway's own thread last saw of itself.

    Attributes:
        mask: in force at the door.
        withheld: classes that are not collected for the time being, for the place that the vehicle is in.
        place: name of that place, ``unknown``, or empty where it is outside of all.
        captured: hops of what was captured, up to the door.
        records: how many records held items of each class.
        sent: hops of each destination's uplink, by its name.
        buses: how each live bus stands.
        alarms: what a person has to see to.
    """

    mask: str
    withheld: frozenset[DataClass]
    place: str
    captured: Sequence[Hop]
    records: Mapping[DataClass, int]
    sent: Mapping[str, Sequence[Hop]]
    buses: Sequence[BusCondition] = ()
    alarms: Sequence[StandingAlarm] = ()


class Cabin(Steering):
    """Answers for the gateway; what it says of counts is at most a second old.

    It never tells a value that was collected: only classes, counts and times.

    Args:
        consenting: consents and erasures.
        standings: of each destination, by its name.
        see: what the gateway sees of itself; asked on its own thread alone.
        clock: time.

    Attributes:
        power: tells how the supervisor of power stands; None where none is followed.
        take_picture: has a camera's next picture kept, and tells why not.
    """

    def __init__(
        self,
        consenting: Consenting,
        *,
        standings: Mapping[str, Standing],
        see: Callable[[], Seen],
        clock: Clock,
    ) -> None:
        self._consenting = consenting
        self._standings = standings
        self._see = see
        self._clock = clock
        self.power: Callable[[], Mapping[str, object]] | None = None
        self.take_picture: Callable[[str], str] = lambda camera: f"there is no camera '{camera}'"
        self._lock = threading.Lock()
        self._seen: Seen | None = None
        self._looked_ns: int | None = None
        self._counts: dict[tuple[str, str], int] = {}
        self._last: dict[tuple[str, str], int] = {}

    def look(self) -> None:
        """Take a look at the gateway, if the last one is old; for the gateway's own thread."""
        now_ns = self._clock.boot_ns()
        if self._looked_ns is not None and now_ns - self._looked_ns < _LOOK_NS:
            return
        self._looked_ns = now_ns
        seen = self._see()
        wall_ns = self._clock.wall_ns()
        with self._lock:
            self._seen = seen
            for data_class in DataClass:
                kept = _frames(seen.captured, data_class, "kept") + seen.records.get(data_class, 0)
                self._note("kept", data_class, kept, wall_ns)
            for name, hops in seen.sent.items():
                self._note("left", name, _left(hops, "records"), wall_ns)

    def state(self) -> Mapping[str, object]:
        """See `Steering.state`."""
        desk, choice = self._consenting.desk, self._consenting.choice
        with self._lock:
            seen, last = self._seen, dict(self._last)
            seen_ns = self._looked_ns or 0
        if seen is None:
            raise ControlError("the gateway has only just begun", todo="Ask again in a second")
        policy = choice.policy
        return {
            "alarms": [
                {
                    "bus": one.bus,
                    "kind": str(one.kind),
                    "words": one.words,
                    "for_s": max(0, seen_ns - one.since_ns) // NS_PER_S,
                }
                for one in seen.alarms
            ],
            "buses": [_bus(one) for one in seen.buses],
            "power": None if self.power is None else self.power(),
            "policy": {
                "name": policy.name,
                "version": policy.version,
                "profile": policy.profile,
                "title": policy.title,
                "signature": choice.signature,
                "why": choice.why,
            },
            "clock": plain_clock(desk),
            "place": {"name": seen.place, "withheld": sorted(seen.withheld)} if seen.withheld else None,
            "mask": seen.mask,
            "uses": plain_uses(desk, seen.withheld),
            "kept": [
                {
                    "class": str(one),
                    "frames": _frames(seen.captured, one, "kept"),
                    "records": seen.records.get(one, 0),
                    "last": iso_time(last.get(("kept", one), 0)),
                }
                for one in DataClass
            ],
            "removed": [
                {"class": str(one), "frames": _frames(seen.captured, one, "removed")}
                for one in (*DataClass, "unclassified", "undescribed")
            ],
            "left": [self._destination(name, seen, last) for name in self._standings],
            "erasures": self._consenting.erasures(),
            "contact": policy.contact,
        }

    def picture(self, camera: str) -> None:
        """See `Steering.picture`."""
        why = self.take_picture(camera)
        if why:
            raise ControlError(
                why, todo="'nevgate policy explain camera' says what would have to be agreed to"
            )

    def erase(self, data_class: DataClass, *, role: Role, reason: str) -> Mapping[str, object]:
        """See `Steering.erase`."""
        asked = f"asked for by the {role}" + (f": {reason}" if reason else "")
        everything = self._consenting.ask_to_erase(data_class, asked)
        return {
            "begun": True,
            "everything": everything,
            "why": ""
            if everything
            else "the law asks for this class in the regulated record, which is kept for its time; "
            "what rests on consent is erased",
        }

    def _destination(
        self, name: str, seen: Seen, last: Mapping[tuple[str, str], int]
    ) -> Mapping[str, object]:
        standing = self._standings[name]
        verdict, hops = standing.verdict(), seen.sent.get(name, ())
        return {
            "destination": name,
            "purpose": str(standing.destination.purpose),
            "jurisdiction": standing.destination.jurisdiction,
            "classes": sorted(verdict.classes),
            "precision": str(verdict.precision),
            "records": _left(hops, "records"),
            "messages": _left(hops, "messages"),
            "last": iso_time(last.get(("left", name), 0)),
            "allowed": verdict.allowed,
            "why": verdict.why,
        }

    def _note(self, what: str, name: str, count: int, wall_ns: int) -> None:
        """Remember when a count last grew."""
        key = (what, name)
        if count > self._counts.get(key, 0):
            self._last[key] = wall_ns
        self._counts[key] = count


def _bus(condition: BusCondition) -> Mapping[str, object]:
    return {
        "bus": condition.bus,
        "interface": condition.interface,
        "way": condition.way,
        "link": condition.link,
        "listening": str(condition.listening),
        "listening_required": condition.listening_required,
        "away": condition.away,
        "alarms": [str(alarm.kind) for alarm in condition.alarms],
        **({} if condition.board is None else {"board": asdict(condition.board)}),
    }


def _frames(hops: Sequence[Hop], name: str, what: str) -> int:
    """Frames of which the door kept or removed bits of a class."""
    return sum(hop.facts.get(f"frames with {name} {what}", 0) for hop in hops if hop.name == "door")


def _left(hops: Sequence[Hop], unit: str) -> int:
    return sum(hop.left for hop in hops if hop.unit == unit)
