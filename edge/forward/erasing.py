"""`Erasing`: erases while the gateway runs, and takes back what a destination may no longer have."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

import apsw

from edge.errors import CatalogueError, JournalError, WireError
from edge.forward.forwarder import Forwarder
from edge.forward.held import Held
from edge.forward.recent import Recent
from edge.journal.cursors import OWN_STREAM
from edge.journal.opening import OpenJournal
from edge.journal.pending import Edit
from edge.journal.ranges import RangeSet
from edge.journal.record_block import CARRIER
from edge.journal.stored import deletion
from edge.journal.upkeep.condemned import Condemned
from edge.journal.upkeep.condemning import Plan, give_back, has_class, numbers_held
from edge.journal.upkeep.erase import condemning, erasure_of
from edge.journal.upkeep.erasure import Erasure, ErasureRequest
from edge.policy.classes import DataClass
from edge.records import Record
from edge.uplink.outgoing import Outgoing
from edge.wire.cose import unverified_payload
from edge.wire.message import decode


class Erasing:
    """Erases under the eyes of forwarders at work: they hold still until it is over.

    What is in memory of what was erased goes too: records read ahead or kept for live messages, signed
    messages, keys. Python does not overwrite what it lets go of, and a session and its MQTT client hold a
    message that is on its way until it is answered or the connection ends.

    Args:
        opened: the journal.
        forwarders: all that are at work on it, by destination.
        recent: the records that they share.
        condemned: empties blocks afterwards.
    """

    def __init__(
        self,
        opened: OpenJournal,
        forwarders: Sequence[tuple[str, Forwarder]],
        recent: Recent,
        condemned: Condemned,
    ) -> None:
        self._opened = opened
        self._forwarders = dict(forwarders)
        self._recent = recent
        self._condemned = condemned

    def erase(self, requests: Sequence[ErasureRequest]) -> Erasure:
        """Erase; when this returns the keys are gone, and nothing on the medium opens to what was meant.

        Raises:
            JournalError: nothing can be written; or the keys, which were noted, could not be destroyed yet:
                then that is tried again every minute, and at the next opening.
            apsw.Error: the journal cannot be read.
        """
        with self._still(), condemning(self._opened, requests, self._opened.inside) as plan:
            if plan is None:
                return Erasure()
            for destination, forwarder in self._forwarders.items():
                forwarder.take_back(frozenset(plan.messages.get(destination, ())))
                forwarder.media_erased(frozenset(plan.blocks))
            self._recent.scrub(lambda record: self._left_of(record, plan))
            self._condemned.empty(plan.blocks)
        return erasure_of(plan)

    def recompose(self, destination: str, data_class: DataClass) -> int:
        """Take back the messages of a destination that hold a class; their records go anew, without it.

        The records themselves stay. What is composed anew is the composer's matter, which has to know by
        then that the class may not go there.

        Returns:
            How many messages were taken back.

        Raises:
            JournalError: nothing can be written; nothing was done.
            apsw.Error: the journal cannot be read.
        """
        with self._still() as connection:
            self._forwarders[destination].recheck_media()
            return self._take_back(
                connection, {destination: lambda held: self.holds(held.item, data_class, destination)}
            )

    def renew(self, classes: Collection[DataClass]) -> int:
        """Take back messages with items of some classes that the journal itself holds no more.

        So nothing that is signed and waits outlasts what may be kept of it.

        Returns:
            How many messages were taken back; their records go anew, with what is left of them.

        Raises:
            JournalError: nothing can be written; nothing was done.
            apsw.Error: the journal cannot be read.
        """
        if not classes or not any(one.kept() for one in self._forwarders.values()):
            return 0
        with self._still() as connection:
            chosen = {
                name: partial(self._outlived, connection, classes, forwarder)
                for name, forwarder in self._forwarders.items()
            }
            return self._take_back(connection, chosen)

    def holds(self, item: Outgoing, data_class: DataClass, destination: str) -> bool:
        """Whether a message to a destination may hold items of a class."""
        inside = self._opened.inside
        names = self._forwarders[destination].items_in(item)
        if names is not None:
            return any(self._class_of(name) is data_class for name in names)
        try:
            records = decode(unverified_payload(item.payload), inside.items).records
        except WireError:
            return True
        return any(has_class(record, data_class, inside) for record in records)

    @contextmanager
    def _still(self) -> Iterator[apsw.Connection]:
        """Nobody commits, composes or sends meanwhile."""
        with self._opened.journal.alone() as connection, ExitStack() as stack:
            for forwarder in self._forwarders.values():
                stack.enter_context(forwarder.still())
            yield connection

    def _take_back(self, connection: apsw.Connection, chosen: Mapping[str, Callable[[Held], bool]]) -> int:
        """Delete some messages of some destinations, and give their numbers back."""
        journal = self._opened.journal
        if not journal.commit():
            raise JournalError(f"cannot be written now: {journal.failure}", where="journal")
        found: dict[str, list[Held]] = {}
        freed: dict[tuple[str, int], RangeSet] = {}
        for destination, choose in chosen.items():
            found[destination] = [held for held in self._forwarders[destination].kept() if choose(held)]
            for held in found[destination]:
                ranges = freed.setdefault((destination, held.stream), RangeSet())
                ranges.add(held.item.first_number, held.item.last_number)
        if freed:
            edits: list[Edit] = [deletion(held.row) for each in found.values() for held in each]
            journal.write_alone((), [*edits, *give_back(connection, freed)])
            for destination, each in found.items():
                self._forwarders[destination].take_back(frozenset(held.row for held in each))
        return sum(map(len, found.values()))

    def _outlived(
        self,
        connection: apsw.Connection,
        classes: Collection[DataClass],
        forwarder: Forwarder,
        held: Held,
    ) -> bool:
        """Whether a message has items that no block holds any more."""
        found = self._items_of(forwarder, held.item)
        if found is None:
            return True
        for data_class in classes:
            numbers = [
                number for number, names in found if any(self._class_of(name) is data_class for name in names)
            ]
            if numbers:
                there = numbers_held(connection, held.stream, data_class, numbers[0], numbers[-1])
                if any(number not in there for number in numbers):
                    return True
        return False

    def _items_of(self, forwarder: Forwarder, item: Outgoing) -> list[tuple[int, Collection[str]]] | None:
        """The ids of items in a message, by number; None if it cannot be read.

        A report of GB/T 32960.3 has no number: of several in a payload each may hold what one holds.
        """
        names = forwarder.items_in(item)
        if names is not None:
            return [(number, names) for number in range(item.first_number, item.last_number + 1)]
        try:
            records = decode(unverified_payload(item.payload), self._opened.inside.items).records
        except WireError:
            return None
        return [(one.number, one.values.keys()) for one in records]

    def _left_of(self, record: Record, plan: Plan) -> Record | None:
        """A record of the journal's own stream without what was erased of it."""
        classes = plan.classes(record, OWN_STREAM, self._opened.boot)
        if not classes:
            return record
        if CARRIER in classes:
            return None
        kept = {name: value for name, value in record.values.items() if self._class_of(name) not in classes}
        return replace(record, values=kept)

    def _class_of(self, name: str) -> DataClass | None:
        try:
            return self._opened.inside.class_of(name)
        except CatalogueError:
            return None
