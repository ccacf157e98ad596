import struct
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.egress.flows import MOST_PORTS, Flow, FlowTable, NameSource
from edge.egress.frame import Direction, Frame
from edge.egress.packet import TCP, UDP
from tests.egress.packets import (
    ABROAD,
    PLATFORM,
    VEHICLE,
    VEHICLE6,
    client_hello,
    dns_answer,
    dns_query,
    frame,
    ip,
    packed,
    tcp,
    udp,
)

RESOLVER = "10.77.0.53"


def sent_to(table: FlowTable) -> dict[str, Flow]:
    return {one.address.hex(): flow for one, flow in table.flows.items() if flow.packets_out}


def test_packets_are_counted_by_destination_and_way() -> None:
    table = FlowTable()
    for second, size in enumerate((10, 20, 30), 1):
        packet = ip(VEHICLE, ABROAD, UDP, udp(5000, 123, bytes(size)))
        table.add("power-on", frame(packet, t_ns=second))
    table.add("power-on", frame(ip(ABROAD, VEHICLE, UDP, udp(123, 5000)), Direction.IN, t_ns=9))
    ((key, flow),) = table.flows.items()
    assert key == ("power-on", "eth0", packed(ABROAD), UDP, 123)
    assert (flow.packets_out, flow.bytes_out, flow.packets_in, flow.bytes_in) == (3, 144, 1, 28)
    assert (flow.first_ns, flow.last_ns, flow.hops_out) == (1, 9, 64)
    assert table.packets == {"power-on": 4}


def test_one_packet_more_than_the_table_holds_is_counted_as_beyond() -> None:
    table = FlowTable(most_flows=3)
    for last in range(5):
        table.add("power-on", frame(ip(VEHICLE, f"8.8.8.{last}", UDP, udp(1, 2))))
    assert len(table.flows) == 3
    assert table.beyond == {"power-on": 2}


def test_an_address_that_is_scanned_takes_no_more_than_its_share_and_hides_no_packet() -> None:
    table = FlowTable()
    for port in range(1, 1001):
        table.add("power-on", frame(ip(VEHICLE, ABROAD, TCP, tcp(5000, port))))
    table.add("power-on", frame(ip(VEHICLE, PLATFORM, TCP, tcp(5000, 443))))
    assert len(table.flows) == MOST_PORTS + 2
    assert sum(flow.packets_out for flow in table.flows.values()) == 1001


def test_a_tap_knows_directions_by_what_the_internet_routes() -> None:
    table = FlowTable()
    table.add("power-on", frame(ip(VEHICLE, ABROAD, UDP, udp(1, 2)), Direction.UNKNOWN))
    table.add("power-on", frame(ip(PLATFORM, VEHICLE, UDP, udp(2, 1)), Direction.UNKNOWN))
    assert set(sent_to(table)) == {packed(ABROAD).hex()}
    assert table.undirected == 0


def test_between_two_public_addresses_a_packet_is_taken_as_sent_unless_the_vehicle_is_known() -> None:
    packet = frame(ip("2001:4860:4860::8888", VEHICLE6, UDP, udp(2, 1)), Direction.UNKNOWN)
    unknown = FlowTable()
    unknown.add("power-on", packet)
    known = FlowTable([ip_network("2409:8900::/64")])
    known.add("power-on", packet)
    assert unknown.undirected == 1
    assert set(sent_to(unknown)) == {packed(VEHICLE6).hex()}
    assert not sent_to(known)


def test_unreadable_packets_are_counted_by_whether_they_may_have_been_sent() -> None:
    table = FlowTable()
    for direction in Direction:
        table.add("power-on", frame(b"\x45\0", direction))
    assert sum(table.unreadable.values()) == 2
    assert sum(table.unreadable_in.values()) == 1
    assert not table.flows


def test_names_come_from_answers_and_questions_are_listed() -> None:
    table = FlowTable()
    question = ip(VEHICLE, RESOLVER, UDP, udp(5000, 53, dns_query("platform.example")))
    answer = ip(RESOLVER, VEHICLE, UDP, udp(53, 5000, dns_answer("platform.example", [PLATFORM])))
    table.add("power-on", frame(question))
    table.add("power-on", frame(answer, Direction.IN))
    assert table.asked == {"platform.example": 1}
    assert table.names[packed(PLATFORM)] == {"platform.example": {(NameSource.DNS, packed(RESOLVER))}}


def test_names_come_over_tcp_too() -> None:
    table = FlowTable()
    answer = dns_answer("platform.example", [PLATFORM])
    segment = tcp(53, 5000, struct.pack("!H", len(answer)) + answer)
    table.add("power-on", frame(ip(RESOLVER, VEHICLE, TCP, segment), Direction.IN))
    assert set(table.names[packed(PLATFORM)]) == {"platform.example"}


def test_an_answer_that_the_vehicle_itself_sends_names_nothing() -> None:
    table = FlowTable()
    forged = ip(VEHICLE, ABROAD, UDP, udp(53, 5000, dns_answer("platform.example", [ABROAD])))
    table.add("power-on", frame(forged))
    assert not table.names


def test_on_a_tap_a_neighbour_may_answer_and_the_vehicle_itself_not() -> None:
    answer = udp(53, 5000, dns_answer("platform.example", [PLATFORM]))
    packet = frame(ip(RESOLVER, VEHICLE, UDP, answer), Direction.UNKNOWN)
    table, known = FlowTable(), FlowTable([ip_network(RESOLVER)])
    table.add("power-on", packet)
    known.add("power-on", packet)
    assert set(table.names) == {packed(PLATFORM)}
    assert not known.names


def test_what_a_connection_asks_for_is_kept_as_its_own_word() -> None:
    table = FlowTable()
    hello = ip(VEHICLE, ABROAD, TCP, tcp(5000, 443, client_hello("platform.example")))
    table.add("power-on", frame(hello))
    (flow,) = table.flows.values()
    assert flow.server_names == {"platform.example"}
    assert not table.names


def test_memory_is_bounded_whatever_is_asked_and_answered() -> None:
    table = FlowTable()
    for number in range(5000):
        name = f"n{number}.example"
        table.add("power-on", frame(ip(VEHICLE, RESOLVER, UDP, udp(5000, 53, dns_query(name)))))
        answer = udp(53, 5000, dns_answer(name, [PLATFORM]))
        table.add("power-on", frame(ip(RESOLVER, VEHICLE, UDP, answer), Direction.IN))
    assert len(table.asked) + table.asked_beyond == 5000
    assert table.asked_beyond > 0
    assert len(table.names[packed(PLATFORM)]) == 16


def test_names_stop_being_learnt_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.egress.flows._MOST_SAID", 100)
    monkeypatch.setattr("edge.egress.flows._MOST_SERVER_NAMES_OF_ALL", 3)
    table = FlowTable()
    for number in range(200):
        answer = udp(53, 5000, dns_answer("a.example", [f"8.8.8.{number}"]))
        table.add("power-on", frame(ip(RESOLVER, VEHICLE, UDP, answer), Direction.IN))
    for number in range(5):
        hello = tcp(5000, 443, client_hello(f"n{number}.example"))
        table.add("power-on", frame(ip(VEHICLE, f"9.9.9.{number}", TCP, hello)))
    assert sum(len(said) for names in table.names.values() for said in names.values()) == 100
    assert sum(len(flow.server_names) for flow in table.flows.values()) == 3


@given(
    st.lists(
        st.tuples(st.sampled_from(list(Direction)), st.integers(0, 0xFFFF), st.binary(max_size=100)),
        max_size=20,
    )
)
def test_every_packet_is_counted_once_whatever_its_bytes(
    packets: list[tuple[Direction, int, bytes]],
) -> None:
    table = FlowTable(most_flows=4)
    for direction, ethertype, data in packets:
        table.add("power-on", Frame("eth0", direction, ethertype, memoryview(data), len(data), 1))
    counted = sum(flow.packets_out + flow.packets_in for flow in table.flows.values())
    unreadable = sum(table.unreadable.values()) + sum(table.unreadable_in.values())
    assert counted + unreadable + table.beyond["power-on"] == len(packets) == table.packets["power-on"]
