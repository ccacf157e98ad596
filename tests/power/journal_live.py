"""The journal with its own thread and the machine's clock: what a power cut loses that was not committed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.clock import NS_PER_S, SystemClock
from edge.journal.journal import Committed
from edge.journal.writer import WriterThread
from edge.records import Record
from tests.power.claims import Announce, Claim, Reading
from tests.power.journal_store import JournalStore, opened, record_digest
from tests.power.platter import drawn

#: The series of what came in and is not claimed to be on the disk; its time in nanoseconds is the digest.
ENTERED = "entered"
_EVERY_S = 0.05
_ALARM_EVERY = 60


@dataclass(frozen=True, slots=True)
class JournalLive:
    """A record every 50 ms, one in sixty with an alarm, committed when the journal's own thread finds it due.

    Attributes:
        commits: how many records come in.
        seed: draws their values.
    """

    commits: int
    seed: int = 0

    @property
    def name(self) -> str:
        return "journal with its own thread, block period 1 s"

    def run(self, folder: Path, announce: Announce) -> None:
        random = drawn(self.seed)
        clock = SystemClock()
        never = threading.Event()

        def committed(what: Committed) -> None:
            for record in what.records:
                announce(Claim("record", record.number, record_digest(record)))

        with opened(folder, clock, random) as journal:
            journal.journal.on_commit.append(committed)
            writer = WriterThread(journal.journal, clock)
            writer.start()
            for at in range(1, self.commits + 1):
                values = {
                    "vehicle.speed": random.randrange(2000),
                    "position.latitude": random.randrange(9**9),
                }
                draft = Record(0, clock.boot_ns(), clock.timebase(), values, alarm=at % _ALARM_EVERY == 0)
                record = journal.journal.add_record(draft)
                if record is not None:
                    announce(Claim(ENTERED, record.number, str(record.t_ns)))
                clock.wait(never, _EVERY_S)
            writer.stop()

    def read(self, folder: Path) -> Reading:
        return {"record": JournalStore().read(folder)["record"]}


def lost_s(announced: Sequence[Claim], found: Reading) -> float:
    """Return the age of the oldest record that had come in and is not there, when the last one came in."""
    entered = {claim.number: int(claim.digest) for claim in announced if claim.series == ENTERED}
    held = max((number for number, _ in found.get("record", ())), default=0)
    lost = [t_ns for number, t_ns in entered.items() if number > held]
    return (max(entered.values()) - min(lost)) / NS_PER_S if lost else 0.0


def oldest_at_commit_s(written: Sequence[Claim]) -> float:
    """Return how old a record was at most when its commit returned: block period, queue and commit."""
    entered: dict[int, int] = {}
    latest_ns, oldest_ns = 0, 0
    for claim in written:
        if claim.series == ENTERED:
            entered[claim.number] = latest_ns = int(claim.digest)
        elif claim.number in entered:
            oldest_ns = max(oldest_ns, latest_ns - entered[claim.number])
    return oldest_ns / NS_PER_S
