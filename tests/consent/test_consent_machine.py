"""Whatever people say and whatever clocks do, no consent outlives its term, a refusal, or what was seen."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.consent.entries import Granted, Role
from edge.consent.ledger import Ledger
from edge.errors import ConsentError
from edge.policy.admission import Use
from tests.consent.consent_rig import CABIN, NOW_NS, POLICY, TRACK, DeskRig

USES = st.sampled_from([TRACK, CABIN])
ROLES = st.sampled_from(Role)
SECONDS = st.sampled_from([1, 10, 59, 60, 61, 3_600, 86_400]) | st.integers(0, 200_000)
JUMPS = st.sampled_from([-1, -30, -61, 61, 7_200, -7_200, 100_000, -100_000]) | st.integers(
    -4_000_000, 4_000_000
)
TERMS = st.sampled_from([1, 60, 4_000, 86_400]) | st.integers(1, 86_400)


@dataclass
class Given:
    """What a person agreed to, by a clock that cannot lie.

    Attributes:
        granted: the entry.
        true_end_ns: true time at which the term has passed since the grant.
        start: of the gateway.
        ended: whether it was refused, withdrawn, replaced, or once seen to have ended.
    """

    granted: Granted
    true_end_ns: int
    start: int
    ended: bool = field(default=False)


class ConsentMachine(RuleBasedStateMachine):
    """True time goes on; the wall clock shows what it likes, boot-monotonic time tells the truth."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = DeskRig()
        self.true_ns = 0
        self.starts = 0
        self.boots = 0
        self.boot_began_ns = 0
        self.given: dict[int, Given] = {}

    def _latest(self, use: Use) -> Given | None:
        found = [one for one in self.given.values() if one.granted.use == use]
        return max(found, key=lambda one: one.granted.number, default=None)

    def _end(self, use: Use) -> None:
        for one in self.given.values():
            if one.granted.use == use:
                one.ended = True

    @rule(use=USES, role=ROLES, term_s=TERMS, keep=st.booleans())
    def grant(self, use: Use, role: Role, term_s: int, keep: bool) -> None:
        try:
            granted = self.rig.desk.grant(use, term_s=term_s, role=role, keep=keep)
        except ConsentError:
            return
        self._end(use)
        self.given[granted.number] = Given(granted, self.true_ns + term_s * NS_PER_S, self.starts)

    @rule(use=USES, role=ROLES)
    def refuse(self, use: Use, role: Role) -> None:
        self.rig.desk.refuse(use, role=role)
        self._end(use)

    @rule(use=USES, role=ROLES)
    def withdraw(self, use: Use, role: Role) -> None:
        try:
            self.rig.desk.withdraw(use, role=role)
        except ConsentError:
            latest = self._latest(use)
            assert latest is None or latest.ended
        self._end(use)

    @rule(seconds=SECONDS)
    def wait(self, seconds: int) -> None:
        self.true_ns += seconds * NS_PER_S
        self.rig.after(seconds)

    @rule(seconds=JUMPS, quality=st.sampled_from(TimeQuality))
    def set_clock(self, seconds: int, quality: TimeQuality) -> None:
        self.rig.set_wall(seconds, quality)

    @rule(quality=st.sampled_from(TimeQuality))
    def mend_clock(self, quality: TimeQuality) -> None:
        offset_ns = NOW_NS + self.true_ns - self.rig.clock.boot_ns()
        self.rig.clock.set_timebase(Timebase(offset_ns, quality))

    @precondition(lambda self: not self.rig.keeping.broken)
    @rule()
    def restart(self) -> None:
        self.rig.desk.settle()
        self.starts += 1
        self.rig.begin(self.starts.to_bytes(16, "big"))

    @precondition(lambda self: not self.rig.keeping.broken)
    @rule(off_s=SECONDS, wall_s=st.none() | JUMPS)
    def reboot(self, off_s: int, wall_s: int | None) -> None:
        self.rig.desk.settle()
        self.true_ns += off_s * NS_PER_S
        self.boots += 1
        self.starts += 1
        shown_ns = NOW_NS + self.true_ns + (wall_s or 0) * NS_PER_S
        self.rig.reboot(self.boots.to_bytes(16, "little"), wall_ns=shown_ns)

    @rule(broken=st.booleans())
    def disk(self, broken: bool) -> None:
        self.rig.keeping.broken = broken
        self.rig.desk.settle()

    @invariant()
    def nothing_outlives_its_ground(self) -> None:
        admission = self.rig.desk.admission()
        now = self.rig.desk.now().at
        for use, number in admission.consents.items():
            one = self.given[number]
            granted = one.granted
            assert granted.use == use
            assert not one.ended
            assert granted.at.wall_ns <= now.wall_ns < granted.ends_ns
            assert granted.keep or one.start == self.starts
            if granted.at.boot == now.boot:
                assert self.true_ns < one.true_end_ns, "no wall clock prolongs it within its boot"
            assert now.quality is not TimeQuality.NONE
        for one in self.given.values():
            if admission.consents.get(one.granted.use) != one.granted.number:
                trusted = not self.rig.desk.doubt()
                one.ended |= trusted and now.wall_ns >= one.granted.ends_ns

    @invariant()
    def the_ledger_read_again_is_the_same(self) -> None:
        if self.rig.desk.unkept:
            return
        again = Ledger(self.rig.keeping.entries)
        ledger, now = self.rig.desk.ledger, self.rig.desk.now()
        assert again.in_force(POLICY, now) == ledger.in_force(POLICY, now)
        assert again.over(POLICY, now) == ledger.over(POLICY, now)
        for use in (TRACK, CABIN):
            assert again.state(POLICY, use, now) == ledger.state(POLICY, use, now)


ConsentMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestConsents = ConsentMachine.TestCase
