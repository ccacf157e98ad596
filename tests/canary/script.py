"""What happens in the drives: who agrees to what and when, where the link is away, what the clock shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from edge.policy.classes import DataClass
from edge.policy.rules import Purpose

Use = tuple[DataClass, Purpose]

CABIN_KEPT = (DataClass.CABIN, Purpose.RECORDING)
CABIN_EVENT = (DataClass.CABIN, Purpose.EVENT)
EXTERIOR_KEPT = (DataClass.EXTERIOR, Purpose.RECORDING)
POSITION_KEPT = (DataClass.POSITION, Purpose.RECORDING)
POSITION_SERVICE = (DataClass.POSITION, Purpose.SERVICE)
POSITION_REGULATED = (DataClass.POSITION, Purpose.REGULATED)

CLEAR, UNSET, SET_BACK = "clear", "unset", "set back"
BLIND_S = 8
"""No position comes for at least so long, after which the place is unknown."""


@dataclass(frozen=True, slots=True)
class Act:
    """What a person does at a second, just before its frames are sent.

    Attributes:
        second: of the run.
        do: ``grant``, ``withdraw``, ``refuse`` or ``erase``.
        use: for what; of an erasure only the class counts.
        term_s: of a consent.
        keep: whether a consent is to hold over a new start.
        drive: number of the drive.
        vain: whether it is to be refused.
    """

    second: int
    do: str
    use: Use
    term_s: float = 0.0
    keep: bool = False
    drive: int = 0
    vain: bool = False


@dataclass(frozen=True, slots=True)
class Drive:
    """From one start of the gateway to its end.

    Attributes:
        number: from 0.
        begin_s: in seconds of the run.
        end_s: likewise.
        policy: version of the policy.
        acts: in order of time.
        clock: spans in which the wall clock is not what it should be, and what it is.
        away: spans in which the link is away.
        sensor: whether the position comes from a receiver, or else from the bus.
        gcj02: whether it comes in GCJ-02.
        blind: spans in which no position comes.
        alerts: seconds in which the condition of the event is there.
        killed: whether the gateway is killed at the end.
        same_boot: whether the machine goes on from the drive before.
        looked_s: when what is on the disk is looked at while the gateway runs.
    """

    number: int
    begin_s: int
    end_s: int
    policy: int
    acts: tuple[Act, ...]
    clock: tuple[tuple[int, int, str], ...] = ()
    away: tuple[tuple[int, int], ...] = ()
    sensor: bool = False
    gcj02: bool = False
    blind: tuple[tuple[int, int], ...] = ()
    alerts: tuple[int, ...] = ()
    killed: bool = False
    same_boot: bool = False
    looked_s: tuple[int, ...] = ()

    @property
    def span_s(self) -> int:
        """How long it takes."""
        return self.end_s - self.begin_s

    def clock_at(self, second: int) -> str:
        """What the wall clock is like."""
        return next((what for begin, end, what in self.clock if begin <= second < end), CLEAR)

    def is_away(self, second: int) -> bool:
        """Whether the link is away."""
        return any(begin <= second < end for begin, end in self.away)

    def is_blind(self, second: int) -> bool:
        """Whether no position comes."""
        return any(begin <= second < end for begin, end in self.blind)


Wish = tuple[float, str, Use] | tuple[float, str, Use, Mapping[str, object]]
"""An act at a share of the drive; terms are in lengths of a drive."""


@dataclass(slots=True)
class Planner:
    """Lays drives one behind the other.

    Attributes:
        length_s: of a drive.
        gap_s: between two of them.
    """

    length_s: int
    gap_s: int
    drives: list[Drive] = field(default_factory=list)

    def add(
        self,
        wishes: Sequence[Wish],
        *,
        policy: int = 1,
        clock: Sequence[tuple[float, float, str]] = (),
        away: Sequence[tuple[float, float]] = (),
        sensor: bool = False,
        gcj02: bool = False,
        blind: Sequence[tuple[float, float]] = (),
        alerts: Sequence[float] = (),
        killed: bool = False,
        same_boot: bool = False,
        looked: Sequence[float] = (),
    ) -> None:
        """Add a drive; all times are shares of it."""
        number = len(self.drives)
        begin = 0 if not self.drives else self.drives[-1].end_s + (5 if same_boot else self.gap_s)

        def at(share: float) -> int:
            return begin + round(share * self.length_s)

        acts = []
        for share, do, use, *more in wishes:
            extra = dict(more[0]) if more else {}
            term = float(extra.pop("term", 3.0)) * self.length_s  # type: ignore[arg-type]
            acts.append(Act(at(share), do, use, term_s=term if do == "grant" else 0.0, drive=number, **extra))  # type: ignore[arg-type]
        self.drives.append(
            Drive(
                number,
                begin,
                at(1.0),
                policy,
                tuple(sorted(acts, key=lambda act: act.second)),
                clock=tuple((at(one), at(end), what) for one, end, what in clock),
                away=tuple((at(one), at(end)) for one, end in away),
                sensor=sensor,
                gcj02=gcj02,
                blind=tuple((at(one), max(at(end), at(one) + BLIND_S)) for one, end in blind),
                alerts=tuple(map(at, alerts)),
                killed=killed,
                same_boot=same_boot,
                looked_s=tuple(map(at, looked)),
            )
        )


KEEP: Mapping[str, object] = MappingProxyType({"keep": True})
LONG: Mapping[str, object] = MappingProxyType({"keep": True, "term": 20.0})


def the_drives(length_s: int, gap_s: int) -> tuple[Drive, ...]:
    """Twelve drives, in which consents go every way that they can go."""
    plan = Planner(length_s, gap_s)
    # Nobody says anything.
    plan.add([], sensor=True, alerts=(0.4,))
    # Granted, withdrawn, refused, run out; only data of the second cabin consent are kept beyond the end.
    plan.add(
        [
            (0.10, "grant", CABIN_KEPT),
            (0.10, "grant", EXTERIOR_KEPT),
            (0.12, "grant", POSITION_SERVICE),
            (0.30, "withdraw", CABIN_KEPT),
            (0.40, "grant", CABIN_KEPT, {"term": 1.5}),
            (0.45, "refuse", EXTERIOR_KEPT),
            (0.65, "grant", EXTERIOR_KEPT, {"term": 0.1}),
        ],
        blind=((0.55, 0.57),),
        alerts=(0.2,),
        looked=(0.5,),
    )
    # Nothing of the last start holds. Events alone are agreed to, then others, to be kept on.
    plan.add(
        [
            (0.20, "grant", CABIN_EVENT, {"term": 4.0, "keep": True}),
            (0.40, "grant", POSITION_SERVICE, LONG),
            (0.60, "grant", POSITION_KEPT, LONG),
        ],
        sensor=True,
        gcj02=True,
        alerts=(0.1, 0.45, 0.75),
    )
    # What was to be kept on holds; a consent is withdrawn in the last second before a kill.
    plan.add([(0.10, "grant", CABIN_KEPT, KEEP), (0.70, "withdraw", CABIN_KEPT)], killed=True, looked=(0.5,))
    plan.drives[-1] = _ended_early(plan.drives[-1], plan.drives[-1].acts[-1].second + 1)
    # The same boot goes on; killed again, with a consent standing.
    plan.add(
        [(0.10, "grant", CABIN_KEPT, {"keep": True, "term": 2.0}), (0.50, "withdraw", POSITION_KEPT)],
        sensor=True,
        killed=True,
        same_boot=True,
    )
    # Another policy: asked again. Positions for the law need consent too; messages wait, signed, and one is
    # withdrawn meanwhile.
    plan.add(
        [
            (0.05, "grant", POSITION_REGULATED, KEEP),
            (0.25, "grant", POSITION_SERVICE, LONG),
            (0.55, "withdraw", POSITION_REGULATED),
            (0.62, "grant", POSITION_REGULATED, LONG),
            (0.65, "grant", EXTERIOR_KEPT, LONG),
        ],
        policy=2,
        away=((0.45, 0.80),),
        looked=(0.52, 0.60),
    )
    # The clock is unset at first: nothing holds, and nothing can be given.
    plan.add(
        [(0.20, "grant", CABIN_KEPT, {"vain": True}), (0.70, "grant", CABIN_KEPT, {"term": 0.15})],
        policy=2,
        sensor=True,
        clock=((0.0, 0.5, UNSET),),
    )
    # The clock is set back for a while.
    plan.add(
        [(0.10, "grant", CABIN_KEPT, KEEP), (0.80, "refuse", CABIN_KEPT)],
        policy=2,
        clock=((0.30, 0.60, SET_BACK),),
    )
    # The link is gone till the next drive, in which what waits is withdrawn before it comes back.
    plan.add(
        [(0.40, "grant", POSITION_KEPT, LONG)], policy=2, sensor=True, away=((0.10, 1.1),), looked=(0.9,)
    )
    plan.add(
        [(0.10, "withdraw", POSITION_SERVICE), (0.60, "grant", POSITION_SERVICE, LONG)],
        policy=2,
        away=((0.0, 0.40),),
        gcj02=True,
        looked=(0.35,),
    )
    # One that ends while the vehicle is off, and an erasure that the owner asks for.
    plan.add(
        [
            (0.20, "grant", CABIN_KEPT, {"keep": True, "term": 0.81}),
            (0.50, "erase", POSITION_KEPT),
        ],
        policy=2,
        sensor=True,
        gcj02=True,
    )
    # What stands at the end.
    plan.add([(0.20, "grant", CABIN_KEPT, LONG), (0.30, "grant", CABIN_EVENT, LONG)], policy=2, alerts=(0.6,))
    return tuple(plan.drives)


def one_drive(length_s: int) -> tuple[Drive, ...]:
    """One drive with a withdrawal while messages wait: enough to see that a fault is found."""
    plan = Planner(length_s, 0)
    plan.add(
        [
            (0.05, "grant", POSITION_REGULATED, KEEP),
            (0.05, "grant", POSITION_SERVICE, KEEP),
            (0.10, "grant", CABIN_KEPT),
            (0.50, "withdraw", POSITION_REGULATED),
            (0.55, "withdraw", CABIN_KEPT),
        ],
        policy=2,
        away=((0.45, 0.70),),
        looked=(0.68,),
    )
    return tuple(plan.drives)


def _ended_early(drive: Drive, end_s: int) -> Drive:
    return replace(drive, end_s=end_s)
