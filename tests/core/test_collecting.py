"""Records follow the policy: what may not be collected has no entry, what may again no value of before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from edge.catalogue.catalogue import builtin
from edge.catalogue.condition import Comparison
from edge.clock import Timebase
from edge.collecting import Collecting, Described
from edge.core import Core
from edge.database.model import SignalRef
from edge.decode.latest import LatestValues
from edge.decode.plan import DecodePlan
from edge.frames import Frame, FrameBatch
from edge.policy.admission import Admission, Use
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.classfile import load_classes
from edge.policy.rules import Basis, Policy, Precision, Purpose, Rule
from edge.records import Missing, Record, Value
from edge.sensors.observation import Observation
from edge.vehicle.event_watch import EventWatch
from edge.vehicle.expression import Expression, SignalComparison
from edge.vehicle.rules import SamplingRules
from edge.vehicle.trigger import Trigger
from tests.core.test_core import BINDING, alarm, motion
from tests.vehicle.state import S, bind, made_up

SPEED, FLAGS = "vehicle.speed", "alarm.flags"
SERVICE: Use = (DataClass.POSITION, Purpose.SERVICE)
CLASSES = '[operation]\nsignals = ["Alarms.*"]\n[position]\nsignals = ["Motion.*"]\n'
DERIVED = """
[items."alarm.max_level"]
derive = "max_level"
of = "alarm.flags"
"""
LEVELS = '[items."alarm.flags".levels]\nbattery_high_temperature = 3\n'


def made_up_policy(precision: Precision | None = None) -> Policy:
    """Operation by law, position to a service while somebody agrees."""
    rules = {
        (DataClass.OPERATION, purpose): Rule(DataClass.OPERATION, purpose, Basis.LAW) for purpose in Purpose
    }
    rules[SERVICE] = Rule(*SERVICE, Basis.CONSENT, longest_days=1.0, precision=precision or Precision())
    return Policy("made up", 1, "", rules)


class Follower:
    """A door and a core under one policy, and the records that come out."""

    def __init__(
        self,
        folder: Path,
        *,
        observed: tuple[str, ...] = (),
        binding: str = BINDING,
        classes: str = CLASSES,
        rules: SamplingRules | None = None,
        policy: Policy | None = None,
    ) -> None:
        (folder / "classes.toml").write_text(classes)
        classed: ClassedDatabase = load_classes(folder / "classes.toml", made_up())
        self.policy = policy or made_up_policy()
        described = Described({"pt": [classed]}, {"pt": [bind(binding, folder)]}, builtin(), observed)
        self.collecting = Collecting(self.policy, described)
        sampler = self.collecting.sampler()
        plan = DecodePlan(
            {"pt": [classed.database]}, wanted=sampler.wanted, withheld=self.collecting.widest.withheld()
        )
        latest = LatestValues(plan, latched=sampler.latched, followed=sampler.followed)
        self.core = Core(latest, sampler, period_ns=S, rules=rules, limits=self.collecting.limits)
        self.records: list[Record] = []

    def agree(self, *, to: Mapping[Use, int]) -> None:
        self.collecting.adopt(Admission.of(self.policy, to))

    def take(self, *frames: Frame) -> None:
        batch = FrameBatch.from_frames(frames, buses=["pt"], timebase=Timebase())
        self.records += self.core.take(self.collecting.door.admit(batch))

    def values(self, item_id: str) -> list[Value | None]:
        return [record.values.get(item_id) for record in self.records]


@pytest.fixture
def follower(tmp_path: Path) -> Follower:
    return Follower(tmp_path)


def test_what_nobody_agreed_to_has_no_entry(follower: Follower) -> None:
    follower.take(motion(0, 50), alarm(1, up=True), motion(S + 1, 60), alarm(2 * S + 1, up=True))
    assert follower.values(SPEED) == [None, None]
    assert follower.values(FLAGS)[0] is not None
    assert all(SPEED not in record.values for record in follower.records)


def test_a_consent_takes_effect_with_the_next_batch_and_says_nothing_of_before(follower: Follower) -> None:
    follower.take(motion(0, 50), alarm(1, up=True))
    follower.agree(to={SERVICE: 1})
    follower.take(alarm(S + 1, up=False))
    follower.take(motion(S + 2, 60), motion(2 * S + 1, 70))
    assert follower.values(SPEED) == [Missing.INVALID, 600]


def test_a_withdrawal_takes_effect_with_the_next_batch_even_an_empty_one(follower: Follower) -> None:
    follower.agree(to={SERVICE: 1})
    follower.take(motion(0, 50), motion(S + 1, 60))
    follower.agree(to={})
    follower.take()
    follower.records += follower.core.settle(2 * S + 5, Timebase())
    assert follower.values(SPEED) == [500, None]
    assert SPEED not in follower.records[1].values


def test_what_was_agreed_to_again_has_no_value_of_the_time_between(follower: Follower) -> None:
    follower.agree(to={SERVICE: 1})
    follower.take(motion(0, 50))
    follower.agree(to={})
    follower.take(motion(S + 1, 77))
    follower.agree(to={SERVICE: 2})
    follower.take(alarm(2 * S + 1, up=False))
    follower.take(motion(3 * S + 1, 60), motion(4 * S + 1, 60))
    assert 770 not in follower.values(SPEED)
    assert follower.values(SPEED)[1:3] == [Missing.INVALID, Missing.INVALID]
    assert follower.values(SPEED)[3:] == [600]


def test_each_record_names_the_mask_under_which_it_was_collected(follower: Follower) -> None:
    follower.take(alarm(0, up=True), alarm(S + 1, up=True))
    before = follower.collecting.door.mask
    follower.agree(to={SERVICE: 1})
    follower.take(motion(S + 2, 60), motion(2 * S + 1, 70))
    after = follower.collecting.door.mask
    assert [record.mask for record in follower.records] == [before, after]
    assert before != after
    assert follower.collecting.in_force.ground(after, *SERVICE[:1], [Purpose.SERVICE]) == "consent 1"
    follower.collecting.in_force.revoke({1})
    assert follower.collecting.in_force.ground(after, *SERVICE[:1], [Purpose.SERVICE]) is None


def test_a_level_that_is_derived_goes_with_what_it_is_derived_from(tmp_path: Path) -> None:
    follower = Follower(tmp_path, binding=BINDING + LEVELS + DERIVED)
    follower.take(alarm(0, up=True), alarm(S + 1, up=True))
    assert follower.values("alarm.max_level") == [3]
    follower.collecting.adopt(Admission.of(follower.policy, {}, {DataClass.OPERATION}))
    follower.take()
    follower.records += follower.core.settle(2 * S + 5, Timebase())
    assert follower.records[-1].values == {}


def test_a_sensors_position_is_let_go_when_it_may_not_be_collected(tmp_path: Path) -> None:
    follower = Follower(tmp_path, observed=("gnss.lon",))
    follower.agree(to={SERVICE: 1})
    follower.take(alarm(0, up=True))
    follower.core.observe(Observation("gnss.lon", 1, 116.5))
    follower.take(alarm(S + 1, up=True))
    assert follower.values("gnss.lon") == [116_500_000]
    follower.agree(to={})
    follower.take()
    follower.core.observe(Observation("gnss.lon", S + 2, 117.5))
    follower.take(alarm(2 * S + 1, up=True))
    follower.agree(to={SERVICE: 2})
    follower.take(alarm(3 * S + 1, up=True))
    assert follower.values("gnss.lon")[1:] == [None, Missing.INVALID]


def test_a_record_is_as_exact_as_its_purposes_need_it(tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    coarse = made_up_policy(Precision(cell_m=10_000.0))
    follower.collecting.in_force.policy = coarse
    follower.collecting.adopt(Admission.of(coarse, {SERVICE: 1}))
    mask = follower.collecting.door.mask
    fine = {"gnss.lon": 116_512_345, "gnss.lat": 39_912_345, "gnss.datum": 1, SPEED: 500}
    record = Record(1, 0, Timebase(), fine, mask)
    told = follower.collecting.told(record)
    assert told.values[SPEED] == 500
    assert told.values["gnss.lon"] != fine["gnss.lon"]
    near = replace(record, values={**fine, "gnss.lon": 116_512_400})
    assert follower.collecting.told(near).values == told.values


def test_no_condition_reads_what_has_been_taken_from_it(tmp_path: Path) -> None:
    mixed = '[operation]\nsignals = ["Alarms.*", "Motion.Gear"]\n[position]\nsignals = ["Motion.Speed"]\n'
    follower = Follower(tmp_path, classes=mixed)
    speed = SignalRef("pt", "Motion", "Speed")
    still = Expression((SignalComparison(speed, Comparison("<", 1)),))
    events = EventWatch(
        {"pt": [made_up()]},
        [Trigger("still", still, for_ns=0, pre_ns=0, post_ns=0, longest_ns=S, frames=False)],
    )
    core = Core(
        LatestValues(DecodePlan({"pt": [made_up()]}, wanted=())),
        follower.collecting.sampler(),
        period_ns=S,
        events=events,
        limits=follower.collecting.limits,
    )
    follower.agree(to={SERVICE: 1})
    batch = FrameBatch.from_frames([motion(0, 50), alarm(1, up=True)], buses=["pt"], timebase=Timebase())
    assert not list(core.take(follower.collecting.door.admit(batch)))
    follower.agree(to={})
    later = FrameBatch.from_frames([motion(S, 50), alarm(S + 1, up=True)], buses=["pt"], timebase=Timebase())
    list(core.take(follower.collecting.door.admit(later)))
    assert core.take_events() == ()
