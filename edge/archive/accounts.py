"""The last account that a journal keeps."""

from __future__ import annotations

from dataclasses import dataclass

from edge.archive.opening import Archive
from edge.clock import Timebase
from edge.errors import JournalError, WireError
from edge.journal.block import BlockKind
from edge.wire.account_message import AccountMessage, decode


@dataclass(frozen=True, slots=True)
class KeptAccount:
    """An account in the journal.

    Attributes:
        number: of its block.
        message: as it went to the first platform.
        timebase: the best known relation of its times to wall time.
    """

    number: int
    message: AccountMessage
    timebase: Timebase


def last_account(archive: Archive) -> KeptAccount | None:
    """The last account that can be read; None where the journal has none.

    Raises:
        JournalError: it was changed.
        apsw.Error: the journal cannot be read.
    """
    number = archive.last_of(BlockKind.ACCOUNT)
    opened = archive.content(number) if number else None
    if opened is None:
        return None
    try:
        message = decode(opened[1])
    except WireError as error:
        raise JournalError(
            f"the account cannot be read: {error}", where=f"{archive.folder}, block {number}"
        ) from error
    timebase = archive.wall_times.timebase(message.boot, message.t_ns, message.timebase)
    return KeptAccount(number, message, timebase)
