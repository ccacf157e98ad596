"""The outbox in memory: bounded, and exact about what it gives up."""

from __future__ import annotations

from abc import ABC, abstractmethod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.uplink.outbox import (
    LARGER_THAN_QUEUE,
    QUEUE_FULL,
    QUEUE_FULL_SENT,
    Loss,
    MemoryOutbox,
    Progress,
    Store,
    Tally,
)
from edge.uplink.outgoing import Kind, Outgoing
from tests.uplink.road import STREAM, message


class StoreTests(ABC):
    """What every store keeps to; the journal's will be the next subclass."""

    @abstractmethod
    def make(self) -> Store: ...

    def test_hands_out_in_order_of_arrival_by_kind(self) -> None:
        store = self.make()
        for kind, number in ((Kind.LIVE, 1), (Kind.ALARM, 2), (Kind.LIVE, 3)):
            store.put(message(kind, number))
        first = store.next(Kind.LIVE, 0)
        assert first is not None
        second = store.next(Kind.LIVE, first[0])
        assert second is not None
        assert [first[1].first_number, second[1].first_number] == [1, 3]
        assert store.next(Kind.LIVE, second[0]) is None
        assert store.next(Kind.BACKLOG, 0) is None

    def test_a_repeat_has_the_same_bytes(self) -> None:
        store = self.make()
        sent = message(Kind.LIVE, 1)
        store.put(sent)
        found = store.next(Kind.LIVE, 0)
        assert found is not None
        store.note(found[0], Progress.IN_FLIGHT)
        store.note(found[0], Progress.WAITING)
        again = store.get(found[0])
        assert again is not None
        assert again.payload == sent.payload

    def test_lets_go_once_and_counts_it(self) -> None:
        store = self.make()
        store.put(message(Kind.LIVE, 1, 10, size=70))
        found = store.next(Kind.LIVE, 0)
        assert found is not None
        assert store.acknowledge(found[0])
        assert not store.acknowledge(found[0])
        assert not store.set_aside(found[0], "late")
        assert store.get(found[0]) is None
        counts = store.counts()
        assert counts.acknowledged == counts.entered == Tally(1, 10, 70)
        assert counts.held == Tally()
        assert counts.lost == {}

    def test_set_aside_is_counted_and_told_with_its_numbers(self) -> None:
        store = self.make()
        store.put(message(Kind.BACKLOG, 5, 9))
        found = store.next(Kind.BACKLOG, 0)
        assert found is not None
        store.note(found[0], Progress.IN_FLIGHT)
        assert store.set_aside(found[0], "too large")
        assert store.counts().lost["too large"].records == 5
        loss = Loss("too large", Kind.BACKLOG, STREAM, 5, 9, 1, 5, perhaps_received=True)
        assert store.take_losses() == (loss,)
        assert store.take_losses() == ()


class TestMemoryOutbox(StoreTests):
    def make(self) -> Store:
        return MemoryOutbox(max_messages=100, max_bytes=100_000)

    def held(self, outbox: MemoryOutbox) -> list[int]:
        numbers = []
        for kind in Kind:
            found = outbox.next(kind, 0)
            while found is not None:
                numbers.append(found[1].first_number)
                found = outbox.next(kind, found[0])
        return sorted(numbers)

    def test_full_of_messages_gives_up_the_oldest_of_the_last_kind(self) -> None:
        outbox = MemoryOutbox(max_messages=3, max_bytes=10_000)
        kinds = (Kind.BACKLOG, Kind.LIVE, Kind.BACKLOG, Kind.ALARM, Kind.ALARM, Kind.ALARM)
        for number, kind in enumerate(kinds, 1):
            outbox.put(message(kind, number))
        assert self.held(outbox) == [4, 5, 6]
        assert [loss.first_number for loss in outbox.take_losses()] == [1, 3, 2]
        assert outbox.counts().lost == {QUEUE_FULL: Tally(3, 3, 150)}

    def test_a_newcomer_of_a_later_kind_is_given_up_itself(self) -> None:
        outbox = MemoryOutbox(max_messages=2, max_bytes=10_000)
        for number, kind in enumerate((Kind.ALARM, Kind.ALARM, Kind.LIVE), 1):
            outbox.put(message(kind, number))
        assert self.held(outbox) == [1, 2]

    def test_full_of_bytes_gives_up_until_the_newcomer_fits(self) -> None:
        outbox = MemoryOutbox(max_messages=100, max_bytes=250)
        for number in (1, 2):
            outbox.put(message(Kind.LIVE, number, size=100))
        outbox.put(message(Kind.LIVE, 3, size=200))
        assert self.held(outbox) == [3]
        assert outbox.take_losses() == (
            Loss(QUEUE_FULL, Kind.LIVE, STREAM, 1, 2, 2, 2, perhaps_received=False),
        )

    def test_what_can_never_fit_is_given_up_at_once(self) -> None:
        outbox = MemoryOutbox(max_messages=100, max_bytes=250)
        outbox.put(message(Kind.LIVE, 1, size=100))
        outbox.put(message(Kind.ALARM, 2, size=251))
        assert self.held(outbox) == [1]
        assert outbox.counts().lost[LARGER_THAN_QUEUE].messages == 1

    def test_what_is_in_flight_is_given_up_last_of_its_kind(self) -> None:
        outbox = MemoryOutbox(max_messages=2, max_bytes=10_000)
        outbox.put(message(Kind.LIVE, 1))
        outbox.put(message(Kind.LIVE, 2))
        outbox.note(1, Progress.IN_FLIGHT)
        outbox.put(message(Kind.LIVE, 3))
        assert self.held(outbox) == [1, 3]
        outbox.note(3, Progress.IN_FLIGHT)
        outbox.put(message(Kind.ALARM, 4))
        assert self.held(outbox) == [3, 4]
        assert outbox.counts().lost == {QUEUE_FULL: Tally(1, 1, 50), QUEUE_FULL_SENT: Tally(1, 1, 50)}

    @pytest.mark.parametrize(("max_messages", "max_bytes"), [(0, 1), (1, 0)])
    def test_an_outbox_for_nothing_is_refused(self, max_messages: int, max_bytes: int) -> None:
        with pytest.raises(ValueError, match="holds nothing"):
            MemoryOutbox(max_messages=max_messages, max_bytes=max_bytes)

    @given(
        st.lists(st.tuples(st.sampled_from(list(Kind)), st.integers(40, 120), st.booleans()), max_size=80),
    )
    def test_stays_within_its_bounds_and_balances(self, steps: list[tuple[Kind, int, bool]]) -> None:
        outbox = MemoryOutbox(max_messages=5, max_bytes=300)
        for number, (kind, size, acknowledges) in enumerate(steps, 1):
            outbox.put(message(kind, number, size=size))
            counts = outbox.counts()
            assert counts.held.messages <= 5
            assert counts.held.payload_bytes <= 300
            lost = sum((tally.messages for tally in counts.lost.values()), 0)
            assert counts.entered.messages == counts.acknowledged.messages + counts.held.messages + lost
            held_kinds = [held for held in Kind if outbox.next(held, 0) is not None]
            assert all(loss.kind >= max(held_kinds) for loss in outbox.take_losses())
            found = outbox.next(kind, 0)
            if acknowledges and found is not None:
                outbox.acknowledge(found[0])

    def test_an_alarm_is_never_given_up_while_anything_else_is_held(self) -> None:
        outbox = MemoryOutbox(max_messages=10, max_bytes=100_000)
        for number in range(1, 200):
            outbox.put(message(Kind.ALARM if number % 20 == 0 else Kind.LIVE, number))
        assert all(loss.kind is Kind.LIVE for loss in outbox.take_losses())


@pytest.mark.parametrize(("first", "last", "records"), [(0, 1, 1), (3, 2, 0), (1, 2, 3), (1, 2, -1)], ids=str)
def test_numbers_that_are_no_range_are_refused(first: int, last: int, records: int) -> None:
    with pytest.raises(ValueError, match=r"range|fit"):
        Outgoing(Kind.LIVE, "topic", b"", STREAM, first, last, records)
