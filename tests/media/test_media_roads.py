"""What the roads, the policy and the session make of stills and clips."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from edge.forward.media.purging import MediaPurge
from edge.policy.admission import Admission
from edge.policy.classes import DataClass
from edge.policy.destinations import ConfiguredDestination
from edge.policy.in_force import InForce
from edge.policy.policyfile import profile
from edge.policy.rules import Basis, Policy, Purpose, Rule
from edge.policy.standing import Standing
from edge.uplink.events import Connected, Puback, Publish, Tick
from edge.uplink.outbox import MemoryOutbox
from edge.uplink.outgoing import Kind, Outgoing, VehicleTopics
from edge.uplink.session import Session
from edge.uplink.settings import SessionSettings
from tests.journal.journal_rig import VEHICLE
from tests.media.made import still
from tests.media.test_media_sending import Way

EXTERIOR, RECORDING = DataClass.EXTERIOR, Purpose.RECORDING
FLEET = ConfiguredDestination("fleet", "fleet.example.cn", 8883, Purpose.REGULATED, "CN")

LOCAL = ConfiguredDestination("fleet", "localhost", 1883, Purpose.REGULATED)


def rule(*jurisdictions: str, basis: Basis = Basis.LAW) -> Policy:
    made = Rule(EXTERIOR, RECORDING, basis, frozenset(jurisdictions), longest_days=basis is Basis.CONSENT)
    return Policy("test", 1, "strict", {(EXTERIOR, RECORDING): made})


def refused(policy: Policy, where: ConfiguredDestination = FLEET, purpose: Purpose = RECORDING) -> str:
    admission = Admission.of(policy, {})
    return Standing(where, InForce(policy, admission)).media_refused(
        EXTERIOR, purpose, f"mask/{admission.name}"
    )


def test_a_rule_of_the_purpose_with_the_jurisdiction_lets_it_go() -> None:
    assert not refused(rule("CN"))
    assert refused(rule()) == "exterior for recording stays in the vehicle"
    assert refused(rule("DE")) == "exterior for recording may not go to CN"
    assert refused(rule("CN"), purpose=Purpose.EVENT) == "exterior is not collected for event"


def test_to_a_broker_of_the_vehicle_goes_only_what_may_leave_it() -> None:
    assert not refused(rule("CN"), LOCAL)
    assert refused(rule(), LOCAL) == "exterior for recording stays in the vehicle"


def test_what_was_taken_for_service_goes_to_no_destination_of_another_purpose() -> None:
    service = Purpose.SERVICE
    made = Rule(EXTERIOR, service, Basis.CONSENT, frozenset({"CN"}), longest_days=1)
    policy = Policy("test", 1, "strict", {(EXTERIOR, service): made})
    admission = Admission.of(policy, {(EXTERIOR, service): 1})

    def why(where: ConfiguredDestination) -> str:
        standing = Standing(where, InForce(policy, admission))
        return standing.media_refused(EXTERIOR, service, f"mask/{admission.name}")

    assert why(FLEET) == "'fleet' is for regulated, and not for service"
    assert not why(replace(FLEET, purpose=service))


@pytest.mark.parametrize("where", [FLEET, LOCAL, replace(LOCAL, purpose=Purpose.SERVICE)])
@pytest.mark.parametrize("name", ["gbt44464", "gdpr", "strict"])
def test_no_built_in_profile_lets_it_go_even_if_everybody_agrees(
    name: str, where: ConfiguredDestination
) -> None:
    policy = profile(name)
    consented = {use: 1 for use, one in policy.rules.items() if one.basis is Basis.CONSENT}
    admission = Admission.of(policy, consented)
    standing = Standing(where, InForce(policy, admission))
    assert all(standing.media_refused(EXTERIOR, purpose, f"mask/{admission.name}") for purpose in Purpose)


def test_it_goes_while_the_consent_holds_under_which_it_was_taken() -> None:
    policy = rule("CN", basis=Basis.CONSENT)
    agreed, denied = Admission.of(policy, {(EXTERIOR, RECORDING): 4}), Admission.of(policy, {})
    in_force = InForce(policy, denied)
    standing = Standing(FLEET, in_force)
    in_force.adopt(agreed)

    def why(mask: str) -> str:
        return standing.media_refused(EXTERIOR, RECORDING, mask)

    assert not why(f"mask/{agreed.name}")
    assert why(f"mask/{denied.name}") == "it could not go there when it was taken"
    assert why("") == "it could not go there when it was taken"
    in_force.revoke([4])
    assert why(f"mask/{agreed.name}") == "the consent that it rests on was withdrawn"
    in_force.adopt(denied)
    assert why(f"mask/{agreed.name}") == "exterior is not collected for recording"


def test_what_has_arrived_goes_where_it_is_not_to_be_kept(tmp_path: Path) -> None:
    way = Way(tmp_path / "journal")
    way.keep(still(), still(2, data_class=DataClass.CABIN))
    way.refused = {DataClass.CABIN: "no"}
    purge = MediaPurge(["platform"], way.rig.clock)
    way.take(3)
    way.rig.open.journal.run_with_connection(purge.step)
    assert not purge.hops()
    way.take(20)
    way.rig.after(11)
    way.rig.open.journal.run_with_connection(purge.step)
    assert [number for (number,) in way.rig.rows("SELECT number FROM block WHERE size > 0")] == [2]
    (hop,) = purge.hops()
    assert (hop.entered, hop.balanced) == (1, True)
    way.stop()


def test_media_go_after_all_else_and_on_a_slow_link_one_small_message_at_a_time() -> None:
    topics = VehicleTopics(VEHICLE)
    store = MemoryOutbox(max_messages=100, max_bytes=1_000_000)
    session = Session(
        SessionSettings(acknowledge="puback"),
        topics,
        store,
        rng=random.Random(1),  # noqa: S311 - a test's jitter
        make_status=lambda _: b"status",
    )
    session.handle(Tick(), 1)
    (first, *_) = [
        one for one in session.handle(Connected(session_present=False), 2) if isinstance(one, Publish)
    ]
    session.handle(Puback(first.token, 0), 3)
    assert session.largest_payload(Kind.MEDIA) is not None
    assert session.largest_payload(Kind.MEDIA) == session.largest_payload(Kind.BACKLOG)
    for kind in reversed(Kind):
        for number in (1, 2):
            store.put(Outgoing(kind, topics.up(kind), bytes(4_000), b"s" * 16, number, number, 1))
    order: list[str] = []
    now_ns = 10
    waiting: list[Publish] = []
    while len(order) < 10:
        now_ns += 400_000_000
        actions = (
            session.handle(Puback(waiting.pop(0).token, 0), now_ns)
            if waiting
            else session.handle(Tick(), now_ns)
        )
        sent = [one for one in actions if isinstance(one, Publish)]
        waiting += sent
        order += [one.topic.rpartition("/")[2] for one in sent]
        assert sum(one.topic.endswith(("event", "backlog", "media")) for one in waiting) <= 1
    assert order == ["alarm"] * 2 + ["live"] * 2 + ["event"] * 2 + ["backlog"] * 2 + ["media"] * 2
