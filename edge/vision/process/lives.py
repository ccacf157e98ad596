"""The account of a camera over all its processes: what one that died without a word had said is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from edge.account import Hop, summed
from edge.vision.reasons import Dropped

WAITING = "waiting"
_ON_THE_WAY = "on the way"


def hand_over_of(name: str) -> str:
    """Name of the hop between a camera's process and the gateway."""
    return f"vision of {name} to core"


class VisionLives:
    """Adds up what one process after the other reports, so that the account balances across the border.

    A report says what has left before it is sent, so that what left and did not arrive is known. Of a process
    that died, the pictures that waited in it at its last report are lost; what it took in after that report
    is the one thing that nobody counts.

    Args:
        name: of the camera.
    """

    def __init__(self, name: str) -> None:
        self._hand_over = hand_over_of(name)
        self._past: list[Hop] = []
        self._present: tuple[Hop, ...] = ()
        self._arrived = 0
        self._refused: Counter[str] = Counter()
        self._facts: Counter[str] = Counter()

    def report(self, hops: Sequence[Hop]) -> None:
        """Take up what the present process reports."""
        self._present = tuple(
            replace(hop, unit="media" if hop.name == self._hand_over else "frames") for hop in hops
        )

    def arrive(self) -> None:
        """Count a still or clip that is handed on."""
        self._arrived += 1

    def refuse(self, cause: Dropped, count: int = 1) -> None:
        """Count stills and clips that arrived, and may not or cannot be handed on."""
        self._refused[str(cause)] += count

    def withdraw(self, cause: Dropped, count: int) -> None:
        """Count stills and clips that had arrived in order, and may not be handed on after all."""
        self._arrived -= count
        self.refuse(cause, count)

    def note(self, fact: str, count: int = 1) -> None:
        """Count something that happened to the process."""
        if count:
            self._facts[fact] += count

    def end(self, cause: Dropped) -> None:
        """The present process has ended; what was in it is lost for `cause`."""
        self._past = summed([*self._past, *(_ended(hop, cause) for hop in self._now(str(cause)))])
        self._present = ()
        self._arrived = 0
        self._refused = Counter()

    @property
    def facts(self) -> frozenset[str]:
        """The names of the facts that processes which have ended told."""
        return frozenset(name for hop in self._past for name in hop.facts)

    def hops(self) -> tuple[Hop, ...]:
        """The account of all processes."""
        facts = Hop(self._hand_over, "media", 0, 0, facts=dict(self._facts))
        return tuple(summed([*self._past, *self._now(_ON_THE_WAY), facts]))

    def _now(self, missing: str) -> list[Hop]:
        """The hops as the gateway sees them; what has left and is not here stands as `missing`."""
        found = []
        for hop in self._present:
            if hop.name != self._hand_over:
                found.append(hop)
                continue
            taken = self._arrived + self._refused.total()
            aside = Counter(hop.set_aside) + self._refused
            aside[missing] += max(0, hop.left - taken)
            # What it sends without saying so before is counted all the same.
            entered = hop.entered + max(0, taken - hop.left)
            found.append(replace(hop, entered=entered, left=self._arrived, set_aside=dict(+aside)))
        if not any(hop.name == self._hand_over for hop in found):
            taken = self._arrived + self._refused.total()
            found.append(Hop(self._hand_over, "media", taken, self._arrived, dict(+self._refused)))
        return found


def _ended(hop: Hop, cause: Dropped) -> Hop:
    """A hop of a process that is no more: what waited in it, or was under way in it, is lost."""
    facts = Counter(hop.facts)
    lost = facts.pop(WAITING, 0)
    aside = Counter(hop.set_aside)
    aside[str(cause)] += lost + max(0, hop.difference)
    return replace(hop, entered=hop.entered + lost, set_aside=dict(+aside), facts=dict(facts))
