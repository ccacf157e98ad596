"""Rows for people and programs: streams, checkpoints, accounts held against each other, findings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from simulator.platform.comparison import Difference, KeptAccount
from simulator.platform.findings import CheckpointLook, Finding, StreamLink
from simulator.platform.listing import Listing, proof
from simulator.platform.statement_rows import KeptCorrection
from simulator.platform.view import iso_time


def list_streams(links: Iterable[StreamLink]) -> Listing:
    """A row for each stream: its numbers, and the streams before and after it."""
    columns = (
        "vehicle",
        "stream",
        "predecessor",
        "predecessor_known",
        "successors",
        "proof",
        "records",
        "watermark",
        "highest",
        "missing",
        "lost",
        "uncertain",
        "first_seen",
        "last_seen",
    )
    return Listing(
        columns,
        (
            (
                link.stream.vehicle,
                link.stream.stream.hex(),
                "" if link.stream.predecessor is None else link.stream.predecessor.hex(),
                link.known,
                [each.hex() for each in link.successors],
                proof(provable=not link.stream.device_key),
                link.stream.records,
                link.stream.sequence.watermark,
                link.stream.sequence.highest,
                link.stream.sequence.missing_count,
                link.stream.sequence.lost_count,
                link.stream.sequence.uncertain_count,
                iso_time(link.stream.first_seen_ns),
                iso_time(link.stream.last_seen_ns),
            )
            for link in links
        ),
        ("vehicle", "stream", "predecessor", "predecessor_known", "proof", "records", "missing", "last_seen"),
    )


def list_checkpoints(looks: Iterable[CheckpointLook]) -> Listing:
    """A row for each checkpoint, in the order of their blocks."""
    columns = (
        "vehicle",
        "stream",
        "first_block",
        "last_block",
        "last_number",
        "missing",
        "standing",
        "sound",
        "time",
        "time_quality",
        "received",
        "sha256",
        "previous",
    )
    return Listing(
        columns,
        (
            (
                look.checkpoint.vehicle,
                look.checkpoint.stream.hex(),
                look.checkpoint.first,
                look.checkpoint.last,
                look.checkpoint.last_number,
                look.missing,
                look.standing.value,
                look.standing.sound,
                iso_time(look.checkpoint.timebase.wall_ns(look.checkpoint.t_ns)),
                look.checkpoint.timebase.quality.name.lower(),
                iso_time(look.checkpoint.received_ns),
                look.checkpoint.sha256.hex(),
                "" if look.checkpoint.previous is None else look.checkpoint.previous.hex(),
            )
            for look in looks
        ),
        ("vehicle", "first_block", "last_block", "last_number", "missing", "standing", "received"),
    )


def list_accounts(accounts: Iterable[tuple[KeptAccount, Sequence[Difference]]]) -> Listing:
    """A row for the last account of each stream: the vehicle's counts, the platform's, and the verdict.

    Both speak of the numbers from 1 to `last_number`, at the account's arrival: `acknowledged`, `waiting` and
    `given_up` are the vehicle's; `stored`, `missing` and `explained` are the platform's, in the same order.
    """
    last: dict[tuple[str, bytes], tuple[KeptAccount, Sequence[Difference]]] = {}
    for account, wrong in accounts:
        held = last.get((account.vehicle, account.stream))
        # An account that was sent again may come after a later one of its boot.
        if held is None or account.boot != held[0].boot or account.t_ns >= held[0].t_ns:
            last[account.vehicle, account.stream] = account, wrong
    columns = (
        "vehicle",
        "stream",
        "time",
        "time_quality",
        "last_number",
        "acknowledged",
        "waiting",
        "given_up",
        "stored",
        "missing",
        "explained",
        "under_way",
        "agrees",
        "differences",
        "hops",
        "received",
    )
    return Listing(
        columns,
        (
            (
                account.vehicle,
                account.stream.hex(),
                iso_time(account.timebase.wall_ns(account.t_ns)),
                account.timebase.quality.name.lower(),
                account.last_number,
                None if account.ledger is None else account.ledger.acknowledged,
                None if account.ledger is None else account.ledger.waiting,
                None if account.ledger is None else account.ledger.given_up,
                account.counts.stored,
                account.counts.missing,
                account.counts.explained,
                account.under_way,
                not wrong,
                [f"{each.numbers}: {each.name}: {each.detail}" for each in wrong],
                json.loads(account.hops),
                iso_time(account.received_ns),
            )
            for account, wrong in last.values()
        ),
        (
            "vehicle",
            "last_number",
            "acknowledged",
            "waiting",
            "given_up",
            "stored",
            "missing",
            "explained",
            "agrees",
            "differences",
        ),
    )


def list_corrections(corrections: Iterable[KeptCorrection]) -> Listing:
    """A row for each time correction, in the order in which they came."""
    columns = ("vehicle", "boot", "from_ns", "to_ns", "wall_offset_ns", "quality", "from", "to", "received")
    return Listing(
        columns,
        (
            (
                kept.vehicle,
                kept.correction.boot.hex(),
                kept.correction.from_ns,
                kept.correction.to_ns,
                kept.correction.timebase.wall_offset_ns,
                kept.correction.timebase.quality.name.lower(),
                iso_time(kept.correction.timebase.wall_ns(kept.correction.from_ns)),
                iso_time(kept.correction.timebase.wall_ns(kept.correction.to_ns)),
                iso_time(kept.received_ns),
            )
            for kept in corrections
        ),
        ("vehicle", "boot", "from", "to", "quality", "received"),
    )


def list_findings(found: Iterable[Finding]) -> Listing:
    """A row for each thing that is wrong or open."""
    columns = ("vehicle", "stream", "finding", "numbers", "detail", "open", "received", "message")
    return Listing(
        columns,
        (
            (
                each.vehicle,
                each.stream.hex(),
                str(each.name),
                each.numbers,
                each.detail,
                each.open,
                iso_time(each.received_ns) if each.received_ns else "",
                each.message_sha256.hex(),
            )
            for each in found
        ),
        ("vehicle", "finding", "numbers", "open", "detail"),
    )
