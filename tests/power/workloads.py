"""The stores that the rigs cut the power of, by name, and how far each is driven."""

from __future__ import annotations

from dataclasses import dataclass

from tests.power.claims import Workload
from tests.power.journal_live import JournalLive
from tests.power.journal_store import JournalStore
from tests.power.standin import StandIn

_ENDLESS = 1_000_000


@dataclass(frozen=True, slots=True)
class Drive:
    """How much of a store's work the first rig takes, measured by how long one state takes to open.

    Attributes:
        short_commits: commits of the run that is cut at every moment.
        seeds: draws of each way of cutting it.
        sharp_seeds: draws for each sync that is left out of it.
        long_commits: commits of the run that is cut at some moments.
        long_moments: at how many.
        recoveries: how many recoveries are cut in turn.
        recovery_step: at every how manieth moment.
    """

    short_commits: int
    seeds: int
    sharp_seeds: int
    long_commits: int
    long_moments: int
    recoveries: int
    recovery_step: int


DRIVES = {
    "stand-in": Drive(24, 3, 6, 400, 400, 8, 1),
    "journal": Drive(10, 1, 1, 60, 120, 4, 7),
}


LIVE = "journal-live"
"""For the virtual machine alone: its outcome depends on the time."""


def workload_named(name: str, *, commits: int = _ENDLESS, seed: int = 1) -> Workload:
    """Return the store called `name`, one of `DRIVES` or `LIVE`.

    Args:
        name: of the store.
        commits: how often it commits; by default until it is killed.
        seed: of what it writes.
    """
    if name == LIVE:
        return JournalLive(commits=commits, seed=seed)
    if name == "stand-in":
        return StandIn(commits=commits, keys_journal="truncate", largest_bytes=9000, seed=seed)
    return JournalStore(commits=commits, checkpoint_pages=12, seed=seed)
