"""The flash ring: what was committed outlives a power cut at any byte, what was given up is counted."""

from __future__ import annotations

import functools
import os
import random
import re
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.telemetry import flash_ring
from firmware.telemetry.flash_ring import FlashRing
from firmware.telemetry.ring_format import LOSSES, joined
from tests.firmware.micropython import run

VEHICLE, KEY = b"vehicle1", b"thekeyid"
PROGRAM = Path(__file__).parent / "programs" / "telemetry_ring_on_board.py"


def seeded(seed: int = 1) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes  # noqa: S311 - to be repeated


def ring(folder: Path, *, segments: int = 4, seed: int = 1, key: bytes = KEY) -> FlashRing:
    return FlashRing(str(folder), VEHICLE, key, seeded(seed), 2048, segments)


@functools.cache
def message(number: int, size: int = 150) -> bytes:
    return random.Random(number).randbytes(size)  # noqa: S311 - to be repeated


def fill(held: FlashRing, count: int, size: int = 150) -> None:
    for _ in range(count):
        held.append(message(held.next_number, size))


def contents(held: FlashRing) -> dict[int, bytes]:
    out = bytearray(2048)
    found = {}
    for number in range(held.first, held.next_number):
        length = held.read(number, out)
        if length:
            found[number] = bytes(out[:length])
    return found


def newest(folder: Path) -> Path:
    return max(folder.glob("*.seg"))


def test_a_ring_that_is_opened_again_goes_on_where_it_was(tmp_path: Path) -> None:
    held = ring(tmp_path)
    fill(held, 30)
    again = ring(tmp_path, seed=2)
    assert (again.stream, again.last, again.predecessor) == (held.stream, 30, None)
    assert contents(again) == {number: message(number) for number in range(1, 31)}
    fill(again, 1)
    assert ring(tmp_path).last == 31


def test_a_cut_at_any_byte_of_a_write_leaves_what_was_committed(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    fill(ring(before), 14)
    shutil.copytree(before, after)
    fill(ring(after), 1)
    whole = newest(after).read_bytes()
    start = newest(before).stat().st_size
    assert newest(after).name == newest(before).name
    out = bytearray(2048)
    for end in range(start, len(whole)):
        newest(after).write_bytes(whole[:end])
        held = ring(after)
        assert (held.last, held.losses) == (14, []), end
        fill(held, 1)
        again = ring(after)
        for number in (1, 14, 15):
            assert again.read(number, out) == 150, end
            assert out[:150] == message(number), end


def test_a_damaged_byte_anywhere_costs_numbers_but_never_gives_one_twice(tmp_path: Path) -> None:
    good = tmp_path / "good"
    held = ring(good)
    fill(held, 14)
    whole = newest(good).read_bytes()
    for place in range(0, len(whole), 3):
        folder = tmp_path / f"at-{place}"
        shutil.copytree(good, folder)
        changed = bytearray(whole)
        changed[place] ^= 0x41
        newest(folder).write_bytes(changed)
        again = ring(folder, seed=9)
        kept = contents(again)
        assert all(kept[number] == message(number) for number in kept)
        if again.stream == held.stream:
            assert again.next_number > 14, place
            named = {number for first, last in again.losses for number in range(first, last + 1)}
            assert set(range(1, 15)) <= set(kept) | named, place
        shutil.rmtree(folder)


def test_what_a_full_ring_gives_up_is_counted_as_one_range(tmp_path: Path) -> None:
    held = ring(tmp_path)
    fill(held, 100)
    assert held.losses == [(1, held.first - 1)]
    assert held.given_up == held.first - 1
    assert len(list(tmp_path.glob("*.seg"))) == 4
    again = ring(tmp_path)
    assert (again.losses, again.last) == (held.losses, 100)
    again.settle(held.first - 1, (), held.first - 1)
    assert again.losses == []


def test_a_cut_between_the_new_head_and_the_end_of_the_oldest_counts_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = ring(tmp_path)
    monkeypatch.setattr(held, "_remove", lambda _: None)
    while not held.losses:
        fill(held, 1)
    (lost,) = held.losses
    again = ring(tmp_path)
    assert again.losses == [lost]
    assert again.first == lost[1] + 1


def test_acknowledged_messages_make_room_and_are_no_loss(tmp_path: Path) -> None:
    held = ring(tmp_path)
    for _ in range(30):
        fill(held, 5)
        held.settle(held.last, (), held.last)
    assert (held.losses, held.given_up, held.last) == ([], 0, 150)
    assert len(list(tmp_path.glob("*.seg"))) <= 2
    assert ring(tmp_path).last == 150


def test_what_is_missing_and_held_no_longer_is_named(tmp_path: Path) -> None:
    held = ring(tmp_path)
    fill(held, 40)
    held.settle(40, (), 40)
    first = held.first
    held.settle(2, ((3, 20),), 40)
    assert held.losses == [(3, min(20, first - 1))]
    assert held.wanted(0) == (first if first <= 20 else 0)


def test_what_is_missing_is_named_also_where_nothing_is_held(tmp_path: Path) -> None:
    held = ring(tmp_path)
    fill(held, 5)
    held._roll()
    held.settle(5, (), 5)
    assert contents(held) == {}
    held.settle(0, ((1, 3),), 5)
    assert held.losses == [(1, 3)]


def test_numbers_that_the_platform_knows_are_not_given_again(tmp_path: Path) -> None:
    held = ring(tmp_path)
    fill(held, 5)
    held.settle(9, (), 9)
    fill(held, 1)
    assert held.last == 10
    assert contents(ring(tmp_path))[10] == message(10)


def test_another_key_is_another_stream_that_names_the_one_before(tmp_path: Path) -> None:
    held = ring(tmp_path)
    fill(held, 20)
    other = ring(tmp_path, key=b"otherkey", seed=5)
    assert other.stream != held.stream
    assert (other.predecessor, other.last, contents(other)) == (held.stream, 0, {})
    again = ring(tmp_path, key=b"otherkey", seed=6)
    assert (again.stream, again.predecessor) == (other.stream, held.stream)
    moved = FlashRing(str(tmp_path), b"another!", KEY, seeded(7), 2048, 4)
    assert moved.predecessor is None


def test_a_message_that_does_not_fit_is_refused_and_takes_no_number(tmp_path: Path) -> None:
    held = ring(tmp_path)
    for size in (3000, 31):
        with pytest.raises(ValueError, match=r"segment|short"):
            held.append(bytes(size))
    assert held.next_number == 1


def test_a_write_that_fails_takes_no_number_and_spoils_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = ring(tmp_path)
    fill(held, 3)
    whole = held._write

    def half(path: str, mode: str, octets: bytes) -> None:
        whole(path, mode, octets[:20])
        raise OSError(28, "no space")

    monkeypatch.setattr(held, "_write", half)
    with pytest.raises(OSError, match="no space"):
        held.append(message(4))
    monkeypatch.setattr(held, "_write", whole)
    fill(held, 2)
    assert contents(ring(tmp_path)) == {number: message(number) for number in range(1, 6)}


def test_a_full_file_system_costs_the_oldest_and_not_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = ring(tmp_path, segments=16)
    whole = held._write

    def within_quota(path: str, mode: str, octets: bytes) -> None:
        used = sum(each.stat().st_size for each in tmp_path.iterdir())
        if used + len(octets) > 7_000:
            whole(path, mode, octets[: max(0, 7_000 - used)])
            raise OSError(28, "no space")
        whole(path, mode, octets)

    monkeypatch.setattr(held, "_write", within_quota)
    refused = 0
    for _ in range(100):
        try:
            held.append(message(held.next_number))
        except OSError:
            refused += 1
    assert held.last + refused == 100
    assert refused < 20
    again = ring(tmp_path, segments=16)
    assert again.last == held.last
    assert again.losses == held.losses == [(1, again.first - 1)]
    assert contents(again) == {number: message(number) for number in range(again.first, again.last + 1)}


def test_smaller_segments_after_larger_ones_cost_nothing(tmp_path: Path) -> None:
    held = FlashRing(str(tmp_path), VEHICLE, KEY, seeded(), 8192, 4)
    fill(held, 40)
    again = ring(tmp_path)
    assert (again.last, again.losses) == (40, [])
    fill(again, 1)
    assert contents(ring(tmp_path)) == {number: message(number) for number in range(1, 42)}


def test_a_newest_segment_that_cannot_be_read_gives_no_number_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = ring(tmp_path)
    fill(held, 25)
    bad = str(newest(tmp_path))
    whole = FlashRing._load

    def load(self: FlashRing, path: str) -> int:
        if path == bad:
            raise OSError(5, "the flash cannot be read")
        return int(whole(self, path))

    monkeypatch.setattr(FlashRing, "_load", load)
    again = ring(tmp_path, seed=2)
    assert again.stream == held.stream
    assert again.last >= 25
    ((first, last),) = again.losses
    assert first <= 25 <= last
    fill(again, 1)
    assert again.last == last + 1


def test_a_number_whose_write_had_gone_well_after_all_is_the_later_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = ring(tmp_path)
    fill(held, 3)
    whole = held._write

    def late(path: str, mode: str, octets: bytes) -> None:
        whole(path, mode, octets)
        raise MemoryError

    monkeypatch.setattr(held, "_write", late)
    with pytest.raises(MemoryError):
        held.append(message(99))
    monkeypatch.setattr(held, "_write", whole)
    fill(held, 2)
    assert (held.last, held.losses) == (5, [])
    for each in (held, ring(tmp_path)):
        assert contents(each) == {number: message(number) for number in range(1, 6)}


def test_a_flash_that_takes_no_change_gives_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = ring(tmp_path)
    fill(held, 38)
    kept = contents(held)

    def refuse(*_: object) -> None:
        raise OSError(30, "read-only")

    for name in ("open", "remove", "rename"):
        target = os if name != "open" else flash_ring
        monkeypatch.setattr(target, name, _read_only(name, refuse), raising=False)
    for again in (held, ring(tmp_path)):
        for _ in range(20):
            with pytest.raises(OSError, match=r"read-only|room"):
                again.append(message(1))
        assert (contents(again), again.last, again.losses) == (kept, 38, held.losses)


def _read_only(name: str, refuse: Callable[..., None]) -> Callable[..., object]:
    if name != "open":
        return refuse
    return lambda path, mode: open(path, mode) if mode == "rb" else refuse()  # noqa: PTH123 - as the board does


def test_room_that_never_comes_costs_the_oldest_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = ring(tmp_path)
    fill(held, 38)
    whole, kept = held._write, len(contents(held))

    def full(*_: object) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr(held, "_write", full)
    for _ in range(20):
        with pytest.raises(OSError, match=r"space|room"):
            held.append(message(1))
    assert len(contents(held)) + held.given_up == kept + held.losses[0][0] - 1
    assert len(list(tmp_path.glob("*.seg"))) == 3
    monkeypatch.setattr(held, "_write", whole)
    fill(held, 1)
    assert ring(tmp_path).last == 39


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(0, 9)), min_size=1, max_size=80))
@settings(max_examples=40, deadline=None)
def test_joined_ranges_rise_apart_are_bounded_and_name_nothing_else(pairs: list[tuple[int, int]]) -> None:
    ranges: list[tuple[int, int]] = []
    for first, more in pairs:
        ranges = joined(ranges, first, first + more)
    assert len(ranges) <= LOSSES
    assert all(one[1] + 1 < other[0] for one, other in pairwise(ranges))
    named = {number for first, last in ranges for number in range(first, last + 1)}
    lost = {number for first, more in pairs for number in range(first, first + more + 1)}
    assert named <= lost
    if len(ranges) < LOSSES:
        assert named == lost


def test_numbers_that_were_skipped_are_lost_and_not_given_again(tmp_path: Path) -> None:
    held = ring(tmp_path, segments=200)
    for _ in range(60):
        held.skip(2)
        fill(held, 1)
    assert held.losses == [(3 * place + 1, 3 * place + 2) for place in range(LOSSES)]
    again = ring(tmp_path, segments=200)
    assert again.last == 180
    assert set(contents(again)) == set(range(3, 181, 3))
    # What a receipt still calls missing is named then.
    settled = 3 * LOSSES
    again.settle(settled, tuple((number, number + 1) for number in range(settled + 1, 180, 3)), 180)
    assert again.losses == [(number, number + 1) for number in range(settled + 1, 180, 3)]
    assert (again.wanted(0), again.waiting) == (0, 0)


def test_on_littlefs_every_cut_leaves_what_was_committed() -> None:
    """Every eleventh cut and all within two new segments; with NEVGATE_FIRMWARE_LONG each one."""
    step = "1" if os.environ.get("NEVGATE_FIRMWARE_LONG") else "11"
    said = run(PROGRAM, step, timeout_s=120).stdout
    # Nothing else is said: a file that a collection of garbage closes in vain would be.
    assert re.fullmatch(rb"\d+ cuts of \d+, held", said), said
