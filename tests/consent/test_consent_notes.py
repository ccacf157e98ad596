"""Entries as blocks: one encoding each, and a ledger that a damaged journal never makes more generous."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.archive.contents import describe
from edge.clock import TimeQuality
from edge.consent.consent_notes import consent_note, decode_entry, encode_entry
from edge.consent.desk import ConsentDesk
from edge.consent.entries import Asked, Entry, Erased, Granted, Lapsed, Refused, Role, Stamp, Withdrawn
from edge.consent.keeping import JournalKeeping
from edge.consent.ledger import UNREADABLE, Ledger
from edge.errors import JournalError, WireError
from edge.journal.block import BlockKind
from edge.journal.chain import Draft
from edge.journal.damage.salvage import open_or_salvage
from edge.journal.keys.key_store import KeyStore
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose
from edge.wire.strict_cbor import CborValue, read_cbor, write_cbor
from tests.consent.consent_rig import BOOT, CABIN, DAY_S, POLICY, START, TRACK
from tests.journal.journal_rig import Rig

DRIVER = Role.DRIVER
INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
STAMPS = st.builds(
    Stamp,
    st.sampled_from([b""]) | st.binary(min_size=16, max_size=16),
    INT64,
    st.integers(-(2**63), 2**62),
    st.sampled_from(TimeQuality),
)
NUMBERS = st.integers(1, 2**63 - 1)
CLASSES, PURPOSES, ROLES = (st.sampled_from(each) for each in (DataClass, Purpose, Role))


@st.composite
def grants(draw: st.DrawFn) -> Granted:
    at = draw(STAMPS)
    return Granted(
        at,
        draw(NUMBERS),
        draw(CLASSES),
        draw(PURPOSES),
        draw(ROLES),
        draw(st.integers(at.wall_ns, 2**63 - 1)),
        draw(st.booleans()),
        draw(st.binary(max_size=16)),
        draw(TEXT),
        draw(TEXT),
        draw(st.integers(0, 2**63 - 1)),
    )


ENTRIES: st.SearchStrategy[Entry] = st.one_of(
    grants(),
    st.builds(Asked, STAMPS, CLASSES, PURPOSES, ROLES, TEXT, TEXT),
    st.builds(Refused, STAMPS, st.integers(0, 2**63 - 1), CLASSES, PURPOSES, ROLES),
    st.builds(Withdrawn, STAMPS, NUMBERS, CLASSES, PURPOSES, ROLES),
    st.builds(Lapsed, STAMPS, NUMBERS, TEXT),
    st.builds(Erased, STAMPS, TEXT),
)

WRONG: st.SearchStrategy[CborValue] = st.sampled_from(
    [-1, 0, 1, 99, "", "driver", b"", [], [b"", 0, 0, 9], {}]
)


@settings(max_examples=40, deadline=None)
@given(ENTRIES)
def test_an_entry_comes_back_as_it_was(entry: Entry) -> None:
    assert decode_entry(encode_entry(entry)) == entry
    assert describe(BlockKind.CONSENT, encode_entry(entry))["what"] == type(entry).__name__.lower()


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200))
@example(b"")
def test_other_bytes_are_refused_with_one_error(data: bytes) -> None:
    try:
        entry = decode_entry(data)
    except WireError:
        return
    assert encode_entry(entry) == data


@settings(max_examples=40, deadline=None)
@given(ENTRIES, st.data())
def test_a_changed_field_is_refused_or_read_as_it_stands(entry: Entry, data: st.DataObject) -> None:
    fields = read_cbor(encode_entry(entry))
    assert isinstance(fields, dict)
    key = data.draw(st.sampled_from([*fields]))
    wrong = data.draw(WRONG)
    changed = write_cbor({**fields, key: wrong})
    try:
        again = decode_entry(changed)
    except WireError:
        with pytest.raises(JournalError):
            describe(BlockKind.CONSENT, changed)
        return
    assert encode_entry(again) == changed


@settings(max_examples=40, deadline=None)
@given(ENTRIES)
def test_its_block_is_of_no_class_and_is_left_alone_by_the_bounds(entry: Entry) -> None:
    draft = consent_note(entry)
    assert (draft.kind, draft.data_class, draft.purpose, draft.locked) == (BlockKind.CONSENT, "", "", True)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "journal").start()
    yield made
    made.stop()


def desk(rig: Rig) -> ConsentDesk:
    keeping = JournalKeeping(rig.open)
    ledger, newest = keeping.load(), keeping.newest()
    made = ConsentDesk(
        POLICY, rig.clock, boot=BOOT, start=START, ledger=ledger, keeping=keeping, newest=newest
    )
    made.admission()
    return made


SPOILERS = {
    "header": "UPDATE block SET header = x'00' WHERE number = ?",
    "ciphertext": "UPDATE block SET ciphertext = zeroblob(60) WHERE number = ?",
    "content": "UPDATE block SET ciphertext = NULL, size = 0 WHERE number = ?",
    "row": "DELETE FROM block WHERE number = ?",
}


def spoil(rig: Rig, number: int, what: str) -> None:
    rig.open.journal.run_with_connection(lambda connection: connection.execute(SPOILERS[what], (number,)))


def consent_blocks(rig: Rig) -> list[int]:
    return [one for (one,) in rig.rows("SELECT number FROM block WHERE kind = 11 ORDER BY number")]


def story(rig: Rig) -> None:
    """Consents 1 and 2, 1 withdrawn, consent 3."""
    first = desk(rig)
    first.grant(TRACK, term_s=DAY_S, role=DRIVER, keep=True)
    rig.records(2)
    first.grant(CABIN, term_s=DAY_S, role=DRIVER, keep=True)
    first.withdraw(TRACK, role=DRIVER)
    rig.records(2)
    first.grant(CABIN, term_s=DAY_S, role=DRIVER, keep=True)


def test_a_journal_gives_its_ledger_back(rig: Rig) -> None:
    story(rig)
    said = desk(rig).ledger.entries
    assert [type(one) for one in said] == [Granted, Granted, Withdrawn, Granted]
    rig.stop()
    rig.start()
    assert desk(rig).ledger.entries == said
    assert desk(rig).admission().consents == {CABIN: 3}
    assert rig.rows("SELECT DISTINCT class, locked FROM block WHERE kind = 11") == [("", 1)]
    assert {entry.purpose for entry in rig.open.keys.listing()} == {""}
    assert rig.verify(contents=True).holds


def test_a_consent_is_on_the_disk_when_it_is_given(rig: Rig) -> None:
    desk(rig).grant(TRACK, term_s=60, role=DRIVER)
    with rig.open.reader() as other:
        (block,) = [one for one in other.blocks() if one.header.kind is BlockKind.CONSENT]
        opened = other.plaintext(block)
        assert opened is not None
        assert isinstance(decode_entry(opened[1]), Granted)


@pytest.mark.parametrize("what", SPOILERS)
@pytest.mark.parametrize(("place", "left"), [(0, {CABIN: 3}), (1, {CABIN: 3}), (2, {CABIN: 3}), (3, {})])
def test_what_cannot_be_read_lets_nothing_hold_that_was_given_before(
    rig: Rig, what: str, place: int, left: dict[object, int]
) -> None:
    story(rig)
    spoil(rig, consent_blocks(rig)[place], what)
    found = desk(rig)
    assert found.admission().consents == left
    lapsed = [one for one in found.ledger.entries if isinstance(one, Lapsed)]
    assert {one.why for one in lapsed} <= {UNREADABLE}
    assert found.grant(TRACK, term_s=60, role=DRIVER).number > 2
    assert desk(rig).admission().consents == left | {TRACK: found.ledger.used}, "nor at the next start"


def test_an_entry_of_a_later_program_lets_nothing_hold_that_was_given_before(rig: Rig) -> None:
    desk(rig).grant(CABIN, term_s=60, role=DRIVER)
    rig.open.journal.add_note(
        Draft(BlockKind.CONSENT, "", write_cbor({1: 9}), rig.boot, 1, 1, rig.clock.timebase(), count=1)
    )
    rig.open.journal.commit()
    assert not desk(rig).admission().consents


def test_a_lost_key_lets_nothing_hold_that_was_given_before(rig: Rig) -> None:
    story(rig)
    rig.stop()
    (rig.folder / "keys.db").unlink()
    rig.start()
    assert not desk(rig).admission().consents


def test_a_key_store_that_cannot_be_read_at_present_says_nothing_of_consents(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    story(rig)

    def busy(store: KeyStore, key_id: bytes) -> bytes | None:
        raise JournalError(f"busy: {store} {key_id.hex()}")

    monkeypatch.setattr(KeyStore, "key", busy)
    with pytest.raises(JournalError, match="busy"):
        JournalKeeping(rig.open).load()


def test_numbers_go_on_behind_those_that_label_keys(rig: Rig) -> None:
    keys: KeyStore = rig.open.keys
    keys.key_for("position", "day 20000", "consent 4,11")
    found = desk(rig)
    assert found.grant(TRACK, term_s=60, role=DRIVER).number == 12
    assert found.gone(["consent 4,11", "consent 12"]) == {"consent 4,11": 0}


def test_numbers_that_have_ended_do_not_come_back(rig: Rig) -> None:
    rig.open.keys.end([21])
    assert desk(rig).grant(TRACK, term_s=60, role=DRIVER).number == 22


def test_a_journal_that_was_put_aside_takes_its_consents_with_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "journal").start()
    story(rig)
    rig.open.keys.key_for("cabin", "day 20000", "consent 3")
    rig.stop()
    rig.opened, salvaged = open_or_salvage(
        rig.folder, rig.provider, rig.settings, rig.inside(), found="damage for a test"
    )
    try:
        assert salvaged
        found = desk(rig)
        assert not found.admission().consents
        assert found.ledger.used == 3
        assert found.gone(["consent 3"]) == {"consent 3": 0}
    finally:
        rig.stop()


def test_the_newest_time_outlasts_a_start(rig: Rig) -> None:
    keeping = JournalKeeping(rig.open)
    for wall_ns in (5, 9, 7):
        keeping.remember(TimeQuality.NTP, wall_ns)
    rig.open.journal.commit()
    assert keeping.newest() == {
        TimeQuality.NONE: 0,
        TimeQuality.RTC: 0,
        TimeQuality.NTP: 9,
        TimeQuality.GNSS: 0,
    }


def test_a_journal_that_cannot_be_written_gives_no_consent(rig: Rig) -> None:
    found = desk(rig)
    rig.open.journal.abandon(JournalError("a test"))
    with pytest.raises(JournalError):
        JournalKeeping(rig.open).keep(consent_note(Erased(found.now().at, "consent 1")))


def test_an_empty_journal_has_an_empty_ledger(rig: Rig) -> None:
    assert JournalKeeping(rig.open).load().entries == Ledger().entries
