"""The ledger: what it takes, what holds when, and that no clock and no order of events lets a consent outlive
its term or a refusal."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from edge.clock import TimeQuality
from edge.consent.entries import Entry, Granted, Moment, Refused, Role, Withdrawn
from edge.consent.ledger import Ledger, Standing
from edge.errors import ConsentError, PolicyError
from edge.policy.admission import Use
from tests.consent.consent_rig import (
    CABIN,
    CHANGED,
    DAY_S,
    LAWFUL,
    NOW_NS,
    POLICY,
    RULES,
    START,
    TRACK,
    UNRULED,
    days,
    moment,
    policy,
)

DRIVER, OWNER = Role.DRIVER, Role.OWNER


def granted(
    term_s: float = DAY_S, *, use: Use = TRACK, keep: bool = True, now: Moment | None = None
) -> Ledger:
    return Ledger().added(
        Ledger().grant(POLICY, use, term_s=term_s, role=DRIVER, now=now or moment(), keep=keep)
    )


def standing(ledger: Ledger, now: Moment, use: Use = TRACK) -> Standing:
    return ledger.state(POLICY, use, now).standing


def test_a_consent_holds_from_its_grant_to_its_end_and_not_at_it() -> None:
    ledger = granted(100)
    assert ledger.in_force(POLICY, moment()) == {TRACK: 1}
    assert ledger.in_force(POLICY, moment(99.999)) == {TRACK: 1}
    assert ledger.in_force(POLICY, moment(100)) == {}
    assert standing(ledger, moment(100)) is Standing.EXPIRED


def test_a_policy_that_allows_shorter_terms_ends_longer_ones() -> None:
    ledger = granted(20 * DAY_S)
    shorter, as_long = (policy(replace(RULES[1], longest_days=one)) for one in (19.0, 20.0))
    assert ledger.in_force(as_long, moment(1)) == {TRACK: 1}
    assert ledger.in_force(shorter, moment(1)) == {}
    assert ledger.state(shorter, TRACK, moment(1)).standing is Standing.CHANGED


def test_what_is_recorded_of_a_consent() -> None:
    entry = Ledger().grant(POLICY, TRACK, term_s=30 * DAY_S, role=OWNER, now=moment(), keep=True)
    assert entry == Granted(
        moment().at,
        1,
        *TRACK,
        OWNER,
        NOW_NS + days(30),
        keep=True,
        start=START,
        rule=RULES[1].digest,
        policy=POLICY.title,
        erase_within_ns=days(10),
    )


@pytest.mark.parametrize(
    "term_s", [math.nan, math.inf, -math.inf, 0, -1, 0.5, 30 * DAY_S + 1, 1e300, True, 5e-324]
)
def test_a_term_that_is_none_is_refused(term_s: float) -> None:
    with pytest.raises(ConsentError):
        Ledger().grant(POLICY, TRACK, term_s=term_s, role=DRIVER, now=moment(), keep=True)


def test_a_policy_without_a_longest_term_allows_none() -> None:
    for longest_days in (0.0, math.inf, math.nan):
        endless = policy(replace(RULES[1], longest_days=longest_days))
        with pytest.raises(ConsentError):
            Ledger().grant(endless, TRACK, term_s=60, role=DRIVER, now=moment(), keep=True)


def test_a_term_beyond_all_time_is_refused() -> None:
    endless = policy(replace(RULES[1], longest_days=1e9))
    with pytest.raises(ConsentError, match="beyond all time"):
        Ledger().grant(endless, TRACK, term_s=1e13, role=DRIVER, now=moment(), keep=True)


@pytest.mark.parametrize("use", [LAWFUL, UNRULED])
def test_only_what_rests_on_consent_is_asked_for(use: Use) -> None:
    for attempt in (
        lambda: Ledger().grant(POLICY, use, term_s=60, role=DRIVER, now=moment()),
        lambda: Ledger().refuse(POLICY, use, role=DRIVER, at=moment().at),
        lambda: Ledger().ask(POLICY, use, role=DRIVER, at=moment().at),
    ):
        with pytest.raises(PolicyError):
            attempt()


@pytest.mark.parametrize(
    "now",
    [
        moment(quality=TimeQuality.NONE),
        moment(wall_s=-60_000_000),
        moment(known_ns=NOW_NS + 61 * 10**9),
    ],
)
def test_a_clock_that_cannot_be_trusted_gives_no_consent(now: Moment) -> None:
    with pytest.raises(ConsentError, match="clock"):
        Ledger().grant(POLICY, TRACK, term_s=60, role=DRIVER, now=now, keep=True)


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (moment(10, quality=TimeQuality.NONE), "clock cannot be trusted"),
        (moment(10, wall_s=-1), "before it was given"),
        (moment(10, wall_s=-61), "set back"),
        (moment(10, known_ns=NOW_NS + 71 * 10**9), "set back"),
        (moment(10, wall_s=DAY_S), "term is over"),
        (moment(DAY_S, wall_s=10), "term is over"),
        (moment(-1, wall_s=1), "before it was given"),
        (moment(10, start=b"another start___"), ""),
    ],
)
def test_a_clock_that_cannot_be_trusted_counts_as_expired(now: Moment, why: str) -> None:
    ledger = granted()
    state = ledger.state(POLICY, TRACK, now)
    assert why in state.why
    assert (state.standing is Standing.GIVEN) == (not why)
    assert bool(ledger.in_force(POLICY, now)) == (not why)


def test_boot_monotonic_time_ends_a_consent_in_its_own_boot_only() -> None:
    ledger = granted(100)
    assert not ledger.in_force(POLICY, moment(100, wall_s=50))
    assert ledger.in_force(POLICY, moment(100, wall_s=50, boot=b"another boot____"))


def test_a_better_clock_is_believed_over_a_worse_one() -> None:
    ahead = moment(wall_s=20 * DAY_S, quality=TimeQuality.RTC)
    ledger = granted(DAY_S, now=ahead)
    assert ledger.doubt(moment(10, quality=TimeQuality.RTC))
    assert not ledger.doubt(moment(10, quality=TimeQuality.NTP))
    assert not ledger.in_force(POLICY, moment(10))
    (lapsed,) = ledger.lapses(moment(10))
    assert lapsed.number == 1
    assert not ledger.added(lapsed).in_force(POLICY, moment(20 * DAY_S + 60, boot=b"another boot____"))


def test_without_keep_it_holds_for_the_start_in_which_it_was_given() -> None:
    ledger = granted(keep=False)
    assert ledger.in_force(POLICY, moment(1))
    later = moment(1, start=b"another start___")
    assert not ledger.in_force(POLICY, later)
    assert "start" in ledger.state(POLICY, TRACK, later).why
    assert not ledger.over(POLICY, later), "its data are kept to the end of the term"
    with pytest.raises(ConsentError, match="no gateway runs"):
        Ledger().grant(POLICY, TRACK, term_s=60, role=DRIVER, now=moment(start=b""))


def test_a_consent_for_no_start_holds_in_none() -> None:
    entry = granted().entries[0]
    assert isinstance(entry, Granted)
    nowhere = Ledger([replace(entry, keep=False, start=b"")])
    assert not nowhere.in_force(POLICY, moment(1, start=b""))


def test_a_consent_given_while_no_gateway_runs_holds_in_every_start() -> None:
    ledger = granted(now=moment(start=b""))
    assert ledger.in_force(POLICY, moment(1))


def test_another_policy_is_asked_for_again() -> None:
    ledger = granted()
    assert not ledger.in_force(CHANGED, moment(1))
    assert ledger.state(CHANGED, TRACK, moment(1)).standing is Standing.CHANGED
    gone = policy(RULES[0])
    assert ledger.state(gone, TRACK, moment(1)).standing is Standing.CHANGED
    assert not ledger.over(gone, moment(1))


def test_a_refusal_and_a_withdrawal_end_every_consent_before_them() -> None:
    twice = granted()
    twice = twice.added(twice.grant(POLICY, TRACK, term_s=60, role=DRIVER, now=moment(1), keep=True))
    for entry, word in (
        (twice.refuse(POLICY, TRACK, role=OWNER, at=moment(2).at), Standing.REFUSED),
        (twice.withdraw(TRACK, role=OWNER, at=moment(2).at), Standing.WITHDRAWN),
    ):
        assert twice.ended_by(entry) == {1, 2}
        ended = twice.added(entry)
        assert standing(ended, moment(3)) is word
        assert {number: one.why for number, one in ended.over(POLICY, moment(3)).items()} == {
            1: word,
            2: word,
        }
        with pytest.raises(ConsentError, match="before"):
            ended.withdraw(TRACK, role=OWNER, at=moment(3).at)
        again = ended.added(ended.grant(POLICY, TRACK, term_s=60, role=DRIVER, now=moment(4), keep=True))
        assert again.in_force(POLICY, moment(5)) == {TRACK: 3}


def test_a_refusal_ends_what_is_written_behind_it_under_an_earlier_number() -> None:
    late = granted().entries[0]
    for entry in (Refused(moment(1).at, 1, *TRACK, DRIVER), Withdrawn(moment(1).at, 1, *TRACK, DRIVER)):
        assert not Ledger([entry, late]).in_force(POLICY, moment(2))
        assert set(Ledger([entry, late]).over(POLICY, moment(2))) == {1}


def test_a_refusal_concerns_its_own_use_alone() -> None:
    ledger = granted()
    ledger = ledger.added(ledger.grant(POLICY, CABIN, term_s=60, role=DRIVER, now=moment(), keep=True))
    refused = ledger.added(ledger.refuse(POLICY, CABIN, role=DRIVER, at=moment(1).at))
    assert refused.in_force(POLICY, moment(2)) == {TRACK: 1}


def test_nothing_to_withdraw_is_said() -> None:
    with pytest.raises(ConsentError, match="none was given"):
        Ledger().withdraw(TRACK, role=DRIVER, at=moment().at)


def test_states_of_uses_that_nobody_spoke_of() -> None:
    assert standing(Ledger(), moment(), LAWFUL) is Standing.BY_LAW
    assert standing(Ledger(), moment(), TRACK) is Standing.NOT_ASKED
    assert standing(Ledger(), moment(), UNRULED) is Standing.NOT_ASKED
    asked = Ledger().added(Ledger().ask(POLICY, TRACK, role=DRIVER, at=moment().at))
    assert asked.state(POLICY, TRACK, moment(1)).why == "asked, not answered"
    refused = asked.added(asked.refuse(POLICY, TRACK, role=DRIVER, at=moment(1).at))
    assert standing(refused, moment(2)) is Standing.REFUSED


def test_a_number_is_never_given_out_twice() -> None:
    assert Ledger(used=7).grant(POLICY, TRACK, term_s=60, role=DRIVER, now=moment()).number == 8
    assert granted().using(4).added().used == 4


def test_data_of_a_withdrawn_consent_go_within_the_time_that_was_promised() -> None:
    ledger = granted()
    ledger = ledger.added(ledger.withdraw(TRACK, role=DRIVER, at=moment(60).at))
    over = ledger.over(POLICY, moment(61))[1]
    assert over.since_ns == NOW_NS + 60 * 10**9
    assert over.deadline_ns == over.since_ns + days(10)
    hurried = policy(replace(RULES[1], erase_within_s=60))
    assert ledger.over(hurried, moment(61))[1].deadline_ns == over.since_ns + 60 * 10**9
    slowed = policy(replace(RULES[1], erase_within_s=1e9))
    assert ledger.over(slowed, moment(61))[1] == over, "a later policy takes no promise back"
    assert ledger.over(policy(RULES[0]), moment(61))[1] == over
    again = ledger.added(ledger.grant(POLICY, TRACK, term_s=60, role=DRIVER, now=moment(90), keep=True))
    again = again.added(again.withdraw(TRACK, role=DRIVER, at=moment(100).at))
    assert again.over(POLICY, moment(101))[1] == over, "nor does a later withdrawal"


def test_data_of_an_expired_consent_go_once_the_time_is_believed() -> None:
    ledger = granted(100)
    assert not ledger.over(POLICY, moment(50))
    assert not ledger.over(POLICY, moment(50, wall_s=100, believed=False)), "a jump deletes nothing"
    (over,) = ledger.over(POLICY, moment(50, wall_s=100)).values()
    assert (over.why, over.since_ns) == (Standing.EXPIRED, NOW_NS + 100 * 10**9)
    (over,) = ledger.over(POLICY, moment(100, wall_s=0, believed=False)).values()
    assert over.why is Standing.EXPIRED


def test_a_withdrawal_after_the_end_gives_no_more_time() -> None:
    ledger = granted(100)
    ledger = ledger.added(ledger.withdraw(TRACK, role=DRIVER, at=moment(500).at))
    assert ledger.over(POLICY, moment(501))[1].since_ns == NOW_NS + 100 * 10**9


def test_a_label_is_gone_when_all_of_its_consents_are() -> None:
    ledger = granted()
    ledger = ledger.added(ledger.grant(POLICY, CABIN, term_s=60, role=DRIVER, now=moment(), keep=True))
    ledger = ledger.added(ledger.withdraw(TRACK, role=DRIVER, at=moment(1).at))
    labels = ["", "consent 1", "consent 2", "consent 1,2", "consent 9", "consent 1,9"]
    deadline_ns = NOW_NS + 10**9 + days(10)
    assert ledger.gone(labels, POLICY, moment(2)) == {
        "consent 1": deadline_ns,
        "consent 9": 0,
        "consent 1,9": deadline_ns,
    }
    later = ledger.gone(labels, POLICY, moment(60))
    assert later["consent 2"] == NOW_NS + 660 * 10**9
    assert later["consent 1,2"] == deadline_ns, "the later of the two"


def test_once_seen_to_have_ended_no_clock_revives_it() -> None:
    ledger = granted(100)
    (lapsed,) = ledger.lapses(moment(50, wall_s=101))
    ended = ledger.added(lapsed)
    assert not ended.in_force(POLICY, moment(51, wall_s=51, quality=TimeQuality.GNSS))
    assert not ended.lapses(moment(200))
    assert not ledger.lapses(moment(50, wall_s=101, quality=TimeQuality.NONE))


def test_a_clock_that_is_slewed_ends_nothing_for_good() -> None:
    assert not granted().lapses(moment(1, wall_s=-30))


def test_the_first_consent_of_a_number_counts() -> None:
    ledger = granted()
    (first,) = ledger.entries
    assert isinstance(first, Granted)
    twice = ledger.added(replace(first, ends_ns=first.ends_ns + 1, data_class=CABIN[0], purpose=CABIN[1]))
    assert twice.granted(1) == first
    assert twice.in_force(POLICY, moment(1)) == {TRACK: 1}


def test_the_next_change_by_itself() -> None:
    assert Ledger().next_change_ns(moment()) is None
    ledger = granted(100)
    assert ledger.next_change_ns(moment(40)) == moment(100).at.boot_ns
    assert ledger.next_change_ns(moment(40, wall_s=90)) == moment(50).at.boot_ns
    assert ledger.next_change_ns(moment(40, wall_s=-20)) == moment(60).at.boot_ns
    assert ledger.next_change_ns(moment(100)) is None


def test_entries_are_kept_in_order() -> None:
    entries: list[Entry] = [*granted().entries, *granted(use=CABIN).entries]
    assert Ledger(entries).entries == tuple(entries)
