"""Records as frames: what a record says, under which command, and what becomes of those that cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.catalogue.item import Edition
from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.forward.composer import Composed
from edge.forward.gbt_composer import GbtComposer
from edge.records import Record
from edge.uplink.outgoing import Kind
from edge.wire.gbt.frame import Command
from edge.wire.gbt.message import Message, Report
from edge.wire.gbt.options import Options
from edge.wire.gbt.recording import RecordCodec
from edge.wire.loss import LossCause, LossRange
from tests.forward.gbt_site import VIN, messages_in
from tests.gbt.grammar import editions, examples, records

BOOT = b"a boot__________"
SET = Timebase(1_772_323_200 * NS_PER_S, TimeQuality.NTP)


def compose(
    composer: GbtComposer, *several: Record, kind: Kind = Kind.LIVE, most_bytes: int | None = None
) -> Composed:
    return composer.records(
        kind, several, stream=b"s" * 16, predecessor=None, boot=BOOT, most_bytes=most_bytes
    )


def speeds(*values: int, timebase: Timebase = SET) -> list[Record]:
    return [
        Record(number, number * NS_PER_S, timebase, {"vehicle.speed": value})
        for number, value in enumerate(values, 1)
    ]


def reports_in(composed: Composed) -> list[Report]:
    found = [message.content for message in messages_in(composed.payload)]
    assert all(isinstance(one, Report) for one in found)
    return [one for one in found if isinstance(one, Report)]


@given(st.lists(records(), min_size=1, max_size=3), editions, st.sampled_from([*Kind]))
@settings(max_examples=examples(30), deadline=None)
def test_a_payload_says_what_the_codec_says_each_record_s_frames_together(
    drawn: Sequence[Record], edition: Edition, kind: Kind
) -> None:
    options = Options(unit_bytes=8_192)
    several = [replace(one, number=number) for number, one in enumerate(drawn, 1)]
    codec = RecordCodec(edition, options)
    composed = compose(GbtComposer(RecordCodec(edition, options), VIN), *several, kind=kind)
    taken = several[: composed.count]
    expected = [(report, record) for record in taken for report in codec.say(record).reports]
    if composed.unsaid:
        assert composed.payload == b""
        assert not any(report.bodies for report, _ in expected)
        return
    got = list(messages_in(composed.payload))
    assert [message.content for message in got] == [report for report, _ in expected]
    for message, (_, record) in zip(got, expected, strict=True):
        late = kind is Kind.BACKLOG or record.reissue
        assert message.command == (Command.REISSUE if late else Command.REAL_TIME)
        assert message.vin == VIN.encode()
    if composed.count < len(several):
        assert not any(one.bodies for one in codec.say(several[composed.count]).reports)


def test_a_payload_holds_as_many_records_as_may_go_and_one_at_least() -> None:
    composer = GbtComposer(RecordCodec(Edition.Y2025), VIN)
    one = compose(composer, *speeds(1), kind=Kind.BACKLOG)
    size = len(one.payload)
    assert compose(composer, *speeds(1, 2, 3), kind=Kind.BACKLOG, most_bytes=2 * size).count == 2
    assert compose(composer, *speeds(1, 2), kind=Kind.BACKLOG, most_bytes=size - 1).count == 1
    assert compose(composer, *speeds(*range(50)), kind=Kind.BACKLOG).count == 20


def test_each_report_is_signed_and_one_that_cannot_be_is_named() -> None:
    seen: list[Message] = []

    def sign(message: Message) -> Message:
        seen.append(message)
        assert isinstance(message.content, Report)
        return replace(message, content=replace(message.content, signature=(1, 2, b"rr", 1, b"s")))

    composer = GbtComposer(RecordCodec(Edition.Y2025), VIN, sign=sign)
    assert [one.signature for one in reports_in(compose(composer, *speeds(1, 2)))] == [
        (1, 2, b"rr", 1, b"s")
    ] * 2
    assert len(seen) == 2
    refused = compose(GbtComposer(RecordCodec(Edition.Y2016), VIN, sign=sign), *speeds(1))
    assert (refused.payload, refused.count) == (b"", 1)
    assert "the edition of 2016 has no signature" in refused.cause


def test_a_record_without_wall_time_takes_it_from_its_own_boot_or_waits_for_it() -> None:
    known: dict[bytes, Timebase] = {}
    composer = GbtComposer(RecordCodec(Edition.Y2025), VIN, time_of=known.get)
    early = speeds(7, timebase=Timebase(0, TimeQuality.NONE))
    other_boot = compose(composer, *early)
    assert (other_boot.payload, other_boot.count) == (b"", 1)
    assert "no wall time" in other_boot.cause
    known[BOOT] = Timebase(0, TimeQuality.NONE)
    assert compose(composer, *early).count == 0
    assert compose(composer, *speeds(1), *early).count == 1
    known[BOOT] = SET
    (report,) = reports_in(compose(composer, *early))
    assert report.time.hex() == "1a0301080001"


def test_a_record_beyond_the_century_costs_no_other() -> None:
    composer = GbtComposer(RecordCodec(Edition.Y2025), VIN)
    far = speeds(1, timebase=Timebase(4_200_000_000 * NS_PER_S, TimeQuality.NTP))
    assert compose(composer, *speeds(1, 2), *far).count == 2
    assert compose(composer, *far).cause.startswith("cannot be written as a report: ")


def test_what_is_said_otherwise_is_counted_by_reason() -> None:
    composer = GbtComposer(RecordCodec(Edition.Y2016), VIN)
    fast = replace(speeds(5000)[0], values={"vehicle.speed": 5000, "gnss.satellites": 9})
    compose(composer, fast)
    compose(composer, fast)
    facts = composer.facts()
    assert facts["said otherwise: beyond the edition's range"] == 2
    assert facts["said otherwise: the edition has no such item"] == 2


def test_a_gap_cannot_be_told() -> None:
    composer = GbtComposer(RecordCodec(Edition.Y2025), VIN)
    entry = LossRange(3, 9, LossCause.LOST)
    assert composer.gap(entry, stream=b"s" * 16, predecessor=None, boot=BOOT) == b""


def test_what_a_payload_holds_is_known_by_item_but_for_fields_that_stand_empty() -> None:
    composer = GbtComposer(RecordCodec(Edition.Y2025), VIN)
    here = replace(speeds(7)[0], values={"vehicle.speed": 7, "gnss.lon": 1, "gnss.lat": 2, "gnss.valid": 1})
    assert "vehicle.speed" in (composer.items_in(compose(composer, *speeds(7, 8)).payload) or ())
    held = composer.items_in(compose(composer, here).payload)
    assert held is not None
    assert {"gnss.lon", "gnss.lat", "vehicle.speed"} <= held
    assert "hv.voltage" not in held
    assert composer.items_in(b"garbage##") is None
