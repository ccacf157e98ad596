"""A binding file says what it means; what cannot be right is refused with its line and a better name."""

from pathlib import Path
from textwrap import dedent

import pytest

from edge.catalogue.binding import load_binding
from edge.catalogue.bound import Binding, BitSet, BoundItem, Derived, Elements, FedLevel, One, Part
from edge.catalogue.catalogue import builtin
from edge.catalogue.condition import SignalName
from edge.database.load import load_database
from edge.database.model import Database, SignalRef
from edge.errors import BindingError, DatabaseError
from edge.records import Missing

HERE = Path(__file__).parent
DBC = Path(__file__).parents[2] / "dbc"


@pytest.fixture(scope="module")
def database() -> Database:
    return load_database(HERE / "made_up.dbc")


@pytest.fixture
def load(database: Database, tmp_path: Path) -> "Load":
    return Load(database, tmp_path / "made_up.binding.toml")


class Load:
    def __init__(self, database: Database, path: Path) -> None:
        self.database = database
        self.path = path

    def __call__(self, text: str) -> Binding:
        self.path.write_text(dedent(text), encoding="utf-8")
        return load_binding(self.path, self.database, builtin())

    def one(self, text: str) -> BoundItem:
        return self(text).items[0]

    def refusal(self, text: str) -> BindingError:
        with pytest.raises(BindingError) as caught:
            self(text)
        return caught.value


def element(bound: BoundItem, value: float) -> int | Missing:
    assert isinstance(bound.source, One)
    return bound.source.reading.element(value)


def test_a_signal_fills_an_item(load: Load) -> None:
    bound = load.one("""
        [items."vehicle.speed"]
        signal = "Motion.Speed"
        """)
    assert bound.signals == (SignalName("Motion", "Speed"),)
    assert element(bound, 12.35) == 124
    assert element(bound, 500.06) is Missing.ABNORMAL
    assert bound.where == f"{load.path}:2"


def test_units_convert_exactly(load: Load) -> None:
    volts = load.one('[items."hv.voltage"]\nsignal = "Battery.Voltage"\n')
    assert element(volts, 355100) == 3551
    kilometres = load.one('[items."vehicle.speed"]\nsignal = "Motion.RearLeft"\nrange = [0, 500]\n')
    assert element(kilometres, 10.0) == 360
    celsius = load.one('[items."bat.max_temp"]\nsignal = "Battery.TempF"\n')
    assert [element(celsius, value) for value in (32, 212, 33)] == [0, 100, 1]


def test_scale_and_offset_come_before_the_unit(load: Load) -> None:
    bound = load.one("""
        [items."hv.insulation"]
        signal = "Battery.Resistance"
        unit = "ohm"
        scale = 100
        offset = 500
        """)
    assert element(bound, 1995) == 200


def test_values_of_a_table_are_named_or_numbered(load: Load) -> None:
    bound = load.one("""
        [items."vehicle.gear"]
        signal = "Motion.Gear"
        map = { Park = "P", Reverse = "R", Neutral = 0, 3 = "D" }
        invalid = ["Fault"]
        """)
    shown = [element(bound, value) for value in (0, 1, 2, 3, 4, 7)]
    assert shown == [15, 13, 0, 14, Missing.ABNORMAL, Missing.INVALID]


def test_truth_follows_a_comparison(load: Load) -> None:
    bound = load.one('[items."vehicle.brake_force"]\nsignal = "Motion.Pressure"\nwhen = "> 0.5"\n')
    assert [element(bound, value) for value in (0.5, 0.6)] == [0, 1]


def test_special_values_are_invalid_or_abnormal(load: Load) -> None:
    bound = load.one("""
        [items."hv.soc"]
        signal = "Battery.Charge"
        invalid = [127.5]
        abnormal = [127.0]
        """)
    assert [element(bound, value) for value in (127.5, 127.0, 50.5)] == [
        Missing.INVALID,
        Missing.ABNORMAL,
        50,
    ]


def test_a_stated_range_makes_the_rest_abnormal(load: Load) -> None:
    bound = load.one('[items."vehicle.speed"]\nsignal = "Motion.Speed"\nrange = [0, 200]\n')
    assert [element(bound, value) for value in (200, 200.2)] == [2000, Missing.ABNORMAL]


def test_a_pattern_finds_multiplexed_cells_in_order(load: Load) -> None:
    source = load.one('[items."pack[1].cells"]\nsignals = "Ce*.Cell_{n}"\ncount = 6\n').source
    assert isinstance(source, Elements)
    assert [name.signal for name in source.signals] == [f"Cell_{n}" for n in range(1, 7)]


def test_bits_are_named_or_numbered_and_have_levels(load: Load) -> None:
    bound = load.one("""
        [items."alarm.flags"]
        latched = true
        [items."alarm.flags".bits]
        battery_high_temperature = "Alarms.Hot"
        11 = ["Alarms.Insulation", "Motion.SpeedValid == 1"]
        thermal_event = "Alarms.Thermal"
        [items."alarm.flags".levels]
        battery_high_temperature = 3
        23 = 2
        """)
    assert isinstance(bound.source, BitSet)
    assert [(bit.number, bit.level) for bit in bound.source.bits] == [(1, 3), (11, 1), (23, 4)]
    assert len(bound.source.bits[1].conditions) == 2
    assert bound.freshness_ns == 3_000_000_000


def test_a_signal_may_carry_the_level_of_a_bit(load: Load) -> None:
    binding = load("""
        [items."alarm.flags".bits]
        battery_high_temperature = "Alarms.Hot"
        insulation = "Alarms.Insulation"
        [items."alarm.flags".levels]
        battery_high_temperature = "Temperatures.Level"
        insulation = 2
        """)
    bound = binding.items[0]
    assert isinstance(bound.source, BitSet)
    level = SignalName("Temperatures", "Level")
    # The message of the level comes every 5 s, that of the flag every second: each counts by itself.
    assert [bit.level for bit in bound.source.bits] == [FedLevel(level, 15_000_000_000), 2]
    assert bound.freshness_ns == 3_000_000_000
    assert level not in bound.signals
    assert SignalRef("pt", "Temperatures", "Level") in binding.wanted("pt")


def test_extremes_fill_the_items_that_say_where(load: Load) -> None:
    binding = load("""
        [items."pack[1].cells"]
        signals = "Cells.Cell_{n}"
        [items."bat.max_cell_v"]
        derive = "maximum"
        of = "pack[*].cells"
        """)
    parts = {bound.id: bound.source.part for bound in binding if isinstance(bound.source, Derived)}
    assert parts == {
        "bat.max_cell_v": Part.VALUE,
        "bat.max_cell_v_pack": Part.PACK,
        "bat.max_cell_v_cell": Part.ELEMENT,
    }


def test_freshness_is_the_items_the_files_or_three_periods(load: Load) -> None:
    plain = '[items."vehicle.speed"]\nsignal = "Motion.Speed"\n'
    slow = '[items."pack[1].probes"]\nsignals = ["Temperatures.Probe_01", "Temperatures.Probe_02"]\n'
    assert load.one(plain).freshness_ns == 3_000_000_000
    assert load.one(slow).freshness_ns == 15_000_000_000
    assert load.one("[binding]\nfreshness_s = 7.5\n" + plain).freshness_ns == 7_500_000_000
    assert (
        load.one("[binding]\nfreshness_s = 7.5\n" + plain + "freshness_s = 0.3\n").freshness_ns == 300_000_000
    )


def test_wanted_and_latched_signals_are_told_for_a_bus(load: Load) -> None:
    binding = load("""
        [items."vehicle.speed"]
        signal = "Motion.Speed"
        valid_when = "Motion.SpeedValid == 1"
        [items."alarm.flags"]
        latched = true
        bits = { 1 = "Alarms.Hot" }
        """)
    hot = SignalRef("pt", "Alarms", "Hot")
    assert binding.wanted("pt") == {
        SignalRef("pt", "Motion", "Speed"),
        SignalRef("pt", "Motion", "SpeedValid"),
        hot,
    }
    assert binding.latched("pt") == {hot}


LEVEL = '[items."alarm.flags".bits]\n1 = "Alarms.Hot"\n23 = "Alarms.Thermal"\n[items."alarm.flags".levels]\n'
REFUSALS = {
    "level that does not exist": (
        LEVEL + "1 = 5",
        5,
        "a level is a whole number from 0 to 4, or the signal",
        "",
    ),
    "level of a signal that is not there": (
        LEVEL + '1 = "Temperatures.Levle"',
        5,
        "there is no signal 'Temperatures.Levle'",
        "Did you mean 'Temperatures.Level'?",
    ),
    "latched level": (
        '[items."alarm.max_level"]\nsignal = "Alarms.Insulation"\nlatched = true',
        1,
        "whether it was ever not 0 in the period, not its greatest value; latch the flags",
        "",
    ),
    "level with a unit": (
        LEVEL + '1 = "Temperatures.Probe_01"',
        5,
        "a level has no unit, and 'Temperatures.Probe_01' is in 'degC'",
        "",
    ),
    "level of a thermal event": (
        LEVEL + '23 = "Temperatures.Level"',
        5,
        "the level of 'thermal_event' is always 4, whatever 'Temperatures.Level' says",
        "Remove its signal",
    ),
    "missing signal": (
        '[items."vehicle.speed"]\nsignal = "Motion.Sped"',
        2,
        "there is no signal 'Motion.Sped' in made_up.dbc",
        "Did you mean 'Motion.Speed'?",
    ),
    "missing message": (
        '[items."vehicle.speed"]\nsignal = "Motoin.Speed"',
        2,
        "there is no signal 'Motoin.Speed'",
        "Did you mean 'Motion.Speed'?",
    ),
    "no message": (
        '[items."vehicle.speed"]\nsignal = "Speed"',
        2,
        "there is no signal 'Speed'",
        "Did you mean 'Motion.Speed'?",
    ),
    "missing item": (
        '[binding]\nabout = "x"\n[items."vehicle.sped"]\nsignal = "Motion.Speed"',
        3,
        "there is no item 'vehicle.sped'",
        "Did you mean 'vehicle.speed'?",
    ),
    "item without its number": (
        '[items."motor.speed"]\nsignal = "Motor.Rpm"',
        1,
        "there is no item 'motor.speed'",
        "Did you mean 'motor[1].speed'?",
    ),
    "static item": ('[items."static.vin"]\nconstant = 1', 1, "'static.vin' is static data", "configuration"),
    "unit of another kind": (
        '[items."vehicle.speed"]\nsignal = "Motor.Rpm"',
        1,
        "'Motor.Rpm' is in 'rpm', which does not convert to the km/h of 'vehicle.speed'",
        "",
    ),
    "unit that the database contradicts": (
        '[items."vehicle.speed"]\nsignal = "Motion.Speed"\nunit = "m/s"',
        3,
        "the binding says 'm/s', the database says that 'Motion.Speed' is in 'km/h'",
        "",
    ),
    "unknown unit": (
        '[items."hv.insulation"]\nsignal = "Battery.Resistance"\nunit = "kiloohm"',
        3,
        "unit 'kiloohm' is not known",
        "Did you mean 'kilo-ohm'?",
    ),
    "no unit": (
        '[items."hv.insulation"]\nsignal = "Battery.Resistance"',
        1,
        "the database gives no unit for 'Battery.Resistance', and 'hv.insulation' is in kohm",
        "State the unit",
    ),
    "unit that nobody knows": (
        '[items."hv.insulation"]\nsignal = "Motor.Real"',
        1,
        "'Motor.Real' is in 'widgets'",
        'unit = "kohm"',
    ),
    "unit on a bare number": (
        '[items."motor[1].index"]\nsignal = "Motion.Speed"',
        1,
        "'motor[1].index' has no unit, and 'Motion.Speed' is in 'km/h'",
        "",
    ),
    "range too wide": (
        '[items."hv.soc"]\nsignal = "Battery.Charge"\nscale = 2',
        1,
        "'Battery.Charge' goes from 0 to 200 %, and 'hv.soc' holds 0 to 100",
        "range = [0, 100]",
    ),
    "range by bits": (
        '[items."motor[1].torque"]\nsignal = "Motor.Torque"\nscale = 10',
        1,
        "goes from -81920 to 81917.5 N.m",
        "range = [-20000, 20000]",
    ),
    "stated range too wide": (
        '[items."vehicle.speed"]\nsignal = "Motion.Speed"\nrange = [0, 600]',
        3,
        "the range goes from 0 to 600 km/h",
        "range = [0, 500]",
    ),
    "enumeration without map": (
        '[items."motor[1].state"]\nsignal = "Motor.Mode"',
        1,
        "'Motor.Mode' goes from 0 to 15, and 'motor[1].state' holds 1 to 4",
        "a map of its values",
    ),
    "unknown name of a value": (
        '[items."vehicle.gear"]\nsignal = "Motion.Gear"\nmap = { Drvie = "D" }',
        3,
        "'Motion.Gear' has no value called 'Drvie'",
        "Did you mean 'Drive'?",
    ),
    "unknown value of the item": (
        '[items."motor[1].state"]\nsignal = "Motor.Mode"\n[items."motor[1].state".map]\nDriving = "consumin"',
        4,
        "'motor[1].state' has no value 'consumin'",
        "Did you mean 'consuming'?",
    ),
    "value mapped twice": (
        '[items."vehicle.gear"]\nsignal = "Motion.Gear"\nmap = { Drive = "D", 3 = "D" }',
        3,
        "the value 3 is mapped twice",
        "",
    ),
    "pattern that finds nothing": (
        '[items."pack[1].cells"]\nsignals = "Cells.Cel_{n}"',
        2,
        "the pattern 'Cells.Cel_{n}' finds no signal",
        "Did you mean 'Cells.Cell_1'?",
    ),
    "pattern with a gap": (
        '[items."pack[1].probes"]\nsignals = "Temperatures.Probe_{n}"',
        2,
        "finds 3 elements from 1 to 4, but no 3",
        "",
    ),
    "pattern that finds a number twice": (
        '[items."pack[1].probes"]\nsignals = "Temperatures.*_{n}"',
        2,
        "finds element 1 twice: 'Temperatures.Probe_01' and 'Temperatures.Reverse_01'",
        "narrower",
    ),
    "pattern without a number": ('[items."pack[1].cells"]\nsignals = "Cells.*"', 2, "exactly one {n}", ""),
    "wrong count": (
        '[items."pack[1].cells"]\nsignals = "Cells.Cell_{n}"\ncount = 8',
        3,
        "the file counts 8 elements, and there are 6",
        "",
    ),
    "unknown bit": (
        '[items."alarm.flags"]\n[items."alarm.flags".bits]\nbattery_hot = "Alarms.Hot"',
        3,
        "'alarm.flags' has no bit 'battery_hot'",
        "Did you mean",
    ),
    "bit beyond the standard": (
        '[items."alarm.flags".bits]\n28 = "Alarms.Hot"',
        2,
        "'alarm.flags' has no bit '28'",
        "",
    ),
    "bit bound twice": (
        '[items."alarm.flags".bits]\n1 = "Alarms.Hot"\nbattery_high_temperature = "Alarms.Thermal"',
        3,
        "bit 1 is bound twice",
        "",
    ),
    "level of an unbound bit": (
        '[items."alarm.flags"]\nbits = { 1 = "Alarms.Hot" }\nlevels = { 2 = 3 }',
        3,
        "bit 2 has a level but no signal",
        "",
    ),
    "latch that cannot be told": (
        '[items."alarm.flags"]\nlatched = true\n[items."alarm.flags".bits]\n1 = "Alarms.Insulation == 2"',
        4,
        "latching can only tell whether a signal was ever not 0",
        "",
    ),
    "latch of a shifted signal": (
        '[items."alarm.flags"]\nlatched = true\n[items."alarm.flags".bits]\n1 = "Alarms.Shifted"',
        4,
        "'Alarms.Shifted' has an offset and cannot be latched",
        "",
    ),
    "condition with a word": (
        '[items."alarm.flags".bits]\n1 = "Alarms.Hot == yes"',
        2,
        "'yes' in 'Alarms.Hot == yes' is no number",
        "",
    ),
    "comparison with a name": (
        '[items."vehicle.brake_force"]\nsignal = "Motion.Pressure"\nwhen = "Pressure > 2"',
        3,
        "'Pressure > 2' is no comparison",
        "",
    ),
    "constant out of range": (
        '[items."motor[1].index"]\nconstant = 254',
        2,
        "'motor[1].index' cannot hold 254",
        "It holds 1 to 253",
    ),
    "constant unknown": (
        '[items."gnss.datum"]\nconstant = "WGS48"',
        2,
        "'gnss.datum' has no value called 'WGS48'",
        "Did you mean 'WGS84'?",
    ),
    "array from one signal": (
        '[items."pack[1].cells"]\nsignal = "Cells.Cell_1"',
        1,
        "'pack[1].cells' is of kind array and cannot be filled by 'signal'",
        "It takes signals",
    ),
    "number from an array": (
        '[items."vehicle.speed"]\nsignals = ["Motion.RearLeft", "Motion.RearRight"]',
        1,
        "'vehicle.speed' is of kind number and cannot be filled by 'signals'",
        "combine",
    ),
    "derived from a number": (
        '[items."bat.max_cell_v"]\nderive = "maximum"\nof = "hv.voltage"',
        3,
        "'maximum' takes items of kind array, and 'hv.voltage' is of kind number",
        "",
    ),
    "derived in another unit": (
        '[items."bat.max_cell_v"]\nderive = "maximum"\nof = "pack[1].probes"',
        3,
        "'pack[1].probes' is in 'degC', 'bat.max_cell_v' in 'V'",
        "",
    ),
    "derived from nothing known": (
        '[items."bat.max_cell_v"]\nderive = "maximum"\nof = "pack[*].cell"',
        3,
        "there is no item 'pack[1].cell'",
        "Did you mean 'pack[1].cells'?",
    ),
    "extreme and companion": (
        (
            '[items."bat.max_cell_v"]\nderive = "maximum"\nof = "pack[*].cells"\n'
            '[items."bat.max_cell_v_cell"]\nconstant = 1'
        ),
        4,
        "'bat.max_cell_v_cell' is already filled by",
        "Remove one of the two",
    ),
    "no source": (
        '[items."vehicle.speed"]\nunit = "km/h"',
        1,
        "needs exactly one of signal, signals, bits, constant, derive, and has none of them",
        "",
    ),
    "two sources": (
        '[items."vehicle.speed"]\nsignal = "Motion.Speed"\nconstant = 3',
        1,
        "and has signal and constant",
        "",
    ),
    "key of another source": (
        '[items."vehicle.speed"]\nsignal = "Motion.Speed"\ncount = 1',
        1,
        "'count' does not go with 'signal'",
        "",
    ),
    "unknown key": (
        '[items."vehicle.speed"]\nsignal = "Motion.Speed"\nscal = 3',
        3,
        "unknown key 'items.vehicle.speed.scal'; did you mean 'scale'?",
        "",
    ),
    "table twice": (
        '[items."vehicle.speed"]\nsignal = "Motion.Speed"\n[items."vehicle.speed"]\nconstant = 1',
        3,
        "is not valid TOML",
        "",
    ),
    "nothing at all": ("", 0, "'items' is missing", ""),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_right_is_refused_with_its_line(load: Load, case: str) -> None:
    text, line, what, todo = REFUSALS[case]
    error = load.refusal(text)
    assert what in error.what
    assert todo in error.todo
    assert error.where == (f"{load.path}:{line}" if line else str(load.path))


def test_a_missing_file_is_one_clear_error(database: Database, tmp_path: Path) -> None:
    with pytest.raises(BindingError) as caught:
        load_binding(tmp_path / "none.toml", database, builtin())
    assert caught.value.where == str(tmp_path / "none.toml")


SHIPPED = {
    "kona-pcan": ("kona-ev/pcan.dbc", 16),
    "css-obd2": ("css-drive/OBD-v4.4.dbc", 4),
    "css-gnss": ("css-drive/canedge-internal-can9.dbc", 8),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_bindings_of_the_recordings_load(shared_data: Path, name: str) -> None:
    file, count = SHIPPED[name]
    binding = load_binding(DBC / f"{name}.binding.toml", load_database(shared_data / file), builtin())
    assert len(binding.items) == count


def test_every_binding_beside_a_database_of_ours_loads() -> None:
    for path in sorted(DBC.glob("*.binding.toml")):
        beside = DBC / f"{path.name.removesuffix('.binding.toml')}.dbc"
        if beside.exists():
            try:
                database = load_database(beside)
            except DatabaseError as error:  # pragma: no cover - another test's matter
                pytest.skip(str(error))
            assert load_binding(path, database, builtin()).items
