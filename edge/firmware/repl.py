"""A board's prompt over mpremote: brings the board there, runs text on it, and resets it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from importlib import resources
from types import ModuleType
from typing import Any, Protocol

from edge.bus.vlink.ports import open_board
from edge.errors import FirmwareError, SourceError
from edge.firmware.asking import into_loader
from edge.firmware.compiler import EXTRA

SPEED = 115_200
_PROMPT_S = 3
_BACK_S = 15.0
_PAUSE_S = 0.3
_ANSWER_S = 60


class Repl(Protocol):
    """A board at its prompt, with the agent on it."""

    def run(self, text: str) -> str:
        """Run text on the board; what it printed.

        Raises:
            FirmwareError: it raised something, or the board does not answer.
        """

    def restart(self) -> None:
        """Reset the board; it is no longer at its prompt."""


class MpremoteRepl:
    """A board at its prompt behind a serial port, with the agent on it.

    Args:
        transport: of mpremote, in its raw mode.
    """

    def __init__(self, transport: Any) -> None:  # noqa: ANN401 - mpremote has no types
        self._transport = transport
        self.device: str = transport.device_name
        """Of its port."""
        self.run(agent_text())
        self.interrupted: bool = self.run("print('program' in sys.modules)").strip() == "True"
        """Whether a program of a bundle ran until the prompt came."""

    def run(self, text: str) -> str:
        """See `Repl.run`."""
        transport = self._transport
        try:
            out, error = transport.exec_raw(text, timeout=_ANSWER_S)
        except (mpremote_errors(), OSError) as fault:
            raise FirmwareError(f"the board does not answer: {fault}", where=self.device) from fault
        if error:
            words = error.decode(errors="replace").strip().splitlines()
            lacks = "ImportError" in words[-1]
            todo = "Take an image of MicroPython that has it: see docs/firmware.md" if lacks else ""
            raise FirmwareError(f"the board says: {words[-1]}", where=self.device, todo=todo)
        return str(out.decode(errors="replace"))

    def restart(self) -> None:
        """See `Repl.restart`."""
        with contextlib.suppress(mpremote_errors(), OSError):
            self._transport.exec_raw_no_follow("restart()")
            time.sleep(0.2)


def agent_text() -> str:
    """The text of the agent."""
    return (resources.files("edge.firmware") / "agent_on_board.py").read_text("utf-8")


def state_of(repl: Repl) -> dict[str, Any]:
    """What the agent tells of the board."""
    return _told(repl, "state()")


def hashes_of(repl: Repl, slot: str) -> dict[str, tuple[int, str]]:
    """Size and hash of each file of a slot."""
    return {path: (size, digest) for path, (size, digest) in _told(repl, f"hashes({slot!r})").items()}


def _told(repl: Repl, text: str) -> dict[str, Any]:
    said = repl.run(text)
    try:
        told = json.loads(said)
    except ValueError:
        raise FirmwareError(f"the board answers what cannot be read: {said[:80]!r}") from None
    if not isinstance(told, dict):
        raise FirmwareError(f"the board answers what cannot be read: {said[:80]!r}")
    return told


@contextlib.contextmanager
def at_prompt(channel: str, say: Callable[[str], None] = lambda _: None) -> Iterator[MpremoteRepl]:
    """Bring a board to its prompt, out of a running bridge if need be, and let go of it at the end.

    Args:
        channel: a device, ``auto``, or ``auto:`` with a serial number.
        say: is told what takes time.

    Raises:
        FirmwareError: mpremote is missing, or the board does not come to its prompt.
        SourceError: the port cannot be found or opened.
    """
    serial = _mpremote()
    if into_loader(channel):
        say("the bridge on the board has been asked to restart into its loader")
        time.sleep(_PAUSE_S)
    transport = _prompt_again(serial, channel)
    try:
        repl = MpremoteRepl(transport)
        if repl.interrupted:
            # The watchdog of what ran before would bite: only a reset ends it.
            say("the program on the board has been interrupted; it restarts into its loader")
            repl.run("stay()")
            repl.restart()
            _let_go(transport)
            transport = _prompt_again(serial, channel)
            repl = MpremoteRepl(transport)
        yield repl
    finally:
        _let_go(transport)


def _let_go(transport: Any) -> None:  # noqa: ANN401 - mpremote has no types
    with contextlib.suppress(OSError):
        if transport.in_raw_repl:
            transport.exit_raw_repl()
        transport.close()


def _prompt(serial: ModuleType, device: str) -> Any | None:  # noqa: ANN401 - mpremote has no types
    """The board at its raw prompt; None where none comes."""
    transport = serial.SerialTransport(device, SPEED, timeout=1)
    words: list[str] = []
    try:
        with contextlib.redirect_stdout(_Words(words)):
            transport.enter_raw_repl(soft_reset=False, timeout_overall=_PROMPT_S)
    except (mpremote_errors(), OSError):
        with contextlib.suppress(OSError):
            transport.close()
        return None
    return transport


def _prompt_again(serial: ModuleType, channel: str) -> Any:  # noqa: ANN401 - mpremote has no types
    """The board at its prompt, once it is back: a reset takes a port of USB away for a while."""
    ends = time.monotonic() + _BACK_S
    while True:
        try:
            port = open_board(channel, SPEED)
        except SourceError:
            if time.monotonic() > ends:
                raise
            time.sleep(_PAUSE_S)
            continue
        device = port.name
        port.close()
        transport = _prompt(serial, device)
        if transport is not None:
            return transport
        if time.monotonic() > ends:
            raise FirmwareError(
                "the board comes neither to MicroPython's prompt nor answers as a bridge",
                where=device,
                todo="Is it a board with MicroPython? Reset it, with the loader's jumper fitted",
            )


class _Words:
    """Takes what mpremote prints of its own accord."""

    def __init__(self, words: list[str]) -> None:
        self._words = words

    def write(self, text: str) -> int:
        """Take it."""
        self._words.append(text)
        return len(text)

    def flush(self) -> None:
        """Nothing waits."""


def _mpremote() -> ModuleType:
    try:
        from mpremote import transport_serial  # noqa: PLC0415 - of an extra
    except ImportError:
        raise FirmwareError("mpremote is not installed", todo=EXTRA) from None
    module: ModuleType = transport_serial
    return module


def mpremote_errors() -> type[Exception]:
    """What mpremote raises."""
    from mpremote.transport import TransportError  # noqa: PLC0415 - of an extra

    error: type[Exception] = TransportError
    return error
