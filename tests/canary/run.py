"""One whole run: drives, searches while they go on and after them, and figures."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.canary.exports import ALL, exported, read_as_zero, taken_along
from tests.canary.judging import Found, Judge
from tests.canary.oracle import Oracle
from tests.canary.planting import CLASS_OF, Canary, Kind, sent_in
from tests.canary.route import Route
from tests.canary.scanning import Scanner
from tests.canary.script import Drive
from tests.canary.world import Prepare, Told, World

_JOURNAL_FILES = ("journal.db*", "keys.db*", "*.key")


@dataclass(slots=True)
class Outcome:
    """What came of a run.

    Attributes:
        found: leaks, hits, what is missing.
        told: what the gateway told.
        planted: canaries by class; those of no class under ``none``.
        late: see `Judge.door`.
        zeros: removed signals that an export gives a value.
        not_collected: whether each of the exports of signals says "not collected".
        simulated_s: of driving.
        looks: searches of the journal.
        took_s: wall-clock seconds, by what they were spent on.
    """

    found: Found
    told: Told
    planted: Counter[str]
    late: dict[str, Counter[int]]
    zeros: list[str]
    not_collected: bool
    simulated_s: int
    looks: int
    took_s: dict[str, float] = field(default_factory=dict)


def canaries_of(drives: Sequence[Drive]) -> list[Canary]:
    """All that are planted."""
    seconds = [second for one in drives for second in range(one.begin_s, one.end_s)]
    return [Canary(kind, second) for second in seconds for kind in Kind if sent_in(kind, second)]


def run(
    folder: Path,
    drives: Sequence[Drive],
    *,
    broken: Prepare | None = None,
    guarded: bool = True,
    exports: Collection[str] = ALL,
    step: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Drive, search and judge.

    Args:
        folder: an empty one.
        drives: the script.
        broken: see `World`.
        guarded: see `World`.
        exports: which of `tests.canary.exports` are searched; with none, no files are.
        step: told what is done next.
    """
    begin_s = time.perf_counter()
    took: dict[str, float] = {}
    route = Route()
    canaries = canaries_of(drives)
    judge = Judge(drives, route, Scanner.of(canaries), Oracle(drives, route))
    took["planting"] = time.perf_counter() - begin_s
    looks, looking_s = 0, 0.0

    def look(second: int, journal: Path) -> None:
        nonlocal looks, looking_s
        looks += 1
        start_s = time.perf_counter()
        judge.journal(second, journal, world.told)
        looking_s += time.perf_counter() - start_s
        step(f"second {second:,} of {drives[-1].end_s:,}")

    world = World(folder, drives, look, broken=broken, guarded=guarded, route=route)
    start_s = time.perf_counter()
    told = world.run()
    took["driving"] = time.perf_counter() - start_s - looking_s
    end_s = drives[-1].end_s
    start_s = time.perf_counter()
    step("what left the door")
    late = judge.door(told)
    step("what was sent and said")
    judge.sent(told.sent, told)
    judge.words(told.words, end_s)
    zeros: list[str] = []
    not_collected = True
    if exports:
        step("files")
        for pattern in _JOURNAL_FILES:
            for path in sorted(world.journal.glob(pattern)):
                judge.nothing(f"raw {path.name}", path.read_bytes(), end_s, digits=False)
        step("exports")
        config = world.configuration(drives[-1])
        for place, purposes, content in exported(config, folder / "exports", exports):
            judge.export(place, content, purposes, end_s)
            if "export signals" in place:
                not_collected &= b"not collected" in content or b"not_collected" in content
        for place, purposes, content in taken_along(world.journal):
            judge.export(place, content, purposes, end_s)
        zeros = read_as_zero(folder / "exports")
    judge.expect_positions(end_s)
    took["searching"] = time.perf_counter() - start_s + looking_s
    planted = Counter(str(CLASS_OF[one.kind] or "none") for one in canaries)
    return Outcome(
        judge.found,
        told,
        planted,
        late,
        zeros,
        not_collected,
        sum(one.span_s for one in drives),
        looks,
        took,
    )
