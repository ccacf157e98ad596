"""An uplink connects as long as its destination may have anything, by the standing that it is given."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

from edge.clock import VirtualClock
from edge.config.configuration import MAIN_DESTINATION
from edge.config.platform import TlsSection
from edge.config.uplink import DestinationSection, UplinkSection
from edge.destination import (
    Destination,
    Sender,
    configured_destination,
    make_uplink,
    permit_of,
    refusal_notice,
)
from edge.policy.admission import Admission
from edge.policy.classes import DataClass
from edge.policy.destinations import ConfiguredDestination
from edge.policy.in_force import InForce
from edge.policy.rules import Basis, Policy, Purpose, Rule
from edge.policy.standing import Standing
from edge.uplink.events import Connected, Notice
from edge.uplink.outbox import MemoryOutbox
from edge.wire.keys import SigningKey
from tests.uplink.test_gated_link import Inner

SECTION = UplinkSection(
    host="broker.example.cn", port=8884, purpose=Purpose.REGULATED, jurisdiction="CN", acknowledge="puback"
)
BARE = Destination(SECTION, None)
USE = DataClass.OPERATION, Purpose.REGULATED
POLICY = Policy("test", 1, "strict", {USE: Rule(*USE, Basis.CONSENT, frozenset({"CN"}))})


def admit(consents: Mapping[tuple[DataClass, Purpose], int]) -> Admission:
    return Admission.of(POLICY, consents)


def standing(in_force: InForce) -> Standing:
    return Standing(configured_destination(MAIN_DESTINATION, SECTION), in_force)


def test_what_the_configuration_says_of_a_destination() -> None:
    assert configured_destination(MAIN_DESTINATION, SECTION) == ConfiguredDestination(
        "platform", "broker.example.cn", 8884, Purpose.REGULATED, "CN"
    )
    local = DestinationSection(
        name="fleet",
        host="127.0.0.1",
        purpose=Purpose.SERVICE,
        acknowledge="puback",
        tls=TlsSection(enabled=False),
    )
    found = configured_destination(local.name, local)
    assert found == ConfiguredDestination("fleet", "127.0.0.1", 8883, Purpose.SERVICE)
    assert found.in_vehicle


def test_a_person_reads_why_a_destination_is_not_connected_to() -> None:
    in_force = InForce(POLICY, admit({}))
    assert refusal_notice(standing(in_force)) == Notice(
        "platform (broker.example.cn): there is no connection, for the policy gives this destination "
        "nothing: nothing is collected for regulated at present. Have the policy or a consent allow it, or "
        "take the destination out of the configuration",
        trouble=True,
    )
    in_force.adopt(admit({USE: 1}))
    assert refusal_notice(standing(in_force)) is None


def test_addresses_are_judged_by_the_standing() -> None:
    permit = permit_of(standing(InForce(POLICY, admit({}))))
    assert permit.address_refused("203.0.113.9") == ""
    assert permit.address_refused("224.0.0.1") == "which is no machine's address"


def test_consents_open_and_close_the_connection() -> None:
    in_force, inner, notices = InForce(POLICY, admit({})), Inner(), list[Notice]()
    clock = VirtualClock()
    sender = Sender(
        "vehicle",
        bytes(16),
        SigningKey.seeded(b"vehicle"),
        clock,
        random.Random(1),  # noqa: S311 - a test's jitter
        lambda: 0,
        notices.append,
    )
    uplink = make_uplink(
        replace(BARE, permit=permit_of(standing(in_force))),
        sender,
        MemoryOutbox(max_messages=9, max_bytes=9_999),
        link=inner,
    )
    inner.calls.clear()
    uplink.step()
    uplink.step()
    assert inner.calls == []
    assert [notice.text.partition(": ")[0] for notice in notices] == ["broker.example.cn:8884"]
    assert uplink.hops()[0].facts["connections that the policy does not allow"] == 1
    in_force.adopt(admit({USE: 1}))
    clock.advance_to(60 * 10**9)
    uplink.step()
    assert inner.calls == ["connect"]
    inner.happens.append(Connected(session_present=False))
    uplink.step()
    assert uplink.online
    in_force.adopt(admit({}))
    uplink.step()
    assert inner.calls[-1] == "disconnect True"


def test_a_destination_without_a_policy_is_connected_to() -> None:
    assert BARE.permit.may_connect() == ""
    assert BARE.permit.address_refused("224.0.0.1") == ""
