import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.egress.domain_names import read_dns, read_server_name
from tests.egress.packets import (
    ABROAD,
    ABROAD6,
    PLATFORM,
    client_hello,
    dns_answer,
    dns_name,
    dns_query,
    packed,
)


def test_a_question_names_what_is_asked() -> None:
    found = read_dns(memoryview(dns_query("Platform.Example")))
    assert found is not None
    assert (found.asked, found.answers, found.response) == (("platform.example",), (), False)


def test_an_answer_gives_addresses_the_name_that_was_asked_and_its_alias() -> None:
    answer = dns_answer("platform.example", [PLATFORM, ABROAD6], alias="edge7.cdn.example")
    found = read_dns(memoryview(answer))
    assert found is not None
    assert set(found.answers) == {
        (name, packed(address))
        for name in ("platform.example", "edge7.cdn.example")
        for address in (PLATFORM, ABROAD6)
    }


def test_an_answer_that_says_there_is_none_gives_no_name() -> None:
    answer = bytearray(dns_answer("platform.example", [PLATFORM]))
    answer[3] |= 3
    found = read_dns(memoryview(bytes(answer)))
    assert found is not None
    assert found.answers == ()


def test_a_name_that_points_to_itself_ends() -> None:
    head = struct.pack("!HHHHHH", 7, 0x8180, 1, 1, 0, 0)
    assert read_dns(memoryview(head + b"\xc0\x0c" + bytes(4))) is None


def test_aliases_in_a_circle_end() -> None:
    message = struct.pack("!HHHHHH", 7, 0x8180, 0, 3, 0, 0)
    one, other = dns_name("a.example"), dns_name("b.example")
    for owner, target in ((one, other), (other, one)):
        message += owner + struct.pack("!HHIH", 5, 1, 60, len(target)) + target
    message += one + struct.pack("!HHIH", 1, 1, 60, 4) + packed(ABROAD)
    found = read_dns(memoryview(message))
    assert found is not None
    assert {name for name, _ in found.answers} == {"a.example", "b.example"}


def test_a_name_cannot_reach_the_terminal_as_anything_but_a_name() -> None:
    found = read_dns(memoryview(dns_query("a\x1b[2Jb.example")))
    assert found is not None
    assert found.asked == ("a\\027\\0912jb.example",)


def test_every_cut_of_an_answer_gives_some_of_its_names_and_no_other() -> None:
    answer = dns_answer("platform.example", [PLATFORM, ABROAD], alias="edge7.cdn.example")
    whole = read_dns(memoryview(answer))
    assert whole is not None
    for size in range(len(answer)):
        found = read_dns(memoryview(answer[:size]))
        assert found is None or set(found.answers) <= set(whole.answers)


@given(st.binary(max_size=80), st.sampled_from([b"", dns_answer("a.b", [ABROAD])[:12], dns_query("a.b")]))
def test_any_bytes_are_a_message_or_none(rest: bytes, head: bytes) -> None:
    found = read_dns(memoryview(head + rest))
    if found is not None:
        assert all(len(address) in {4, 16} for _, address in found.answers)
        assert all(name.isprintable() for name in found.asked)


def test_a_real_client_is_heard_to_ask_for_its_server() -> None:
    assert read_server_name(memoryview(client_hello("platform.example"))) == "platform.example"


@pytest.mark.parametrize("size", [0, 1, 6, 44, 60])
def test_a_hello_cut_short_before_its_name_has_none(size: int) -> None:
    assert read_server_name(memoryview(client_hello("platform.example")[:size])) is None


def test_no_cut_of_a_hello_gives_another_name() -> None:
    hello = client_hello("platform.example")
    names = {read_server_name(memoryview(hello[:size])) for size in range(len(hello) + 1)}
    assert names == {None, "platform.example"}


@given(st.binary(max_size=200))
def test_any_bytes_are_a_hello_or_none(data: bytes) -> None:
    read_server_name(memoryview(data))
    read_server_name(memoryview(b"\x16\x03\x01\x00\xff\x01" + data))
