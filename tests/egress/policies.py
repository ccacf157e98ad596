"""Policies and yardsticks for the tests of the egress test."""

from collections.abc import Mapping
from ipaddress import ip_network
from types import MappingProxyType

from edge.egress.assembling import Yardstick
from edge.policy.classes import DataClass
from edge.policy.rules import AllowedDestination, Basis, Policy, Purpose, Rule
from tests.egress.packets import PLATFORM

OPERATION = Rule(DataClass.OPERATION, Purpose.REGULATED, Basis.LAW, jurisdictions=frozenset({"CN", "SG"}))


def destination(
    jurisdiction: str = "CN",
    *,
    name: str = "platform",
    purpose: Purpose = Purpose.REGULATED,
    hosts: tuple[str, ...] = ("platform.example",),
    networks: tuple[str, ...] = (),
) -> AllowedDestination:
    return AllowedDestination(name, purpose, jurisdiction, hosts, tuple(map(ip_network, networks)))


def policy(*destinations: AllowedDestination, rules: tuple[Rule, ...] = (OPERATION,)) -> Policy:
    named: Mapping[str, AllowedDestination] = {one.name: one for one in destinations}
    return Policy(
        "test",
        1,
        "strict",
        MappingProxyType({(rule.data_class, rule.purpose): rule for rule in rules}),
        MappingProxyType(dict(named)),
    )


LISTED = destination(networks=(f"{PLATFORM}/32",))


def yardstick(
    *destinations: AllowedDestination,
    home: tuple[str, ...] = ("CN",),
    resolvers: tuple[str, ...] = (),
    vehicle: tuple[str, ...] = (),
) -> Yardstick:
    known = destinations or (LISTED,)
    return Yardstick(
        policy(*known), known, home, tuple(map(ip_network, resolvers)), tuple(map(ip_network, vehicle))
    )
