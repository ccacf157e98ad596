"""The guard on random drives: nothing inside passes, batching makes no difference, far away all passes."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.clock import NS_PER_S
from edge.frames import Frame
from edge.places.area import Fence
from edge.places.guard import PlaceGuard
from edge.policy.classes import DataClass
from edge.policy.rules import Area, Datum
from edge.sensors.observation import Observation
from tests.places.vehicle import (
    LAT,
    LON,
    MS,
    POSITION_AND_CABIN,
    guard,
    half,
    judged,
    other,
    path,
    whole,
)

WEST, SOUTH, SPAN = 116.30, 39.90, 0.03
FRESH_NS = 3 * NS_PER_S


@dataclass(frozen=True)
class Step:
    """One frame of a drive: when, what kind, and where the vehicle is then."""

    after_ns: int
    kind: str
    lon: float
    lat: float
    valid: bool
    datum: int


grid = st.integers(-300, 1300).map(lambda part: part / 1000 * SPAN)
steps = st.lists(
    st.builds(
        Step,
        after_ns=st.sampled_from([0, 1, 10 * MS, 100 * MS, NS_PER_S, 3 * NS_PER_S, 4 * NS_PER_S, -50 * MS]),
        kind=st.sampled_from(["place", "place", "other"]),
        lon=grid.map(lambda part: WEST + part),
        lat=grid.map(lambda part: SOUTH + part),
        valid=st.sampled_from([True, True, True, False]),
        datum=st.sampled_from([1, 1, 2, 3]),
    ),
    min_size=1,
    max_size=25,
)
corners = st.lists(
    st.tuples(grid.map(lambda part: WEST + part), grid.map(lambda part: SOUTH + part)),
    min_size=3,
    max_size=6,
    unique=True,
)
areas = st.lists(
    st.builds(
        Area,
        name=st.sampled_from(["plant", "port"]),
        corners=corners.map(tuple),
        datum=st.sampled_from(list(Datum)),
        withhold=st.sampled_from(
            [
                POSITION_AND_CABIN,
                frozenset({DataClass.POSITION}),
                frozenset({DataClass.POSITION, DataClass.OPERATION, DataClass.EXTERIOR}),
            ]
        ),
        margin_m=st.sampled_from([0.0, 50.0, 300.0]),
    ),
    min_size=1,
    max_size=3,
)
cuts = st.lists(st.integers(0, 90), max_size=12)
bindings = st.sampled_from(["whole", "datum", "halves", "multiplexed"])


def drive(steps: list[Step], kind: str) -> list[tuple[Frame, Step, str]]:
    """The frames of a drive, with what each says: nothing, a whole position, or one half of it."""
    t_ns, found = 10 * NS_PER_S, []
    for step in steps:
        t_ns += step.after_ns
        if step.kind == "other":
            found.append((other(t_ns), step, ""))
        elif kind == "halves":
            found.append((half(t_ns, LON, step.lon, valid=step.valid), step, "lon"))
            found.append((half(t_ns + 1, LAT, step.lat, valid=step.valid), step, "lat"))
        elif kind == "multiplexed":
            found.append((path(t_ns, 0, step.lon), step, "lon"))
            found.append((path(t_ns + 1, 1, step.lat), step, "lat"))
        else:
            found.append((whole(t_ns, step.lon, step.lat, valid=step.valid, datum=step.datum), step, "both"))
    return found


def datums(step: Step, kind: str) -> list[Datum]:
    if kind != "datum":
        return [Datum.WGS84]
    return {1: [Datum.WGS84], 2: [Datum.GCJ02]}.get(step.datum, list(Datum))


@given(steps, areas, cuts, bindings)
@settings(max_examples=40, deadline=None)
def test_no_position_inside_an_area_passes(
    steps: list[Step], areas: list[Area], cuts: list[int], kind: str
) -> None:
    said = drive(steps, kind)
    withheld = judged(guard(kind, *areas), [frame for frame, _, _ in said], cuts)
    fences = [Fence(one) for one in areas]
    passed: dict[str, tuple[int, float]] = {}
    for (frame, step, what), classes in zip(said, withheld, strict=True):
        if what == "both":
            for fence in fences:
                if fence.holds(step.lon, step.lat, datums(step, kind)):
                    assert fence.area.withhold <= classes
        if not what or DataClass.POSITION in classes:
            continue
        if what != "both":
            passed[what] = frame.t_ns, step.lon if what == "lon" else step.lat
        # Whoever pairs the last halves that passed, as a record does, finds no place inside.
        if len(passed) == 2 and all(0 <= frame.t_ns - t_ns <= FRESH_NS for t_ns, _ in passed.values()):
            lon, lat = passed["lon"][1], passed["lat"][1]
            assert not any(fence.holds(lon, lat, [Datum.WGS84]) for fence in fences)


@given(steps, areas, cuts, bindings)
@settings(max_examples=50, deadline=None)
def test_how_frames_are_batched_makes_no_difference(
    steps: list[Step], areas: list[Area], cuts: list[int], kind: str
) -> None:
    frames = [frame for frame, _, _ in drive(steps, kind)]
    one, several, single = guard(kind, *areas), guard(kind, *areas), guard(kind, *areas)
    at_once = judged(one, frames)
    assert judged(several, frames, cuts) == at_once
    assert judged(single, frames, range(len(frames))) == at_once
    assert one.withheld == several.withheld == single.withheld
    assert one.place == several.place == single.place
    assert one.hop() == several.hop() == single.hop()


@given(steps, areas, cuts, bindings)
@settings(max_examples=50, deadline=None)
def test_far_from_all_areas_everything_passes_from_the_first_position_on(
    steps: list[Step], areas: list[Area], cuts: list[int], kind: str
) -> None:
    away = [
        Step(max(min(step.after_ns, NS_PER_S), 2), step.kind, step.lon - 9, step.lat, True, step.datum)
        for step in steps
    ]
    said = drive([Step(0, "place", WEST - 9, SOUTH, True, 1), *away], kind)
    withheld = judged(guard(kind, *areas), [frame for frame, _, _ in said], cuts)
    first = 0 if said[0][2] == "both" else 1
    newest_ns = 0
    for (frame, _, what), classes in list(zip(said, withheld, strict=True))[first:]:
        # Half a position says nothing yet.
        newest_ns = frame.t_ns if what in {"both", "lat"} else newest_ns or frame.t_ns
        assert not classes or frame.t_ns - newest_ns > FRESH_NS - 2


@given(steps, areas)
@settings(max_examples=50, deadline=None)
def test_no_observation_inside_an_area_is_kept(steps: list[Step], areas: list[Area]) -> None:
    t_ns, observations, where = 0, [], {}
    for step in steps:
        t_ns += abs(step.after_ns) + 1
        where[t_ns] = step
        observations += [
            Observation("gnss.valid", t_ns, int(step.valid)),
            Observation("gnss.datum", t_ns, step.datum),
            Observation("gnss.lat", t_ns, step.lat),
            Observation("gnss.lon", t_ns, step.lon),
            Observation("vehicle.speed", t_ns, 50.0),
        ]
    one, single = PlaceGuard(areas), PlaceGuard(areas)
    kept = one.judge_observations(observations)
    fences = [Fence(one) for one in areas]
    for observation in kept:
        step = where[observation.t_ns]
        for fence in fences:
            if fence.holds(step.lon, step.lat, datums(step, "datum")):
                assert observation.item_id == "vehicle.speed"
                assert DataClass.OPERATION not in fence.area.withhold
    one_by_one = [
        observation
        for start in range(0, len(observations), 5)
        for observation in single.judge_observations(observations[start : start + 5])
    ]
    assert one_by_one == list(kept)
    assert one.hop() == single.hop()
    assert one.hop().balanced


@given(steps, areas)
@settings(max_examples=30, deadline=None)
def test_whole_positions_and_halves_of_the_same_drive_are_judged_alike_at_the_end(
    steps: list[Step], areas: list[Area]
) -> None:
    # Standing still long enough for all older halves to be forgotten, both know the same.
    last = next((step for step in reversed(steps) if step.kind == "place"), None)
    if last is None:
        return
    still = [
        Step(4 * NS_PER_S, "place", last.lon, last.lat, True, 1),
        Step(1, "place", last.lon, last.lat, True, 1),
    ]
    places = []
    for kind in ("whole", "halves", "multiplexed"):
        one = guard(kind, *areas)
        judged(one, [frame for frame, _, _ in drive([*steps, *still], kind)])
        places.append(one.place)
    assert places[0] == places[1] == places[2]
