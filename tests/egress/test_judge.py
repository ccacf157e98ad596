from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from edge.config.configuration import load_config
from edge.egress.flows import FlowTable
from edge.egress.frame import Direction
from edge.egress.judge import Judge, Judgement, destinations_of, why_refused
from edge.egress.packet import ETHERTYPE_ARP, TCP, UDP
from edge.policy.rules import AllowedDestination, Purpose
from tests.egress.packets import (
    ABROAD,
    ABROAD6,
    PLATFORM,
    VEHICLE,
    VEHICLE6,
    client_hello,
    dns_answer,
    frame,
    ip,
    ipv4,
    packed,
    tcp,
    udp,
)
from tests.egress.policies import LISTED, OPERATION, destination, policy

LOCAL_RESOLVER = "10.77.0.53"


def judged(table: FlowTable, judge: Judge | None = None) -> dict[str, Judgement]:
    judge = judge or Judge(policy(LISTED), [LISTED], home=["CN"])
    return {one.key.address.hex(): one.finding.judgement for one in judge.judge(table)}


def judgement(address: str, *, hops: int = 64, port: int = 443, judge: Judge | None = None) -> Judgement:
    """What a packet that the vehicle sends to an address is judged."""
    table = FlowTable()
    source = VEHICLE6 if ":" in address else VEHICLE
    table.add("power-on", frame(ip(source, address, UDP, udp(5000, port), hops=hops)))
    return judged(table, judge)[packed(address).hex()]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (PLATFORM, Judgement.ALLOWED),
        (ABROAD, Judgement.NOT_ALLOWED),
        (ABROAD6, Judgement.NOT_ALLOWED),
        ("93.184.216.35", Judgement.NOT_ALLOWED),
        ("::ffff:93.184.216.34", Judgement.ALLOWED),
        ("::ffff:8.8.4.4", Judgement.NOT_ALLOWED),
        ("64:ff9b::5db8:d822", Judgement.ALLOWED),
        ("64:ff9b::808:404", Judgement.NOT_ALLOWED),
        ("64:ff9b::a00:1", Judgement.LOCAL),
        ("2002:808:404::1", Judgement.NOT_ALLOWED),
        ("127.0.0.1", Judgement.VEHICLE),
        ("::1", Judgement.VEHICLE),
        ("10.0.0.1", Judgement.LOCAL),
        ("172.31.255.255", Judgement.LOCAL),
        ("172.32.0.1", Judgement.NOT_ALLOWED),
        ("192.168.0.1", Judgement.LOCAL),
        ("100.64.0.1", Judgement.LOCAL),
        ("100.128.0.1", Judgement.NOT_ALLOWED),
        ("169.254.1.1", Judgement.LOCAL),
        ("255.255.255.255", Judgement.LOCAL),
        ("224.0.0.251", Judgement.LOCAL),
        ("239.255.255.250", Judgement.LOCAL),
        ("224.0.1.1", Judgement.NOT_ALLOWED),
        ("fe80::1", Judgement.LOCAL),
        ("fd00::1", Judgement.LOCAL),
        ("ff02::fb", Judgement.LOCAL),
        ("ff05::2", Judgement.LOCAL),
        ("ff0e::1", Judgement.NOT_ALLOWED),
        ("192.0.2.1", Judgement.NOT_ALLOWED),
        ("198.18.0.1", Judgement.NOT_ALLOWED),
        ("240.0.0.1", Judgement.NOT_ALLOWED),
    ],
)
def test_an_address_is_judged_by_the_policy_and_by_how_far_it_reaches(
    address: str, expected: Judgement
) -> None:
    assert judgement(address) is expected


def test_multicast_of_one_hop_stays_on_the_link() -> None:
    assert judgement("224.224.224.245", hops=1) is Judgement.LOCAL
    assert judgement(ABROAD, hops=1) is Judgement.NOT_ALLOWED


def test_a_frame_without_ip_stays_on_the_link() -> None:
    table = FlowTable()
    table.add("power-on", frame(bytes(28), ethertype=ETHERTYPE_ARP))
    assert judged(table) == {"": Judgement.LOCAL}


def test_whoever_only_sends_to_the_vehicle_is_no_destination_until_it_answers() -> None:
    table = FlowTable()
    table.add("power-on", frame(ip(ABROAD, VEHICLE, TCP, tcp(5000, 22)), Direction.IN))
    assert judged(table) == {packed(ABROAD).hex(): Judgement.RECEIVED}
    table.add("power-on", frame(ip(VEHICLE, ABROAD, TCP, tcp(22, 5000))))
    assert judged(table) == {packed(ABROAD).hex(): Judgement.NOT_ALLOWED}


def test_a_source_route_to_an_allowed_address_is_not_allowed() -> None:
    table = FlowTable()
    route = b"\x01\x83\x07\x04" + packed(ABROAD)
    table.add("power-on", frame(ipv4(VEHICLE, PLATFORM, UDP, udp(1, 2), options=route)))
    assert judged(table) == {packed(PLATFORM).hex(): Judgement.NOT_ALLOWED}


def named(resolver: str, address: str, name: str = "platform.example", port: int = 53) -> FlowTable:
    """A packet to an address that a resolver has given a name."""
    table = FlowTable()
    answer = udp(port, 5000, dns_answer(name, [address], alias="edge.cdn.net"))
    table.add("power-on", frame(ip(resolver, VEHICLE, UDP, answer), Direction.IN))
    table.add("power-on", frame(ip(VEHICLE, address, UDP, udp(5000, 8883))))
    return table


@pytest.mark.parametrize(
    ("resolver", "port", "expected"),
    [
        (LOCAL_RESOLVER, 53, Judgement.ALLOWED),
        ("9.9.9.9", 53, Judgement.NOT_ALLOWED),
        (LOCAL_RESOLVER, 5353, Judgement.NOT_ALLOWED),
    ],
    ids=["local resolver", "foreign resolver", "multicast DNS"],
)
def test_a_name_is_believed_by_who_gives_it(resolver: str, port: int, expected: Judgement) -> None:
    one = destination()
    found = judged(named(resolver, ABROAD, port=port), Judge(policy(one), [one], home=["CN"]))
    assert found[packed(ABROAD).hex()] is expected


def test_a_named_resolver_is_believed_and_listed_as_one() -> None:
    one = destination()
    judge = Judge(policy(one), [one], home=["CN"], resolvers=[ip_network("9.9.9.9")])
    assert judged(named("9.9.9.9", PLATFORM), judge)[packed(PLATFORM).hex()] is Judgement.ALLOWED
    assert judgement("9.9.9.9", port=53, judge=judge) is Judgement.RESOLVER
    assert judgement("9.9.9.10", port=53, judge=judge) is Judgement.NOT_ALLOWED


def test_a_name_does_not_make_up_for_an_address_that_the_policy_does_not_list() -> None:
    table = named(LOCAL_RESOLVER, ABROAD)
    (found,) = [
        one.finding
        for one in Judge(policy(LISTED), [LISTED], home=["CN"]).judge(table)
        if one.flow.packets_out
    ]
    assert found.judgement is Judgement.NOT_ALLOWED
    assert (found.destination, found.jurisdiction) == ("platform", "CN")
    assert "none of the addresses" in found.why


def test_the_name_that_a_connection_asks_for_is_no_proof() -> None:
    table = FlowTable()
    hello = tcp(5000, 443, client_hello("platform.example"))
    table.add("power-on", frame(ip(VEHICLE, ABROAD, TCP, hello)))
    one = destination()
    (found,) = Judge(policy(one), [one], home=["CN"]).judge(table)
    assert found.finding.judgement is Judgement.NOT_ALLOWED
    assert (found.names, found.claimed) == ((), ("platform.example",))


@pytest.mark.parametrize(
    ("host", "name", "expected"),
    [
        ("*.example", "platform.example", Judgement.ALLOWED),
        ("*.example", "a.b.example", Judgement.ALLOWED),
        ("*.example", "platform.badexample", Judgement.NOT_ALLOWED),
        ("platform.example", "xplatform.example", Judgement.NOT_ALLOWED),
        ("platform.example", "PLATFORM.example", Judgement.ALLOWED),
    ],
)
def test_a_host_stands_for_its_names_and_no_others(host: str, name: str, expected: Judgement) -> None:
    one = destination(hosts=(host,))
    found = judged(named(LOCAL_RESOLVER, PLATFORM, name), Judge(policy(one), [one], home=["CN"]))
    assert found[packed(PLATFORM).hex()] is expected


@pytest.mark.parametrize(
    ("one", "home", "why"),
    [
        (destination("CN"), ["CN"], ""),
        (destination("SG"), ["CN"], "SG is abroad"),
        (destination("SG"), ["CN", "SG"], ""),
        (destination("SG"), ["*"], ""),
        (destination("US"), ["*"], "no rule of the policy lets anything go to US"),
        (destination(""), ["*"], "no jurisdiction is stated for it"),
        (
            destination("CN", purpose=Purpose.SERVICE),
            ["CN"],
            "no rule of the policy lets anything go to it",
        ),
    ],
)
def test_a_known_destination_is_refused_for_a_reason(
    one: AllowedDestination, home: list[str], why: str
) -> None:
    assert why_refused(policy(one), one, home) == why
    expected = Judgement.NOT_ALLOWED if why else Judgement.ALLOWED
    listed = replace(one, networks=(ip_network(PLATFORM),))
    assert judgement(PLATFORM, judge=Judge(policy(listed), [listed], home=home)) is expected


def test_a_rule_for_another_destination_lets_nothing_go() -> None:
    rule = replace(OPERATION, destinations=frozenset({"city"}))
    assert why_refused(policy(LISTED, rules=(rule,)), LISTED, ["CN"]) != ""
    assert (
        why_refused(policy(replace(LISTED, name="city"), rules=(rule,)), replace(LISTED, name="city"), ["CN"])
        == ""
    )


def test_a_rule_that_keeps_its_data_in_the_vehicle_lets_nothing_go() -> None:
    rule = replace(OPERATION, jurisdictions=frozenset())
    assert why_refused(policy(LISTED, rules=(rule,)), LISTED, ["CN"]) != ""


def test_the_vehicles_own_addresses_are_no_destination() -> None:
    judge = Judge(policy(LISTED), [LISTED], home=["CN"], vehicle=[ip_network("2409:8900::/64")])
    assert judgement("2409:8900::7", judge=judge) is Judgement.VEHICLE


CONFIG = f"""
[vehicle]
vin = "LNVGATE00XDEM0001"
[[bus]]
name = "powertrain"
interface = "virtual"
channel = "0"
[journal]
folder = "journal"
[uplink]
host = "{PLATFORM}"
jurisdiction = "CN"
[[destination]]
name = "city"
host = "city.example"
jurisdiction = "SG"
acknowledge = "puback"
[signing]
key = "keys/vehicle.pem"
platform = "keys/platform.pem"
"""


def test_without_a_list_the_hosts_of_the_configuration_are_judged(tmp_path: Path) -> None:
    (tmp_path / "nevgate.toml").write_text(CONFIG, "utf-8")
    found = destinations_of(policy(), load_config(tmp_path / "nevgate.toml"))
    assert [(one.name, one.hosts, one.jurisdiction) for one in found] == [
        ("platform", (PLATFORM,), "CN"),
        ("city", ("city.example",), "SG"),
    ]
    assert judgement(PLATFORM, judge=Judge(policy(), found, home=["CN"])) is Judgement.ALLOWED


def test_with_a_list_the_hosts_of_the_configuration_are_not_asked(tmp_path: Path) -> None:
    (tmp_path / "nevgate.toml").write_text(CONFIG, "utf-8")
    listed = destination(hosts=("other.example",))
    assert destinations_of(policy(listed), load_config(tmp_path / "nevgate.toml")) == (listed,)
