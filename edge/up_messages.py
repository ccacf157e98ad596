"""Messages beside the records: the account and time corrections, not yet signed."""

from __future__ import annotations

from edge.account import Account
from edge.clock import Timebase
from edge.dispatch import Identity
from edge.wire import account_message, time_corrections
from edge.wire.account_message import AccountMessage, StreamLedger
from edge.wire.time_corrections import TimeCorrection, TimeCorrections


def account(
    identity: Identity,
    account: Account,
    ledger: StreamLedger | None,
    *,
    last_number: int,
    timebase: Timebase,
    t_ns: int,
    since_ns: int,
) -> bytes:
    """The account of the whole road as the bytes of a message.

    Args:
        identity: of the vehicle and its stream.
        account: as it is now.
        ledger: what has become of the stream's numbers on their way to the platform that it goes to.
        last_number: greatest record number committed.
        timebase: of now.
        t_ns: now, boot-monotonic.
        since_ns: since when the account counts.
    """
    return account_message.encode(
        AccountMessage(
            identity.vehicle,
            identity.stream,
            identity.boot,
            t_ns,
            timebase,
            last_number,
            account,
            since_ns,
            ledger,
        )
    )


def correction(identity: Identity, found: TimeCorrection) -> bytes:
    """What a later fix says of earlier times, as the bytes of a message."""
    return time_corrections.encode(TimeCorrections(identity.vehicle, identity.stream, (found,)))
