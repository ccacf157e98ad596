"""What each destination has been given of the journal's numbers, as the journal keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import apsw

from edge.forward.gaps import GIVEN_UP, ledger_name
from edge.journal.cursors import OWN_STREAM
from edge.journal.ranges import RangeSet


@dataclass(frozen=True, slots=True)
class StreamShare:
    """What has become of the numbers of one stream on their way to one destination.

    Acknowledged, held, unsent and given up add up to the last number.

    Attributes:
        stream: 16 bytes.
        last_number: the greatest number committed; 0 for none.
        acknowledged: the destination has them.
        held: they are in signed messages that wait to be acknowledged.
        unsent: they are in no message yet.
        given_up: they will not come; the destination is told so, or is about to be.
        first_unsent: the first number that is in no message; 0 for none.
    """

    stream: bytes
    last_number: int
    acknowledged: int
    held: int
    unsent: int
    given_up: int
    first_unsent: int


@dataclass(frozen=True, slots=True)
class DestinationState:
    """What one destination has been given.

    Attributes:
        name: as the configuration has it.
        shares: of each stream, the journal's own first.
        messages: signed messages that wait to be acknowledged, those without records included.
        message_bytes: what they take on the disk.
        gaps: range entries of lost numbers that it has yet to be told of, or to acknowledge.
    """

    name: str
    shares: tuple[StreamShare, ...]
    messages: int
    message_bytes: int
    gaps: int


def read_destinations(connection: apsw.Connection) -> Sequence[DestinationState]:
    """The state of every destination that the journal knows, by name.

    Raises:
        apsw.Error: the journal cannot be read.
    """
    names: list[tuple[str]] = list(
        connection.execute(
            "SELECT destination FROM covered UNION SELECT destination FROM message"
            " UNION SELECT destination FROM gap ORDER BY 1"
        )
    )
    return [_destination(connection, name) for (name,) in names]


def _destination(connection: apsw.Connection, name: str) -> DestinationState:
    messages = 0
    message_bytes = 0
    held: dict[int, int] = {}
    for stream, count, records, size in connection.execute(
        "SELECT stream, count(*), sum(records), sum(length(sealed)) FROM message WHERE destination = ?"
        " GROUP BY stream",
        (name,),
    ):
        held[stream] = records
        messages += count
        message_bytes += size
    gaps = connection.execute("SELECT count(*) FROM gap WHERE destination = ?", (name,)).get
    given_up = connection.execute(
        "SELECT count FROM total WHERE hop = ? AND name = ?", (ledger_name(name), GIVEN_UP)
    ).get
    shares = tuple(
        _share(connection, name, (ordinal, stream, last), held.get(ordinal, 0), given_up or 0)
        for ordinal, stream, last in connection.execute(
            "SELECT ordinal, id, last_number FROM stream ORDER BY ordinal"
        )
    )
    return DestinationState(name, shares, messages, message_bytes, int(gaps or 0))


def _share(
    connection: apsw.Connection, name: str, of: tuple[int, bytes, int], held: int, given_up: int
) -> StreamShare:
    ordinal, stream, last = of
    covered = RangeSet(
        connection.execute(
            "SELECT first, last FROM covered WHERE destination = ? AND stream = ?", (name, ordinal)
        )
    )
    # Only the journal's own numbers are summed up when they are given up; see `edge.forward.gaps`.
    lost = given_up if ordinal == OWN_STREAM else 0
    first_unsent = next((first for first, _ in covered.gaps(1, last)), 0)
    return StreamShare(
        stream=stream,
        last_number=last,
        acknowledged=covered.count() - held - lost,
        held=held,
        unsent=last - covered.count(),
        given_up=lost,
        first_unsent=first_unsent,
    )
