"""Capture has the rights that its sources need and no others, in all of its threads, whoever starts it."""

from __future__ import annotations

import os
import pwd
import select
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edge.capturing.needs import REQUEST_BYTES, Need, Needed
from edge.capturing.opening import plan_of
from edge.capturing.process import CaptureProcess
from edge.capturing.rights import Rights, User, of_text
from edge.clock import SystemClock
from edge.config.configuration import load_config
from edge.errors import ConfigError
from edge.uplink.events import Notice
from edge.wire.key_files import write_signing_key
from edge.wire.keys import SigningKey
from tests.capturing.driving import Reader
from tests.capturing.sources import OPERATION, plan

ROOT = Path(__file__).parents[2]
NET_RAW = 1 << 13
PACKETS = Needed(Need.PACKET_SOCKETS, "bus pt (socketcan)")
NOBODY = User(65_534, 65_534, (65_534,))

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up")


def threads(pid: int | None) -> list[dict[str, str]]:
    """What each thread of a process says of itself."""
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        lines = (thread / "status").read_text().splitlines()
        found.append({name: value.strip() for name, _, value in (line.partition(":") for line in lines)})
    return found


def sets(pid: int | None) -> dict[str, set[int]]:
    names = ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd")
    return {name: {int(thread[name], 16) for thread in threads(pid)} for name in names}


@only_root
def test_packet_sockets_keep_one_capability_and_all_others_go(tmp_path: Path) -> None:
    with CaptureProcess(
        replace(plan(tmp_path), needed=(PACKETS,)), OPERATION, "first", clock=SystemClock()
    ) as capture:
        assert len(threads(capture.pid)) >= 1
        assert sets(capture.pid) == {
            "CapEff": {NET_RAW},
            "CapPrm": {NET_RAW},
            "CapInh": {0},
            "CapAmb": {0},
            "CapBnd": {NET_RAW},
        }


@only_root
def test_without_packet_sockets_no_capability_is_left(tmp_path: Path) -> None:
    with CaptureProcess(plan(tmp_path), OPERATION, "first", clock=SystemClock()) as capture:
        assert set().union(*sets(capture.pid).values()) == {0}


@pytest.fixture(name="open_folder")
def opening_to_all(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that anybody may read, where anybody may run this interpreter."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    try:
        subprocess.run(
            [sys.executable, "-c", "import numpy, edge"],
            user=65_534,
            group=65_534,
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("others than root cannot run this interpreter")
    for each in (tmp_path, tmp_path_factory.getbasetemp(), tmp_path_factory.getbasetemp().parent):
        each.chmod(0o755)
    return tmp_path


BECOMING = """
import os, sys, threading
sys.path.append(sys.argv[1])
from edge.capturing import confinement, hardening, needs, rights
from pathlib import Path
wanted = rights.Rights(packet_sockets=True, user=rights.User(65534, 65534, (65534,)))
lacking = rights.give_up(wanted) + hardening.harden(os.getppid(), keep=[])
lacking += confinement.confine([needs.Needed(needs.Need.PACKET_SOCKETS, "test")], 1)
import socket
socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).bind(("lo", 0x000C))
try:
    Path("/proc/self/mem").open("rb")
    lacking += ("it could be read",)
except PermissionError:
    pass
os.write(1, (repr(lacking) + chr(10) + Path("/proc/self/status").read_text()).encode())
"""


@only_root
def test_somebody_else_keeps_one_capability_and_is_as_hard() -> None:
    run = subprocess.run(
        [sys.executable, "-c", BECOMING, ROOT],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    lacking, _, status = run.stdout.partition("\n")
    says = {name: value.split() for name, _, value in (line.partition(":") for line in status.splitlines())}
    assert lacking == "()", run.stderr
    assert says["Uid"] == says["Gid"] == ["65534"] * 4
    assert says["Groups"] == ["65534"]
    assert {name: int(says[name][0], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd")} == {
        "CapEff": NET_RAW,
        "CapPrm": NET_RAW,
        "CapInh": 0,
        "CapAmb": 0,
        "CapBnd": NET_RAW,
    }


def test_capture_becomes_somebody_else_with_one_capability_and_is_as_hard(
    open_folder: Path,
) -> None:
    told: list[Notice] = []
    wanted = replace(plan(open_folder, rate=1000), needed=(PACKETS,), user=NOBODY)
    with CaptureProcess(wanted, OPERATION, "first", clock=SystemClock(), notify=told.append) as capture:
        reader = Reader(capture)
        reader.until(lambda: reader.frames > 10)
        assert {thread["Uid"].split()[0] for thread in threads(capture.pid)} == {"65534"}
        assert {thread["Groups"] for thread in threads(capture.pid)} == {"65534"}
        assert {thread["Seccomp"] for thread in threads(capture.pid)} == {"2"}
        assert sets(capture.pid)["CapPrm"] == sets(capture.pid)["CapEff"] == {NET_RAW}
        assert int(Path(f"/proc/{capture.pid}/coredump_filter").read_text(), 16) == 0
        assert Path(f"/proc/{capture.pid}/mem").stat().st_uid == 0, "it is not dumpable"
    assert told == [], "all of it was done"


def test_capture_of_another_user_dies_with_the_core(open_folder: Path) -> None:
    script = """
import sys
from dataclasses import replace
from pathlib import Path
from edge.capturing.process import CaptureProcess
from edge.clock import SystemClock
from tests.capturing.sources import OPERATION, plan
from tests.capturing.test_rights import NOBODY
wanted = replace(plan(Path(sys.argv[1])), user=NOBODY)
capture = CaptureProcess(wanted, OPERATION, "first", clock=SystemClock())
print(capture.pid, flush=True)
capture.read(3600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, open_folder], stdout=subprocess.PIPE, cwd=ROOT
    ) as core:
        assert core.stdout is not None
        pid = int(core.stdout.readline())
        # What becomes readable when the last of its threads is gone.
        watch = os.pidfd_open(pid)
        core.kill()
        core.wait()

    assert select.select([watch], [], [], 20)[0]
    os.close(watch)


def test_a_gateway_without_rights_starts_capture_all_the_same(open_folder: Path) -> None:
    script = """
import os, sys
from dataclasses import replace
from pathlib import Path
from edge.capturing.process import CaptureProcess
from edge.clock import SystemClock
from tests.capturing.sources import OPERATION, plan
from tests.capturing.test_rights import PACKETS, sets
wanted = replace(plan(Path(sys.argv[1])), needed=(PACKETS,))
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
told = []
capture = CaptureProcess(wanted, OPERATION, "first", clock=SystemClock(), notify=told.append)
with capture:
    print(told, sets(capture.pid)["CapPrm"])
"""
    run = subprocess.run(
        [sys.executable, "-c", script, open_folder],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=60,
    )
    assert run.stdout == "[] {0}\n", run.stderr


@pytest.mark.parametrize("rights", [Rights(), Rights(packet_sockets=True), Rights(user=User(1, 2, (3, 4)))])
def test_rights_are_handed_over_as_text(rights: Rights) -> None:
    assert of_text(rights.text()) == rights


@pytest.fixture(name="configuration")
def configuring(tmp_path: Path) -> Path:
    write_signing_key(tmp_path / "vehicle.pem", SigningKey.seeded(b"vehicle"))
    return tmp_path / "nevgate.toml"


def write(path: Path, tables: str, capture: str = "") -> Path:
    path.write_text(
        '[vehicle]\nvin = "LNVTEST0000000001"\n'
        f"{tables}\n[capture]\n{capture}\n"
        '[uplink]\nhost = "127.0.0.1"\nacknowledge = "puback"\ntls.enabled = false\n'
        '[signing]\nkey = "vehicle.pem"\n'
    )
    return path


SOCKETCAN = '[[bus]]\nname = "pt"\ninterface = "socketcan"\nchannel = "can0"\n'


@pytest.mark.parametrize(
    ("tables", "needed"),
    [
        (SOCKETCAN, {Need.CAN_SOCKETS, Need.PACKET_SOCKETS, Need.LINK_STATE}),
        (SOCKETCAN + 'options = {way = "raw"}\n', {Need.CAN_SOCKETS, Need.LINK_STATE}),
        (SOCKETCAN + 'options = {way = "ring"}\n', {Need.PACKET_SOCKETS, Need.LINK_STATE}),
        ('[[bus]]\nname = "pt"\n', set()),
        ('[[bus]]\nname = "pt"\ninterface = "virtual"\nchannel = "0"\n', set()),
        ('[[bus]]\nname = "pt"\ninterface = "udp_multicast"\nchannel = "239.1.1.1"\n', {Need.DATAGRAMS}),
        (
            '[[bus]]\nname = "pt"\ninterface = "slcan"\nchannel = "/dev/ttyACM0"\n',
            {Need.SERIAL_PORTS, Need.COMMANDS},
        ),
        (
            '[[bus]]\nname = "pt"\ninterface = "slcan"\nchannel = "socket://10.0.0.1:5"\n',
            {Need.SERIAL_PORTS, Need.COMMANDS, Need.UNKNOWN},
        ),
        (
            '[[bus]]\nname = "pt"\ninterface = "gs_usb"\nchannel = "0"\n',
            {Need.USB_DEVICES, Need.COMMANDS},
        ),
        ('[[bus]]\nname = "pt"\ninterface = "kvaser"\nchannel = "0"\n', {Need.UNKNOWN}),
        ('[[bus]]\nname = "pt"\n[[sensor]]\nkind = "gpsd"\n', {Need.REQUESTS}),
        (
            '[[bus]]\nname = "pt"\n[[sensor]]\nkind = "gpsd"\nhost = "receiver.lan"\n',
            {Need.REQUESTS, Need.NAME_LOOKUP},
        ),
        ('[[bus]]\nname = "pt"\n[[sensor]]\nkind = "nmea"\ndevice = "/dev/ttyS0"\n', {Need.SERIAL_PORTS}),
        ('[[bus]]\nname = "pt"\n[[sensor]]\nkind = "iio"\nfolder = "/sys"\n', set()),
    ],
)
def test_each_part_of_a_configuration_says_what_it_needs(
    configuration: Path, tables: str, needed: set[Need]
) -> None:
    plan = plan_of(write(configuration, tables), load_config(configuration))
    assert {one.need for one in plan.needed} == needed
    assert {one.by.split()[0] for one in plan.needed} <= {"bus", "sensor"}
    assert plan.rights.packet_sockets == (Need.PACKET_SOCKETS in needed)


def test_the_user_of_capture_has_to_be_there(configuration: Path) -> None:
    write(configuration, SOCKETCAN, 'user = "nobody-of-that-name"')
    with pytest.raises(ConfigError, match=r"capture\.user: nobody is called"):
        plan_of(configuration, load_config(configuration))


def test_only_root_has_capture_become_somebody(configuration: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = pwd.getpwuid(65_534).pw_name
    config = load_config(write(configuration, SOCKETCAN, f'user = "{name}"'))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    found = plan_of(configuration, config).user
    assert found is not None
    assert (found.uid, found.gid) == (65_534, pwd.getpwuid(65_534).pw_gid)
    monkeypatch.setattr(os, "geteuid", lambda: 65_534)
    assert plan_of(configuration, config).user is None
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ConfigError, match="only root can become"):
        plan_of(configuration, config)


def test_what_is_left_open_is_told_at_the_start(tmp_path: Path) -> None:
    told: list[Notice] = []
    wanted = replace(plan(tmp_path), needed=(Needed(Need.REQUESTS, "sensor gpsd"), PACKETS))
    with CaptureProcess(wanted, OPERATION, "first", clock=SystemClock(), notify=told.append):
        pass
    (said,) = [notice.text.partition("could be: ")[2] for notice in told]
    assert said.startswith(f"capture can connect and send {REQUEST_BYTES} bytes at a time over the network")
    assert said.endswith(": sensor gpsd asks for it")
