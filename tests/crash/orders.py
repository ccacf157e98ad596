"""What a worker is told to do in one round, and how it is to die: drawn by a seed, sent as a line of JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from random import Random

from tests.crash.deaths import MAKING, POINTS, STATEMENT


class Phase(StrEnum):
    """How far a worker has come."""

    OPENING = "opening"
    RUNNING = "running"
    FINISHING = "finishing"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Orders:
    """One round.

    Attributes:
        vehicle: VIN.
        seed: of the recording.
        boot: 16 bytes in hexadecimal; that of the round before if the machine has stayed up since.
        seconds: how long it is.
        pause_s: longest pause after a second of it.
        drain_s: how long receipts are waited for at the end; not long if the product is broken and may never
            finish.
        supply_lost: whether the gateway is told that the supply goes.
        silent_from: from this message on, what is handed to the broker vanishes on the way; 0 for never.
        wal_pages: pages after which SQLite writes its log back.
        checkpoint_blocks: blocks after which a checkpoint is signed.
        phase: a kill comes so long after this phase begins; empty for none.
        delay_s: how long.
        point: name of the point of the code at which the worker kills itself; empty for none.
        passage: the how manieth time there.
        line: number of the line of journal and forwarding after which it kills itself; 0 for none.
        flaw: what is broken on purpose in the product; empty for nothing.
        last: whether the account is told at the end, and all must be over.
    """

    vehicle: str
    seed: int
    boot: str
    seconds: int = 60
    pause_s: float = 0.0
    drain_s: float = 20.0
    supply_lost: bool = False
    silent_from: int = 0
    wal_pages: int = 1_000
    checkpoint_blocks: int = 16
    phase: str = ""
    delay_s: float = 0.0
    point: str = ""
    passage: int = 1
    line: int = 0
    flaw: str = ""
    last: bool = False

    def to_json(self) -> str:
        """As one line."""
        return json.dumps(asdict(self))

    @property
    def kill(self) -> str:
        """How it is to die, for people."""
        if self.point:
            return f"{self.point}, passage {self.passage}"
        if self.line:
            return f"line {self.line}"
        return f"{self.delay_s * 1000:.0f} ms after {self.phase}" if self.phase else "not at all"


def lethal(random: Random, vehicle: str, boot: str, flaw: str, *, fresh: bool) -> Orders:
    """Draw a round that is to end by a kill; `fresh` if the journal is not made yet."""
    orders = Orders(
        vehicle,
        random.getrandbits(32),
        boot,
        seconds=random.choice((20, 60, 120)),
        pause_s=random.choice((0.0, 0.001, 0.004)),
        supply_lost=random.random() < 0.05,
        wal_pages=random.choice((10, 50, 1_000)),
        checkpoint_blocks=random.choice((8, 16, 64)),
        drain_s=5.0 if flaw else 20.0,
        flaw=flaw,
    )
    if fresh and random.random() < 0.5:
        return replace(orders, point=random.choice(MAKING))
    way = random.random()
    if random.random() < 0.3:
        # Messages that never arrive are never acknowledged, so that the kill finds them under way.
        orders = replace(orders, silent_from=random.randint(1, 8))
        way *= 0.6
    if way < 0.12:
        return replace(orders, phase=Phase.OPENING, delay_s=random.uniform(0, 0.1))
    if way < 0.45:
        return replace(orders, phase=Phase.RUNNING, delay_s=random.uniform(0, 0.6))
    if way < 0.6:
        return replace(orders, phase=Phase.FINISHING, delay_s=random.uniform(0, 0.25))
    if way < 0.7:
        return replace(orders, line=round(math.exp(random.uniform(math.log(200), math.log(20_000)))))
    point = random.choice(sorted(POINTS))
    rare = POINTS[point].rare
    most = 60 if point == STATEMENT else 12
    return replace(orders, point=point, passage=1 if rare else random.randint(1, most))


def final(random: Random, vehicle: str, boot: str, flaw: str) -> Orders:
    """Draw the round that ends a life in order."""
    return Orders(
        vehicle,
        random.getrandbits(32),
        boot,
        seconds=20,
        drain_s=5.0 if flaw else 60.0,
        flaw=flaw,
        last=True,
    )
