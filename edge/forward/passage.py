"""`Passage`: the account of records on their way from the journal into messages of one destination."""

from __future__ import annotations

from collections import Counter

from edge.account import Hop
from edge.forward.gaps import ledger_name

WAITING = "waiting in the journal"


class Passage:
    """Sums of one run.

    Args:
        destination: its name in the journal.
        entered: how many records waited when the run began.

    Attributes:
        entered: as above, with those committed since.
        left: how many went into messages.
        set_aside: how many will not, by cause.
    """

    def __init__(self, destination: str, entered: int) -> None:
        self._name = ledger_name(destination)
        self.entered = entered
        self.left = 0
        self.set_aside: Counter[str] = Counter()

    def hop(self, waiting: int, gaps: int, troubles: int) -> Hop:
        """The hop.

        Args:
            waiting: records in no message yet.
            gaps: range entries that are in no message yet.
            troubles: how often a message had to wait.
        """
        facts = {"range entries not yet sent": gaps, "messages that had to wait": troubles}
        return Hop(
            self._name,
            "records",
            self.entered,
            self.left,
            {**self.set_aside, **({WAITING: waiting} if waiting else {})},
            facts={name: count for name, count in facts.items() if count},
        )
