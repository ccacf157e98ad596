"""Records equal what cantools says of the last frame before the instant, rounded by decimal arithmetic."""

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import cantools.database
import cantools.database.can
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.catalogue.binding import load_binding
from edge.catalogue.catalogue import builtin
from edge.clock import Timebase
from edge.decode.latest import LatestValues
from edge.decode.plan import DecodePlan
from edge.frames import Frame, FrameBatch
from edge.records import Missing, Value
from edge.vehicle.sampler import Sampler
from edge.vehicle.schedule import Schedule
from tests.vehicle.state import MADE_UP, S, bind, made_up

BINDING = """
[items."vehicle.speed"]
signal = "Motion.Speed"
[items."hv.voltage"]
signal = "Battery.Voltage"
[items."hv.current"]
signal = "Battery.Current"
[items."bat.max_temp"]
signal = "Battery.TempF"
[items."motor[1].speed"]
signal = "Motor.Rpm"
[items."motor[1].torque"]
signal = "Motor.Torque"
[items."pack[1].cells"]
signals = "Cells.Cell_{n}"
"""
IDS = (256, 257, 258, 261)
DEFAULT_LIMIT_NS = 3 * S


def rounded(value: Decimal, item_id: str) -> int | Missing:
    item = builtin().item(item_id)
    steps = int((value / item.resolution).to_integral_value(ROUND_HALF_EVEN))
    return steps if item.minimum <= steps * item.resolution <= item.maximum else Missing.ABNORMAL


def same(value: Decimal) -> Decimal:
    return value


PLAIN: Mapping[str, tuple[int, str, Callable[[Decimal], Decimal]]] = {
    "vehicle.speed": (256, "Speed", same),
    "hv.voltage": (257, "Voltage", lambda millivolts: millivolts / 1000),
    "hv.current": (257, "Current", same),
    "bat.max_temp": (257, "TempF", lambda fahrenheit: (fahrenheit - 32) * 5 / 9),
    "motor[1].speed": (261, "Rpm", same),
    "motor[1].torque": (261, "Torque", same),
}


class Oracle:
    """Goes through all frames for every instant and asks cantools: slow, and nothing to get wrong."""

    def __init__(self, frames: list[Frame]) -> None:
        database = cantools.database.load_file(MADE_UP)
        assert isinstance(database, cantools.database.can.Database)
        self._database = database
        self._frames = frames

    def last(self, arbitration_id: int, signal: str, t_ns: int) -> int | float | None:
        found, when = None, -1
        for frame in self._frames:
            if frame.arbitration_id != arbitration_id or frame.t_ns >= t_ns or frame.t_ns < when:
                continue
            if arbitration_id == 258 and frame.data[0] not in (0, 1):
                continue
            decoded = self._database.decode_message(arbitration_id, frame.data, decode_choices=False)
            assert isinstance(decoded, dict)
            if signal in decoded:
                found, when = decoded[signal], frame.t_ns
        return found if when >= 0 and t_ns - when <= DEFAULT_LIMIT_NS else None  # type: ignore[return-value]

    def value(self, arbitration_id: int, signal: str, t_ns: int, item_id: str) -> int | Missing:
        found = self.last(arbitration_id, signal, t_ns)
        convert = next((row[2] for row in PLAIN.values() if row[1] == signal), same)
        return Missing.INVALID if found is None else rounded(convert(Decimal(repr(found))), item_id)

    def record(self, t_ns: int) -> dict[str, Value]:
        values: dict[str, Value] = {
            item_id: self.value(arbitration_id, signal, t_ns, item_id)
            for item_id, (arbitration_id, signal, _) in PLAIN.items()
        }
        values["pack[1].cells"] = tuple(
            self.value(258, f"Cell_{n}", t_ns, "pack[1].cells") for n in range(1, 7)
        )
        return values


@st.composite
def traffic(draw: st.DrawFn) -> list[Frame]:
    frames = []
    t_ns = 0
    for _ in range(draw(st.integers(1, 30))):
        t_ns += draw(st.sampled_from([0, 1, S // 10, S // 3, S, 2 * S, 4 * S]) | st.integers(0, S))
        arbitration_id = draw(st.sampled_from(IDS))
        data = draw(st.binary(min_size=8, max_size=8))
        if arbitration_id == 258:
            data = bytes([draw(st.integers(0, 2))]) + data[1:]
        frames.append(Frame(t_ns, arbitration_id, data, bus="pt"))
    return frames


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames=traffic(), pieces=st.integers(1, 4))
def test_records_are_what_cantools_says(tmp_path: Path, frames: list[Frame], pieces: int) -> None:
    path = tmp_path / "made_up.binding.toml"
    binding = load_binding(path, made_up(), builtin()) if path.exists() else bind(BINDING, tmp_path)
    sampler = Sampler({"pt": [binding]}, builtin())
    latest = LatestValues(DecodePlan({"pt": [made_up()]}, wanted=sampler.wanted))
    schedule = Schedule(S, start_ns=frames[0].t_ns)
    oracle = Oracle(frames)
    records = []
    size = -(-len(frames) // pieces)
    for start in range(0, len(frames), size):
        batch = FrameBatch.from_frames(frames[start : start + size])
        for part, instant_ns in schedule.cut(batch, int(batch.t_ns[-1])):
            latest.update(part)
            if instant_ns is not None:
                records.append(sampler.sample(instant_ns, Timebase(), latest.snapshot()))
    assert [record.number for record in records] == list(range(1, len(records) + 1))
    for record in records:
        assert dict(record.values) == oracle.record(record.t_ns)
