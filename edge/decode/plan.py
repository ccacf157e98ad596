"""`DecodePlan`: made once from databases, turns batches of frames into columns of physical values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edge.database.model import Database, Message, SignalRef
from edge.decode.container import unpack
from edge.decode.field import WORD_BYTES, Field
from edge.decode.flat import FlatTable, Segment
from edge.decode.lookup import FIRST_CODE, NOT_DATA, UNKNOWN, Lookup
from edge.decode.message import Column, Lengths, MessagePlan, SignalGroup
from edge.decode.payloads import Payloads
from edge.frames import FrameBatch

_BYTE_CODES = 1 << 8

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
        self._described: list[_Described] = []
        self._codes_of: dict[int, list[_Described]] = {}
        self._whole_bytes = np.zeros(FIRST_CODE, np.uint16)
        self._flat_of: dict[int, int] = {}
        flat: list[list[tuple[SignalRef, Field]]] = []
        for plan in self.messages.values():
            for group in plan.groups:
                self._flat_of[id(group)] = len(flat)
                flat.append([(plan.refs[field.signal.name], field) for field in group.flat])
        self._flat = FlatTable(flat)

    def decode(self, batch: FrameBatch) -> Decoded:
        """Decode all wanted signals of all frames of `batch`."""
        batch = _in_words(batch)
        codes = self._lookup.codes(batch)
        self._follow()
        counts = np.bincount(codes, minlength=len(self._whole_bytes))
        # A stable sort of one byte is one pass over the frames.
        few = len(counts) <= _BYTE_CODES
        order = np.argsort(codes.astype(np.uint8) if few else codes, kind="stable")
        lacking = batch.length < self._whole_bytes.take(codes)
        short_codes = set(np.unique(codes[lacking]).tolist()) if lacking.any() else set()
        run = _Run(batch, order)
        begin = int(counts[UNKNOWN] + counts[NOT_DATA])
        with np.errstate(all="ignore"):
            for code, count in enumerate(counts[FIRST_CODE:].tolist()):
                if count:
                    end = begin + count
                    described = self._described[code]
                    lacks = code + FIRST_CODE in short_codes and run.lacks(described, begin, end)
                    if described.plain and not lacks:
                        self._take_flat(described, run, begin, end)
                    else:
                        self._take_singly(described, run, begin, end)
                    begin = end
            run.decode_flat(self._flat)
        unknown, not_data = int(counts[UNKNOWN]), int(counts[NOT_DATA])
        return Decoded(
            columns=run.columns,
            withheld=self.withheld,
            frames=len(batch),
            frames_decoded=len(batch) - unknown - not_data - run.too_short,
            frames_unknown=unknown,
            frames_too_short=run.too_short,
            frames_not_data=not_data,
            frames_unknown_multiplexer=run.unknown_multiplexer,
            frames_short=run.short,
        )

    def _take_flat(self, described: _Described, run: _Run, begin: int, end: int) -> None:
        """Frames that are all long enough: what can be is left to the flat pass."""
        unknown = 0
        for plan in described.plans:
            selected = plan.groups
            payloads: Payloads | None = None
            if plan.presence is not None or plan.has_odd:
                payloads = run.payloads(begin, end, plan.needed_bytes)
            if selected and not selected[0].conditions:
                if selected[0].flat:
                    run.segments.append(Segment(self._flat_of[id(selected[0])], begin, end - begin))
                if payloads is not None and selected[0].odd:
                    plan.decode_odd(selected[0], payloads, run.order[begin:end], run.columns)
                selected = selected[1:]
            if plan.presence is not None and payloads is not None:
                found, lost = plan.presence.evaluate(payloads, None)
                unknown = max(unknown, lost)
                for group, places in zip(selected, found, strict=True):
                    if places is not None:
                        self._take_selected(plan, group, payloads, places, begin, run)
        run.unknown_multiplexer += unknown

    def _take_selected(
        self,
        plan: MessagePlan,
        group: SignalGroup,
        payloads: Payloads,
        places: npt.NDArray[np.intp],
        begin: int,
        run: _Run,
    ) -> None:
        rows = run.order[begin + places]
        if group.flat:
            run.segments.append(Segment(self._flat_of[id(group)], run.add_rows(rows), len(rows)))
        if group.odd:
            plan.decode_odd(group, payloads.take(places), rows, run.columns)

    def _take_singly(self, described: _Described, run: _Run, begin: int, end: int) -> None:
        """Containers, and messages some of whose frames are short: by themselves."""
        rows = run.order[begin:end]
        lengths = run.batch.length[rows]
        columns: dict[SignalRef, Column] = {}
        fared = [
            self._decode_message(plan, run.payloads(begin, end, plan.needed_bytes), lengths, rows, columns)
            for plan in described.plans
        ]
        run.merge(columns)
        run.unknown_multiplexer += max(each[0] for each in fared)
        run.short += max(each[1] for each in fared)
        run.too_short += min(each[2] for each in fared)

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
        found = unpack(plan.message, payloads.bytes(), lengths)
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

    def _follow(self) -> None:
        """Follow the lookup, which grows as it meets new ids."""
        fresh = self._lookup.described[len(self._described) :]
        if not fresh:
            return
        for described in fresh:
            plans = tuple(self.messages[described.bus, message.name] for message in described.messages)
            ordinary = not any(plan.message.contained for plan in plans)
            whole = max(max(plan.needed_bytes, plan.message.length) for plan in plans)
            needed = max(plan.needed_bytes for plan in plans)
            least = max(plan.least_bytes for plan in plans)
            length = max(plan.message.length for plan in plans)
            self._described.append(_Described(plans, whole if ordinary else 0, max(needed, least), length))
            for plan in plans:
                self._codes_of.setdefault(id(plan), []).append(self._described[-1])
        for one in self._described:
            one.plain = all(
                len(self._codes_of[id(plan)]) == 1 and not plan.message.contained for plan in one.plans
            )
        self._whole_bytes = np.array(
            [*[0] * FIRST_CODE, *(one.whole_bytes for one in self._described)], np.uint16
        )


@dataclass(slots=True)
class _Described:
    """The plans of one code.

    Attributes:
        plans: one a message that describes the frame.
        whole_bytes: a payload of this length is as long as the messages, and misses no signal.
        needed_bytes: a payload of this length misses no wanted signal, and is not too short.
        length: of the longest message.
        plain: none of them is a container, or has frames of another code too.
    """

    plans: tuple[MessagePlan, ...]
    whole_bytes: int
    needed_bytes: int
    length: int
    plain: bool = True


class _Run:
    """One batch on its way: what was decoded, and what waits for the flat pass."""

    def __init__(self, batch: FrameBatch, order: npt.NDArray[np.intp]) -> None:
        self.batch = batch
        self.order = order
        self.columns: dict[SignalRef, Column] = {}
        self.segments: list[Segment] = []
        self.unknown_multiplexer = self.short = self.too_short = 0
        self._more: list[npt.NDArray[np.intp]] = []
        self._length = len(order)

    def payloads(self, begin: int, end: int, needed_bytes: int) -> Payloads:
        """The payloads from `begin` to `end` of the order."""
        data = self.batch.data[self.order[begin:end]]
        if data.shape[1] == WORD_BYTES and needed_bytes <= WORD_BYTES:
            words = data.view("<u8").reshape(-1).astype(np.uint64, copy=False)
            return Payloads.of_words(words, words.byteswap())
        return Payloads.of_bytes(data, needed_bytes)

    def lacks(self, described: _Described, begin: int, end: int) -> bool:
        """Whether some of these frames lack a wanted signal; if not, the short ones are counted here."""
        lengths = self.batch.length[self.order[begin:end]]
        if not described.plain or int(lengths.min()) < described.needed_bytes:
            return True
        self.short += int(np.count_nonzero(lengths < described.length))
        return False

    def add_rows(self, rows: npt.NDArray[np.intp]) -> int:
        """Append rows to the order of the flat pass; return the place of the first."""
        place = self._length
        self._more.append(rows)
        self._length += len(rows)
        return place

    def merge(self, columns: Mapping[SignalRef, Column]) -> None:
        """Take `columns` in, where some signals may have values from frames of other ids already."""
        for ref, column in columns.items():
            present = self.columns.get(ref)
            if present is not None:
                rows = np.concatenate((present.rows, column.rows))
                order = np.argsort(rows, kind="stable")
                values = np.concatenate((present.values, column.values))
                self.columns[ref] = Column(rows[order], values[order])
            else:
                self.columns[ref] = column

    def decode_flat(self, table: FlatTable) -> None:
        """Decode all segments at once."""
        if self.segments:
            order = np.concatenate((self.order, *self._more)) if self._more else self.order
            table.decode(self.segments, order, self.batch.data, self.columns)


def _in_words(batch: FrameBatch) -> FrameBatch:
    """The batch with payloads that are contiguous and whole words wide."""
    width = -(-batch.data.shape[1] // WORD_BYTES) * WORD_BYTES
    batch = batch.widened(width)
    return batch if batch.data.flags.c_contiguous else replace(batch, data=np.ascontiguousarray(batch.data))
