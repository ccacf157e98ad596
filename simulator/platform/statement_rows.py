"""Rows of what vehicles state beside their records, and how they are read back."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from edge.clock import Timebase, TimeQuality
from edge.wire.account_message import StreamLedger
from edge.wire.time_corrections import TimeCorrection
from simulator.platform.chain import KeptCheckpoint
from simulator.platform.comparison import KeptAccount
from simulator.platform.rows import Parameters
from simulator.platform.sequence import NumberCounts

_CHECKPOINTS = (
    "SELECT s.vehicle, s.stream, m.sha256, c.first, c.last, c.previous, c.last_number, c.t_ns, c.wall_ns,"
    " c.quality, m.received_ns FROM checkpoint c JOIN message m ON m.id = c.message"
    " JOIN stream s ON s.id = c.stream"
)
_ACCOUNTS = (
    "SELECT s.vehicle, s.stream, m.boot, a.t_ns, a.since_ns, a.wall_ns, a.quality, a.last_number,"
    " a.acknowledged, a.waiting, a.given_up, a.stored, a.explained, a.missing, a.hops, m.received_ns,"
    " m.sha256 FROM account a JOIN message m ON m.id = a.message JOIN stream s ON s.id = a.stream"
)
_EARLIER = (
    "SELECT ifnull(max(a.last_number), 0) FROM account a JOIN message m ON m.id = a.message"
    " JOIN stream s ON s.id = a.stream WHERE s.vehicle = ? AND s.stream = ? AND m.boot = ? AND a.t_ns < ?"
)


def read_checkpoints(
    connection: sqlite3.Connection, where: str = "", parameters: Parameters = ()
) -> list[KeptCheckpoint]:
    """The checkpoints that the clause `where` chooses, in the order in which they came.

    `c` is the checkpoint, `m` its message, `s` its stream.
    """
    rows = connection.execute(f"{_CHECKPOINTS} {where} ORDER BY c.message", parameters)
    return [
        KeptCheckpoint(
            vehicle=vehicle,
            stream=stream,
            sha256=sha256,
            first=first,
            last=last,
            previous=previous,
            last_number=last_number,
            timebase=Timebase(wall_ns - t_ns, TimeQuality(quality)),
            t_ns=t_ns,
            received_ns=received_ns,
        )
        for (
            vehicle,
            stream,
            sha256,
            first,
            last,
            previous,
            last_number,
            t_ns,
            wall_ns,
            quality,
            received_ns,
        ) in rows
    ]


def read_accounts(
    connection: sqlite3.Connection, where: str = "", parameters: Parameters = ()
) -> list[KeptAccount]:
    """The accounts that the clause `where` chooses, in the order in which they came.

    `a` is the account, `m` its message, `s` its stream.
    """
    rows = connection.execute(f"{_ACCOUNTS} {where} ORDER BY a.message", parameters)
    return [
        KeptAccount(
            vehicle=vehicle,
            stream=stream,
            boot=boot,
            t_ns=t_ns,
            since_ns=since_ns,
            timebase=Timebase(wall_ns - t_ns, TimeQuality(quality)),
            last_number=last_number,
            ledger=None if acknowledged is None else StreamLedger(acknowledged, waiting, given_up),
            counts=NumberCounts(*counts),
            hops=hops,
            received_ns=received_ns,
            sha256=sha256,
        )
        for (
            vehicle,
            stream,
            boot,
            t_ns,
            since_ns,
            wall_ns,
            quality,
            last_number,
            acknowledged,
            waiting,
            given_up,
            *counts,
            hops,
            received_ns,
            sha256,
        ) in rows
    ]


def earlier_last_number(connection: sqlite3.Connection, account: KeptAccount) -> int:
    """The greatest last number of earlier accounts of the same stream and boot, 0 without any."""
    key = (account.vehicle, account.stream, account.boot, account.t_ns)
    return int(connection.execute(_EARLIER, key).fetchone()[0])


@dataclass(frozen=True, slots=True)
class KeptCorrection:
    """A time correction that is stored.

    Attributes:
        vehicle: the signed vehicle.
        correction: as it was signed.
        received_ns: Unix time at which it came, in nanoseconds.
    """

    vehicle: str
    correction: TimeCorrection
    received_ns: int


def read_corrections(connection: sqlite3.Connection, vehicle: str | None = None) -> list[KeptCorrection]:
    """The time corrections of one vehicle, or of all, in the order in which they came."""
    rows = connection.execute(
        "SELECT c.vehicle, c.boot, c.from_ns, c.to_ns, c.wall_offset_ns, c.quality, m.received_ns"
        " FROM correction c JOIN message m ON m.id = c.message"
        " WHERE :vehicle IS NULL OR c.vehicle = :vehicle ORDER BY c.id",
        {"vehicle": vehicle},
    )
    return [
        KeptCorrection(
            name,
            TimeCorrection(boot, from_ns, to_ns, Timebase(offset_ns, TimeQuality(quality))),
            received_ns,
        )
        for name, boot, from_ns, to_ns, offset_ns, quality, received_ns in rows
    ]
