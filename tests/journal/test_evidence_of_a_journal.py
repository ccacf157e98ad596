"""What the journal itself writes can be verified and proved, across boots, erasure and damage."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from edge.clock import Timebase, TimeQuality, VirtualClock
from edge.journal.block import BlockKind
from edge.journal.evidence.excerpt import make_excerpt
from edge.journal.evidence.excerpt_file import Showing
from edge.journal.evidence.excerpt_proof import verify_excerpt
from edge.journal.evidence.verify import JournalReport, verify_journal
from edge.journal.keys.key_provider import MemoryKeyProvider
from edge.journal.opening import JOURNAL_FILE, Inside, OpenJournal, open_journal
from edge.journal.reader import Reader
from edge.journal.settings import JournalSettings
from edge.policy.classes import DataClass
from edge.records import Record
from edge.wire.cose import Signer
from tests.journal.fake_journal import BOOTS, VEHICLE, VEHICLE_KEY, WALL_OFFSET_NS, S
from tests.wire.strategies import KEYS

TIMEBASE = Timebase(WALL_OFFSET_NS, TimeQuality.GNSS)
SECONDS = 50


class Vehicle:
    """Writes a record a second, boot after boot, into one folder."""

    def __init__(self, folder: Path) -> None:
        self.dice = random.Random(3)  # noqa: S311 - a test
        self.provider = MemoryKeyProvider(self.dice.randbytes)
        self.folder = folder

    def open(self, boot: bytes, clock: VirtualClock) -> OpenJournal:
        inside = Inside(
            boot=boot,
            split=lambda _: {},
            class_of=lambda item: DataClass.POSITION if item.startswith("motor") else DataClass.OPERATION,
            items=KEYS,
            sign=Signer(VEHICLE_KEY, vehicle=VEHICLE).sign,
            clock=clock,
            draw=self.dice.randbytes,
        )
        settings = JournalSettings(VEHICLE, checkpoint_period_s=10)
        return open_journal(self.folder, self.provider, settings, inside)

    def drive(self, boot: bytes) -> None:
        clock = VirtualClock(0, TIMEBASE)
        with self.open(boot, clock) as opened:
            for second in range(1, SECONDS):
                clock.advance_to(second * S)
                values = {"item1": second, "motor[2].speed": second * 7}
                opened.journal.add_record(Record(0, clock.boot_ns(), TIMEBASE, values))
                opened.journal.pump()


def verify(reader: Reader, *, contents: bool = True) -> JournalReport:
    return verify_journal(
        reader,
        vehicle=VEHICLE,
        stream=reader.stream(),
        vehicle_keys=[VEHICLE_KEY.public],
        contents=contents,
    )


@pytest.fixture
def vehicle(tmp_path: Path) -> Vehicle:
    made = Vehicle(tmp_path / "journal")
    for boot in BOOTS[:2]:
        made.drive(boot)
    return made


def excerpt_of(reader: Reader, boot: bytes, span: tuple[int, int]) -> bytes:
    return make_excerpt(
        reader,
        kind=BlockKind.RECORDS,
        data_class=DataClass.POSITION.value,
        boot=boot,
        from_ns=span[0] * S,
        to_ns=span[1] * S,
    )


def test_the_journal_verifies_with_every_content(vehicle: Vehicle) -> None:
    with vehicle.open(BOOTS[2], VirtualClock()) as opened, closing(opened.reader()) as reader:
        report = verify(reader)
        assert report.holds, report.faults
        assert report.opened == report.blocks == report.last > SECONDS
        assert report.checkpoints >= 8


def test_an_excerpt_of_either_boot_holds_the_records_of_its_class(vehicle: Vehicle) -> None:
    with vehicle.open(BOOTS[2], VirtualClock()) as opened, closing(opened.reader()) as reader:
        for boot in BOOTS[:2]:
            report = verify_excerpt(excerpt_of(reader, boot, (12, 28)), [VEHICLE_KEY.public])
            assert report.blocks
            assert {entry.showing for entry in report.blocks} == {Showing.OPEN}
            numbers = {
                number
                for entry in report.blocks
                for number in range(entry.header.first_number, entry.header.last_number + 1)
            }
            told = {each.record.number for each in reader.records(1, 10_000) if each.boot == boot}
            times = {
                each.record.number: each.record.t_ns
                for each in reader.records(1, 10_000)
                if each.boot == boot
            }
            wanted = {number for number in told if 12 * S <= times[number] <= 28 * S}
            assert wanted <= numbers <= told


def test_after_an_erasure_the_journal_verifies_and_the_excerpt_says_what_is_missing(vehicle: Vehicle) -> None:
    with vehicle.open(BOOTS[2], VirtualClock()) as opened:
        with closing(opened.reader()) as reader:
            doomed = next(b for b in reader.blocks() if b.header.data_class == DataClass.POSITION.value)
        opened.keys.destroy_keys([doomed.header.key_id])
        with closing(opened.reader()) as reader:
            report = verify(reader)
            assert report.holds, report.faults
            assert set(report.erased) == {(BlockKind.RECORDS, DataClass.POSITION.value)}
            proof = verify_excerpt(excerpt_of(reader, BOOTS[0], (12, 28)), [VEHICLE_KEY.public])
            assert proof.blocks
            assert len(proof.closed) == len(proof.blocks)


@pytest.mark.parametrize("column", ["header", "commitment", "ciphertext_hash", "link", "ciphertext"])
def test_a_changed_byte_in_any_column_of_a_block_is_found(vehicle: Vehicle, column: str) -> None:
    connection = apsw.Connection(str(vehicle.folder / JOURNAL_FILE))
    ((value,),) = connection.execute(f"SELECT {column} FROM block WHERE number = 40")  # noqa: S608 - a constant
    for place in range(0, len(value), 5):
        changed = value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :]
        connection.execute(f"UPDATE block SET {column} = ? WHERE number = 40", (changed,))  # noqa: S608 - a constant
        report = verify(Reader(connection, None, KEYS), contents=False)
        assert not report.holds, place
        assert any("40" in fault.where or "40" in fault.what for fault in report.faults), report.faults
    connection.close()
