"""What a record must hold, said by cantools and exact decimals, with none of the gateway's own code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

import cantools.database
import cantools.database.can

NS_PER_S = 1_000_000_000

Signals = Mapping[str, tuple[int, float]]
"""By ``Message.Signal``: when it was last received, and its value without choices."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One item: the signals that it needs, how its value comes of them, and how it is held.

    Attributes:
        signals: ``Message.Signal`` names; all must be fresh.
        value: of their values, in the item's unit; None where they say that there is none.
        step: the item's resolution.
        least: of the physical value, below which it is abnormal.
        most: above which it is abnormal.
        fresh_s: age in seconds beyond which it is invalid.
    """

    signals: tuple[str, ...]
    value: Callable[..., float | None]
    step: str
    least: float
    most: float
    fresh_s: float = 3.0

    def at(self, t_ns: int, signals: Signals) -> int | str:
        """The item's value at an instant: steps, ``invalid`` or ``abnormal``."""
        values = []
        for name in self.signals:
            if name not in signals or t_ns - signals[name][0] > self.fresh_s * NS_PER_S:
                return "invalid"
            values.append(signals[name][1])
        value = self.value(*values)
        if value is None:
            return "invalid"
        if not self.least <= value <= self.most:
            return "abnormal"
        return int((Decimal(repr(value)) / Decimal(self.step)).quantize(Decimal(1), ROUND_HALF_EVEN))


@dataclass(slots=True)
class Oracle:
    """Follows frames in time order and tells what each record must hold.

    Attributes:
        messages: cantools' message by bus and arbitration id.
        items: the items by id, by the bus whose signals they need.
    """

    messages: Mapping[tuple[str, int], cantools.database.can.Message]
    items: Mapping[str, Mapping[str, Expected]]
    signals: dict[str, dict[str, tuple[int, float]]] = field(default_factory=dict)
    decoded: int = 0
    unknown_multiplexer: int = 0

    def run(
        self, frames: Iterable[tuple[int, str, int, bytes]], period_ns: int = NS_PER_S
    ) -> dict[int, dict[str, int | str]]:
        """What the records must hold, by instant, of frames (t_ns, bus, id, data) in any order."""
        records: dict[int, dict[str, int | str]] = {}
        due_ns = 0
        for t_ns, bus, identifier, data in sorted(frames, key=lambda frame: frame[:2]):
            due_ns = due_ns or (t_ns // period_ns + 1) * period_ns
            while t_ns >= due_ns:
                records[due_ns] = {
                    item_id: item.at(due_ns, self.signals.get(bus_of_item, {}))
                    for bus_of_item, items in self.items.items()
                    for item_id, item in items.items()
                }
                due_ns += period_ns
            self._take(t_ns, bus, identifier, data)
        return records

    def _take(self, t_ns: int, bus: str, identifier: int, data: bytes) -> None:
        message = self.messages.get((bus, identifier))
        if message is None:
            return
        try:
            values = message.decode(data, decode_choices=False, allow_truncated=True)
        except cantools.database.DecodeError:
            self.unknown_multiplexer += 1
            return
        assert isinstance(values, dict)
        self.decoded += 1
        for name, value in values.items():
            assert isinstance(value, (int, float))
            self.signals.setdefault(bus, {})[f"{message.name}.{name}"] = (t_ns, value)
