"""Fills UDP multicast buses from outside, faster than a vehicle: datagrams that were packed before."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping

import can
from can.interfaces.udp_multicast.utils import pack_message

from edge.closing import Closing
from tests.live_canary.tokens import Tokens
from tests.live_canary.vehicle import GNSS, one_round

_TICK_S = 0.005
_POSITIONS_A_SECOND = 10


class Blast(Closing):
    """Sends rounds of all messages, and ten positions a second, on a thread of its own.

    Args:
        group: multicast group of all buses.
        ports: of each bus.

    Attributes:
        frames_per_s: how many are sent; may be changed at any time.
        rounds: that were sent.
        frames: that were sent.
    """

    def __init__(self, group: str, ports: Mapping[str, int]) -> None:
        self.frames_per_s = 0
        self.rounds = 0
        self.frames = 0
        packed = [
            (
                identifier,
                (group, ports[bus]),
                pack_message(
                    can.Message(arbitration_id=identifier, is_extended_id=False, data=data, is_fd=fd)
                ),
            )
            for bus, identifier, data, fd in one_round(Tokens(1), 1, inside=False, speed=60)
        ]
        self._round = [(target, data) for identifier, target, data in packed if identifier != GNSS]
        self._position = next((target, data) for identifier, target, data in packed if identifier == GNSS)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def a_round(self) -> int:
        """Frames of a round."""
        return len(self._round)

    def close(self) -> None:
        """Send nothing more."""
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        last_s = position_s = time.monotonic()
        owed = 0.0
        while not self._stop.wait(_TICK_S):
            now_s = time.monotonic()
            owed += (now_s - last_s) * self.frames_per_s / len(self._round)
            last_s = now_s
            for _ in range(int(owed)):
                for target, data in self._round:
                    self._socket.sendto(data, target)
            self.rounds += int(owed)
            self.frames += int(owed) * len(self._round)
            owed %= 1
            if now_s - position_s >= 1 / _POSITIONS_A_SECOND:
                position_s = now_s
                self._socket.sendto(self._position[1], self._position[0])
                self.frames += 1
