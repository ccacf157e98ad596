"""Ways to break the product that the harness must notice, or its silence would mean nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType, ModuleType
from typing import Any

import apsw
import cbor2

from edge.catalogue.catalogue import builtin
from edge.forward import keeping
from edge.forward.forwarder import Forwarder
from edge.journal import opening
from edge.journal.chain import Chain
from edge.journal.cursors import StreamCursor
from edge.journal.journal import Committed, Journal
from edge.journal.pending import Edit, Pending
from edge.journal.stored import StoredMessage
from edge.uplink.outbox import Progress
from edge.uplink.outgoing import Kind, VehicleTopics
from edge.wire.cose import Signer
from edge.wire.message import MessageKind, decode, encode
from edge.wire.up_kinds import peek_kind
from tests.crash.drive import VEHICLE_KEY

NOTHING: Edit = ("SELECT 1", ())


def _send_before_commit() -> None:
    """A message can be sent at once, and is kept with whatever is committed next."""
    edit = Journal.edit

    def at_once(
        self: Journal, edits: Sequence[Edit], *, urgent: bool = False, then: Callable[[], None] | None = None
    ) -> None:
        edit(self, edits, urgent=urgent and then is None)
        if then is not None:
            then()

    Journal.edit = at_once  # type: ignore[method-assign]


def _announce_before_commit() -> None:
    """Records are told to be on the disk before they are."""
    write = Journal._write

    def early(self: Journal, taken: Pending) -> bool:
        if taken.records:
            committed = Committed(tuple(taken.records), taken.records[-1].number)
            for listener in self.on_commit:
                listener(committed)
        listeners, self.on_commit = self.on_commit, []
        try:
            return write(self, taken)
        finally:
            self.on_commit = listeners

    Journal._write = early  # type: ignore[method-assign]


def _forget_covered() -> None:
    """What has gone into a message is remembered in memory alone."""
    cover = StreamCursor.cover

    def forgotten(self: StreamCursor, destination: str, first: int, last: int) -> list[Edit]:
        cover(self, destination, first, last)
        return []

    StreamCursor.cover = forgotten  # type: ignore[method-assign]


def _no_message_row() -> None:
    """The signed bytes are not kept."""

    def none(*_: object) -> Edit:
        return NOTHING

    _swap(keeping, "insertion", none)


def _let_go_when_sent() -> None:
    """The signed bytes are kept until they are sent, not until they have arrived."""
    note = Forwarder.note

    def gone(self: Forwarder, position: int, progress: Progress) -> None:
        note(self, position, progress)
        held = self._held.get(position)
        if progress is not Progress.WAITING and held is not None and held.row:
            self._journal.edit([("DELETE FROM message WHERE position = ?", (held.row,))], urgent=True)

    Forwarder.note = gone  # type: ignore[method-assign]


def _number_anew() -> None:
    """Numbers begin again at each start, and what was given out before is forgotten."""
    begin = Journal.__init__

    def anew(self: Journal, connection: apsw.Connection, *, last_number: int, **more: Any) -> None:  # noqa: ANN401
        del last_number
        begin(self, connection, last_number=0, **more)

    Journal.__init__ = anew  # type: ignore[method-assign]


def _make_anew() -> None:
    """What was kept as live or alarm is made once more at a start, as the backlog that it now is."""
    load = vars(opening)["load_messages"]

    def made(*args: Any) -> Sequence[StoredMessage]:  # noqa: ANN401 - as it takes them
        return [_as_backlog(one) for one in load(*args)]

    _swap(opening, "load_messages", made)


def _as_backlog(stored: StoredMessage) -> StoredMessage:
    _, _, payload, _ = cbor2.loads(stored.payload).value
    if not peek_kind(payload).holds_records:
        return stored
    message = decode(payload, builtin())
    signer = Signer(VEHICLE_KEY, vehicle=message.vehicle)
    signed = signer.sign(encode(replace(message, kind=MessageKind.BACKLOG), builtin()))
    topic = VehicleTopics(message.vehicle).up(Kind.BACKLOG)
    return replace(stored, kind=int(Kind.BACKLOG), topic=topic, payload=signed)


def _break_the_chain() -> None:
    """After a start the chain goes on from nothing."""
    load = vars(opening)["load_chain"]

    def torn(connection: apsw.Connection, stream: bytes) -> Chain:
        chain: Chain = load(connection, stream)
        chain.link = bytes(32)
        return chain

    _swap(opening, "load_chain", torn)


def _swap(module: ModuleType, name: str, function: Callable[..., object]) -> None:
    """Put another function into the place of one that is there."""
    if name not in vars(module):
        raise AttributeError(f"{module.__name__} has no {name}")
    vars(module)[name] = function


FLAWS: Mapping[str, Callable[[], None]] = MappingProxyType(
    {
        "send before commit": _send_before_commit,
        "announce before commit": _announce_before_commit,
        "forget covered": _forget_covered,
        "no message row": _no_message_row,
        "let go when sent": _let_go_when_sent,
        "number anew": _number_anew,
        "make anew": _make_anew,
        "break the chain": _break_the_chain,
    }
)
