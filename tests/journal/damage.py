"""Damages a journal in every way, one after the other, and tells what is reported and what survives."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from edge.journal.damage.integrity import Scrub
from edge.journal.damage.salvage import Salvage, open_or_salvage
from edge.uplink.outgoing import Kind
from edge.wire.cose import Verifier
from edge.wire.message import RecordMessage, decode
from tests.journal.journal_rig import CATALOGUE, KEY, VEHICLE, Rig

PAGE = 4096
SECTOR = 512
BEFORE = 40
"""Bytes of a row before its header: lengths, types and the columns that are clear."""

RECORDS = 24
SIGNED = 12

Damage = Callable[[Path], None]


@dataclass(slots=True)
class Outcome:
    """What one damage led to.

    Attributes:
        found: where it showed: at opening, in use, by verifying; empty for nowhere.
        kept: record numbers whose content went out unchanged, under their own stream.
        lost: numbers told as lost.
        reduced: numbers that went out without the items of a class whose block cannot be read.
        wrong: numbers that went out with other content.
        silent: numbers of which nothing was said.
        goes_on: whether the gateway commits new records, whose chain verifies.
    """

    found: str = ""
    kept: set[int] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)
    reduced: set[int] = field(default_factory=set)
    wrong: set[int] = field(default_factory=set)
    silent: set[int] = field(default_factory=set)
    goes_on: bool = False


class Specimen:
    """A journal to be damaged: signed messages that wait, records that are in none, raw frames, an alarm.

    Args:
        folder: where it is made.
        in_log: whether the last half is in the write-ahead log alone.
    """

    def __init__(self, folder: Path, *, in_log: bool) -> None:
        self.folder = folder / "specimen"
        self._trials = folder
        self._count = 0
        rig = Rig(self.folder, checkpoint_blocks=10).start()
        self.stream = rig.open.stream
        rig.records(SIGNED - 1)
        rig.records(1, alarm=True)
        list(messages(rig))
        rig.frames(300)
        assert rig.rows("PRAGMA wal_checkpoint(TRUNCATE)")[0][0] == 0
        rig.records(RECORDS - SIGNED)
        if not in_log:
            assert rig.rows("PRAGMA wal_checkpoint(TRUNCATE)")[0][0] == 0
        with rig.open.reader() as reader:
            self.values = {one.record.number: dict(one.record.values) for one in reader.records(1, RECORDS)}
        self.at_rest = folder / "at-rest"
        shutil.copytree(self.folder, self.at_rest)
        rig.stop()

    def trial(self, damage: Damage) -> Outcome:
        """Damage a copy, open it, send what waits, and use it on."""
        self._count += 1
        folder = self._trials / "trial"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.at_rest, folder)
        damage(folder)
        rig = Rig(folder, checkpoint_blocks=10, boot=b"boot after damage", seed=1_000 + self._count)
        rig.boot = rig.boot[:16]
        rig.after(3_600)
        try:
            return self._use(rig)
        finally:
            rig.stop()

    def _use(self, rig: Rig) -> Outcome:
        outcome = Outcome()
        told = opened(rig)
        if told:
            outcome.found = "at opening"
        try:
            sent = list(messages(rig))
            scrubbed(rig)
        except apsw.Error as error:
            outcome.found = outcome.found or "in use"
            rig.stop()
            opened(rig, found=str(error))
            sent = list(messages(rig))
        for message in sent:
            if message.stream == self.stream:
                for one in message.records:
                    values, sound = dict(one.values), self.values.get(one.number, {})
                    if values == sound:
                        outcome.kept.add(one.number)
                    elif values.items() < sound.items():
                        outcome.reduced.add(one.number)
                    else:
                        outcome.wrong.add(one.number)
                for loss in message.losses:
                    outcome.lost |= set(range(loss.first, loss.last + 1))
        outcome.lost -= outcome.kept
        told_of = outcome.kept | outcome.lost | outcome.reduced | outcome.wrong
        outcome.silent = set(self.values) - told_of
        report = rig.verify(contents=True)
        if not report.holds:
            outcome.found = outcome.found or "by verifying"
        number = rig.open.journal.committed_number
        rig.records(2)
        outcome.goes_on = rig.open.journal.committed_number == number + 2
        return outcome


def opened(rig: Rig, found: str = "") -> tuple[Salvage, ...]:
    rig.opened, told = open_or_salvage(rig.folder, rig.provider, rig.settings, rig.inside(), found=found)
    return told


def scrubbed(rig: Rig) -> None:
    """Read the whole journal once, as the gateway does in the course of some hours."""
    scrub = Scrub(rig.clock, step_ms=1e9, period_s=0)
    rig.open.journal.run_with_connection(scrub.step)


def messages(rig: Rig) -> Iterator[RecordMessage]:
    """Everything that a forwarder has to send."""
    verifier = Verifier({VEHICLE: [KEY.public]})
    forwarder = rig.forwarder()
    forwarder.flush()
    for kind in Kind:
        position = 0
        while (item := forwarder.next(kind, position)) is not None:
            position = item[0]
            yield decode(verifier.verify(item[1].payload, vehicle=VEHICLE).payload, CATALOGUE)


def flipped(place: int) -> Damage:
    """Every bit of one byte of the database turned over."""

    def damage(folder: Path) -> None:
        with (folder / "journal.db").open("r+b") as file:
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 0xFF]))

    return damage


def zeroed(page: int) -> Damage:
    """One page of the database reads as zeros."""

    def damage(folder: Path) -> None:
        with (folder / "journal.db").open("r+b") as file:
            file.seek((page - 1) * PAGE)
            file.write(bytes(PAGE))

    return damage


def log_cut(size: int) -> Damage:
    """The write-ahead log ends after so many bytes."""

    def damage(folder: Path) -> None:
        os.truncate(folder / "journal.db-wal", size)
        (folder / "journal.db-shm").unlink(missing_ok=True)

    return damage


def cell_of(path: Path, number: int) -> tuple[int, int]:
    """Place and size of the bytes of one block in the file, from its header to its ciphertext."""
    connection = apsw.Connection(str(path))
    row = connection.execute(
        "SELECT header, commitment, ciphertext_hash, link, ciphertext FROM block WHERE number = ?", (number,)
    ).fetchone()
    connection.close()
    assert row is not None
    content = b"".join(bytes(part) for part in row)
    connection = apsw.Connection(str(path))
    pages = [n for (n,) in connection.execute("SELECT pageno FROM dbstat WHERE name = 'block'")]
    connection.close()
    whole = path.read_bytes()
    for page in pages:
        place = whole.rfind(content, (page - 1) * PAGE, page * PAGE)
        if place > 0 and live(path, number, place):
            return place - BEFORE, len(content) + BEFORE
    raise AssertionError("a block of records lies in one page")


def live(path: Path, number: int, place: int) -> bool:
    """Whether the bytes at a place are those that the database reads, not a copy that it left behind."""
    trial = path.with_name("trial.db")
    content = bytearray(path.read_bytes())
    content[place + 4] ^= 0xFF
    trial.write_bytes(content)
    headers = []
    for one in (path, trial):
        connection = apsw.Connection(str(one))
        headers.append(connection.execute("SELECT header FROM block WHERE number = ?", (number,)).get)
        connection.close()
        for side in ("-wal", "-shm"):
            one.with_name(one.name + side).unlink(missing_ok=True)
    trial.unlink()
    return bool(headers[0] != headers[1])


def run(folder: Path, *, share: int = 1) -> dict[str, list[Outcome]]:
    """All damages, or a share of them, by kind."""
    found: dict[str, list[Outcome]] = {}
    for name in ("whole", "log"):
        (folder / name).mkdir()
    whole = Specimen(folder / "whole", in_log=False)
    database = whole.at_rest / "journal.db"
    bytes_apart, sectors_apart = (1, 1) if share == 1 else (7 * share, 3 * share)
    for name, number in (
        ("byte of a block under a checkpoint", 7),
        ("byte of the last block", last(database)),
    ):
        place, size = cell_of(database, number)
        found[name] = [whole.trial(flipped(place + n)) for n in range(0, size, bytes_apart)]
    pages = database.stat().st_size // PAGE
    found["page zeroed"] = [whole.trial(zeroed(page)) for page in range(1, pages + 1, max(1, share // 2))]
    log = Specimen(folder / "log", in_log=True)
    size = (log.at_rest / "journal.db-wal").stat().st_size
    found["log cut"] = [log.trial(log_cut(end)) for end in range(0, size + 1, SECTOR * sectors_apart)]
    return found


def last(path: Path) -> int:
    """The last block of operation."""
    connection = apsw.Connection(str(path))
    number = connection.execute("SELECT max(number) FROM block WHERE class = 'operation'").get
    connection.close()
    assert isinstance(number, int)
    return number


def table(found: dict[str, list[Outcome]]) -> str:
    """The outcomes in short."""
    lines = [
        (
            f"{'damage':36}{'trials':>7}  {'found at opening / in use / by verifying / nowhere':52}"
            f"{'records kept':>13}{'told lost':>10}{'reduced':>9}{'silent':>7}{'wrong':>6}  goes on"
        )
    ]
    for name, outcomes in found.items():
        places = Counter(one.found for one in outcomes)
        shown = " / ".join(str(places[one]) for one in ("at opening", "in use", "by verifying", ""))
        kept, lost, reduced, silent, wrong = (
            sum(len(getattr(one, what)) for one in outcomes)
            for what in ("kept", "lost", "reduced", "silent", "wrong")
        )
        every = RECORDS * len(outcomes)
        lines.append(
            f"{name:36}{len(outcomes):7}  {shown:52}{100 * kept / every:11.1f} %{100 * lost / every:8.1f} %"
            f"{reduced:9}"
            f"{silent:7}{wrong:6}  {sum(one.goes_on for one in outcomes)}"
        )
    return "\n".join(lines)


def main() -> int:
    """Do it all and print the table."""
    logging.disable(logging.CRITICAL)
    memory = "/dev/shm"  # noqa: S108 - thousands of synced copies need no disk
    with tempfile.TemporaryDirectory(dir=memory if Path(memory).is_dir() else None) as folder:
        found = run(Path(folder))
    sys.stdout.write(table(found) + "\n")
    return 0 if all(one.goes_on and not one.wrong for outcomes in found.values() for one in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
