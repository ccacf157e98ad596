"""What may be kept, sent and left: a plain reading of classes, consents, clocks and areas by the second.

It shares no code with what it judges: it knows the script, and what the policies say in plain words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from edge.policy.classes import DataClass
from edge.policy.rules import Purpose
from tests.canary.policies import ERASE_WITHIN_S, LAW, SAID
from tests.canary.route import ALL_AREAS_BUT_VEHICLE, Route, withheld_at
from tests.canary.script import CLEAR, Drive, Use

EDGE_S = 1
"""The tolerance: one batch, which is a second of frames."""

STALE_S = 5
"""After so long without a position the place is unknown; before three seconds nobody asks."""

WARM_S = 3
"""So long after a change, or a start, or before a kill, nobody insists that a canary is there."""

AFTER_S = 600
"""The last gateway may take so long to end."""

RECORDS = (Purpose.REGULATED, Purpose.SERVICE)


class May(IntEnum):
    """What is to be found, the most first."""

    MUST = 0
    CAN = 1
    NOT = 2


@dataclass(slots=True)
class Agreed:
    """One consent, as the script has it.

    Attributes:
        use: for what.
        begin_s: given.
        term_s: for how long.
        keep: whether it holds over a start.
        drive: in which it was given.
        wording: of the rule to which it was given.
        ended_s: refused, withdrawn or erased; None for not at all.
        followed_s: when it was given again for the same use.
    """

    use: Use
    begin_s: int
    term_s: float
    keep: bool
    drive: int
    wording: str
    ended_s: int | None = None
    followed_s: int | None = None

    def over_s(self) -> float:
        """From when on what it was for must go."""
        return min(self.begin_s + self.term_s, float("inf") if self.ended_s is None else self.ended_s)


class Oracle:
    """Judges by the second.

    Args:
        drives: the script.
        route: where the vehicle was.
    """

    def __init__(self, drives: Sequence[Drive], route: Route) -> None:
        self._drives = drives
        self._route = route
        self._agreed: list[Agreed] = []
        self._erased: list[tuple[DataClass, int]] = []
        self._places: dict[int, tuple[frozenset[DataClass], frozenset[DataClass]]] = {}
        self._grounds: dict[tuple[Use, int], Agreed | str | None] = {}
        self._collected: dict[tuple[DataClass, int, tuple[Purpose, ...]], May] = {}
        # A gateway that has ended its drive still sends what waits.
        ends = [one.begin_s for one in drives[1:]] + [drives[-1].end_s + AFTER_S]
        self._drive_of = {
            second: one for one, end in zip(drives, ends, strict=True) for second in range(one.begin_s, end)
        }
        for drive in drives:
            self._read(drive)

    def _read(self, drive: Drive) -> None:
        for act in drive.acts:
            standing = [one for one in self._agreed if one.use == act.use and one.ended_s is None]
            match act.do:
                case "grant" if not act.vain:
                    wording = SAID[drive.policy][act.use].wording
                    for one in standing:
                        one.followed_s = one.followed_s or act.second
                    self._agreed.append(
                        Agreed(act.use, act.second, act.term_s, act.keep, drive.number, wording)
                    )
                case "withdraw" | "refuse":
                    for one in standing:
                        one.ended_s = act.second
                case "erase":
                    self._erased.append((act.use[0], act.second))

    def drive(self, second: int) -> Drive | None:
        """The drive that a second is of."""
        return self._drive_of.get(second)

    def ground(self, use: Use, second: int) -> Agreed | str | None:
        """What a use rests on in a second: `LAW`, a consent, or None for nothing."""
        key = use, second
        if key not in self._grounds:
            self._grounds[key] = self._ground(use, second)
        return self._grounds[key]

    def _ground(self, use: Use, second: int) -> Agreed | str | None:
        drive = self.drive(second)
        said = None if drive is None else SAID[drive.policy].get(use)
        if drive is None or said is None:
            return None
        if said.basis == LAW:
            return LAW
        if drive.clock_at(second) != CLEAR:
            return None
        for one in reversed(self._agreed):
            if one.use != use or one.begin_s > second:
                continue
            holds = second < one.over_s() and one.wording == said.wording
            return one if holds and (one.keep or one.drive == drive.number) else None
        return None

    def withheld(self, second: int) -> tuple[frozenset[DataClass], frozenset[DataClass]]:
        """The classes that the place forbids in a second, and those of which it cannot be said."""
        found = self._places.get(second)
        if found is None:
            found = self._places[second] = self._withheld(second)
        return found

    def _withheld(self, second: int) -> tuple[frozenset[DataClass], frozenset[DataClass]]:
        drive = self.drive(second)
        assert drive is not None
        last = min(second, drive.end_s - 1)
        second = last
        while last not in self._route.fixes and last > drive.begin_s and second - last < 2 * STALE_S:
            last -= 1
        if last not in self._route.fixes:
            return ALL_AREAS_BUT_VEHICLE, frozenset()
        inside, unsure = withheld_at(self._route.fixes[last], drive.policy, gcj02=drive.gcj02)
        if second - last >= STALE_S:
            return inside | ALL_AREAS_BUT_VEHICLE, unsure
        if second - last >= STALE_S - 3:
            return inside, unsure | ALL_AREAS_BUT_VEHICLE
        return inside, unsure

    def collected(self, data_class: DataClass | None, second: int, purposes: tuple[Purpose, ...]) -> May:
        """Whether a class is collected in a second for any of some purposes; edges may go either way."""
        if data_class is None or second not in self._drive_of:
            return May.NOT
        key = data_class, second, purposes
        if key not in self._collected:
            self._collected[key] = self._judged(data_class, second, purposes)
        return self._collected[key]

    def _judged(self, data_class: DataClass, second: int, wanted: tuple[Purpose, ...]) -> May:
        inside, unsure = self.withheld(second)
        if data_class in inside:
            return May.NOT
        before = self._any(data_class, second - EDGE_S, wanted)
        now = self._any(data_class, second, wanted)
        if now and not unsure & {data_class}:
            warm = range(second - WARM_S, second + WARM_S)
            return May.MUST if all(self._any(data_class, one, wanted) for one in warm) else May.CAN
        return May.CAN if now or before else May.NOT

    def _any(self, data_class: DataClass, second: int, purposes: Sequence[Purpose]) -> bool:
        return any(self.ground((data_class, purpose), second) is not None for purpose in purposes)

    def left(
        self, data_class: DataClass | None, second: int, purposes: tuple[Purpose, ...], now_s: int
    ) -> May:
        """Whether what was collected in a second may, or must, still be there at `now_s`."""
        found = self.collected(data_class, second, purposes)
        if found is May.NOT or data_class is None:
            return May.NOT
        lasting = []
        for purpose in purposes:
            for at in (second - EDGE_S, second):
                ground = self.ground((data_class, purpose), at)
                if ground is not None:
                    lasting.append(self._lasts(ground, data_class, second, now_s))
        return max(min(lasting), found)

    def _lasts(self, ground: Agreed | str, data_class: DataClass, second: int, now_s: int) -> May:
        if isinstance(ground, str):
            return May.NOT if self._unneeded(data_class, second, now_s) else May.MUST
        erased = [at for one, at in self._erased if one is data_class and second <= at + EDGE_S]
        if any(second >= at and now_s >= at for at in erased):
            return May.CAN
        over_s = min([ground.over_s(), *erased])
        # A running gateway erases with its next batch, though the policy would give it a minute.
        if now_s < over_s:
            return May.MUST
        soon = now_s <= over_s + EDGE_S
        stopped = now_s < over_s + ERASE_WITHIN_S and self._ran_no_more(over_s, now_s)
        return May.CAN if soon or stopped else May.NOT

    def _unneeded(self, data_class: DataClass, second: int, now_s: int) -> bool:
        """Whether the owner has had a class erased that no law asked for any more."""
        for erased, at in self._erased:
            drive = self.drive(at)
            assert drive is not None
            said = SAID[drive.policy].get((data_class, Purpose.REGULATED))
            by_law = said is not None and said.basis == LAW
            if erased is data_class and second <= at <= now_s and not by_law:
                return True
        return False

    def _ran_no_more(self, over_s: float, now_s: int) -> bool:
        """Whether no gateway ran from a second after something was over up to now."""
        return not any(one.begin_s < now_s and one.end_s > over_s + EDGE_S for one in self._drives)

    def sent(self, data_class: DataClass, second: int, purpose: Purpose, at_s: float) -> May:
        """Whether what was collected in a second may be given to a destination at `at_s`."""
        use = (data_class, purpose)
        if second not in self._drive_of:
            return May.NOT
        inside, _ = self.withheld(second)
        if data_class in inside:
            return May.NOT
        for at in (second, second - EDGE_S):
            ground = self.ground(use, at)
            if ground is None:
                continue
            if self._may_go(ground, use, at_s):
                return May.CAN
        return May.NOT

    def _may_go(self, ground: Agreed | str, use: Use, at_s: float) -> bool:
        now = self.ground(use, int(at_s)) or self.ground(use, int(at_s) - EDGE_S)
        if now is None:
            return False
        if isinstance(ground, str):
            return True
        return ground.ended_s is None or at_s < ground.ended_s + EDGE_S

    def cell_m(self, use: Use, second: int) -> float:
        """How exactly positions may be known."""
        drive = self.drive(second)
        assert drive is not None
        return SAID[drive.policy][use].cell_m
