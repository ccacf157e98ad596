"""The bindings: every regulated item of a battery-electric vehicle is filled from the reference vehicle."""

import pytest

from edge.catalogue.binding import load_binding
from edge.catalogue.catalogue import builtin
from edge.clock import NS_PER_S
from edge.core import Core
from edge.decode.latest import LatestValues
from edge.decode.plan import DecodePlan
from edge.records import Element, Record
from edge.vehicle.sampler import Sampler
from simulator.vehicle.battery import CELLS, PROBES
from simulator.vehicle.vehicle import ReferenceVehicle
from simulator.vehicle.wiring import DATABASES, load_databases

BOUND = ("powertrain", "battery", "chassis")
VEHICLE = (
    *("state", "charge_state", "run_mode", "speed", "odometer", "gear", "drive_force", "brake_force"),
    *("gear_invalid", "accel_pedal", "brake_pedal"),
)
HIGH_VOLTAGE = ("voltage", "current", "soc", "dcdc_state", "insulation")
MOTOR = ("index", "state", "ctrl_temp", "speed", "torque", "temp", "ctrl_voltage", "bus_current")
POSITION = ("valid", "datum", "lon", "lat")
BATTERY = ("max_cell_v", "min_cell_v", "max_temp", "min_temp")
ALARM = ("max_level", "flags", "levels", "battery_codes", "motor_codes", "other_codes")
PACK = ("voltage", "current", "cells", "probes")
WANTED = {
    "vehicle": VEHICLE,
    "hv": HIGH_VOLTAGE,
    "motor[1]": MOTOR,
    "motor[2]": MOTOR,
    "gnss": POSITION,
    "bat": BATTERY,
    "alarm": ALARM,
    "pack[1]": PACK,
}


def test_every_item_of_a_battery_electric_vehicle_is_bound_once() -> None:
    databases, catalogue = load_databases(), builtin()
    bound: list[str] = []
    for bus in BOUND:
        binding = load_binding(DATABASES / f"nev-{bus}.binding.toml", databases[bus], catalogue)
        bound += [bound_item.id for bound_item in binding.items]
    assert {f"{group}.{name}" for group, names in WANTED.items() for name in names} <= set(bound)
    assert len(bound) == len(set(bound))


@pytest.mark.parametrize("bus", BOUND)
def test_what_a_binding_wants_is_in_its_database(bus: str) -> None:
    database = load_databases()[bus]
    binding = load_binding(DATABASES / f"nev-{bus}.binding.toml", database, builtin())
    wanted = binding.wanted(bus)
    assert wanted
    assert all(ref.bus == bus and database.by_name[ref.message].signal(ref.signal) for ref in wanted)


def test_the_battery_has_all_its_cells_and_probes() -> None:
    binding = load_binding(DATABASES / "nev-battery.binding.toml", load_databases()["battery"], builtin())
    signals = [ref.signal for ref in binding.wanted("battery")]
    assert sum(name.startswith("CellVoltage") for name in signals) == CELLS
    assert sum(name.startswith("ProbeTemp") for name in signals) == PROBES


def _records(scenario: str, duration_s: float) -> list[Record]:
    """What the gateway's core samples from the reference vehicle, once a second."""
    vehicle = ReferenceVehicle(1, scenario)
    bindings = {
        bus: [load_binding(DATABASES / f"nev-{bus}.binding.toml", vehicle.databases[bus], builtin())]
        for bus in BOUND
    }
    sampler = Sampler(bindings, builtin())
    plan = DecodePlan({bus: [vehicle.databases[bus]] for bus in BOUND}, wanted=sampler.wanted)
    core = Core(LatestValues(plan, latched=sampler.latched), sampler, period_ns=NS_PER_S)
    return [record for batch in vehicle.frames(duration_s) for record in core.take(batch)]


def _pairs(record: Record) -> dict[Element, Element]:
    """The flags that are up, and their levels."""
    flat = record.values["alarm.levels"]
    assert isinstance(flat, tuple)
    return dict(zip(flat[::2], flat[1::2], strict=True))


def test_a_cell_that_overheats_is_a_pair_of_flag_and_level_in_the_record() -> None:
    records = _records("alarm", 23)
    pairs = [_pairs(record) for record in records[2:]]
    assert pairs[0] == {}
    assert {pair[1] for pair in pairs if 1 in pair} >= {1, 2, 3}
    last = records[-1]
    # The probes then differ much, too.
    assert pairs[-1] == {0: 3, 1: 3}
    assert (last.values["alarm.flags"], last.values["alarm.max_level"], last.alarm) == (0b11, 3, True)
