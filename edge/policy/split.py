"""Admitted frames by data class: each bit in exactly one part, so that each class can be erased by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge.database.container import HEADER_BYTES, header_ids
from edge.frames import CLASSIC_BYTES, FrameBatch, FrameFlag, Indices, Int64s, UInt8s, UInt16s, concatenate
from edge.policy.classes import SENSITIVITY, DataClass
from edge.policy.layers import bits_of, layers_of, selected_bits
from edge.policy.masks import BaseMasks, Int32s, MaskSet, Row, mask_set_of, split_by_row

_SEVERAL = -1
"""In place of a class: which it is depends on the frame, or several have a share."""

Int8s = npt.NDArray[np.int8]
UInt64s = npt.NDArray[np.uint64]


class ClassPart(NamedTuple):
    """What one class has of a batch.

    Attributes:
        batch: the frames of which it has bits, in the batch's order; all other bits are 0.
        places: int64 of N, rising: the row of each in the whole batch.
    """

    batch: FrameBatch
    places: Int64s


class ClassSplit:
    """Divides batches that went through the door by the class of their bits (docs/class-files.md).

    A bit of signals of several classes goes to the most sensitive of them (`SENSITIVITY`). A diagnostic
    message that passed by a rule goes whole to the class of that rule, the most sensitive one of those that
    match. A frame that has no bit of any class, since it is empty or ends before its first collected signal,
    goes to the most sensitive class that its id carries: no frame is lost. The header of a container's PDU
    goes to each class that has a share in it, like the id.

    Args:
        masks: the door's masks.
    """

    def __init__(self, masks: MaskSet) -> None:
        self._masks = masks
        self._numbers = {bus: number for number, bus in enumerate(masks.buses)}
        self._containers = bool(masks.containers.any())
        self._channels = bool(masks.channels.any())
        self._classes = tuple(data_class for data_class in SENSITIVITY if data_class in masks.collect)
        carried = [self._carried(row) for row in masks.rows]
        self._whole = np.array([_only(places) for places in carried], np.int8)
        self._home = np.array([min(places, default=0) for places in carried], np.int8)
        taken = [np.zeros_like(row.base) for row in masks.rows]
        self._shares: list[_Share] = []
        for data_class in self._classes:
            share = _Share(masks.rows, data_class, taken)
            self._shares.append(share)
            taken = [before | base for before, base in zip(taken, share.bases, strict=True)]
        known = {_only(places) for places in carried if places}
        self._everything = self._classes[known.pop()] if len(known) == 1 and _SEVERAL not in known else None

    def split(self, batch: FrameBatch) -> Mapping[DataClass, ClassPart]:
        """Divide a batch.

        Args:
            batch: as it left the door; shared with the result where one class has all of it.

        Returns:
            The parts by class, the most sensitive first; only classes that have frames. `rejoin` puts them
            together again.

        Raises:
            ValueError: the batch went through other masks, or none.
        """
        if mask_set_of(batch.mask) != self._masks.name:
            raise ValueError(f"the batch went through {batch.mask or 'no mask'}, not {self._masks.name}")
        if not len(batch):
            return {}
        if self._everything is not None:
            return {self._everything: ClassPart(batch, np.arange(len(batch)))}
        rows = self._rows(batch)
        whole = self._whole.take(rows)
        first = int(whole[0])
        if first != _SEVERAL and (whole == first).all():
            return {self._classes[first]: ClassPart(batch, np.arange(len(batch)))}
        self._judge_diagnostics(batch, rows, whole)
        mixed = np.flatnonzero(whole == _SEVERAL)
        own = rows[mixed]
        odd = self._masks.multiplexed[own] | (batch.length[mixed] < self._masks.ends[own])
        plain, odd_places = mixed[~odd], mixed[odd]
        width = batch.data.shape[1]
        padded = -(-width // CLASSIC_BYTES) * CLASSIC_BYTES
        wide = replace(batch, data=np.ascontiguousarray(batch.widened(padded).data))
        headed = np.flatnonzero(self._masks.header_bytes[rows]) if self._containers else None
        if headed is not None:
            wide = replace(wide, data=wide.data.copy())
            wide.data[headed, :HEADER_BYTES] = 0
        odd_masks = self._shared_out(batch, rows, odd_places, wide.data.view(np.uint64)[odd_places])
        parts: dict[DataClass, ClassPart] = {}
        for number, (share, odd_mask) in enumerate(zip(self._shares, odd_masks, strict=True)):
            shared = plain[share.always[rows[plain]]]
            held = odd_mask.any(axis=1)
            chosen = whole == number
            chosen[shared] = True
            chosen[odd_places[held]] = True
            places = np.flatnonzero(chosen)
            if len(places):
                part = wide.take(places)
                words = part.data.view(np.uint64)
                words[np.searchsorted(places, shared)] &= share.own.take(rows[shared], padded).view(np.uint64)
                words[np.searchsorted(places, odd_places[held])] &= odd_mask[held]
                if headed is not None:
                    at = np.flatnonzero(np.isin(places, headed, assume_unique=True))
                    part.data[at, :HEADER_BYTES] = batch.data[places[at], :HEADER_BYTES]
                part = replace(part, data=part.data[:, :width])
                parts[self._classes[number]] = ClassPart(part, places)
        return parts

    def _carried(self, row: Row) -> frozenset[int]:
        """The classes, by place, that frames of a row may have bits of."""
        found = {judged.data_class for judged in row.kept}
        found |= {rule.data_class for rule in row.rules}
        return frozenset(place for place, data_class in enumerate(self._classes) if data_class in found)

    def _rows(self, batch: FrameBatch) -> Int32s:
        bus = np.array([self._numbers.get(name, 0) for name in batch.buses], np.int64)[batch.bus]
        rows = self._masks.find(bus, batch.arbitration_id, batch.has(FrameFlag.EXTENDED))
        if self._containers:
            places = np.flatnonzero(self._masks.containers[rows])
            containers = rows[places]
            names = header_ids(batch.data[places], self._masks.little_endian[containers])
            rows[places] = self._masks.find_pdus(containers, names)
        return rows

    def _judge_diagnostics(self, batch: FrameBatch, rows: Int32s, whole: Int8s) -> None:
        """Write the class of messages that passed by a rule into `whole`."""
        if not self._channels:
            return
        channels = np.flatnonzero(self._masks.channels[rows])
        reassembled = (batch.flags[channels] & np.uint16(FrameFlag.REASSEMBLED)) != 0
        by_rule = reassembled | ~self._masks.described[rows[channels]]
        for place, message_whole in zip(
            channels[by_rule].tolist(), reassembled[by_rule].tolist(), strict=True
        ):
            rules = self._masks.rows[int(rows[place])].rules
            collected = [rule for rule in rules if rule.data_class in self._masks.collect]
            end = int(batch.length[place]) if message_whole else 1 + int(batch.data[place, 0])
            message = batch.data[place, 1:end].tobytes()
            # The door may have cleared the bits by which a rule knew its message.
            matching = [rule for rule in collected if rule.matches(message)] or collected
            whole[place] = min(self._classes.index(rule.data_class) for rule in matching)

    def _shared_out(self, batch: FrameBatch, rows: Int32s, odd: Indices, data: UInt64s) -> list[UInt64s]:
        """Whose the bits of frames are that are cut short, or have multiplexers.

        Args:
            batch: the whole batch.
            rows: the mask row of each of its frames.
            odd: the frames that are asked for.
            data: their data.

        Returns:
            For each class a mask, uint64 of (frames, words). No bit is in two of them, and each frame has a
            bit in at least one: of those that nobody claims, its most sensitive class has all.
        """
        own, length = rows[odd], batch.length[odd]
        width = 8 * data.shape[1]
        within = np.arange(width) < length[:, None]
        free = np.where(within, np.uint8(0xFF), np.uint8(0)).view(np.uint64)
        masks: list[UInt64s] = []
        for share in self._shares:
            mask = share.claims(own, data.view(np.uint8), length).view(np.uint64)
            mask &= free
            free &= ~mask
            masks.append(mask)
        claimed = reduce(np.bitwise_or, masks, np.zeros_like(data))
        strays = np.flatnonzero(((data & ~claimed) != 0).any(axis=1) | ~claimed.any(axis=1))
        for number, mask in enumerate(masks):
            mine = strays[self._home[own[strays]] == number]
            mask[mine] |= ~claimed[mine]
        return masks


class _Share:
    """The bits that signals of one class have in the frames of each row.

    Attributes:
        bases: those that need no multiplexer, by row.
        own: the same less those of more sensitive classes: what the class has of whole frames of rows
            without multiplexers.
        always: which rows have such bits, bool of (rows,).
    """

    def __init__(self, rows: Sequence[Row], data_class: DataClass, taken: Sequence[UInt8s]) -> None:
        """Gather the bits.

        Args:
            rows: all rows.
            data_class: the class.
            taken: bits of more sensitive classes that need no multiplexer, by row.
        """
        kept = [[judged for judged in row.kept if judged.data_class is data_class] for row in rows]
        self.bases = [
            bits_of((judged for judged in signals if not judged.presence), len(row.base))
            for signals, row in zip(kept, rows, strict=True)
        ]
        free = [base & ~others for base, others in zip(self.bases, taken, strict=True)]
        self.own = BaseMasks(free)
        self.always = np.array([base.any() for base in free], np.bool_)
        self._claims = BaseMasks(self.bases)
        self._layers = [
            tuple(layers_of(signals, len(row.base))) for signals, row in zip(kept, rows, strict=True)
        ]
        self._multiplexed = np.array([bool(layers) for layers in self._layers], np.bool_)

    def claims(self, rows: Int32s, data: UInt8s, length: UInt16s) -> UInt8s:
        """The bits of any frames, uint8 of (frames, width); other classes may claim them too."""
        mask = self._claims.take(rows, data.shape[1])
        for number, group in split_by_row(rows, np.flatnonzero(self._multiplexed[rows])):
            mask[group] |= selected_bits(self._layers[number], data[group], length[group], data.shape[1])
        return mask


def rejoin(parts: Iterable[tuple[FrameBatch, Int64s]]) -> FrameBatch:
    """Put parts of a batch together again; of all its parts, they give the batch.

    A class that is missing leaves its bits 0, and frames out that only it had a share in: a decoder must then
    take its signals, and those that it steers by a multiplexer, for not collected. They are what a door that
    collects the classes at hand alone withholds.

    Args:
        parts: frames and their places in the whole batch, which rise.

    Raises:
        ValueError: frames at one place differ in more than their data, or the parts are not of one batch.
    """
    found = list(parts)
    if len(found) == 1:
        return found[0][0]
    united = concatenate([batch for batch, _ in found])
    if not len(united):
        return united
    places = np.concatenate([places for _, places in found])
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    begins = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
    frames = united.take(order)
    if begins.all():
        return frames
    starts = np.flatnonzero(begins)
    first = np.cumsum(begins) - 1
    whole = frames.take(starts)
    for column in ("t_ns", "bus", "arbitration_id", "flags", "length"):
        if (getattr(frames, column) != getattr(whole, column)[first]).any():
            raise ValueError(f"two parts differ in the {column} of one frame")
    return replace(whole, data=_united(frames.data, starts))


def _united(data: UInt8s, starts: Indices) -> UInt8s:
    """The bits of all rows from each of `starts` to the next."""
    if data.shape[1] % CLASSIC_BYTES:
        bits: UInt8s = np.bitwise_or.reduceat(data, starts, axis=0)
        return bits
    return np.bitwise_or.reduceat(data.view(np.uint64), starts, axis=0).view(np.uint8)


def _only(places: frozenset[int]) -> int:
    """The class that has all of a row; of a row that lets nothing pass, any."""
    return min(places, default=0) if len(places) <= 1 else _SEVERAL
