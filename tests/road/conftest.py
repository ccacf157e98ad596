"""A bench of real parts for the whole road: a broker on loopback, a platform with its store, and keys."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge.wire.key_files import public_path, write_signing_key
from edge.wire.keys import SigningKey
from simulator.broker import Broker, EmbeddedBroker
from simulator.platform.assembly import open_platform
from simulator.platform.keyring import load_keys
from simulator.platform.reader import StoreReader
from simulator.platform.rows import StoredRecord
from simulator.platform.serve import BrokerAccess, PlatformService
from tests.policy.signed import OPERATION_AND_POSITION, signed_policy

PROJECT = Path(__file__).parents[2]
VIN = "LNVGATE00XDEM0001"


@dataclass(frozen=True, slots=True)
class Bench:
    """Where things are on the bench.

    Attributes:
        folder: scratch space, which also holds the configuration.
        port: the broker's.
        service: the platform.
        store: its file.
    """

    folder: Path
    port: int
    service: PlatformService
    store: Path

    def configure(self, buses: str, *, port: int = 0, uplink: str = "") -> Path:
        """Write a configuration with the given tables of buses; `port` stands between, for a proxy."""
        path = self.folder / "nevgate.toml"
        path.write_text(
            f'[vehicle]\nvin = "{VIN}"\n{buses}\n{signed_policy(self.folder, OPERATION_AND_POSITION)}'
            f'[uplink]\nhost = "127.0.0.1"\nport = {port or self.port}\ntls.enabled = false\n{uplink}\n'
            f'[signing]\nkey = "keys/{VIN}.pem"\nplatform = "platform.pub.pem"\n'
        )
        return path

    def nevgate(self, *arguments: str | Path) -> tuple[dict[str, Any], str]:
        """Run the program with ``--json``; return what it printed, parsed, and its standard error."""
        done = subprocess.run(
            [sys.executable, "-m", "edge", *map(str, arguments), "--json"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=self.folder,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), done.stderr

    def stored(self) -> list[StoredRecord]:
        """Everything that the platform has stored, in order."""
        with StoreReader(self.store) as reader:
            return list(reader.records())


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Set up a broker and a platform that are ready, and take them down."""
    (tmp_path / "broker").mkdir()
    with set_up(tmp_path, EmbeddedBroker(tmp_path / "broker")) as made:
        yield made


@contextmanager
def set_up(tmp_path: Path, broker: Broker) -> Iterator[Bench]:
    """Start `broker` and a platform at it, in `tmp_path`."""
    keys = tmp_path / "keys"
    keys.mkdir()
    write_signing_key(keys / f"{VIN}.pem", SigningKey.seeded(b"vehicle"))
    platform_key = SigningKey.seeded(b"platform")
    write_signing_key(tmp_path / "platform.pem", platform_key)
    assert public_path(tmp_path / "platform.pem").exists()
    store = tmp_path / "platform.db"
    with ExitStack() as stack:
        port = stack.enter_context(broker).port()
        platform = stack.enter_context(
            open_platform(keys=load_keys(keys), store=store, key=platform_key, receipt_interval_s=0.05)
        )
        service = stack.enter_context(PlatformService(platform, BrokerAccess("127.0.0.1", port)))
        service.wait_ready(20)
        yield Bench(tmp_path, port, service, store)
