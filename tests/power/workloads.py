"""The stores that the rigs cut the power of, by name."""

from __future__ import annotations

from tests.power.claims import Workload
from tests.power.standin import StandIn

NAMES = ("stand-in",)
_ENDLESS = 1_000_000


def workload_named(name: str, *, endless: bool = False, commits: int = 40, seed: int = 1) -> Workload:
    """Return the store called `name`.

    Args:
        name: one of `NAMES`.
        endless: whether it works until it is killed.
        commits: how often it commits otherwise.
        seed: of what it writes.
    """
    count = _ENDLESS if endless else commits
    if name == "stand-in":
        return StandIn(commits=count, keys_journal="truncate", largest_bytes=9000, seed=seed)
    raise ValueError(name)
