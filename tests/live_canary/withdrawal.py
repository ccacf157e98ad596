"""Withdraws while everything is at work, and tells what was still collected, kept and sent."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from edge.catalogue.catalogue import builtin
from edge.clock import SystemClock
from edge.closing import Closing
from edge.errors import JournalError
from edge.journal.block import BlockHeader, BlockKind, read_header
from edge.journal.database import open_to_read
from edge.policy.classes import DataClass
from edge.wire.cose import Role, Verifier
from edge.wire.keys import SigningKey
from edge.wire.message import decode
from edge.wire.up_kinds import peek_kind
from tests.archive.kept import archive
from tests.live_canary.drive import RunningGateway, tls_platform, until
from tests.live_canary.vehicle import VIN, write_configuration
from tests.live_canary.wire import Heard, Listener

PURPOSES = ("regulated", "recording")
_POLL_S = 0.005
_WORDS_OF_A_WITHDRAWAL = 2 * len(PURPOSES)
"""Entries of the ledger: each purpose is withdrawn, and what rested on it erased."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """One withdrawal of everything that positions rest on; all times are nanoseconds since boot.

    Attributes:
        granted_ns: when it had been agreed to.
        asked_ns: when the first request was sent.
        answered_ns: when the last answer was there.
        came_ns: time of the last frame with a position that came to the core.
        came_at_ns: when it came there.
        kept_ns: the latest time in any block of class position.
        committed_ns: when the last such block was seen in the journal; at most 5 ms late.
        sent: time of the last record with a position in any message, and when the broker handed that on.
        erased_ns: when the ledger said that all of it is erased.
        readable: blocks of class position that could still be opened then.
        blocks: of class position that there were.
    """

    granted_ns: int
    asked_ns: int
    answered_ns: int
    came_ns: int
    came_at_ns: int
    kept_ns: int
    committed_ns: int
    sent: tuple[int, int]
    erased_ns: int
    readable: int
    blocks: int


@dataclass(frozen=True, slots=True)
class Load:
    """What the gateway had to do meanwhile.

    Attributes:
        frames: that its buses took in.
        seconds: from the first withdrawal's grant to the end.
        too_slow: frames that capture gave up since the core was too slow for them.
        account: at the end.
    """

    frames: int
    seconds: float
    too_slow: int
    account: dict[str, Any]


class JournalWatch(Closing):
    """Sees each block as soon as it is committed.

    Args:
        folder: of the journal.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._clock = SystemClock()
        self._stop = threading.Event()
        self.blocks: list[tuple[BlockHeader, int]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()

    def count(self, kind: BlockKind) -> int:
        """How many blocks of a kind there are."""
        return sum(header.kind is kind for header, _ in self.blocks)

    def of_positions(self, since_ns: int) -> list[tuple[BlockHeader, int]]:
        """Blocks of class position that were committed after a time."""
        return [
            (header, seen_ns)
            for header, seen_ns in self.blocks
            if header.data_class == DataClass.POSITION and seen_ns > since_ns
        ]

    def _run(self) -> None:
        connection = open_to_read(str(self._folder / "journal.db"))
        last = 0
        while not self._stop.wait(_POLL_S):
            for number, header in connection.execute(
                "SELECT number, header FROM block WHERE number > ? ORDER BY number", (last,)
            ):
                last = number
                self.blocks.append((read_header(header), self._clock.boot_ns()))
        connection.close()


@dataclass(frozen=True, slots=True)
class Busy:
    """A gateway at work, with a platform.

    Attributes:
        gateway: runs.
        watch: of its journal.
        listener: hears what the broker hands on.
        tap: file of what came to the core.
    """

    gateway: RunningGateway
    watch: JournalWatch
    listener: Listener
    tap: Path


@contextmanager
def busy(
    folder: Path,
    *,
    frames_per_s: int = 0,
    buses: dict[str, str] | None = None,
    journal: Path | None = None,
) -> Iterator[Busy]:
    """Run a gateway and a platform.

    Args:
        folder: an empty one.
        frames_per_s: of a source that is never late; 0 for the buses.
        buses: lines of the configuration's tables of buses.
        journal: its folder, if it is not to be beside the rest.
    """
    vehicle, other = folder / "vehicle", folder / "other"
    vehicle.mkdir()
    other.mkdir()
    tap = other / "tap"
    with tls_platform(other) as (port, authority, listener):
        uplink = f'port = {port}\ntls.ca_file = "{authority}"'
        lines = buses or dict.fromkeys(("pt", "body"), 'interface = "virtual"\nchannel = "none"\n')
        configuration = write_configuration(vehicle, lines, uplink, journal=journal)
        environment = {"NEVGATE_TAP": str(tap), "NEVGATE_FLOOD": str(frames_per_s)}
        gateway = RunningGateway(configuration, ("-m", "tests.live_canary.flooded"), environment)
        try:
            gateway.await_ready()
            with JournalWatch(gateway.journal) as watch:
                yield Busy(gateway, watch, listener, tap)
        finally:
            gateway.process.kill()


def withdrawals(
    at_work: Busy, count: int, *, before: Callable[[], object] = lambda: None
) -> list[Withdrawal]:
    """Agree and withdraw so many times, and wait each time until all is erased.

    Args:
        at_work: a gateway under load.
        count: how often.
        before: called before each withdrawal, while there is something to withdraw.
    """
    clock, dice = SystemClock(), Random(7)  # noqa: S311 - a test repeats its seed
    made = []
    for _ in range(count):
        granted_ns = clock.boot_ns()
        _ask(at_work, "grant", term_s=3600)
        until(lambda since_ns=granted_ns: _at_work(at_work, since_ns), "no position is kept")  # type: ignore[misc]
        before()
        time.sleep(dice.random())
        words = at_work.watch.count(BlockKind.CONSENT) + _WORDS_OF_A_WITHDRAWAL
        lines = len(_tapped(at_work))
        asked_ns = clock.boot_ns()
        _ask(at_work, "withdraw")
        answered_ns = clock.boot_ns()
        until(
            lambda words=words: at_work.watch.count(BlockKind.CONSENT) >= words,  # type: ignore[misc]
            "nothing is erased",
        )
        erased_ns = [ns for one, ns in at_work.watch.blocks if one.kind is BlockKind.CONSENT][words - 1]
        until(lambda lines=lines: len(_tapped(at_work)) > lines, "positions go on coming")  # type: ignore[misc]
        came_ns, came_at_ns = _tapped(at_work)[lines]
        readable, _ = opening(at_work.gateway.journal)
        blocks = at_work.watch.of_positions(granted_ns)
        made.append(
            Withdrawal(
                granted_ns=granted_ns,
                asked_ns=asked_ns,
                answered_ns=answered_ns,
                came_ns=came_ns,
                came_at_ns=came_at_ns,
                kept_ns=max(header.to_ns for header, _ in blocks),
                committed_ns=max(seen_ns for _, seen_ns in blocks),
                sent=_sent(at_work, granted_ns),
                erased_ns=erased_ns,
                readable=readable,
                blocks=len(blocks),
            )
        )
    return made


def load_of(at_work: Busy, made: Sequence[Withdrawal]) -> Load:
    """End the gateway in order; tell what it had to do."""
    account = at_work.gateway.end()
    seconds = (SystemClock().boot_ns() - made[0].granted_ns) / 1e9
    hops = {(hop["name"], hop["unit"]): hop for hop in account["hops"]}
    return Load(
        frames=hops["merged buses", "frames"]["entered"],
        seconds=seconds,
        too_slow=hops["capture to core", "frames"]["set_aside"].get("core too slow, oldest given up", 0),
        account=account,
    )


def opening(journal: Path) -> tuple[int, int]:
    """How many blocks of class position of a journal open with its keys, and how many there are."""
    opens = there = 0
    with archive(journal) as opened:
        for block in opened.reader.blocks():
            if block.header.data_class == DataClass.POSITION:
                there += 1
                try:
                    opens += opened.reader.plaintext(block) is not None
                except JournalError:
                    continue
    return opens, there


def positions_sent(heard: Sequence[Heard]) -> list[tuple[int, int]]:
    """Of each record with a position in a message: its time, and when the message was heard."""
    verifier = Verifier({VIN: [SigningKey.seeded(b"vehicle").public]})
    found = []
    for one in heard:
        if "/up/" not in one.topic:
            continue
        content = verifier.verify(one.payload, vehicle=VIN, role=Role.UP).payload
        if peek_kind(content).holds_records:
            found += [
                (record.t_ns, one.t_ns)
                for record in decode(content, builtin()).records
                if "gnss.lat" in record.values
            ]
    return found


def _sent(at_work: Busy, since_ns: int) -> tuple[int, int]:
    return max(one for one in positions_sent(at_work.listener.heard) if one[0] > since_ns)


def _ask(at_work: Busy, what: str, **more: object) -> None:
    for purpose in PURPOSES:
        at_work.gateway.ask(do=what, purpose=purpose, role="driver", **{"class": "position"}, **more)


def _at_work(at_work: Busy, since_ns: int) -> bool:
    """Whether frames and records with positions are kept, and a message with one has arrived."""
    kinds = {header.kind for header, _ in at_work.watch.of_positions(since_ns)}
    sent = any(t_ns > since_ns for t_ns, _ in positions_sent(at_work.listener.heard[-20:]))
    return kinds >= {BlockKind.FRAMES, BlockKind.RECORDS} and sent


def _tapped(at_work: Busy) -> list[tuple[int, int]]:
    return [tuple(json.loads(line)) for line in at_work.tap.read_text().splitlines()]
