"""Each check fails, or proves nothing, when its ground is taken away; the others stay as they were."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from edge.account import Account, Hop
from edge.clock import NS_PER_DAY, NS_PER_S, Timebase, TimeQuality
from edge.consent.entries import Erased, Granted, Role, Withdrawn
from edge.journal.block import BlockKind
from edge.policy.admission import Use
from edge.policy.classes import DataClass
from edge.report.check import Check, Outcome
from edge.report.collecting_checks import collecting_checks
from edge.report.facts import Facts
from edge.report.keeping_checks import keeping_checks, sending_checks
from edge.report.positions import Exactness
from edge.report.report import checks_of
from edge.wire.account_message import AccountMessage
from edge.wire.account_message import encode as encode_account
from edge.wire.strict_cbor import CborValue
from tests.report.forging import LATE_S, Copy, Forger
from tests.report.week import BELT, DAY_S, TRACK, VIN, day

FRAMES, RECORDS, EVENT_FRAMES = BlockKind.FRAMES, BlockKind.RECORDS, BlockKind.EVENT_FRAMES
POSITION, CABIN, OPERATION = DataClass.POSITION, DataClass.CABIN, DataClass.OPERATION
USUAL = {"egress": "not proven", "counted": "not proven"}
"""What a week of which no test of what leaves was given, and one run of which crashed, does not prove."""


class Shown(dict[str, str]):
    """The checks that did not pass, with their outcome; and what was said of each check."""

    def __init__(self, checks: Iterable[Check]) -> None:
        found = tuple(checks)
        super().__init__((one.name, str(one.outcome)) for one in found if one.outcome is not Outcome.PASSED)
        self.said = {one.name: [sentence.key for sentence in one.evidence] for one in found}


def outcomes(copy: Copy) -> Shown:
    return Shown(checks_of(copy.facts()))


def granted(
    copy: Copy, forger: Forger, number: int, use: Use, *, keep: bool = True, days: float = 1
) -> Granted:
    """A consent to the rule that is in force."""
    policy = copy.policies()[1]
    rule = policy.rule(*use)
    assert rule is not None
    at = forger.stamp()
    ends_ns = at.wall_ns + round(days * NS_PER_DAY)
    title, within_ns = policy.title, DAY_S * NS_PER_S
    return Granted(at, number, *use, Role.DRIVER, ends_ns, keep, b"start", rule.digest, title, within_ns)


def test_a_forged_start_alone_changes_nothing(copy: Copy) -> None:
    with copy.writing() as forger:
        forger.data(FRAMES, OPERATION)
        forger.data(FRAMES, POSITION, label="consent 4")
    assert outcomes(copy) == USUAL


FORGED: dict[str, tuple[Callable[[Forger], None], str]] = {
    "a class without any rule": (lambda one: one.data(RECORDS, CABIN), "wrong.no-rule"),
    "a class that needs a consent, under none": (lambda one: one.data(FRAMES, CABIN), "wrong.needs-consent"),
    "a consent to something else": (
        lambda one: one.data(FRAMES, CABIN, label="consent 4"),
        "wrong.other-use",
    ),
    "a consent to another purpose": (
        lambda one: one.data(EVENT_FRAMES, POSITION, label="consent 4"),
        "wrong.other-use",
    ),
    "a consent that nobody gave": (
        lambda one: one.data(FRAMES, POSITION, label="consent 99"),
        "wrong.unknown-consent",
    ),
    "a class that there is none of": (
        lambda one: one.add(one.draft(FRAMES, "gossip")),
        "wrong.unknown-class",
    ),
    "data from before the consent": (
        lambda one: one.data(
            FRAMES,
            POSITION,
            label="consent 4",
            timebase=Timebase(one.clock.timebase().wall_offset_ns - 3 * NS_PER_DAY, TimeQuality.NTP),
        ),
        "wrong.not-yet",
    ),
}


@pytest.mark.parametrize("case", FORGED)
def test_a_block_that_must_not_be_fails_the_report(copy: Copy, case: str) -> None:
    forge, key = FORGED[case]
    with copy.writing() as forger:
        forge(forger)
    found = outcomes(copy)
    assert found["allowed"] == "failed"
    assert key in found.said["allowed"]
    assert found.get("chain") is None


def test_a_mask_without_consents_lets_nothing_rest_on_one(copy: Copy) -> None:
    version_2 = copy.policies()[1]
    bare = next(
        mask
        for mask, one in copy.facts().judging.masks.items()
        if one.consents == () and version_2.digest in one.policy
    )
    with copy.writing() as forger:
        forger.data(FRAMES, POSITION, label="consent 4", mask=bare)
    found = outcomes(copy)
    assert found["allowed"] == "failed"
    assert "wrong.mask-forbids" in found.said["allowed"]


def test_a_mask_that_policy_and_consents_do_not_give_proves_nothing(copy: Copy) -> None:
    with copy.writing() as forger:
        forger.data(FRAMES, POSITION, label="consent 4", mask="m-0/ffffffff")
    assert outcomes(copy)["allowed"] == "not proven"


def test_data_after_the_end_of_the_term(copy: Copy) -> None:
    with copy.writing(at_s=day(26, 12)) as forger:
        forger.data(FRAMES, POSITION, label="consent 4")
    found = outcomes(copy)
    assert found["in-time"] == "failed"


def test_data_after_a_withdrawal_and_no_erasure(copy: Copy) -> None:
    with copy.writing() as forger:
        forger.entry(Withdrawn(forger.stamp(day(5, 12.2)), 4, *TRACK, Role.DRIVER))
        forger.clock.advance_to(3 * NS_PER_S)
        forger.data(FRAMES, POSITION, label="consent 4")
    found = outcomes(copy)
    assert found["in-time"] == "failed"
    assert found["erased-in-time"] == "failed"
    assert "not-erased" in found.said["erased-in-time"]


def test_a_withdrawal_whose_time_to_erase_still_runs_is_no_fault(copy: Copy) -> None:
    with copy.writing() as forger:
        forger.entry(Withdrawn(forger.stamp(), 4, *TRACK, Role.DRIVER))
    found = outcomes(copy)
    assert found == USUAL
    assert "erasure-due" in found.said["erased-in-time"]


def test_a_consent_for_one_start_holds_in_no_other(copy: Copy) -> None:
    with copy.writing() as forger:
        forger.entry(granted(copy, forger, 5, BELT, keep=False))
    with copy.writing(at_s=LATE_S + 60, boot=b"the next boot___") as forger:
        forger.data(FRAMES, CABIN, label="consent 5")
    assert outcomes(copy)["in-time"] == "failed"


def test_a_consent_without_end_and_without_notice(copy: Copy) -> None:
    with copy.writing() as forger:
        forger.entry(granted(copy, forger, 5, BELT, days=400))
    found = outcomes(copy)
    assert found["terms"] == "failed"
    assert found["separate"] == "not proven"


def test_a_consent_longer_than_the_rule_allows(copy: Copy) -> None:
    with copy.writing() as forger:
        forger.entry(granted(copy, forger, 5, BELT, days=31))
    assert outcomes(copy)["terms"] == "failed"


def test_a_consent_to_another_rule_than_the_one_in_force(copy: Copy) -> None:
    with copy.writing() as forger:
        forger.entry(replace(granted(copy, forger, 5, BELT), rule="another"))
        forger.data(FRAMES, CABIN, label="consent 5")
    found = outcomes(copy)
    assert "wrong.other-rule" in found.said["allowed"]


def test_an_erasure_that_came_too_late(copy: Copy) -> None:
    with copy.writing() as forger:
        forger.entry(Withdrawn(forger.stamp(), 4, *TRACK, Role.DRIVER))
        forger.opened.keys.destroy("position", purpose="consent 4")
    with copy.writing(at_s=LATE_S + 2 * DAY_S, boot=b"the next boot___") as forger:
        forger.entry(Erased(forger.stamp(), "consent 4"))
    found = outcomes(copy)
    assert found["erased-in-time"] == "failed"
    assert "erased-late" in found.said["erased-in-time"]


def test_data_that_are_gone_and_nobody_says_since_when(copy: Copy) -> None:
    with copy.writing() as forger:
        forger.entry(Withdrawn(forger.stamp(), 4, *TRACK, Role.DRIVER))
        forger.entry(Erased(forger.stamp(), "consent 4"))
    found = outcomes(copy)
    assert found["erased-in-time"] == "failed"
    assert "erased-and-there" in found.said["erased-in-time"]


def test_an_erasure_whose_key_is_there(copy: Copy) -> None:
    with copy.archive() as archive:
        assert archive.keys is not None
        key = next(one.key_id for one in archive.keys.listing() if one.purpose == "consent 4")
    with copy.writing() as forger:
        forger.fields(BlockKind.ERASURE, {1: "position", 5: "asked for", 6: 1, 7: [key], 8: 0})
    assert outcomes(copy)["not-retrievable"] == "failed"


def test_an_erasure_that_is_not_at_its_end(copy: Copy) -> None:
    copy.sql("INSERT INTO erasing (key_id) VALUES (?)", b"condemned")
    assert outcomes(copy)["not-retrievable"] == "not proven"


@pytest.mark.parametrize(("data_class", "days", "outcome"), [(POSITION, 6, "failed"), (POSITION, 4, None)])
def test_data_older_than_their_time(
    copy: Copy, data_class: DataClass, days: int, outcome: str | None
) -> None:
    # Position of frames is kept five days by the policy at the end of the week.
    with copy.writing() as forger:
        timebase = forger.clock.timebase()
        old = Timebase(timebase.wall_offset_ns - days * NS_PER_DAY, TimeQuality.NTP)
        forger.data(FRAMES, data_class, label="consent 4", timebase=old)
    assert outcomes(copy).get("retention") == outcome


def test_what_an_event_locks_beyond_its_time_is_not_proven(copy: Copy) -> None:
    with copy.writing() as forger:
        timebase = forger.clock.timebase()
        old = Timebase(timebase.wall_offset_ns - 20 * NS_PER_DAY, TimeQuality.NTP)
        forger.data(EVENT_FRAMES, POSITION, timebase=old, locked=True)
    assert outcomes(copy)["retention"] == "not proven"


def test_time_since_the_last_entry_makes_overdue_what_was_not(copy: Copy) -> None:
    later = replace(copy.asked(), now_ns=copy.facts().newest_ns + 30 * NS_PER_DAY)
    found = {one.name: one for one in checks_of(copy.facts(later))}
    assert found["retention"].outcome is Outcome.NOT_PROVEN
    assert found["retention"].evidence[0].key == "overdue-since"


def test_data_about_people_under_a_key_of_another_class(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    with copy.writing() as forger:
        keys = forger.opened.keys
        given = keys.key_for
        monkeypatch.setattr(
            keys, "key_for", lambda _, period, purpose="": given("operation", period, purpose)
        )
        forger.data(RECORDS, POSITION)
    assert outcomes(copy)["sealed"] == "failed"


def test_a_strange_word_about_a_policys_signature(copy: Copy) -> None:
    note: dict[int, CborValue] = {
        1: "policy",
        2: "fleet north",
        3: 2,
        4: copy.policies()[1].digest,
        5: "gbt44464",
        6: "trust me",
    }
    with copy.writing() as forger:
        forger.fields(BlockKind.CONFIGURATION, note)
    assert outcomes(copy)["signed"] == "failed"


def test_a_picture_is_not_judged_by_this_report(copy: Copy) -> None:
    with copy.writing() as forger:
        forger.data(BlockKind.MEDIA, DataClass.EXTERIOR)
    assert outcomes(copy)["pictures"] == "not proven"


def test_an_account_that_does_not_balance(copy: Copy) -> None:
    with copy.writing() as forger:
        now_ns, boot = forger.clock.boot_ns(), forger.opened.boot
        account = Account.of([Hop("door", "frames", 10, 8, {"unknown id": 1})])
        message = AccountMessage(
            VIN, forger.opened.stream, boot, now_ns, forger.clock.timebase(), 1, account, now_ns
        )
        forger.note(BlockKind.ACCOUNT, encode_account(message))
    assert outcomes(copy)["counted"] == "failed"


RESTING = {
    "allowed", "in-time", "terms", "separate", "contact", "precision", "pictures", "signed", "erased-in-time",
    "not-retrievable", "retention", "sealed", "cabin-stays", "destinations",
}  # fmt: skip


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM block WHERE number = 300",
        "UPDATE block SET commitment = randomblob(32) WHERE number = 300",
        "UPDATE block SET ciphertext = x'00' WHERE number = (SELECT max(number) FROM block WHERE size > 0)",
        "DELETE FROM checkpoint WHERE last = (SELECT last FROM checkpoint ORDER BY last LIMIT 1 OFFSET 3)",
    ],
)
def test_on_a_chain_that_does_not_hold_nothing_is_proven(copy: Copy, damage: str) -> None:
    copy.sql(damage)
    found = outcomes(copy)
    assert found["chain"] == "failed"
    assert found.keys() >= RESTING


def test_without_the_vehicles_key_nothing_is_proven(copy: Copy) -> None:
    checks = checks_of(copy.facts(replace(copy.asked(), vehicle_keys=[])))
    passed = {one.name for one in checks if one.outcome is Outcome.PASSED}
    assert passed == {"encrypted"}


def test_without_the_platforms_key_it_confirms_nothing(copy: Copy) -> None:
    checks = checks_of(copy.facts(replace(copy.asked(), platform_keys=[])))
    assert [one.name for one in checks if one.outcome is Outcome.NOT_PROVEN] == [
        "egress",
        "countersigned",
        "counted",
    ]


def test_a_policy_that_is_not_at_hand_proves_nothing_of_its_time(copy: Copy) -> None:
    found = {one.name: one.outcome for one in checks_of(copy.facts(replace(copy.asked(), policies=[])))}
    for name in ("allowed", "contact", "retention", "cabin-stays", "destinations"):
        assert found[name] is Outcome.NOT_PROVEN


def test_a_note_of_the_policy_that_is_gone_proves_nothing(copy: Copy) -> None:
    copy.sql("UPDATE block SET ciphertext = NULL, size = 0 WHERE kind = ?", int(BlockKind.CONFIGURATION))
    found = outcomes(copy)
    assert found["allowed"] == "not proven"
    assert "undecided.no-policy-note" in found.said["allowed"]


def test_an_entry_of_the_ledger_that_is_gone_is_said(copy: Copy) -> None:
    # Its content alone goes, so that the chain holds.
    copy.sql("UPDATE block SET ciphertext = NULL, size = 0 WHERE kind = ?", int(BlockKind.CONSENT))
    found = outcomes(copy)
    for name in ("allowed", "in-time", "erased-in-time", "terms", "separate"):
        assert found[name] == "not proven", name


def test_a_period_from_before_the_journal_proves_nothing_of_its_beginning(copy: Copy) -> None:
    copy.sql("UPDATE stream SET predecessor = randomblob(16) WHERE ordinal = 1")
    early = replace(copy.asked(), from_ns=copy.facts().period.from_ns - 3 * NS_PER_DAY)
    found = {one.name: one.outcome for one in checks_of(copy.facts(early))}
    assert found["allowed"] is Outcome.NOT_PROVEN


@pytest.fixture
def facts(copy: Copy) -> Facts:
    return copy.facts()


def judged(facts: Facts, name: str) -> tuple[Outcome, str]:
    checks = (*collecting_checks(facts), *keeping_checks(facts), *sending_checks(facts))
    (found,) = [one for one in checks if one.name == name]
    return found.outcome, found.evidence[0].key


def test_where_destinations_stand_and_what_they_may_have(facts: Facts) -> None:
    (platform,) = facts.sent
    cases = [
        ("destinations", {"jurisdictions": ("US",)}, (Outcome.FAILED, "destination-abroad")),
        ("destinations", {"jurisdictions": ("CN", "US")}, (Outcome.FAILED, "destination-abroad")),
        ("destinations", {"jurisdictions": ("",)}, (Outcome.NOT_PROVEN, "destination-nowhere")),
        ("destinations", {"by_law": frozenset()}, (Outcome.FAILED, "sent-not-allowed")),
        ("destinations", {"configured": False}, (Outcome.NOT_PROVEN, "destination-unknown")),
        ("destinations", {"in_vehicle": True}, (Outcome.PASSED, "destination-inside")),
        ("encrypted", {"encrypted": False}, (Outcome.FAILED, "in-clear")),
        ("cabin-stays", {"by_law": frozenset({CABIN})}, (Outcome.FAILED, "cabin-by-law")),
        ("cabin-stays", {"by_consent": frozenset({CABIN})}, (Outcome.PASSED, "cabin-by-consent")),
    ]
    for name, change, expected in cases:
        changed = replace(facts, sent=[replace(platform, **change)])  # type: ignore[arg-type]
        assert judged(changed, name) == expected, change
    assert judged(replace(facts, home=frozenset({"DE"})), "destinations")[0] is Outcome.FAILED


def test_positions_that_tell_too_much(facts: Facts) -> None:
    for found, outcome in (
        (Exactness(records=9, too_exact=1, numbers=[7]), Outcome.FAILED),
        (Exactness(records=9, inside=1, numbers=[7]), Outcome.FAILED),
        (Exactness(records=9, undecided=1), Outcome.NOT_PROVEN),
        (Exactness(records=9, coarse=9), Outcome.PASSED),
    ):
        facts.positions.exactness = found
        assert judged(facts, "precision")[0] is outcome
