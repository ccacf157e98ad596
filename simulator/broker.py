"""Brokers for the bench, each a child process on loopback: one that pip brings, and Debian's Mosquitto."""

from __future__ import annotations

import getpass
import json
import shutil
import socket
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from edge.errors import UplinkError
from simulator.certificates import Pair

LOOPBACK = "127.0.0.1"
Protocol = Literal["5", "3.1.1"]

_READY_POLLS = 400
_READY_POLL_S = 0.05
_STOP_S = 5.0


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """What a broker is to be like.

    Attributes:
        tls: the broker's certificate and key; None for no TLS.
        client_ca: authority of client certificates, which are then required.
        users: passwords by user name; empty lets everybody in.
        access: Mosquitto's access list, a line each, such as ``topic readwrite nev/#``; empty allows all.
        maximum_packet_size: bytes of the largest packet that it takes.
        receive_maximum: QoS 1 messages that it takes unacknowledged from one client.
    """

    tls: Pair | None = None
    client_ca: Path | None = None
    users: Mapping[str, str] = field(default_factory=dict)
    access: Sequence[str] = ()
    maximum_packet_size: int = 1_000_000
    receive_maximum: int = 100


class Broker(ABC):
    """A broker on loopback; a context manager that starts and stops it.

    Args:
        folder: its own, for configuration and whatever it keeps.
        options: what it is to be like.
    """

    def __init__(self, folder: Path, options: BrokerOptions | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._options = options or BrokerOptions()
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def port(self, protocol: Protocol = "5") -> int:
        """The port for clients of `protocol`; it stays the same over restarts."""

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """Write what configuration there is, and say how to run it."""

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def log_file(self) -> Path:
        """What it has said."""
        return self._folder / "broker.log"

    def start(self) -> None:
        """Start it and wait until it accepts connections.

        Raises:
            UplinkError: if it does not come up.
        """
        if self.running:
            return
        command = self._command()
        with self.log_file.open("ab") as log:
            # Its standard input stays open as long as this process lives, for brokers that watch it.
            self._process = subprocess.Popen(  # noqa: S603 - our own command line
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=self._folder
            )
        pause = threading.Event()
        ports = {self.port("5"), self.port("3.1.1")}
        for _ in range(_READY_POLLS):
            if not self.running:
                break
            if all(_accepts(port) for port in ports):
                return
            pause.wait(_READY_POLL_S)
        self.kill()
        raise UplinkError("the bench's broker did not come up", where=str(self.log_file))

    def stop(self) -> None:
        """End it in order; it may write down what it keeps."""
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._forget(process)

    def kill(self) -> None:
        """End it as a power cut would."""
        process = self._process
        if process is None:
            return
        process.kill()
        process.wait()
        self._forget(process)

    def restart(self) -> None:
        """Stop it and start it again on the same port."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _forget(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdin is not None:
            process.stdin.close()
        self._process = None


class EmbeddedBroker(Broker):
    """rumqttd out of the package iotcore, which needs no apt.

    It has a port for each version of MQTT and keeps everything in memory: sessions, retained messages and
    queues end with its process. As it is built it checks no client certificates, knows no access list, names
    no Receive Maximum and no Maximum Packet Size, and breaks the connection at a packet that is too large.

    Args:
        folder: its own, for configuration and whatever it keeps.
        options: what it is to be like.
        port: for clients of MQTT 5; without one a free port.

    Raises:
        UplinkError: if iotcore is not installed, is asked for what it does not do, or the port is taken.
    """

    def __init__(
        self, folder: Path, options: BrokerOptions | None = None, *, port: int | None = None
    ) -> None:
        super().__init__(folder, options)
        if self._options.client_ca is not None or self._options.access:
            raise UplinkError(
                "the embedded broker checks neither client certificates nor access lists",
                todo="Use Mosquitto for that",
            )
        if find_spec("iotcore") is None:
            raise UplinkError(
                "the bench's broker is not installed", todo="Install it: pip install 'nevgate[simulator]'"
            )
        self._port5, self._port311 = free_ports(2)
        if port is not None:
            _refuse_taken(port)
            self._port5 = port

    def port(self, protocol: Protocol = "5") -> int:
        """See `Broker.port`."""
        return self._port5 if protocol == "5" else self._port311

    def _command(self) -> Sequence[str]:
        path = self._folder / "rumqttd.toml"
        path.write_text(self._toml(), "utf-8")
        program = "from iotcore._serve import main; main()"
        return (sys.executable, "-c", program, json.dumps({"config_path": str(path)}))

    def _toml(self) -> str:
        lines = [
            "id = 0",
            "[router]",
            "id = 0",
            "max_connections = 1000",
            "max_outgoing_packet_count = 200",
            "max_segment_size = 104857600",
            "max_segment_count = 10",
        ]
        for version, port in (("v5", self._port5), ("v4", self._port311)):
            lines += [
                f"[{version}.1]",
                f'name = "{version}"',
                f'listen = "{LOOPBACK}:{port}"',
                "next_connection_delay_ms = 1",
                f"[{version}.1.connections]",
                "connection_timeout_ms = 60000",
                f"max_payload_size = {self._options.maximum_packet_size}",
                f"max_inflight_count = {self._options.receive_maximum}",
                "dynamic_filters = true",
            ]
            if self._options.users:
                lines.append(f"[{version}.1.connections.auth]")
                lines += [
                    f"{json.dumps(name)} = {json.dumps(word)}" for name, word in self._options.users.items()
                ]
            if self._options.tls is not None:
                lines += [
                    f"[{version}.1.tls]",
                    f"certpath = {json.dumps(str(self._options.tls.certificate))}",
                    f"keypath = {json.dumps(str(self._options.tls.key))}",
                ]
        return "\n".join(lines) + "\n"


class MosquittoBroker(Broker):
    """Debian's Mosquitto 2: both versions of MQTT on one port, sessions and queues kept in its folder.

    Raises:
        UplinkError: if mosquitto is not installed.
    """

    def __init__(self, folder: Path, options: BrokerOptions | None = None) -> None:
        super().__init__(folder, options)
        program = find_mosquitto()
        if program is None:
            raise UplinkError("mosquitto is not installed", todo="Install it: apt install mosquitto")
        self._program = program
        (self._port,) = free_ports(1)

    def port(self, protocol: Protocol = "5") -> int:
        """See `Broker.port`."""
        del protocol
        return self._port

    def _command(self) -> Sequence[str]:
        path = self._folder / "mosquitto.conf"
        path.write_text(self._configuration(), "utf-8")
        return (str(self._program), "-c", str(path))

    def _configuration(self) -> str:
        options = self._options
        lines = [
            # Started by root, it would become a user who may not read its folder.
            f"user {getpass.getuser()}",
            f"listener {self._port} {LOOPBACK}",
            "persistence true",
            f"persistence_location {self._folder}/",
            # Written down at each change, so that a kill loses as little as Mosquitto can.
            "autosave_on_changes true",
            "autosave_interval 1",
            "max_queued_messages 100000",
            f"max_packet_size {options.maximum_packet_size}",
            f"max_inflight_messages {options.receive_maximum}",
            "log_dest stdout",
            "set_tcp_nodelay true",
        ]
        if options.tls is not None:
            lines += [f"certfile {options.tls.certificate}", f"keyfile {options.tls.key}"]
        if options.client_ca is not None:
            lines += [f"cafile {options.client_ca}", "require_certificate true"]
        if options.access:
            access = self._folder / "access"
            access.write_text("\n".join(options.access) + "\n", "utf-8")
            access.chmod(0o600)
            lines.append(f"acl_file {access}")
        if options.users:
            lines += ["allow_anonymous false", f"password_file {self._password_file()}"]
        else:
            lines.append("allow_anonymous true")
        return "\n".join(lines) + "\n"

    def _password_file(self) -> Path:
        path = self._folder / "passwords"
        path.write_text("".join(f"{name}:{word}\n" for name, word in self._options.users.items()), "utf-8")
        path.chmod(0o600)
        tool = shutil.which("mosquitto_passwd") or "mosquitto_passwd"
        subprocess.run([tool, "-U", str(path)], check=True, capture_output=True)  # noqa: S603 - our own command
        return path


def find_mosquitto() -> Path | None:
    """Where Mosquitto is, also where it is outside a user's search path."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    return None if found is None else Path(found)


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nothing listens on at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _refuse_taken(port: int) -> None:
    with socket.socket() as trial:
        # As servers do, so that connections of a server that has ended do not count.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((LOOPBACK, port))
        except OSError as fault:
            raise UplinkError(
                f"no broker can listen there ({fault.strerror})",
                where=f"{LOOPBACK}:{port}",
                todo="Choose another port, or end what listens there",
            ) from fault


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False
