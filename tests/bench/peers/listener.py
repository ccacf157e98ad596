"""A peer that listens to one bus on a cable, as a program of its own.

    python -m tests.bench.peers.listener KIND LINK DATABASE OUTPUT [BROKER_PORT]

Prints ``ready``, and on SIGINT what it did as JSON. KIND is ``pipeline`` (receive a message, decode it by
cantools, look at each value's range, hand it on by a call: what the KUKSA CAN provider does in
`DBCReader._rx_worker` and `CanReader._process_can_message`, less its logging, its mapping to VSS, its queue
to a second thread and its call of the data broker for each value), ``queued`` (the same with that queue and
thread), ``asc`` or ``blf`` (`can.logger`'s loop into a file).
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import can
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.bench.peers.packet_bus import PacketBus
from tests.bench.peers.traffic import ALARM_LEVEL, can_database


class _Values:
    """The last value of each signal; a raised alarm level is published."""

    def __init__(self, broker_port: int) -> None:
        self.last: dict[str, object] = {}
        self.count = 0
        self.acknowledged_ns = 0
        self._client: mqtt.Client | None = None
        if broker_port:
            self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
            self._client.on_publish = self._on_publish
            self._client.connect("127.0.0.1", broker_port)
            self._client.loop_start()

    def take(self, name: str, value: object) -> None:
        """What is handed on."""
        self.count += 1
        if name == ALARM_LEVEL and value != self.last.get(name) and self._client is not None:
            # A value that the database has a word for comes as both.
            level = getattr(value, "value", value)
            if level == 4:
                self._client.publish("peer/alarm", json.dumps({name: level}), qos=1)
        self.last[name] = value

    def _on_publish(self, *_: object) -> None:
        self.acknowledged_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _pipeline(bus: can.BusABC, database: Path, take: Callable[[str, object], None]) -> int:
    messages = {one.frame_id: one for one in can_database(database).messages}
    count = 0
    try:
        while True:
            message = bus.recv(timeout=1)
            if message is None:
                continue
            count += 1
            definition = messages.get(message.arbitration_id)
            if definition is None:
                continue
            decoded = definition.decode(bytes(message.data), allow_truncated=True, decode_containers=True)
            for name, value in decoded.items():  # type: ignore[union-attr] # no containers here
                signal = definition.get_signal_by_name(name)
                if isinstance(value, (int, float)):
                    if signal.minimum is not None and value < signal.minimum:
                        continue
                    if signal.maximum is not None and value > signal.maximum:
                        continue
                take(name, value)
    except KeyboardInterrupt:
        return count


def _logged(bus: can.BusABC, file: Path) -> int:
    logger = can.Logger(file)
    count = 0
    try:
        while True:
            message = bus.recv(1)
            if message is not None:
                logger(message)
                count += 1
    except KeyboardInterrupt:
        logger.stop()
        return count


def main(kind: str, link: str, database: str, output: str, port: str = "0") -> None:
    """Listen until SIGINT."""
    said: dict[str, object] = {}
    with PacketBus(link) as bus:
        print("ready", flush=True)  # noqa: T201 - a program speaks
        if kind in {"asc", "blf"}:
            file = Path(output).with_suffix(f".{kind}")
            said["frames"] = _logged(bus, file)
            said["bytes"] = file.stat().st_size
        else:
            values = _Values(int(port))
            take = values.take
            if kind == "queued":
                waiting: queue.Queue[tuple[str, object]] = queue.Queue()

                def work() -> None:
                    while True:
                        values.take(*waiting.get())

                threading.Thread(target=work, daemon=True).start()
                take = lambda name, value: waiting.put((name, value))  # noqa: E731 - what it stands in for
            said["frames"] = _pipeline(bus, Path(database), take)
            said["values"], said["alarm_ns"] = values.count, values.acknowledged_ns
    print(json.dumps(said), flush=True)  # noqa: T201 - a program speaks


if __name__ == "__main__":
    main(*sys.argv[1:])
