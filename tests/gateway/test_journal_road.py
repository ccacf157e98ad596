"""What a gateway with a journal keeps: every committed record, its number and its bytes, over any end."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from edge.gateway import Gateway
from edge.journal.damage.salvage import open_or_salvage
from edge.journal.keys.key_provider import KeyProvider
from edge.journal.opening import Inside
from edge.journal.settings import JournalSettings
from edge.journal.upkeep.bounds import RESERVE_FILE
from edge.wire.cose import Role, Signer
from edge.wire.receipt import Receipt, encode
from simulator.virtual_link import LinkFaults
from tests.gateway.rig import MS, PLATFORM_KEY, TOPICS, VIN, Rig, S, alarm, motion, recording, source

UNREACHABLE = LinkFaults(refuse=1.0)


def journal(folder: Path, **lines: object) -> str:
    """The configuration's table of the journal."""
    more = "".join(f"{name} = {value}\n" for name, value in lines.items())
    return f'[journal]\nfolder = "{folder / "journal"}"\n{more}'


def test_a_recording_goes_through_the_journal_to_the_platform(tmp_path: Path) -> None:
    rig = Rig(tmp_path, uplink=journal(tmp_path))
    rig.gateway.run(recording(47), stop=rig.stop)
    assert rig.gateway.finish(60)
    assert rig.platform.received == [(1, 47)]
    assert rig.platform.speeds[40] == 390
    account = rig.gateway.account()
    assert account.balanced
    assert [
        (hop.name, hop.unit, hop.entered, hop.left) for hop in account.hops[4:] if hop.name != "journal scrub"
    ] == [
        ("journal", "records", 47, 47),
        ("journal", "notes", 2, 2),
        ("forward to platform", "records", 47, 47),
        ("uplink", "messages", 3, 3),
        ("uplink", "records", 47, 47),
    ]


def test_what_was_not_sent_is_sent_at_the_next_start_under_the_same_numbers(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "first", uplink=journal(tmp_path), faults=UNREACHABLE)
    rig.gateway.run(recording(25), stop=rig.stop)
    assert not rig.gateway.finish(5)
    stream = rig.gateway.identity.stream
    later = Rig(tmp_path / "later", uplink=journal(tmp_path))
    assert later.gateway.identity.stream == stream
    later.gateway.run(recording(10), stop=later.stop)
    assert later.gateway.finish(60)
    assert list(later.platform.streams) == [stream]
    assert later.platform.received == [(1, 35)]
    assert later.platform.speeds[25] == 240
    assert later.platform.speeds[26] == 0


def test_an_alarm_is_committed_and_sent_at_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path, uplink=journal(tmp_path, block_period_s=60), sampling="uplink_period_s = 30")
    frames = [
        motion(0, 1),
        motion(1_500 * MS, 2),
        alarm(2_500 * MS, up=True),
        alarm(2_600 * MS, up=False),
        motion(3_100 * MS, 3),
        motion(4_100 * MS, 4),
    ]
    rig.connect()
    sent: list[int] = []

    def watch(_: Gateway) -> None:
        rig.clock.pass_until(rig.clock.boot_ns() + S)
        sent.append(len(rig.platform.alarms))

    rig.gateway.run(source([each] for each in frames), stop=rig.stop, watch=watch)
    assert sent[-2:] == [1, 1]
    assert rig.gateway.finish(60)
    assert rig.platform.received == [(1, 4)]
    assert rig.platform.alarms == [3]


def test_a_journal_that_lost_its_end_is_put_aside_before_a_number_comes_twice(tmp_path: Path) -> None:
    first = Rig(tmp_path / "first", uplink=journal(tmp_path))
    first.gateway.run(recording(20), stop=first.stop)
    assert first.gateway.finish(60)
    stream = first.gateway.identity.stream

    later = Rig(tmp_path / "later", uplink=journal(tmp_path), seed=7)
    later.connect()
    beyond = Signer(PLATFORM_KEY, vehicle=VIN, role=Role.DOWN).sign(encode(Receipt(stream, 30)))
    later.link.send_down(TOPICS.receipt, beyond)
    later.gateway.run(recording(10), stop=later.stop, watch=lambda _: later.connect())
    assert any("the journal is not whole" in text for text in later.told)
    later.gateway.finish(60)
    assert later.gateway.account().balanced
    passed_by = [one for one in later.platform.streams if one != stream]
    assert len(passed_by) == 1

    last = Rig(tmp_path / "last", uplink=journal(tmp_path), seed=4)
    assert last.gateway.identity.stream not in {stream, *passed_by}
    assert any("damaged" in text and stream.hex() in text for text in last.told)
    last.gateway.run(recording(5), stop=last.stop)
    assert last.gateway.finish(60)
    assert list(last.platform.streams[last.gateway.identity.stream].received) == [(1, 5)]


def test_a_boot_that_was_over_never_returns_in_the_chain(tmp_path: Path) -> None:
    boots: list[bytes] = []
    for place, wanted in enumerate((b"a" * 16, b"a" * 16, b"b" * 16, b"a" * 16)):
        rig = Rig(tmp_path / str(place), uplink=journal(tmp_path), seed=10 + place, boot=wanted)
        boots.append(rig.gateway.identity.boot)
        rig.gateway.run(recording(3), stop=rig.stop)
        assert rig.gateway.finish(60)
    assert boots[:3] == [b"a" * 16, b"a" * 16, b"b" * 16]
    assert boots[3] not in boots[:3]


def test_a_full_disk_is_opened_with_what_was_reserved_for_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Rig(tmp_path / "first", uplink=journal(tmp_path))
    first.gateway.run(recording(3), stop=first.stop)
    assert first.gateway.finish(60)
    reserve = tmp_path / "journal" / RESERVE_FILE
    reserve.write_bytes(bytes(10))

    def open_if_there_is_room(
        folder: Path, provider: KeyProvider, settings: JournalSettings, inside: Inside, *, found: str = ""
    ) -> object:
        if reserve.exists():
            raise apsw.FullError("database or disk is full")
        return open_or_salvage(folder, provider, settings, inside, found=found)

    monkeypatch.setattr("edge.making.open_or_salvage", open_if_there_is_room)
    later = Rig(tmp_path / "later", uplink=journal(tmp_path))
    assert later.gateway.identity.stream == first.gateway.identity.stream


def test_a_disk_that_cannot_be_opened_leaves_a_gateway_without_a_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> object:
        raise apsw.FullError("database or disk is full")

    monkeypatch.setattr("edge.making.open_or_salvage", refuse)
    rig = Rig(tmp_path / "rig", uplink=journal(tmp_path))
    assert any("cannot be opened" in text for text in rig.told)
    rig.gateway.run(recording(5), stop=rig.stop)
    assert rig.gateway.finish(60)
    assert rig.platform.received == [(1, 5)]
