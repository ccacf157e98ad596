"""`DecodePlan`: made once from databases, turns batches of frames into columns of physical values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.database.model import Database, Message, SignalRef
from edge.decode.container import unpack
from edge.decode.field import WORD_BYTES, Words
from edge.decode.lookup import FIRST_CODE, NOT_DATA, UNKNOWN, Lookup
from edge.decode.message import Column, Lengths, MessagePlan
from edge.decode.payloads import Payloads
from edge.frames import FrameBatch

__all__ = ["Column", "DecodePlan", "Decoded"]


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What a batch decodes to.

    Attributes:
        columns: the column of each wanted signal that the batch carries; one without values is left out.
        withheld: signals of the databases that the door removed: "not collected", not absent.
        frames: frames in the batch: frames_decoded + frames_unknown + frames_too_short + frames_not_data.
        frames_decoded: that a database describes and that hold at least one whole signal (or whose message
            has none).
        frames_unknown: that no database describes.
        frames_too_short: that hold no signal whole.
        frames_not_data: error and remote frames.
        frames_unknown_multiplexer: among the decoded, with a multiplexer value that the database does not
            know; their other signals are kept.
        frames_short: among the decoded, shorter than their message: signals not wholly inside are left out,
            as with cantools' `allow_truncated`.
    """

    columns: Mapping[SignalRef, Column]
    withheld: frozenset[SignalRef]
    frames: int
    frames_decoded: int
    frames_unknown: int
    frames_too_short: int
    frames_not_data: int
    frames_unknown_multiplexer: int
    frames_short: int


class DecodePlan:
    """Databases laid out for decoding.

    Where two databases of a bus describe a message of the same name, the earlier one's is used. A frame that
    several messages describe is decoded as each of them. Padding past a message's length is ignored, as
    cantools does.

    Attributes:
        refs: the signals that get columns, in the databases' order.
        withheld: the signals that get none because the door removed them.
        messages: the plan of each message by (bus, message name); a PDU of a container has its own.
        shadowed: messages left out because an earlier database of the bus has one of the same name.
    """

    def __init__(
        self,
        databases: Mapping[str, Sequence[Database]],
        *,
        wanted: Collection[SignalRef] | None = None,
        withheld: Collection[SignalRef] = (),
    ) -> None:
        """Lay out `databases` by bus; `wanted` None means all signals; `withheld` ones get no column."""
        asked = None if wanted is None else frozenset(wanted)
        removed = frozenset(withheld)
        self.messages: dict[tuple[str, str], MessagePlan] = {}
        self.by_bus: dict[str, list[list[Message]]] = {}
        self.shadowed: list[tuple[str, str]] = []
        self._removed: set[SignalRef] = set()
        for bus, several in databases.items():
            self.by_bus[bus] = []
            for database in several:
                taken = [message for message in database.messages if (bus, message.name) not in self.messages]
                fresh = {id(message) for message in taken}
                self.shadowed += [(bus, one.name) for one in database.messages if id(one) not in fresh]
                for message in taken:
                    for one in (message, *message.contained):
                        self._add(bus, one, asked, removed)
                self.by_bus[bus].append(taken)
        self.withheld = frozenset(self._removed)
        self.refs = tuple(ref for plan in self.messages.values() for ref in plan.refs.values())
        self._lookup = Lookup(self.by_bus)
        self._plans: list[tuple[MessagePlan, ...]] = []

    def decode(self, batch: FrameBatch) -> Decoded:
        """Decode all wanted signals of all frames of `batch`."""
        codes = self._lookup.codes(batch)
        self._refresh()
        counts = np.bincount(codes, minlength=FIRST_CODE)
        order = np.argsort(codes, kind="stable")
        columns: dict[SignalRef, Column] = {}
        cut = _Cut(batch, order)
        unknown_multiplexer = short = too_short = 0
        begin = int(counts[UNKNOWN] + counts[NOT_DATA])
        with np.errstate(all="ignore"):
            for code in np.flatnonzero(counts[FIRST_CODE:]).tolist():
                plans = self._plans[code]
                end = begin + int(counts[code + FIRST_CODE])
                rows, lengths = order[begin:end], cut.lengths[begin:end]
                payloads = cut.payloads(begin, end, max(plan.needed_bytes for plan in plans))
                fared = [self._decode_message(plan, payloads, lengths, rows, columns) for plan in plans]
                unknown_multiplexer += max(each[0] for each in fared)
                short += max(each[1] for each in fared)
                too_short += min(each[2] for each in fared)
                begin = end
        unknown, not_data = int(counts[UNKNOWN]), int(counts[NOT_DATA])
        return Decoded(
            columns=columns,
            withheld=self.withheld,
            frames=len(batch),
            frames_decoded=len(batch) - unknown - not_data - too_short,
            frames_unknown=unknown,
            frames_too_short=too_short,
            frames_not_data=not_data,
            frames_unknown_multiplexer=unknown_multiplexer,
            frames_short=short,
        )

    def _decode_message(
        self,
        plan: MessagePlan,
        payloads: Payloads,
        lengths: Lengths,
        rows: npt.NDArray[np.int64],
        columns: dict[SignalRef, Column],
    ) -> tuple[int, int, int]:
        if not plan.message.contained:
            return plan.decode(payloads, lengths, rows, columns)
        found, _odd = unpack(plan.message, payloads.bytes(), lengths)
        unknown = 0
        for place, contained in found.items():
            inner = self.messages[plan.bus, plan.message.contained[place].name]
            inside = Payloads.of_bytes(contained.data, inner.needed_bytes)
            fared = inner.decode(inside, contained.lengths, rows[contained.rows], columns)
            unknown += fared.unknown_multiplexer
        return unknown, 0, 0

    def _add(
        self, bus: str, message: Message, asked: frozenset[SignalRef] | None, removed: frozenset[SignalRef]
    ) -> None:
        names: list[str] = []
        for signal in message.signals:
            ref = SignalRef(bus, message.name, signal.name)
            if ref in removed:
                self._removed.add(ref)
            elif asked is None or ref in asked:
                names.append(signal.name)
        self.messages[bus, message.name] = MessagePlan(bus, message, names)

    def _refresh(self) -> None:
        """Follow the lookup, which grows as it meets new ids."""
        for described in self._lookup.described[len(self._plans) :]:
            self._plans.append(
                tuple(self.messages[described.bus, message.name] for message in described.messages)
            )


class _Cut:
    """A batch's payloads in sorted order, from which each message's are sliced."""

    def __init__(self, batch: FrameBatch, order: npt.NDArray[np.intp]) -> None:
        self.lengths = batch.length[order]
        self._order = order
        self._data = batch.data
        self._little: Words | None = None
        self._big: Words | None = None
        if batch.data.shape[1] == WORD_BYTES:
            words = np.ascontiguousarray(batch.data).view("<u8").reshape(-1).astype(np.uint64, copy=False)
            self._little = words[order]
            self._big = self._little.byteswap()

    def payloads(self, begin: int, end: int, needed_bytes: int) -> Payloads:
        """The payloads from `begin` to `end` of the order."""
        if self._little is not None and self._big is not None and needed_bytes <= WORD_BYTES:
            return Payloads.of_words(self._little[begin:end], self._big[begin:end])
        return Payloads.of_bytes(self._data[self._order[begin:end]], needed_bytes)
