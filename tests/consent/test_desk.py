"""The desk: what is in force when, what waits for the disk, and who is told."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from edge.clock import Timebase, TimeQuality, VirtualClock
from edge.consent.consent_notes import decode_entry
from edge.consent.desk import ConsentDesk
from edge.consent.entries import Asked, Erased, Granted, Lapsed, Refused, Role, Withdrawn
from edge.consent.ledger import Ledger, Standing
from edge.errors import ConsentError
from edge.journal.chain import Draft
from edge.policy.classes import DataClass
from tests.consent.consent_rig import (
    BOOT,
    CABIN,
    CHANGED,
    DAY_S,
    NOW_NS,
    POLICY,
    START,
    TRACK,
    DeskRig,
    ListKeeping,
    days,
)

DRIVER = Role.DRIVER
POSITION = DataClass.POSITION


@pytest.fixture
def rig() -> DeskRig:
    return DeskRig()


def grant(rig: DeskRig, term_s: float = DAY_S, *, keep: bool = True) -> Granted:
    return rig.desk.grant(TRACK, term_s=term_s, role=DRIVER, keep=keep)


def test_a_consent_is_on_the_disk_and_in_force_when_it_is_given(rig: DeskRig) -> None:
    assert not rig.collects(POSITION)
    granted = grant(rig)
    assert rig.collects(POSITION)
    assert rig.desk.admission().consents == {TRACK: granted.number}
    assert rig.keeping.entries == [granted]
    assert rig.desk.unkept == 0


def test_what_is_withheld_for_the_time_being_is_not_collected(rig: DeskRig) -> None:
    grant(rig)
    inside = rig.desk.admission([POSITION])
    assert POSITION not in inside.collect
    assert inside.name != rig.desk.admission().name
    assert rig.desk.admission() is rig.desk.admission(), "asked with every batch, so not made anew"


def test_a_consent_ends_by_itself_to_the_nanosecond(rig: DeskRig) -> None:
    grant(rig, 100)
    rig.after(99.999_999_999)
    assert rig.collects(POSITION)
    rig.after(0.000_000_001)
    assert not rig.collects(POSITION)
    assert rig.desk.state(TRACK).standing is Standing.EXPIRED


def test_a_consent_that_was_seen_to_end_stays_ended(rig: DeskRig) -> None:
    grant(rig)
    rig.set_wall(2 * DAY_S, TimeQuality.GNSS)
    assert not rig.collects(POSITION)
    rig.desk.settle()
    assert isinstance(rig.keeping.entries[-1], Lapsed)
    rig.reboot(wall_ns=NOW_NS + days(0.5))
    assert not rig.collects(POSITION)


def test_a_clock_that_jumps_is_doubted_and_ends_nothing_for_good(rig: DeskRig) -> None:
    grant(rig)
    rig.collects(POSITION)
    rig.set_wall(2 * DAY_S)
    assert not rig.collects(POSITION)
    with pytest.raises(ConsentError, match="clock"):
        rig.desk.grant(CABIN, term_s=60, role=DRIVER)
    assert not rig.desk.over()
    rig.set_wall(-2 * DAY_S)
    assert rig.collects(POSITION)


@pytest.mark.parametrize("back_s", [61, 3_600, 3 * DAY_S])
def test_a_clock_that_is_set_back_prolongs_nothing(rig: DeskRig, back_s: float) -> None:
    grant(rig)
    rig.after(DAY_S - 100)
    assert rig.collects(POSITION)
    rig.set_wall(-back_s)
    assert not rig.collects(POSITION)


def test_a_clock_that_stays_set_back_prolongs_nothing(rig: DeskRig) -> None:
    grant(rig)
    rig.after(0.8 * DAY_S)
    assert rig.collects(POSITION)
    rig.set_wall(-0.5 * DAY_S)
    for _ in range(100):
        rig.after(120)
        assert not rig.collects(POSITION)
    assert "set back" in rig.desk.doubt(), "although the clock is believed again"


def test_a_clock_that_is_set_back_between_two_starts_prolongs_nothing(rig: DeskRig) -> None:
    grant(rig)
    for _ in range(20):
        rig.after(3_600)
        assert rig.collects(POSITION)
    rig.reboot(wall_ns=NOW_NS + days(0.25))
    assert not rig.collects(POSITION)
    assert "set back" in rig.desk.state(TRACK).why
    rig.reboot(b"third boot______", wall_ns=NOW_NS + days(0.3))
    assert not rig.collects(POSITION), "it was noted, and one more start forgets nothing"
    rig.reboot(b"fourth boot_____", wall_ns=NOW_NS + days(0.9))
    assert rig.collects(POSITION)


def test_without_wall_time_nothing_holds_until_it_comes(rig: DeskRig) -> None:
    grant(rig)
    rig.clock.set_timebase(Timebase(0, TimeQuality.NONE))
    assert not rig.collects(POSITION)
    rig.clock.set_timebase(Timebase(NOW_NS - 1_000 * 10**9, TimeQuality.NTP))
    assert rig.collects(POSITION)


def test_a_start_is_that_of_the_gateway(rig: DeskRig) -> None:
    grant(rig, keep=False)
    rig.desk.grant(CABIN, term_s=60, role=DRIVER, keep=True)
    rig.begin(b"another start___")
    assert rig.desk.admission().consents == {CABIN: 2}
    rig.begin()
    assert rig.desk.admission().consents == {TRACK: 1, CABIN: 2}


def test_a_withdrawal_is_in_force_before_anybody_hears_of_it_and_then_written(rig: DeskRig) -> None:
    grant(rig)
    seen: list[object] = []
    rig.desk.on_over.append(lambda numbers: seen.extend([numbers, rig.collects(POSITION), rig.desk.unkept]))
    rig.desk.withdraw(TRACK, role=DRIVER)
    assert seen == [frozenset({1}), False, 1]
    assert isinstance(rig.keeping.entries[-1], Withdrawn)
    rig.begin()
    assert rig.desk.state(TRACK).standing is Standing.WITHDRAWN


def test_a_refusal_is_told_only_if_it_ends_something(rig: DeskRig) -> None:
    rig.desk.refuse(TRACK, role=DRIVER)
    assert not rig.told
    grant(rig)
    rig.desk.refuse(TRACK, role=Role.OWNER)
    assert rig.told == [{1}]
    assert [type(one) for one in rig.keeping.entries] == [Refused, Granted, Refused]


def test_what_was_said_already_is_not_written_again(rig: DeskRig) -> None:
    asked, refused = rig.desk.ask(TRACK, role=DRIVER), rig.desk.refuse(TRACK, role=DRIVER)
    rig.after(60)
    assert rig.desk.ask(TRACK, role=DRIVER) == asked
    assert rig.desk.refuse(TRACK, role=DRIVER) == refused
    assert rig.keeping.entries == [asked, refused]
    assert rig.desk.ask(TRACK, role=Role.OWNER) != asked
    grant(rig)
    assert rig.desk.refuse(TRACK, role=DRIVER) != refused
    rig.desk.adopt(CHANGED)
    assert rig.desk.ask(TRACK, role=Role.OWNER).rule != asked.rule
    assert len(rig.keeping.entries) == 6


def test_a_listener_that_fails_costs_no_withdrawal(rig: DeskRig) -> None:
    grant(rig)

    def fail(numbers: frozenset[int]) -> None:
        raise RuntimeError(str(numbers))

    rig.desk.on_over.append(fail)
    with pytest.raises(RuntimeError):
        rig.desk.withdraw(TRACK, role=DRIVER)
    assert isinstance(rig.keeping.entries[-1], Withdrawn)


def test_a_consent_that_cannot_be_written_does_not_hold(rig: DeskRig) -> None:
    rig.keeping.broken = True
    with pytest.raises(ConsentError, match="disk full"):
        grant(rig)
    assert not rig.collects(POSITION)
    rig.keeping.broken = False
    assert grant(rig).number == 2, "the number may be on the disk for all that is known"
    assert [type(one) for one in rig.keeping.entries] == [Lapsed, Granted]


def test_a_withdrawal_that_cannot_be_written_holds_and_is_written_before_any_consent(rig: DeskRig) -> None:
    grant(rig)
    rig.keeping.broken = True
    rig.desk.withdraw(TRACK, role=DRIVER)
    assert not rig.collects(POSITION)
    with pytest.raises(ConsentError, match="disk full"):
        rig.desk.grant(CABIN, term_s=60, role=DRIVER)
    assert rig.desk.unkept == 1
    rig.keeping.broken = False
    rig.desk.grant(CABIN, term_s=60, role=DRIVER)
    assert [type(one) for one in rig.keeping.entries] == [Granted, Withdrawn, Granted]


def test_a_failed_renewal_leaves_what_was_given_before(rig: DeskRig) -> None:
    grant(rig)
    rig.keeping.broken = True
    with pytest.raises(ConsentError):
        grant(rig)
    assert rig.desk.admission().consents == {TRACK: 1}
    rig.keeping.broken = False
    rig.desk.settle()
    rig.begin()
    assert rig.desk.admission().consents == {TRACK: 1}


def test_without_a_journal_nobody_can_agree_and_everybody_refuse() -> None:
    rig = DeskRig()
    desk = ConsentDesk(POLICY, rig.clock, boot=BOOT, start=START)
    with pytest.raises(ConsentError, match="no journal"):
        desk.grant(TRACK, term_s=60, role=DRIVER)
    desk.refuse(TRACK, role=DRIVER)
    desk.settle()
    assert desk.state(TRACK).standing is Standing.REFUSED
    assert desk.unkept == 0
    assert not desk.gone(["consent 1"]), "a ledger that could not be read says nothing of what was given"


class SlowKeeping(ListKeeping):
    """Holds a grant up until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived, self.go = threading.Event(), threading.Event()

    def keep(self, draft: Draft) -> None:
        if isinstance(decode_entry(draft.plaintext), Granted):
            self.arrived.set()
            assert self.go.wait(10)
        super().keep(draft)


@pytest.mark.parametrize("how", ["withdraw", "refuse"])
def test_who_says_no_while_a_consent_is_being_written_is_not_kept_waiting_for_it(how: str) -> None:
    rig = DeskRig()
    keeping = SlowKeeping()
    desk = ConsentDesk(POLICY, rig.clock, boot=BOOT, start=START, keeping=keeping)
    failures: list[Exception] = []

    def agree() -> None:
        try:
            desk.grant(TRACK, term_s=60, role=DRIVER)
        except ConsentError as error:
            failures.append(error)

    agreeing = threading.Thread(target=agree)
    agreeing.start()
    assert keeping.arrived.wait(10)
    assert not desk.admission().consents, "not before it is on the disk"
    ending = threading.Thread(target=lambda: getattr(desk, how)(TRACK, role=DRIVER))
    ending.start()
    word = {"withdraw": Standing.WITHDRAWN, "refuse": Standing.REFUSED}[how]
    while desk.state(TRACK).standing is not word:
        assert ending.is_alive()
    keeping.go.set()
    agreeing.join(10)
    ending.join(10)
    assert not desk.admission().consents
    assert "while it was being written" in str(failures[0])
    assert not Ledger(keeping.entries).in_force(POLICY, desk.now())


def test_many_threads_leave_one_story() -> None:
    rig = DeskRig()

    def talk() -> None:
        for _ in range(20):
            rig.desk.grant(TRACK, term_s=60, role=DRIVER)
            rig.desk.admission()

    threads = [threading.Thread(target=talk) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    numbers = [one.number for one in rig.keeping.entries if isinstance(one, Granted)]
    assert sorted(numbers) == list(range(1, 81))
    assert rig.desk.admission().consents == Ledger(rig.keeping.entries).in_force(POLICY, rig.desk.now())


def test_another_policy_ends_what_it_changes(rig: DeskRig) -> None:
    grant(rig)
    rig.desk.adopt(CHANGED)
    assert not rig.collects(POSITION)
    assert rig.desk.state(TRACK).standing is Standing.CHANGED
    assert rig.desk.admission().policy == CHANGED.title
    rig.desk.adopt(replace(CHANGED, name="a name"))
    assert rig.desk.admission().policy.startswith("a name"), "though it changes no consent"
    rig.desk.adopt(POLICY)
    assert rig.collects(POSITION)


def test_what_was_asked_and_erased_is_written_down(rig: DeskRig) -> None:
    asked = rig.desk.ask(TRACK, role=DRIVER)
    erased = rig.desk.erased("consent 1")
    assert rig.keeping.entries == [asked, erased]
    assert isinstance(asked, Asked)
    assert isinstance(erased, Erased)


def test_a_boot_has_a_name_of_16_bytes() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        ConsentDesk(POLICY, DeskRig().clock, boot=b"short")


def test_time_is_remembered_only_while_a_consent_stands(rig: DeskRig) -> None:
    rig.desk.admission()
    rig.after(600)
    rig.desk.admission()
    assert not rig.keeping.remembered
    grant(rig)
    for _ in range(600):
        rig.after(1)
        rig.desk.admission()
    assert 10 <= len(rig.keeping.remembered) <= 11
    assert {quality for quality, _ in rig.keeping.remembered} == {TimeQuality.NTP}


def test_the_admission_is_cheap() -> None:
    """Asked with every batch: between two looks it only reads the clock."""
    reads = 0

    class CountedClock(VirtualClock):
        def timebase(self) -> Timebase:
            nonlocal reads
            reads += 1
            return super().timebase()

    clock = CountedClock(10**9, Timebase(NOW_NS, TimeQuality.NTP))
    desk = ConsentDesk(POLICY, clock, boot=BOOT)
    first = desk.admission()
    reads = 0
    assert all(desk.admission() is first for _ in range(10))
    assert reads == 10


def test_a_slewed_clock_flickers_nothing(rig: DeskRig) -> None:
    grant(rig)
    rig.after(10)
    rig.set_wall(-0.2)
    assert rig.collects(POSITION)
    rig.set_wall(0.2)
    assert rig.collects(POSITION)
    assert not [one for one in rig.keeping.entries if isinstance(one, Lapsed)]


def test_the_policy_in_force_counts_not_the_one_of_the_ledger(rig: DeskRig) -> None:
    granted = grant(rig)
    assert granted.policy == POLICY.title
    other = replace(POLICY, name="another name", version=9)
    rig.begin(in_force=other)
    assert rig.collects(POSITION), "the rule is the same"
