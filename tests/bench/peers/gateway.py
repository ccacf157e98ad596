"""The real `nevgate run` on the cables, with Mosquitto and a platform behind it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from simulator.broker import MosquittoBroker
from tests.bench.peers import traffic
from tests.bench.peers.cables import near
from tests.road.conftest import Bench, set_up

READY_S = 60.0


class AlarmWatch:
    """Sees when the broker has the first alarm: it acknowledges a message as it hands it on."""

    def __init__(self, port: int, topic: str) -> None:
        self.seen = Event()
        self.boot_ns = 0
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe(topic, qos=0)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def arm(self) -> None:
        self.seen.clear()
        self.boot_ns = 0

    def _on_message(self, *_: object) -> None:
        if not self.seen.is_set():
            self.boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            self.seen.set()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def platform() -> Iterator[Bench]:
    """Mosquitto and the platform with its store."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        yield stack.enter_context(set_up(folder, MosquittoBroker(folder / "broker")))


def configure(
    bench: Bench, files: dict[str, Path], *, latency: str = "normal", journal: str, extra: str = ""
) -> Path:
    """Write the configuration of the issue's situation."""
    buses = "".join(
        f'[[bus]]\nname = "{bus}"\ninterface = "socketcan"\nchannel = "{near(place)}"\n'
        f'options = {{ any_link = true }}\n[[bus.database]]\nfile = "{files[bus]}"\n'
        for place, bus in enumerate(traffic.BUSES)
    )
    return bench.configure(
        f'{buses}[capture]\nlatency = "{latency}"\n'
        f'[journal]\nfolder = "{bench.folder / journal}"\nframes = true\n{extra}'
        "[sampling]\ncollect_period_s = 1\nuplink_period_s = 1\n",
        uplink="account_period_s = 3600",
    )


class Gateway:
    """A running `nevgate run`, or what stands in for it."""

    def __init__(self, config: Path, log: Path, words: Sequence[str] | None = None) -> None:
        words = words or ["-m", "edge", "run", "--config", str(config), "--no-live", "--json"]
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, *words], stdout=subprocess.PIPE, stderr=errors, text=True
            )
        end_s = time.monotonic() + READY_S
        while "policy" not in log.read_text():
            if self._process.poll() is not None or time.monotonic() > end_s:
                raise RuntimeError(f"nevgate did not start: {log.read_text()}")
            time.sleep(0.05)

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> dict[str, Any]:
        """End it; the hops of its account by name."""
        self._process.send_signal(signal.SIGINT)
        told, _ = self._process.communicate(timeout=60)
        return {f"{hop['name']}/{hop['unit']}": hop for hop in json.loads(told)["hops"]}

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
