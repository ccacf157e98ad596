"""`MediaSending`: makes chunks of stills and clips when nothing else is to go, and goes on where it was."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass

import apsw

from edge.account import Hop
from edge.errors import JournalError, WireError
from edge.forward.media.allowance import MediaAllowance
from edge.forward.media.given import MediaGiven
from edge.forward.media.parcel import Parcel, about_of
from edge.journal.block import BlockHeader, read_header
from edge.journal.opening import OpenJournal
from edge.journal.reader import Reader
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose
from edge.uplink.outgoing import Kind, Outgoing, VehicleTopics
from edge.wire.loss import LossCause
from edge.wire.media_message import MediaChunk, MediaEnded, encode_chunk, encode_ended

WAITING = "waiting in the journal"
WITHHELD = "withheld"
ERASED = "erased on purpose"
GONE = "gone from the journal"
UNREADABLE = "cannot be read"
UNWRITABLE = "cannot be written as a message"

LARGEST_CHUNK = 65_536
SMALLEST_CHUNK = 256
_LENGTH_BYTES_MORE = 16
_SETTLED_AT_ONCE = 16

_ENDS = {ERASED: LossCause.ERASED, GONE: LossCause.LOST, WITHHELD: LossCause.WITHHELD}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Sent:
    """What a message holds: bytes of a block, or the end of one."""

    number: int
    first: int = 0
    last: int = 0


class MediaSending:
    """The stills and clips of one journal on their way to one destination; used under its forwarder's lock.

    One after the other, in the order in which they were kept. A chunk is made when the session asks for one,
    as large as the link takes, and signed then: what is kept of it is which bytes were acknowledged, no
    signed bytes. So a repeat within a run is byte for byte the first; after a restart the bytes that are not
    acknowledged may go in other chunks, of which the platform drops what it has.

    Before each chunk it is asked whether the destination may still have the still or clip, and whether the
    journal still has it; if not, it stops, and tells so if a part was sent.

    Args:
        opened: the journal.
        destination: its name in the journal.
        vehicle: the VIN or pseudonym.
        sign: signs for the vehicle, role up.
        allowed: which of them the destination may have.

    Attributes:
        more: whether `compose` was ended by its own limit and should be asked again.
    """

    def __init__(
        self,
        opened: OpenJournal,
        destination: str,
        vehicle: str,
        sign: Callable[[bytes], bytes],
        allowed: MediaAllowance,
    ) -> None:
        self.more = False
        self._opened = opened
        self._journal = opened.journal
        self._destination = destination
        self._vehicle = vehicle
        self._topic = VehicleTopics(vehicle).up(Kind.MEDIA)
        self._sign = sign
        self._allowed = allowed
        self._given = MediaGiven(destination)
        self._reader: Reader | None = None
        self._queue: deque[int] = deque()
        self._seen = 0
        self._fresh = False
        self._parcel: Parcel | None = None
        self._ends: dict[int, LossCause] = {}
        self._made: _Sent | None = None
        self._sent: dict[int, _Sent] = {}
        self._entered = 0
        self._left = 0
        self._set_aside: Counter[str] = Counter()
        self._facts: Counter[str] = Counter()
        self._journal.run_with_connection(self._take_up)

    def committed(self) -> None:
        """There are more in the journal."""
        self._fresh = True

    def compose(self, most_bytes: int | None) -> Outgoing | None:
        """The next message, or None where there is none for now.

        Args:
            most_bytes: of its payload; None if nothing limits it.

        Raises:
            apsw.Error: the journal cannot be read.
            JournalError: likewise, or its keys.
        """
        self.more = False
        if self._fresh:
            self._look(self._open().connection)
        for _ in range(_SETTLED_AT_ONCE):
            ended = self._end_message()
            if ended is not None:
                return ended
            if self._parcel is None:
                if not self._queue:
                    return None
                self._load(self._queue.popleft())
            elif self._goes_on(self._parcel):
                return self._next_of(self._parcel, LARGEST_CHUNK if most_bytes is None else most_bytes)
        self.more = True
        return None

    def began(self, position: int) -> None:
        """The message just composed is held at a position."""
        if self._made is not None:
            self._sent[position], self._made = self._made, None

    def acknowledged(self, position: int) -> None:
        """A message has arrived."""
        sent = self._sent.pop(position, None)
        if sent is None:
            return
        if not sent.last:
            self._ends.pop(sent.number, None)
            self._journal.edit([self._given.told(sent.number)])
            return
        self._facts["bytes acknowledged"] += sent.last - sent.first + 1
        parcel = self._parcel
        if parcel is None or parcel.number != sent.number:
            return
        parcel.under_way.remove(sent.first, sent.last)
        parcel.acknowledged.add(sent.first, sent.last)
        if parcel.whole:
            self._journal.edit([*self._given.settle(parcel.number, whole=True)])
            self._left += 1
            self._parcel = None
        else:
            self._journal.edit([*self._given.note(parcel.number, parcel.acknowledged)])

    def set_aside(self, position: int, cause: str) -> None:
        """A message is given up, and with it its still or clip until the next start."""
        sent = self._sent.pop(position, None)
        if sent is None:
            return
        if not sent.last:
            self._ends.pop(sent.number, None)
        elif self._parcel is not None and self._parcel.number == sent.number:
            logger.warning("the media of block %d are given up for now: %s", sent.number, cause)
            self._set_aside[f"given up until the next start: {cause}"] += 1
            self._parcel = None

    def erased(self, numbers: Collection[int]) -> list[int]:
        """Let go of what was erased, and have told where a part was sent.

        Returns:
            Positions of messages that hold something of it.
        """
        self._queue = deque(self._drop_erased(numbers))
        if self._parcel is not None and self._parcel.number in numbers:
            self._stop(self._parcel, ERASED)
        return self._positions_of(numbers)

    def recheck(self) -> list[int]:
        """Stop what the destination may have no longer.

        Returns:
            Positions of messages that hold something of it.
        """
        parcel = self._parcel
        if parcel is None or self._may_go(parcel):
            return []
        return self._positions_of({parcel.number})

    def empty(self) -> bool:
        """Whether nothing waits to be sent, acknowledged or told."""
        return not (self._fresh or self._queue or self._parcel is not None or self._ends)

    def close(self) -> None:
        """Let go of what was read with; it is opened again when it is needed."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def hop(self) -> Hop:
        """Stills and clips that waited or came, those that arrived whole, and why others did not."""
        waiting = len(self._queue) + (self._parcel is not None)
        return Hop(
            f"media to {self._destination}",
            "media",
            self._entered,
            self._left,
            {**self._set_aside, **({WAITING: waiting} if waiting else {})},
            facts=dict(self._facts),
        )

    def _take_up(self, connection: apsw.Connection) -> None:
        """See what an earlier run left."""
        self._ends.update(self._given.ended(connection))
        for number in self._given.broken_off(connection):
            self._note_end(number, self._why_gone(connection, number))
        self._journal.edit([self._given.tidy()])
        self._look(connection)

    def _look(self, connection: apsw.Connection) -> None:
        """See what has come to the journal since."""
        found = self._given.waiting(connection, self._seen)
        self._queue.extend(found)
        self._entered += len(found)
        self._seen = max(self._seen, *found, 0)
        self._fresh = False

    def _end_message(self) -> Outgoing | None:
        """The word that no more will come of something, where the destination is to be told."""
        under_way = {sent.number for sent in self._sent.values() if not sent.last}
        for number, cause in self._ends.items():
            if number not in under_way:
                payload = encode_ended(MediaEnded(self._vehicle, self._opened.stream, number, cause))
                self._made = _Sent(number)
                return Outgoing(Kind.MEDIA, self._topic, self._sign(payload))
        return None

    def _load(self, number: int) -> None:
        """Take up a still or clip, or settle it, or give it up, at once."""
        reader = self._open()
        acknowledged, begun = self._given.acknowledged(reader.connection, number)
        if not reader.holds(number):
            self._gone(number, self._why_gone(self._open().connection, number), begun=begun)
            return
        header = reader.header(number)
        if header is not None and self._refused_whole(header):
            self._gone(number, WITHHELD, begun=begun, why=f"nothing of class {header.data_class} goes there")
            return
        block = reader.block(number)
        if block is None:
            return
        try:
            media = reader.media(block)
            if media is None:
                self._gone(number, ERASED, begun=begun)
                return
            about = about_of(self._vehicle, self._opened.stream, block, media)
        except (JournalError, WireError) as error:
            logger.warning("the media of block %d are not sent: %s", number, error)
            self._set_aside[UNREADABLE if isinstance(error, JournalError) else UNWRITABLE] += 1
            return
        self._parcel = Parcel(number, media, block.header.mask, about, acknowledged, begun)

    def _goes_on(self, parcel: Parcel) -> bool:
        """Whether a still or clip may go, and is still there; if not, it is settled."""
        if not self._may_go(parcel):
            return False
        if self._open().holds(parcel.number):
            return True
        self._stop(parcel, self._why_gone(self._open().connection, parcel.number))
        return False

    def _refused_whole(self, header: BlockHeader) -> bool:
        """Whether nothing of the class goes there for any purpose, so that no content need be opened."""
        try:
            data_class = DataClass(header.data_class)
        except ValueError:
            return False
        return all(self._allowed(data_class, purpose, header.mask) for purpose in Purpose)

    def _may_go(self, parcel: Parcel) -> bool:
        why = self._allowed(parcel.media.data_class, parcel.media.purpose, parcel.mask)
        if why:
            self._stop(parcel, WITHHELD, why)
        return not why

    def _next_of(self, parcel: Parcel, most_bytes: int) -> Outgoing | None:
        if not parcel.overhead:
            probe = MediaChunk(parcel.about, parcel.about.size - 1, parcel.media.content[-1:])
            parcel.overhead = len(self._sign(encode_chunk(probe))) - 1 + _LENGTH_BYTES_MORE
        room = min(most_bytes, LARGEST_CHUNK) - parcel.overhead
        chunk = parcel.chunk(max(room, SMALLEST_CHUNK))
        if chunk is None:
            return None
        first, last = chunk.offset + 1, chunk.end
        payload = self._sign(encode_chunk(chunk))
        if not parcel.begun:
            parcel.begun = True
            self._journal.edit([self._given.begin(parcel.number)])
        parcel.under_way.add(first, last)
        self._made = _Sent(parcel.number, first, last)
        self._facts["chunks"] += 1
        return Outgoing(Kind.MEDIA, self._topic, payload, parcel.stream, first, last)

    def _stop(self, parcel: Parcel, cause: str, why: str = "") -> None:
        """Send no more of what is being sent."""
        self._parcel = None
        self._gone(parcel.number, cause, begun=parcel.begun, why=why)

    def _gone(self, number: int, cause: str, *, begun: bool, why: str = "") -> None:
        """Count a still or clip that will not be sent, and have the destination told if it has a part."""
        if why:
            self._set_aside[f"withheld: {why}"] += 1
        else:
            self._set_aside[cause] += 1
        if begun:
            self._note_end(number, cause)
        else:
            self._journal.edit([*self._given.settle(number, whole=False)])

    def _note_end(self, number: int, cause: str) -> None:
        self._ends[number] = _ENDS[cause]
        self._facts["ends told of what was sent in part"] += 1
        self._journal.edit([*self._given.end(number, _ENDS[cause])])

    def _drop_erased(self, numbers: Collection[int]) -> list[int]:
        """The queue without what was erased."""
        left = []
        for number in self._queue:
            if number in numbers:
                _, begun = self._given.acknowledged(self._open().connection, number)
                self._gone(number, ERASED, begun=begun)
            else:
                left.append(number)
        return left

    def _why_gone(self, connection: apsw.Connection, number: int) -> str:
        """Why a block has no content any more: its key was destroyed, or it was removed."""
        for (header,) in connection.execute("SELECT header FROM block WHERE number = ?", (number,)):
            if self._opened.keys.key(read_header(header).key_id) is None:
                return ERASED
        return GONE

    def _positions_of(self, numbers: Collection[int]) -> list[int]:
        found = [position for position, sent in self._sent.items() if sent.number in numbers and sent.last]
        for position in found:
            del self._sent[position]
        return found

    def _open(self) -> Reader:
        """The reader, opened on the thread that uses it."""
        if self._reader is None:
            self._reader = self._opened.reader()
        return self._reader
