"""`Summary`: what a recording held; summaries of its pieces, put together in order, are that of the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np

from edge import accelerated
from edge.database.model import SignalRef
from edge.decode.field import Values
from edge.decode.message import Column

_COUNTS = ("frames", "decoded", "unknown", "unknown_multiplexer", "short", "too_short", "not_data")


@dataclass(slots=True)
class SignalSummary:
    """The values of one signal: how many, least and greatest (NaN apart), the last."""

    count: int = 0
    minimum: int | float | None = None
    maximum: int | float | None = None
    last: int | float | None = None

    def merge(self, later: SignalSummary) -> None:
        """Take in what came after; of equal values the earlier one stays."""
        self.count += later.count
        if later.count:
            self.last = later.last
        if later.minimum is not None and (self.minimum is None or later.minimum < self.minimum):
            self.minimum = later.minimum
        if later.maximum is not None and (self.maximum is None or later.maximum > self.maximum):
            self.maximum = later.maximum


def summaries(columns: Sequence[Values]) -> list[SignalSummary]:
    """What to say of the values of each of `columns`; of equal values the first one counts."""
    if accelerated.native is None:
        return [_summary(values) for values in columns]
    found = accelerated.native.extremes(columns)
    return [
        SignalSummary(*one) if one is not None else _summary(values)
        for one, values in zip(found, columns, strict=True)
    ]


def _summary(values: Values) -> SignalSummary:
    last = _plain(values[-1])
    low = values[values.argmin()]
    numbers = values
    if low != low:  # noqa: PLR0124 - NaN, which the search hands on
        numbers = values[~np.isnan(values)]
        if not len(numbers):
            return SignalSummary(len(values), None, None, last)
        low = numbers[numbers.argmin()]
    return SignalSummary(len(values), _plain(low), _plain(numbers[numbers.argmax()]), last)


def _plain(value: Any) -> int | float:  # noqa: ANN401 - a NumPy scalar, or Python's own number
    number: int | float = value.item() if isinstance(value, np.generic) else value
    return number


@dataclass(slots=True)
class Summary:
    """What a recording held.

    Attributes:
        frames: data, error and remote frames that were read.
        decoded: frames that a database describes.
        unknown: frames that no database describes.
        unknown_multiplexer: among the decoded, with a multiplexer value that no database knows.
        short: among the decoded, shorter than their message: some signals missing.
        too_short: frames without one whole signal.
        not_data: error and remote frames.
        not_admitted: frames that the door kept back, by cause; empty without a policy.
        masks: name of the door's mask by bus; empty without a policy.
        withheld: signals that were not collected.
        signals: the values of each signal that was seen.
    """

    frames: int = 0
    decoded: int = 0
    unknown: int = 0
    unknown_multiplexer: int = 0
    short: int = 0
    too_short: int = 0
    not_data: int = 0
    not_admitted: dict[str, int] = field(default_factory=dict)
    masks: dict[str, str] = field(default_factory=dict)
    withheld: set[SignalRef] = field(default_factory=set)
    signals: dict[SignalRef, SignalSummary] = field(default_factory=dict)

    @property
    def values(self) -> int:
        """How many values there are of all signals."""
        return sum(one.count for one in self.signals.values())

    @property
    def policy(self) -> str:
        """The masks in words, as tables state them."""
        return ", ".join(f"{bus}: {mask}" for bus, mask in self.masks.items()) or "none"

    def counts(self) -> dict[str, int]:
        """The counts of frames, by name."""
        return {name: getattr(self, name) for name in _COUNTS}

    def add(self, columns: Mapping[SignalRef, Column]) -> None:
        """Take in the values of a batch."""
        signals = self.signals
        found = summaries([column.values for column in columns.values()])
        for ref, one in zip(columns, found, strict=True):
            known = signals.get(ref)
            if known is None:
                signals[ref] = one
            else:
                known.merge(one)

    def merge(self, later: Summary) -> None:
        """Take in the summary of what came after."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(later, name))
        for cause, count in later.not_admitted.items():
            self.not_admitted[cause] = self.not_admitted.get(cause, 0) + count
        self.masks |= later.masks
        self.withheld |= later.withheld
        for ref, one in later.signals.items():
            self.signals.setdefault(ref, SignalSummary()).merge(one)

    def as_plain(self) -> dict[str, Any]:
        """The summary as values that JSON knows, and NaN and infinities as Python writes them there."""
        return {
            **self.counts(),
            "not_admitted": dict(sorted(self.not_admitted.items())),
            "masks": self.masks,
            "withheld": [[ref.bus, ref.message, ref.signal] for ref in sorted(self.withheld)],
            "signals": [
                [ref.bus, ref.message, ref.signal, *asdict(one).values()]
                for ref, one in sorted(self.signals.items())
            ],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The summary that `as_plain` gave; what is none raises KeyError, TypeError or ValueError."""
        return cls(
            **{name: int(plain[name]) for name in _COUNTS},
            not_admitted=dict(plain["not_admitted"]),
            masks=dict(plain["masks"]),
            withheld={SignalRef(*names) for names in plain["withheld"]},
            signals={
                SignalRef(bus, message, signal): SignalSummary(*numbers)
                for bus, message, signal, *numbers in plain["signals"]
            },
        )
