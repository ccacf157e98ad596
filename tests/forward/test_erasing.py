"""What is erased while forwarders are at work goes from all of them, and every number still arrives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.clock import NS_PER_S
from edge.errors import JournalError
from edge.forward.taken_back import ANSWER_S
from edge.journal.keys.key_store import KeyStore
from edge.journal.upkeep.condemned import AGAIN_S
from edge.journal.upkeep.erasure import ErasureRequest
from edge.policy.classes import DataClass
from edge.uplink.outbox import Progress
from edge.uplink.outgoing import Kind, Outgoing
from edge.wire.loss import LossCause
from tests.forward.site import NAMES, Site
from tests.forward.test_forwarder_machine import read
from tests.journal.faulty_disk import Fault, FaultyDisk, faulty

POSITION = ErasureRequest(DataClass.POSITION, reason="the driver withdrew", consents=frozenset({3}))
BOTH, SPEED = {"vehicle.speed", "gnss.valid"}, {"vehicle.speed"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FaultyDisk]:
    with faulty(tmp_path) as made:
        yield made


@pytest.fixture
def site(tmp_path: Path, disk: FaultyDisk) -> Iterator[Site]:
    made = Site(tmp_path / "journal")
    yield made
    disk.fault = Fault.NONE
    made.stop()


def items(messages: list[Outgoing]) -> dict[int, set[str]]:
    """The items of each record, by number; a number may come once."""
    found: dict[int, set[str]] = {}
    for item in messages:
        for record in read(item).records if item.numbered else ():
            assert record.number not in found, "a number came twice"
            found[record.number] = set(record.values)
    return found


def test_messages_that_wait_are_made_anew_without_what_was_erased(site: Site) -> None:
    site.rig.records(4)
    before = {name: site.begin(name) for name in NAMES}
    assert all(len(one) == 2 for one in before.values())
    result = site.erasing.erase([POSITION])
    assert (result.messages, result.resealed, result.blocks) == (4, 0, 4)
    assert site.balanced()
    site.label = None
    site.rig.records(2)
    for name in NAMES:
        assert items(site.drain(name)) == dict.fromkeys(range(1, 7), SPEED)
        assert site.forwarders[name].empty()
    assert site.balanced()
    assert site.rig.verify(contents=True).holds


def test_what_rests_on_something_else_stays_byte_for_byte(site: Site) -> None:
    site.label = ""
    site.rig.records(2)
    kept = list(site.begin().values())
    site.label = "consent 3"
    site.rig.records(2)
    site.begin()
    site.label = "consent 3,7"
    site.rig.records(2)
    site.begin()
    result = site.erasing.erase([POSITION])
    assert (result.blocks, result.messages, result.resealed) == (2, 1, 2)
    sent = site.drain()
    assert kept[0].payload in {one.payload for one in sent}
    assert items(sent) == {1: BOTH, 2: BOTH, 3: SPEED, 4: SPEED, 5: BOTH, 6: BOTH}
    more = site.erasing.erase([ErasureRequest(DataClass.POSITION, consents=frozenset({7}))])
    assert more.blocks == 2, "3 has ended before, so nothing is left that they rest on"
    with site.rig.open.reader() as reader:
        left = {one.record.number for one in reader.records(1, 6) if "gnss.valid" in one.record.values}
    assert left == {1, 2}


def test_a_message_on_its_way_that_arrives_is_not_sent_again(site: Site) -> None:
    site.rig.records(4)
    forwarder = site.forwarders[NAMES[0]]
    first, second = site.begin()
    forwarder.note(first, Progress.IN_FLIGHT)
    forwarder.note(second, Progress.HANDED_OVER)
    site.erasing.erase([POSITION])
    assert forwarder.get(first) is None
    assert site.begin() == {}, "an answer may still come"
    assert not forwarder.empty()
    for position in (first, second):
        assert not forwarder.acknowledge(position), "it was given up before"
    assert forwarder.empty()
    assert site.balanced()
    site.rig.open.journal.commit()
    site.restart()
    assert site.drain() == []


@pytest.mark.parametrize("how", ["broken", "refused", "silence", "crash"])
def test_a_message_on_its_way_that_does_not_arrive_is_made_anew(site: Site, how: str) -> None:
    site.rig.records(2)
    forwarder = site.forwarders[NAMES[0]]
    (position,) = site.begin()
    forwarder.note(position, Progress.IN_FLIGHT)
    site.erasing.erase([POSITION])
    if how == "broken":
        forwarder.note(position, Progress.WAITING)
    elif how == "refused":
        assert not forwarder.set_aside(position, "refused")
    elif how == "silence":
        site.rig.after(ANSWER_S)
    else:
        site.crash()
    assert items(site.drain()) == {1: SPEED, 2: SPEED}
    assert site.balanced()


def test_an_alarm_goes_as_an_alarm_again_and_backlog_as_backlog(site: Site) -> None:
    site.rig.records(2)
    site.rig.after(70)
    site.rig.records(2)
    site.rig.records(1, alarm=True)
    before = {item.kind: item.first_number for item in site.begin().values()}
    site.erasing.erase([POSITION])
    after = {item.kind: item.first_number for item in site.begin().values()}
    assert before == after
    assert set(after) == {Kind.ALARM, Kind.LIVE, Kind.BACKLOG}


def test_records_in_memory_lose_what_was_erased(site: Site) -> None:
    site.rig.records(1)
    site.label = ""
    site.rig.records(1)
    site.erasing.erase([POSITION])
    assert [set(one.values) for one in site.recent.run(1, 2)] == [SPEED, BOTH]


def test_records_whose_carrier_goes_are_told_as_erased_while_the_gateway_runs(site: Site) -> None:
    site.rig.records(4)
    site.begin()
    site.erasing.erase([ErasureRequest(DataClass.OPERATION, reason="sold")])
    site.rig.records(1)
    sent = site.drain()
    assert [(e.first, e.last, e.cause) for one in sent for e in read(one).losses] == [
        (1, 4, LossCause.ERASED)
    ]
    assert items(sent) == {5: BOTH}
    assert site.balanced()


def test_many_requests_are_one_rotation(site: Site) -> None:
    site.rig.records(2)
    site.rig.frames()
    site.rig.frames(arb_id=0x101)
    before = site.rig.provider.generations()
    requests = [POSITION, ErasureRequest(DataClass.OPERATION), ErasureRequest(DataClass.CABIN)]
    result = site.erasing.erase(requests)
    assert result.blocks == 6
    assert [one - before[-1] for one in site.rig.provider.generations()] == [1]
    assert site.rig.rows("SELECT count(*) FROM block WHERE kind = 10") == [(2,)]


def test_asking_again_does_nothing(site: Site) -> None:
    site.rig.records(2)
    site.erasing.erase([POSITION])
    generations = site.rig.provider.generations()
    assert site.erasing.erase([POSITION]).key_ids == ()
    assert site.rig.provider.generations() == generations


def test_while_nothing_can_be_written_nothing_is_changed_but_that_consents_have_ended(
    site: Site, disk: FaultyDisk
) -> None:
    site.rig.records(2)
    before = site.begin()
    site.rig.open.keys.end({3})
    disk.fault = Fault.READ_ONLY
    site.rig.record()
    with pytest.raises(JournalError):
        site.erasing.erase([POSITION])
    disk.fault = Fault.NONE
    site.rig.after(61)
    site.rig.open.journal.pump()
    assert site.begin() == before
    assert site.erasing.erase([POSITION]).messages == 1
    assert items(site.drain()) == {1: SPEED, 2: SPEED}


def test_a_transaction_that_the_disk_refuses_leaves_cursors_and_messages(
    site: Site, disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.rig.records(2)
    before = site.begin()
    journal = site.rig.open.journal
    write_alone = journal.write_alone

    def refused(*what: object) -> None:
        disk.fault = Fault.FULL
        try:
            write_alone(*what)  # type: ignore[arg-type]
        finally:
            disk.fault = Fault.NONE

    with monkeypatch.context() as patch:
        patch.setattr(journal, "write_alone", refused)
        with pytest.raises(JournalError, match="full"):
            site.erasing.erase([POSITION])
    assert site.begin() == before
    site.crash()
    assert items(site.drain()) == {1: SPEED, 2: SPEED}, "the opening carries it out"


def test_keys_that_cannot_be_destroyed_at_once_seal_nothing_more_and_are_tried_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.rig.records(2)
    site.rig.frames()
    site.begin()
    doomed = {one.key_id for one in site.rig.open.keys.listing() if one.data_class != ""}

    def refuse(*_: object) -> None:
        raise JournalError("the disk refuses")

    with monkeypatch.context() as patch:
        patch.setattr(KeyStore, "destroy_keys", refuse)
        with pytest.raises(JournalError, match="refuses"):
            site.erasing.erase([POSITION, ErasureRequest(DataClass.OPERATION)])
        site.rig.open.journal.pump()
    site.rig.records(2)
    made = site.begin()
    used = {row[0] for row in site.rig.rows("SELECT key_id FROM message")}
    assert not used & doomed
    site.rig.after(AGAIN_S)
    for _ in range(10):
        site.rig.open.journal.pump()
    assert not doomed & {one.key_id for one in site.rig.open.keys.listing()}
    assert site.rig.rows("SELECT count(*) FROM erasing") == [(0,)]
    assert site.rig.rows("SELECT count(*) FROM block WHERE size > 0 AND class = 'position'") == [(0,)]
    site.crash()
    assert {one.payload for one in site.begin().values()} == {one.payload for one in made.values()}


def test_blocks_are_emptied_between_commits_also_after_a_crash(site: Site) -> None:
    site.rig.records(3)
    site.erasing.erase([POSITION])
    assert site.rig.rows("SELECT count(*) FROM block WHERE size > 0 AND class = 'position'") == [(3,)]
    site.crash()
    assert site.rig.rows("SELECT count(*) FROM erasing")[0][0] > 0
    for _ in range(10):
        site.rig.open.journal.pump()
    assert site.rig.rows("SELECT count(*) FROM block WHERE size > 0 AND class = 'position'") == [(0,)]
    assert site.rig.rows("SELECT count(*) FROM erasing") == [(0,)]


STEPS = ("KeyStore.end", "Journal.commit", "Journal.write_alone", "KeyStore.destroy_keys", "Condemned.empty")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_whenever_it_is_interrupted_the_next_opening_brings_it_to_its_end(
    site: Site, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    """A withdrawal that reached the disk is carried out; one that did not has changed nothing."""
    site.rig.records(3)
    site.begin()
    name, method = step.split(".")
    owner = {
        "KeyStore": site.rig.open.keys,
        "Journal": site.rig.open.journal,
        "Condemned": site.condemned,
    }[name]
    real = getattr(owner, method)

    class Killed(BaseException):
        pass

    def killed(*what: object) -> None:
        if after:
            real(*what)
        raise Killed

    keys = site.rig.open.keys
    with monkeypatch.context() as patch:
        patch.setattr(owner, method, killed)
        if step == "Condemned.empty":
            patch.setattr(keys, "destroy_keys", killed)
        with pytest.raises(Killed):
            site.erasing.erase([POSITION])
    site.crash()
    ended = site.rig.open.keys.ended == {3}
    assert ended is (after or step != STEPS[0])
    sent = items(site.drain())
    assert sent == dict.fromkeys((1, 2, 3), SPEED if ended else BOTH)
    for _ in range(10):
        site.rig.open.journal.pump()
    labels = {one.purpose for one in site.rig.open.keys.listing()}
    assert ("consent 3" in labels) is not ended
    assert site.rig.rows("SELECT count(*) FROM erasing") == [(0,)]
    assert site.rig.verify(contents=True).holds


def test_one_destination_is_made_to_go_without_a_class_that_another_may_have(site: Site) -> None:
    site.label = ""
    site.rig.records(4)
    platform, fleet = site.begin("platform"), site.begin("fleet")
    on_its_way = next(iter(fleet))
    site.forwarders["fleet"].note(on_its_way, Progress.IN_FLIGHT)
    site.sieves["fleet"].denied = frozenset({"gnss.valid"})
    assert site.erasing.recompose("fleet", DataClass.POSITION) == 2
    assert site.balanced()
    assert site.begin("platform") == platform
    assert items(site.drain("fleet")) == {3: SPEED, 4: SPEED}
    site.forwarders["fleet"].acknowledge(on_its_way)
    assert site.forwarders["fleet"].empty()
    assert items(site.drain("platform")) == dict.fromkeys(range(1, 5), BOTH)
    assert site.erasing.recompose("fleet", DataClass.POSITION) == 0
    with site.rig.open.reader() as reader:
        assert [set(one.record.values) for one in reader.records(1, 4)] == [BOTH] * 4
    assert site.balanced()


def test_what_was_read_ahead_is_let_go_of(site: Site) -> None:
    site.rig.records(30)
    site.restart()
    for forwarder in site.forwarders.values():
        forwarder.own_thread = True
    source = site.forwarders["platform"]._source
    cursor = site.forwarders["platform"]._cursors[0]
    deadline = site.rig.clock.boot_ns() + 100 * NS_PER_S
    while (found := source.backlog(cursor, 1, 30, least=30)) is None:
        assert site.rig.clock.boot_ns() < deadline
    assert set(found.records[0].record.values) == BOTH
    for forwarder in site.forwarders.values():
        forwarder.own_thread = False
    site.erasing.erase([POSITION])
    for forwarder in site.forwarders.values():
        forwarder.own_thread = True
    while (found := source.backlog(cursor, 1, 30, least=30)) is None:
        assert site.rig.clock.boot_ns() < deadline
    assert {name for one in found.records for name in one.record.values} == SPEED
    for forwarder in site.forwarders.values():
        forwarder.own_thread = False
