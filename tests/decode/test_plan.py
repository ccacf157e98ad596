"""The plan matches frames to messages, keeps what can be kept, and counts the rest."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from edge.database.load import load_database, parse_database
from edge.database.model import Database, SignalRef
from edge.decode.plan import Decoded, DecodePlan
from edge.frames import Frame, FrameBatch, FrameFlag, concatenate

HEAD = 'VERSION ""\nBS_:\nBU_:\n'
J1939 = (
    'BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","reserved","J1939PG";\n'
    'BA_DEF_DEF_ "VFrameFormat" "J1939PG";\n'
)
PLAIN = HEAD + (
    "BO_ 256 Plain: 8 A\n"
    ' SG_ Low : 0|16@1+ (1,0) [0|0] "" A\n'
    ' SG_ High : 55|16@0- (0.5,0) [0|0] "" A\n'
    "BO_ 257 Pages: 4 A\n"
    ' SG_ Page M : 0|8@1+ (1,0) [0|0] "" A\n'
    ' SG_ One m1 : 8|8@1+ (1,0) [0|0] "" A\n'
    ' SG_ Two m2 : 8|8@1+ (1,0) [0|0] "" A\n'
    ' SG_ Always : 16|8@1+ (1,0) [0|0] "" A\n'
    "BO_ 258 Empty: 8 A\n"
)


def database(text: str, name: str = "a.dbc") -> Database:
    return parse_database(text.encode(), Path(name))


def ref(signal: str, bus: str = "can0") -> SignalRef:
    message, _, name = signal.partition(".")
    return SignalRef(bus, message, name)


def values(decoded: Decoded, signal: str, bus: str = "can0") -> dict[int, int | float]:
    column = decoded.columns[ref(signal, bus)]
    return dict(zip(column.rows.tolist(), column.values.tolist(), strict=True))


def decode(text: str, frames: list[Frame]) -> Decoded:
    return DecodePlan({"can0": [database(text)]}).decode(FrameBatch.from_frames(frames, buses=("can0",)))


def test_rows_point_into_the_batch_in_order() -> None:
    frames = [Frame(9, 256, struct.pack("<H", n) + bytes(6)) for n in range(3)]
    frames.insert(1, Frame(9, 300, b"x"))
    decoded = decode(PLAIN, frames)
    assert values(decoded, "Plain.Low") == {0: 0, 2: 1, 3: 2}
    assert decoded.columns[ref("Plain.Low")].rows.dtype == np.int64
    assert (decoded.frames_decoded, decoded.frames_unknown) == (3, 1)


def test_unknown_multiplexer_values_keep_the_other_signals() -> None:
    decoded = decode(PLAIN, [Frame(0, 257, bytes((page, 10 + page, 7, 0))) for page in (1, 2, 3)])
    assert values(decoded, "Pages.One") == {0: 11}
    assert values(decoded, "Pages.Two") == {1: 12}
    assert values(decoded, "Pages.Always") == {0: 7, 1: 7, 2: 7}
    assert decoded.frames_unknown_multiplexer == 1
    assert decoded.frames_decoded == 3


def test_short_frames_keep_whole_signals() -> None:
    decoded = decode(PLAIN, [Frame(0, 256, b"\x01\x02\x03"), Frame(0, 256, b"\x01"), Frame(0, 256, bytes(8))])
    assert values(decoded, "Plain.Low") == {0: 0x201, 2: 0}
    assert values(decoded, "Plain.High") == {2: 0.0}
    assert (decoded.frames_short, decoded.frames_too_short, decoded.frames_decoded) == (1, 1, 2)


def test_messages_without_signals_count_as_decoded() -> None:
    assert decode(PLAIN, [Frame(0, 258, b"")]).frames_decoded == 1


def test_error_remote_and_extended_frames_are_no_data_of_a_standard_id() -> None:
    kinds = (FrameFlag.ERROR, FrameFlag.REMOTE, FrameFlag.EXTENDED)
    decoded = decode(PLAIN, [Frame(0, 256, bytes(8), flags=kind) for kind in kinds])
    assert (decoded.frames_not_data, decoded.frames_unknown, decoded.frames_decoded) == (2, 1, 0)


def test_a_standard_id_out_of_range_is_unknown() -> None:
    frames = [Frame(0, 256 + 2049, bytes(8)), Frame(0, 256, bytes(8))]
    assert decode(PLAIN, frames).frames_unknown == 1


def test_buses_are_kept_apart_and_found_by_name() -> None:
    plan = DecodePlan({"a": [database(PLAIN)], "b": [database(PLAIN)]})
    frames = [Frame(0, 256, bytes([n]) + bytes(7), bus) for n, bus in enumerate(("b", "a", "c"))]
    decoded = plan.decode(FrameBatch.from_frames(frames))
    assert values(decoded, "Plain.Low", "b") == {0: 0}
    assert values(decoded, "Plain.Low", "a") == {1: 1}
    assert decoded.frames_unknown == 1


def test_wanted_and_withheld() -> None:
    plan = DecodePlan(
        {"can0": [database(PLAIN)]},
        wanted=[ref("Plain.Low"), ref("Pages.One")],
        withheld=[ref("Plain.Low"), ref("Plain.High"), ref("Nix.Nix")],
    )
    decoded = plan.decode(
        FrameBatch.from_frames([Frame(0, 256, bytes(8)), Frame(0, 257, bytes((1, 5, 0, 0)))])
    )
    assert list(decoded.columns) == [ref("Pages.One")]
    assert decoded.withheld == {ref("Plain.Low"), ref("Plain.High")}


def test_j1939_matches_by_pgn() -> None:
    text = HEAD + 'BO_ 2364540158 EEC1: 8 A\n SG_ Rpm : 24|16@1+ (0.125,0) [0|0] "" A\n' + J1939
    frames = [
        Frame(0, identifier, struct.pack("<xxxHxxx", 800 + n), flags=FrameFlag.EXTENDED)
        for n, identifier in enumerate((0x0CF00400, 0x18F00421, 0x0CF00500, 0x0CF004FE))
    ]
    decoded = decode(text, frames)
    assert values(decoded, "EEC1.Rpm") == {0: 100.0, 1: 100.125, 3: 100.375}
    assert decoded.frames_unknown == 1


def test_of_messages_that_share_a_pgn_the_one_of_the_source_is_taken() -> None:
    signal = ' SG_ V : 0|8@1+ (1,0) [0|0] "" A\n'
    ids = {name: 0x98FEF100 | source for name, source in (("Front", 0x21), ("Rear", 0x22))}
    text = HEAD + "".join(f"BO_ {ids[name]} {name}: 8 A\n{signal}" for name in ids) + J1939
    frames = [
        Frame(0, 0x18FEF100 | source, bytes([source] * 8), flags=FrameFlag.EXTENDED)
        for source in (0x21, 0x22, 0x30)
    ]
    decoded = decode(text, frames)
    assert values(decoded, "Front.V") == {0: 0x21, 2: 0x30}
    assert values(decoded, "Rear.V") == {1: 0x22, 2: 0x30}


def test_reassembled_messages_decode_against_their_pgn() -> None:
    text = HEAD + 'BO_ 2566834942 DM: 20 A\n SG_ Far : 140|13@1+ (1,0) [0|0] "" A\n' + J1939
    payload = (0x1ABC << 140).to_bytes(1785, "little")
    flags = FrameFlag.EXTENDED | FrameFlag.REASSEMBLED
    decoded = decode(text, [Frame(0, 0x18FECA00, payload, flags=flags), Frame(0, 5, b"")])
    assert values(decoded, "DM.Far") == {0: 0x1ABC}


def test_signals_that_touch_nine_bytes_or_more() -> None:
    text = HEAD + (
        "BO_ 256 Long: 24 A\n"
        ' SG_ Intel : 5|64@1- (1,0) [0|0] "" A\n'
        ' SG_ Motorola : 82|63@0+ (1,0) [0|0] "" A\n'
        ' SG_ Huge : 1|129@1+ (1,0) [0|0] "" A\n'
    )
    payload = bytes(range(100, 124))
    message = database(text).by_name["Long"]
    expected = {}
    for signal in message.signals:
        raw = sum((payload[bit // 8] >> bit % 8 & 1) << n for n, bit in enumerate(signal.bits))
        expected[signal.name] = raw - (1 << 64) if signal.signed and raw >> 63 else raw
    decoded = decode(text, [Frame(0, 256, payload, flags=FrameFlag.FD)])
    assert {name: values(decoded, f"Long.{name}")[0] for name in expected} == expected


def test_an_earlier_database_of_the_bus_wins_a_message_name() -> None:
    other = HEAD + 'BO_ 300 Plain: 8 A\n SG_ Low : 8|8@1+ (1,0) [0|0] "" A\n'
    plan = DecodePlan({"can0": [database(PLAIN), database(other, "b.dbc")]})
    assert plan.shadowed == [("can0", "Plain")]
    assert plan.decode(FrameBatch.from_frames([Frame(0, 300, bytes(8))])).frames_unknown == 1


def test_an_id_described_twice_is_decoded_as_both() -> None:
    other = HEAD + 'BO_ 256 Other: 8 A\n SG_ Byte : 0|8@1+ (1,0) [0|0] "" A\n'
    plan = DecodePlan({"can0": [database(PLAIN), database(other, "b.dbc")]})
    decoded = plan.decode(FrameBatch.from_frames([Frame(0, 256, b"\x07" + bytes(7))]))
    assert values(decoded, "Other.Byte") == {0: 7}
    assert values(decoded, "Plain.Low") == {0: 7}
    assert decoded.frames_decoded == 1


def test_an_empty_batch_and_an_empty_plan() -> None:
    assert decode(PLAIN, []).frames == 0
    decoded = DecodePlan({}).decode(FrameBatch.from_frames([Frame(0, 1, b"")]))
    assert decoded.frames_unknown == 1


def test_containers_are_taken_apart(shared_data: Path) -> None:
    loaded = load_database(shared_data / "databases/cantools/arxml/system-4.2.arxml")
    container = next(message for message in loaded.messages if message.contained)
    inner = container.contained[0]
    assert inner.header_id is not None
    content = bytes(range(1, inner.length + 1))
    frame = inner.header_id.to_bytes(3, "big") + bytes([len(content)]) + content
    flags = FrameFlag.EXTENDED if container.extended else FrameFlag(0)
    decoded = DecodePlan({"can0": [loaded]}).decode(
        FrameBatch.from_frames([Frame(0, container.arbitration_id, frame, flags=flags | FrameFlag.FD)])
    )
    theirs = inner.codec.decode(content, decode_choices=False)
    assert isinstance(theirs, dict)
    assert {name: values(decoded, f"{inner.name}.{name}")[0] for name in theirs} == theirs


@pytest.mark.parametrize(
    ("name", "decoded", "unknown_multiplexer"), [("gnss", 56_707, 0), ("obd", 7_651, 550)]
)
def test_the_real_drive(shared_data: Path, name: str, decoded: int, unknown_multiplexer: int) -> None:
    from edge.bus.recording import open_recording  # noqa: PLC0415 - needs the extra that reads MF4

    pytest.importorskip("asammdf")
    folder = shared_data / "css-drive"
    file = {"gnss": "canedge-internal-can9.dbc", "obd": "OBD-v4.4.dbc"}[name]
    loaded = load_database(folder / file)
    plan: DecodePlan | None = None
    counted = [0, 0, 0]
    with open_recording(next(folder.glob("gnss-*.MF4"))) as source:
        while (batch := source.read(0.0)) is not None:
            plan = plan or DecodePlan({bus: [loaded] for bus in batch.buses})
            found = plan.decode(batch)
            counted[0] += found.frames
            counted[1] += found.frames_decoded
            counted[2] += found.frames_unknown_multiplexer
    assert counted == [72_009, decoded, unknown_multiplexer]


def test_the_real_electric_vehicle(shared_data: Path) -> None:
    from edge.bus.recording import open_recording  # noqa: PLC0415 - beside its twin

    loaded = load_database(shared_data / "kona-ev/pcan.dbc")
    with open_recording(next((shared_data / "kona-ev").glob("230112-7-*.csv"))) as source:
        batch = concatenate(list(iter(lambda: source.read(0.0), None)))
    found = DecodePlan({bus: [loaded] for bus in batch.buses}).decode(batch)
    assert (found.frames, found.frames_decoded, found.frames_too_short) == (39_546, 29_586, 0)
