"""Turns bound items into functions of the last values, so that sampling looks nothing up twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

import numpy as np

from edge.catalogue.bound import (
    Bit,
    BitSet,
    BoundItem,
    Combination,
    Combined,
    Constant,
    Elements,
    One,
)
from edge.catalogue.condition import Condition, SignalName
from edge.database.model import SignalRef
from edge.records import Element, Missing, Value

Values = Mapping[SignalRef, int | float]
Times = Mapping[SignalRef, int]
Keys = Mapping[SignalRef, SignalRef]
Evaluate = Callable[[Values, Times, Values, int], Value]
"""From the last values, their times, what latched signals showed, and the instant, to an item's value."""

_EXACT_FLOAT = 2**53


def evaluator(bound: BoundItem, bus: str, keys: Keys) -> Evaluate:
    """The function that samples one item bound to signals or to a constant on `bus`.

    Args:
        bound: the item.
        bus: where its signals are spoken.
        keys: for each signal the very object by which the last values are kept, where it is known: a key
            that is the same object is found without comparing its names.

    Raises:
        TypeError: if the item is derived from others.
    """
    source = bound.source
    limit_ns = bound.freshness_ns
    absent: Value = Missing.INVALID
    if isinstance(source, One):
        evaluate = _one(source, _ref(bus, source.signal, keys), limit_ns)
    elif isinstance(source, Combined):
        evaluate = _combined(source, _refs(bus, source.signals, keys), limit_ns)
    elif isinstance(source, Elements):
        evaluate = _elements(source, _refs(bus, source.signals, keys), limit_ns)
        if source.none is None:
            absent = (Missing.INVALID,) * len(source.signals)
    elif isinstance(source, BitSet):
        evaluate = _bit_set(source.bits, bus, keys, latched=source.latched, limit_ns=limit_ns)
    elif isinstance(source, Constant):
        evaluate = _constant(source.value)
    else:
        raise TypeError(f"'{bound.id}' is derived and has no signals")
    return (
        evaluate
        if bound.valid_when is None
        else _guarded(evaluate, bound.valid_when, _ref(bus, bound.valid_when.signal, keys), limit_ns, absent)
    )


def _ref(bus: str, name: SignalName, keys: Keys) -> SignalRef:
    ref = SignalRef(bus, name.message, name.signal)
    return keys.get(ref, ref)


def _refs(bus: str, names: Sequence[SignalName], keys: Keys) -> tuple[SignalRef, ...]:
    return tuple(_ref(bus, name, keys) for name in names)


def _guarded(evaluate: Evaluate, guard: Condition, ref: SignalRef, limit_ns: int, absent: Value) -> Evaluate:
    """`evaluate` while `guard` holds on a fresh value, else `absent`."""
    holds = guard.comparison.holds

    def judge(values: Values, times: Times, latched: Values, t_ns: int) -> Value:
        at_ns = times.get(ref)
        if at_ns is None or not 0 < t_ns - at_ns <= limit_ns or not holds(values[ref]):
            return absent
        return evaluate(values, times, latched, t_ns)

    return judge


def _one(source: One, ref: SignalRef, limit_ns: int) -> Evaluate:
    element: Callable[[float], Element] = (
        source.reading.quantiser if source.reading.plain else source.reading.element
    )

    def read(values: Values, times: Times, latched: Values, t_ns: int) -> Value:
        del latched
        at_ns = times.get(ref)
        if at_ns is None or not 0 < t_ns - at_ns <= limit_ns:
            return Missing.INVALID
        return element(values[ref])

    return read


def _combined(source: Combined, refs: tuple[SignalRef, ...], limit_ns: int) -> Evaluate:
    reading = source.reading
    combine = _COMBINATIONS[source.combination]

    def read(values: Values, times: Times, latched: Values, t_ns: int) -> Value:
        del latched
        meanings: list[Fraction] = []
        abnormal = False
        for ref in refs:
            at_ns = times.get(ref)
            if at_ns is None or not 0 < t_ns - at_ns <= limit_ns:
                return Missing.INVALID
            value = values[ref]
            if value in reading.invalid:
                return Missing.INVALID
            if value in reading.abnormal:
                abnormal = True
                continue
            try:
                meanings.append(Fraction(value if isinstance(value, int) else Decimal(repr(float(value)))))
            except (OverflowError, ValueError):
                abnormal = True
        return Missing.ABNORMAL if abnormal else reading.quantiser.fraction(combine(meanings))

    return read


def _mean(meanings: Sequence[Fraction]) -> Fraction:
    return sum(meanings, Fraction(0)) / len(meanings)


def _sum(meanings: Sequence[Fraction]) -> Fraction:
    return sum(meanings, Fraction(0))


def _greatest(meanings: Sequence[Fraction]) -> Fraction:
    return max(meanings)


def _least(meanings: Sequence[Fraction]) -> Fraction:
    return min(meanings)


_COMBINATIONS: Mapping[Combination, Callable[[Sequence[Fraction]], Fraction]] = {
    Combination.MEAN: _mean,
    Combination.SUM: _sum,
    Combination.MAXIMUM: _greatest,
    Combination.MINIMUM: _least,
}


def _elements(source: Elements, refs: tuple[SignalRef, ...], limit_ns: int) -> Evaluate:
    reading, none = source.reading, source.none
    plain = reading.plain
    element: Callable[[float], Element] = reading.quantiser if plain else reading.element

    def read(values: Values, times: Times, latched: Values, t_ns: int) -> Value:
        del latched
        stamps = list(map(times.get, refs))
        known = [at_ns for at_ns in stamps if at_ns is not None]
        given: list[float | None]
        if len(known) == len(refs) and max(known) < t_ns and t_ns - min(known) <= limit_ns:
            given = list(map(values.__getitem__, refs))
        else:
            given = [
                values[ref] if at_ns is not None and 0 < t_ns - at_ns <= limit_ns else None
                for ref, at_ns in zip(refs, stamps, strict=True)
            ]
        if none is not None:
            codes = [element(value) for value in given if value is not None]
            return tuple(code for code in codes if code != none) if codes else Missing.INVALID
        if plain and None not in given:
            column = np.array(given)
            if column.dtype == np.float64 or (
                column.dtype.kind in "iu" and not np.any(np.abs(column) >= _EXACT_FLOAT)
            ):
                return reading.quantiser.array(column.astype(np.float64))
        return tuple(Missing.INVALID if value is None else element(value) for value in given)

    return read


def _bit_set(bits: Sequence[Bit], bus: str, keys: Keys, *, latched: bool, limit_ns: int) -> Evaluate:
    table = tuple(
        (1 << bit.number, _ref(bus, condition.signal, keys), condition.comparison.holds)
        for bit in bits
        for condition in bit.conditions
    )

    def read(values: Values, times: Times, seen: Values, t_ns: int) -> Value:
        up, known = 0, False
        for mask, ref, holds in table:
            at_ns = times.get(ref)
            if at_ns is not None and 0 < t_ns - at_ns <= limit_ns:
                known = True
                if holds(values[ref]):
                    up |= mask
            if latched and seen.get(ref):
                known = True
                up |= mask
        return up if known else Missing.INVALID

    return read


def _constant(value: int) -> Evaluate:
    def read(values: Values, times: Times, latched: Values, t_ns: int) -> Value:
        del values, times, latched, t_ns
        return value

    return read
