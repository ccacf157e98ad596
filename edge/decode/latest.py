"""`LatestValues`: keeps the last payload of each kind and decodes wanted signals only when asked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from edge.account import Hop
from edge.clock import Timebase
from edge.database.model import SignalRef
from edge.decode.container import unpack
from edge.decode.field import Field, raw_field
from edge.decode.lookup import FIRST_CODE, NOT_DATA, UNKNOWN, Lookup
from edge.decode.message import MessagePlan, SignalGroup
from edge.decode.payloads import Payloads
from edge.decode.plan import DecodePlan
from edge.decode.seen import SeenValues
from edge.decode.store import NEVER, Elements, Lengths, Places, Store, Times
from edge.frames import FrameBatch, concatenate

GATHERED_MOST = 8192
"""Frames that wait for being taken in at most: so that none of it takes long."""

_NO_TIMEBASE = Timebase()

T = TypeVar("T")
D = TypeVar("D")


class Readings(Mapping[SignalRef, T]):
    """A read-only mapping over arrays that share one index: nothing is hashed until it is asked for."""

    def __init__(self, index: Mapping[SignalRef, int], values: Sequence[T], present: Sequence[bool]) -> None:
        self._index = index
        self._values = values
        self._present = present

    def __getitem__(self, ref: SignalRef) -> T:
        place = self._index[ref]
        if not self._present[place]:
            raise KeyError(ref)
        return self._values[place]

    def get(self, ref: SignalRef, default: D = None) -> T | D:  # type: ignore[assignment]
        """The value of `ref`, or `default`; quicker than asking and being refused."""
        place = self._index.get(ref)
        return self._values[place] if place is not None and self._present[place] else default

    def __iter__(self) -> Iterator[SignalRef]:
        return (ref for ref, place in self._index.items() if self._present[place])

    def __len__(self) -> int:
        return sum(self._present)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """What the wanted signals say now.

    Attributes:
        values: the last value of each signal that was ever seen, as cantools gives it (int or float). For a
            J1939 message that several controllers send, the newest.
        t_ns: when the frame came that carried it.
        latched: for each latched signal seen since the previous snapshot, all its raw values ORed bit by bit
            (unsigned).
        seen: for each followed signal that came since the previous snapshot, the different values it took.
        sources: for signals matched by PGN: value and time by source address.
    """

    values: Mapping[SignalRef, int | float]
    t_ns: Mapping[SignalRef, int]
    latched: Mapping[SignalRef, int]
    seen: Mapping[SignalRef, frozenset[int | float]]
    sources: Mapping[SignalRef, Mapping[int, tuple[int | float, int]]]


@dataclass(frozen=True, slots=True)
class _Slot:
    """One kept payload: the signals of a message that share their conditions, from one source."""

    plan: MessagePlan | None
    group: SignalGroup | None
    source: int

    @property
    def refs(self) -> Mapping[str, SignalRef]:
        return {} if self.plan is None else self.plan.refs

    @property
    def fields(self) -> tuple[Field, ...]:
        return () if self.group is None else self.group.fields


class LatestValues:
    """Keeps the last payload per (bus, id, multiplexer path), for J1939 per (bus, PGN, source address).

    A frame with an older time than what is held for its slot does not replace it; of equal times the later in
    the batch wins. A frame too short for a signal is the last one all the
    same: what it does not hold is absent.
    """

    def __init__(
        self,
        plan: DecodePlan,
        *,
        latched: Collection[SignalRef] = (),
        followed: Collection[SignalRef] = (),
    ) -> None:
        """Keep what `plan` wants.

        Args:
            plan: what to decode.
            latched: wanted signals that are ORed over all frames.
            followed: wanted signals of which every different value is gathered.
        """
        self._plan = plan
        self._latched = frozenset(latched)
        self._followed = frozenset(followed)
        self._seen = SeenValues()
        self._lookup = Lookup(plan.by_bus, by_source=True)
        needed = max((one.needed_bytes for one in plan.messages.values()), default=0)
        self._width = 8 if needed <= 8 else -(-needed // 8) * 8 + 8  # noqa: PLR2004 - one word, or more and a spare
        self._slots = [_Slot(None, None, -1)]
        self._withheld: frozenset[SignalRef] = frozenset()
        self._slot_of_code = np.zeros(FIRST_CODE, np.intp)
        self._least_of_code = np.zeros(FIRST_CODE, np.uint16)
        self._length_of_code = np.zeros(FIRST_CODE, np.uint16)
        self._special: dict[int, tuple[_Member, ...]] = {}
        self._longest = 0
        self._plain = np.empty(0, np.intp)
        self._known_codes = 0
        self._store = Store(self._width)
        self._reader: _Reader | None = None
        self._frames = 0
        self._gathered: list[FrameBatch] = []
        self._gathered_frames = 0
        self._unknown = self._not_data = self._too_short = self._short = self._unknown_multiplexer = 0

    def update(self, batch: FrameBatch) -> None:
        """Take in the frames of `batch`.

        Small batches are gathered, since each costs once however many frames it has; whatever is asked is
        answered with all of them.
        """
        if not len(batch):
            return
        self._gathered.append(replace(batch, timebase=_NO_TIMEBASE, mask=""))
        self._gathered_frames += len(batch)
        if self._gathered_frames >= GATHERED_MOST:
            self._take_in()

    def _take_in(self) -> None:
        """Take in what was gathered."""
        if not self._gathered:
            return
        batch = concatenate(self._gathered)
        self._gathered, self._gathered_frames = [], 0
        count = len(batch)
        self._frames += count
        codes = self._lookup.codes(batch)
        if len(self._lookup.described) > self._known_codes:
            self._follow()
        seen = np.bincount(codes, minlength=len(self._slot_of_code))
        self._unknown += int(seen[UNKNOWN])
        self._not_data += int(seen[NOT_DATA])
        if int(batch.length.min()) < self._longest:
            self._count_short(batch, codes)
        order = _time_order(batch.t_ns)
        self._keep_plain(batch, codes, order)
        for code in self._special:
            if seen[code]:
                rows = np.flatnonzero(codes == code) if order is None else order[codes[order] == code]
                self._keep_special(code, batch, rows)

    def restrict(self, withheld: Collection[SignalRef]) -> None:
        """Take note of which signals the door removes from now on.

        The bits of those that it newly removes are cleared in what is held. What is held of a message of
        which it lets more through than before says nothing of that, so it is forgotten.

        Args:
            withheld: all signals that it removes; those beyond the ones that the plan was made without.
        """
        self._take_in()
        now = frozenset(withheld)
        gone, back = now - self._withheld, self._withheld - now
        self._withheld = now
        if not gone and not back:
            return
        for number, slot in enumerate(self._slots):
            if slot.plan is None or slot.group is None:
                continue
            refs = {slot.plan.ref(signal): signal for signal in slot.plan.message.signals}
            cleared = [signal for ref, signal in refs.items() if ref in gone]
            if refs.keys() & back or (cleared and slot.group.conditions):
                self._store.forget(number)
            else:
                self._store.clear(number, [bit for signal in cleared for bit in signal.bits])
        self._seen.forget(gone)
        self._reader = None

    def snapshot(self) -> Snapshot:
        """Decode the wanted signals from what is held; the latches begin anew."""
        self._take_in()
        if self._reader is None:
            self._reader = _Reader(self._slots, self._latched, self._withheld, self._width)
        with np.errstate(all="ignore"):
            return self._reader.read(self._store, self._seen.take())

    def hop(self) -> Hop:
        """The account since the beginning."""
        self._take_in()
        aside = {
            "no database entry": self._unknown,
            "error or remote frame": self._not_data,
            "too short": self._too_short,
        }
        return Hop(
            name="decode",
            unit="frames",
            entered=self._frames,
            left=self._frames - sum(aside.values()),
            set_aside={cause: number for cause, number in aside.items() if number},
            facts={
                "unknown multiplexer value": self._unknown_multiplexer,
                "short, some signals missing": self._short,
            },
        )

    def _count_short(self, batch: FrameBatch, codes: npt.NDArray[np.uint16]) -> None:
        short = np.flatnonzero(batch.length < self._length_of_code.take(codes))
        if len(short):
            too_short = int(np.count_nonzero(batch.length[short] < self._least_of_code.take(codes[short])))
            self._too_short += too_short
            self._short += len(short) - too_short

    def _keep_plain(self, batch: FrameBatch, codes: npt.NDArray[np.uint16], order: Places | None) -> None:
        """Keep the last frame of each wanted message without multiplexer."""
        last = np.full(len(self._slot_of_code), -1, np.intp)
        # Where an index repeats, the last assignment stands.
        if order is None:
            last[codes] = np.arange(len(codes))
        else:
            last[codes[order]] = order
        touched = self._plain[last[self._plain] >= 0]
        if len(touched):
            self._store.put(self._slot_of_code[touched], batch, last[touched])
        if self._store.latching:
            slots = self._slot_of_code.take(codes)
            rows = np.flatnonzero(self._store.latches.take(slots))
            if len(rows):
                self._store.latch(slots[rows], batch.data[rows], batch.length[rows])
        if self._seen:
            slots = self._slot_of_code.take(codes)
            slots[~self._seen.slots.take(slots)] = 0
            for slot in np.unique(slots[slots > 0]).tolist():
                rows = np.flatnonzero(slots == slot)
                self._seen.note(slot, batch.data[rows], batch.length[rows])

    def _keep_special(self, code: int, batch: FrameBatch, rows: Places) -> None:
        """Keep the last frame of each multiplexer path, of containers the last of each PDU."""
        data, lengths, t_ns = batch.data[rows], batch.length[rows], batch.t_ns[rows]
        unknown = 0
        for member in self._special[code]:
            if member.inner:
                found = unpack(member.plan.message, data, lengths)
                for place, contained in found.items():
                    if not member.inner[place].slots:
                        continue
                    unknown += self._keep_paths(
                        member.inner[place], contained.data, contained.lengths, t_ns[contained.rows]
                    )
            else:
                unknown = max(unknown, self._keep_paths(member, data, lengths, t_ns))
        self._unknown_multiplexer += unknown

    def _keep_paths(self, member: _Member, data: npt.NDArray[np.uint8], lengths: Lengths, t_ns: Times) -> int:
        plan = member.plan
        whole = int(lengths.min()) >= plan.needed_bytes
        slots = list(member.slots)
        if plan.groups and not plan.groups[0].conditions:
            self._keep_last(slots.pop(0), data, lengths, t_ns)
        if plan.presence is None:
            return 0
        payloads = _payloads(data, plan.needed_bytes)
        found, unknown = plan.presence.evaluate(payloads, None if whole else lengths)
        for slot, places in zip(slots, found, strict=True):
            if places is not None:
                self._keep_last(slot, data[places], lengths[places], t_ns[places])
        return unknown

    def _keep_last(self, slot: int, data: npt.NDArray[np.uint8], lengths: Lengths, t_ns: Times) -> None:
        self._store.put_last(slot, data, lengths, t_ns)
        if self._seen:
            self._seen.note(slot, data, lengths)

    def _follow(self) -> None:
        """Make slots for the ids that the lookup has met since."""
        slot_of_code, least, length = (
            self._slot_of_code.tolist(),
            self._least_of_code.tolist(),
            self._length_of_code.tolist(),
        )
        for number in range(self._known_codes, len(self._lookup.described)):
            described = self._lookup.described[number]
            plans = [self._plan.messages[described.bus, message.name] for message in described.messages]
            least.append(min(plan.least_bytes for plan in plans))
            length.append(max(0 if plan.message.contained else plan.message.length for plan in plans))
            asked = [plan for plan in plans if self._asked(plan)]
            if not asked:
                slot_of_code.append(0)
            elif len(asked) == 1 and _is_plain(asked[0]):
                slot_of_code.append(self._new_slots(asked[0], described.source)[0])
            else:
                slot_of_code.append(0)
                self._special[number + FIRST_CODE] = tuple(
                    self._member(plan, described.source) for plan in asked
                )
        self._known_codes = len(self._lookup.described)
        self._slot_of_code = np.array(slot_of_code, np.intp)
        self._least_of_code = np.array(least, np.uint16)
        self._length_of_code = np.array(length, np.uint16)
        self._longest = int(max(length))
        self._plain = np.flatnonzero(self._slot_of_code)
        latching = [
            any(slot.refs[field.signal.name] in self._latched for field in slot.fields)
            for slot in self._slots
        ]
        self._store.grow(latching)
        if self._followed:
            self._seen.follow(
                {
                    number: [
                        (ref, field)
                        for field in slot.fields
                        if (ref := slot.refs[field.signal.name]) in self._followed
                    ]
                    for number, slot in enumerate(self._slots)
                },
                len(self._slots),
            )
        self._reader = None

    def _asked(self, plan: MessagePlan) -> bool:
        """Whether any signal of a message, or of a PDU that it contains, is wanted."""
        return bool(plan.groups) or any(
            self._asked(self._plan.messages[plan.bus, inner.name]) for inner in plan.message.contained
        )

    def _member(self, plan: MessagePlan, source: int) -> _Member:
        inner = tuple(
            self._member(self._plan.messages[plan.bus, message.name], source)
            for message in plan.message.contained
        )
        return _Member(plan, self._new_slots(plan, source), inner)

    def _new_slots(self, plan: MessagePlan, source: int) -> tuple[int, ...]:
        first = len(self._slots)
        self._slots += [_Slot(plan, group, source) for group in plan.groups]
        return tuple(range(first, len(self._slots)))


@dataclass(frozen=True, slots=True)
class _Member:
    """A message that needs more than its last frame: one slot a group, and the PDUs that it contains."""

    plan: MessagePlan
    slots: tuple[int, ...]
    inner: tuple[_Member, ...]


class _Reader:
    """Decodes every wanted signal of a store at once: one element a (slot, signal)."""

    def __init__(
        self,
        slots: Sequence[_Slot],
        latched: frozenset[SignalRef],
        withheld: frozenset[SignalRef],
        width: int,
    ) -> None:
        pairs = [
            (number, field)
            for number, slot in enumerate(slots)
            for field in slot.fields
            if slot.refs[field.signal.name] not in withheld
        ]
        self._elements = Elements(pairs, width)
        self._refs = [slots[number].refs[field.signal.name] for number, field in self._elements.pairs]
        self._source = [slots[number].source for number, _ in self._elements.pairs]
        self._with_source = [place for place, source in enumerate(self._source) if source >= 0]
        self._index = {ref: place for place, ref in enumerate(self._refs)}
        self._alone = len(self._index) == len(self._refs)
        kept = [
            (number, field) for number, field in pairs if slots[number].refs[field.signal.name] in latched
        ]
        self._latched = Elements([(number, raw_field(field.signal)) for number, field in kept], width)
        self._latched_refs = [slots[number].refs[field.signal.name] for number, field in self._latched.pairs]

    def read(self, store: Store, seen: Mapping[SignalRef, frozenset[int | float]]) -> Snapshot:
        """What the store says, and what was `seen` beside it."""
        values, present = self._elements.read(store.data, store.length)
        t_ns = store.t_ns[self._elements.slots]
        present &= t_ns != NEVER
        shown, times = present.tolist(), t_ns.tolist()
        index: Mapping[SignalRef, int] = self._index
        if not self._alone:
            # The newest of several sources is the value.
            order = np.flatnonzero(present)
            order = order[np.argsort(t_ns[order], kind="stable")]
            index = {**index, **{self._refs[element]: element for element in order.tolist()}}
        return Snapshot(
            values=Readings(index, values, shown),
            t_ns=Readings(index, times, shown),
            latched=self._read_latched(store),
            seen=seen,
            sources=self._read_sources(values, times, shown),
        )

    def _read_latched(self, store: Store) -> Mapping[SignalRef, int]:
        if not self._latched_refs:
            return {}
        values, present = self._latched.read(store.ored, store.ored_length)
        found: dict[SignalRef, int] = {}
        for ref, value, there in zip(self._latched_refs, values, present.tolist(), strict=True):
            if there:
                found[ref] = found.get(ref, 0) | int(value)
        store.clear_latches()
        return found

    def _read_sources(
        self, values: list[int | float], times: list[int], shown: list[bool]
    ) -> Mapping[SignalRef, Mapping[int, tuple[int | float, int]]]:
        found: dict[SignalRef, dict[int, tuple[int | float, int]]] = {}
        for element in self._with_source:
            if shown[element]:
                reading = (values[element], times[element])
                found.setdefault(self._refs[element], {})[self._source[element]] = reading
        return found


def _is_plain(plan: MessagePlan) -> bool:
    """Whether the last frame of a message holds all that is wanted of it."""
    return not plan.message.contained and not any(group.conditions for group in plan.groups)


def _payloads(data: npt.NDArray[np.uint8], needed_bytes: int) -> Payloads:
    if data.shape[1] == 8 and needed_bytes <= 8:  # noqa: PLR2004 - one word
        words = np.ascontiguousarray(data).view("<u8").reshape(-1).astype(np.uint64, copy=False)
        return Payloads.of_words(words, words.byteswap())
    return Payloads.of_bytes(data, needed_bytes)


def _time_order(t_ns: Times) -> Places | None:
    """Places by time, earlier places first among equals; None if they already are."""
    if bool((t_ns[1:] >= t_ns[:-1]).all()):
        return None
    return np.argsort(t_ns, kind="stable")
