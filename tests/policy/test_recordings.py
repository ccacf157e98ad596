"""The door on real recordings: every allowed value as it was, every other bit gone, no VIN among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from edge.bus.recording import open_recording
from edge.database.layout import pgn_of
from edge.database.load import load_database
from edge.database.model import Message, SignalRef
from edge.frames import FrameBatch, FrameFlag, concatenate
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.classfile import load_classes
from edge.policy.door import Door
from tests.policy.drawn import present, raw

COLLECT = frozenset({DataClass.OPERATION, DataClass.HEALTH})
CLASS_FILES = Path(__file__).parents[2] / "dbc"


def recorded(folder: Path, pattern: str) -> FrameBatch:
    batches = []
    with open_recording(next(folder.glob(pattern))) as source:
        while (batch := source.read(1.0)) is not None:
            batches.append(batch)
    return concatenate(batches)


def classed(name: str, database: Path) -> ClassedDatabase:
    return load_classes(CLASS_FILES / f"{name}.classes.toml", load_database(database))


def is_of(message: Message, arbitration_id: int, *, extended: bool) -> bool:
    if message.extended != extended:
        return False
    return message.pgn == pgn_of(arbitration_id) if message.pgn else message.arbitration_id == arbitration_id


def check_payloads(
    before: FrameBatch, after: FrameBatch, door: Door, buses: Mapping[str, Sequence[ClassedDatabase]]
) -> int:
    """Compare each distinct payload once; return how many values were compared.

    Frames are found again by their time and id, which the door does not touch.
    """
    left = {
        (single.t_ns, single.bus, single.arbitration_id): single
        for single in (after.frame(place) for place in range(len(after)))
    }
    seen: set[tuple[str, int, bytes]] = set()
    compared = 0
    for single in (before.frame(place) for place in range(len(before))):
        if (single.bus, single.arbitration_id, single.data) in seen:
            continue
        seen.add((single.bus, single.arbitration_id, single.data))
        out = left.get((single.t_ns, single.bus, single.arbitration_id))
        was = int.from_bytes(single.data, "little")
        now = 0 if out is None else int.from_bytes(out.data, "little")
        length = len(single.data)
        extended = FrameFlag.EXTENDED in single.flags
        passing: set[int] = set()
        for database in buses[single.bus]:
            for message in database.database.messages:
                if not is_of(message, single.arbitration_id, extended=extended):
                    continue
                for signal in message.signals:
                    if not door.collected(SignalRef(single.bus, message.name, signal.name)):
                        continue
                    if out is not None and present(was, length, message, signal):
                        assert raw(now, signal) == raw(was, signal)
                        passing.update(signal.bits)
                        compared += 1
                    elif out is None:
                        # Nothing else costs a frame its collected signals.
                        assert single.data[0] >> 4, single
        assert {bit for bit in range(8 * length) if now >> bit & 1} <= passing
    return compared


def test_kona_keeps_the_powertrain_and_nothing_of_the_cabin(shared_data: Path) -> None:
    folder = shared_data / "kona-ev"
    buses = {
        "0": [classed("kona-pcan", folder / "pcan.dbc")],
        "1": [classed("kona-pcan", folder / "pcan.dbc"), classed("kona-ccan", folder / "ccan.dbc")],
    }
    batch = recorded(folder, "230112-7-*.csv")
    door = Door(buses, COLLECT)
    out = door.admit(batch)
    assert door.hop().balanced
    assert door.hop().entered == 39_546
    assert check_payloads(batch, out, door, buses) > 20_000
    for signal in ("VCU_200.CURRENT_GEAR", "Batt_HV_Status.VBatt", "BMS_542.SocDisp", "Odometer.Odometer"):
        assert door.collected(SignalRef("0", *signal.split(".")))
    for signal in ("BodyState.DrvDoorSw", "AirbagStatus.CF_DriBkl_Stat", "BodyWarnings.CF_Gway_SMKFobID"):
        assert SignalRef("0", *signal.split(".")) in door.withheld()


def test_obd_segments_never_leave_and_single_frames_keep_their_values(shared_data: Path) -> None:
    folder = shared_data / "css-drive"
    databases = [
        classed("css-obd2", folder / "OBD-v4.4.dbc"),
        classed("css-gnss", folder / "canedge-internal-can9.dbc"),
    ]
    batch = recorded(folder, "gnss-obd2-*.MF4")
    buses = dict.fromkeys(batch.buses, databases)
    door = Door(buses, COLLECT)
    out = door.admit(batch)
    assert door.hop().balanced
    assert door.hop().entered == 72_009
    assert door.hop().facts["messages reassembled"] == 1
    answers = out.arbitration_id == 0x7E8
    assert np.count_nonzero(answers) == np.count_nonzero(
        (batch.arbitration_id == 0x7E8) & (batch.data[:, 0] >> 4 == 0)
    )
    assert not np.isin(out.arbitration_id, (103, 104, 105)).any()
    thinned = np.flatnonzero(
        ((batch.arbitration_id == 0x7E8) & (np.arange(len(batch)) % 3 == 0))
        | (np.arange(len(batch)) % 97 == 0)
    )
    assert check_payloads(batch.take(thinned), out, door, buses) > 2_000
    # The one segmented answer of the recording is the vehicle's VIN (service 09, PID 02).
    vin = batch.data[(batch.arbitration_id == 0x7E8) & (batch.data[:, 0] >> 4 != 0)]
    assert len(vin) == 3
    assert not any(row.tobytes()[1:] in out.data.tobytes() for row in vin)


def test_j1939_segments_are_judged_as_their_group(shared_data: Path) -> None:
    folder = shared_data / "css-drive"
    database = classed("css-j1939", folder / "CSS-Electronics-SAE-J1939-DEMO.dbc")
    batch = recorded(folder, "j1939-*.MF4")
    buses = {bus: [database] for bus in batch.buses}
    door = Door(buses, COLLECT)
    out = door.admit(batch)
    hop = door.hop()
    assert hop.balanced
    assert hop.facts["messages reassembled"] == 16
    assert hop.set_aside["merged into a reassembled message"] == 64
    assert {pgn_of(identifier) for identifier in out.arbitration_id.tolist()} == {0xF004, 0xFEF1}
    # Its engine stands: two signals, one value each.
    assert check_payloads(batch, out, door, buses) == 2
    assert len(out) == 761
