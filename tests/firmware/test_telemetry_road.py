"""A node on a real MicroPython, through TLS and Mosquitto to the platform: no gaps, and the right values."""

from __future__ import annotations

import contextlib
import functools
import json
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from edge.clock import NS_PER_S, SystemClock, TimeQuality
from edge.frames import Frame, FrameFlag
from edge.uplink.tls import TlsSettings, tls_context
from edge.wire.device_keys import DeviceKey
from edge.wire.key_files import write_device_key
from simulator.broker import LOOPBACK, BrokerOptions, MosquittoBroker, find_mosquitto
from simulator.certificates import Authority
from simulator.platform.assembly import open_platform
from simulator.platform.reader import StoreReader
from simulator.platform.rows import StoredRecord
from simulator.platform.serve import BrokerAccess, PlatformService
from simulator.vehicle.vehicle import ReferenceVehicle
from tests.firmware.gateway_twin import MS, GatewayTwin
from tests.firmware.micropython import command, environment
from tests.firmware.vehicles import reference_board, reference_vehicle
from tests.simulator.platform_rig import PLATFORM_KEY, VEHICLE

PROGRAM = Path(__file__).parent / "programs" / "telemetry_node_on_board.py"
PATIENCE_S = 40.0
POLL_S = 0.05
KEY = DeviceKey(bytes(range(32)))
STEPS, STEP_MS = 60, 100


@functools.cache
def recording() -> tuple[list[Frame], ...]:
    """The vehicle's frames by steps, their times counted from each step's beginning.

    All that a board decodes, and of the others one in sixteen.
    """
    messages = reference_board("gbt44464").plan.messages
    ids = sorted({planned.message.arbitration_id for planned in messages})
    steps: tuple[list[Frame], ...] = tuple([] for _ in range(STEPS))
    for batch in ReferenceVehicle(1).frames(STEPS * STEP_MS / 1000):
        wanted = np.isin(batch.arbitration_id, ids)
        wanted[::16] = True
        for place in np.flatnonzero(wanted).tolist():
            frame = batch.frame(place)
            step, ms = divmod(frame.t_ns // MS, STEP_MS)
            steps[step].append(replace(frame, t_ns=ms * MS))
    return steps


def written(steps: Sequence[Sequence[Frame]]) -> bytes:
    """A recording as the node's program reads it."""
    buses = reference_board("gbt44464").plan.buses
    blocks = []
    for frames in steps:
        block = bytearray()
        for frame in frames:
            code, size = next((code, size) for code, size in enumerate(SIZES) if size >= len(frame.data))
            fd = FrameFlag.FD in frame.flags
            kind = code | (0x10 if FrameFlag.EXTENDED in frame.flags else 0) | (0x40 if fd else 0)
            head = (frame.t_ns // MS, frame.arbitration_id, buses.index(frame.bus), kind, size)
            block += struct.pack("<HIBBB", *head) + frame.data.ljust(size, b"\0")
        blocks.append(bytes(block))
    places = [4 * len(blocks) + 12]
    for each in blocks:
        places.append(places[-1] + len(each))
    return struct.pack(f"<II{len(places)}I", len(blocks), STEP_MS, *places) + b"".join(blocks)


SIZES = (*range(9), 12, 16, 20, 24, 32, 48, 64)


@dataclass
class Node:
    """A node's process; its flash is a folder that outlives it."""

    folder: Path
    options: dict[str, object]
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    said: list[Path] = field(default_factory=list)

    def start(self) -> None:
        self.starts += 1
        said = self.folder / f"said-{self.starts}"
        options = self.folder / "options.json"  # MicroPython takes no argument of more than 255 bytes
        options.write_text(json.dumps(self.options))
        self.said.append(said)
        with said.open("wb") as out:
            self.process = subprocess.Popen(
                command(PROGRAM, [str(options)], "1m"),
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                env=environment([self.folder]),
            )

    def alive(self) -> None:
        """Fail the test if it has ended by itself."""
        if self.process is not None and self.process.poll() not in {None, 0, -9}:
            pytest.fail(self.said[-1].read_text())

    @property
    def last(self) -> dict[str, int]:
        """What it said last."""
        self.alive()
        lines = self.said[-1].read_text().rpartition("\n")[0].splitlines()
        found: dict[str, int] = json.loads(lines[-1]) if lines else {"last": 0, "waiting": 0}
        return found

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(20)

    def end(self) -> dict[str, int]:
        """End it in order; its counts."""
        assert self.process is not None
        self.process.communicate(b"x", timeout=20)
        return self.last


def until(done: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < ends, what
        time.sleep(POLL_S)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[MosquittoBroker]:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed: apt install mosquitto")
    authority = Authority(tmp_path, wall_ns=SystemClock().wall_ns())
    certificate = load_pem_x509_certificate(authority.certificate.read_bytes())
    (tmp_path / "authority.der").write_bytes(certificate.public_bytes(Encoding.DER))
    with MosquittoBroker(tmp_path / "broker", BrokerOptions(tls=authority.server())) as broker:
        yield broker


@pytest.fixture
def node(broker: MosquittoBroker, tmp_path: Path) -> Iterator[Node]:
    write_device_key(tmp_path / "node.device.pem", KEY)
    (tmp_path / "decoder.py").write_text(reference_board("gbt44464").source())
    (tmp_path / "recording").write_bytes(written(recording()))
    made = Node(
        tmp_path,
        {
            "vehicle": VEHICLE,
            "key": str(tmp_path / "node.device.pem"),
            "folder": str(tmp_path / "flash"),
            "host": "localhost",
            "port": broker.port(),
            "authority": str(tmp_path / "authority.der"),
            "delay_s": 0.2,
            "period_ms": 50,
            "segments": 60,
            "recording": str(tmp_path / "recording"),
            "clock": False,
        },
    )
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


@contextlib.contextmanager
def platform(broker: MosquittoBroker, tmp_path: Path) -> Iterator[PlatformService]:
    access = BrokerAccess(
        LOOPBACK, broker.port(), tls=tls_context(TlsSettings(tmp_path / "bench-ca.pem", None, None))
    )
    with (
        open_platform(
            keys={VEHICLE: [KEY]}, store=tmp_path / "platform.db", key=PLATFORM_KEY, receipt_interval_s=0.1
        ) as platform,
        PlatformService(platform, access) as service,
    ):
        service.wait_ready(PATIENCE_S)
        yield service


def test_outages_and_kills_leave_no_gap(broker: MosquittoBroker, node: Node, tmp_path: Path) -> None:
    with platform(broker, tmp_path) as service:

        def stored() -> int:
            node.alive()
            return service.look(lambda watch: watch[VEHICLE].watermark)

        node.start()
        until(lambda: stored() >= 10, "nothing arrives")

        broker.stop()
        until(lambda: node.last["waiting"] >= 20, "the node makes no records while nobody takes them")
        broker.start()
        before = node.last["last"]
        until(lambda: stored() >= before, "the backlog does not arrive")

        node.kill()
        before = node.last["last"]
        node.start()
        until(lambda: stored() >= before + 10, "it does not go on after a kill")

        broker.kill()
        before = node.last["last"]
        until(lambda: node.last["last"] >= before + 10, "it makes no records")
        node.kill()
        node.start()
        until(lambda: node.last["waiting"] >= 10, "it makes no records")
        broker.start()
        before = node.last["last"]
        until(lambda: stored() >= before, "the backlog does not arrive")
        counts = node.end()
        until(lambda: stored() >= counts["last"] - counts["waiting"], "what was acknowledged is not there")
        # What is still on its way is stored first, and nothing after.
        service.stop()
        messages, records = service.hops()
    assert messages.balanced
    assert set(messages.set_aside) <= {"double", "status word"}, messages.set_aside
    assert records.balanced
    assert set(records.set_aside) == {"double"}, "a kill makes some come twice"
    assert counts["given up"] == counts["records not kept"] == counts["receipts refused"] == 0
    with StoreReader(tmp_path / "platform.db") as reader:
        (vehicle,) = reader.vehicles()
        assert {gap.cause for gap in reader.gaps()} <= {"lost"}, "a gap that nobody explains"
        assert (reader.rejections(), vehicle.conflicts) == ([], 0)
        kept = sorted(reader.records(), key=lambda stored: stored.record.number)
    # A busy machine makes a node miss instants; it says so, and nothing else is lost.
    assert kept[-1].record.number <= len(kept) + vehicle.lost
    assert vehicle.records == vehicle.authenticated == records.left == len(kept)
    assert vehicle.doubles == records.set_aside["double"]
    assert counts["last"] - counts["waiting"] <= len(kept) + vehicle.lost <= counts["last"]
    assert len({stored.boot for stored in kept}) == node.starts
    check_contents(kept)


def check_contents(kept: Sequence[StoredRecord]) -> None:
    first = kept[0]
    assert first.record.timebase.quality is TimeQuality.NONE
    assert first.corrected is not None
    assert first.corrected.quality is TimeQuality.RTC
    assert abs(first.corrected.wall_ns(first.record.t_ns) - first.received_ns) < 20 * NS_PER_S
    board = reference_board("gbt44464")
    seen: set[str] = set()
    for _, of_boot in groupby(kept, key=lambda stored: stored.boot):
        twin = GatewayTwin(board, reference_vehicle())
        for made, record in enumerate(stored.record for stored in of_boot):
            assert record.mask == board.mask
            began_ms = made * STEP_MS
            frames = recording()[made % STEPS]
            twin.hear(replace(frame, t_ns=began_ms * MS + frame.t_ns) for frame in frames)
            seen |= twin.check(began_ms + STEP_MS, record.values, alarm=record.alarm)
    assert len(seen) > len(board.items) // 2, "hardly an item had a value"


def test_a_broker_of_another_authority_gets_nothing(node: Node, tmp_path: Path) -> None:
    other = Authority(tmp_path, wall_ns=SystemClock().wall_ns(), name="other-ca")
    certificate = load_pem_x509_certificate(other.certificate.read_bytes())
    (tmp_path / "authority.der").write_bytes(certificate.public_bytes(Encoding.DER))
    node.start()
    until(lambda: node.last["waiting"] >= 20, "it makes no records")
    counts = node.end()
    assert counts["connections ended"] > 0
    assert counts["live"] == counts["backlog"] == counts["PUBACK"] == 0
