"""Judges where packets went by the policy in force: each address once, by what is known of it; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Network, ip_address, ip_network

from edge.config.configuration import MAIN_DESTINATION, Config
from edge.egress.domain_names import DNS_PORT
from edge.egress.flows import Flow, FlowKey, FlowTable, NameSource, Network
from edge.egress.packet import TCP, UDP
from edge.policy.destinations import Address, host_matches, host_of
from edge.policy.rules import ANYWHERE, AllowedDestination, Policy

_LOCAL_MULTICAST = (ip_network("224.0.0.0/24"), ip_network("239.0.0.0/8"))
_LOCAL_SCOPES = frozenset({1, 2, 3, 4, 5, 8})
_TRANSLATED = IPv6Network("64:ff9b::/96")
_PRIVATE = (
    *map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")),
    ip_network("fc00::/7"),
)
_ENCRYPTED_DNS_PORT = 853
_DNS_PORTS = frozenset({DNS_PORT, _ENCRYPTED_DNS_PORT})


class Judgement(StrEnum):
    """What packets to an address are."""

    ALLOWED = "allowed"
    """To a destination that the policy allows, where it allows it."""

    VEHICLE = "vehicle"
    """To the vehicle itself."""

    LOCAL = "local"
    """They stay on the local network: no router of the internet carries them."""

    RESOLVER = "resolver"
    """To a resolver that whoever ran the test named."""

    RECEIVED = "received"
    """Nothing was sent, only received."""

    NOT_ALLOWED = "not allowed"
    """To an address that is foreign, or of which nothing is known."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What an address is judged to be.

    Attributes:
        judgement: the judgement.
        why: one clause for the reader.
        destination: name of the destination that it belongs to; empty where it belongs to none.
        jurisdiction: where its machines stand, as policy or configuration say; empty where nothing says so.
    """

    judgement: Judgement
    why: str
    destination: str = ""
    jurisdiction: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """One flow with its judgement.

    Attributes:
        key: what its packets have in common.
        flow: the packets.
        finding: the judgement.
        names: that the address has by answers of resolvers that are believed.
        claimed: that it has by anything else: the sender's own TLS, multicast DNS, other resolvers.
    """

    key: FlowKey
    flow: Flow
    finding: Finding
    names: tuple[str, ...]
    claimed: tuple[str, ...]


def destinations_of(policy: Policy, config: Config) -> tuple[AllowedDestination, ...]:
    """The destinations that a policy knows; where it lists none, those of the configuration."""
    if policy.destinations:
        return tuple(policy.destinations.values())
    sections = {MAIN_DESTINATION: config.uplink} | {one.name: one for one in config.destination}
    return tuple(
        AllowedDestination(name, section.purpose, section.jurisdiction, (section.host,))
        for name, section in sections.items()
    )


def why_refused(policy: Policy, destination: AllowedDestination, home: Collection[str]) -> str:
    """Why nothing may go to a destination that is known; empty if something may.

    Args:
        policy: the policy in force.
        destination: the destination.
        home: jurisdictions that are not abroad; with `ANYWHERE` among them none is.
    """
    where = destination.jurisdiction
    if not where:
        return "no jurisdiction is stated for it"
    if ANYWHERE not in home and where not in home:
        return f"{where} is abroad"
    rules = [
        rule
        for rule in policy.rules.values()
        if rule.leaves
        and rule.purpose is destination.purpose
        and (not rule.destinations or destination.name in rule.destinations)
    ]
    if not rules:
        return "no rule of the policy lets anything go to it"
    if not any(where in rule.jurisdictions or ANYWHERE in rule.jurisdictions for rule in rules):
        return f"no rule of the policy lets anything go to {where}"
    return ""


class Judge:
    """Judges addresses.

    Args:
        policy: the policy in force.
        destinations: those that it knows, see `destinations_of`.
        home: jurisdictions that are not abroad.
        resolvers: addresses of resolvers that whoever runs the test answers for.
        vehicle: addresses of the vehicle itself.
    """

    def __init__(
        self,
        policy: Policy,
        destinations: Sequence[AllowedDestination],
        *,
        home: Collection[str],
        resolvers: Collection[Network] = (),
        vehicle: Collection[Network] = (),
    ) -> None:
        self._known = [(one, why_refused(policy, one, home)) for one in destinations]
        self._resolvers = tuple(resolvers)
        self._vehicle = tuple(vehicle)

    def judge(self, table: FlowTable) -> tuple[Judged, ...]:
        """Judge all flows, those that are not allowed first, then by bytes sent."""
        believed = {
            address: tuple(sorted(name for name, said in names.items() if self._is_believed(said)))
            for address, names in table.names.items()
        }
        found: list[Judged] = []
        for key, flow in table.flows.items():
            names = believed.get(key.address, ())
            claimed = flow.server_names.union(table.names.get(key.address, {})).difference(names)
            finding = self.finding(key, flow, names)
            found.append(Judged(key, flow, finding, names, tuple(sorted(claimed))))
        return tuple(sorted(found, key=_place))

    def _is_believed(self, said: Collection[tuple[NameSource, bytes]]) -> bool:
        """Whether one of those who gave a name is a resolver to which packets may go."""
        return any(
            source is NameSource.DNS
            and resolver
            and self.of_address(ip_address(resolver), ()).judgement is not Judgement.NOT_ALLOWED
            for source, resolver in said
        )

    def finding(self, key: FlowKey, flow: Flow, names: Collection[str]) -> Finding:
        """Judge one flow.

        Args:
            key: of the flow.
            flow: its packets.
            names: that the address has, by resolvers that are believed.
        """
        if not key.address:
            return Finding(Judgement.LOCAL, "a frame that carries no IP reaches no further than its link")
        address = ip_address(key.address)
        finding = self.of_address(address, names)
        if flow.source_routed:
            finding = Finding(Judgement.NOT_ALLOWED, "source-routed: it goes on to other addresses")
        elif finding.judgement is Judgement.NOT_ALLOWED:
            if not flow.packets_out:
                finding = Finding(Judgement.RECEIVED, "nothing was sent to it")
            elif address.is_multicast and flow.hops_out == 1:
                finding = Finding(Judgement.LOCAL, "multicast that no router passes on (one hop)")
            elif key.protocol in {TCP, UDP} and key.port in _DNS_PORTS and not finding.destination:
                finding = replace(finding, why="a resolver that neither the policy nor --resolver names")
        return finding

    def of_address(self, address: Address, names: Collection[str]) -> Finding:
        """Judge an address to which packets were sent."""
        address = _inner(address)
        if address.is_loopback or any(address in network for network in self._vehicle):
            return Finding(Judgement.VEHICLE, "the vehicle itself")
        link = _link_scope(address)
        if link:
            return Finding(Judgement.LOCAL, link)
        known = self._known_destination(address, names)
        if known is not None and known.judgement is Judgement.ALLOWED:
            return known
        if any(address in network for network in self._resolvers):
            return Finding(Judgement.RESOLVER, "a resolver that whoever ran the test answers for")
        if any(address in network for network in _PRIVATE):
            return Finding(Judgement.LOCAL, "a private address, which the internet does not route")
        return known or Finding(Judgement.NOT_ALLOWED, "belongs to no destination of the policy")

    def _known_destination(self, address: Address, names: Collection[str]) -> Finding | None:
        """What the destination that an address belongs to is judged; the best of several."""
        found: Finding | None = None
        for one, refused in self._known:
            listed = any(address in network for network in one.networks)
            named = any(host_matches(host, name) for host in one.hosts for name in (*names, address))
            if not listed and not named:
                continue
            why = refused
            if one.networks and not listed:
                why = "has its name, but is none of the addresses that the policy lists"
            if not why:
                return Finding(Judgement.ALLOWED, "the policy allows it", one.name, one.jurisdiction)
            found = found or Finding(Judgement.NOT_ALLOWED, why, one.name, one.jurisdiction)
        return found


def _place(one: Judged) -> tuple[bool, int, int, FlowKey]:
    """Where a flow stands in the list."""
    judgement = one.finding.judgement
    key = one.key._replace(port=-1 if one.key.port is None else one.key.port)
    return (
        judgement is not Judgement.NOT_ALLOWED,
        list(Judgement).index(judgement),
        -one.flow.bytes_out,
        key,
    )


def _inner(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one: mapped (RFC 4291), or translated (RFC 6052)."""
    if isinstance(address, IPv4Address):
        return address
    if address in _TRANSLATED:
        return IPv4Address(address.packed[12:])
    return address.ipv4_mapped or address


def _link_scope(address: Address) -> str:
    """Why an address reaches no further than the link or the site; empty if it may."""
    if address.is_link_local:
        return "link-local address"
    if address.is_unspecified:
        return "no address"
    if isinstance(address, IPv4Address):
        if address == IPv4Address("255.255.255.255"):
            return "broadcast on the link"
        if any(address in network for network in _LOCAL_MULTICAST):
            return "multicast of local scope"
    elif address.is_multicast and address.packed[1] & 0x0F in _LOCAL_SCOPES:
        return "multicast of local scope"
    return ""


def unseen_hosts(
    destinations: Sequence[AllowedDestination], names: Mapping[bytes, Mapping[str, object]]
) -> list[str]:
    """Hosts of destinations without networks that no answer in the capture gave an address.

    Without one, packets to them look like packets to anybody.
    """
    seen = {name for one in names.values() for name in one}
    return sorted(
        host
        for destination in destinations
        if not destination.networks
        for host in destination.hosts
        if isinstance(host_of(host), str)
        and host != "localhost"
        and not any(host_matches(host, name) for name in seen)
    )
