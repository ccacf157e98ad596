"""One JSON object a line: how requests and answers stand on the control socket."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping

from edge.clock import NS_PER_S, Clock
from edge.errors import ControlError

REQUEST_BYTES = 64 * 1024
ANSWER_BYTES = 4 * 1024 * 1024
_CHUNK = 65_536


class LineReader:
    """Takes lines out of a connection; whoever sends byte by byte gets no more time for it.

    Args:
        connection: its time-out is changed.
        clock: time.
        limit: bytes that a line may have.
    """

    def __init__(self, connection: socket.socket, clock: Clock, limit: int) -> None:
        self._connection = connection
        self._clock = clock
        self._limit = limit
        self._rest = b""

    def line(self, timeout_s: float) -> bytes | None:
        """The next line without its end; None where the other side has closed.

        Raises:
            ControlError: the line is too long, or ended in its midst.
            TimeoutError: it did not come in time.
            OSError: the connection broke.
        """
        end_ns = self._clock.boot_ns() + round(timeout_s * NS_PER_S)
        while b"\n" not in self._rest:
            if len(self._rest) > self._limit:
                raise ControlError(f"a line has more than {self._limit} bytes")
            left_s = (end_ns - self._clock.boot_ns()) / NS_PER_S
            if left_s <= 0:
                raise TimeoutError
            self._connection.settimeout(left_s)
            chunk = self._connection.recv(_CHUNK)
            if not chunk:
                if self._rest:
                    raise ControlError("the line has no end")
                return None
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        if len(line) > self._limit:
            raise ControlError(f"a line has more than {self._limit} bytes")
        return line


def read_object(line: bytes) -> dict[str, object]:
    """The object that a line holds.

    Raises:
        ControlError: it holds none, or numbers that JSON does not know.
    """
    try:
        value = json.loads(line, parse_constant=_no_constant)
        # A lone surrogate is JSON, but no text that could be kept.
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ControlError("the line is nested too deeply") from None
    except ValueError as error:
        raise ControlError(f"the line is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise ControlError("the line is no JSON object", todo='Send an object such as {"do": "state"}')
    return value


def write_object(value: Mapping[str, object]) -> bytes:
    """An object as a line, its end included."""
    return json.dumps(value).encode() + b"\n"


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
