"""A board's records hold what the gateway's would, from the same frames."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from edge.firmware.decoder import BoardDecoder, board_decoder
from edge.frames import Frame, FrameFlag
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.policyfile import profile
from edge.records import Missing
from firmware.telemetry.dispatch import Dispatcher
from firmware.telemetry.record import ABNORMAL, INVALID
from firmware.telemetry.sampler import Sampler, fraction_of
from tests.decode.test_parity import put, random_payloads
from tests.firmware.decoder_proof import loaded
from tests.firmware.gateway_twin import MS, GatewayTwin
from tests.firmware.vehicles import Vehicle, reference_board, reference_vehicle
from tests.vehicle.state import bind, made_up

SEED = 20_261_122
RECORDS = 15


def traffic(board: BoardDecoder, records: int) -> Iterator[tuple[int, list[Frame]]]:
    """Each period in milliseconds, and frames of before: some short."""
    source = random.Random(SEED)  # noqa: S311 - to be repeated, not secret
    pools = {
        planned.function: list(random_payloads(planned.message, 60, source))
        for planned in board.plan.messages
    }
    for number in range(1, records + 1):
        frames: list[Frame] = []
        for t_ms in sorted(source.sample(range((number - 1) * 1000, number * 1000), 60)):
            planned = source.choice(board.plan.messages)
            message = planned.message
            payload = bytearray(source.choice(pools[planned.function]))
            for group in planned.groups:
                for field in group.fields:
                    if len(field.signal.bits) == 1 or field.latch is not None:
                        put(
                            payload, field.signal, int(source.random() < 0.7 if field.latch is None else 0.02)
                        )
            if source.random() < 0.1:
                del payload[source.randrange(len(payload) + 1) :]
            flags = FrameFlag.EXTENDED if message.extended else FrameFlag(0)
            bus = board.plan.buses[planned.bus]
            frames.append(Frame(t_ms * MS, message.arbitration_id, bytes(payload), bus, flags))
        yield number * 1000, frames


def told(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(told(one) for one in value)
    return Missing.INVALID if value is INVALID else Missing.ABNORMAL if value is ABNORMAL else value


def compare(board: BoardDecoder, vehicle: Vehicle, records: int) -> tuple[set[str], int]:
    """Sample on both sides after each second's frames; which items ever had a value, and how many halves."""
    twin = GatewayTwin(board, vehicle)
    sampler = Sampler(twin.module)
    seen: set[str] = set()
    for t_ms, frames in traffic(board, records):
        twin.hear(frames)
        found = dict(zip(board.items, map(told, sampler.read(t_ms)), strict=True))
        sampler.told()
        seen |= twin.check(t_ms, found, alarm=sampler.alarm)
    assert twin.dispatcher.decoded == 60 * records
    return seen, twin.halves


def test_records_are_the_gateways() -> None:
    board = reference_board("gbt44464")
    seen, _ = compare(board, reference_vehicle(), RECORDS)
    assert seen == set(board.items)


def test_records_are_the_gateways_however_items_are_bound(tmp_path: Path) -> None:
    database = made_up()
    names = [(message.name, signal.name) for message in database.messages for signal in message.signals]
    classed = ClassedDatabase(database, dict.fromkeys(names, DataClass.OPERATION))
    vehicle = Vehicle({"pt": (classed,)}, {"pt": (bind(ALL_WAYS, tmp_path),)})
    board = board_decoder(vehicle.classed, vehicle.bindings, profile("gbt44464"), ("pt",))
    seen, halves = compare(board, vehicle, 60)
    assert seen == set(board.items)
    assert halves > 0, "nothing lay between two steps"


def test_what_latched_shows_until_it_is_told() -> None:
    board = reference_board("gbt44464")
    module = loaded(board.source())
    dispatcher, sampler = Dispatcher(module), Sampler(module)
    flags = board.items.index("alarm.flags")
    hot = next(one for one in board.plan.fields if one.signal.name == "AlarmBatteryHighTemp")
    message = next(one for one in board.plan.messages if one.message.name == hot.ref.message)
    up = bytearray(8)
    put(up, hot.signal, 1)

    def heard(payload: bytearray, now: int) -> None:
        dispatcher.take(message.bus, 0, message.message.arbitration_id, payload, 8, now)

    heard(up, 100)
    heard(bytearray(8), 200)
    assert sampler.read(1000)[flags] == sampler.read(2000)[flags] == 1 << 1
    sampler.told()
    assert sampler.read(3000)[flags] == 0
    assert sampler.read(3201)[flags] is INVALID


def test_no_value_looks_young_again_when_the_clock_comes_round() -> None:
    board = reference_board("gbt44464")
    module = loaded(board.source())
    dispatcher, sampler = Dispatcher(module), Sampler(module)
    message = next(one for one in board.plan.messages if one.message.name == "VCU_Alarms")
    last = (1 << 30) - 1
    highest = board.items.index("alarm.max_level")
    dispatcher.take(message.bus, 0, message.message.arbitration_id, bytearray(8), 8, last)
    assert sampler.read(1000)[highest] == 0
    sampler.told()
    for now in range(1000, last, 1 << 27):
        sampler.read(now)
    assert sampler.read(last)[highest] is INVALID


@pytest.mark.parametrize(("form", "cells"), [("e", 1), ("f", 2), ("d", 3)])
@pytest.mark.parametrize("value", [0.0, -0.0, 1.5, -2.75, 6e-8, 1e4, 0.1, float("inf"), float("nan")])
def test_the_bits_of_a_float_are_an_exact_fraction(form: str, cells: int, value: float) -> None:
    packed = struct.pack(f"<{form}", value)
    (exact,) = struct.unpack(f"<{form}", packed)
    above, below = fraction_of(int.from_bytes(packed, "little"), cells)
    if math.isfinite(exact):
        assert Fraction(above, below) == Fraction(exact)
    else:
        assert below == 0


ALL_WAYS = """
[items."vehicle.speed"]
signals = ["Motion.RearLeft", "Motion.RearRight"]
combine = "mean"
range = [0, 220]
[items."vehicle.gear"]
signal = "Motion.Gear"
invalid = ["Fault"]
[items."vehicle.gear".map]
Park = "P"
Reverse = "R"
Neutral = "N"
Drive = "D"
[items."vehicle.brake_force"]
signal = "Motion.Pressure"
when = "> 0.5"
[items."hv.soc"]
signal = "Battery.Charge"
invalid = [127.5]
abnormal = [127]
range = [0, 100]
[items."pack[1].current"]
signal = "Battery.Current"
[items."pack[2].current"]
signal = "Battery.Current"
scale = 0.5
[items."hv.current"]
derive = "sum"
of = "pack[*].current"
[items."pack[1].cells"]
signals = "Cells.Cell_{n}"
valid_when = "Motion.SpeedValid"
invalid = [6.5535]
[items."bat.max_cell_v"]
derive = "maximum"
of = "pack[*].cells"
[items."alarm.battery_codes"]
signals = "Alarms.Code_{n}"
[items."alarm.flags"]
latched = true
[items."alarm.flags".bits]
1 = "Alarms.Hot"
11 = "Alarms.Insulation"
23 = "Alarms.Thermal"
[items."alarm.flags".levels]
1 = 3
11 = "Temperatures.Level"
[items."alarm.max_level"]
derive = "max_level"
of = "alarm.flags"
[items."alarm.levels"]
derive = "levels"
of = "alarm.flags"
"""
