"""A consent given anew says nothing of what was collected under the one before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.policy.admission import Admission, Use
from edge.policy.classes import DataClass
from edge.policy.rules import Basis, Policy, Purpose, Rule
from edge.records import Missing
from edge.sensors.observation import Observation
from edge.vehicle.rules import SamplingRules
from tests.core.test_collecting import DERIVED, LEVELS, SERVICE, SPEED, Follower
from tests.core.test_core import BINDING, alarm, motion
from tests.vehicle.state import S

OPERATION: Use = (DataClass.OPERATION, Purpose.SERVICE)


@pytest.fixture
def follower(tmp_path: Path) -> Follower:
    return Follower(tmp_path, observed=("gnss.lon",))


def test_the_last_value_under_a_consent_that_was_given_anew_is_let_go(follower: Follower) -> None:
    follower.agree(to={SERVICE: 1})
    follower.take(motion(0, 50), alarm(1, up=True))
    follower.agree(to={SERVICE: 2})
    follower.take(alarm(S + 1, up=True))
    follower.take(motion(S + 2, 60), motion(2 * S + 1, 70))
    assert follower.values(SPEED) == [Missing.INVALID, 600]
    assert follower.values("alarm.flags")[0] is not Missing.INVALID


def test_what_a_sensor_said_under_it_is_let_go_too(follower: Follower) -> None:
    follower.agree(to={SERVICE: 1})
    follower.take(alarm(0, up=True))
    follower.core.observe(Observation("gnss.lon", 1, 116.5))
    follower.agree(to={SERVICE: 2})
    follower.take(alarm(S + 1, up=True))
    assert follower.values("gnss.lon") == [Missing.INVALID]


def test_values_stay_while_the_consent_stays(follower: Follower) -> None:
    follower.agree(to={SERVICE: 1})
    follower.take(motion(0, 50), alarm(1, up=True))
    follower.collecting.adopt(
        Admission.of(follower.policy, {SERVICE: 1}, withhold=[DataClass.CABIN, DataClass.HEALTH])
    )
    follower.take(alarm(S + 1, up=True))
    assert follower.values(SPEED) == [500]


def test_what_latched_between_two_records_goes_with_the_consent(tmp_path: Path) -> None:
    rules = {OPERATION: Rule(*OPERATION, Basis.CONSENT, longest_days=1.0)}
    asking = Policy("asks for everything", 1, "", rules)
    levels = BINDING + LEVELS.replace("3", "1") + DERIVED
    follower = Follower(tmp_path, rules=SamplingRules(period_ns=10 * S), policy=asking, binding=levels)
    follower.agree(to={OPERATION: 1})
    follower.take(alarm(0, up=False), alarm(2 * S, up=True), alarm(2 * S + 5, up=False))
    follower.take(alarm(4 * S, up=False))
    follower.agree(to={})
    follower.take()
    follower.agree(to={OPERATION: 2})
    follower.take(*(alarm(second * S + 1, up=False) for second in range(5, 11)))
    assert follower.values("alarm.flags")[-1] == 0
