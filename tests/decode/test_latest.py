"""The live path says what the last frame of each kind said, whatever the order and size of batches."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from edge.bus.recording import open_recording
from edge.database.load import load_database, parse_database
from edge.database.model import Database, SignalRef
from edge.decode import seen
from edge.decode.latest import LatestValues
from edge.decode.plan import DecodePlan
from edge.decode.seen import MOST_VALUES
from edge.frames import Frame, FrameBatch, FrameFlag, concatenate

HEAD = 'VERSION ""\nBS_:\nBU_:\n'
TEXT = HEAD + (
    "BO_ 256 Plain: 8 A\n"
    ' SG_ Low : 0|16@1+ (0.1,0) [0|0] "" A\n'
    ' SG_ Alarms : 16|12@1+ (1,0) [0|0] "" A\n'
    "BO_ 257 Pages: 4 A\n"
    ' SG_ Page M : 0|8@1+ (1,0) [0|0] "" A\n'
    ' SG_ One m1 : 8|8@1+ (1,0) [0|0] "" A\n'
    ' SG_ Two m2 : 8|8@1+ (1,0) [0|0] "" A\n'
    ' SG_ Always : 16|8@1+ (1,0) [0|0] "" A\n'
)
PGN_TEXT = HEAD + (
    "BO_ 2364540158 EEC1: 8 A\n"
    ' SG_ Rpm : 24|16@1+ (0.125,0) [0|0] "" A\n'
    'BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","reserved","J1939PG";\n'
    'BA_DEF_DEF_ "VFrameFormat" "J1939PG";\n'
)


def database(text: str) -> Database:
    return parse_database(text.encode(), Path("a.dbc"))


def ref(signal: str) -> SignalRef:
    message, _, name = signal.partition(".")
    return SignalRef("can0", message, name)


def latest(text: str = TEXT, **options: list[SignalRef]) -> LatestValues:
    latched = options.pop("latched", [])
    followed = options.pop("followed", [])
    wanted = options.pop("wanted", None)
    plan = DecodePlan({"can0": [database(text)]}, wanted=wanted)
    return LatestValues(plan, latched=latched, followed=followed)


def batch(*frames: Frame) -> FrameBatch:
    return FrameBatch.from_frames(frames, buses=("can0",))


def plain(t_ns: int, low: int, alarms: int = 0) -> Frame:
    return Frame(t_ns, 256, struct.pack("<HHI", low, alarms, 0))


def page(t_ns: int, number: int, value: int) -> Frame:
    return Frame(t_ns, 257, bytes((number, value, value, 0)))


def test_nothing_is_there_before_the_first_frame() -> None:
    snapshot = latest().snapshot()
    assert dict(snapshot.values) == {}
    assert snapshot.values.get(ref("Plain.Low")) is None
    with pytest.raises(KeyError):
        snapshot.values[ref("Plain.Low")]


def test_the_last_frame_counts_and_older_ones_do_not() -> None:
    held = latest()
    held.update(batch(plain(10, 1), plain(30, 3), plain(20, 2)))
    assert held.snapshot().values[ref("Plain.Low")] == 3 * 0.1
    held.update(batch(plain(29, 9)))
    assert held.snapshot().values[ref("Plain.Low")] == 3 * 0.1
    held.update(batch(plain(30, 4)))
    snapshot = held.snapshot()
    assert snapshot.values[ref("Plain.Low")] == 4 * 0.1
    assert snapshot.t_ns[ref("Plain.Low")] == 30


def test_each_multiplexer_path_has_its_own_last_payload() -> None:
    held = latest()
    held.update(batch(page(1, 1, 11), page(2, 2, 22), page(3, 1, 12), page(4, 9, 99)))
    snapshot = held.snapshot()
    assert snapshot.values[ref("Pages.One")] == 12
    assert snapshot.values[ref("Pages.Two")] == 22
    assert snapshot.values[ref("Pages.Always")] == 99
    assert snapshot.t_ns[ref("Pages.Two")] == 2
    assert held.hop().facts["unknown multiplexer value"] == 1


@pytest.mark.parametrize("wanted", ["Pages.Always", "Plain.Low"])
def test_a_multiplexer_that_selects_nothing_wanted_is_not_looked_at(wanted: str) -> None:
    held = latest(wanted=[ref(wanted)])
    held.update(batch(page(1, 1, 11), plain(2, 4), page(3, 9, 99)))
    found = dict(held.snapshot().values)
    assert found == {"Pages.Always": {ref("Pages.Always"): 99}, "Plain.Low": {ref("Plain.Low"): 0.4}}[wanted]
    hop = held.hop()
    assert hop.facts["unknown multiplexer value"] == 0
    assert (hop.entered, hop.left) == (3, 3)


def test_a_signal_that_is_withheld_keeps_no_bit_and_its_neighbours_keep_theirs() -> None:
    held = latest(latched=[ref("Plain.Alarms")])
    held.update(batch(plain(10, 3, alarms=0xABC)))
    held.restrict({ref("Plain.Alarms")})
    snapshot = held.snapshot()
    assert snapshot.values[ref("Plain.Low")] == 3 * 0.1
    assert not any(snapshot.latched.values())
    assert ref("Plain.Alarms") not in snapshot.values


def test_a_signal_that_is_collected_again_has_no_value_before_its_next_frame() -> None:
    held = latest()
    held.restrict({ref("Plain.Alarms")})
    held.update(batch(plain(10, 3)))
    held.restrict(set())
    assert ref("Plain.Alarms") not in held.snapshot().values
    held.update(batch(plain(20, 4, alarms=5)))
    snapshot = held.snapshot()
    assert snapshot.values[ref("Plain.Alarms")] == 5
    assert snapshot.values[ref("Plain.Low")] == 4 * 0.1


def test_a_path_whose_multiplexer_is_withheld_is_forgotten_and_the_plain_bits_stay() -> None:
    held = latest()
    held.update(batch(page(1, 1, 11), page(2, 2, 22)))
    held.restrict({ref("Pages.Page"), ref("Pages.One"), ref("Pages.Two")})
    values = held.snapshot().values
    assert ref("Pages.One") not in values
    assert ref("Pages.Two") not in values
    assert values[ref("Pages.Always")] == 22


def test_values_gathered_of_a_followed_signal_go_when_it_is_withheld() -> None:
    held = latest(followed=[ref("Plain.Low"), ref("Plain.Alarms")])
    held.update(batch(plain(1, 10, alarms=3)))
    held.restrict({ref("Plain.Alarms")})
    assert set(held.snapshot().seen) == {ref("Plain.Low")}


def test_latched_signals_collect_every_bit_since_the_last_snapshot() -> None:
    held = latest(latched=[ref("Plain.Alarms"), ref("Pages.One")])
    held.update(batch(plain(1, 0, 0b001), plain(2, 0, 0b100), page(3, 1, 0x10), page(4, 2, 0xFF)))
    held.update(batch(plain(3, 0, 0b000), page(5, 1, 0x01)))
    snapshot = held.snapshot()
    assert snapshot.values[ref("Plain.Alarms")] == 0
    assert snapshot.latched == {ref("Plain.Alarms"): 0b101, ref("Pages.One"): 0x11}
    assert held.snapshot().latched == {}


def test_followed_signals_gather_every_value_since_the_last_snapshot() -> None:
    followed = [ref("Plain.Alarms"), ref("Pages.One")]
    held = latest(followed=followed)
    held.update(batch(plain(1, 0, 3), plain(2, 0, 5), page(3, 1, 10), page(4, 2, 99), plain(5, 0)))
    held.update(batch(plain(6, 0, 3), page(7, 1, 11), Frame(8, 256, b"\x01\x02")))
    snapshot = held.snapshot()
    assert snapshot.seen == {followed[0]: {0, 3, 5}, followed[1]: {10, 11}}
    assert held.snapshot().seen == {}


def test_a_followed_signal_that_measures_keeps_its_greatest_values_only() -> None:
    held = latest(followed=[ref("Plain.Low")])
    held.update(batch(*(plain(place, place % 1000) for place in range(2000))))
    found = held.snapshot().seen[ref("Plain.Low")]
    assert len(found) == MOST_VALUES
    assert max(found) == 999 * 0.1


def test_what_followed_signals_said_before_is_no_other_payloads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "REMEMBERED_MOST", 5)
    followed = [ref("Plain.Low"), ref("Plain.Alarms"), ref("Pages.Two")]
    chance, held = random.Random(1), latest(followed=followed)  # noqa: S311 - test data
    for turn in range(30):
        count = chance.randrange(1, 6)
        rows = list(
            zip(chance.choices((0, 1, 0x8000), k=count), chance.choices((0, 1, 0x800), k=count), strict=True)
        )
        frames = [plain(1000 * turn + place, *row) for place, row in enumerate(rows)]
        if turn % 3 == 0:
            # Payloads that are too short for a signal say nothing of it, and those that are wide the same.
            frames += [Frame(1000 * turn + 8, 256, b"\x01\x00"), page(1000 * turn + 9, 2, turn)]
        taken = batch(*frames)
        held.update(taken.widened(64) if turn % 5 == 0 else taken)
        found = held.snapshot().seen
        extra = {1} if turn % 3 == 0 else set()
        assert found[followed[0]] == {low * 0.1 for low in {low for low, _ in rows} | extra}
        assert found[followed[1]] == {alarms for _, alarms in rows}
        assert found.get(followed[2], set()) == ({turn} if turn % 3 == 0 else set())


def test_the_account_balances_and_names_causes() -> None:
    held = latest()
    frames = [
        plain(1, 1),
        Frame(1, 256, b"\x01"),
        Frame(1, 256, b"\x01\x02"),
        Frame(1, 999, b""),
        Frame(1, 256, bytes(8), flags=FrameFlag.REMOTE),
    ]
    held.update(batch(*frames))
    hop = held.hop()
    assert (hop.entered, hop.left) == (5, 2)
    assert dict(hop.set_aside) == {"no database entry": 1, "error or remote frame": 1, "too short": 1}
    assert hop.facts["short, some signals missing"] == 1
    assert hop.balanced


def test_a_short_last_frame_makes_what_it_lacks_absent() -> None:
    held = latest()
    held.update(batch(plain(1, 5, 7), Frame(2, 256, b"\x06\x00")))
    snapshot = held.snapshot()
    assert snapshot.values[ref("Plain.Low")] == 6 * 0.1
    assert ref("Plain.Alarms") not in snapshot.values


def test_j1939_keeps_sources_apart_and_gives_the_newest() -> None:
    held = latest(PGN_TEXT)
    for t_ns, source, raw in ((1, 0x00, 800), (3, 0x21, 1600), (2, 0x00, 808)):
        data = struct.pack("<xxxHxxx", raw)
        held.update(batch(Frame(t_ns, 0x0CF00400 | source, data, flags=FrameFlag.EXTENDED)))
    snapshot = held.snapshot()
    assert snapshot.values[ref("EEC1.Rpm")] == 200.0
    assert snapshot.sources[ref("EEC1.Rpm")] == {0x00: (101.0, 2), 0x21: (200.0, 3)}


def test_wide_payloads_beside_narrow_ones() -> None:
    text = TEXT + (
        'BO_ 300 Wide: 64 A\n SG_ Far : 500|12@1+ (1,0) [0|0] "" A\n SG_ Across : 61|64@1- (1,0) [0|0] "" A\n'
    )
    held = latest(text)
    payload = bytes(range(64))
    raw = int.from_bytes(payload, "little")
    held.update(batch(plain(1, 7)))
    held.update(batch(Frame(2, 300, payload, flags=FrameFlag.FD), plain(2, 8)))
    values = held.snapshot().values
    assert values[ref("Wide.Far")] == raw >> 500
    assert values[ref("Wide.Across")] == raw >> 61 & (1 << 64) - 1
    assert values[ref("Plain.Low")] == 8 * 0.1


@pytest.mark.parametrize("seed", range(3))
def test_the_last_frame_before_each_second_of_the_real_vehicle(shared_data: Path, seed: int) -> None:
    loaded = load_database(shared_data / "kona-ev/pcan.dbc")
    with open_recording(next((shared_data / "kona-ev").glob("230112-7-*.csv"))) as source:
        whole = concatenate(list(iter(lambda: source.read(0.0), None)))
    codecs = {message.arbitration_id: message.codec for message in loaded.messages}
    names = {message.arbitration_id: message.name for message in loaded.messages}
    held = LatestValues(DecodePlan({bus: [loaded] for bus in whole.buses}))
    dice = random.Random(seed)  # noqa: S311 - to be repeated, not secret
    newest: dict[tuple[str, int], Frame] = {}
    begin = 0
    compared = 0
    while begin < len(whole):
        end = begin + dice.randint(1, 9000)
        held.update(whole.take(slice(begin, end)))
        for place in range(begin, min(end, len(whole))):
            frame = whole.frame(place)
            key = frame.bus, frame.arbitration_id
            if key not in newest or frame.t_ns >= newest[key].t_ns:
                newest[key] = frame
        begin = end
        snapshot = held.snapshot()
        for (bus, identifier), frame in newest.items():
            if identifier not in codecs:
                continue
            theirs = codecs[identifier].decode(frame.data, decode_choices=False, allow_truncated=True)
            assert isinstance(theirs, dict)
            for name, value in theirs.items():
                where = SignalRef(bus, names[identifier], name)
                assert snapshot.values[where] == value
                assert snapshot.t_ns[where] == frame.t_ns
                compared += 1
    assert compared > 3_000
    assert held.hop().balanced
