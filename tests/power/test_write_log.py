"""The log of a virtual machine's disk is read as its format says, and replayed with its claims."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from edge.errors import WireError
from tests.power.claims import Claim
from tests.power.platter import Platter
from tests.power.vm.guest import MARKER
from tests.power.vm.machine import FILE_SYSTEM_BYTES
from tests.power.vm.replay import claim_of, flushed_claims, take
from tests.power.vm.write_log import MAGIC, LogFlag, LoggedWrite, read_write_log
from tests.vm.kernel import archive_member

SECTOR = 512


def log_of(*entries: tuple[int, bytes, int], count: int | None = None) -> bytes:
    """Write a log as the driver does."""
    text = struct.pack("<QQQI", MAGIC, 1, len(entries) if count is None else count, SECTOR).ljust(
        SECTOR, b"\0"
    )
    for sector, data, flags in entries:
        text += struct.pack("<QQQQ", sector, len(data) // SECTOR, flags, 0).ljust(SECTOR, b"\0") + data
    return text


def test_writes_and_flushes_are_read_in_order(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(log_of((8, b"a" * SECTOR, 0), (0, b"", 1), (16, b"b" * 2 * SECTOR, 2)))
    assert list(read_write_log(log)) == [
        LoggedWrite(8 * SECTOR, b"a" * SECTOR, LogFlag(0), SECTOR),
        LoggedWrite(0, b"", LogFlag.FLUSH, 0),
        LoggedWrite(16 * SECTOR, b"b" * 2 * SECTOR, LogFlag.FUA, 2 * SECTOR),
    ]


def test_what_lies_beyond_the_counted_entries_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(log_of((8, b"a" * SECTOR, 0), (9, b"b" * SECTOR, 0), count=1))
    assert [entry.offset for entry in read_write_log(log)] == [8 * SECTOR]


@pytest.mark.parametrize("content", [b"", b"x" * 600])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    log = tmp_path / "log"
    log.write_bytes(content)
    with pytest.raises(WireError, match="write log"):
        list(read_write_log(log))


def test_a_flush_makes_what_came_before_durable_and_a_pretended_one_does_not() -> None:
    flush = LoggedWrite(0, b"", LogFlag.FLUSH, 0)
    honest, lying = Platter(bytes(4)), Platter(bytes(4))
    for entry in (LoggedWrite(0, b"one", LogFlag(0), 3), flush, LoggedWrite(0, b"two", LogFlag(0), 3)):
        take(honest, entry)
        take(lying, entry, flushes=False)
    assert (bytes(honest.durable), bytes(lying.durable)) == (b"one\0", bytes(4))
    assert (len(honest.pending), len(lying.pending)) == (1, 2)


def test_claims_lie_behind_the_file_system_and_are_no_part_of_it() -> None:
    text = MARKER + b'["block", 3, "ab"]' + bytes(40)
    claim = LoggedWrite(FILE_SYSTEM_BYTES, text, LogFlag(0), len(text))
    assert claim_of(claim) == Claim("block", 3, "ab")
    assert claim_of(LoggedWrite(0, text, LogFlag(0), len(text))) is None
    platter = Platter()
    take(platter, claim)
    assert platter.pending == []


def test_only_claims_with_a_flush_of_their_own_can_show_that_it_was_missing() -> None:
    claim = LoggedWrite(FILE_SYSTEM_BYTES, MARKER + b'["block", 1, ""]', LogFlag(0), 0)
    flush = LoggedWrite(0, b"", LogFlag.FLUSH, 0)
    assert flushed_claims([claim, flush, claim, claim, flush, claim]) == [2, 5]


def test_the_first_file_system_has_aligned_members() -> None:
    archive = bytearray()
    archive_member(archive, 1, "init", 0o100755, b"#!/bin/sh\n")
    archive_member(archive, 0, "TRAILER!!!", 0, b"")
    assert len(archive) % 4 == 0
    assert archive.startswith(b"070701")
    assert archive.count(b"070701") == 2
