"""`ControlClient`: asks a running gateway over its control socket."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

from edge.clock import Clock, SystemClock
from edge.control.lines import ANSWER_BYTES, LineReader, read_object, write_object
from edge.control.socket_path import check_length
from edge.errors import ControlError


class NotRunningError(ControlError):
    """Nobody listens on the socket: no gateway runs, or it has no control socket."""


class ControlClient:
    """Asks one gateway; each request has a connection of its own, so that several threads may ask.

    Args:
        path: of the socket.
        timeout_s: how long an answer may take.
        clock: time.
    """

    def __init__(self, path: Path, *, timeout_s: float = 30.0, clock: Clock | None = None) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._clock = clock or SystemClock()

    def ask(self, request: Mapping[str, object]) -> dict[str, object]:
        """Send a request and hand out its answer, whose ``ok`` is true.

        Raises:
            NotRunningError: nobody listens.
            ControlError: the gateway refuses, with its own words; it does not answer, or not in its language.
        """
        check_length(self._path)
        try:
            line = self._exchange(write_object(request))
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunningError(
                "no gateway listens here", where=str(self._path), todo="Start it by 'nevgate run'"
            ) from error
        except TimeoutError as error:
            raise ControlError("the gateway does not answer", where=str(self._path)) from error
        except PermissionError as error:
            raise ControlError(
                "you may not speak with the gateway",
                where=str(self._path),
                todo="Become its user, or give the socket other rights by control.mode",
            ) from error
        except OSError as error:
            raise ControlError(
                f"the gateway cannot be asked: {error.strerror or error}", where=str(self._path)
            ) from error
        if line is None:
            raise ControlError("the gateway gave no answer", where=str(self._path))
        answer = read_object(line)
        if answer.get("ok") is not True:
            raise ControlError(
                str(answer.get("what") or "the gateway refuses and does not say why"),
                todo=str(answer.get("todo") or ""),
            )
        return answer

    def _exchange(self, request: bytes) -> bytes | None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(self._timeout_s)
            connection.connect(str(self._path))
            connection.sendall(request)
            return LineReader(connection, self._clock, ANSWER_BYTES).line(self._timeout_s)
