"""Measures the platform that speaks GB/T 32960.3: full BEV messages a second of one core, checked and kept.

One line takes the bytes as reads of a socket would hand them in, the other goes over sockets on loopback; the
CPU time is that of the platform's process alone, the clients are others.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from edge.catalogue.item import Edition
from edge.wire.gbt.beijing import time_bytes
from edge.wire.gbt.frame import Command, Response
from edge.wire.gbt.message import Message, Report, Values
from edge.wire.gbt.recording import RecordCodec
from simulator.gbt.platform import GbtPlatform
from simulator.gbt.server import GbtServer
from simulator.gbt.store import Store
from tests.bench.bench_gbt import full_vehicle
from tests.bench.comparison import Comparison
from tests.gbt.grammar import record_of

VEHICLES = 20
SECONDS = 500
IN_A_READ = 20
WANTED = "at least 10,000 a core"
CLIENT = """
import socket, sys
with open(sys.argv[2], "rb") as file:
    data = file.read()
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as link:
    link.sendall(data)
    link.shutdown(socket.SHUT_WR)
    while link.recv(65536):
        pass
"""


def vin_of(place: int) -> bytes:
    """The VIN of a vehicle of the bench."""
    return b"LNVGATE00XDEM%04d" % place


def login(edition: Edition, vin: bytes, at_s: int) -> bytes:
    """A vehicle's login."""
    tail = (0, 0, ()) if edition is Edition.Y2016 else (0, (), ())
    content = Values("command 01", (time_bytes(at_s), 1, b"8986".ljust(20, b"0"), *tail))
    return Message(edition, Command.VEHICLE_LOGIN, Response.COMMAND, vin, content).write()


def streams(edition: Edition, at_s: int, seconds: int = SECONDS) -> tuple[list[list[bytes]], int]:
    """What each vehicle sends, a report a second behind its login, and how long a report is."""
    (made,), _ = RecordCodec(edition).messages(record_of(full_vehicle(edition)), vin_of(0))
    content = made.content
    assert isinstance(content, Report)
    if edition is Edition.Y2025:
        content = replace(content, signature=(1, 32, bytes(32), 32, bytes(32)))
    said = []
    for place in range(VEHICLES):
        vin = vin_of(place)
        reports = [
            replace(made, vin=vin, content=replace(content, time=time_bytes(at_s + second))).write()
            for second in range(seconds)
        ]
        said.append([login(edition, vin, at_s), *reports])
    return said, len(said[0][1])


def in_process(edition: Edition, folder: Path) -> tuple[float, int]:
    """Messages a second of CPU without sockets, and the length of one."""
    at_s = int(time.time())
    said, length = streams(edition, at_s)
    with Store(folder / f"bench-{edition.value}.db") as store:
        platform = GbtPlatform(store)
        links = [platform.connect(at_s * 10**9) for _ in said]
        start_s = time.process_time()
        for begin in range(0, SECONDS + 1, IN_A_READ):
            for link, messages in zip(links, said, strict=True):
                link.take(b"".join(messages[begin : begin + IN_A_READ]), (at_s + begin) * 10**9)
            store.commit()
        used_s = time.process_time() - start_s
        assert platform.stored == VEHICLES * SECONDS
    return platform.frames / used_s, length


def over_sockets(edition: Edition, folder: Path) -> float:
    """Messages a second of the platform's CPU over loopback."""
    at_s = int(time.time())
    said, _ = streams(edition, at_s)

    async def serve() -> float:
        with Store(folder / f"loopback-{edition.value}.db") as store:
            platform = GbtPlatform(store)
            async with GbtServer(platform) as server:
                files = []
                for place, messages in enumerate(said):
                    files.append(folder / f"client-{place}")
                    files[-1].write_bytes(b"".join(messages))
                port = str(server.bound_port)
                start_s = time.process_time()
                clients = [
                    await asyncio.create_subprocess_exec(sys.executable, "-c", CLIENT, port, str(file))
                    for file in files
                ]
                for client in clients:
                    await client.wait()
                async with asyncio.timeout(60):
                    while server.closed < len(clients):
                        server.changed.clear()
                        await server.changed.wait()
                used_s = time.process_time() - start_s
            assert platform.stored == VEHICLES * SECONDS
            return platform.frames / used_s

    return asyncio.run(serve())


def measure() -> list[Comparison]:
    """Both editions, without and with sockets."""
    lines = []
    with tempfile.TemporaryDirectory(prefix="nevgate-bench-") as name:
        folder = Path(name)
        for edition in Edition:
            rate, length = in_process(edition, folder)
            what = f"GB/T 32960.3-{edition.value} platform, {length} bytes"
            lines.append(Comparison(f"{what}: taken", rate, None, "messages/s of CPU", "", None, WANTED))
            rate = over_sockets(edition, folder)
            lines.append(Comparison(f"{what}: over TCP", rate, None, "messages/s of CPU", "", None, WANTED))
    return lines
