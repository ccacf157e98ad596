"""What the kernel tells of links is read as it is laid out, and nothing else breaks the reader."""

import errno
import random
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.bus.socketcan.netlink import (
    Controller,
    ControllerCounts,
    Link,
    LinkTold,
    Refused,
    Unreadable,
    question,
    told,
)
from tests.socketcan.kernel_link import (
    ARPHRD_CAN,
    ARPHRD_ETHER,
    DONE,
    FD,
    LISTEN_ONLY,
    NEW_LINK,
    RUNNING,
    UP,
    attribute,
    deleted_link,
    link_body,
    message,
    new_link,
    refusal,
)


def test_a_question_by_index_names_the_index_alone() -> None:
    asked = question(7, index=4)
    assert asked == struct.pack("=IHHII", 40, 18, 1, 7, 0) + struct.pack(
        "=BxHiII", 0, 0, 4, 0, 0
    ) + struct.pack("=HHI", 8, 29, 8)


def test_a_question_by_name_ends_it_with_a_nul_and_fills_it_up() -> None:
    asked = question(1, name="can0")
    assert asked.endswith(struct.pack("=HH", 9, 3) + b"can0\0" + bytes(3))
    assert struct.unpack_from("=I", asked) == (len(asked),)


def test_a_long_name_is_asked_for_as_an_alternative_one() -> None:
    assert struct.unpack_from("=HH", question(1, name="x" * 15), 40)[1] == 3
    assert struct.unpack_from("=HH", question(1, name="x" * 16), 40)[1] == 53


@pytest.mark.parametrize("name", ["", "x" * 128, "can\0"])
def test_what_is_no_name_is_not_asked_for(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        question(1, name=name)


def test_a_controller_is_read_in_full() -> None:
    datagram = new_link(
        index=5,
        name="can1",
        mtu=72,
        other_names=("canpt", "the-one-at-the-powertrain"),
        device=("usb", "1-1.4:1.0"),
        bitrate=500_000,
        data_bitrate=2_000_000,
        mode=LISTEN_ONLY | FD,
        supported=0x1FF,
        state=2,
        restart_ms=100,
        errors=(12, 130),
        counts=(1, 2, 3, 4, 5, 6),
    )
    assert told(datagram) == (
        LinkTold(
            Link(
                index=5,
                name="can1",
                hardware=ARPHRD_CAN,
                flags=UP | RUNNING,
                kind="can",
                mtu=72,
                other_names=("canpt", "the-one-at-the-powertrain"),
                device="usb 1-1.4:1.0",
                controller=Controller(
                    bitrate=500_000,
                    data_bitrate=2_000_000,
                    mode=LISTEN_ONLY | FD,
                    supported_mode=0x1FF,
                    state=2,
                    restart_ms=100,
                    transmit_errors=12,
                    receive_errors=130,
                    clock_hz=8_000_000,
                    counts=ControllerCounts(1, 2, 3, 4, 5, 6),
                ),
            ),
            deleted=False,
        ),
    )


def test_what_a_driver_does_not_tell_is_unknown() -> None:
    (heard,) = told(new_link(bitrate=0, supported=None, errors=None, counts=None))
    assert isinstance(heard, LinkTold)
    controller = heard.link.controller
    assert controller is not None
    assert (controller.bitrate, controller.data_bitrate, controller.supported_mode) == (None, None, None)
    assert (controller.transmit_errors, controller.receive_errors, controller.counts) == (None, None, None)


@pytest.mark.parametrize("rate", [0, 0xFFFF_FFFF])
def test_a_bitrate_that_is_not_set_is_none(rate: int) -> None:
    data = attribute(1, struct.pack("=8I", rate, 0, 0, 0, 0, 0, 0, 0))
    info = attribute(1, b"can\0") + attribute(2, data)
    body = struct.pack("=BxHiII", 0, 280, 3, 0, 0) + attribute(3, b"can0\0") + attribute(18, info)
    (heard,) = told(message(NEW_LINK, body))
    assert isinstance(heard, LinkTold)
    assert heard.link.controller == Controller()


def test_a_link_of_another_kind_has_no_controller() -> None:
    (heard,) = told(new_link(name="v0", kind="veth", hardware=ARPHRD_ETHER, mtu=1500))
    assert isinstance(heard, LinkTold)
    assert (heard.link.kind, heard.link.controller) == ("veth", None)


def test_messages_of_one_datagram_are_told_in_order() -> None:
    datagram = new_link(index=3) + message(DONE, bytes(4)) + deleted_link(index=3) + refusal(9, errno.ENODEV)
    assert [
        (type(each), each.deleted if isinstance(each, LinkTold) else None) for each in told(datagram)
    ] == [(LinkTold, False), (LinkTold, True), (Refused, None)]
    assert told(datagram)[2] == Refused(sequence=9, error=errno.ENODEV)


def test_a_bridge_that_lets_a_port_go_does_not_delete_the_link() -> None:
    assert told(deleted_link(family=7)) == ()


def test_a_message_that_contradicts_itself_costs_itself_alone() -> None:
    body = bytearray(link_body())
    struct.pack_into("=H", body, 16, 0xFFFF)
    datagram = new_link(index=1) + message(NEW_LINK, bytes(body)) + new_link(index=2)
    first, second, third = told(datagram)
    assert isinstance(first, LinkTold)
    assert second == Unreadable()
    assert isinstance(third, LinkTold)
    assert third.link.index == 2


@pytest.mark.parametrize("length", [0, 15, 10_000, 0xFFFF_FFFF])
def test_a_length_that_cannot_be_ends_the_datagram(length: int) -> None:
    datagram = new_link() + struct.pack("=IHHII", length, NEW_LINK, 0, 0, 0) + link_body()
    heard = told(datagram)
    assert len(heard) == 2
    assert heard[1] == Unreadable()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        bytes(15),
        struct.pack("=BxHiII", 0, 280, 0, 0, 0) + attribute(3, b"can0\0"),
        struct.pack("=BxHiII", 0, 280, -1, 0, 0) + attribute(3, b"can0\0"),
        struct.pack("=BxHiII", 0, 280, 3, 0, 0),
        struct.pack("=BxHiII", 0, 280, 3, 0, 0) + attribute(3, b"can0\0") + attribute(4, b"\x10\0"),
        struct.pack("=BxHiII", 0, 280, 3, 0, 0) + attribute(3, b"can0\0") + b"\x03\0",
    ],
    ids=["nothing", "short", "no index", "negative index", "no name", "short mtu", "rest"],
)
def test_a_link_without_what_it_must_have_is_unreadable(body: bytes) -> None:
    assert told(message(NEW_LINK, body)) == (Unreadable(),)


def test_every_cut_of_a_message_is_unreadable() -> None:
    whole = new_link(device=("usb", "1-1:1.0"), other_names=("canpt",), data_bitrate=2_000_000)
    for length in range(1, len(whole)):
        assert told(whole[:length]) == (Unreadable(),), length


@given(st.binary(max_size=400))
@example(b"\x10")
def test_any_bytes_are_read_without_an_error(datagram: bytes) -> None:
    told(datagram)


@given(
    st.integers(1, 2**31 - 1),
    st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=15),
    st.integers(1, 0xFFFF_FFFE),
    st.integers(0, 0xFFFF_FFFF),
)
def test_what_is_laid_out_is_read_back(index: int, name: str, bitrate: int, mode: int) -> None:
    (heard,) = told(new_link(index=index, name=name, bitrate=bitrate, mode=mode))
    assert isinstance(heard, LinkTold)
    assert (heard.link.index, heard.link.name) == (index, name)
    assert heard.link.controller is not None
    assert (heard.link.controller.bitrate, heard.link.controller.mode) == (bitrate, mode)


def test_damaged_messages_are_read_without_an_error() -> None:
    chance = random.Random(20)  # noqa: S311 - a test's chance
    whole = (
        new_link(device=("usb", "1-1:1.0"), other_names=("canpt",), data_bitrate=2_000_000) + deleted_link()
    )
    for _ in range(5_000):
        damaged = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        assert len(told(bytes(damaged))) <= len(whole) // 16
