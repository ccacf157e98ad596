"""A ring is read in a confined process, and opened again there after its interface went away."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.wire.key_files import write_signing_key
from edge.wire.keys import SigningKey
from tests.capturing.sources import MESSAGE, write_databases
from tests.socketcan.veth import NEAR, Cable, cable, classic

ROOT = Path(__file__).parents[2]

GATEWAY = """
import json, sys
from pathlib import Path
from edge.account import Account
from edge.capturing.opening import plan_of
from edge.capturing.process import CaptureProcess
from edge.clock import SystemClock
from edge.config.configuration import load_config
from tests.capturing.driving import Reader
from tests.capturing.sources import OPERATION
from tests.capturing.test_rights import sets, threads
path = Path(sys.argv[1])
told = []
plan = plan_of(path, load_config(path))
with CaptureProcess(plan, OPERATION, "first", clock=SystemClock(), notify=told.append) as capture:
    reader = Reader(capture)
    rights = {name: sorted(found) for name, found in sets(capture.pid).items()}
    print(json.dumps([rights, sorted({each["Seccomp"] for each in threads(capture.pid)})]), flush=True)
    for line in sys.stdin:
        wanted = int(line)
        if wanted:
            reader.until(lambda: reader.frames >= wanted)
        else:
            capture.close()
            reader.to_the_end()
        hop = reader.hop("bus pt")
        said = {"frames": reader.frames, "facts": dict(hop.facts), "told": [one.text for one in told]}
        said["buses"] = [[one.bus, one.way, one.listening] for one in capture.buses]
        print(json.dumps({**said, "balanced": Account.of(capture.hops()).balanced}), flush=True)
"""


@pytest.fixture(name="wire")
def plugging() -> Iterator[Cable]:
    with cable() as wire:
        yield wire


def configuration(folder: Path) -> Path:
    write_databases(folder)
    write_signing_key(folder / "vehicle.pem", SigningKey.seeded(b"vehicle"))
    path = folder / "nevgate.toml"
    path.write_text(
        '[vehicle]\nvin = "LNVTEST0000000001"\n'
        f'[[bus]]\nname = "pt"\ninterface = "socketcan"\nchannel = "{NEAR}"\n'
        'options = {way = "ring", any_link = true}\n'
        '[[bus.database]]\nfile = "mixed.dbc"\n'
        '[uplink]\nhost = "127.0.0.1"\nacknowledge = "puback"\ntls.enabled = false\n'
        '[signing]\nkey = "vehicle.pem"\n'
    )
    return path


def test_a_ring_is_read_with_one_right_and_opened_again_under_the_filter(wire: Cable, tmp_path: Path) -> None:
    gateway = subprocess.Popen(
        ["ip", "netns", "exec", wire.namespace.name, sys.executable, "-c", GATEWAY, configuration(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert gateway.stdin is not None
    assert gateway.stdout is not None
    frames = [classic(MESSAGE, number.to_bytes(4, "little") + b"deny") for number in range(100)]
    with gateway:
        rights, filters = json.loads(gateway.stdout.readline())
        assert filters == ["2"]
        held = {name for name, found in rights.items() if found != [0]}
        assert held == {"CapEff", "CapPrm", "CapBnd"}
        assert all(rights[name] == [1 << 13] for name in held), "CAP_NET_RAW"

        def ask(count: int) -> dict[str, object]:
            print(count, file=gateway.stdin, flush=True)
            assert gateway.stdout is not None
            found: dict[str, object] = json.loads(gateway.stdout.readline())
            return found

        wire.send(frames)
        ask(100)
        wire.unplug()
        wire.plug()
        # What is sent before it is open again is lost to it; so it is sent until some of it comes.
        words = [sys.executable, "-c", SENDER, frames[0][1].hex()]
        with subprocess.Popen(["ip", "netns", "exec", wire.namespace.name, *words]) as sender:
            try:
                said = ask(150)
            finally:
                sender.terminate()
        assert said["balanced"]
        assert said["told"] == [], "nothing is open that need not be"
        assert "'reopened': 1" in str(said["facts"])
        assert said["buses"] == [["pt", "ring", "cannot tell"]]
        assert ask(0)["balanced"]
        gateway.stdin.close()
    assert gateway.returncode == 0


SENDER = """
import socket, sys, time
packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
while True:
    packets.sendto(bytes.fromhex(sys.argv[1]), ("far0", 0x000C, 0, 0, bytes(6)))
    time.sleep(0.005)
"""
