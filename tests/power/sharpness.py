"""Takes one sync away at a time and looks whether a claim breaks: which syncs carry the claims."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import takewhile

from tests.power.claims import Claim, Workload
from tests.power.cuts import Fault, Reopener, every_cut
from tests.power.torn_disk import Changed, Event, Named, Recording, Synced, SyncKind, folder_of


@dataclass(frozen=True, slots=True)
class Sharpness:
    """What came of a disk that only pretended one sync.

    Attributes:
        at: position of the sync in the recording.
        sync: the sync.
        covers: how many changes since the sync before it of the same file or folder.
        repeats: how many syncs right after it cover nothing more; they are left out with it.
        hung: the claim made right after it, which says that just this is on the disk; None for no claim.
        fault: the first cut that broke a claim; None where none did.
    """

    at: int
    sync: Synced
    covers: int
    repeats: int
    hung: Claim | None
    fault: Fault | None


def without_each_sync(
    workload: Workload,
    recording: Recording,
    seeds: Iterable[int],
    *,
    chosen: Callable[[Synced, int], bool] = lambda _sync, _covers: True,
) -> list[Sharpness]:
    """Leave out each sync in turn, until a later one of the same file or folder does its work as well.

    A sync that covers no change repeats the one before: it is left out together with that one, not alone.

    Args:
        workload: whose run was recorded.
        recording: the run.
        seeds: how often each drawn way of cutting is tried at each moment.
        chosen: told a sync and how many changes it covers, says whether to try it.
    """
    reopener = Reopener(workload)
    seeds = tuple(seeds)
    events = recording.events
    found: list[Sharpness] = []
    for at in recording.syncs():
        sync = events[at]
        covers = covered(events, at)
        if not isinstance(sync, Synced) or not covers or not chosen(sync, covers):
            continue
        later = [
            position for position in recording.syncs() if position > at and alike(events[position], sync)
        ]
        repeats = list(takewhile(lambda position: not covered(events, position), later))
        end = later[len(repeats)] if len(later) > len(repeats) else len(events)
        tally = every_cut(
            workload,
            recording,
            seeds,
            first=at + 1,
            last=end,
            ignored={at, *repeats}.__contains__,
            enough=1,
            reopener=reopener,
        )
        after = next((event for event in events[at + 1 :] if not isinstance(event, Synced)), None)
        hung = after if isinstance(after, Claim) else None
        found.append(
            Sharpness(at, sync, covers, len(repeats), hung, tally.faults[0] if tally.faults else None)
        )
    return found


def without_all(
    workload: Workload, recording: Recording, kind: SyncKind, name: str, seeds: Iterable[int]
) -> Fault | None:
    """Leave out all syncs of one kind and name; return a cut, since the first claim, that breaks one."""
    left_out = {
        at
        for at in recording.syncs()
        if isinstance(sync := recording.events[at], Synced) and (sync.kind, sync.name) == (kind, name)
    }
    claimed = next(at for at, event in enumerate(recording.events) if isinstance(event, Claim))
    tally = every_cut(workload, recording, seeds, first=claimed, ignored=left_out.__contains__, enough=1)
    return tally.faults[0] if tally.faults else None


def alike(event: Event, sync: Synced) -> bool:
    """Whether an event syncs what `sync` does."""
    return isinstance(event, Synced) and (event.file, event.name) == (sync.file, sync.name)


def covered(events: list[Event], at: int) -> int:
    """Count the changes that the sync at `at` makes durable and no sync before it did."""
    sync = events[at]
    assert isinstance(sync, Synced)
    count = 0
    for event in reversed(events[:at]):
        if alike(event, sync):
            break
        if isinstance(event, Changed):
            count += event.file == sync.file
        elif isinstance(event, Named):
            count += sync.file is None and folder_of(event.name) == sync.name
    return count
