"""A nursery at work: rounds go in, what the workers announced before they died comes out."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.closing import Closing
from tests.crash.orders import Orders, Phase

ROOT = Path(__file__).parents[2]
KILLED = -9


@dataclass(slots=True)
class Outcome:
    """How a round went.

    Attributes:
        orders: what it was to do.
        ended: exit status of the worker; -9 for a kill.
        phase: where it was then.
        committing: whether it was within a commit.
        composing: whether it was making a message.
        publishing: whether it was handing one to the broker.
        hung: whether it had to be ended because it did not by itself.
        records: number and digest of each record announced as committed, in order.
        finished: whether it ended by itself with nothing left to send; None if it did not say.
        unbalanced: hops of its account that do not balance.
        account_ns: boot-monotonic time of an account in which nothing waits; None if it sent none.
        flawed: whether the product was broken as was ordered.
        troubles: why the journal could not be written.
    """

    orders: Orders
    ended: int = 0
    phase: Phase = Phase.OPENING
    committing: bool = False
    composing: bool = False
    publishing: bool = False
    hung: bool = False
    records: list[tuple[int, str]] = field(default_factory=list)
    finished: bool | None = None
    unbalanced: list[str] = field(default_factory=list)
    account_ns: int | None = None
    flawed: bool = False
    troubles: list[str] = field(default_factory=list)

    @property
    def killed(self) -> bool:
        """Whether it ended as was ordered, by a kill."""
        return self.ended == KILLED and not self.hung


class Lane(Closing):
    """One nursery.

    Args:
        folder: what `set_up` was given.
        port: of the broker.
        name: of its log, which lies in the folder.
    """

    def __init__(self, folder: Path, port: int, name: str = "lane") -> None:
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.nursery", str(folder), str(port)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                text=True,
            )

    def close(self) -> None:
        """Let the nursery end."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()

    def round(self, orders: Orders) -> Outcome:
        """Have one round done.

        Raises:
            RuntimeError: the nursery itself has ended; its log says why.
        """
        to, back = self._process.stdin, self._process.stdout
        if to is None or back is None:
            raise RuntimeError("the nursery has no pipes")
        to.write(orders.to_json() + "\n")
        to.flush()
        outcome = Outcome(orders)
        for line in back:
            said: dict[str, Any] = json.loads(line)
            outcome.records += [(number, digest) for number, digest in said.pop("records", ())]
            if "journal_failed" in said:
                outcome.troubles.append(said.pop("journal_failed"))
            if "ended" in said:
                said["phase"] = Phase(said["phase"])
            for name, value in said.items():
                setattr(outcome, name, value)
            if "ended" in said:
                return outcome
        raise RuntimeError(f"the nursery ended: {self.log.read_text()[-2000:]}")
