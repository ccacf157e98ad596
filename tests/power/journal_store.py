"""The journal at work for the power rigs: records, frames, messages and erasures, claimed when done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random

import apsw
import numpy as np

from edge.clock import NS_PER_S, Clock, Timebase, TimeQuality, VirtualClock
from edge.errors import JournalError
from edge.frames import Frame, FrameBatch, Int64s
from edge.journal.evidence.verify import verify_journal
from edge.journal.keys.key_provider import FileKeyProvider
from edge.journal.opening import Inside, OpenJournal, open_journal
from edge.journal.reader import Reader
from edge.journal.settings import JournalSettings
from edge.journal.stored import StoredMessage, deletion, insertion
from edge.policy.classes import DataClass
from edge.records import Record
from edge.wire.cose import Signer
from edge.wire.item_keys import KeyTable
from edge.wire.keys import SigningKey
from tests.power.claims import FORGOTTEN, Announce, Claim, Reading, Unreadable
from tests.power.platter import drawn

VEHICLE = "LNEVGATE000000001"
VEHICLE_KEY = SigningKey.seeded(b"vehicle")
KEYS = KeyTable({"vehicle.speed": (1, 0), "position.latitude": (2, 0)})
DESTINATION = "platform"
COMMIT_S = 6 * 3600
ERASE_EVERY = 9
DELETE_EVERY = 4
_DAY_ONE_NS = 1_764_000_000 * NS_PER_S


@dataclass(frozen=True, slots=True)
class JournalStore:
    """A journal whose every commit brings records, frames now and then, and a signed message.

    Six hours pass between two commits, so that keys change; every so often the key of the oldest positions is
    destroyed, and the oldest message is acknowledged.

    Attributes:
        commits: how many a run makes.
        checkpoint_pages: how many pages the WAL holds before it is checkpointed; the product's own number
            would want longer runs.
        seed: draws everything.
    """

    commits: int = 40
    checkpoint_pages: int = 24
    seed: int = 0

    @property
    def name(self) -> str:
        return "journal"

    def run(self, folder: Path, announce: Announce) -> None:
        random = drawn(self.seed)
        clock = VirtualClock(0, Timebase(_DAY_ONE_NS, TimeQuality.GNSS))
        with opened(folder, clock, random) as journal:
            journal.journal.run_with_connection(
                lambda connection: connection.pragma("wal_autocheckpoint", self.checkpoint_pages)
            )
            at_work = AtWork(journal, clock, random, announce)
            for at in range(1, self.commits + 1):
                clock.advance_to(clock.boot_ns() + COMMIT_S * NS_PER_S)
                at_work.commit(frames=at % 3 == 0, delete=at % DELETE_EVERY == 0)
                if at % ERASE_EVERY == 0:
                    at_work.erase()

    def read(self, folder: Path) -> Reading:
        try:
            with opened(folder, VirtualClock(), drawn("reader")) as journal:
                journal.journal.run_with_connection(check_integrity)
                if len(held := wrapping_keys(folder, drawn("reader")).generations()) != 1:
                    raise Unreadable(f"a wrapping key that was destroyed is back: {held}")
                with closing(journal.reader()) as reader:
                    return read_series(journal, reader)
        except (JournalError, apsw.Error) as error:
            raise Unreadable(f"{type(error).__name__}: {error}") from error


@contextmanager
def opened(folder: Path, clock: Clock, random: Random) -> Iterator[OpenJournal]:
    """Open the journal and its keys as a gateway does, on whichever VFS is the default."""
    inside = Inside(
        boot=random.randbytes(16),
        split=of_operation,
        class_of=lambda item: DataClass.POSITION if item.startswith("position") else DataClass.OPERATION,
        items=KEYS,
        sign=Signer(VEHICLE_KEY, vehicle=VEHICLE).sign,
        clock=clock,
        draw=random.randbytes,
    )
    settings = JournalSettings(VEHICLE, frames=True, checkpoint_blocks=16)
    provider = wrapping_keys(folder, random)
    with open_journal(folder / "journal", provider, settings, inside) as journal:
        yield journal


def wrapping_keys(folder: Path, random: Random) -> FileKeyProvider:
    """Return where the wrapping keys lie: beside the journal, on the same disk."""
    return FileKeyProvider(folder / "wrapping", random.randbytes)


def of_operation(batch: FrameBatch) -> dict[DataClass, tuple[FrameBatch, Int64s]]:
    """Put all bits of all frames into one class."""
    return {DataClass.OPERATION: (batch, np.arange(len(batch), dtype=np.int64))}


@dataclass(slots=True)
class AtWork:
    """One run of the journal.

    Attributes:
        journal: what is written to.
        clock: moved on by six hours a commit.
        random: draws values.
        announce: told of each thing that is committed.
        position: of the last message.
        acknowledged: of the last message deleted.
        blocks: chain number of the last block claimed.
        checkpoints: how many were claimed.
        erased: how many keys of positions were destroyed.
    """

    journal: OpenJournal
    clock: VirtualClock
    random: Random
    announce: Announce
    position: int = 0
    acknowledged: int = 0
    blocks: int = 0
    checkpoints: int = 0
    erased: int = 0
    written: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        with closing(self.journal.reader()) as reader:
            found = read_series(self.journal, reader)
        self.position = max((number for number, _ in found["message"]), default=0)
        self.acknowledged = min((number for number, _ in found["message"]), default=1) - 1
        self.blocks = len(found["block"])
        self.checkpoints = len(found["checkpoint"])
        self.erased = len(found["erased"])

    def commit(self, *, frames: bool, delete: bool) -> None:
        """Make one transaction and claim what it brought."""
        writer = self.journal.journal
        t_ns, timebase = self.clock.boot_ns() - NS_PER_S, self.clock.timebase()
        for part in range(self.random.randint(1, 3)):
            values = {
                "vehicle.speed": self.random.randrange(2000),
                "position.latitude": self.random.randrange(9**9),
            }
            alarm = self.random.random() < 0.1
            record = writer.add_record(Record(0, t_ns + part, timebase, values, alarm=alarm))
            if record is not None:
                self.written.append(record)
        if frames:
            writer.add_frames(self._frames(t_ns, timebase))
        payload = self.random.randbytes(self.random.randint(100, 5000))
        self.position += 1
        message = StoredMessage(self.position, 1, "up/live", 1, 1, 1, 1, payload)
        edits = [
            insertion(
                message,
                DESTINATION,
                self.journal.keys,
                f"day {t_ns // (86400 * NS_PER_S)}",
                self.random.randbytes,
            )
        ]
        if delete:
            self.acknowledged += 1
            self.announce(Claim("message", self.acknowledged, FORGOTTEN))
            edits.append(deletion(self.acknowledged))
        writer.edit(edits)
        if not writer.commit():
            raise Unreadable(f"the journal failed: {writer.failure}")
        self._claim(Claim("message", self.position, digest(payload)))

    def erase(self) -> None:
        """Destroy the oldest key of positions that is left."""
        held = [entry for entry in self.journal.keys.listing() if entry.data_class == DataClass.POSITION]
        doomed = min(held, key=lambda entry: entry.period)
        self.journal.keys.destroy_keys([doomed.key_id])
        self.erased += 1
        self.announce(Claim("erased", self.erased, doomed.key_id.hex()))

    def _claim(self, message: Claim) -> None:
        with closing(self.journal.reader()) as reader:
            blocks = [
                Claim("block", each.header.number, each.link.hex()[:16])
                for each in reader.blocks(self.blocks + 1)
            ]
            checkpoints = [digest(each.signed) for each in reader.checkpoints()]
        for claim in blocks:
            self.announce(claim)
        self.blocks += len(blocks)
        for signed in checkpoints[self.checkpoints :]:
            self.checkpoints += 1
            self.announce(Claim("checkpoint", self.checkpoints, signed))
        for record in self.written:
            self.announce(Claim("record", record.number, record_digest(record)))
        self.written.clear()
        self.announce(message)

    def _frames(self, t_ns: int, timebase: Timebase) -> FrameBatch:
        frames = [Frame(t_ns + 1000 * at, 0x100 + at % 5, self.random.randbytes(8)) for at in range(200)]
        return FrameBatch.from_frames(frames, timebase=timebase)


def read_series(journal: OpenJournal, reader: Reader) -> Reading:
    """Read everything that the store ever claims.

    Raises:
        Unreadable: the journal does not verify, or a key is missing that nobody destroyed.
    """
    report = verify_journal(
        reader, vehicle=VEHICLE, stream=reader.stream(), vehicle_keys=[VEHICLE_KEY.public], contents=True
    )
    if not report.holds:
        raise Unreadable("; ".join(map(str, report.faults[:3])))
    blocks = list(reader.blocks())
    erased: dict[str, None] = {}
    for block in blocks:
        if journal.keys.key(block.header.key_id) is None:
            if block.header.data_class != DataClass.POSITION:
                raise Unreadable(f"the key of block {block.header.number} is gone")
            erased[block.header.key_id.hex()] = None
    return {
        "block": [(block.header.number, block.link.hex()[:16]) for block in blocks],
        "record": [(one.record.number, record_digest(one.record)) for one in reader.records(1, 1 << 40)],
        "checkpoint": [(at, digest(each.signed)) for at, each in enumerate(reader.checkpoints(), start=1)],
        "message": [(each.position, digest(each.payload)) for each in journal.messages(DESTINATION)],
        "erased": list(enumerate(erased, start=1)),
    }


def check_integrity(connection: apsw.Connection) -> None:
    """Ask SQLite whether the database is whole."""
    said = connection.pragma("integrity_check")
    if said != "ok":
        raise Unreadable(f"integrity check: {said}")


def record_digest(record: Record) -> str:
    """Return a digest of what no erasure of positions takes away."""
    kept = record.number, record.t_ns, record.alarm, record.values.get("vehicle.speed")
    return digest(repr(kept).encode())


def digest(data: bytes) -> str:
    """Return a short digest."""
    return sha256(data).hexdigest()[:16]
