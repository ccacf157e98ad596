"""The specification's example is what the codec makes, and its tables name what the codec has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge.wire import vlink, vlink_frames, vlink_messages

PAGE = (Path(__file__).parents[2] / "docs" / "vlink.md").read_text("utf-8")


def example() -> tuple[bytes, bytes]:
    section = PAGE.split("### An example")[1].split("\n## ")[0]
    blocks = re.findall(r"(?:^    [0-9a-f ]+\n)+", section, re.MULTILINE)
    plain, line = (bytes.fromhex(block.replace("\n", " ")) for block in blocks)
    return plain, line


def test_the_example_is_what_the_codec_makes() -> None:
    plain, line = example()
    told = (
        (0, 8, 0x123, bytes.fromhex("1122003344556677")),
        (222, 0x18, 0x18FEF100, bytes(8)),
        (300, 0x22, 0x7DF, b""),
    )
    message = vlink_frames.Frames(0, 70_000, 81_985_529_216, told)
    encoder = vlink.Encoder()
    encoder.sequence = 258
    n = encoder.seal(vlink.FRAMES, message.write(encoder.buffer, vlink.HEADER))
    assert encoder.line[:n] == line
    assert encoder.buffer.startswith(plain)
    decoder = vlink.Decoder()
    decoder.feed(line, len(line))
    packet = decoder.packet()
    assert packet
    assert vlink_frames.read_frames(packet[2]).frames == told
    assert len(plain) == vlink.HEADER + len(packet[2]) + vlink.CRC


def fields_of(heading: str) -> list[str]:
    """Tell the widths of the fields that a table lists, in their order."""
    section = PAGE.split(f"### {heading}")[1].split("\n\n|")[1].split("\n\n")[0]
    rows = [row.split("|")[2].strip() for row in ("|" + section).splitlines()[2:]]
    return [width for row in rows for width in row.split(", ")]


WIDTHS = {"u8": 1, "i16": 2, "u16": 2, "u32": 4, "i32": 4, "u64": 8, "text": 1, "8 bytes": 8}


@pytest.mark.parametrize(
    ("heading", "message"),
    [
        ("HELLO, host (41)", vlink_messages.HostHello(1, 2)),
        (
            "HELLO, device (01)",
            vlink_messages.Hello(1, 2, 3, (vlink_messages.Bus(1, 2, 3, 4, ""),), "", "", b"", 4, 5),
        ),
        (
            "STATUS (03)",
            vlink_messages.Status(
                1, (vlink_messages.BusStatus(1, 2, 3, 4, 5, 6, 7, 8, 9),), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
            ),
        ),
        ("EVENT (04)", vlink_messages.Event(1, 2, 3, "")),
    ],
)
def test_tables_are_as_long_as_what_is_written(
    heading: str, message: vlink_messages.HostHello | vlink_messages.Hello
) -> None:
    written = message.write(bytearray(1024), 0)
    assert sum(WIDTHS[width] for width in fields_of(heading)) == written


def test_limits_are_those_of_the_page() -> None:
    assert "at most 1,024 bytes" in PAGE
    assert vlink.LIMIT == 1024
    assert f"delimiter at most {vlink.LINE_LIMIT:,}" in PAGE
    assert f"0 to {vlink.LIMIT - vlink.HEADER - vlink.CRC:,} " in PAGE
