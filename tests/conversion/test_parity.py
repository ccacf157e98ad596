"""Both ways at once: records that went up as CBOR and were converted equal a terminal's, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bus.memory import MemorySource
from edge.bus.merge import merge
from edge.bus.recording import open_recording
from edge.bus.source import FrameSource
from edge.catalogue.catalogue import builtin
from edge.catalogue.item import Edition
from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.forward.gbt_composer import GbtComposer
from edge.policy.classes import DataClass
from edge.records import Record, Value
from edge.road import VolatileRoad
from edge.uplink.outgoing import Kind
from edge.wire.cose import Signer
from edge.wire.gbt.message import Report, read_message
from edge.wire.gbt.options import MissingList, Options, Overflow
from edge.wire.gbt.recording import RecordCodec
from edge.wire.keys import SigningKey
from edge.wire.message import MessageKind, RecordMessage, encode
from simulator.conversion.converter import Converter
from simulator.conversion.vin_book import VinBook
from simulator.platform.accepted import Accepted
from simulator.platform.judge import Judge
from simulator.platform.keyring import Keyring
from simulator.platform.reader import StoreReader
from simulator.vehicle.vehicle import ReferenceVehicle
from tests.gbt.grammar import T_S, examples, record_of
from tests.gbt.grammar import records as any_records
from tests.policy.lawful import lawful
from tests.road import virtual_road
from tests.road.conftest import PROJECT
from tests.road.test_recordings import KONA_BUSES
from tests.road.virtual_road import VIN, Left, SteppedClock, drive

SECONDS = 4
EVERYTHING = lawful(*DataClass)
WALL = Timebase(T_S * NS_PER_S + 123_456_789, TimeQuality.NTP)
SAMPLING = "[sampling]\nuplink_period_s = 1\n"


class TimedClock(SteppedClock):
    """A clock that knows the wall time, as a vehicle with a fix does."""

    def __init__(self) -> None:
        super().__init__()
        self.set_timebase(WALL)


@dataclass(frozen=True, slots=True)
class Way:
    """What one drive gave.

    Attributes:
        records: as the vehicle made them, before any message.
        left: what left it, and what the platform stored.
        store: the platform's file.
    """

    records: list[Record]
    left: Left
    store: Path


def both_ways(folder: Path, config: str, source: Callable[[], FrameSource]) -> Way:
    """Drive once; every record is seen where a terminal of GB/T 32960.3 would take it."""
    made: list[Record] = []
    onward = VolatileRoad.take_record

    def seen(road: VolatileRoad, record: Record) -> None:
        made.append(record)
        onward(road, record)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VolatileRoad, "take_record", seen)
        patch.setattr(virtual_road, "SteppedClock", TimedClock)
        left = drive(patch, folder / "run", config + SAMPLING, EVERYTHING, source)
    return Way(made, left, folder / "run" / "platform.db")


def reference(folder: Path) -> Way:
    vehicle = ReferenceVehicle(1)
    buses = "".join(
        f'[[bus]]\nname = "{bus}"\n[[bus.database]]\nfile = "{database.path}"\n'
        for bus, database in vehicle.databases.items()
    )
    batches = [replace(batch, timebase=WALL) for batch in vehicle.frames(SECONDS)]
    return both_ways(folder, buses, partial(MemorySource, batches, name="drive"))


def kona(folder: Path, data: Path) -> Way:
    recording = next((data / "kona-ev").glob("230112-7-*.csv"))
    buses = KONA_BUSES.format(data=data / "kona-ev", dbc=PROJECT / "dbc")
    batches = []
    with merge([open_recording(recording, buses={"0": "pcan", "1": "ccan"})]) as source:
        while (batch := source.read(0)) is not None:
            # The recorder's clock counts from its start: give the drive a wall time.
            batches.append(replace(batch, timebase=WALL))
    return both_ways(folder, buses, partial(MemorySource, batches, name="drive"))


@pytest.fixture(scope="module", params=["reference vehicle", "Kona recording"])
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Way:
    folder = tmp_path_factory.mktemp("ways")
    if request.param == "reference vehicle":
        return reference(folder)
    return kona(folder, request.getfixturevalue("shared_data"))


def terminal(record: Record, edition: Edition) -> bytes:
    """What a terminal that speaks the standard itself composes of a record."""
    composer = GbtComposer(RecordCodec(edition), VIN)
    composed = composer.records(Kind.LIVE, [record], stream=b"", predecessor=None, boot=b"", most_bytes=None)
    assert (composed.count, composed.cause) == (1, "")
    return composed.payload


@pytest.mark.parametrize("edition", Edition)
def test_what_the_platform_stored_converts_to_the_messages_of_a_terminal(way: Way, edition: Edition) -> None:
    expected = {record.number: terminal(record, edition) for record in way.records}
    assert len(expected) >= SECONDS - 1
    assert len(set(expected.values())) == len(expected)
    converter = Converter(RecordCodec(edition), VinBook())
    with StoreReader(way.store) as reader:
        converted = {
            stored.record.number: b"".join(message.write() for message in converter.stored(stored).messages)
            for stored in reader.records()
        }
    assert converted == expected
    assert converter.hop().balanced
    assert converter.hop().left == len(expected)


CHOICES = [
    Options(),
    Options(overflow=Overflow.LIMIT, discharge_positive=False, unit_bytes=8_192),
    Options(unstated_codes=False, missing_lists=MissingList.EMPTY, pedals=False),
]
codec = cache(RecordCodec)
KEY = SigningKey.seeded(b"vehicle")
JUDGE = Judge(Keyring({VIN: [KEY.public]}), builtin())
SIGNER = Signer(KEY, vehicle=VIN)


def converted(
    *given_records: Record, edition: Edition, kind: MessageKind, road: MessageKind, options: Options
) -> list[bytes]:
    """What comes of records that go up as one signed CBOR message, are judged, and are converted."""
    message = RecordMessage(kind, VIN, b"s" * 16, b"b" * 16, given_records)
    accepted = JUDGE.judge(f"nev/v1/{VIN}/up/{road.topic}", SIGNER.sign(encode(message, builtin())))
    assert isinstance(accepted, Accepted)
    made = Converter(codec(edition, options), VinBook()).accepted(accepted)
    return [b"".join(message.write() for message in one.messages) for one in made]


def said(record: Record, edition: Edition, options: Options) -> bytes:
    """The messages of a record; a terminal sends none that says nothing."""
    messages, _ = codec(edition, options).messages(record, VIN.encode())
    contents = [message.content for message in messages]
    says = any(isinstance(content, Report) and content.bodies for content in contents)
    return b"".join(message.write() for message in messages) if says else b""


@given(any_records(), st.sampled_from(CHOICES), st.booleans())
@settings(max_examples=examples(20), deadline=None)
def test_any_record_says_the_same_after_its_way_through_cbor(
    record: Record, options: Options, late: bool
) -> None:
    record = replace(record, reissue=late)
    kind = MessageKind.BACKLOG if late else MessageKind.LIVE
    for edition in Edition:
        (back,) = converted(record, edition=edition, kind=kind, road=kind, options=options)
        assert back == said(record, edition, options)


@pytest.mark.parametrize("edition", Edition)
def test_records_of_several_messages_and_several_units_come_out_the_same(edition: Edition) -> None:
    cells: dict[str, Value] = {f"pack[{pack}].cells": tuple(range(3000, 3450)) for pack in range(1, 41)}
    volts: dict[str, Value] = {f"pack[{pack}].voltage": 3900 for pack in range(1, 41)}
    record = record_of(cells | volts | {"vehicle.speed": 5})
    for options, at_least in (
        (Options(), 3 if edition is Edition.Y2016 else 1),
        (Options(unit_bytes=8_192), 5),
    ):
        messages, _ = codec(edition, options).messages(record, VIN.encode())
        assert len(messages) >= at_least
        (back,) = converted(
            record, edition=edition, kind=MessageKind.LIVE, road=MessageKind.LIVE, options=options
        )
        assert back == b"".join(message.write() for message in messages)


@pytest.mark.parametrize(
    ("kind", "road", "command"),
    [
        (MessageKind.LIVE, MessageKind.LIVE, 2),
        (MessageKind.ALARM, MessageKind.ALARM, 2),
        (MessageKind.LIVE, MessageKind.BACKLOG, 3),
        (MessageKind.ALARM, MessageKind.BACKLOG, 3),
        (MessageKind.BACKLOG, MessageKind.BACKLOG, 3),
    ],
)
def test_the_kind_of_the_message_and_its_road_make_the_command(
    kind: MessageKind, road: MessageKind, command: int
) -> None:
    record = record_of({"vehicle.speed": 5})
    for edition in Edition:
        (back,) = converted(record, edition=edition, kind=kind, road=road, options=Options())
        assert back == said(replace(record, reissue=command == 3), edition, Options())
        assert read_message(back).command == command
