"""The capture itself, on real interfaces of network namespaces."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.clock import SystemClock
from edge.egress.assembling import assemble
from edge.egress.flows import FlowTable
from edge.egress.packet_socket import BUFFER_BYTES, PacketSocket
from edge.egress.result import Phase, Verdict
from edge.egress.trial import Trial
from tests.egress.namespaces import VEHICLE4, WORLD4, Namespace, cable
from tests.egress.packets import ABROAD, ABROAD6, PLATFORM, dns_answer, dns_query, packed
from tests.egress.policies import yardstick

PATIENCE_S = 60.0


@pytest.fixture
def ends() -> Iterator[tuple[Namespace, Namespace]]:
    with cable() as found:
        yield found


def captured(source: PacketSocket, table: FlowTable, *addresses: str) -> None:
    """Read until packets to all addresses were counted."""
    wanted = {packed(one) for one in addresses}
    end_s = time.monotonic() + PATIENCE_S
    while not wanted <= {key.address for key in table.flows}:
        assert time.monotonic() < end_s, "the packets never came"
        source.read(0.2, lambda frame, _: table.add(Phase.POWER_ON, frame))


def open_socket(vehicle: Namespace, *, buffer_bytes: int = BUFFER_BYTES) -> PacketSocket:
    return vehicle.call(lambda: PacketSocket(SystemClock(), buffer_bytes=buffer_bytes))


def sent(table: FlowTable) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for key, flow in table.flows.items():
        if flow.packets_out and key.protocol == 17:
            found[key.address] = found.get(key.address, 0) + flow.packets_out
    return found


def test_one_packet_astray_among_ten_thousand_is_found(ends: tuple[Namespace, Namespace]) -> None:
    vehicle, _ = ends
    table = FlowTable()
    with open_socket(vehicle) as source:
        vehicle.send(PLATFORM, 8883, bytes(200), times=6000)
        vehicle.send(ABROAD6, 443, b"leak")
        vehicle.send(PLATFORM, 8883, bytes(200), times=4000)
        vehicle.send(WORLD4, 9)
        captured(source, table, PLATFORM, ABROAD6, WORLD4)
        assert source.lost() == 0
    assert sent(table) == {packed(PLATFORM): 10_000, packed(ABROAD6): 1, packed(WORLD4): 1}
    found = assemble(table, [], yardstick(), started_ns=0)
    assert [one.key.address for one in found.not_allowed] == [packed(ABROAD6)]
    assert found.verdict is Verdict.FAIL


def test_what_the_kernel_had_no_room_for_is_told_and_is_no_proof(ends: tuple[Namespace, Namespace]) -> None:
    vehicle, _ = ends
    table = FlowTable()
    with open_socket(vehicle, buffer_bytes=4096) as source:
        vehicle.send(PLATFORM, 8883, bytes(1000), times=500)
        found = Trial(source, table, SystemClock()).run(Phase.POWER_ON, 0.05)
    assert found.lost is not None
    assert found.lost > 400
    assert found.lost + found.packets >= 500
    assert any("lost" in doubt for doubt in found.doubts())
    assert assemble(table, [found], yardstick(), started_ns=0).verdict is Verdict.NOT_PROVEN


def test_loopback_is_no_way_out_and_an_interface_that_appears_is_one(
    ends: tuple[Namespace, Namespace],
) -> None:
    vehicle, world = ends
    table = FlowTable()
    with open_socket(vehicle) as source:
        assert vehicle.call(source.interfaces) == {"wan0"}
        vehicle.send("127.0.0.1", 9, times=5)
        vehicle.ip("link", "add", "ppp7", "type", "veth", "peer", "name", "far7", "netns", world.name)
        world.ip("link", "set", "far7", "up")
        vehicle.ip("link", "set", "ppp7", "up")
        vehicle.ip("route", "add", f"{ABROAD}/32", "dev", "ppp7")
        vehicle.ip("neigh", "add", ABROAD, "lladdr", "02:00:00:00:00:07", "dev", "ppp7")
        vehicle.send(ABROAD, 443, b"leak")
        captured(source, table, ABROAD)
    assert {key.interface for key in table.flows if key.address == packed(ABROAD)} == {"ppp7"}
    assert not {key for key in table.flows if key.address == packed("127.0.0.1") or key.interface == "lo"}


def test_a_long_packet_is_counted_with_its_length_on_the_wire(ends: tuple[Namespace, Namespace]) -> None:
    vehicle, _ = ends
    table = FlowTable()
    vehicle.ip("link", "set", "wan0", "mtu", "9000")
    with open_socket(vehicle) as source:
        vehicle.send(PLATFORM, 8883, bytes(6000))
        captured(source, table, PLATFORM)
    (flow,) = [flow for key, flow in table.flows.items() if key.address == packed(PLATFORM)]
    assert (flow.packets_out, flow.bytes_out) == (1, 6028)


@contextmanager
def resolver(world: Namespace) -> Iterator[None]:
    """Answers every question of a name server with the platform's address."""

    def listening() -> socket.socket:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind((WORLD4, 53))
        return one

    server = world.call(listening)

    def serve() -> None:
        while True:
            asked, who = server.recvfrom(2048)
            if not asked:
                return
            server.sendto(dns_answer("platform.example", [PLATFORM]), who)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        world.send(WORLD4, 53, b"")
        thread.join(PATIENCE_S)
        server.close()


def ask(vehicle: Namespace) -> None:
    def asking() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.settimeout(PATIENCE_S)
            one.sendto(dns_query("platform.example"), (WORLD4, 53))
            one.recv(2048)

    vehicle.call(asking)


CONFIG = """
[vehicle]
vin = "LNVGATE00XDEM0001"
[[bus]]
name = "powertrain"
interface = "virtual"
channel = "0"
[policy]
profile = "gbt44464"
[uplink]
host = "platform.example"
jurisdiction = "CN"
[signing]
key = "keys/vehicle.pem"
platform = "keys/platform.pem"
"""


def test_the_command_names_exactly_what_must_not_be(
    ends: tuple[Namespace, Namespace], tmp_path: Path
) -> None:
    vehicle, world = ends
    (tmp_path / "nevgate.toml").write_text(CONFIG, "utf-8")
    options = ["-c", "nevgate.toml", "--phases", "power-on", "--pcap-out", "proof", "--json"]
    process = subprocess.Popen(
        ["ip", "netns", "exec", vehicle.name, sys.executable, "-m", "edge", "policy", "egress", *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    proof = tmp_path / "proof.power-on.pcapng"
    try:
        end_s = time.monotonic() + PATIENCE_S
        while not proof.exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < end_s, "the capture never began"
            threading.Event().wait(0.05)
        with resolver(world):
            ask(vehicle)
        vehicle.send(PLATFORM, 8883, bytes(100), times=50)
        vehicle.send(ABROAD, 443, b"leak")
        vehicle.send(ABROAD6, 123, b"leak", times=2)
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 4, errors
    found = json.loads(printed)
    assert found["verdict"] == "fail"
    udp = {
        one["address"]: (one["judgement"], one["port"], one["packets_out"], one["packets_in"])
        for one in found["flows"]
        if one["protocol"] == "UDP"
    }
    # While its neighbour is looked up the kernel keeps few packets of a burst, and lets go of the rest.
    told = udp[PLATFORM][2]
    assert 40 <= told <= 50
    assert udp == {
        PLATFORM: ("allowed", 8883, told, 0),
        ABROAD: ("not allowed", 443, 1, 0),
        ABROAD6: ("not allowed", 123, 2, 0),
        WORLD4: ("local", 53, 1, 1),
    }
    (platform,) = [one for one in found["flows"] if one["address"] == PLATFORM]
    assert (platform["names"], platform["destination"], platform["jurisdiction"]) == (
        ["platform.example"],
        "platform",
        "CN",
    )
    assert {one["judgement"] for one in found["flows"] if one["protocol"] in {"ARP", "ICMPv6"}} <= {"local"}
    assert found["asked"] == [{"name": "platform.example", "times": 1}]
    assert found["phases"][0]["lost"] == 0
    assert proof.stat().st_mode & 0o077 == 0
    assert _by_tshark(proof) in (None, {PLATFORM: told, ABROAD: 1, WORLD4: 1, VEHICLE4: 1})


def _by_tshark(proof: Path) -> dict[str, int] | None:
    """How many datagrams went to each IPv4 address, as tshark counts our file; None without it."""
    if not shutil.which("tshark"):
        return None
    words = ["tshark", "-r", str(proof), "-Y", "udp && ip", "-T", "fields", "-e", "ip.dst"]
    printed = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout.split()
    return {address: printed.count(address) for address in set(printed)}
