import io
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.egress.capture_file import CaptureFile, FilePacket
from edge.egress.capture_writer import CaptureWriter
from edge.egress.flows import FlowTable
from edge.egress.frame import Direction, Frame
from edge.egress.judged_file import FileFacts, count_file, union_s
from edge.egress.packet import UDP
from edge.egress.packet_socket import LinkAddress
from tests.egress.packets import ABROAD, ABROAD6, PLATFORM, VEHICLE, VEHICLE6, ethernet, ip, packed, pcap, udp

BEGUN_NS = 1_790_000_000 * 10**9
ENDED_NS = BEGUN_NS + 3_700 * 10**9
V4 = ip(VEHICLE, ABROAD, UDP, udp(5000, 123, b"x"))
V6 = ip(VEHICLE6, ABROAD6, UDP, udp(5000, 123, b"x"))
BACK = ip(PLATFORM, VEHICLE, UDP, udp(8883, 5000, b"x"))


def counted(content: bytes, table: FlowTable | None = None) -> tuple[FlowTable, FileFacts]:
    table = table or FlowTable()
    return table, count_file(table, "power-on", io.BytesIO(content), "a.pcap")


def sent(table: FlowTable) -> set[bytes]:
    return {key.address for key, flow in table.flows.items() if flow.packets_out}


def written(*frames: tuple[Frame, LinkAddress], lost: int = 0) -> bytes:
    """What our own writer makes of frames, captured for 3,700 seconds."""
    stream = io.BytesIO()
    writer = CaptureWriter(stream, "test")
    for frame, link in frames:
        writer.write(frame, link)
    writer.close(begun_ns=BEGUN_NS, ended_ns=ENDED_NS, lost=lost)
    return stream.getvalue()


def live(packet: bytes, packet_type: int = 4, interface: str = "wlan0") -> tuple[Frame, LinkAddress]:
    protocol = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    direction = Direction.OUT if packet_type == 4 else Direction.IN
    link = LinkAddress(interface, protocol, packet_type, 1, b"\x02\0\0\0\0\x01")
    return Frame(interface, direction, protocol, memoryview(packet), len(packet), BEGUN_NS + 7), link


OURS = written(live(V4), live(V6, interface="ppp0"), live(BACK, 0))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("link_type", "wrap"),
    [
        (1, ethernet),
        (101, bytes),
        (12, bytes),
        (0, lambda packet: bytes(4) + packet),
        (9, lambda packet: b"\xff\x03" + (b"\0\x57" if packet[0] >> 4 == 6 else b"\0\x21") + packet),
        (51, lambda packet: bytes(6) + (b"\0\x57" if packet[0] >> 4 == 6 else b"\0\x21") + packet),
        (
            113,
            lambda packet: (
                struct.pack("!HHH8sH", 4, 1, 6, b"", 0x86DD if packet[0] >> 4 == 6 else 0x800) + packet
            ),
        ),
    ],
    ids=["Ethernet", "raw", "raw of OpenBSD", "null", "PPP", "PPPoE", "cooked"],
)
def test_a_capture_on_a_tap_is_counted_like_a_live_one(order: str, link_type: int, wrap: object) -> None:
    assert callable(wrap)
    content = pcap([(10.5, wrap(V4)), (3650.5, wrap(V6))], link_type=link_type, order=order)
    table, facts = counted(content)
    assert sent(table) == {packed(ABROAD), packed(ABROAD6)}
    carried = {9: 2, 51: 8}.get(link_type, 0)
    assert {flow.bytes_out for flow in table.flows.values()} == {len(V4) + carried, len(V6) + carried}
    assert facts.span_ns == (10_500_000_000, 3_650_500_000_000)
    assert (facts.packets, facts.lost, facts.doubts) == (2, None, ())


def test_nanoseconds_are_read() -> None:
    head = struct.pack("<IHHiIIIIIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 101, 7, 5, len(V4), len(V4))
    (packet,) = CaptureFile(io.BytesIO(head + V4))
    assert packet.t_ns == 7_000_000_005


def test_what_we_write_is_read_again_with_its_ways_interfaces_time_and_losses() -> None:
    table, facts = counted(written(live(V4), live(BACK, 0), live(V6, interface="ppp0"), lost=3))
    ways = {
        key.address: (key.interface, flow.packets_out, flow.packets_in) for key, flow in table.flows.items()
    }
    assert ways == {
        packed(ABROAD): ("wlan0", 1, 0),
        packed(PLATFORM): ("wlan0", 0, 1),
        packed(ABROAD6): ("ppp0", 1, 0),
    }
    assert {flow.first_ns for flow in table.flows.values()} == {BEGUN_NS + 7}
    assert facts.span_ns == (BEGUN_NS, ENDED_NS)
    assert facts.lost == 3
    assert facts.interfaces == ("ppp0", "wlan0")


def test_a_quiet_hour_is_an_hour() -> None:
    _, facts = counted(written())
    assert (facts.packets, facts.lost, facts.span_ns) == (0, 0, (BEGUN_NS, ENDED_NS))


def statistics(start: int, end: int) -> bytes:
    options = b"".join(
        struct.pack("<HHII", kind, 8, value >> 32, value & 0xFFFFFFFF)
        for kind, value in ((2, start), (3, end))
    )
    return block(5, struct.pack("<III", 0, 0, 0) + options)


def test_the_statistics_of_dumpcap_are_in_microseconds_whatever_the_interface_says() -> None:
    nanoseconds = block(1, struct.pack("<HHIHHBxxx", 101, 0, 0, 9, 1, 9))
    _, facts = counted(SECTION + nanoseconds + statistics(BEGUN_NS // 1000, ENDED_NS // 1000))
    assert facts.span_ns == (BEGUN_NS, ENDED_NS)


def test_statistics_that_make_no_sense_prove_no_time() -> None:
    for start, end in ((0, ENDED_NS // 1000), (ENDED_NS // 1000, BEGUN_NS // 1000), (1, 2**63)):
        _, facts = counted(SECTION + INTERFACE + statistics(start, end))
        assert facts.span_ns is None


def test_loopback_and_can_are_no_way_out() -> None:
    cooked = [struct.pack("!HHH8sH", 4, kind, 6, b"", 0x800) + V4 for kind in (280, 772)]
    table, facts = counted(pcap([(1, one) for one in cooked], link_type=113))
    assert not table.flows
    assert facts.packets == 2


@pytest.mark.parametrize(
    "content", [pcap([(1, ethernet(V4)), (2, ethernet(V6))]), OURS], ids=["pcap", "pcapng"]
)
def test_a_file_that_breaks_off_anywhere_keeps_what_was_whole_and_says_so(content: bytes) -> None:
    whole, _ = counted(content)
    quiet = 0
    for size in range(len(content)):
        table, facts = counted(content[:size])
        assert sent(table) <= sent(whole)
        quiet += not facts.doubts
        if facts.packets < sum(whole.packets.values()) and not facts.doubts:
            # Only where a packet or block ends can a file end without showing that there was more.
            assert size in boundaries(content)
    assert quiet <= len(boundaries(content))


def boundaries(content: bytes) -> set[int]:
    """Where a whole packet or block ends."""
    found, at = set(), 0
    if content[:4] == b"\x0a\x0d\x0d\x0a":
        while at < len(content):
            at += struct.unpack_from("<I", content, at + 4)[0]
            found.add(at)
        return found
    at = 24
    while at <= len(content):
        found.add(at)
        at += 16 + struct.unpack_from("<I", content + bytes(16), at + 8)[0]
    return found


def block(kind: int, body: bytes) -> bytes:
    body += b"\0" * (-len(body) % 4)
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


SECTION = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
INTERFACE = block(1, struct.pack("<HHI", 101, 0, 0))


def test_a_capture_through_a_filter_says_so() -> None:
    option = struct.pack("<HH", 11, 9) + b"\0not port" + bytes(3)
    _, facts = counted(SECTION + block(1, struct.pack("<HHI", 101, 0, 0) + option))
    assert facts.doubts == ("a.pcap was captured through a filter: not port",)


def test_what_a_file_calls_its_interface_cannot_command_a_terminal() -> None:
    option = struct.pack("<HH", 2, 8) + "\x1b[2J网".encode() + b"\0"
    simple = block(3, struct.pack("<I", len(V4)) + V4)
    _, facts = counted(SECTION + block(1, struct.pack("<HHI", 101, 0, 0) + option) + simple)
    assert facts.interfaces == ("\\x1b[2J网",)


def test_packets_in_blocks_of_another_kind_are_counted_or_doubted() -> None:
    simple = block(3, struct.pack("<I", len(V4)) + V4)
    old = block(2, bytes(20) + V6)
    table, facts = counted(SECTION + INTERFACE + simple + old)
    assert sent(table) == {packed(ABROAD)}
    assert facts.doubts == ("a.pcap has 1 packets in blocks of an outdated kind",)


def test_a_second_section_of_another_byte_order_is_read() -> None:
    length = struct.pack(">I", 28)
    big = struct.pack(">I", 0x0A0D0D0A) + length + struct.pack(">IHHq", 0x1A2B3C4D, 1, 0, -1) + length
    length = struct.pack(">I", 20)
    big += struct.pack(">I", 1) + length + struct.pack(">HHI", 101, 0, 0) + length
    data = V6 + b"\0" * (-len(V6) % 4)
    length = struct.pack(">I", 32 + len(data))
    big += struct.pack(">I", 6) + length + struct.pack(">IIIII", 0, 0, 5, len(V6), len(V6)) + data + length
    table, facts = counted(SECTION + INTERFACE + big)
    assert sent(table) == {packed(ABROAD6)}
    assert facts.doubts == ()


def test_an_unknown_link_layer_is_unreadable_not_silent() -> None:
    table, _ = counted(pcap([(1, b"802.11")], link_type=105))
    assert sum(table.unreadable.values()) == 1


@pytest.mark.parametrize("content", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x0a\x0d\x0d\x0a", b"\xa1\xb2"])
def test_what_is_no_capture_is_said_to_be_none(content: bytes) -> None:
    _, facts = counted(content)
    assert facts.doubts
    assert facts.packets == 0


@given(
    st.sampled_from([b"", SECTION, SECTION + INTERFACE, OURS, pcap([]), pcap([(1, V4)], link_type=113)]),
    st.binary(max_size=200),
    st.integers(0, 400),
    st.integers(0, 255),
)
def test_any_bytes_are_read_to_some_end(head: bytes, tail: bytes, at: int, value: int) -> None:
    content = bytearray(head + tail)
    if content:
        content[at % len(content)] = value
    table, facts = counted(bytes(content))
    assert facts.packets >= table.packets["power-on"]
    assert all(isinstance(one, FilePacket) for one in CaptureFile(io.BytesIO(bytes(content))))


def test_time_that_two_taps_share_counts_once() -> None:
    second = 10**9
    assert union_s([(0, 10 * second), (5 * second, 20 * second), (30 * second, 31 * second)]) == 21
    assert union_s([(2 * second, 3 * second), (0, 10 * second)]) == 10


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
def test_tshark_reads_what_we_write(tmp_path: Path) -> None:
    (tmp_path / "ours.pcapng").write_bytes(OURS)
    fields = ("ip.dst", "ipv6.dst", "udp.dstport", "frame.interface_name", "sll.pkttype", "frame.time_epoch")
    printed = subprocess.run(
        [
            "tshark",
            "-r",
            tmp_path / "ours.pcapng",
            "-T",
            "fields",
            *(word for one in fields for word in ("-e", one)),
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    rows = [line.split("\t") for line in printed.splitlines()]
    assert [row[:4] for row in rows] == [
        [ABROAD, "", "123", "wlan0"],
        ["", ABROAD6, "123", "ppp0"],
        [VEHICLE, "", "5000", "wlan0"],
    ]
    assert [row[4] for row in rows] == ["4", "4", "0"]
    assert float(rows[0][5]) == pytest.approx(BEGUN_NS / 1e9)


@pytest.mark.skipif(not shutil.which("editcap"), reason="editcap is not installed")
@pytest.mark.parametrize("form", ["pcap", "nsecpcap", "pcapng"])
def test_what_wireshark_writes_is_read(tmp_path: Path, form: str) -> None:
    (tmp_path / "tap.pcap").write_bytes(
        pcap([(10.25, ethernet(V4)), (11, ethernet(V6)), (12, ethernet(BACK))])
    )
    subprocess.run(
        ["editcap", "-F", form, tmp_path / "tap.pcap", tmp_path / "tap.out"], check=True, timeout=60
    )
    table, facts = counted((tmp_path / "tap.out").read_bytes())
    assert sent(table) == {packed(ABROAD), packed(ABROAD6)}
    assert facts.span_ns == (10_250_000_000, 12_000_000_000)
    assert facts.doubts == ()


def test_a_packet_that_says_it_is_longer_than_any_is_not_waited_for() -> None:
    _, facts = counted(pcap([]) + struct.pack("<IIII", 1, 0, 0x7FFFFFFF, 0x7FFFFFFF) + bytes(64))
    assert facts.doubts == ("a.pcap is damaged at byte 24",)
