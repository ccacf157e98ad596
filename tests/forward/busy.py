"""A journal on its own thread with destinations at work on theirs, and a platform that says what it got."""

from __future__ import annotations

import os
import threading
from collections import Counter, deque
from pathlib import Path
from random import Random

from edge.clock import SystemClock
from edge.forward.cose_composer import CoseComposer
from edge.forward.erasing import Erasing
from edge.forward.forwarder import Forwarder
from edge.forward.recent import Recent
from edge.forward.rules import ForwardRules
from edge.journal.journal import Committed
from edge.journal.keys.key_provider import FileKeyProvider
from edge.journal.opening import Inside, open_journal
from edge.journal.settings import JournalSettings
from edge.journal.upkeep.condemned import Condemned
from edge.journal.writer import WriterThread
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose
from edge.records import Record
from edge.uplink.outbox import Progress
from edge.uplink.outgoing import Kind
from edge.wire.cose import Signer
from tests.forward.test_forwarder_machine import read
from tests.journal.journal_rig import CATALOGUE, KEY, VEHICLE, Rig

_WINDOW = 4
_SILENT_WINDOW = 250
_PAUSE_S = 0.002


class Destination:
    """A session's thread: sends what there is, and has answers come some messages later, or never.

    Attributes:
        got: the items of each record that the platform has, the first that came.
        conflicts: how many came a second time with other items.
        error: what ended the thread before it was asked to.
    """

    def __init__(self, forwarder: Forwarder, *, answers: bool, seed: int) -> None:
        self.forwarder = forwarder
        self.got: dict[int, frozenset[str]] = {}
        self.conflicts = 0
        self.counts: Counter[str] = Counter()
        self.error: Exception | None = None
        self._answers = answers
        self._window = _WINDOW if answers else _SILENT_WINDOW
        self._dice = Random(seed)  # noqa: S311 - a test repeats its seed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop and wait."""
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        after: dict[Kind, int] = dict.fromkeys(Kind, 0)
        flying: deque[int] = deque()
        try:
            while not self._stop.wait(_PAUSE_S):
                for kind in Kind:
                    found = self.forwarder.next(kind, after[kind]) if len(flying) < self._window else None
                    if found is None:
                        continue
                    after[kind], item = found
                    self.forwarder.note(after[kind], Progress.IN_FLIGHT)
                    flying.append(after[kind])
                    self.counts["messages"] += 1
                    for record in read(item).records if item.numbered else ():
                        items = frozenset(record.values)
                        self.conflicts += self.got.setdefault(record.number, items) != items
                if self._answers and flying and self._dice.random() < 0.5:
                    self.forwarder.acknowledge(flying.popleft())
        except Exception as error:  # noqa: BLE001 - whoever ends the thread looks at it
            self.error = error


class Busy:
    """Everything at work on real time.

    Args:
        folder: of the journal.
        answers: for each destination, whether its platform answers.
    """

    def __init__(self, folder: Path, *, answers: tuple[bool, ...] = (True, False)) -> None:
        folder.mkdir(mode=0o700)
        self.clock = SystemClock()
        self.label: str | None = "consent 3"
        rig = Rig(folder.with_name("unused"))
        self.split = rig.split
        settings = JournalSettings(VEHICLE, block_period_s=0.05, frames=True, frames_waiting_bytes=64 << 20)
        inside = Inside(
            rig.boot,
            rig.split,
            lambda name: CATALOGUE.item(name).data_class,
            CATALOGUE,
            Signer(KEY, vehicle=VEHICLE).sign,
            self.clock,
            os.urandom,
            self.ground,
        )
        self.opened = open_journal(folder, FileKeyProvider(folder, os.urandom), settings, inside)
        self.recent = Recent()
        self.opened.journal.on_commit.append(self._committed)
        condemned = Condemned(self.opened.keys, self.clock)
        self.opened.journal.chores.append(condemned.step)
        names = [f"destination {number}" for number in range(len(answers))]
        self.forwarders = {name: self._forwarder(name) for name in names}
        self.erasing = Erasing(self.opened, tuple(self.forwarders.items()), self.recent, condemned)
        self.writer = WriterThread(self.opened.journal, self.clock)
        self.writer.start()
        self.destinations = [
            Destination(forwarder, answers=answer, seed=number)
            for number, (forwarder, answer) in enumerate(
                zip(self.forwarders.values(), answers, strict=True), start=1
            )
        ]

    def ground(self, mask: str, data_class: DataClass, purposes: tuple[Purpose, ...]) -> str | None:
        """Position rests on a consent."""
        del mask, purposes
        return self.label if data_class is DataClass.POSITION else ""

    def record(self) -> None:
        """Add one record with position."""
        now_ns = self.clock.boot_ns()
        values = {"vehicle.speed": 1, "gnss.valid": 5}
        self.opened.journal.add_record(Record(0, now_ns, self.clock.timebase(), values, "mask"))

    def close(self) -> None:
        """Stop all threads and close the journal."""
        for one in self.destinations:
            one.end()
        self.writer.stop()
        for forwarder in self.forwarders.values():
            forwarder.close()
        self.opened.close()

    def _forwarder(self, name: str) -> Forwarder:
        return Forwarder(
            self.opened,
            ForwardRules(name, VEHICLE, reissue_days=0, live_records=5, live_wait_s=0.05, live_horizon_s=1.0),
            CoseComposer(VEHICLE, CATALOGUE, Signer(KEY, vehicle=VEHICLE)),
            self.recent,
            clock=self.clock,
            boot=self.opened.boot,
            draw=os.urandom,
            own_thread=True,
        )

    def _committed(self, done: Committed) -> None:
        self.recent.add(done.records, self.clock.boot_ns())
