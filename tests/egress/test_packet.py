import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.egress.packet import (
    ETHERTYPE_ARP,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    LLC,
    PPP,
    PPP_CONTROL,
    TCP,
    UDP,
    UNKNOWN_IP,
    Packet,
    Unreadable,
    dissect,
)
from tests.egress.packets import ABROAD, ABROAD6, VEHICLE, VEHICLE6, ipv4, ipv6, packed, tcp, udp

V4 = ipv4(VEHICLE, ABROAD, UDP, udp(5000, 123, b"time"))
V6 = ipv6(VEHICLE6, ABROAD6, TCP, tcp(5000, 443, b"hello"))
FRAGMENT_HEADER = struct.pack("!BBHI", UDP, 0, 0, 9)
LATER_FRAGMENT = struct.pack("!BBHI", UDP, 0, 8 << 3, 9)
OPTIONS_HEADER = bytes([UDP, 0, 1, 4, 0, 0, 0, 0])
AUTHENTICATION = bytes([UDP, 4]) + bytes(22)


def read(ethertype: int, data: bytes) -> Packet:
    found = dissect(ethertype, memoryview(data))
    assert isinstance(found, Packet)
    return found


@pytest.mark.parametrize(
    ("ethertype", "data"),
    [
        (ETHERTYPE_IPV4, V4),
        (UNKNOWN_IP, V4),
        (0x8100, struct.pack("!HH", 7, ETHERTYPE_IPV4) + V4),
        (0x88A8, struct.pack("!HHHH", 7, 0x8100, 8, ETHERTYPE_IPV4) + V4),
        (0x8864, struct.pack("!BBHHH", 0x11, 0, 1, len(V4) + 2, 0x0021) + V4),
        (PPP, b"\x00\x21" + V4),
        (PPP, b"\x21" + V4),
        (0x8847, struct.pack("!II", 5 << 12 | 64, 6 << 12 | 0x100 | 64) + V4),
        (4, b"\xaa\xaa\x03\x00\x00\x00\x08\x00" + V4),
        (len(V4) + 8, b"\xaa\xaa\x03\x00\x00\x00\x08\x00" + V4),
        (ETHERTYPE_IPV4, ipv4(VEHICLE, ABROAD, UDP, udp(5000, 123, b"time"), options=b"\x94\x04\0\0")),
        (ETHERTYPE_IPV4, V4 + bytes(20)),
    ],
    ids=[
        "plain",
        "raw IP",
        "VLAN",
        "two VLANs",
        "PPPoE",
        "PPP",
        "short PPP",
        "MPLS",
        "SNAP",
        "802.3",
        "options",
        "padded",
    ],
)
def test_ipv4_is_found_in_whatever_carries_it(ethertype: int, data: bytes) -> None:
    found = read(ethertype, data)
    assert (found.source, found.destination) == (packed(VEHICLE), packed(ABROAD))
    assert (found.protocol, found.source_port, found.destination_port, found.hops) == (UDP, 5000, 123, 64)
    assert bytes(found.payload).startswith(b"time")
    assert not found.source_routed


@pytest.mark.parametrize(
    ("first", "headers"),
    [
        (UDP, b""),
        (0, OPTIONS_HEADER),
        (60, OPTIONS_HEADER),
        (44, FRAGMENT_HEADER),
        (51, AUTHENTICATION),
        (0, bytes([60, *OPTIONS_HEADER[1:]]) + OPTIONS_HEADER),
    ],
    ids=["none", "hop by hop", "destination", "first fragment", "authentication", "two"],
)
def test_ipv6_is_read_through_its_extension_headers(first: int, headers: bytes) -> None:
    found = read(ETHERTYPE_IPV6, ipv6(VEHICLE6, ABROAD6, first, headers + udp(5000, 123, b"x")))
    assert (found.destination, found.protocol, found.destination_port) == (packed(ABROAD6), UDP, 123)


def test_a_later_fragment_has_its_destination_and_no_port() -> None:
    four = read(ETHERTYPE_IPV4, ipv4(VEHICLE, ABROAD, UDP, b"abcdefgh", fragment=185))
    six = read(ETHERTYPE_IPV6, ipv6(VEHICLE6, ABROAD6, 44, LATER_FRAGMENT + b"abcdefgh"))
    assert (four.destination, four.protocol, four.destination_port) == (packed(ABROAD), UDP, None)
    assert (six.destination, six.protocol, six.destination_port) == (packed(ABROAD6), UDP, None)


@pytest.mark.parametrize(("kind", "routed"), [(131, True), (137, True), (7, False)])
def test_a_source_route_of_ipv4_is_seen(kind: int, routed: bool) -> None:
    options = b"\x01" + bytes([kind, 7, 4]) + packed(ABROAD)
    assert (
        read(ETHERTYPE_IPV4, ipv4(VEHICLE, VEHICLE, UDP, udp(1, 2), options=options)).source_routed is routed
    )


@pytest.mark.parametrize(("left", "routed"), [(1, True), (0, False)])
def test_a_source_route_of_ipv6_is_seen_while_it_has_further_to_go(left: int, routed: bool) -> None:
    routing = bytes([UDP, 2, 4, left, 0, 0, 0, 0]) + packed(ABROAD6)
    assert read(ETHERTYPE_IPV6, ipv6(VEHICLE6, VEHICLE6, 43, routing + udp(1, 2))).source_routed is routed


@pytest.mark.parametrize(
    ("ethertype", "data", "protocol"),
    [
        (ETHERTYPE_ARP, bytes(28), ETHERTYPE_ARP),
        (0x88CC, b"", 0x88CC),
        (38, b"\x42\x42\x03" + bytes(35), LLC),
        (PPP, b"\xc0\x21\x01", PPP_CONTROL),
    ],
)
def test_a_frame_without_ip_has_no_address(ethertype: int, data: bytes, protocol: int) -> None:
    found = read(ethertype, data)
    assert (found.source, found.destination, found.protocol) == (b"", b"", protocol)


def test_no_length_of_a_frame_is_taken_for_what_it_carries() -> None:
    spanning_tree = memoryview(b"\x42\x42\x03" + bytes(35))
    for length in range(0x600):
        found = dissect(length, spanning_tree)
        assert isinstance(found, Packet)
        assert found.protocol == LLC


@pytest.mark.parametrize(
    ("ethertype", "data", "why"),
    [
        (ETHERTYPE_IPV4, V4[:19], Unreadable.SHORT),
        (ETHERTYPE_IPV6, V6[:39], Unreadable.SHORT),
        (ETHERTYPE_IPV4, V6, Unreadable.MALFORMED),
        (ETHERTYPE_IPV6, V4, Unreadable.MALFORMED),
        (ETHERTYPE_IPV4, b"", Unreadable.SHORT),
        (UNKNOWN_IP, b"", Unreadable.SHORT),
        (PPP, b"\x00\x99" + V4, Unreadable.FRAME),
        (0x88E5, V4, Unreadable.FRAME),
        (0x8100, struct.pack("!HH", 1, 0x8100) * 9, Unreadable.FRAME),
    ],
)
def test_what_has_no_destination_gives_the_reason(ethertype: int, data: bytes, why: Unreadable) -> None:
    assert dissect(ethertype, memoryview(data)) is why


@pytest.mark.parametrize("whole", [V4, V6, ipv6(VEHICLE6, ABROAD6, 0, OPTIONS_HEADER * 3)])
def test_a_packet_cut_short_behind_its_addresses_keeps_its_destination(whole: bytes) -> None:
    head = 20 if whole is V4 else 40
    for size in range(head, len(whole)):
        found = read(UNKNOWN_IP, whole[:size])
        assert found.destination == read(UNKNOWN_IP, whole).destination


@given(
    st.sampled_from(
        [ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_ARP, UNKNOWN_IP, PPP, 0x8100, 0x8864, 4, 0xFFFF]
    ),
    st.sampled_from([b"", b"\x45", b"\x4f", b"\x60", V4[:20], V6[:40], V6[:6] + b"\x2b" + V6[7:40]]),
    st.binary(max_size=120),
)
def test_any_bytes_give_a_packet_or_a_reason(ethertype: int, head: bytes, rest: bytes) -> None:
    found = dissect(ethertype, memoryview(head + rest))
    assert isinstance(found, Packet | Unreadable)
    if isinstance(found, Packet):
        assert len(found.destination) in {0, 4, 16}
        assert len(found.source) == len(found.destination)
