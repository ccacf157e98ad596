"""Finds the name that was probably meant, for errors that help."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_LEAST_LIKENESS = 0.5


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` most like `name`, letter case apart; None if none is like it."""
    by_folded = {candidate.casefold(): candidate for candidate in names}
    found = get_close_matches(name.casefold(), by_folded, n=1, cutoff=_LEAST_LIKENESS)
    return by_folded[found[0]] if found else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """A question that names the nearest of `names`, or nothing."""
    near = nearest(name, names)
    return f"Did you mean '{near}'?" if near else ""
