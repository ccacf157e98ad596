"""Cuts the power of a recorded run at many moments in many ways, and counts the claims that do not hold."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.power.claims import FORGOTTEN, Claim, Reading, Unreadable, Workload, broken
from tests.power.platter import DRAWN, Cut, drawn
from tests.power.torn_disk import Disk, Recording, Synced, laid_out, record


@dataclass(frozen=True, slots=True)
class Fault:
    """A cut after which a claim did not hold.

    Attributes:
        end: the power failed just after event `end - 1`.
        cut: what the cut did with the pending changes.
        seed: which draw of it.
        faults: what does not hold.
    """

    end: int
    cut: Cut
    seed: int
    faults: tuple[str, ...]


@dataclass(slots=True)
class Tally:
    """What came of a series of cuts.

    Attributes:
        cuts: how many were made.
        states: how many different states of the disk they left.
        faults: those that broke a claim.
    """

    cuts: int = 0
    states: int = 0
    faults: list[Fault] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What reopening a state of the disk gave.

    Attributes:
        reading: what the store holds; None where it cannot be read.
        reason: why not.
    """

    reading: Reading | None
    reason: str = ""


class Reopener:
    """Lays a state of the disk out, opens the store on it, and remembers: many cuts leave the same state."""

    def __init__(self, workload: Workload, folder: Path | None = None) -> None:
        self._workload = workload
        self._folder = folder or memory_folder()
        self._known: dict[bytes, Outcome] = {}

    @property
    def states(self) -> int:
        """How many different states were opened."""
        return len(self._known)

    def open(self, files: Mapping[str, bytes]) -> Outcome:
        """Open the store on these files."""
        mark = hashlib.blake2b(digest_size=16)
        for name, content in files.items():
            mark.update(f"{name} {len(content)} ".encode())
            mark.update(content)
        if (outcome := self._known.get(mark.digest())) is None:
            outcome = self._known[mark.digest()] = self._opened(files)
        return outcome

    def faults(self, files: Mapping[str, bytes], announced: list[Claim], written: list[Claim]) -> list[str]:
        """Open the store on these files and compare it with its claims."""
        outcome = self.open(files)
        if outcome.reading is None:
            return [outcome.reason]
        return broken(announced, written, outcome.reading)

    def _opened(self, files: Mapping[str, bytes]) -> Outcome:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            laid_out(files, Path(folder))
            try:
                return Outcome(self._workload.read(Path(folder)))
            except Unreadable as error:
                return Outcome(None, str(error))


def memory_folder() -> Path | None:
    """Return a folder in memory where there is one: thousands of states are laid out, none needs a disk."""
    shm = Path("/dev/shm")  # noqa: S108 - each state lies in a folder of its own, with a drawn name
    return shm if shm.is_dir() else None


def recorded_run(workload: Workload, before: Mapping[str, bytes] | None = None) -> Recording:
    """Run the store on an empty folder, or on what a cut left, and record it.

    What the store is found to hold after a cut is claimed from the start: once read, it may not vanish.
    """
    standing: list[Claim] = []
    if before is not None:
        reading = Reopener(workload).open(before).reading
        for series, held in (reading or {}).items():
            standing += [Claim(series, held[0][0] - 1, FORGOTTEN)] if held else []
            standing += [Claim(series, number, digest) for number, digest in held]
    with tempfile.TemporaryDirectory(dir=memory_folder()) as folder:
        laid_out(before or {}, Path(folder))
        recording = record(workload.run, Path(folder))
    recording.events[:0] = standing
    recording.standing = len(standing)
    return recording


def ways(seeds: Iterable[int]) -> Iterator[tuple[Cut, int]]:
    """Yield every way of cutting once, and those that draw once a seed."""
    yield Cut.NOTHING, 0
    yield Cut.EVERYTHING, 0
    for seed in seeds:
        for cut in DRAWN:
            yield cut, seed


def every_cut(
    workload: Workload,
    recording: Recording,
    seeds: Iterable[int],
    *,
    first: int = 0,
    last: int | None = None,
    step: int = 1,
    ignored: Callable[[int], bool] = lambda _at: False,
    enough: int | None = None,
    reopener: Reopener | None = None,
) -> Tally:
    """Cut the power after each event, in every way, and check the claims each time.

    Args:
        workload: whose run was recorded.
        recording: the run.
        seeds: the draws of each way that draws.
        first: the first moment, counted in events that have happened.
        last: the last moment; by default the end.
        step: 1 for every moment, more to leave some out.
        ignored: which syncs the disk only pretends to have done, by their position.
        enough: stop after so many broken cuts.
        reopener: shares what is known of states with other calls.
    """
    tally = Tally()
    seeds = tuple(seeds)
    reopener = reopener or Reopener(workload)
    known = reopener.states
    disk = Disk(recording.before)
    written = recording.claims()
    announced: list[Claim] = []
    last = len(recording.events) if last is None else last
    for end in range(last + 1):
        if end:
            event = recording.events[end - 1]
            if isinstance(event, Claim):
                announced.append(event)
            elif not (isinstance(event, Synced) and ignored(end - 1)):
                disk.take(event)
        if end < first or (end - first) % step:
            continue
        for cut, seed in ways(seeds):
            tally.cuts += 1
            files = disk.after(cut, drawn(f"{seed} {end} {cut}"))
            if faults := reopener.faults(files, announced, written):
                tally.faults.append(Fault(end, cut, seed, tuple(faults)))
                if enough is not None and len(tally.faults) >= enough:
                    tally.states = reopener.states - known
                    return tally
    tally.states = reopener.states - known
    return tally
