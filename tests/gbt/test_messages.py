"""Messages: whatever is read writes back to the same bytes, whatever is none is refused with its place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.catalogue.item import Edition
from edge.wire.gbt.explain import explain
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import Command, Encryption, Frame, Response, check_code, read_frame
from edge.wire.gbt.message import Message, Opaque, Report, Values, answer, message_of, read_message
from tests.gbt.grammar import VIN, editions, examples, messages

TIME = bytes((26, 3, 1, 8, 0, 0))


def attempt(data: bytes) -> tuple[GbtError | None, Message | None]:
    try:
        return None, read_message(data)
    except GbtError as error:
        return error, None


@given(messages())
@settings(max_examples=examples(110), deadline=None)
def test_every_message_of_the_tables_is_read_as_it_was_written(message: Message) -> None:
    written = message.write()
    read = read_message(written)
    assert read == message
    assert read.write() == written


@given(messages())
@settings(max_examples=examples(40), deadline=None)
def test_an_explanation_covers_every_byte_once(message: Message) -> None:
    written = message.write()
    explained = explain(written)
    assert explained.fault is None
    whole = [line for line in explained.lines if line.field.kind != "bits"]
    assert b"".join(line.data for line in whole) == written
    assert [line.offset for line in whole] == [
        sum(len(one.data) for one in whole[:n]) for n in range(len(whole))
    ]


@given(
    editions,
    st.sampled_from(Command) | st.integers(0, 255),
    st.sampled_from([0xFE, 0xFE, 0xFE, 1, 2, 0]),
    st.sampled_from([1, 1, 1, 3]),
    st.binary(max_size=60) | st.binary(max_size=60).map(lambda unit: TIME + unit),
)
@settings(max_examples=examples(250), deadline=None)
def test_any_data_unit_is_an_error_or_writes_back_to_its_bytes(
    edition: Edition, command: int, response: int, encryption: int, unit: bytes
) -> None:
    data = Frame(edition, command, response, VIN, encryption, unit).write()
    explain(data)
    error, message = attempt(data)
    if error is None:
        assert message is not None
        assert message.write() == data
    else:
        assert error.offset is not None
        assert 24 <= error.offset <= len(data)


@given(st.binary(max_size=80) | st.binary(max_size=80).map(lambda tail: b"##" + tail))
@settings(max_examples=examples(120), deadline=None)
def test_any_bytes_are_an_error_or_a_message(data: bytes) -> None:
    explain(data)
    error, message = attempt(data)
    if error is None:
        assert message is not None
        assert message.write() == data
    else:
        assert error.offset is not None
        assert 0 <= error.offset <= len(data)


def test_a_flipped_bit_is_never_taken_for_the_message() -> None:
    data = Message(Edition.Y2016, Command.REAL_TIME, Response.COMMAND, VIN, Report(TIME, ())).write()
    for place in range(len(data) * 8):
        broken = bytearray(data)
        broken[place // 8] ^= 1 << place % 8
        with pytest.raises(GbtError):
            read_frame(bytes(broken))


@given(st.binary(min_size=1, max_size=300))
def test_the_check_code_is_the_exclusive_or_of_the_bytes(data: bytes) -> None:
    code = 0
    for byte in data:
        code ^= byte
    assert check_code(data) == code


def test_an_encrypted_unit_is_handed_on_as_it_is() -> None:
    unit = bytes(range(32))
    frame = Frame(Edition.Y2025, Command.REAL_TIME, Response.COMMAND, VIN, Encryption.SM4, unit)
    message = message_of(frame)
    assert message.content == Opaque(unit, "encrypted")
    assert message.frame() == frame


def test_a_report_cut_short_names_the_byte_and_the_field() -> None:
    body = bytes((1, 1, 3, 1, 0, 100))
    data = Frame(Edition.Y2016, 2, 0xFE, VIN, 1, TIME + body).write()
    with pytest.raises(GbtError, match=r"byte 36: ends within 'accumulated mileage' of body 01"):
        read_message(data)


def test_a_response_keeps_the_time_or_all_and_is_never_answered() -> None:
    login = Values("command 01", (TIME, 5, b"8986" * 5, 1, 2, (b"AB",)))
    message = Message(Edition.Y2016, Command.VEHICLE_LOGIN, Response.COMMAND, VIN, login)
    short = answer(message, Response.SUCCESS)
    assert read_message(short.write()).content == Values("response", (TIME,))
    assert (short.command, short.vin, short.response) == (1, VIN, 1)
    whole = answer(message, Response.ERROR, whole=True)
    assert read_message(whole.write()).content == login
    with pytest.raises(GbtError, match="never answered"):
        answer(short, Response.SUCCESS)
    beat = Message(Edition.Y2016, Command.HEARTBEAT, Response.COMMAND, VIN, Opaque(b"", "empty"))
    assert answer(beat, Response.SUCCESS).content == Opaque(b"", "empty")


def test_a_list_of_parameters_ends_where_nobody_knows_the_length() -> None:
    entries = ((0x04, 3), (0x05, b"a.b"), (0x06, 8080), (0x80, b"\x01\x02"))
    message = Message(
        Edition.Y2016, Command.SET, Response.COMMAND, VIN, Values("parameters", (TIME, 4, entries))
    )
    assert read_message(message.write()) == message
    assert message.frame().unit == TIME + bytes.fromhex("04 0403 05612e62 061f90 800102")
    with pytest.raises(GbtError, match="nothing can follow"):
        Message(
            Edition.Y2016, Command.SET, 0xFE, VIN, Values("parameters", (TIME, 2, ((0x80, b""), (0x06, 1))))
        ).write()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (Values("command 01", (TIME, 1, b"short", 0, 0, ())), "20 bytes"),
        (Values("command 01", (TIME, 1, b"8" * 20, 2, 1, (b"A",))), "1 elements where 2 are told"),
        (Values("command 04", (TIME, 65_536)), "does not fit"),
        (Values("command 0B", ()), "no 'command 0B'"),
        (Values("command 04", (TIME,)), "2 fields"),
    ],
)
def test_what_does_not_fit_is_not_written(content: Values, words: str) -> None:
    with pytest.raises(GbtError, match=words):
        Message(Edition.Y2016, Command.VEHICLE_LOGIN, Response.COMMAND, VIN, content).write()
