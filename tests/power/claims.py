"""What a store claimed before a power cut, and whether it still holds after it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that a store says is committed.

    Attributes:
        series: which numbering, such as ``block`` or ``record``.
        number: its number there, from 1 without gaps.
        digest: what it is, so that another thing under the same number is noticed.
    """

    series: str
    number: int
    digest: str


#: The digest of a claim that says: from now on this series may lack what it held up to this number.
FORGOTTEN = "forgotten"

Announce = Callable[[Claim], None]
#: For each series what a store holds, in the store's own order: number and digest.
Reading = Mapping[str, Sequence[tuple[int, str]]]


class Unreadable(Exception):  # noqa: N818 - it names what the store is
    """A store does not open, or contradicts itself."""


class Workload(Protocol):
    """A store at work, and how to read it afterwards: what the rigs are given.

    Attributes:
        name: what the figures call it.
    """

    @property
    def name(self) -> str: ...

    def run(self, folder: Path, announce: Announce) -> None:
        """Open or reopen the store in `folder`, write, close; announce each thing when its commit is done."""

    def read(self, folder: Path) -> Reading:
        """Open the store in `folder` as the product would after a crash, and read it whole.

        Raises:
            Unreadable: it does not open or contradicts itself, with the reason.
        """


def broken(announced: Sequence[Claim], written: Sequence[Claim], found: Reading) -> list[str]:
    """Compare what a store holds after a cut with what it had claimed.

    Args:
        announced: what was claimed before the cut.
        written: what the run claimed in all, had the power stayed: what a store holds beyond `announced` must
            be the next of these, without a gap, as nothing else was ever written.
        found: what the store holds.

    Returns:
        One line for each claim that does not hold, at most one of each sort a series; empty when all do.
    """
    faults: list[str] = []
    expected = by_series(written)
    claimed = by_series(announced)
    forgotten = {claim.series: claim.number for claim in announced if claim.digest == FORGOTTEN}
    for series in sorted(expected.keys() | found.keys()):
        held = found.get(series, ())
        numbers = [number for number, _ in held]
        if any(later != earlier + 1 for earlier, later in pairwise(numbers)):
            faults.append(f"{series}: numbers {numbers[:8]}... have gaps, repeats or another order")
        want = expected[series]
        other = next((number for number, digest in held if want.get(number, digest) != digest), None)
        if other is not None:
            faults.append(f"{series} {other}: is not what was written under this number")
        never = next((number for number in numbers if number not in want), None)
        if never is not None:
            faults.append(f"{series} {never}: was never written")
        last = max(claimed[series], default=0)
        if numbers and numbers[0] > forgotten.get(series, 0) + 1:
            faults.append(f"{series}: begins at {numbers[0]}, deleted was up to {forgotten.get(series, 0)}")
        if last and (not numbers or numbers[-1] < last):
            faults.append(f"{series}: {last} was announced, {numbers[-1] if numbers else 'nothing'} is there")
    return faults


def by_series(claims: Sequence[Claim]) -> defaultdict[str, dict[int, str]]:
    """Sort what is claimed to be there by series and number."""
    sorted_: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for claim in claims:
        if claim.digest != FORGOTTEN:
            sorted_[claim.series][claim.number] = claim.digest
    return sorted_
