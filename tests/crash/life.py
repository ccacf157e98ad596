"""A life: one journal, killed again and again, at last ended in order; and what must hold of it then."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random

from edge.catalogue.catalogue import builtin
from edge.gateway import BOOT_BYTES
from edge.journal.database import open_to_read
from edge.journal.evidence.verify import verify_journal
from edge.journal.keys.key_provider import FileKeyProvider
from edge.journal.keys.key_store import KeyStore
from edge.journal.opening import JOURNAL_FILE, KEYS_FILE
from edge.journal.reader import Reader
from edge.wire.message import MessageKind
from simulator.platform.findings import findings
from simulator.platform.reader import StoreReader
from tests.crash.deaths import POINTS
from tests.crash.drive import PLATFORM_KEY, VEHICLE_KEY, digest
from tests.crash.lane import Lane, Outcome
from tests.crash.orders import Phase, final, lethal
from tests.crash.witness import Bench, Message, messages

ACCOUNT_S = 20.0
NEW_BOOT = 0.4
"""How often the whole machine, not the gateway alone, has started anew."""


SHOWN = (
    "rounds",
    "killed",
    *(f"killed while {phase}" for phase in Phase),
    "killed within a commit",
    "killed while a message was made",
    "killed while a message was published",
    "killed while messages vanished",
    "killed at a point of the code",
    "killed at a line of the code",
    "ended by themselves",
    "records announced as committed",
    "records stored by the platform",
    "records that came again, stored once",
    "messages with records",
    *(f"messages: {kind.topic}" for kind in (MessageKind.ALARM, MessageKind.LIVE, MessageKind.BACKLOG)),
    "repeats, byte for byte",
    "statements",
    "checkpoints",
    "blocks verified",
)


@dataclass(slots=True)
class Figures:
    """What was counted over lives.

    Attributes:
        counts: by name.
        points: the points of the code at which a worker died.
    """

    counts: Counter[str] = field(default_factory=Counter)
    points: set[str] = field(default_factory=set)

    def rounds(self, outcomes: Iterable[Outcome]) -> None:
        """Count rounds by where they ended."""
        for one in outcomes:
            self.counts["rounds"] += 1
            if not one.killed:
                self.counts["ended by themselves"] += 1
                continue
            self.counts["killed"] += 1
            self.counts[f"killed while {one.phase}"] += 1
            self.counts["killed within a commit"] += one.committing
            self.counts["killed while a message was made"] += one.composing
            self.counts["killed while a message was published"] += one.publishing
            self.counts["killed while messages vanished"] += bool(one.orders.silent_from)
            if one.orders.point:
                self.counts["killed at a point of the code"] += 1
                self.points.add(one.orders.point)
            elif one.orders.line:
                self.counts["killed at a line of the code"] += 1

    def add(self, more: Figures) -> None:
        """Add those of other lives."""
        self.counts += more.counts
        self.points |= more.points

    def lines(self) -> Iterator[str]:
        """All of them, in order, a line each."""
        for name in filter(self.counts.get, (*SHOWN, *sorted(self.counts.keys() - set(SHOWN)))):
            yield f"  {self.counts[name]:>9,}  {name}"
        yield f"  {len(self.points):>9,}  of {len(POINTS)} points of the code died at"


@dataclass(slots=True)
class Verdict:
    """What became of a life.

    Attributes:
        vehicle: whose.
        faults: what does not hold, a line each.
        outcomes: its rounds.
        figures: its counts.
    """

    vehicle: str
    faults: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    figures: Figures = field(default_factory=Figures)


def vehicle_named(number: int) -> str:
    """The VIN of a life."""
    return f"LNVCRASH{number:09d}"


def live(bench: Bench, lane: Lane, number: int, *, seed: int, kills: int, flaw: str = "") -> Verdict:
    """Kill a gateway `kills` times, then let it finish, and judge what the platform and the journal hold.

    Args:
        bench: broker and platform.
        lane: makes the workers.
        number: of the life, for the vehicle's name.
        seed: decides how it goes.
        kills: rounds that end by a kill; such as end by themselves before it come are not counted.
        flaw: what is broken in the product.
    """
    random = Random(f"{seed}:{number}")  # noqa: S311 - a seed must replay the life as far as threads let it
    verdict = Verdict(vehicle_named(number))
    killed = 0
    boot = ""
    while killed < kills:
        if not boot or random.random() < NEW_BOOT:
            boot = random.randbytes(BOOT_BYTES).hex()
        fresh = not any(one.records for one in verdict.outcomes)
        outcome = lane.round(lethal(random, verdict.vehicle, boot, flaw, fresh=fresh))
        verdict.outcomes.append(outcome)
        if outcome.ended and not outcome.killed:
            break
        killed += outcome.killed
    verdict.outcomes.append(lane.round(final(random, verdict.vehicle, boot, flaw)))
    verdict.figures.rounds(verdict.outcomes)
    verdict.faults += judged_rounds(verdict.outcomes)
    since_ns = verdict.outcomes[-1].account_ns
    if since_ns is not None and not bench.witness.wait_for_account(verdict.vehicle, since_ns, ACCOUNT_S):
        verdict.faults.append("the last account never reached the platform")
    verdict.faults += judged(bench, verdict)
    folder = bench.journals / verdict.vehicle
    if not verdict.faults:
        shutil.rmtree(folder)
    return verdict


def judged_rounds(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What is wrong with how the rounds themselves went."""
    for place, one in enumerate(outcomes):
        where = f"round {place} ({one.orders.kill})"
        if one.hung:
            yield f"{where}: hung while {one.phase}"
        elif one.ended and not one.killed:
            yield f"{where}: ended with status {one.ended} while {one.phase}"
        for trouble in dict.fromkeys(one.troubles):
            yield f"{where}: the journal failed: {trouble}"
        if one.finished is False:
            yield f"{where}: did not finish"
        for hop in one.unbalanced:
            yield f"{where}: the account does not balance: {hop}"


def judged(bench: Bench, verdict: Verdict) -> Iterator[str]:
    """What is wrong with what the journal and the platform hold at the end of a life."""
    announced: dict[int, str] = {}
    for number, said in (each for one in verdict.outcomes for each in one.records):
        if number in announced:
            yield f"record {number} was committed twice"
        announced[number] = said
    folder = bench.journals / verdict.vehicle
    if not (folder / JOURNAL_FILE).exists():
        yield "there is no journal"
        return
    counts = verdict.figures.counts
    counts["records announced as committed"] += len(announced)
    keys = KeyStore(str(folder / KEYS_FILE), FileKeyProvider(folder, bytes), bytes)
    with closing(keys), closing(Reader(open_to_read(str(folder / JOURNAL_FILE)), keys, builtin())) as reader:
        stream = reader.stream()
        held = {one.record.number: digest(one.record) for one in reader.records(1, 1 << 40)}
        yield from _compared("the journal", announced, held)
        report = verify_journal(
            reader,
            vehicle=verdict.vehicle,
            stream=stream,
            vehicle_keys=[VEHICLE_KEY.public],
            platform_keys=[PLATFORM_KEY.public],
            contents=True,
        )
    yield from (f"the journal does not verify: {fault}" for fault in report.faults[:3])
    counts["blocks verified"] += report.opened
    counts["checkpoints"] += report.checkpoints
    yield from _left(folder, last=max(held, default=0))
    yield from _at_the_platform(bench, verdict, stream, held)
    yield from _as_sent(bench, verdict, stream, last=max(held, default=0))


def _compared(place: str, announced: dict[int, str], held: dict[int, str]) -> Iterator[str]:
    """Whether everything announced is held, under its number and as it was, and numbers have no gaps."""
    lost = sorted(announced.keys() - held.keys())
    if lost:
        yield f"{place}: {len(lost)} committed records lost, first {lost[0]}"
    other = sorted(number for number in announced.keys() & held.keys() if announced[number] != held[number])
    if other:
        yield f"{place}: {len(other)} numbers with another record than was committed, first {other[0]}"
    numbers = sorted(held)
    if numbers and (numbers[0], numbers[-1]) != (1, len(numbers)):
        gap = next((one for one, two in pairwise([0, *numbers]) if two != one + 1), 0)
        yield f"{place}: a gap after number {gap}"


def _left(folder: Path, *, last: int) -> Iterator[str]:
    """What of the work of sending is left in a journal whose records have all been acknowledged."""
    with closing(open_to_read(str(folder / JOURNAL_FILE))) as connection:
        waiting = connection.execute("SELECT count(*) FROM message").get
        gaps = connection.execute("SELECT count(*) FROM gap").get
        covered = list(connection.execute("SELECT first, last FROM covered WHERE stream = 1"))
    if waiting or gaps:
        yield f"{waiting} messages and {gaps} gaps are left in the journal"
    if covered != ([(1, last)] if last else []):
        yield f"covered are {covered}, records up to {last}"


def _at_the_platform(bench: Bench, verdict: Verdict, stream: bytes, held: dict[int, str]) -> Iterator[str]:
    vehicle = verdict.vehicle
    with StoreReader(bench.store) as store:
        stored = list(store.records(vehicle=vehicle))
        streams = store.streams(vehicle=vehicle)
        open_or_wrong = list(findings(store, vehicle))
        rejected = [each for each in store.rejections() if vehicle in each.topic]
    arrived = {one.record.number: digest(one.record) for one in stored if one.stream == stream}
    verdict.figures.counts["records stored by the platform"] += len(stored)
    if len(stored) != len(arrived):
        yield f"{len(stored)} records stored, {len(arrived)} numbers of the journal's stream"
    yield from _compared("the platform", held, arrived)
    if len(arrived) > len(held):
        yield f"the platform holds {len(arrived)} records, the journal {len(held)}"
    for each in streams:
        said = each.sequence
        verdict.figures.counts["records that came again, stored once"] += said.doubles
        if said.conflicts or said.recovered or each.repeated_with_fewer:
            yield f"{said.conflicts} numbers came with two contents, {said.recovered} after being given up"
        if said.missing() or said.lost:
            yield f"missing {said.missing()[:3]}, reported lost {list(said.lost)[:3]}"
    yield from (f"the platform finds: {each.name} ({each.detail})" for each in open_or_wrong[:3])
    yield from (f"the platform refused a message: {each.cause}: {each.detail}" for each in rejected[:3])


def _as_sent(bench: Bench, verdict: Verdict, stream: bytes, *, last: int) -> Iterator[str]:
    """Whether every number came in one message alone, whose every repeat had the same bytes."""
    arrivals = bench.witness.take(verdict.vehicle)
    counts = verdict.figures.counts
    cut: defaultdict[int, list[Message]] = defaultdict(list)
    for message in messages(verdict.vehicle, arrivals):
        counts["messages with records"] += 1
        counts[f"messages: {message.kind.topic}"] += 1
        counts["repeats, byte for byte"] += message.times - 1
        if message.stream == stream:
            cut[message.first].append(message)
        if message.losses:
            yield f"a range entry of {message.first} to {message.last}"
    counts["statements"] += len(arrivals.payloads) - sum(map(len, cut.values()))
    number = 1
    for first, ones in sorted(cut.items()):
        if len(ones) > 1:
            ways = ", ".join(f"{one.kind.topic} to {one.last}" for one in ones)
            yield f"numbers from {first} were sent in {len(ones)} ways: {ways}"
        if first != number:
            yield f"a message begins with {first}, not {number}"
        number = max(one.last for one in ones) + 1
    if number != last + 1:
        yield f"messages hold numbers up to {number - 1}, the journal up to {last}"
