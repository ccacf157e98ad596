"""The buses of a configuration in a process of their own: what is sent there comes here, as far as it may."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import can
import pytest

from edge.account import Account
from edge.capturing.opening import observed_items, plan_of
from edge.capturing.process import CaptureProcess
from edge.clock import SystemClock
from edge.config.configuration import load_config
from edge.errors import ConfigError
from edge.policy.classes import DataClass
from edge.policy.rules import Area, Datum
from edge.wire.key_files import write_signing_key
from edge.wire.keys import SigningKey
from tests.capturing.driving import Reader
from tests.capturing.sources import BOTH, MESSAGE, OPERATION, write_databases

GROUP, PORT = "239.74.163.77", 43_977
AREA = Area(
    "works", ((116.0, 39.0), (116.1, 39.0), (116.1, 39.1)), Datum.WGS84, frozenset({DataClass.POSITION})
)


@pytest.fixture(name="configuration")
def configuring(tmp_path: Path) -> Path:
    write_databases(tmp_path)
    write_signing_key(tmp_path / "vehicle.pem", SigningKey.seeded(b"vehicle"))
    path = tmp_path / "nevgate.toml"
    path.write_text(
        '[vehicle]\nvin = "LNVTEST0000000001"\n'
        f'[[bus]]\nname = "pt"\ninterface = "udp_multicast"\nchannel = "{GROUP}:{PORT}"\n'
        '[[bus.database]]\nfile = "mixed.dbc"\n'
        '[[sensor]]\nkind = "gpsd"\nport = 1\n'
        '[uplink]\nhost = "127.0.0.1"\nacknowledge = "puback"\ntls.enabled = false\n'
        '[signing]\nkey = "vehicle.pem"\n'
    )
    return path


@pytest.fixture(name="bus")
def sending() -> Iterator[can.BusABC]:
    with can.Bus(interface="udp_multicast", channel=GROUP, port=PORT) as bus:
        yield bus


def test_frames_of_a_live_bus_come_masked_and_counted(configuration: Path, bus: can.BusABC) -> None:
    plan = plan_of(configuration, load_config(configuration), [AREA])
    clock = SystemClock()
    with CaptureProcess(plan, OPERATION, "first", clock=clock) as capture:
        reader = Reader(capture)
        before_ns = clock.boot_ns()
        for number in range(200):
            bus.send(
                can.Message(
                    arbitration_id=MESSAGE, is_extended_id=False, data=number.to_bytes(4, "little") + b"deny"
                )
            )
        reader.until(lambda: reader.frames == 200)
        assert reader.numbers == list(range(200))
        assert reader.cabin() == {bytes(4)}
        assert before_ns <= reader.batches[0].t_ns[0] <= clock.boot_ns()
        assert abs(reader.batches[0].timebase.wall_offset_ns - clock.timebase().wall_offset_ns) < 10_000_000
        assert capture.items == observed_items(load_config(configuration), clock)
        assert "gnss.lat" in capture.items
        assert capture.place == "unknown"
        capture.adopt(BOTH, "second")
        reader.until(lambda: reader.masks[-1].endswith("/second"))
        bus.send(can.Message(arbitration_id=MESSAGE, is_extended_id=False, data=bytes(4) + b"look"))
        reader.until(lambda: reader.frames == 201)
        assert reader.cabin() == {bytes(4), b"look"}
        capture.close()
        reader.to_the_end()
        assert Account.of(capture.hops()).balanced
        assert reader.hop("bus pt").entered == 201


def test_a_file_that_has_changed_since_is_refused(configuration: Path) -> None:
    plan = plan_of(configuration, load_config(configuration))
    classes = configuration.parent / "mixed.classes.toml"
    classes.write_text('[operation]\nsignals = ["Mixed.*"]\n')
    with pytest.raises(ConfigError, match=r"mixed\.classes\.toml: has changed since"):
        CaptureProcess(plan, OPERATION, "first", clock=SystemClock())
