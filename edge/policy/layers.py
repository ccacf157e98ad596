"""Bits that pass by the values of multiplexers: gathered from judged signals, selected for many frames."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge.frames import Int64s, UInt8s, UInt16s
from edge.policy.judgement import Field, Judged, Presence

Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Bits that depend on the values of some multiplexers, together.

    Attributes:
        fields: the multiplexers.
        values: for each the sorted raw values that matter (int64).
        classes: for each the number of the class of equally selecting values, aligned with `values`.
        sizes: how many classes each has.
        keys: sorted combined class numbers for which bits pass (int64).
        masks: their bits, uint8 of shape (len(keys) + 1, W); the last row is 0 and stands for no match.
    """

    fields: tuple[Field, ...]
    values: tuple[Int64s, ...]
    classes: tuple[Int64s, ...]
    sizes: tuple[int, ...]
    keys: Int64s
    masks: UInt8s

    def select(self, raw: Mapping[Field, Int64s], present: Mapping[Field, Booleans]) -> UInt8s:
        """The bits that pass of each frame: uint8 of shape (frames, W)."""
        count = len(next(iter(raw.values())))
        combined = np.zeros(count, np.int64)
        known = np.ones(count, np.bool_)
        for field, values, classes, size in zip(
            self.fields, self.values, self.classes, self.sizes, strict=True
        ):
            place = np.minimum(np.searchsorted(values, raw[field]), len(values) - 1)
            known &= (values[place] == raw[field]) & present[field]
            combined = combined * size + classes[place]
        found = np.minimum(np.searchsorted(self.keys, combined), len(self.keys) - 1)
        known &= self.keys[found] == combined
        selected: UInt8s = self.masks[np.where(known, found, len(self.keys))]
        return selected


def selected_bits(layers: Sequence[Layer], data: UInt8s, length: UInt16s, width: int) -> UInt8s:
    """Bits of all `layers` that pass by the multiplexers' values: uint8 of shape (frames, width).

    Args:
        layers: the layers of one row.
        data: uint8 of shape (frames, W).
        length: how many bytes each frame has; a multiplexer beyond them is not there.
        width: columns of the result.
    """
    fields = {field for layer in layers for field in layer.fields}
    raw = {field: raw_values(data, field) for field in fields}
    present = {field: length > max(field[0]) // 8 for field in fields}
    mask = np.zeros((len(data), width), np.uint8)
    for layer in layers:
        selected = layer.select(raw, present)
        shared = min(width, selected.shape[1])
        mask[:, :shared] |= selected[:, :shared]
    return mask


class Run(NamedTuple):
    """Neighbouring bits of a field that lie in one byte.

    Attributes:
        byte: which.
        low: the lowest of them in it.
        bits: how many.
        weight: the bit of the value that the lowest is.
    """

    byte: int
    low: int
    bits: int
    weight: int


@cache
def bit_runs(bits: tuple[int, ...]) -> tuple[Run, ...]:
    """The bits of a field, lowest first, in as few runs as there may be."""
    runs: list[Run] = []
    weight = 0
    while weight < len(bits):
        byte, low = divmod(bits[weight], 8)
        run = 1
        while weight + run < len(bits) and bits[weight + run] == bits[weight] + run and low + run < 8:  # noqa: PLR2004 - bits of a byte
            run += 1
        runs.append(Run(byte, low, run, weight))
        weight += run
    return tuple(runs)


def raw_values(data: UInt8s, field: Field) -> Int64s:
    """The raw values of a multiplexer in each frame; bits past the data are 0."""
    bits, signed = field
    value = np.zeros(len(data), np.int64)
    for byte, low, run, weight in bit_runs(bits):
        if byte < data.shape[1]:
            piece = (data[:, byte] >> low) & ((1 << run) - 1)
            value |= piece.astype(np.int64) << weight
    if signed:
        value -= (value >> (len(bits) - 1)) << len(bits)
    return value


def layers_of(kept: Iterable[Judged], width: int) -> Iterable[Layer]:
    """The layers of those of `kept` that depend on multiplexers; masks are `width` bytes wide."""
    by_fields: dict[tuple[Field, ...], dict[Presence, list[Judged]]] = defaultdict(lambda: defaultdict(list))
    for judged in kept:
        if judged.presence and all(values for _, values in judged.presence):
            fields = tuple(sorted(field for field, _ in judged.presence))
            by_fields[fields][judged.presence].append(judged)
    for fields, presences in by_fields.items():
        yield _layer(fields, presences, width)


def _layer(fields: tuple[Field, ...], presences: Mapping[Presence, list[Judged]], width: int) -> Layer:
    asked = [dict(presence) for presence in presences]
    values: list[list[int]] = []
    classes: list[dict[int, int]] = []
    for field in fields:
        numbers: dict[tuple[bool, ...], int] = {}
        of_value: dict[int, int] = {}
        for value in sorted(frozenset().union(*(presence[field] for presence in asked))):
            signature = tuple(value in presence[field] for presence in asked)
            of_value[value] = numbers.setdefault(signature, len(numbers))
        values.append(list(of_value))
        classes.append(of_value)
    sizes = tuple(max(of_value.values()) + 1 for of_value in classes)
    masks: dict[int, UInt8s] = {}
    for presence, signals in zip(asked, presences.values(), strict=True):
        bits = bits_of(signals, width)
        choices = [
            sorted({of_value[value] for value in presence[field]})
            for field, of_value in zip(fields, classes, strict=True)
        ]
        for combination in product(*choices):
            key = 0
            for part, size in zip(combination, sizes, strict=True):
                key = key * size + part
            masks[key] = masks.get(key, np.zeros(width, np.uint8)) | bits
    keys = sorted(masks)
    return Layer(
        fields=fields,
        values=tuple(np.array(known, np.int64) for known in values),
        classes=tuple(np.array(list(of_value.values()), np.int64) for of_value in classes),
        sizes=sizes,
        keys=np.array(keys, np.int64),
        masks=np.stack([*(masks[key] for key in keys), np.zeros(width, np.uint8)]),
    )


def bits_of(signals: Iterable[Judged], width: int) -> UInt8s:
    """The bits of `signals`: uint8 of shape (width,)."""
    mask = np.zeros(width, np.uint8)
    for judged in signals:
        for bit in judged.signal.bits:
            mask[bit // 8] |= np.uint8(1 << bit % 8)
    return mask
