"""One message's part of a decode plan: which signals are wanted, and how payloads become columns."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge.database.model import Message, Signal, SignalRef
from edge.decode.field import Block, Field, Values, blocks_of, exact_values, field_of
from edge.decode.payloads import Payloads
from edge.decode.presence import Conditions, Presence

Lengths = npt.NDArray[np.uint16]


class Column(NamedTuple):
    """The values of one signal in a batch.

    Attributes:
        rows: int64, ascending places in the batch of the frames that carry the signal.
        values: one a row: int64, uint64 or float64; object where no machine number holds them. Equal to
            cantools' `decode_choices=False` in type (int, float) and to the bit.
    """

    rows: npt.NDArray[np.int64]
    values: Values


class MessageCount(NamedTuple):
    """How the payloads of one message fared.

    Attributes:
        unknown_multiplexer: with a multiplexer value that the database does not describe.
        short: shorter than the message, some signals missing.
        too_short: so short that no signal is whole.
    """

    unknown_multiplexer: int
    short: int
    too_short: int


class SignalGroup(NamedTuple):
    """Wanted signals of a message that are present together.

    Attributes:
        conditions: what their presence depends on.
        blocks: those that fit machine words, gathered by window and conversion.
        exact: those that do not.
        fields: all of them.
        flat: those that the flat pass takes: in blocks, and in an eight-byte window.
        odd: the others.
    """

    conditions: Conditions
    blocks: tuple[Block, ...]
    exact: tuple[Field, ...]
    fields: tuple[Field, ...]
    flat: tuple[Field, ...]
    odd: tuple[Block | Field, ...]


class MessagePlan:
    """How payloads of one message become values.

    Attributes:
        message: the message.
        bus: the name of its bus.
        refs: reference of each wanted signal, by its name.
        groups: the wanted signals by their conditions; those always present come first, if any are wanted.
        presence: tells which payloads carry which group; None for a message without multiplexer.
        needed_bytes: the shortest payload that holds every wanted signal and multiplexer.
        least_bytes: the shortest payload that holds any always-present signal, wanted or not.
        has_odd: some wanted signals are not for the flat pass.
    """

    def __init__(self, bus: str, message: Message, wanted: Collection[str]) -> None:
        self.bus = bus
        self.message = message
        self.refs = {name: SignalRef(bus, message.name, name) for name in wanted}
        by_conditions: dict[Conditions, list[Field]] = {}
        for signal in message.signals:
            if signal.name in self.refs:
                conversion = message.codec.get_signal_by_name(signal.name).conversion
                by_conditions.setdefault(signal.conditions, []).append(field_of(signal, conversion))
        self.groups = tuple(
            _group(conditions, fields)
            for conditions, fields in sorted(by_conditions.items(), key=lambda item: len(item[0]))
        )
        self.has_odd = any(group.odd for group in self.groups)
        multiplexed = any(signal.multiplex_values for signal in message.signals)
        selected = [group.conditions for group in self.groups if group.conditions]
        self.presence = Presence(message, selected) if multiplexed else None
        needed = [field.needed_bytes for group in self.groups for field in group.fields]
        self.needed_bytes = max([*needed, self.presence.needed_bytes if self.presence else 0], default=0)
        always = [_needed(signal) for signal in message.signals if not signal.conditions]
        self.least_bytes = min(always, default=0)

    def ref(self, signal: Signal) -> SignalRef:
        """The reference of a signal of the message, wanted or not."""
        return SignalRef(self.bus, self.message.name, signal.name)

    def decode(
        self,
        payloads: Payloads,
        lengths: Lengths,
        rows: npt.NDArray[np.int64],
        columns: dict[SignalRef, Column],
    ) -> MessageCount:
        """Decode the payloads of the frames at `rows` (ascending) into `columns`."""
        shortest = int(lengths.min())
        whole = shortest >= self.needed_bytes
        if shortest >= self.message.length:
            short = too_short = 0
        else:
            short = int(np.count_nonzero(lengths < self.message.length))
            too_short = int(np.count_nonzero(lengths < self.least_bytes))
        unknown = 0
        selected = self.groups
        if selected and not selected[0].conditions:
            self._decode_group(selected[0], payloads, None if whole else lengths, rows, columns)
            selected = selected[1:]
        if self.presence is not None:
            found, unknown = self.presence.evaluate(payloads, None if whole else lengths)
            for group, places in zip(selected, found, strict=True):
                if places is not None:
                    some = None if whole else lengths[places]
                    self._decode_group(group, payloads.take(places), some, rows[places], columns)
        return MessageCount(unknown, short - too_short, too_short)

    def decode_odd(
        self,
        group: SignalGroup,
        payloads: Payloads,
        rows: npt.NDArray[np.int64],
        columns: dict[SignalRef, Column],
    ) -> None:
        """Decode what the flat pass leaves of `group`, from payloads that all hold it."""
        for odd in group.odd:
            if isinstance(odd, Block):
                values = odd.columns(payloads.words(odd.window))
                for field, line in zip(odd.fields, values, strict=True):
                    columns[self.refs[field.signal.name]] = Column(rows, line)
            else:
                columns[self.refs[odd.signal.name]] = Column(rows, exact_values(odd, payloads.bytes()))

    def _decode_group(
        self,
        group: SignalGroup,
        payloads: Payloads,
        lengths: Lengths | None,
        rows: npt.NDArray[np.int64],
        columns: dict[SignalRef, Column],
    ) -> None:
        for block in group.blocks:
            values = block.columns(payloads.words(block.window))
            if lengths is None:
                for field, line in zip(block.fields, values, strict=True):
                    columns[self.refs[field.signal.name]] = Column(rows, line)
            else:
                for field, line in zip(block.fields, values, strict=True):
                    self._keep_whole(field, line, lengths, rows, columns)
        for field in group.exact:
            line = exact_values(field, payloads.bytes())
            if lengths is None:
                columns[self.refs[field.signal.name]] = Column(rows, line)
            else:
                self._keep_whole(field, line, lengths, rows, columns)

    def _keep_whole(
        self,
        field: Field,
        values: Values,
        lengths: Lengths,
        rows: npt.NDArray[np.int64],
        columns: dict[SignalRef, Column],
    ) -> None:
        """Keep the values whose payloads hold the field whole, as cantools' `allow_truncated` does."""
        whole = lengths >= field.needed_bytes
        if whole.any():
            columns[self.refs[field.signal.name]] = Column(rows[whole], values[whole])


def _group(conditions: Conditions, fields: list[Field]) -> SignalGroup:
    blocks, exact = blocks_of(fields)
    straight = [block for block in blocks if not block.window.skew]
    skewed = [block for block in blocks if block.window.skew]
    flat = tuple(field for block in straight for field in block.fields)
    return SignalGroup(conditions, blocks, exact, tuple(fields), flat, (*skewed, *exact))


def _needed(signal: Signal) -> int:
    return max(signal.bits) // 8 + 1
