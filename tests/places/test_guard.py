"""The guard on chosen drives: where withholding begins and ends, and that no position is left anywhere."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from edge.clock import NS_PER_S
from edge.database.load import parse_database
from edge.errors import PolicyError
from edge.frames import Frame, FrameBatch, FrameFlag
from edge.places.datum import gcj02_of_wgs84
from edge.places.guard import PlaceGuard
from edge.places.track import Track
from edge.policy.classed import ClassedDatabase, DiagnosticChannel
from edge.policy.classes import DataClass
from edge.policy.rules import Datum
from edge.records import Missing
from edge.sensors.observation import Observation
from tests.places.vehicle import (
    BUS,
    INSIDE,
    LAT,
    LON,
    MS,
    OUTSIDE,
    POSITION_AND_CABIN,
    WHOLE,
    area,
    batch,
    binding,
    bound,
    database,
    guard,
    half,
    judged,
    other,
    path,
    raw,
    status,
    whole,
)
from tests.policy.boxed import boxed

NOTHING: frozenset[DataClass] = frozenset()
S = NS_PER_S


def test_without_areas_nothing_is_looked_at() -> None:
    free = PlaceGuard.of((), {BUS: (database(),)}, {BUS: (binding("whole"),)})
    frames = batch([whole(0, *INSIDE), other(1)])
    assert free.judge(frames) == ((slice(0, 2), NOTHING),)
    seen = [Observation("gnss.lon", 0, 10.01), Observation("gnss.lat", 0, 50.01)]
    assert free.judge_observations(seen) == tuple(seen)
    assert (free.withheld, free.place) == (NOTHING, None)
    assert free.hop().entered == 0


def test_until_a_position_has_come_the_place_is_unknown() -> None:
    one = guard("whole", area(withhold=frozenset(DataClass)))
    unsure = frozenset(DataClass) - {DataClass.OPERATION, DataClass.HEALTH}
    assert (one.withheld, one.place) == (unsure, "unknown")
    assert judged(one, [other(0), other(1), whole(2, *OUTSIDE), other(3)]) == [
        unsure,
        unsure,
        NOTHING,
        NOTHING,
    ]
    assert (one.withheld, one.place) == (NOTHING, None)


def test_a_position_inside_is_withheld_itself_and_all_after_it_until_one_outside() -> None:
    one = guard()
    frames = [whole(0, *OUTSIDE), other(1), whole(2, *INSIDE), other(3), whole(4, *INSIDE), other(5)]
    frames += [whole(6, *OUTSIDE), other(7)]
    assert judged(one, frames) == [NOTHING] * 2 + [POSITION_AND_CABIN] * 4 + [NOTHING] * 2
    assert one.place is None
    assert one.hop().facts["frames inside a forbidden area"] == 4


def test_what_has_been_inside_stays_inside_while_nothing_comes() -> None:
    one = guard()
    frames = [whole(0, *OUTSIDE), whole(1, *INSIDE), other(3600 * S), other(7200 * S)]
    assert judged(one, frames)[1:] == [POSITION_AND_CABIN] * 3
    assert one.place == "plant"


def test_a_place_that_grows_old_is_unknown() -> None:
    one = guard()
    frames = [whole(0, *OUTSIDE), other(3 * S), other(3 * S + 1), other(4 * S), whole(5 * S, *OUTSIDE)]
    assert judged(one, frames) == [NOTHING, NOTHING, POSITION_AND_CABIN, POSITION_AND_CABIN, NOTHING]
    one.settle(8 * S)
    assert one.withheld == NOTHING
    one.settle(8 * S + 1)
    assert (one.withheld, one.place) == (POSITION_AND_CABIN, "unknown")


def test_a_repeated_last_position_without_a_fix_ends_nothing() -> None:
    one = guard()
    frames = [whole(0, *OUTSIDE), whole(1, *INSIDE), whole(2, *OUTSIDE, valid=False), other(3)]
    assert judged(one, frames)[1:] == [POSITION_AND_CABIN] * 3


def test_a_position_inside_counts_although_there_is_no_fix() -> None:
    # A record would not have it, but the frame's bits do.
    one = guard()
    assert judged(one, [whole(0, *OUTSIDE), whole(1, *INSIDE, valid=False)])[1] == POSITION_AND_CABIN


def test_a_frame_whose_position_cannot_be_read_does_not_pass() -> None:
    nowhere = Frame(1, WHOLE, raw(50.01) + raw(190.0) + bytes([1, 1, 0, 0]), bus=BUS, flags=FrameFlag.FD)
    short = Frame(3, WHOLE, raw(50.01) + raw(10.01)[:3], bus=BUS)
    one = guard()
    found = judged(one, [whole(0, *OUTSIDE), nowhere, other(2), short, other(4)])
    assert found == [NOTHING, POSITION_AND_CABIN, NOTHING, POSITION_AND_CABIN, NOTHING]
    assert one.hop().facts["positions that could not be judged"] == 2


def test_a_remote_frame_of_a_position_has_none() -> None:
    one = guard()
    remote = Frame(1, WHOLE, b"", bus=BUS, flags=FrameFlag.REMOTE)
    assert judged(one, [whole(0, *OUTSIDE), remote]) == [NOTHING, NOTHING]


def test_two_areas_each_withhold_their_own() -> None:
    other_place = tuple((lon + 1, lat) for lon, lat in area().corners)
    media = frozenset({DataClass.EXTERIOR})
    one = guard("whole", area(), area(other_place, withhold=media, name="port"), area(withhold=media))
    unsure = POSITION_AND_CABIN | media
    both = judged(one, [other(0), whole(1, *INSIDE), whole(2, 11.01, 50.01), whole(3, *OUTSIDE)])
    assert both == [unsure, unsure, media, NOTHING]
    judged(one, [whole(4, *INSIDE)])
    assert one.place == "plant, plant"


def test_an_area_that_withholds_operation_does_so_inside_only() -> None:
    everything = frozenset(DataClass)
    one = guard("whole", area(withhold=everything))
    found = judged(one, [whole(0, *OUTSIDE), other(9 * S), whole(10 * S, *INSIDE), other(20 * S)])
    assert found == [NOTHING, everything - {DataClass.OPERATION, DataClass.HEALTH}, everything, everything]


def shifted(lon: float, lat: float) -> tuple[float, float]:
    east, north = gcj02_of_wgs84(lon, lat)
    return float(east), float(north)


CHINESE = ((116.38, 39.91), (116.382, 39.91), (116.382, 39.912), (116.38, 39.912))


@pytest.mark.parametrize(("datum", "inside"), [(1, True), (2, False), (3, True), (0, True)])
def test_a_position_is_judged_in_the_datum_that_comes_with_it(datum: int, inside: bool) -> None:
    one = guard("datum", area(CHINESE, margin_m=0))
    found = judged(one, [whole(0, 117.0, 39.0, datum=1), whole(1, 116.381, 39.911, datum=datum)])
    assert found[1] == (POSITION_AND_CABIN if inside else NOTHING)


@pytest.mark.parametrize(("datum", "inside"), [(1, False), (2, True), (3, True)])
def test_a_shifted_position_is_found_inside_all_the_same(datum: int, inside: bool) -> None:
    one = guard("datum", area(CHINESE, margin_m=0))
    found = judged(one, [whole(0, 117.0, 39.0), whole(1, *shifted(116.381, 39.911), datum=datum)])
    assert found[1] == (POSITION_AND_CABIN if inside else NOTHING)


@pytest.mark.parametrize(("default", "inside"), [(Datum.WGS84, False), (Datum.GCJ02, True), (None, True)])
def test_without_a_datum_the_stated_one_counts_and_without_that_both(
    default: Datum | None, inside: bool
) -> None:
    one = guard("whole", area(CHINESE, margin_m=0), default_datum=default)
    found = judged(one, [whole(0, 117.0, 39.0), whole(1, *shifted(116.381, 39.911))])
    assert found[1] == (POSITION_AND_CABIN if inside else NOTHING)


def test_a_status_in_another_message_counts_while_it_is_fresh() -> None:
    one = guard("status", area(CHINESE, margin_m=0))
    frames = [whole(0, *OUTSIDE), status(1), whole(2, *OUTSIDE), status(3, valid=False), whole(4, *INSIDE)]
    frames += [whole(5, 116.381, 39.911), whole(6, *OUTSIDE), status(7), whole(8, *OUTSIDE)]
    # Without a fix a position inside is believed, and none outside.
    assert judged(one, frames) == [POSITION_AND_CABIN] * 2 + [NOTHING] * 3 + [POSITION_AND_CABIN] * 3 + [
        NOTHING
    ]
    late = judged(one, [whole(3 * S, *OUTSIDE), whole(3 * S + 8, *OUTSIDE), other(7 * S)])
    assert late == [NOTHING, NOTHING, POSITION_AND_CABIN]


def test_half_a_position_does_not_pass_before_the_other_half_is_known() -> None:
    one = guard("halves")
    frames = [half(0, LON, OUTSIDE[0]), other(1), half(2, LAT, OUTSIDE[1]), other(3)]
    assert judged(one, frames) == [POSITION_AND_CABIN] * 2 + [NOTHING] * 2


def test_every_pair_of_halves_that_may_be_taken_for_a_position_is_judged() -> None:
    one = guard("halves")
    # No position was (10.01, 50.01), but whoever pairs the last values would see it.
    frames = [half(0, LON, 10.01), half(1, LAT, 50.2), half(2, LAT, 50.01), half(3, LON, 10.2)]
    assert judged(one, frames) == [POSITION_AND_CABIN, NOTHING, POSITION_AND_CABIN, POSITION_AND_CABIN]
    away = [half(4, LAT, 50.2), half(5, LON, 10.2), half(6, LAT, 50.2), half(7, LON, 10.2)]
    assert judged(one, away)[-1] == NOTHING


def test_a_half_that_passed_is_not_paired_into_an_area_after_it() -> None:
    one = guard("halves")
    assert judged(one, [half(0, LON, 10.01), half(1, LAT, 50.2), half(2, LON, 10.01)])[-1] == NOTHING
    # West of the area, longitude 10.01 is still what a reader has; latitude 50.01 must not come to it.
    passing = [
        half(3, LAT, 50.01),
        half(4, LON, 9.5),
        half(5, LAT, 50.01),
        half(6, LON, 9.5),
        half(7, LAT, 50.01),
    ]
    assert judged(one, passing) == [POSITION_AND_CABIN] * 5
    later = [half(4 * S, LON, 9.5), half(4 * S + 1, LAT, 50.01), half(4 * S + 2, LON, 9.5)]
    assert judged(one, later) == [POSITION_AND_CABIN, NOTHING, NOTHING]


def test_a_multiplexed_position_comes_in_halves_too() -> None:
    one = guard("multiplexed")
    frames = [path(0, 0, OUTSIDE[0]), path(1, 1, OUTSIDE[1]), path(2, 2, 0.0), path(3, 1, INSIDE[1])]
    frames += [path(4, 0, INSIDE[0]), path(5, 2, 0.0)]
    assert judged(one, frames) == [POSITION_AND_CABIN, *[NOTHING] * 3, *[POSITION_AND_CABIN] * 2]


def test_a_late_position_inside_counts_and_a_late_one_outside_does_not() -> None:
    one = guard()
    frames = [whole(5 * S, *OUTSIDE), whole(4 * S, *INSIDE), whole(4 * S + 1, *OUTSIDE), other(6 * S)]
    assert judged(one, frames) == [NOTHING, *[POSITION_AND_CABIN] * 3]
    assert judged(one, [whole(6 * S, *OUTSIDE)]) == [NOTHING]


def test_a_late_frame_from_inside_is_withheld_after_leaving() -> None:
    one = guard()
    frames = [whole(0, *INSIDE), whole(10 * MS, *OUTSIDE), other(9 * MS), other(11 * MS), other(5 * MS)]
    found = judged(one, frames)
    assert found == [POSITION_AND_CABIN, NOTHING, POSITION_AND_CABIN, NOTHING, POSITION_AND_CABIN]
    assert judged(one, [other(12 * MS), other(9 * MS)]) == [NOTHING, POSITION_AND_CABIN]


def seen(t_ns: int, lon: float | Missing, lat: float | Missing, **more: float) -> list[Observation]:
    return [
        *(Observation(f"gnss.{name}", t_ns, value) for name, value in more.items()),
        Observation("gnss.lat", t_ns, lat),
        Observation("gnss.lon", t_ns, lon),
        Observation("gnss.satellites", t_ns, 9),
        Observation("imu.accel_x", t_ns, 0.1),
    ]


def kept(one: PlaceGuard, observations: Sequence[Observation]) -> list[str]:
    return [observation.item_id for observation in one.judge_observations(observations)]


def test_observations_are_judged_and_dropped_alike() -> None:
    one = PlaceGuard([area()])
    everything = ["gnss.valid", "gnss.lat", "gnss.lon", "gnss.satellites", "imu.accel_x"]
    assert kept(one, seen(0, *INSIDE, valid=1)) == ["imu.accel_x"]
    assert one.place == "plant"
    assert kept(one, seen(S, *OUTSIDE, valid=0)) == ["imu.accel_x"]
    assert kept(one, seen(2 * S, *OUTSIDE, valid=1)) == everything
    assert kept(one, seen(3 * S, *OUTSIDE, valid=1) + seen(4 * S, *INSIDE, valid=1)) == [
        *everything,
        "imu.accel_x",
    ]
    assert kept(one, seen(5 * S, Missing.INVALID, Missing.INVALID, valid=0)) == ["imu.accel_x"]
    hop = one.hop()
    assert hop.balanced
    assert hop.entered == 30
    assert hop.set_aside == {"inside a forbidden area": 16}


def test_observations_that_cannot_be_judged_are_not_kept() -> None:
    one = PlaceGuard([area()])
    assert kept(one, seen(0, Missing.INVALID, Missing.INVALID)) == ["imu.accel_x"]
    assert one.hop().set_aside == {"place unknown": 3}
    assert kept(one, seen(1, *OUTSIDE))[-1] == "imu.accel_x"
    assert kept(one, [Observation("gnss.lat", 2, 50.01)]) == []
    assert kept(one, seen(3, *OUTSIDE)) == ["gnss.lat", "gnss.lon", "gnss.satellites", "imu.accel_x"]
    assert kept(one, [Observation("gnss.nobody_knows", 4 * S, 1.0)]) == []


def test_several_receivers_at_once_are_inside_if_one_is() -> None:
    one = PlaceGuard([area()])
    assert kept(one, seen(0, *OUTSIDE) + seen(0, *INSIDE)) == ["imu.accel_x", "imu.accel_x"]


def test_an_observed_datum_counts() -> None:
    one = PlaceGuard([area(CHINESE, margin_m=0)])
    there = shifted(116.381, 39.911)
    assert len(kept(one, seen(0, *there, datum=1))) == 5
    assert kept(one, seen(1, *there, datum=2)) == ["imu.accel_x"]
    assert len(kept(one, seen(2, *there, datum=1))) == 5
    assert kept(one, seen(3, *there, datum=3)) == ["imu.accel_x"]


def test_what_a_sensor_sees_holds_for_frames_and_the_other_way_round() -> None:
    one = guard()
    judged(one, [whole(0, *OUTSIDE)])
    assert kept(one, seen(10, *INSIDE)) == ["imu.accel_x"]
    assert judged(one, [other(5), other(20)]) == [POSITION_AND_CABIN] * 2
    # The bus says outside, the receiver said inside a moment ago: either is enough.
    assert judged(one, [whole(30, *OUTSIDE)]) == [POSITION_AND_CABIN]
    assert kept(one, seen(40, *OUTSIDE)) != ["imu.accel_x"]
    # Frames that waited to be put in order were sent while the receiver still said inside.
    assert judged(one, [other(35), other(41)]) == [POSITION_AND_CABIN, NOTHING]


def test_a_source_that_fell_silent_inside_is_overruled_by_one_that_speaks() -> None:
    one = guard()
    kept(one, seen(0, *INSIDE))
    frames = [whole(1 * S, *OUTSIDE), whole(3 * S, *OUTSIDE), other(3 * S + 1), whole(4 * S, *OUTSIDE)]
    assert judged(one, frames) == [POSITION_AND_CABIN] * 2 + [NOTHING] * 2


def test_what_a_sensor_saw_grows_old_by_the_time_of_frames() -> None:
    one = guard()
    judged(one, [other(10 * S)])
    kept(one, seen(9 * S, *OUTSIDE))
    assert judged(one, [other(11 * S)]) == [NOTHING]
    assert judged(one, [other(12 * S), other(12 * S + 1)]) == [NOTHING, POSITION_AND_CABIN]


def test_a_long_silence_between_batches_makes_the_place_unknown() -> None:
    one = guard()
    assert judged(one, [whole(0, *OUTSIDE), other(1)], cuts=[1]) == [NOTHING, NOTHING]
    assert judged(one, [other(2), other(3)], cuts=[1]) == [NOTHING, NOTHING]
    assert judged(one, [other(60 * S)]) == [POSITION_AND_CABIN]


def test_late_frames_at_the_beginning_of_a_batch_do_not_turn_back_time() -> None:
    one = guard()
    judged(one, [whole(0, *OUTSIDE), other(4 * S)])
    late = [other(1 * S), whole(1 * S, *OUTSIDE, valid=False), other(1 * S)]
    assert judged(one, late) == [POSITION_AND_CABIN] * 3


def test_both_halves_have_to_be_valid() -> None:
    one = guard("halves")
    frames = [half(0, LON, OUTSIDE[0], valid=False), half(1, LAT, OUTSIDE[1]), half(2, LAT, OUTSIDE[1])]
    assert judged(one, frames) == [POSITION_AND_CABIN] * 3
    assert judged(one, [half(3, LON, OUTSIDE[0])]) == [NOTHING]


def test_a_half_is_overwritten_by_a_whole_position() -> None:
    one = PlaceGuard([area()])
    kept(one, [Observation("gnss.lat", 0, 50.0123456)])
    assert [value for value in points_in(one) if isinstance(value, Track) and value._held.any()]
    kept(one, seen(1, *OUTSIDE))
    assert not [value for value in points_in(one) if isinstance(value, Track) and value._held.any()]


def test_a_frame_with_a_piece_of_a_position_does_not_pass() -> None:
    one = guard()
    piece = Frame(1, WHOLE, raw(50.01)[:3], bus=BUS)
    assert judged(one, [whole(0, *OUTSIDE), piece, other(2)]) == [NOTHING, POSITION_AND_CABIN, NOTHING]


def test_a_late_status_does_not_replace_a_newer_one() -> None:
    one = guard("status")
    frames = [status(5), status(3, valid=False), whole(6, *OUTSIDE)]
    assert judged(one, frames)[-1] == NOTHING


def test_a_position_in_halves_is_as_old_as_its_older_half() -> None:
    one = guard("halves")
    frames = [half(0, LON, OUTSIDE[0]), half(5 * S // 2, LAT, OUTSIDE[1]), other(3 * S), other(3 * S + 1)]
    assert judged(one, frames) == [POSITION_AND_CABIN, NOTHING, NOTHING, POSITION_AND_CABIN]


def test_a_half_that_comes_after_a_silence_does_not_make_a_position() -> None:
    one = guard("halves")
    judged(one, [half(0, LON, OUTSIDE[0]), half(1, LAT, OUTSIDE[1])])
    assert judged(one, [half(10 * S, LAT, OUTSIDE[1]), other(10 * S + 1)]) == [POSITION_AND_CABIN] * 2


def test_a_late_position_in_another_area_adds_to_what_is_withheld() -> None:
    port = tuple((lon + 1, lat) for lon, lat in area().corners)
    exterior = frozenset({DataClass.EXTERIOR})
    one = guard("whole", area(), area(port, withhold=exterior))
    found = judged(one, [whole(5, *INSIDE), whole(4, 11.01, 50.01)])
    assert found == [POSITION_AND_CABIN, POSITION_AND_CABIN | exterior]


@pytest.mark.parametrize("word", ["invalid", "abnormal"])
def test_a_value_that_means_none_may_be_a_position_all_the_same(word: str) -> None:
    angles = ("Longitude", 10.01), ("Latitude", 50.01)
    text = "".join(
        f'[items."gnss.{name[:3].lower()}"]\nsignal = "Whole.{name}"\n{word} = [{value}]\n'
        for name, value in angles
    )
    one = PlaceGuard.of((area(),), {BUS: (database(),)}, {BUS: (bound(text),)})
    found = judged(one, [whole(0, *OUTSIDE), whole(1, *INSIDE), other(2)])
    assert found == [NOTHING, POSITION_AND_CABIN, POSITION_AND_CABIN]


def test_a_position_is_as_fresh_as_its_binding_says() -> None:
    text = """
        [items."gnss.lon"]
        signal = "Whole.Longitude"
        freshness_s = 5
        [items."gnss.lat"]
        signal = "Whole.Latitude"
        freshness_s = 7
        """
    one = PlaceGuard.of((area(),), {BUS: (database(),)}, {BUS: (bound(text),)})
    assert judged(one, [whole(0, *OUTSIDE), other(7 * S), other(7 * S + 1)]) == [
        NOTHING,
        NOTHING,
        POSITION_AND_CABIN,
    ]


def points_in(what: object) -> list[object]:
    """Everything that an object refers to, at any depth, that the test's positions could be in."""
    reached: dict[int, object] = {}
    waiting = [what]
    while waiting:
        one = waiting.pop()
        if id(one) in reached or isinstance(one, type) or callable(one):
            continue
        reached[id(one)] = one
        waiting += gc.get_referents(one)
    return list(reached.values())


def test_no_position_is_held_that_came_whole() -> None:
    one = guard("whole", area())
    one.judge(batch([whole(0, *OUTSIDE), whole(1, 10.0123456, 50.0123456), other(2)]))
    one.judge_observations(seen(3, 10.0123456, 50.0123456))
    found = [value for value in points_in(one) if isinstance(value, int | float)]
    assert not [value for value in found if round(float(value) * 1e6) % 1_000_000 == 12_346]
    assert not [value for value in found if value in {10_012_346, 50_012_346, 100_123_456, 500_123_456}]
    for track in (value for value in points_in(one) if isinstance(value, Track)):
        assert not track._held.any()


def test_halves_are_overwritten_when_no_record_could_pair_them() -> None:
    one = guard("halves")
    judged(one, [half(0, LON, INSIDE[0]), half(1, LAT, INSIDE[1]), half(10 * S, LON, 10.5)])
    (track,) = (value for value in points_in(one) if isinstance(value, Track) and value._held.any())
    assert sorted(track._held.ravel().tolist()) == [0, 0, 0, 0, 0, 10_500_000]


def test_nothing_that_is_shown_or_counted_holds_a_position() -> None:
    one = guard("halves")
    frames = [half(0, LON, 10.0123456), half(1, LAT, 50.0123456), other(2)]
    judged(one, frames)
    one.judge_observations(seen(3, 10.0123456, 50.0123456))
    shown = f"{one!r} {one.hop()!r} {one.withheld!r} {batch(frames)!r}"
    for sighting in one._reader.read(batch(frames)):
        shown += repr(sighting)
    for digits in ("0123", "10012", "50012", "plant"):
        assert digits not in shown
    assert "plant" in str(one.place)


def test_a_position_that_several_signals_make_up_is_refused() -> None:
    mean = """
        [items."gnss.lon"]
        signals = ["Whole.Longitude", "Lon.Longitude"]
        combine = "mean"
        [items."gnss.lat"]
        signal = "Whole.Latitude"
        """
    with pytest.raises(PolicyError, match=r"'gnss\.lon' is not one signal"):
        PlaceGuard.of((area(),), {BUS: (database(),)}, {BUS: (bound(mean),)})
    PlaceGuard.of((), {BUS: (database(),)}, {BUS: (bound(mean),)})


@pytest.mark.parametrize(
    "channel",
    [
        DiagnosticChannel(WHOLE, extended=False, message="", rules=()),
        DiagnosticChannel(0x7E8, extended=False, message="Whole", rules=()),
    ],
)
def test_a_position_in_diagnostics_is_refused(channel: DiagnosticChannel) -> None:
    spoken = ClassedDatabase(database().database, {}, channels=(channel,))
    with pytest.raises(PolicyError, match="several frames"):
        PlaceGuard.of((area(),), {BUS: (spoken,)}, {BUS: (binding("whole"),)})


J1939 = """VERSION ""

NS_ :

BS_:

BU_: Ecu

BO_ {number} Whole: {length} Ecu
 SG_ Latitude : 0|32@1- (0.0000001,0) [-90|90] "deg" Ecu
 SG_ Longitude : 32|32@1- (0.0000001,0) [-180|180] "deg" Ecu

BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","reserved","J1939PG";
BA_DEF_DEF_ "VFrameFormat" "J1939PG";
"""


def j1939_guard(identifier: int, length: int) -> PlaceGuard:
    text = J1939.format(number=identifier | 1 << 31, length=length)
    spoken = ClassedDatabase(parse_database(text.encode(), Path("j1939.dbc")), {})
    names = """
        [items."gnss.lon"]
        signal = "Whole.Longitude"
        [items."gnss.lat"]
        signal = "Whole.Latitude"
        """
    return PlaceGuard.of((area(),), {BUS: (spoken,)}, {BUS: (bound(names, spoken.database),)})


def test_a_position_of_several_packets_is_refused() -> None:
    with pytest.raises(PolicyError, match="several frames"):
        j1939_guard(0x18FEF300, 12)


def test_a_position_in_a_container_is_refused() -> None:
    pdu = J1939.partition("\n\nBA_DEF_")[0].partition("BU_: Ecu\n\n")[2].format(number=1, length=8)
    spoken = ClassedDatabase(boxed({1: f"{pdu}\n\n"}), {})
    names = """
        [items."gnss.lon"]
        signal = "Whole.Longitude"
        [items."gnss.lat"]
        signal = "Whole.Latitude"
        """
    one = bound(names, spoken.database)
    with pytest.raises(PolicyError, match="in a container"):
        PlaceGuard.of((area(),), {BUS: (spoken,)}, {BUS: (one,)})
    PlaceGuard.of((), {BUS: (spoken,)}, {BUS: (one,)})


@pytest.mark.parametrize(("identifier", "sent"), [(0x18FEF300, 0x0CFEF32A), (0x18EA0000, 0x0CEA552A)])
def test_a_parameter_group_is_found_whoever_sends_it(identifier: int, sent: int) -> None:
    one = j1939_guard(identifier, 8)

    def place(t_ns: int, lon: float, lat: float) -> Frame:
        return Frame(t_ns, sent, raw(lat) + raw(lon), bus=BUS, flags=FrameFlag.EXTENDED)

    assert judged(one, [place(0, *OUTSIDE), place(1, *INSIDE)]) == [NOTHING, POSITION_AND_CABIN]


def test_without_a_binding_of_both_the_place_stays_unknown() -> None:
    only = bound('[items."gnss.lon"]\nsignal = "Whole.Longitude"\n')
    one = PlaceGuard.of((area(),), {BUS: (database(),)}, {BUS: (only,)})
    assert judged(one, [whole(0, *OUTSIDE)]) == [POSITION_AND_CABIN]


def test_longitude_and_latitude_may_be_on_two_buses() -> None:
    lon = bound('[items."gnss.lon"]\nsignal = "Lon.Longitude"\n')
    lat = bound('[items."gnss.lat"]\nsignal = "Lat.Latitude"\n')
    one = PlaceGuard.of((area(),), {"a": (database(),), "b": (database(),)}, {"a": (lon,), "b": (lat,)})
    frames = [
        Frame(0, LON, raw(OUTSIDE[0]) + b"\1", bus="a"),
        Frame(1, LAT, raw(INSIDE[1]) + b"\1", bus="a"),
        Frame(2, LAT, raw(OUTSIDE[1]) + b"\1", bus="b"),
        Frame(3, LON, raw(INSIDE[0]) + b"\1", bus="b"),
        Frame(4, LAT, raw(OUTSIDE[1]) + b"\1", bus="b"),
    ]
    ((first, withheld), (second, nothing)) = one.judge(FrameBatch.from_frames(frames))
    assert (first, withheld, second, nothing) == (slice(0, 2), POSITION_AND_CABIN, slice(2, 5), NOTHING)


def test_an_empty_batch_is_one_empty_stretch() -> None:
    one = guard()
    assert one.judge(FrameBatch.empty()) == ((slice(0, 0), POSITION_AND_CABIN),)


def test_a_batch_is_not_written_to() -> None:
    frames = batch([whole(0, *OUTSIDE), whole(1, *INSIDE), other(2)])
    before = pickle.dumps(frames)
    guard().judge(frames)
    assert pickle.dumps(frames) == before


def test_stretches_differ_from_their_neighbours() -> None:
    one = guard()
    frames = [whole(number, *(INSIDE if number % 5 == 4 else OUTSIDE)) for number in range(40)]
    for (_, withheld), (_, following) in pairwise(one.judge(batch(frames))):
        assert withheld != following
