"""A journal on a real folder or VFS under a clock that moves when told, with a platform that acknowledges."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from edge.catalogue.catalogue import builtin
from edge.clock import NS_PER_S, Timebase, TimeQuality, VirtualClock
from edge.forward.cose_composer import CoseComposer
from edge.forward.forwarder import Forwarder
from edge.forward.recent import Recent
from edge.forward.rules import ForwardRules
from edge.frames import FrameBatch, Int64s
from edge.journal.block import BlockKind
from edge.journal.chain import Draft
from edge.journal.evidence.verify import JournalReport, verify_journal
from edge.journal.grounds import Ground, by_law
from edge.journal.keys.key_provider import FileKeyProvider, KeyProvider
from edge.journal.opening import Inside, OpenJournal, open_journal
from edge.journal.settings import JournalSettings
from edge.policy.classes import DataClass
from edge.records import Record
from edge.wire.cose import Signer
from edge.wire.keys import SigningKey

VEHICLE = "LNEVGATE000000001"
KEY = SigningKey.seeded(b"vehicle of the journal's tests")
CATALOGUE = builtin()
EPOCH_NS = 1_790_000_000 * NS_PER_S
DAY_NS = 86_400 * NS_PER_S
PLATFORM = "platform"


def timebase_at(offset_ns: int = EPOCH_NS, quality: TimeQuality = TimeQuality.NTP) -> Timebase:
    return Timebase(offset_ns, quality)


class Rig:
    """One journal that can be closed, opened again and looked at."""

    def __init__(
        self,
        folder: Path,
        *,
        checkpoint_blocks: int = 8,
        boot: bytes = b"first boot______",
        vfs: str | None = None,
        provider: KeyProvider | None = None,
        seed: int = 4,
        ground: Ground = by_law,
    ) -> None:
        self.folder = folder
        self.vfs = vfs
        self.ground = ground
        self.dice = Random(seed)  # noqa: S311 - a test repeats its seed
        self.clock = VirtualClock(1, timebase_at())
        self.boot = boot
        self.settings = JournalSettings(VEHICLE, checkpoint_blocks=checkpoint_blocks, frames=True)
        if vfs is None:
            folder.mkdir(exist_ok=True, mode=0o700)
        self.provider = provider or FileKeyProvider(folder, self.dice.randbytes)
        self.opened: OpenJournal | None = None

    @property
    def open(self) -> OpenJournal:
        assert self.opened is not None
        return self.opened

    def inside(self) -> Inside:
        return Inside(
            self.boot,
            self.split,
            lambda name: CATALOGUE.item(name).data_class,
            CATALOGUE,
            Signer(KEY, vehicle=VEHICLE).sign,
            self.clock,
            self.dice.randbytes,
            self.ground,
        )

    @staticmethod
    def places(batch: FrameBatch) -> Int64s:
        """The place of each frame of a batch that is a whole."""
        return np.arange(len(batch), dtype=np.int64)

    def split(self, batch: FrameBatch) -> dict[DataClass, tuple[FrameBatch, Int64s]]:
        """Even ids are of class operation, odd ones of class position."""
        parts = {}
        for data_class, odd in ((DataClass.OPERATION, 0), (DataClass.POSITION, 1)):
            places = np.flatnonzero(batch.arbitration_id % 2 == odd)
            if len(places):
                parts[data_class] = (batch.take(places), places.astype(np.int64))
        return parts

    def start(self) -> Rig:
        self.opened = open_journal(self.folder, self.provider, self.settings, self.inside(), vfs=self.vfs)
        return self

    def stop(self) -> None:
        if self.opened is not None:
            self.opened.close()
            self.opened = None

    def forwarder(self, name: str = PLATFORM) -> Forwarder:
        recent = Recent()
        self.open.journal.on_commit.append(lambda done: recent.add(done.records, self.clock.boot_ns()))
        return Forwarder(
            self.open,
            ForwardRules(name, VEHICLE, reissue_days=0),
            CoseComposer(VEHICLE, CATALOGUE, Signer(KEY, vehicle=VEHICLE)),
            recent,
            clock=self.clock,
            boot=self.boot,
            draw=self.dice.randbytes,
            own_thread=False,
        )

    def after(self, seconds: float) -> None:
        self.clock.advance_to(self.clock.boot_ns() + round(seconds * NS_PER_S))

    def record(self, *, alarm: bool = False, position: bool = True) -> Record | None:
        """Add a record of operation, and of position too, a second after the one before."""
        self.after(1)
        values: dict[str, int] = {"vehicle.speed": self.dice.randrange(100)}
        if position:
            values["gnss.valid"] = 5
        return self.open.journal.add_record(
            Record(0, self.clock.boot_ns(), self.clock.timebase(), values, "mask", alarm=alarm)
        )

    def records(self, count: int, *, alarm: bool = False) -> None:
        """Commit records, each in a transaction of its own."""
        for _ in range(count):
            self.record(alarm=alarm)
            self.open.journal.commit()

    def frames(self, count: int = 400, *, arb_id: int = 0x100, locked: bool | None = None) -> None:
        """Commit a second of raw frames whose bytes do not compress; `locked` makes them an event's."""
        self.after(1)
        made = self.batch(count, arb_id)
        if locked is None:
            self.open.journal.add_frames(made)
        else:
            self.open.journal.add_event_frames(made, locked=locked)
        self.open.journal.commit()

    def batch(self, count: int, arb_id: int = 0x100) -> FrameBatch:
        return FrameBatch(
            t_ns=self.clock.boot_ns() - np.arange(count, dtype=np.int64)[::-1] * 1_000,
            bus=np.zeros(count, np.uint8),
            arbitration_id=np.full(count, arb_id, np.uint32),
            flags=np.zeros(count, np.uint16),
            length=np.full(count, 8, np.uint16),
            data=np.frombuffer(self.dice.randbytes(8 * count), np.uint8).reshape(count, 8),
            buses=("pt",),
            timebase=self.clock.timebase(),
            mask="mask",
        )

    def note(self, kind: BlockKind, data_class: str = "", size: int = 100) -> None:
        """Commit a finished block."""
        now_ns = self.clock.boot_ns()
        content = self.dice.randbytes(size)
        self.open.journal.add_note(
            Draft(kind, data_class, content, self.boot, now_ns, now_ns, self.clock.timebase(), count=1)
        )
        self.open.journal.commit()

    def kept(self) -> list[tuple[Any, ...]]:
        """Kind, class and first number of all blocks that have their content, in order."""
        return self.rows("SELECT kind, class, first_number FROM block WHERE size > 0 ORDER BY number")

    def rows(self, query: str, *values: int | str | bytes) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        self.open.journal.run_with_connection(
            lambda connection: found.extend(connection.execute(query, values))
        )
        return found

    def verify(self, *, contents: bool = False) -> JournalReport:
        with self.open.reader() as reader:
            return verify_journal(
                reader,
                vehicle=VEHICLE,
                stream=reader.stream(),
                vehicle_keys=[KEY.public],
                contents=contents,
            )
