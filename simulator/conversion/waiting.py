"""`Waiting`: the records that a destination has yet to be given, live before backlog; and one in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from edge.account import Hop
from edge.records import Record
from edge.wire.gbt.message import Message
from simulator.conversion.converter import Aside, Converter

LOOK_S = 0.1
"""How often to look whether more has come."""

TOO_OLD = "beyond the reissue window"
_NEED_NOT_GO = frozenset({Aside.NOTHING_SAID.value, TOO_OLD})


@dataclass(frozen=True, slots=True)
class Parcel:
    """One record under way: its messages, which are received all or count as not received.

    Attributes:
        token: tells whoever handed it out which record it is.
        messages: at least one.
        late: whether they are reissues.
    """

    token: Hashable
    messages: tuple[Message, ...]
    late: bool


class Waiting(ABC):
    """Hands out records as messages and hears what became of them.

    Each parcel that `take` hands out comes back once, by `settle`, `refuse` or `again`.
    """

    name = "forwarding"

    def __init__(self) -> None:
        self._entered = 0
        self._left = 0
        self._under_way = 0
        self._aside: Counter[str] = Counter()

    @property
    @abstractmethod
    def exhausted(self) -> bool:
        """Whether nothing waits and nothing more can come; parcels under way do not count."""

    @abstractmethod
    def take(self, *, backlog: bool) -> Parcel | None:
        """The next record, a live one if there is any; None where none can go now.

        Args:
            backlog: whether one of the backlog may go.
        """

    def settle(self, parcel: Parcel) -> None:
        """The destination has it."""
        del parcel
        self._under_way -= 1
        self._left += 1

    def refuse(self, parcel: Parcel, why: str) -> None:
        """The destination will not take it."""
        del parcel
        self._under_way -= 1
        self._aside[why] += 1

    @abstractmethod
    def again(self, parcel: Parcel) -> None:
        """It went under with its connection, and is to go again, as a reissue."""

    @abstractmethod
    def waiting(self) -> int:
        """How many records wait, without those under way."""

    def gone(self, *, all_of_them: bool) -> bool:
        """Whether nothing is set aside but what need not go.

        Args:
            all_of_them: whether nothing may wait either.
        """
        waits = self._under_way or self.waiting()
        return not (set(self._aside) - _NEED_NOT_GO or (all_of_them and waits))

    def connect(self, *, up: bool) -> None:  # noqa: B027 - most need not know
        """The session stands, or is gone: what comes while it is gone is backlog."""

    def commit(self) -> None:  # noqa: B027 - in memory there is nothing to keep
        """Make durable what was settled and refused."""

    def hop(self) -> Hop:
        """The account: records that were to go, those that arrived, and the others by why they did not."""
        aside = dict(sorted(self._aside.items()))
        if self._under_way:
            aside["not acknowledged"] = self._under_way
        if waiting := self.waiting():
            aside["waiting"] = waiting
        return Hop(self.name, "records", self._entered, self._left, aside)

    def _hand_out(self, parcel: Parcel) -> Parcel:
        self._under_way += 1
        return parcel


class Given(NamedTuple):
    """A record to forward that no store holds.

    Attributes:
        vehicle: the name that it is signed under.
        record: with the best wall time that is known.
        late: whether it goes as a reissue in any case.
    """

    vehicle: str
    record: Record
    late: bool


class WaitingRecords(Waiting):
    """Records one after the other, such as those of a journal; what is settled is known to this run alone.

    Args:
        records: read as they can go.
        converter: makes their messages.
    """

    def __init__(self, records: Iterable[Given], converter: Converter) -> None:
        super().__init__()
        self._records: Iterator[Given] = iter(records)
        self._converter = converter
        self._again: deque[Given] = deque()
        self._ended = False

    @property
    def exhausted(self) -> bool:
        """See `Waiting.exhausted`."""
        return self._ended and not self._again

    def take(self, *, backlog: bool) -> Parcel | None:
        """See `Waiting.take`; without a live side all of it is told in its order."""
        del backlog
        while not self.exhausted:
            given = self._next()
            if given is None:
                break
            converted = self._converter.convert(given.vehicle, given.record, late=given.late)
            if converted.aside is None:
                return self._hand_out(Parcel(given, converted.messages, given.late))
            self._aside[converted.aside.value] += 1
        return None

    def again(self, parcel: Parcel) -> None:
        """See `Waiting.again`."""
        self._under_way -= 1
        if isinstance(parcel.token, Given):
            self._again.append(parcel.token._replace(late=True))

    def waiting(self) -> int:
        """See `Waiting.waiting`; those that were not read yet are not known."""
        return len(self._again)

    def _next(self) -> Given | None:
        if self._again:
            return self._again.popleft()
        given = next(self._records, None)
        if given is None:
            self._ended = True
        else:
            self._entered += 1
        return given
