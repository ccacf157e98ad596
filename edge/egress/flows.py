"""`FlowTable`: counts packets by destination in bounded memory; remembers names that addresses are given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import NamedTuple

from edge.egress.domain_names import (
    DNS_PORT,
    MULTICAST_DNS_PORT,
    read_dns,
    read_server_name,
)
from edge.egress.frame import Direction, Frame
from edge.egress.packet import TCP, UDP, Packet, Unreadable, dissect

Network = IPv4Network | IPv6Network

MOST_FLOWS = 65_536
MOST_PORTS = 64
_MOST_NAMED = 65_536
_MOST_NAMES = 16
_MOST_SAID = 131_072
_MOST_ASKED = 4096
_MOST_SERVER_NAMES = 8
_MOST_SERVER_NAMES_OF_ALL = 65_536
_MOST_REMEMBERED = 65_536


class FlowKey(NamedTuple):
    """What packets are counted by.

    Attributes:
        phase: of the test.
        interface: on which they went.
        address: of the other side, 4 or 16 bytes; empty for frames that carry no IP.
        protocol: see `edge.egress.packet.Packet`.
        port: of the other side; None where there is none, and for all beyond the first `MOST_PORTS`.
    """

    phase: str
    interface: str
    address: bytes
    protocol: int
    port: int | None


@dataclass(slots=True)
class Flow:
    """The packets of one key.

    Attributes:
        packets_out: that the vehicle sent.
        bytes_out: on the wire, from the network layer on.
        packets_in: that it received.
        bytes_in: likewise.
        first_ns: Unix time of the first.
        last_ns: of the last.
        hops_out: the greatest TTL or hop limit of those sent.
        source_routed: whether one sent named further destinations.
        server_names: what TLS connections asked for in clear.
    """

    packets_out: int = 0
    bytes_out: int = 0
    packets_in: int = 0
    bytes_in: int = 0
    first_ns: int = 0
    last_ns: int = 0
    hops_out: int = 0
    source_routed: bool = False
    server_names: set[str] = field(default_factory=set)


class NameSource(StrEnum):
    """Who says that an address has a name."""

    DNS = "dns"
    MULTICAST_DNS = "mdns"


class FlowTable:
    """Takes packets in and counts them; never raises, whatever they are.

    Args:
        vehicle: addresses of the vehicle, by which a capture that does not know directions is read.
        most_flows: that are told apart; what is beyond is counted in `beyond`.

    Attributes:
        flows: by key.
        packets: how many were taken in, by phase.
        unreadable: packets that were, or may have been, sent and whose destination cannot be told, by phase
            and cause.
        unreadable_in: those that were received.
        beyond: packets for which the table had no room, by phase.
        undirected: packets of which nothing tells whether they were sent, taken as sent.
        asked: names that were asked of a resolver, with how often.
        asked_beyond: questions for which that had no room.
    """

    def __init__(self, vehicle: Sequence[Network] = (), *, most_flows: int = MOST_FLOWS) -> None:
        self.flows: dict[FlowKey, Flow] = {}
        self.packets: Counter[str] = Counter()
        self.unreadable: Counter[tuple[str, str]] = Counter()
        self.unreadable_in: Counter[tuple[str, str]] = Counter()
        self.beyond: Counter[str] = Counter()
        self.undirected = 0
        self.asked: Counter[str] = Counter()
        self.asked_beyond = 0
        self._names: dict[bytes, dict[str, set[tuple[NameSource, bytes]]]] = {}
        self._said = 0
        self._server_names = 0
        self._ports: Counter[FlowKey] = Counter()
        self._vehicle = tuple(vehicle)
        self._most_flows = most_flows
        self._sides: dict[bytes, bool] = {}

    @property
    def names(self) -> Mapping[bytes, Mapping[str, set[tuple[NameSource, bytes]]]]:
        """By address the names that answers gave it, each with how that was said and by whom."""
        return self._names

    def count_unreadable(self, phase: str, cause: Unreadable, direction: Direction) -> None:
        """Count a packet whose destination cannot be told."""
        self.packets[phase] += 1
        counts = self.unreadable_in if direction is Direction.IN else self.unreadable
        counts[phase, cause.value] += 1

    def add(self, phase: str, frame: Frame) -> None:
        """Count one packet."""
        packet = dissect(frame.ethertype, frame.data)
        if isinstance(packet, Unreadable):
            self.count_unreadable(phase, packet, frame.direction)
            return
        self.packets[phase] += 1
        out = self._is_out(frame.direction, packet)
        if out:
            address, port = packet.destination, packet.destination_port
        else:
            address, port = packet.source, packet.source_port
        flow = self._flow(FlowKey(phase, frame.interface, address, packet.protocol, port))
        if flow is None:
            self.beyond[phase] += 1
        else:
            if frame.t_ns < flow.first_ns or not flow.packets_out + flow.packets_in:
                flow.first_ns = frame.t_ns
            flow.last_ns = max(flow.last_ns, frame.t_ns)
            if out:
                flow.packets_out += 1
                flow.bytes_out += frame.length
                flow.hops_out = max(flow.hops_out, packet.hops)
                flow.source_routed = flow.source_routed or packet.source_routed
            else:
                flow.packets_in += 1
                flow.bytes_in += frame.length
        if packet.payload:
            self._learn(packet, flow, out=out, sent=out and not self._may_be_local(frame.direction, packet))

    def _flow(self, key: FlowKey) -> Flow | None:
        flow = self.flows.get(key)
        if flow is not None:
            return flow
        if key.port is not None:
            any_port = key._replace(port=None)
            if self._ports[any_port] >= MOST_PORTS:
                return self._flow(any_port)
        if len(self.flows) >= self._most_flows:
            return None
        if key.port is not None:
            self._ports[key._replace(port=None)] += 1
        flow = self.flows[key] = Flow()
        return flow

    def _is_out(self, direction: Direction, packet: Packet) -> bool:
        """Whether a packet is taken as sent: where nothing tells, it is, since that is judged harder."""
        if direction is not Direction.UNKNOWN:
            return direction is Direction.OUT
        if self._is_near(packet.source):
            return True
        if self._is_near(packet.destination):
            return False
        self.undirected += 1
        return True

    def _may_be_local(self, direction: Direction, packet: Packet) -> bool:
        """Whether a packet that was taken as sent may as well have come from a neighbour."""
        unknown = direction is Direction.UNKNOWN and not self._vehicle
        return unknown and self._is_near(packet.source) and self._is_near(packet.destination)

    def _is_near(self, address: bytes) -> bool:
        """Whether an address is the vehicle's; where those were not told, one that no router carries far."""
        known = self._sides.get(address)
        if known is None:
            if len(self._sides) >= _MOST_REMEMBERED:
                self._sides.clear()
            known = self._sides[address] = self._near(address)
        return known

    def _near(self, address: bytes) -> bool:
        if not address:
            return True
        found = ip_address(address)
        if self._vehicle:
            return any(found in network for network in self._vehicle)
        return not found.is_global or found.is_multicast

    def _learn(self, packet: Packet, flow: Flow | None, *, out: bool, sent: bool) -> None:
        """Take names from a packet's payload; answers that the vehicle itself sent say nothing."""
        if packet.protocol == UDP:
            if packet.source_port in {DNS_PORT, MULTICAST_DNS_PORT}:
                self._learn_answers(packet, sent=sent)
            elif packet.destination_port == DNS_PORT and out:
                self._learn_questions(packet.payload)
        elif packet.protocol == TCP:
            if packet.source_port == DNS_PORT:
                self._learn_answers(packet._replace(payload=packet.payload[2:]), sent=sent)
            elif packet.destination_port == DNS_PORT and out:
                self._learn_questions(packet.payload[2:])
            elif out and flow is not None and len(flow.server_names) < _MOST_SERVER_NAMES:
                name = read_server_name(packet.payload)
                if name is not None and self._server_names < _MOST_SERVER_NAMES_OF_ALL:
                    self._server_names += name not in flow.server_names
                    flow.server_names.add(name)

    def _learn_questions(self, payload: memoryview) -> None:
        message = read_dns(payload)
        if message is None:
            return
        for name in message.asked:
            if name in self.asked or len(self.asked) < _MOST_ASKED:
                self.asked[name] += 1
            else:
                self.asked_beyond += 1

    def _learn_answers(self, packet: Packet, *, sent: bool) -> None:
        if sent and packet.source_port == DNS_PORT:
            return
        message = read_dns(packet.payload)
        if message is None or not message.response:
            return
        source = NameSource.DNS if packet.source_port == DNS_PORT else NameSource.MULTICAST_DNS
        self._name(message.answers, source, packet.source)

    def _name(self, answers: Iterable[tuple[str, bytes]], source: NameSource, resolver: bytes) -> None:
        for name, address in answers:
            if self._said >= _MOST_SAID:
                return
            names = self._names.get(address)
            if names is None:
                if len(self._names) >= _MOST_NAMED:
                    continue
                names = self._names[address] = {}
            if name in names or len(names) < _MOST_NAMES:
                said = names.setdefault(name, set())
                if len(said) < _MOST_NAMES and (source, resolver) not in said:
                    self._said += 1
                    said.add((source, resolver))
