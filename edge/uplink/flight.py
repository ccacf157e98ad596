"""What was sent and is not acknowledged: repeats, receipts, and when a receipt is overdue."""

from __future__ import annotations

import heapq
from bisect import insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from edge.uplink.outbox import Progress, Store
from edge.uplink.outgoing import Kind, Outgoing
from edge.uplink.settings import SessionSettings, ns
from edge.wire.receipt import Receipt

_DOUBLINGS = 4
_SUSPECT_AFTER = 2


@dataclass(slots=True)
class Sent:
    """One message that was sent at least once."""

    position: int
    item: Outgoing
    progress: Progress
    sent_ns: int
    times: int = 1
    due_ns: int = 0
    handed_ns: int = 0
    broken: int = 0
    broken_alone: int = 0


class Flight:
    """The messages that were sent, by their position in the store.

    Args:
        store: holds the bytes, and is told how far each message has come.
        settings: of the session.
    """

    def __init__(self, store: Store, settings: SessionSettings) -> None:
        self._store = store
        self._settings = settings
        self._sent: dict[int, Sent] = {}
        self._again: dict[Kind, list[int]] = {kind: [] for kind in Kind}
        self._cursor: dict[Kind, int] = dict.fromkeys(Kind, 0)
        self._open: Counter[Kind] = Counter()
        self._handed: dict[int, None] = {}
        self._deadlines: list[tuple[int, int]] = []
        self._overdue: set[int] = set()
        self._last_receipt_ns = -1
        self._next_probe_ns = 0
        self.repeats = 0
        self.late_acknowledgements = 0

    def first(self, kind: Kind) -> tuple[int, Outgoing] | None:
        """The message of `kind` that is to be sent next, a repeat before anything new."""
        again = self._again[kind]
        while again:
            item = self._store.get(again[0])
            if item is not None:
                return again[0], item
            del self._sent[again.pop(0)]
        return self._store.next(kind, self._cursor[kind])

    def open(self, kind: Kind) -> int:
        """How many messages of `kind` were sent and are neither acknowledged nor to be sent again."""
        return self._open[kind]

    def begin(self, position: int, item: Outgoing, now_ns: int) -> None:
        """The message from `first` is published."""
        sent = self._sent.get(position)
        if sent is None:
            self._cursor[item.kind] = position
            self._sent[position] = Sent(position, item, Progress.IN_FLIGHT, now_ns)
        else:
            self._again[item.kind].remove(position)
            sent.progress = Progress.IN_FLIGHT
            sent.sent_ns = now_ns
            sent.times += 1
            self.repeats += 1
        self._open[item.kind] += 1
        self._store.note(position, Progress.IN_FLIGHT)

    def skip(self, position: int, item: Outgoing, cause: str) -> None:
        """The message from `first` is given up before it was published again or at all."""
        if position in self._sent:
            self._forget(position)
        else:
            self._cursor[item.kind] = position
        self._store.set_aside(position, cause)

    def handed_over(self, position: int, now_ns: int) -> None:
        """The broker has taken a message; from now on its receipt is waited for, if there is to be one."""
        sent = self._sent.get(position)
        if sent is None:
            return
        if self._settings.acknowledge == "puback" or not sent.item.numbered:
            self._arrived(position)
            return
        sent.progress = Progress.HANDED_OVER
        sent.handed_ns = now_ns
        self._handed[position] = None
        self._store.note(position, Progress.HANDED_OVER)
        timeout_ns = ns(self._settings.receipt_timeout_s) << min(sent.times - 1, _DOUBLINGS)
        self._expect(sent, now_ns + timeout_ns)

    def give_up(self, position: int, cause: str) -> None:
        """A message that was sent is given up."""
        if position in self._sent:
            self._forget(position)
            self._store.set_aside(position, cause)

    def again(self, position: int) -> None:
        """A message is to be sent again, before newer ones of its kind."""
        sent = self._sent.get(position)
        if sent is None or sent.progress is Progress.WAITING:
            return
        self._handed.pop(position, None)
        self._overdue.discard(position)
        self._open[sent.item.kind] -= 1
        sent.progress = Progress.WAITING
        insort(self._again[sent.item.kind], position)
        self._store.note(position, Progress.WAITING)

    def broken(self, positions: Sequence[int], *, message_at_fault: bool) -> None:
        """A connection broke while these messages were in flight; each is to be sent again.

        Args:
            positions: of the messages.
            message_at_fault: whether the broker said that one of them was why.
        """
        for position in positions:
            sent = self._sent.get(position)
            if sent is not None:
                sent.broken += _SUSPECT_AFTER if message_at_fault else 1
                sent.broken_alone += 1 if len(positions) == 1 else 0
            self.again(position)

    def suspect(self, position: int) -> bool:
        """Whether connections broke on a message so often that it is to be sent alone, to find out."""
        sent = self._sent.get(position)
        return sent is not None and sent.broken >= _SUSPECT_AFTER

    def broken_alone(self, position: int) -> int:
        """How many connections broke while nothing but this message was in flight."""
        sent = self._sent.get(position)
        return 0 if sent is None else sent.broken_alone

    def session_lost(self) -> None:
        """The broker has forgotten the session: what it took may be gone, so all of it is sent again."""
        for position in list(self._handed):
            self.again(position)

    def receipt(self, receipt: Receipt, now_ns: int) -> None:
        """Let go of what has arrived, and have sent again what is missing.

        A message that is in flight when it is reported missing is left alone: the receipt has crossed it.
        """
        self._last_receipt_ns = now_ns
        self._next_probe_ns = 0
        for position, sent in list(self._sent.items()):
            item = sent.item
            if item.stream != receipt.stream or not item.numbered or item.first_number > receipt.highest:
                continue
            missing = any(
                gap.first <= item.last_number and item.first_number <= gap.last for gap in receipt.missing
            )
            if not missing and item.last_number <= receipt.highest:
                self._arrived(position)
            elif missing and sent.progress is Progress.HANDED_OVER:
                self._expect(sent, max(now_ns, sent.sent_ns + ns(self._settings.resend_pause_s)))
        for position in sorted(self._overdue):
            overdue = self._sent.get(position)
            if overdue is not None and overdue.progress is Progress.HANDED_OVER:
                self._expect(overdue, now_ns)

    def expire(self, now_ns: int) -> None:
        """Have sent again what has waited too long for its receipt."""
        while self._deadlines and self._deadlines[0][0] <= now_ns:
            due_ns, position = heapq.heappop(self._deadlines)
            sent = self._sent.get(position)
            if sent is None or sent.progress is not Progress.HANDED_OVER or sent.due_ns != due_ns:
                continue
            if self._store.get(position) is None:
                # Given up by a full store meanwhile: what the store has let go of may not be held on to here.
                self._forget(position)
            elif self._last_receipt_ns >= sent.handed_ns:
                self.again(position)
            elif position == next(iter(self._handed)) and now_ns >= self._next_probe_ns:
                self._next_probe_ns = now_ns + ns(self._settings.receipt_timeout_s)
                self.again(position)
            else:
                self._overdue.add(position)
                self._expect(sent, now_ns + ns(self._settings.receipt_timeout_s))

    def deadlines_ns(self) -> tuple[int, ...]:
        """When `expire` is to be called next, if at all."""
        return tuple(due_ns for due_ns, _ in self._deadlines[:1])

    def _expect(self, sent: Sent, due_ns: int) -> None:
        sent.due_ns = due_ns
        heapq.heappush(self._deadlines, (due_ns, sent.position))

    def _arrived(self, position: int) -> None:
        self._forget(position)
        if not self._store.acknowledge(position):
            self.late_acknowledgements += 1

    def _forget(self, position: int) -> None:
        sent = self._sent.pop(position)
        if sent.progress is Progress.WAITING:
            self._again[sent.item.kind].remove(position)
        else:
            self._open[sent.item.kind] -= 1
        self._handed.pop(position, None)
        self._overdue.discard(position)
