"""A board's record beside the gateway's of the same frames: equal, but in the exact middle of two steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from fractions import Fraction

from edge.catalogue.bound import Combination, Combined, Derived, Elements, One, Reading
from edge.catalogue.catalogue import builtin
from edge.catalogue.condition import SignalName
from edge.clock import Timebase
from edge.database.model import SignalRef
from edge.decode.latest import LatestValues
from edge.decode.plan import DecodePlan
from edge.firmware.decoder import BoardDecoder
from edge.frames import Frame, FrameBatch, FrameFlag
from edge.records import Missing
from edge.vehicle.sampler import Sampler as GatewaySampler
from firmware.telemetry.dispatch import Dispatcher
from tests.firmware.decoder_proof import loaded
from tests.firmware.vehicles import Vehicle

MS = 1_000_000

_EXACTLY: Mapping[Combination, Callable[[list[Fraction]], Fraction]] = {
    Combination.MEAN: lambda parts: Fraction(sum(parts), len(parts)),
    Combination.SUM: lambda parts: Fraction(sum(parts)),
    Combination.MAXIMUM: max,
    Combination.MINIMUM: min,
}


class GatewayTwin:
    """Hears what a board hears, and judges what the board made of it.

    The board rounds the exact decimal sum, the gateway the double that cantools gives. So they may differ
    where that sum, computed here from the raw values, lies exactly between two steps; and then the board has
    the even one, and the gateway a neighbour. Nowhere else.

    Attributes:
        module: the generated decoder, on this Python.
        dispatcher: brings it the frames.
        halves: how often a value lay between, and the two differed.
    """

    def __init__(self, board: BoardDecoder, vehicle: Vehicle) -> None:
        self.module = loaded(board.source())
        self.dispatcher = Dispatcher(self.module)
        self.halves = 0
        self._buses = board.plan.buses
        self._fields = {one.ref: one for one in board.plan.fields}
        self._bound = {
            bound.id: (bus, bound)
            for bus, files in vehicle.bindings.items()
            for binding in files
            for bound in binding
        }
        self._gateway = GatewaySampler(
            vehicle.bindings, builtin(), withheld=board.withheld, admits=lambda one: one in board.collect
        )
        assert self._gateway.items == board.items
        self._latest = LatestValues(
            DecodePlan(vehicle.databases, wanted=self._gateway.wanted),
            latched=self._gateway.latched,
            followed=self._gateway.followed,
        )

    def hear(self, frames: Iterable[Frame]) -> None:
        """Give frames, whose times are whole milliseconds, to both."""
        heard = list(frames)
        for frame in heard:
            kind = 0x10 if frame.flags & FrameFlag.EXTENDED else 0
            data = bytearray(frame.data)
            number = self._buses.index(frame.bus)
            self.dispatcher.take(number, kind, frame.arbitration_id, data, len(data), frame.t_ns // MS)
        self._latest.update(FrameBatch.from_frames(heard))

    def check(self, t_ms: int, found: Mapping[str, object], *, alarm: bool) -> set[str]:
        """Compare the board's record of that time with the gateway's; tells which items have a value."""
        expected = self._gateway.sample(t_ms * MS, Timebase(), self._latest.snapshot())
        assert found.keys() == expected.values.keys()
        assert alarm == expected.alarm
        differing = {item for item, value in found.items() if value != expected.values[item]}
        for item in differing:
            self._explain(item, found[item], expected.values[item], differing)
        return {item for item, value in found.items() if not isinstance(value, Missing)}

    def _explain(self, item: str, ours: object, theirs: object, differing: set[str]) -> None:
        bus, bound = self._bound[item]
        source = bound.source
        match source:
            case One():
                self._half(item, ours, theirs, self._steps(bus, [source.signal], source.reading))
            case Elements() if isinstance(ours, tuple) and isinstance(theirs, tuple):
                assert len(ours) == len(theirs) == len(source.signals), item
                for name, one, other in zip(source.signals, ours, theirs, strict=True):
                    if one != other:
                        self._half(item, one, other, self._steps(bus, [name], source.reading))
            case Combined():
                steps = self._steps(bus, source.signals, source.reading, _EXACTLY[source.combination])
                self._half(item, ours, theirs, steps)
            case Derived():
                # Both derive it from their own values, each of which is judged by itself.
                origins = {
                    one for one in differing for of in source.of if one.split("[")[0] == of.split("[")[0]
                }
                assert origins - {item}, item
                assert isinstance(ours, int), item
                assert isinstance(theirs, int), item
                assert abs(ours - theirs) <= len(origins), item
            case _:
                raise AssertionError(item, ours, theirs)

    def _half(self, item: str, ours: object, theirs: object, exact: Fraction) -> None:
        assert exact.denominator == 2, (item, ours, theirs, exact)
        assert ours == round(exact), (item, ours, theirs, exact)
        assert theirs in {math.floor(exact), math.ceil(exact)}, (item, ours, theirs, exact)
        self.halves += 1

    def _steps(
        self,
        bus: str,
        names: Iterable[SignalName],
        reading: Reading,
        combine: Callable[[list[Fraction]], Fraction] = max,
    ) -> Fraction:
        physical = []
        for name in names:
            field = self._fields[SignalRef(bus, name.message, name.signal)]
            assert not field.signal.is_float
            scale, offset = (
                Fraction(Decimal(repr(one))) for one in (field.conversion.scale, field.conversion.offset)
            )
            physical.append(field.raw(self.module.VALUES) * scale + offset)
        exact = reading.quantiser.exact
        return combine(physical) * exact.scale + exact.offset
