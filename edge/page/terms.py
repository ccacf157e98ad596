"""The terms that a consent may be given for: never without an end (GB/T 44464-2024 5.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge.page.state import UseTold

_DAY_S = 86_400
DRIVE = "drive"
"""This drive alone; should it go on for longer, a day of it."""

_DAYS: Mapping[str, int] = {"1-day": 1, "7-days": 7, "30-days": 30}


@dataclass(frozen=True, slots=True)
class Choice:
    """A term as it was chosen.

    Attributes:
        name: of the term.
        term_s: how long the consent lasts.
        keep: whether it holds at the next starts too; never for a single drive.
    """

    name: str
    term_s: int
    keep: bool = False


def offered(use: UseTold) -> tuple[Choice, ...]:
    """The terms that a use allows, the shortest first; none is longer than the policy has it."""
    longest_s = int(use.longest_days * _DAY_S)
    drive_s = min(longest_s, _DAY_S)
    drive = (Choice(DRIVE, drive_s),) if drive_s > 0 else ()
    return drive + tuple(
        Choice(name, days * _DAY_S) for name, days in _DAYS.items() if days * _DAY_S <= longest_s
    )


def chosen(use: UseTold, name: str, *, keep: bool) -> Choice | None:
    """The term of that name, or None if it is not offered for this use."""
    for choice in offered(use):
        if choice.name == name:
            return Choice(name, choice.term_s, keep=keep and name != DRIVE)
    return None
