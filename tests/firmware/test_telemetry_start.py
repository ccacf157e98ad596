"""A node is put together from its file of settings, and makes records of what a decoder decodes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge.catalogue.catalogue import builtin
from edge.wire.device_keys import DeviceKey
from edge.wire.key_files import write_device_key
from edge.wire.mac0 import DeviceVerifier
from edge.wire.message import decode
from firmware.telemetry.node import Node
from firmware.telemetry.start import make_node, read_settings
from tests.firmware.decoder_proof import loaded
from tests.firmware.micropython import run
from tests.firmware.vehicles import reference_board

VEHICLE = "LNEVGATE000000001"
PROGRAM = Path(__file__).parent / "programs" / "telemetry_heap_on_board.py"
KEY = DeviceKey(bytes(range(32)))


class Instants:
    """A clock that is told what time it is."""

    offset_ns = quality = 0

    def __init__(self) -> None:
        self.ms = 0

    def now_ms(self) -> int:
        return self.ms


def made(tmp_path: Path) -> tuple[Node, Instants]:
    """A node that has no network."""
    write_device_key(tmp_path / "key", KEY, force=True)
    settings = tmp_path / "node.json"
    settings.write_text(
        json.dumps(
            {
                "vehicle": VEHICLE,
                "host": "nowhere.invalid",
                "authority": None,
                "key": str(tmp_path / "key"),
                "ring": str(tmp_path / "ring"),
                "period_s": 1,
            }
        )
    )
    clock = Instants()
    node = make_node(read_settings(str(settings)), loaded(reference_board("gbt44464").source()), [], clock)
    node._link = SimpleNamespace(state=0, open=no_network, close=lambda: None)
    return node, clock


def test_a_node_records_what_its_decoder_holds(tmp_path: Path) -> None:
    node, clock = made(tmp_path)
    board = reference_board("gbt44464")
    for clock.ms in (500, 1000, 1001, 2500, 6000):
        node.turn()
    assert node.counts["records"] == 3
    assert node.counts["instants missed"] == 3
    assert (node.ring.last, node.ring.losses) == (6, [(3, 5)])
    assert node.counts["connections ended"] >= 2
    held = bytearray(8192)
    size = node.ring.read(1, held)
    verified = DeviceVerifier({VEHICLE: [KEY]}).verify(bytes(held[:size]), vehicle=VEHICLE)
    message = decode(verified.payload, builtin())
    assert (message.vehicle, message.records[0].mask) == (VEHICLE, board.mask)
    assert set(message.records[0].values) == set(board.items)


def test_a_record_that_cannot_be_kept_is_told_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, clock = made(tmp_path)
    for clock.ms in (1000, 2000):
        node.turn()
    with monkeypatch.context() as patch:
        patch.setattr(node.ring, "append", full)
        for clock.ms in (3000, 4000):
            node.turn()
    with monkeypatch.context() as patch:
        patch.setattr(node._sampler, "read", no_memory)
        clock.ms = 5000
        node.turn()
    clock.ms = 6000
    node.turn()
    assert (node.counts["records"], node.counts["records not kept"]) == (3, 3)
    assert (node.ring.last, node.ring.losses) == (6, [(3, 5)])
    again, _ = made(tmp_path)
    assert (again.ring.last, again.ring.losses) == (6, [(3, 5)])


def full(_: object) -> None:
    raise OSError(28)


def no_memory(_: int) -> None:
    raise MemoryError


def no_network(now_ms: int) -> None:
    raise OSError(now_ms)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[]", "no object"),
        ('{"vehicle": "V"}', "lack host"),
        ('{"vehicle": "V", "host": "h", "prot": 1}', "unknown setting prot"),
        ("{", "Expecting"),
        ('{"vehicle": "V", "host": "h", "keep_alive_s": 0}', "keep_alive_s is not from 1 to 65535"),
        ('{"vehicle": "V", "host": "h", "period_s": 0}', "period_s is not from"),
        ('{"vehicle": "V", "host": "h", "period_s": "10"}', "period_s is not from"),
        ('{"vehicle": "V", "host": "h", "segments": 1}', "segments is not from 2"),
    ],
)
def test_settings_that_are_wrong_are_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "node.json").write_text(text)
    with pytest.raises(ValueError, match=complaint):
        read_settings(str(tmp_path / "node.json"))


def test_a_nodes_heap_does_not_grow(tmp_path: Path) -> None:
    """Over 160 periods; with NEVGATE_FIRMWARE_LONG over a day's 8,640."""
    periods = 8640 if os.environ.get("NEVGATE_FIRMWARE_LONG") else 160
    (tmp_path / "decoder.py").write_text(reference_board("gbt44464").source())
    said = run(PROGRAM, str(tmp_path / "ring"), str(periods), paths=(tmp_path,), heap="600k", timeout_s=300)
    *held, records, connections = map(int, said.stdout.split())
    assert (records, len(held)) == (periods, 4)
    assert connections > 20
    assert max(held) - min(held) < 4096, held
