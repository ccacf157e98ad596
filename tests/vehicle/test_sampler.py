"""What a record holds: last values while they are fresh, nothing withheld, nothing clipped, alarms kept."""

from pathlib import Path

import pytest

from edge.catalogue.catalogue import builtin
from edge.clock import Timebase, TimeQuality
from edge.database.model import SignalRef
from edge.errors import BindingError
from edge.policy.classes import DataClass
from edge.records import Missing, Value
from edge.sensors.observation import Observation
from edge.vehicle.sampler import Sampler
from tests.vehicle.state import S, State, bind

INVALID, ABNORMAL = Missing.INVALID, Missing.ABNORMAL
SPEED = '[items."vehicle.speed"]\nsignal = "Motion.Speed"\n'
CELLS = '[items."pack[1].cells"]\nsignals = "Cells.Cell_{n}"\n'
CODES = '[items."alarm.battery_codes"]\nsignals = "Alarms.Code_{n}"\n'
FLAGS = """
[items."alarm.flags"]
latched = true
[items."alarm.flags".bits]
1 = "Alarms.Hot"
11 = "Alarms.Insulation"
23 = "Alarms.Thermal"
[items."alarm.flags".levels]
1 = 3
[items."alarm.max_level"]
derive = "max_level"
of = "alarm.flags"
[items."alarm.levels"]
derive = "levels"
of = "alarm.flags"
"""


def sampler(text: str, folder: Path) -> Sampler:
    return Sampler({"pt": [bind(text, folder)]}, builtin())


def values(text: str, folder: Path, state: State, t_s: float = 10.0) -> dict[str, Value]:
    return dict(sampler(text, folder).sample(round(t_s * S), Timebase(), state).values)


def test_a_value_is_invalid_before_it_came_and_after_it_went_stale(tmp_path: Path) -> None:
    made = sampler(SPEED + "freshness_s = 2\n", tmp_path)
    state = State().put("Motion.Speed", 12.35, 5.0)
    shown = {
        t_ns: made.sample(t_ns, Timebase(), state).values["vehicle.speed"]
        for t_ns in (4 * S, 5 * S, 5 * S + 1, 7 * S, 7 * S + 1)
    }
    assert shown == {4 * S: INVALID, 5 * S: INVALID, 5 * S + 1: 124, 7 * S: 124, 7 * S + 1: INVALID}
    assert made.sample(9 * S, Timebase(), State()).values["vehicle.speed"] is INVALID


def test_out_of_range_is_abnormal_and_never_clipped(tmp_path: Path) -> None:
    state = State().put("Motion.Speed", 500.06, 9.5)
    assert values(SPEED, tmp_path, state) == {"vehicle.speed": ABNORMAL}
    assert values(SPEED, tmp_path, state.put("Motion.Speed", float("nan"), 9.5)) == {
        "vehicle.speed": ABNORMAL
    }


def test_a_guard_makes_invalid_while_it_does_not_hold_or_is_stale(tmp_path: Path) -> None:
    text = SPEED + 'valid_when = "Motion.SpeedValid == 1"\n'
    state = State().put("Motion.Speed", 50, 9.5)
    assert values(text, tmp_path, state)["vehicle.speed"] is INVALID
    assert values(text, tmp_path, state.put("Motion.SpeedValid", 1, 9.5))["vehicle.speed"] == 500
    assert values(text, tmp_path, state.put("Motion.SpeedValid", 0, 9.5))["vehicle.speed"] is INVALID
    assert values(text, tmp_path, state.put("Motion.SpeedValid", 1, 2.0))["vehicle.speed"] is INVALID


def test_a_guard_makes_each_element_of_an_array_invalid(tmp_path: Path) -> None:
    state = State().put("Motion.SpeedValid", 0, 9.5)
    guarded = values(CELLS + 'valid_when = "Motion.SpeedValid"\n', tmp_path, state)
    assert guarded["pack[1].cells"] == (INVALID,) * 6


def test_elements_are_invalid_and_abnormal_one_by_one(tmp_path: Path) -> None:
    state = State().put("Cells.Cell_1", 3.7004, 9.0).put("Cells.Cell_2", 3.7005, 9.0)
    state.put("Cells.Cell_3", 3.7015, 2.0).put("Cells.Cell_4", 60.1, 9.0).put("Cells.Cell_6", 3.7015, 9.0)
    shown = values(CELLS, tmp_path, state)["pack[1].cells"]
    assert shown == (3700, 3700, INVALID, ABNORMAL, INVALID, 3702)


def test_a_whole_fresh_array_rounds_as_its_elements_do(tmp_path: Path) -> None:
    state = State()
    for place, value in enumerate((3.7005, 3.7015, 3.6995, 61.0, 0, 4), start=1):
        state.put(f"Cells.Cell_{place}", value, 9.0)
    assert values(CELLS, tmp_path, state)["pack[1].cells"] == (3700, 3702, 3700, ABNORMAL, 0, 4000)


def test_special_values_of_elements_count_one_by_one(tmp_path: Path) -> None:
    state = State()
    for place, value in enumerate((3.7, 6.5535, 6.5534, 3.8, 3.8, 3.8), start=1):
        state.put(f"Cells.Cell_{place}", value, 9.0)
    shown = values(CELLS + "invalid = [6.5535]\nabnormal = [6.5534]\n", tmp_path, state)
    assert shown["pack[1].cells"] == (3700, INVALID, ABNORMAL, 3800, 3800, 3800)


def test_fault_codes_are_as_long_as_there_are_codes(tmp_path: Path) -> None:
    assert values(CODES, tmp_path, State()) == {"alarm.battery_codes": INVALID}
    state = State().put("Alarms.Code_1", 0, 9.0).put("Alarms.Code_2", 7, 9.0).put("Alarms.Code_3", 9, 1.0)
    assert values(CODES, tmp_path, state) == {"alarm.battery_codes": (7,)}
    assert values(CODES, tmp_path, state.put("Alarms.Code_2", 0, 9.0)) == {"alarm.battery_codes": ()}


@pytest.mark.parametrize(("how", "steps"), [("mean", 378), ("sum", 756), ("maximum", 396), ("minimum", 360)])
def test_several_signals_make_one_number(tmp_path: Path, how: str, steps: int) -> None:
    text = (
        '[items."vehicle.speed"]\nsignals = ["Motion.RearLeft", "Motion.RearRight"]\nrange = [0, 500]\n'
        f'combine = "{how}"\n'
    )
    state = State().put("Motion.RearLeft", 10.0, 9.0)
    assert values(text, tmp_path, state) == {"vehicle.speed": INVALID}
    assert values(text, tmp_path, state.put("Motion.RearRight", 11, 9.0)) == {"vehicle.speed": steps}
    state.put("Motion.RearRight", float("inf"), 9.0)
    assert values(text, tmp_path, state) == {"vehicle.speed": ABNORMAL}


def test_a_flag_stays_up_for_the_period_in_which_it_was_seen(tmp_path: Path) -> None:
    made = sampler(FLAGS, tmp_path)
    hot = SignalRef("pt", "Alarms", "Hot")
    assert hot in made.latched
    state = State(latched={hot: 1})
    for name in ("Hot", "Insulation", "Thermal"):
        state.put(f"Alarms.{name}", 0, 9.5)
    assert made.sample(10 * S, Timebase(), state).values["alarm.flags"] == 2
    state.latched = {hot: 0}
    assert made.sample(10 * S, Timebase(), state).values["alarm.flags"] == 0


def test_flags_are_invalid_only_when_none_of_their_signals_is_fresh(tmp_path: Path) -> None:
    assert values(FLAGS, tmp_path, State()) == {
        "alarm.flags": INVALID,
        "alarm.max_level": INVALID,
        "alarm.levels": INVALID,
    }
    state = State().put("Alarms.Hot", 1, 9.0).put("Alarms.Insulation", 2, 1.0)
    assert values(FLAGS, tmp_path, state)["alarm.flags"] == 2


def test_levels_follow_from_the_flags_and_level_three_gives_precedence(tmp_path: Path) -> None:
    made = sampler(FLAGS, tmp_path)
    state = State().put("Alarms.Hot", 0, 9.0).put("Alarms.Insulation", 3, 9.0)
    quiet = made.sample(10 * S, Timebase(), state)
    assert (quiet.values["alarm.max_level"], quiet.alarm) == (1, False)
    loud = made.sample(10 * S, Timebase(), state.put("Alarms.Hot", 1, 9.0))
    assert loud.values["alarm.levels"] == (1, 3, 11, 1)
    assert (loud.values["alarm.max_level"], loud.alarm) == (3, True)
    thermal = made.sample(10 * S, Timebase(), state.put("Alarms.Thermal", 1, 9.0))
    assert thermal.values["alarm.max_level"] == 4


FED = (
    FLAGS.replace("1 = 3", '1 = "Temperatures.Level"') + '[items."vehicle.speed"]\nsignal = "Motion.Speed"\n'
)


@pytest.mark.parametrize(
    ("level", "pair", "highest"),
    [
        (1, 1, 1),
        (3, 3, 3),
        (4, 4, 4),
        (0, INVALID, INVALID),
        (5, ABNORMAL, ABNORMAL),
        (2.5, ABNORMAL, ABNORMAL),
        (-1, ABNORMAL, ABNORMAL),
        (float("nan"), ABNORMAL, ABNORMAL),
        (None, INVALID, INVALID),
    ],
)
def test_a_signal_says_the_level_of_a_flag_that_is_up(
    tmp_path: Path, level: float | None, pair: int | Missing, highest: int | Missing
) -> None:
    made = sampler(FED, tmp_path)
    state = State().put("Alarms.Hot", 1, 9.0)
    if level is not None:
        state.put("Temperatures.Level", level, 9.0)
    record = made.sample(10 * S, Timebase(), state)
    assert record.values["alarm.levels"] == (1, pair)
    assert record.values["alarm.max_level"] == highest
    assert record.alarm == (isinstance(highest, int) and highest >= 3)
    beside = made.sample(10 * S, Timebase(), state.put("Alarms.Insulation", 1, 9.0)).values
    assert beside["alarm.levels"] == (1, pair, 11, 1)
    assert beside["alarm.max_level"] == (highest if isinstance(highest, int) else 1)


def test_the_level_of_a_flag_that_is_down_counts_for_nothing(tmp_path: Path) -> None:
    state = State().put("Alarms.Hot", 0, 9.0).put("Temperatures.Level", 3, 9.0)
    shown = values(FED, tmp_path, state)
    assert (shown["alarm.levels"], shown["alarm.max_level"]) == ((), 0)


def test_a_level_goes_stale_by_the_cycle_of_its_own_message(tmp_path: Path) -> None:
    state = State().put("Alarms.Hot", 1, 19.0).put("Temperatures.Level", 3, 4.5)
    assert values(FED, tmp_path, state, t_s=19.5)["alarm.levels"] == (1, 3)
    assert values(FED, tmp_path, state, t_s=20)["alarm.levels"] == (1, INVALID)


def test_levels_that_are_withheld_leave_the_flags_alone(tmp_path: Path) -> None:
    level = SignalRef("pt", "Temperatures", "Level")
    binding = bind(FED, tmp_path)
    assert level in Sampler({"pt": [binding]}, builtin()).wanted
    made = Sampler({"pt": [binding]}, builtin(), withheld={level})
    assert made.items == ("alarm.flags", "vehicle.speed")
    assert level not in made.wanted


def test_levels_of_a_set_without_bits_are_refused(tmp_path: Path) -> None:
    whole = '[items."alarm.flags"]\nsignal = "Alarms.Code_1"\n'
    level = '[items."alarm.max_level"]\nderive = "max_level"\nof = "alarm.flags"\n'
    with pytest.raises(BindingError, match="whose bits have no levels"):
        Sampler({"pt": [bind(whole + level, tmp_path)]}, builtin())


def test_bits_of_one_set_may_come_from_several_buses(tmp_path: Path) -> None:
    one = bind('[items."alarm.flags".bits]\n1 = "Alarms.Hot"\n', tmp_path, "one")
    two = bind('[items."alarm.flags".bits]\n11 = "Alarms.Insulation"\n', tmp_path, "two")
    level = bind('[items."alarm.max_level"]\nderive = "max_level"\nof = "alarm.flags"\n', tmp_path, "three")
    made = Sampler({"pt": [one], "body": [two, level]}, builtin())
    state = State().put("Alarms.Hot", 1, 9.0).put("Alarms.Insulation", 1, 9.0, bus="body")
    record = made.sample(10 * S, Timebase(), state)
    assert record.values["alarm.flags"] == 1 << 1 | 1 << 11
    assert record.values["alarm.max_level"] == 1
    with pytest.raises(BindingError, match=r"'alarm\.flags' is already filled by .*one"):
        Sampler({"pt": [one], "body": [one]}, builtin())


EXTREMES = """
[items."pack[2].cells"]
signals = ["Cells.Cell_4", "Cells.Cell_5", "Cells.Cell_6"]
[items."pack[1].cells"]
signals = ["Cells.Cell_1", "Cells.Cell_2", "Cells.Cell_3"]
[items."bat.max_cell_v"]
derive = "maximum"
of = "pack[*].cells"
[items."bat.min_cell_v"]
derive = "minimum"
of = ["pack[1].cells", "pack[2].cells"]
"""


def extremes(folder: Path, state: State) -> tuple[Value, ...]:
    shown = values(EXTREMES, folder, state)
    return tuple(
        shown[f"bat.{end}_cell_v{part}"] for end in ("max", "min") for part in ("", "_pack", "_cell")
    )


def test_extremes_come_with_their_pack_and_cell(tmp_path: Path) -> None:
    state = State()
    for place, value in enumerate((3.7, 3.9, 3.6, 3.6, 3.9, 3.8), start=1):
        state.put(f"Cells.Cell_{place}", value, 9.0)
    assert extremes(tmp_path, state) == (3900, 1, 2, 3600, 1, 3)
    state.put("Cells.Cell_6", 4.0, 9.0).put("Cells.Cell_4", 3.5, 9.0)
    assert extremes(tmp_path, state) == (4000, 2, 3, 3500, 2, 1)


def test_extremes_leave_missing_elements_out(tmp_path: Path) -> None:
    assert extremes(tmp_path, State()) == (INVALID,) * 6
    state = State().put("Cells.Cell_5", 3.7, 9.0).put("Cells.Cell_1", 99.0, 9.0)
    assert extremes(tmp_path, state) == (3700, 2, 2, 3700, 2, 2)
    for place in range(1, 7):
        state.put(f"Cells.Cell_{place}", 99.0, 9.0)
    assert extremes(tmp_path, state) == (ABNORMAL,) * 6
    for place in range(1, 7):
        state.put(f"Cells.Cell_{place}", 20.0, 9.0)
    assert extremes(tmp_path, state)[:3] == (ABNORMAL, 1, 1)


def test_sums_need_all_their_parts(tmp_path: Path) -> None:
    text = """
        [items."pack[1].current"]
        signal = "Battery.Current"
        [items."pack[2].current"]
        signal = "Battery.Charge"
        unit = "%"
        """.replace('signal = "Battery.Charge"\n        unit = "%"', "constant = -7")
    text += '\n        [items."hv.current"]\n        derive = "sum"\n        of = "pack[*].current"\n'
    assert values(text, tmp_path, State())["hv.current"] is INVALID
    state = State().put("Battery.Current", 20.1, 9.0)
    assert values(text, tmp_path, state)["hv.current"] == 131
    assert values(text, tmp_path, state.put("Battery.Current", 3001, 9.0))["hv.current"] is ABNORMAL


def test_records_are_numbered_without_gaps_and_carry_mask_and_time(tmp_path: Path) -> None:
    made = Sampler({"pt": [bind(SPEED, tmp_path)]}, builtin(), first_number=7)
    timebase = Timebase(5, TimeQuality.GNSS)
    records = [made.sample(t_ns * S, timebase, State(), mask="m1") for t_ns in (1, 2, 3)]
    assert [record.number for record in records] == [7, 8, 9]
    assert [record.t_ns for record in records] == [S, 2 * S, 3 * S]
    assert {(record.mask, record.timebase) for record in records} == {("m1", timebase)}
    assert made.next_number == 10


def test_what_the_door_withholds_has_no_entry_and_is_not_decoded(tmp_path: Path) -> None:
    text = SPEED + 'valid_when = "Motion.SpeedValid"\n' + EXTREMES
    binding = bind(text, tmp_path)
    guard = SignalRef("pt", "Motion", "SpeedValid")
    cell = SignalRef("pt", "Cells", "Cell_6")
    made = Sampler({"pt": [binding]}, builtin(), withheld={guard, cell})
    assert made.items == ("pack[1].cells",)
    assert made.wanted == {SignalRef("pt", "Cells", f"Cell_{n}") for n in (1, 2, 3)}
    assert set(made.sample(S, Timebase(), State()).values) == {"pack[1].cells"}


def test_a_class_that_may_not_be_collected_has_no_entry(tmp_path: Path) -> None:
    binding = bind(SPEED + '[items."gnss.datum"]\nconstant = "WGS84"\n', tmp_path)
    observed = ("gnss.lat", "imu.accel_x")
    made = Sampler(
        {"pt": [binding]}, builtin(), admits=frozenset({DataClass.OPERATION}).__contains__, observed=observed
    )
    assert made.items == ("vehicle.speed", "imu.accel_x")
    made.observe(Observation("gnss.lat", S, 48.1))
    made.observe(Observation("imu.accel_x", S, 1.0))
    made.observe(Observation("imu.accel_y", S, 1.0))
    hop = made.hop()
    assert hop.balanced
    assert (hop.entered, hop.left) == (3, 1)
    assert hop.set_aside == {"nothing allowed": 1, "no declared item": 1}


def test_observations_count_from_their_own_time(tmp_path: Path) -> None:
    made = Sampler({"pt": [bind(SPEED, tmp_path)]}, builtin(), observed=("gnss.lat",))

    def at(t_s: float) -> Value:
        return made.sample(round(t_s * S), Timebase(), State()).values["gnss.lat"]

    assert at(1) is INVALID
    made.observe(Observation("gnss.lat", 2 * S, 48.0))
    made.observe(Observation("gnss.lat", 3 * S, 48.0000015))
    made.observe(Observation("gnss.lat", 1 * S, 1.0))
    assert at(2) is INVALID
    assert at(3) == 48_000_000
    assert at(4) == 48_000_002
    made.observe(Observation("gnss.lat", 4 * S, Missing.INVALID))
    assert at(5) is INVALID
    made.observe(Observation("gnss.lat", 5 * S, 91.0))
    assert at(6) is ABNORMAL
    assert at(8) is ABNORMAL
    assert at(8.1) is INVALID
    assert made.hop().set_aside == {"older than the last one": 1}


def test_an_item_is_filled_once(tmp_path: Path) -> None:
    one, two = bind(SPEED, tmp_path, "one"), bind(SPEED, tmp_path, "two")
    with pytest.raises(BindingError, match=r"'vehicle\.speed' is already filled by .*one.*:1") as caught:
        Sampler({"pt": [one], "body": [two]}, builtin())
    assert caught.value.where.endswith("two.binding.toml:1")
    with pytest.raises(BindingError, match="provided by a sensor too"):
        Sampler({"pt": [one]}, builtin(), observed=("vehicle.speed",))


def test_a_derivation_needs_its_origin_somewhere(tmp_path: Path) -> None:
    level = bind('[items."alarm.max_level"]\nderive = "max_level"\nof = "alarm.flags"\n', tmp_path)
    with pytest.raises(BindingError, match=r"'alarm\.flags', which nothing fills"):
        Sampler({"pt": [level]}, builtin())
