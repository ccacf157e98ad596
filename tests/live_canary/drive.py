"""A drive through real processes: buses, `nevgate run`, a broker with TLS, a platform, and consents."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import can

from edge.clock import SystemClock
from edge.config.configuration import load_config
from edge.control.client import ControlClient
from edge.errors import ControlError
from edge.uplink.tls import TlsSettings, tls_context
from edge.wire.keys import SigningKey
from simulator.broker import BrokerOptions, MosquittoBroker, free_ports
from simulator.certificates import Authority
from simulator.platform.assembly import open_platform
from simulator.platform.serve import BrokerAccess, PlatformService
from tests.live_canary.tokens import Tokens
from tests.live_canary.vehicle import VIN, one_round, write_configuration
from tests.live_canary.wire import LOOPBACK, Listener, RecordingProxy

GROUP = "239.74.163.60"
PATIENCE_S = 90.0
PROJECT = Path(__file__).parents[2]


class Sender:
    """Drives: sends a numbered round of frames so many times a second, on a thread of its own.

    Args:
        buses: by name.
        tokens: that stand in the frames.
        rounds_per_s: how often.

    Attributes:
        inside: whether the vehicle is in the forbidden area.
        speed: in km/h.
        sent_ns: when each number was sent.
        were_inside: the numbers that were sent inside.
    """

    def __init__(self, buses: Mapping[str, can.BusABC], tokens: Tokens, rounds_per_s: float) -> None:
        self._buses = buses
        self._tokens = tokens
        self._period_s = 1 / rounds_per_s
        self._clock = SystemClock()
        self._stop = threading.Event()
        self._went_on = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.inside = False
        self.speed = 60
        self.sent_ns: list[int] = []
        self.were_inside: set[int] = set()

    def start(self) -> None:
        """Begin to drive."""
        self._thread.start()

    def stop(self) -> None:
        """Send nothing more."""
        self._stop.set()
        self._thread.join()

    @property
    def number(self) -> int:
        """The number that is sent next."""
        return len(self.sent_ns)

    def go_on(self, rounds: int) -> None:
        """Wait until so many more rounds have been sent."""
        until = self.number + rounds
        with self._went_on:
            assert self._went_on.wait_for(lambda: self.number >= until, PATIENCE_S), "nothing is sent"

    def enter(self, *, inside: bool) -> None:
        """Be inside of the forbidden area from the next round on, or outside."""
        self.inside = inside
        self.go_on(2)

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self._stop.is_set():
            number, inside = self.number, self.inside
            if inside:
                self.were_inside.add(number)
            self.sent_ns.append(self._clock.boot_ns())
            for bus, identifier, data, fd in one_round(self._tokens, number, inside=inside, speed=self.speed):
                self._buses[bus].send(
                    can.Message(arbitration_id=identifier, is_extended_id=False, data=data, is_fd=fd)
                )
            with self._went_on:
                self._went_on.notify_all()
            due_s += self._period_s
            self._stop.wait(max(0.0, due_s - time.monotonic()))


class RunningGateway:
    """`nevgate run` as a process of its own, with what it says.

    Args:
        configuration: its file; its folder is the process's own.
        command: what is run in place of ``nevgate run``, from the project's folder.
        environment: added to that of this process.

    Attributes:
        folder: of it all.
        said: answers of the control socket and of commands, as text.
        journal: folder of its journal.
    """

    def __init__(
        self,
        configuration: Path,
        command: Sequence[str] = ("-m", "edge", "run"),
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.folder = configuration.parent
        self.said: list[str] = []
        self.journal = load_config(configuration).journal_folder or self.folder
        self._configuration = configuration
        self._log = self.folder / "gateway.log"
        self._out = self.folder / "account.json"
        words = [sys.executable, *command, "--config", str(configuration), "--no-live", "--json", "--verbose"]
        env = {**os.environ, "PYTHONPATH": str(PROJECT), **environment} if environment else None
        with self._log.open("ab") as log, self._out.open("wb") as out:
            self.process = subprocess.Popen(words, stdout=out, stderr=log, cwd=self.folder, env=env)

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self._log.read_text()

    @property
    def control(self) -> ControlClient:
        """Its control socket."""
        return ControlClient(self.journal / "control.sock")

    def ask(self, **request: object) -> dict[str, Any]:
        """Ask on the control socket."""
        answer = self.control.ask(request)
        self.said.append(json.dumps(answer))
        return answer

    def consent(self, *words: str) -> None:
        """Run ``nevgate consent``."""
        done = subprocess.run(
            [sys.executable, "-m", "edge", "consent", *words, "-c", str(self._configuration)],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            cwd=self.folder,
        )
        self.said += [done.stdout, done.stderr]
        assert done.returncode == 0, done.stderr

    def await_ready(self) -> None:
        """Wait until it answers."""

        def answers() -> bool:
            assert self.process.poll() is None, self.log
            try:
                self.ask(do="state")
            except ControlError:
                return False
            return True

        until(answers, "the gateway does not answer")

    def await_state(self, condition: Callable[[dict[str, Any]], bool], failing: str) -> None:
        """Wait until the state fulfils a condition."""
        until(lambda: condition(self.ask(do="state")), failing)

    @property
    def capture_pid(self) -> int | None:
        """Process id of capture; None while there is none."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        for pid in map(int, children.split()):
            if Path(f"/proc/{pid}/comm").read_text().strip() == "nevgate-capture":
                return pid
        return None

    def end(self) -> dict[str, Any]:
        """End it in order; give its account."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)
        account: dict[str, Any] = json.loads(self._out.read_text())
        return account


class Drive:
    """Everything that takes part.

    Attributes:
        tokens: that are sent.
        sender: sends them.
        gateway: the one under test.
        proxy: between gateway and broker.
        listener: hears what the broker hands on.
        folder: of the gateway.
    """

    def __init__(
        self,
        tokens: Tokens,
        sender: Sender,
        gateway: RunningGateway,
        proxy: RecordingProxy,
        listener: Listener,
    ) -> None:
        self.tokens = tokens
        self.sender = sender
        self.gateway = gateway
        self.proxy = proxy
        self.listener = listener
        self.folder = gateway.folder

    def now_ns(self) -> int:
        """Boot-monotonic time, by which everything is stamped."""
        return SystemClock().boot_ns()


def until(condition: Callable[[], bool], failing: str) -> None:
    """Wait for something that takes a while."""
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, failing
        time.sleep(0.02)


@contextmanager
def tls_platform(folder: Path) -> Iterator[tuple[int, Path, Listener]]:
    """Mosquitto with TLS, a platform and a listener at it: its port, its authority's file, and the latter."""
    clock = SystemClock()
    authority = Authority(folder, wall_ns=clock.wall_ns())
    platform_key = SigningKey.seeded(b"platform")
    keys = {VIN: [SigningKey.seeded(b"vehicle").public]}
    with ExitStack() as stack:
        broker = MosquittoBroker(folder / "broker", BrokerOptions(tls=authority.server()))
        port = stack.enter_context(broker).port()
        tls = tls_context(TlsSettings(authority.certificate))
        platform = stack.enter_context(
            open_platform(keys=keys, store=folder / "platform.db", key=platform_key, receipt_interval_s=0.1)
        )
        access = BrokerAccess(LOOPBACK, port, tls=tls)
        stack.enter_context(PlatformService(platform, access)).wait_ready(PATIENCE_S)
        listener = stack.enter_context(Listener(port, tls_context(TlsSettings(authority.certificate)), clock))
        yield port, authority.certificate, listener


@contextmanager
def driving(folder: Path, *, seed: int = 1, rounds_per_s: float = 60.0) -> Iterator[Drive]:
    """A gateway that runs on UDP multicast buses, with a vehicle that drives.

    Args:
        folder: an empty one.
        seed: of the tokens.
        rounds_per_s: how often each message is sent.
    """
    vehicle, other = folder / "vehicle", folder / "other"
    vehicle.mkdir()
    other.mkdir()
    ports = free_ports(2)
    tokens = Tokens(seed)
    with ExitStack() as stack:
        port, authority, listener = stack.enter_context(tls_platform(other))
        proxy = stack.enter_context(RecordingProxy(port))
        buses = {
            name: stack.enter_context(
                can.Bus(interface="udp_multicast", channel=GROUP, port=bus_port, fd=True)
            )
            for name, bus_port in zip(("pt", "body"), ports, strict=True)
        }
        lines = {
            name: f'interface = "udp_multicast"\nfd = true\nchannel = "{GROUP}:{bus_port}"\n'
            for name, bus_port in zip(("pt", "body"), ports, strict=True)
        }
        uplink = f'port = {proxy.port}\ntls.ca_file = "{authority}"'
        configuration = write_configuration(vehicle, lines, uplink)
        gateway = RunningGateway(configuration)
        stack.callback(gateway.process.kill)
        sender = Sender(buses, tokens, rounds_per_s)
        gateway.await_ready()
        sender.start()
        stack.callback(sender.stop)
        yield Drive(tokens, sender, gateway, proxy, listener)
