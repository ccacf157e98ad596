"""The vehicle: the same for the same seed, true to physics, and its frames true to it."""

from collections.abc import Mapping
from functools import cache
from math import cos, hypot, radians

import numpy as np
import pytest

from edge.frames import FrameBatch, concatenate
from simulator.vehicle.battery import CELLS
from simulator.vehicle.channels import CHUNK_STEPS, STEP_S
from simulator.vehicle.checksum import crc8
from simulator.vehicle.physics import Physics
from simulator.vehicle.route import curvature_radii_m
from simulator.vehicle.scenario import SCENARIOS, ForcedAlarm, Phase, Scenario, named
from simulator.vehicle.source import SimulatedSource
from simulator.vehicle.vehicle import ReferenceVehicle
from simulator.vehicle.wiring import BUSES, load_wiring

Columns = Mapping[str, np.ndarray[tuple[int], np.dtype[np.float64]]]
LATEST_NS = 6_000_000
SECONDS = {"drive": 100, "alarm": 60, "thermal-event": 40, "tunnel": 40, "charge": 40}


@cache
def _state(scenario: str) -> Columns:
    seconds = SECONDS.get(scenario, 10)
    physics = Physics(3, named(scenario))
    values = np.concatenate([physics.advance().values for _ in range(seconds)], axis=1)
    return {name: values[row] for name, row in physics.rows.items()}


@cache
def _drive() -> tuple[ReferenceVehicle, FrameBatch]:
    vehicle = ReferenceVehicle(seed=3)
    return vehicle, concatenate(list(vehicle.frames(12)))


def _united(vehicle: ReferenceVehicle, duration_s: float) -> FrameBatch:
    return concatenate(list(vehicle.frames(duration_s)))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    first = _united(ReferenceVehicle(seed=5), 2)
    assert first.equals(_united(ReferenceVehicle(seed=5), 2))
    assert not first.equals(_united(ReferenceVehicle(seed=6), 2))


def test_how_the_time_is_cut_changes_no_frame() -> None:
    whole = _united(ReferenceVehicle(seed=5), 2)
    cut = ReferenceVehicle(seed=5)
    pieces = [batch for duration_s in (0.35, 0.05, 1.6) for batch in cut.frames(duration_s)]
    assert whole.equals(concatenate(pieces))
    assert cut.sent == len(whole)


def test_batches_cover_a_tenth_of_a_second_each_in_order_of_time() -> None:
    vehicle = ReferenceVehicle(seed=5)
    for place, batch in enumerate(vehicle.frames(1.5)):
        assert np.all(np.diff(batch.t_ns) >= 0)
        assert np.all(batch.t_ns // 100_000_000 == place)


def test_sent_counts_every_frame_by_bus() -> None:
    vehicle, frames = _drive()
    assert vehicle.sent == len(frames) == vehicle.sent_by_bus.total()
    for place, bus in enumerate(BUSES):
        assert vehicle.sent_by_bus[bus] == np.count_nonzero(frames.bus == place)


def test_frames_of_a_bus_do_not_overlap() -> None:
    _, frames = _drive()
    shortest_ns = 47 * 2_000 // 2
    for place in range(len(BUSES)):
        assert np.diff(frames.t_ns[frames.bus == place]).min() > shortest_ns


def test_messages_keep_their_cycle_times() -> None:
    vehicle, frames = _drive()
    for place, bus in enumerate(BUSES):
        gated = load_wiring(bus).sent_while
        for message in vehicle.databases[bus].messages:
            times = frames.t_ns[(frames.bus == place) & (frames.arbitration_id == message.arbitration_id)]
            if message.name in gated:
                assert len(times) == 0
                continue
            assert message.cycle_time_ms is not None
            period_ns = message.cycle_time_ms * 1_000_000
            assert abs(len(times) - 12e9 / period_ns) <= 1, message.name
            drift = times - times[0] - np.arange(len(times)) * period_ns
            assert np.abs(drift).max() < LATEST_NS, message.name


def test_checksums_hold_and_alive_counters_count() -> None:
    vehicle, frames = _drive()
    checked = big_endian = 0
    for place, bus in enumerate(BUSES):
        for message in vehicle.databases[bus].messages:
            data_id = message.codec.dbc.attributes.get("ChecksumDataId") if message.codec.dbc else None
            if data_id is None:
                continue
            rows = (frames.bus == place) & (frames.arbitration_id == message.arbitration_id)
            payloads = frames.data[rows, : message.length]
            assert np.array_equal(payloads[:, 0], crc8(payloads, int(data_id.value))), message.name
            counter = next(one for one in message.signals if one.name.endswith("_AliveCounter"))
            counts = np.zeros(len(payloads), np.int64)
            for raw_bit, bit in enumerate(counter.bits):
                counts |= (payloads[:, bit // 8].astype(np.int64) >> bit % 8 & 1) << raw_bit
            assert np.all(np.diff(counts) % 15 == 1), message.name
            big_endian += not counter.little_endian
            checked += 1
    assert checked > 30
    assert big_endian >= 4


def test_decoded_frames_equal_the_truth_within_resolution() -> None:
    vehicle, frames = _drive()
    compared = 0
    for place in range(2_000, len(frames), 37):
        frame = frames.frame(place)
        message = next(
            one for one in vehicle.databases[frame.bus].messages if one.arbitration_id == frame.arbitration_id
        )
        wiring = load_wiring(frame.bus)
        decoded = message.codec.decode(frame.data, decode_choices=False)
        assert isinstance(decoded, dict)
        truths = [vehicle.truth(frame.t_ns - LATEST_NS), vehicle.truth(frame.t_ns)]
        for signal in message.signals:
            channel = wiring.channel(message.name, signal.name)
            if channel is None or signal.name not in decoded or "[*]" in channel:
                continue
            value = float(decoded[signal.name])  # type: ignore[arg-type] # no named values without choices
            low = signal.minimum if signal.minimum is not None and not signal.is_float else -np.inf
            high = signal.maximum if signal.maximum is not None and not signal.is_float else np.inf
            near = [
                abs(min(max(truth[channel], low), high) - value)
                <= (1e-6 * abs(value) + 1e-9 if signal.is_float else 0.501 * signal.scale)
                for truth in truths
            ]
            assert any(near), (message.name, signal.name, value, [truth[channel] for truth in truths])
            compared += 1
    assert compared > 2_000


def test_every_fed_signal_of_every_page_is_sent() -> None:
    vehicle, frames = _drive()
    for place, bus in enumerate(BUSES):
        gated = load_wiring(bus).sent_while
        for message in vehicle.databases[bus].messages:
            if message.name in gated:
                continue
            rows = np.flatnonzero((frames.bus == place) & (frames.arbitration_id == message.arbitration_id))
            seen = {
                name
                for row in rows[:60].tolist()
                for name in dict(message.codec.decode(frames.frame(row).data))
            }
            assert {signal.name for signal in message.signals} <= seen, message.name


def test_charge_falls_by_the_integral_of_the_current() -> None:
    state = _state("drive")
    ampere_hours = np.sum(state["pack_current_a"]) * STEP_S / 3600
    fallen = (state["soc_percent"][0] - state["soc_percent"][-1]) / 100 * state["full_ah"][0]
    assert ampere_hours == pytest.approx(fallen, rel=0.01, abs=0.002)
    assert ampere_hours > 0.1


def test_energy_taken_moves_the_vehicle_and_feeds_the_rest() -> None:
    state = _state("drive")
    electrical_kw = state["motor_electrical_kw[1]"] + state["motor_electrical_kw[2]"]
    pack_kw = state["pack_voltage_v"] * state["pack_current_a"] / 1000
    awake = state["main_contactor"] > 0
    assert pack_kw[awake] == pytest.approx((electrical_kw + state["aux_power_kw"])[awake], abs=0.02)
    mechanical_kw = state["motor_mech_kw[1]"] + state["motor_mech_kw[2]"]
    assert np.all(electrical_kw[awake] >= mechanical_kw[awake])


def test_terminal_voltage_is_open_circuit_less_current_times_resistance() -> None:
    state = _state("drive")
    expected = state["pack_ocv_v"] - state["pack_current_a"] * state["pack_resistance_ohm"]
    assert state["pack_voltage_v"] == pytest.approx(expected, abs=1e-6)
    cells = sum(state[f"cell_voltage_v[{cell}]"] for cell in range(1, CELLS + 1))
    assert state["pack_voltage_v"] == pytest.approx(cells, abs=1e-6)


def test_cells_differ_but_not_much() -> None:
    state = _state("drive")
    assert 2 < state["cell_spread_mv"].mean() < 60


def test_speed_adds_up_to_the_odometer() -> None:
    state = _state("drive")
    kilometres = np.sum(state["speed_kmh"]) * STEP_S / 3600
    assert state["odometer_km"][-1] - state["odometer_km"][0] == pytest.approx(kilometres, abs=0.001)
    assert kilometres > 0.5
    assert 30 < state["speed_kmh"].max() < 60


def test_the_position_moves_as_far_as_the_odometer() -> None:
    state = _state("drive")
    latitude, longitude = state["gnss_latitude_deg"][::50], state["gnss_longitude_deg"][::50]
    meridian_m, transverse_m = curvature_radii_m(radians(latitude[0]))
    metres = sum(
        hypot(radians(north) * meridian_m, radians(east) * transverse_m * cos(radians(latitude[0])))
        for north, east in zip(np.diff(latitude), np.diff(longitude), strict=True)
    )
    odometer_km = state["odometer_km"][::50]
    assert metres == pytest.approx(1000 * (odometer_km[-1] - odometer_km[0]), rel=0.001)


def test_temperatures_stay_within_reason_and_the_motors_warm_up() -> None:
    state = _state("drive")
    for name, column in state.items():
        if name.partition("[")[0].endswith("_c"):
            assert column.min() > 0, name
            assert column.max() < 150, name
    assert state["motor_temp_c[2]"][-1] > state["motor_temp_c[2]"][0] + 0.2


@pytest.mark.parametrize("scenario", list(SCENARIOS))
def test_no_quantity_is_ever_not_a_number(scenario: str) -> None:
    state = _state(scenario)
    assert all(np.isfinite(column).all() for column in state.values())


def test_recuperation_charges_while_slowing() -> None:
    state = _state("drive")
    slowing = (state["accel_long_mps2"] < -0.5) & (state["speed_kmh"] > 25)
    assert slowing.any()
    assert state["pack_current_a"][slowing].mean() < 0
    assert set(np.unique(state["motor_state[2]"])) == {1.0, 2.0, 3.0, 4.0}


def test_dc_charging_fills_the_battery_and_says_so() -> None:
    state = _state("charge")
    assert state["charge_state"][0] == 3
    assert state["charge_state"][-1] == 1
    assert state["vehicle_state"][-1] == 2
    assert state["pack_current_a"][-1] < -50
    assert state["soc_percent"][-1] > state["soc_percent"][0]
    ids = set(_united(ReferenceVehicle(1, "charge"), 8).arbitration_id.tolist())
    assert {0x181056F4, 0x1812F456, 0x181356F4} <= ids


def test_charging_ends_at_its_target() -> None:
    scenario = Scenario("full", "", ((0.0, Phase.DC_CHARGE),), soc_percent=79.95)
    physics = Physics(1, scenario)
    chunks = [physics.advance() for _ in range(45)]
    assert chunks[-1].values[physics.rows["charge_state"], -1] == 4
    assert chunks[-1].values[physics.rows["pack_current_a"], -1] == 0


def test_a_hot_cell_raises_flag_level_and_code_on_the_bus_and_they_go_again() -> None:
    state = _state("alarm")
    assert state["alarm_max_level"][1_000] == 0
    assert state["alarm_max_level"][2_200] == 3
    assert state["alarm_max_level"][-1] == 0
    vehicle = ReferenceVehicle(1, "alarm")
    frames = _united(vehicle, 22)
    message = vehicle.databases["powertrain"].by_name["VCU_Alarms"]
    rows = np.flatnonzero((frames.bus == 0) & (frames.arbitration_id == message.arbitration_id))
    last = message.codec.decode(frames.frame(int(rows[-1])).data, decode_choices=False)
    assert isinstance(last, dict)
    assert (last["AlarmBatteryHighTemp"], last["AlarmHighestLevel"]) == (1, 3)
    assert vehicle.truth(21_500_000_000)["battery_fault_code[1]"] > 0


def test_a_thermal_event_is_level_four() -> None:
    state = _state("thermal-event")
    assert state["alarm_flag[23]"][-1] == 1
    assert state["alarm_max_level"][-1] == 4


def test_a_forced_alarm_needs_no_cause() -> None:
    scenario = Scenario("forced", "", ((0.0, Phase.OFF),), forced_alarms=(ForcedAlarm(11, 2, 0.5, 1.5),))
    physics = Physics(1, scenario)
    levels = np.concatenate([physics.advance().values[physics.rows["alarm_level[11]"]] for _ in range(3)])
    assert levels[[10, 100, 250]].tolist() == [0, 2, 0]


def test_without_satellites_the_last_position_is_repeated() -> None:
    state = _state("tunnel")
    lost = state["gnss_valid"] == 0
    assert np.count_nonzero(lost) == 20 * CHUNK_STEPS
    assert len(np.unique(state["gnss_latitude_deg"][lost])) == 1
    assert state["gnss_latitude_deg"][lost][0] == state["gnss_latitude_deg"][np.flatnonzero(lost)[0] - 1]


def test_the_truth_reaches_back_only_so_far() -> None:
    vehicle = ReferenceVehicle(seed=1, history_s=2)
    list(vehicle.frames(6))
    assert vehicle.truth(5_900_000_000)["vehicle_state"] == 1
    with pytest.raises(LookupError):
        vehicle.truth(1_000_000_000)
    with pytest.raises(LookupError):
        vehicle.truth(60_000_000_000)


def test_the_source_hands_on_every_frame_and_ends() -> None:
    vehicle = ReferenceVehicle(seed=1)
    with SimulatedSource(vehicle, 1.0) as source:
        assert source.buses == BUSES
        count = 0
        while (batch := source.read(0.0)) is not None:
            count += len(batch)
        hop = source.hop()
    assert hop.balanced
    assert hop.entered == hop.left == count == vehicle.sent
