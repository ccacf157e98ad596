"""Holds a vehicle's account against the platform's own counts of the same numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from edge.account import Account
from edge.clock import Timebase
from edge.wire.account_message import StreamLedger
from simulator.platform.sequence import NumberCounts


class Disagreement(StrEnum):
    """What cannot be if vehicle and platform both count right."""

    NOT_HERE = "acknowledged according to the vehicle, not stored here"
    SUM = "the vehicle's ledger does not add up to its last number"
    UNBALANCED = "a hop of the vehicle does not balance"
    BACKWARDS = "the last number was greater in an earlier account of that boot"


@dataclass(frozen=True, slots=True)
class KeptAccount:
    """A vehicle's account, and what the platform held when it came.

    Attributes:
        vehicle: the signed vehicle.
        stream: 16 bytes.
        boot: 16 bytes.
        t_ns: when it was taken, nanoseconds since that boot.
        since_ns: from when on its hops count, nanoseconds since that boot.
        timebase: how its time relates to wall time.
        last_number: greatest number that the vehicle had committed.
        ledger: the vehicle's counts of numbers 1 to `last_number`; None where it sent none.
        counts: the platform's counts of the same numbers at the account's arrival.
        hops: of the vehicle, as `Account.as_json` writes them.
        received_ns: Unix time at which it came, in nanoseconds.
        sha256: of its signed bytes.
    """

    vehicle: str
    stream: bytes
    boot: bytes
    t_ns: int
    since_ns: int
    timebase: Timebase
    last_number: int
    ledger: StreamLedger | None
    counts: NumberCounts
    hops: str
    received_ns: int
    sha256: bytes

    @property
    def under_way(self) -> int:
        """Numbers of which the vehicle knew less than the platform: what was on the road, either way.

        Records may overtake the account, and a receipt takes its time to be counted by the vehicle.
        """
        if self.ledger is None:
            return 0
        ours, theirs = self.counts, self.ledger
        agreed = (
            min(ours.stored, theirs.acknowledged)
            + min(ours.explained, theirs.given_up)
            + min(ours.missing, theirs.waiting)
        )
        return max(0, self.last_number - agreed)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which an account is wrong or disagrees with the platform.

    Attributes:
        name: what it is.
        numbers: by how many numbers, or units of the hop.
        detail: both sides' figures.
    """

    name: Disagreement
    numbers: int
    detail: str


def differences(kept: KeptAccount, earlier_last_number: int = 0) -> Sequence[Difference]:
    """What cannot be if both sides count right, whatever is on the road.

    Args:
        kept: the account.
        earlier_last_number: the greatest last number of earlier accounts of the same stream and boot.
    """
    found: list[Difference] = []
    ledger, counts = kept.ledger, kept.counts
    if ledger is not None and ledger.acknowledged > counts.stored:
        detail = f"{ledger.acknowledged} of {kept.last_number} acknowledged, {counts.stored} stored"
        found.append(Difference(Disagreement.NOT_HERE, ledger.acknowledged - counts.stored, detail))
    if ledger is not None and ledger.total != kept.last_number:
        detail = (
            f"{ledger.acknowledged} acknowledged + {ledger.waiting} waiting + {ledger.given_up} given up"
            f" = {ledger.total}, last number {kept.last_number}"
        )
        found.append(Difference(Disagreement.SUM, abs(ledger.total - kept.last_number), detail))
    for hop in json.loads(kept.hops):
        aside = sum(hop["set_aside"].values())
        difference = hop["entered"] - hop["left"] - aside
        if difference:
            detail = (
                f"{hop['name']} in {hop['unit']}: {hop['entered']} entered, {hop['left']} left,"
                f" {aside} set aside"
            )
            found.append(Difference(Disagreement.UNBALANCED, abs(difference), detail))
    if earlier_last_number > kept.last_number:
        detail = f"{kept.last_number} now, {earlier_last_number} earlier"
        found.append(Difference(Disagreement.BACKWARDS, earlier_last_number - kept.last_number, detail))
    return found


def hops_json(account: Account) -> str:
    """The hops of an account as they are stored."""
    return json.dumps(account.as_json()["hops"], ensure_ascii=False)
