"""A destination keeps no claim to what was withdrawn, and gains none to what was collected for others."""

from __future__ import annotations

from edge.policy.admission import Admission
from edge.policy.classes import DataClass
from edge.policy.destinations import ConfiguredDestination
from edge.policy.in_force import InForce
from edge.policy.rules import FULL, AllowedDestination, Basis, Policy, Precision, Purpose, Rule
from edge.policy.standing import Standing

OPERATION, POSITION = DataClass.OPERATION, DataClass.POSITION
REGULATED, SERVICE = Purpose.REGULATED, Purpose.SERVICE
COARSE, COARSER = Precision(cell_m=1000), Precision(geohash=3)
FLEET = ConfiguredDestination("fleet", "fleet.example.cn", 8883, SERVICE, "CN")
PLATFORM = ConfiguredDestination("platform", "broker.example.cn", 8883, REGULATED, "CN")


def policy(precision: Precision = COARSE, *, basis: Basis = Basis.CONSENT, version: int = 1) -> Policy:
    cn = frozenset({"CN"})
    rules = (
        Rule(OPERATION, REGULATED, Basis.LAW, cn),
        Rule(OPERATION, SERVICE, Basis.LAW, cn),
        Rule(POSITION, REGULATED, Basis.LAW, cn),
        Rule(POSITION, SERVICE, basis, cn, precision=precision),
    )
    return Policy("test", version, "strict", {(one.data_class, one.purpose): one for one in rules})


class Ride:
    """A policy in force while consents come and go."""

    def __init__(self) -> None:
        self.policy = policy()
        self.in_force = InForce(self.policy, Admission.of(self.policy, {}))
        self.fleet = Standing(FLEET, self.in_force)
        self.platform = Standing(PLATFORM, self.in_force)

    def consented(self, number: int | None) -> str:
        """Have that consent and no other; returns the mask of what is collected from now on."""
        consents = {} if number is None else {(POSITION, SERVICE): number}
        self.in_force.adopt(Admission.of(self.in_force.policy, consents))
        return f"m-mask/{self.in_force.now.name}"


def test_what_is_collected_under_a_consent_goes_while_it_holds() -> None:
    ride = Ride()
    before, given = ride.consented(None), ride.consented(3)
    assert ride.fleet.verdict().classes == {OPERATION, POSITION}
    whole = ride.fleet.verdict_of(given)
    assert whole == ride.fleet.verdict()
    assert (whole.allowed, whole.why, whole.precision) == (True, "", COARSE)
    assert ride.fleet.verdict_of(before).classes == {OPERATION}
    assert ride.platform.verdict_of(before).classes == {OPERATION, POSITION}
    assert ride.platform.verdict_of(before).precision == FULL


def test_after_a_withdrawal_the_backlog_does_not_go_out_with_it() -> None:
    ride = Ride()
    given = ride.consented(3)
    ride.in_force.revoke([3])
    assert ride.fleet.verdict_of(given).classes == {OPERATION}
    ride.consented(None)
    assert ride.fleet.verdict_of(given).classes == {OPERATION}
    assert ride.platform.verdict_of(given).classes == {OPERATION, POSITION}


def test_a_later_consent_does_not_bring_back_what_was_withdrawn() -> None:
    ride = Ride()
    given = ride.consented(3)
    ride.in_force.revoke([3])
    again = ride.consented(4)
    assert ride.fleet.verdict_of(given).classes == {OPERATION}
    assert ride.fleet.verdict_of(again).classes == {OPERATION, POSITION}


def test_of_another_run_only_what_is_given_by_law_goes() -> None:
    ride = Ride()
    ride.consented(3)
    for mask in ("", "m-mask", "m-mask/0123456789abcdef"):
        assert ride.fleet.verdict_of(mask).classes == {OPERATION}
        assert ride.platform.verdict_of(mask).classes == {OPERATION, POSITION}


def test_positions_go_in_the_coarser_of_two_precisions() -> None:
    ride = Ride()
    given = ride.consented(3)
    ride.in_force.policy = policy(COARSER)
    ride.consented(3)
    assert ride.fleet.verdict_of(given).precision == COARSER
    ride.in_force.policy = policy(FULL)
    ride.consented(3)
    assert ride.fleet.verdict().precision == FULL
    assert ride.fleet.verdict_of(given).precision == COARSE


def test_nothing_left_means_no_connection() -> None:
    ride = Ride()
    assert ride.fleet.may_connect() == ""
    given = ride.consented(3)
    ride.in_force.policy = Policy("empty", 2, "strict", {})
    ride.consented(None)
    assert ride.fleet.may_connect() == "nothing is collected for service at present"
    verdict = ride.fleet.verdict_of(given)
    assert (verdict.allowed, verdict.classes) == (False, frozenset())
    assert verdict.why == ride.fleet.may_connect()


def test_nothing_in_common_between_then_and_now_means_an_empty_record() -> None:
    cn = frozenset({"CN"})
    then = {(OPERATION, SERVICE): Rule(OPERATION, SERVICE, Basis.LAW, cn)}
    now = {(POSITION, SERVICE): Rule(POSITION, SERVICE, Basis.LAW, cn)}
    first = Policy("first", 1, "strict", then)
    in_force = InForce(first, Admission.of(first, {}))
    standing, mask = Standing(FLEET, in_force), f"m-mask/{in_force.now.name}"
    in_force.policy = Policy("second", 2, "strict", now)
    in_force.adopt(Admission.of(in_force.policy, {}))
    verdict = standing.verdict_of(mask)
    assert (verdict.allowed, verdict.classes) == (False, frozenset())
    assert verdict.why == "what it may have now was not collected for it"


def test_addresses_are_judged_by_the_policy_in_force() -> None:
    ride = Ride()
    assert ride.fleet.address_refused("203.0.113.9") == ""
    other = AllowedDestination("platform", REGULATED, "CN", ("broker.example.cn",))
    ride.in_force.policy = Policy("listing", 2, "strict", ride.policy.rules, {"platform": other})
    assert ride.fleet.address_refused("203.0.113.9") == "which the policy does not list"
    assert ride.platform.address_refused("203.0.113.9") == ""


def test_many_admissions_do_not_fill_the_memory() -> None:
    ride = Ride()
    masks = [ride.consented(number) for number in range(1, 600)]
    assert all(ride.fleet.verdict_of(mask).classes == {OPERATION, POSITION} for mask in masks)
    assert len(ride.fleet._verdicts) <= 256
