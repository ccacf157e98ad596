"""Nothing whose class is not collected is kept or leaves: other bits change nothing, no canary is found."""

from __future__ import annotations

import csv
import json
import logging
import os
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from edge.bus.memory import MemorySource
from edge.bus.merge import merge
from edge.bus.recording import open_recording
from edge.bus.source import FrameSource
from edge.catalogue.catalogue import builtin
from edge.cli.decode import command as decode_command
from edge.frames import FrameBatch, FrameFlag, concatenate
from edge.journal.block import BlockKind
from edge.journal.database import open_to_read
from edge.journal.keys.key_provider import FileKeyProvider
from edge.journal.keys.key_store import KeyStore
from edge.journal.reader import Reader
from edge.journal.record_block import decode_records
from edge.journal_road import JournalRoad
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.classfile import load_classes
from edge.policy.door import Door
from edge.road import Road
from edge.wire.cose import Role, Verifier
from edge.wire.keys import SigningKey
from edge.wire.message import RecordMessage, decode, encode
from edge.wire.record_columns import write_records
from edge.wire.strict_cbor import write_cbor
from edge.wire.up_kinds import peek_kind
from simulator.vehicle.vehicle import ReferenceVehicle
from tests.policy.lawful import lawful
from tests.road import truck
from tests.road.canary import WINDOW_BYTES, Canaries, Search
from tests.road.conftest import PROJECT
from tests.road.virtual_road import VIN, Left, drive

CANARY_S = float(os.environ.get("NEVGATE_CANARY_S", "6"))
"""Seconds of driving; a longer drive meets more states of the vehicle."""

CHUNK = 100
"""Batches of 100 ms that are planted together."""

BEGINNING = 20
"""Batches whose canaries are searched for."""

OPERATION = frozenset({DataClass.OPERATION})
HEALTH = OPERATION | {DataClass.HEALTH}
POSITION = HEALTH | {DataClass.POSITION}
EVERYTHING = frozenset(DataClass)


@pytest.fixture(scope="module")
def vehicle() -> tuple[ReferenceVehicle, list[FrameBatch]]:
    """The reference vehicle and what it sends."""
    made = ReferenceVehicle(1)
    return made, list(made.frames(CANARY_S))


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ClassedDatabase]:
    """The classed database of every bus."""
    found = {
        bus: load_classes(PROJECT / f"dbc/nev-{bus}.classes.toml", database)
        for bus, database in ReferenceVehicle(1).databases.items()
    }
    return {**found, truck.BUS: truck.write(tmp_path_factory.mktemp("truck"))}


EVENT = """
[[event]]
name = "on its way"
pre_s = 2
post_s = 2
all_of = ["powertrain.VCU_VehicleState.ChargeState >= 0"]
"""
"""An event that the reference vehicle brings about."""

Traffic = tuple[Canaries, list[FrameBatch]]


def planted(
    vehicle: tuple[ReferenceVehicle, list[FrameBatch]],
    databases: Mapping[str, ClassedDatabase],
    collect: frozenset[DataClass],
    seed: int | None,
) -> Traffic:
    """The drive with other bits in the place of all that `collect` does not name; see `Canaries.plant`."""
    canaries = Canaries(databases, collect)
    draw = np.random.default_rng(0 if seed is None else seed)
    batches: list[FrameBatch] = []
    for number in range(0, len(vehicle[1]), CHUNK):
        chunk = vehicle[1][number : number + CHUNK]
        begins_ns = [(number + place) * truck.PERIOD_NS for place in range(len(chunk))]
        timebase = chunk[0].timebase
        segments = (
            frame
            for begin_ns in begins_ns[::10]
            for frame in truck.segmented(begin_ns, canaries, databases[truck.BUS], draw)
        )
        plain = concatenate([*chunk, *(truck.plain(begin_ns, timebase) for begin_ns in begins_ns)])
        parts = [
            canaries.plant(plain, None if seed is None else draw),
            FrameBatch.from_frames(segments, timebase=timebase),
        ]
        both = concatenate(parts)
        both = both.take(np.argsort(both.t_ns, kind="stable"))
        cuts = np.searchsorted(both.t_ns, [*begins_ns, begins_ns[-1] + truck.PERIOD_NS * 10]).tolist()
        batches += [both.take(slice(*cut)) for cut in pairwise(cuts)]
    return canaries, batches


def searching(canaries: Canaries, batches: Sequence[FrameBatch]) -> Search:
    """Search for the canaries of the drive's beginning, by which every message has been sent."""
    found = {
        piece for batch in batches[:BEGINNING] for piece in canaries.pieces(batch, segments=truck.SEGMENTS)
    }
    return Search.of(found | canaries.in_segments)


def configuration(databases: Mapping[str, ClassedDatabase]) -> str:
    """The tables of buses and sampling."""
    buses = "".join(
        f'[[bus]]\nname = "{bus}"\n[[bus.database]]\nfile = "{classed.database.path}"\n'
        for bus, classed in databases.items()
    )
    return f"{buses}[sampling]\nuplink_period_s = 2\n"


def memory(batches: Sequence[FrameBatch]) -> FrameSource:
    return MemorySource(batches, name="drive")


def said(caplog: pytest.LogCaptureFixture) -> str:
    """Everything that was logged, exceptions included, but for when."""
    return "\n".join(
        f"{record.name} {record.levelname} {record.getMessage()} {record.exc_text or ''}"
        for record in caplog.records
    )


def differing(one: Left, other: Left) -> list[str]:
    """What is not equal to the last byte."""
    return [field.name for field in fields(one) if getattr(one, field.name) != getattr(other, field.name)]


@pytest.mark.parametrize("collect", [OPERATION, HEALTH, POSITION], ids=["operation", "health", "position"])
def test_bits_that_are_not_collected_change_nothing_that_leaves(
    collect: frozenset[DataClass],
    vehicle: tuple[ReferenceVehicle, list[FrameBatch]],
    databases: Mapping[str, ClassedDatabase],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    config = configuration(databases)
    left, logs = [], []
    for seed in (1, 2):
        _, batches = planted(vehicle, databases, collect, seed)
        caplog.clear()
        left.append(
            drive(monkeypatch, tmp_path / f"run{seed}", config, lawful(*collect), partial(memory, batches))
        )
        logs.append(said(caplog))
    assert differing(*left) == []
    assert logs[0] == logs[1]
    assert len(left[0].published) > 2
    assert all(
        item in left[0].store for item in ("engine.speed", "fc.voltage", "fc.current", "engine.fuel_rate")
    )


def test_bits_that_are_collected_change_what_leaves(
    vehicle: tuple[ReferenceVehicle, list[FrameBatch]],
    databases: Mapping[str, ClassedDatabase],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The comparison can fail: the same two drives differ where position is collected."""
    traffic = [planted(vehicle, databases, HEALTH, seed)[1] for seed in (1, 2)]
    one, other = (
        drive(
            monkeypatch,
            tmp_path / f"{place}",
            configuration(databases),
            lawful(*POSITION),
            partial(memory, batches),
        )
        for place, batches in enumerate(traffic)
    )
    assert {"published", "store"} <= set(differing(one, other))


def written(path: Path, batches: Sequence[FrameBatch]) -> Path:
    """The frames as a candump log, among lines that are damaged and lines that are none."""
    chance = random.Random(1)  # noqa: S311 - picks lines to damage
    lines = []
    for batch in batches:
        for place in range(len(batch)):
            line = _line(batch, place)
            lines.append(line)
            damage = chance.random()
            if damage < 0.004:
                lines.append(
                    (line[:-3] + "?", line[:-1], line + "ZZ", line.replace("#", " "))[int(damage * 1000)]
                )
    path.write_text("\n".join(lines) + "\n" + lines[-1][:-5])
    return path


def _line(batch: FrameBatch, place: int) -> str:
    frame = batch.frame(place)
    identifier = frame.arbitration_id
    wide = frame.flags & (FrameFlag.EXTENDED | FrameFlag.ERROR)
    if frame.flags & FrameFlag.ERROR:
        identifier |= 0x20000000
    name = f"{identifier:08X}" if wide else f"{identifier:03X}"
    data = frame.data.hex().upper()
    if frame.flags & FrameFlag.REMOTE:
        data = "R"
    elif frame.flags & FrameFlag.FD:
        data = f"#1{data}"
    return f"({frame.t_ns // 1000 / 1e6:.6f}) {frame.bus} {name}#{data}"


def opened(path: Path) -> FrameSource:
    return merge([open_recording(path, batch_frames=2000)], horizon_s=0.2)


def payloads(left: Left) -> Iterator[bytes]:
    """What is in the published messages: as it was sent, without its signature, and not compressed."""
    verifier = Verifier({VIN: [SigningKey.seeded(b"vehicle").public]})
    for topic, signed in left.published:
        yield topic.encode() + b" " + signed
        content = verifier.verify(signed, vehicle=VIN, role=Role.UP).payload
        if not peek_kind(content).holds_records:
            yield content
            continue
        message: RecordMessage = decode(content, builtin())
        yield encode(message, builtin(), compress=False)
        yield repr(message).encode()


def test_no_canary_is_in_anything_that_leaves_or_is_written_or_said(
    vehicle: tuple[ReferenceVehicle, list[FrameBatch]],
    databases: Mapping[str, ClassedDatabase],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    canaries, batches = planted(vehicle, databases, HEALTH, None)
    search = searching(canaries, batches)
    path = written(tmp_path / "drive.log", batches)
    folder = tmp_path / "run"
    left = drive(monkeypatch, folder, configuration(databases), lawful(*HEALTH), partial(opened, path))
    with open_recording(path) as source:
        while source.read(0) is not None:
            pass
        defects, hop = source.defects, source.hop()
    assert defects
    everything: dict[str, bytes] = {
        "published": b"\n".join(payloads(left)),
        "retained": b"\n".join(left.retained.values()),
        "account": left.account.encode(),
        "view": "\n".join(left.view).encode(),
        "refused": left.refused.encode(),
        "told": "\n".join(left.told).encode(),
        "store": left.store.encode(),
        "defects": "\n".join(map(repr, (*defects, *map(str, defects), hop))).encode(),
        "log": said(caplog).encode(),
        "output": "".join(capfd.readouterr()).encode(),
        **{str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()},
    }
    assert {name: hits for name, content in everything.items() if (hits := search.hits(content))} == {}
    assert len(search.patterns) > 100
    sent = path.read_bytes()[:20000]
    assert search.hits(sent) > 0


def journaled(folder: Path) -> Iterator[tuple[str, BlockKind, bytes]]:
    """What is in the blocks of a journal: what was sealed, and records in plain words.

    Of frames the header alone: their plaintext is packed, and `framed` has them unpacked.
    """
    keys = KeyStore(str(folder / "keys.db"), FileKeyProvider(folder, os.urandom), os.urandom, read_only=True)
    with Reader(open_to_read(str(folder / "journal.db")), keys, builtin()) as reader:
        for block in reader.blocks():
            opened = reader.plaintext(block)
            assert opened is not None
            name, kind, plaintext = f"block {block.header.number}", block.header.kind, opened[1]
            packed = kind in {BlockKind.FRAMES, BlockKind.EVENT_FRAMES}
            yield name, kind, block.header_bytes + (b"" if packed else plaintext)
            if kind is BlockKind.RECORDS:
                records = decode_records(plaintext, builtin())
                yield name, kind, repr(records).encode()
                fields = write_records(records, builtin(), compress=False)
                yield name, kind, write_cbor({int(key): value for key, value in fields.items()})
    keys.close()


def framed(folder: Path) -> bytes:
    """The payloads of all frames in a journal, padded as in a batch."""
    keys = KeyStore(str(folder / "keys.db"), FileKeyProvider(folder, os.urandom), os.urandom, read_only=True)
    kinds = {BlockKind.FRAMES, BlockKind.EVENT_FRAMES}
    with Reader(open_to_read(str(folder / "journal.db")), keys, builtin()) as reader:
        found = [reader.frames(block) for block in reader.blocks() if block.header.kind in kinds]
    keys.close()
    return b"".join(each.batch.data.tobytes() for each in found if each is not None)


def aligned(search: Search, content: bytes) -> int:
    """How many canaries are in `content` at whole bytes: quick enough for large files."""
    octets = np.frombuffer(content, np.uint8).astype(np.uint64)
    count = max(0, len(octets) - WINDOW_BYTES + 1)
    words = np.zeros(count, np.uint64)
    for place in range(WINDOW_BYTES):
        words |= octets[place : place + count] << np.uint64(8 * place)
    return int(np.isin(words, search.patterns).sum())


def test_no_canary_is_in_a_journal(
    vehicle: tuple[ReferenceVehicle, list[FrameBatch]],
    databases: Mapping[str, ClassedDatabase],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Raw frames, records and all else that is sealed, each file, and what leaves through it."""
    monkeypatch.setattr(JournalRoad, "start", Road.start)
    canaries, batches = planted((vehicle[0], vehicle[1][:BEGINNING]), databases, HEALTH, None)
    search = searching(canaries, batches)
    folder = tmp_path / "run"
    lines = f'[journal]\nfolder = "{folder / "journal"}"\nframes = true\n'
    config = f"{configuration(databases)}{lines}{EVENT}"
    left = drive(monkeypatch, folder, config, lawful(*HEALTH), partial(memory, batches))
    contents = list(journaled(folder / "journal"))
    kinds = Counter(kind for _, kind, _ in contents)
    assert {BlockKind.FRAMES, BlockKind.EVENT_FRAMES, BlockKind.EVENT, BlockKind.RECORDS} <= set(kinds)
    assert {name for name, _, content in contents if search.hits(content)} == set()
    files = {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    files["frames"] = framed(folder / "journal")
    assert len(files["frames"]) > 100_000
    assert {name for name, content in files.items() if aligned(search, content)} == set()
    assert search.hits(b"\n".join(payloads(left)) + left.account.encode()) == 0
    assert aligned(search, batches[0].data.tobytes())


def test_the_door_hides_every_canary_and_shows_it_where_its_class_is_collected(
    vehicle: tuple[ReferenceVehicle, list[FrameBatch]], databases: Mapping[str, ClassedDatabase]
) -> None:
    canaries, batches = planted(vehicle, databases, HEALTH, None)
    batches = batches[:20]
    search = searching(canaries, batches)
    hits = {}
    for collect in (HEALTH, EVERYTHING):
        door = Door({bus: [classed] for bus, classed in databases.items()}, collect)
        admitted = [door.admit(batch) for batch in batches]
        hits[collect] = sum(search.hits(batch.data.tobytes()) for batch in admitted)
    assert hits[HEALTH] == 0
    assert hits[EVERYTHING] > 1000


def exported(
    folder: Path, ending: str, batches: Sequence[FrameBatch], *options: str
) -> tuple[str, str, Path]:
    """What ``nevgate decode --policy`` prints and writes of a recording, without the names of files."""
    folder.mkdir()
    recording = written(folder / "drive.log", batches)
    out = folder / f"table{ending}"
    result = CliRunner().invoke(decode_command, [str(recording), "--out", str(out), "--json", *options])
    assert result.exception is None, result.output
    text = repr(pq.read_table(out).to_pylist()) if ending == ".parquet" else out.read_text()
    printed = json.loads(result.output.replace(str(folder), ""))
    for entry in printed["recordings"]:
        # By these a run that goes on knows the very recording that it had begun to read.
        del entry["version"], entry["pieces"]
    return json.dumps(printed), text, out


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_table_says_not_collected_and_holds_nothing_of_it(
    ending: str,
    vehicle: tuple[ReferenceVehicle, list[FrameBatch]],
    databases: Mapping[str, ClassedDatabase],
    tmp_path: Path,
) -> None:
    chosen = {bus: databases[bus] for bus in (truck.BUS, "body", "chassis")}
    options: list[str] = []
    for bus, classed in chosen.items():
        path = classed.database.path
        options += ["--dbc", f"{bus}={path}", "--policy", str(path.with_suffix(".classes.toml"))]
    short = (vehicle[0], vehicle[1][:10])
    traffic = [planted(short, databases, OPERATION, seed)[1] for seed in (1, 2)]
    one, other = (
        exported(tmp_path / f"{place}", ending, batches, *options) for place, batches in enumerate(traffic)
    )
    assert one[:2] == other[:2]
    hidden = {
        f"{truck.BUS}:{name}" for name in ("Wide.Person1", "Mixed.Nobody", "Secret.Name1", "Long.Driver")
    }
    assert hidden <= set(json.loads(one[0])["policy"]["not_collected"])
    assert "Speed" in one[1]
    told = one[1]
    if ending == ".parquet":
        told = str(pq.ParquetFile(one[2]).metadata.metadata[b"nevgate.not_collected"])
        assert "Person1" not in one[1]
    assert all(name.partition(".")[2] in told for name in hidden)
    if ending == ".csv":
        rows = [row for row in csv.reader(one[1].splitlines()) if row[3] == "Person1"]
        assert rows == [["", truck.BUS, "Wide", "Person1", "not collected"]]
        assert exported(tmp_path / "all", ending, traffic[0], *options, "--collect", "cabin")[1] != one[1]
