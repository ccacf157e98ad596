"""`LoginTest`: one connection to a platform, step by step: activation, data key, login, heartbeat, logout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from edge.clock import NS_PER_S, Clock
from edge.errors import NevgateError, UplinkError
from edge.uplink.gbt.activation import Activation
from edge.uplink.gbt.data_keys import DataKeys
from edge.uplink.gbt.secrecy import Secrecy
from edge.uplink.gbt.terminal import Terminal
from edge.wire.gbt.beijing import time_bytes
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import Command, Frame, Response
from edge.wire.gbt.message import Message, message_of
from edge.wire.gbt.stream import Skipped, StreamDecoder

_SILENCE = {
    Command.VEHICLE_LOGIN: "A platform is silent about a login that fails its check: does it know this VIN, "
    "ICCID and these pack codes, and is the edition its own?",
    Command.ACTIVATE: "Does it know the chip and its public key?",
}
_UNDER_KEY = frozenset({Command.VEHICLE_LOGIN, Command.VEHICLE_LOGOUT, Command.HEARTBEAT})
_FLAGS = {
    Response.ERROR: "an error",
    Response.VIN_DUPLICATE: "that the VIN is there twice",
    Response.VIN_UNKNOWN: "that it does not know the VIN",
    Response.SIGNATURE_ERROR: "that the signature does not hold",
    Response.STRUCTURE_ERROR: "that it cannot read the message",
    Response.DECRYPTION_ERROR: "that it cannot decrypt the message",
}


class Wire(ABC):
    """A connection. Each raises OSError."""

    @abstractmethod
    def send(self, data: bytes) -> None:
        """Send all of it."""

    @abstractmethod
    def receive(self, timeout_s: float) -> bytes | None:
        """What has come within that time; None for nothing, empty where the other side has ended it."""

    @abstractmethod
    def close(self) -> None:
        """End the connection."""


@dataclass(slots=True)
class Step:
    """One step.

    Attributes:
        name: such as ``log in``.
        ok: whether it did what it is for.
        words: what came of it.
        took_s: how long that took.
        sent: the bytes that went.
        received: those that came, whatever they were.
    """

    name: str
    ok: bool = True
    words: str = ""
    took_s: float = 0.0
    sent: bytes = b""
    received: bytes = b""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who logs in.

    Attributes:
        terminal: what it says of itself.
        number: of the session.
        secrecy: encrypts what goes; with keys to exchange, these are agreed upon before the login.
        activation: makes the terminal known before; None where it is not needed.
    """

    terminal: Terminal
    number: int
    secrecy: Secrecy = field(default_factory=Secrecy)
    activation: Activation | None = None


@dataclass(slots=True)
class LoginTest:
    """Goes through the steps; the first that fails is the last but for the logout.

    It answers nothing that the platform asks meanwhile.

    Attributes:
        caller: who logs in.
        connect: opens the connection; raises `UplinkError` or OSError.
        clock: time.
        timeout_s: how long each answer is waited for.
    """

    caller: Caller
    connect: Callable[[], Wire]
    clock: Clock
    timeout_s: float = 10.0
    _decoder: StreamDecoder = field(default_factory=StreamDecoder)

    def run(self) -> Iterator[Step]:
        """The steps as they are done."""
        step, began_ns = Step("connect"), self.clock.boot_ns()
        try:
            wire = self.connect()
        except NevgateError as error:
            yield self._failed(step, began_ns, str(error))
            return
        except OSError as error:
            yield self._failed(step, began_ns, f"no connection: {error.strerror or error}")
            return
        step.words = "the connection stands"
        yield self._done(step, began_ns)
        try:
            for step in self._steps(wire):
                yield step
        finally:
            wire.close()

    def _steps(self, wire: Wire) -> Iterator[Step]:
        caller = self.caller
        if caller.activation is not None and not caller.activation.active:
            step = self._activate(wire, caller.activation)
            yield step
            if not step.ok:
                return
        keys = caller.secrecy.keys
        if keys is not None and keys.due(self.clock.boot_ns()):
            step = self._agree(wire, keys)
            yield step
            if not step.ok:
                return
        step = self._ask(wire, "log in", lambda: self._timed(caller.terminal.login))
        yield step
        if step.ok:
            yield self._ask(wire, "heartbeat", lambda: caller.terminal.plain(Command.HEARTBEAT))
            yield self._ask(wire, "log out", lambda: self._timed(caller.terminal.logout))

    def _timed(self, make: Callable[[bytes, int], Message]) -> Message:
        return make(time_bytes(self.clock.wall_ns() // NS_PER_S), self.caller.number)

    def _ask(self, wire: Wire, name: str, make: Callable[[], Message]) -> Step:
        """Send a command and wait for its response."""
        step, began_ns = Step(name), self.clock.boot_ns()

        def judge(message: Message) -> str | None:
            if message.command != command.command or message.response == Response.COMMAND:
                return None
            if message.response != Response.SUCCESS:
                raise UplinkError(f"the platform answers {_flag(message.response)}")
            return "answered with success"

        try:
            command = make()
            self._send(wire, step, command)
            step.words = self._await(wire, step, judge, command)
        except (OSError, NevgateError) as error:
            return self._failed(step, began_ns, _words(error))
        return self._done(step, began_ns)

    def _activate(self, wire: Wire, activation: Activation) -> Step:
        step, began_ns = Step("activate"), self.clock.boot_ns()

        def judge(message: Message) -> str | None:
            result = activation.take(message)
            if result is None:
                return None
            if not result.active:
                raise UplinkError(f"the platform has not activated the terminal: {result.why}")
            return f"the platform says: {result.why}"

        try:
            request = activation.request()
            self._send(wire, step, request)
            step.words = self._await(wire, step, judge, request)
        except (OSError, NevgateError) as error:
            return self._failed(step, began_ns, _words(error))
        return self._done(step, began_ns)

    def _agree(self, wire: Wire, keys: DataKeys) -> Step:
        step, began_ns = Step("data key"), self.clock.boot_ns()

        def judge(message: Message) -> str | None:
            if message.command != Command.DATA_KEY or message.response == Response.COMMAND:
                return None
            keys.take(message, self.clock.boot_ns())
            if keys.current(self.clock.boot_ns()) is None:
                raise UplinkError(f"the platform answers {_flag(message.response)}")
            return "the platform has taken it"

        try:
            offer = keys.offer(self.clock.boot_ns())
            self._send(wire, step, offer)
            step.words = self._await(wire, step, judge, offer)
        except (OSError, NevgateError) as error:
            return self._failed(step, began_ns, _words(error))
        return self._done(step, began_ns)

    def _send(self, wire: Wire, step: Step, message: Message) -> None:
        now_ns = self.clock.boot_ns()
        if message.command in _UNDER_KEY and not self.caller.secrecy.ready(now_ns):
            raise UplinkError("no data key was agreed upon, and nothing goes in plain")
        step.sent = self.caller.secrecy.sealed(message.frame(), now_ns).write()
        wire.send(step.sent)

    def _await(self, wire: Wire, step: Step, judge: Callable[[Message], str | None], asked: Message) -> str:
        """Wait until `judge` knows what a message means.

        Raises:
            UplinkError: nothing came that answers, or what came refuses.
            OSError: the connection broke.
        """
        end_ns = self.clock.boot_ns() + round(self.timeout_s * NS_PER_S)
        besides: list[str] = []
        while (left_s := (end_ns - self.clock.boot_ns()) / NS_PER_S) > 0:
            data = wire.receive(left_s)
            if data == b"":
                raise UplinkError("the platform ends the connection instead of answering")
            step.received += data or b""
            for found in self._decoder.feed(data or b""):
                if isinstance(found, Skipped):
                    besides.append(f"{found.length} bytes that are no frame")
                    continue
                words = judge(self._read(found))
                if words is not None:
                    return words + _besides(besides)
                besides.append(f"command {found.command:02X} with flag {found.response:02X}")
        silence = f"no answer within {self.timeout_s:g} s" + _besides(besides)
        raise UplinkError(silence, todo=_SILENCE.get(Command(asked.command), ""))

    def _read(self, frame: Frame) -> Message:
        try:
            return message_of(self.caller.secrecy.opened(frame, self.clock.boot_ns()))
        except GbtError as error:
            raise UplinkError(f"the platform's answer cannot be read: {error.what}") from error

    def _done(self, step: Step, began_ns: int) -> Step:
        step.took_s = (self.clock.boot_ns() - began_ns) / NS_PER_S
        return step

    def _failed(self, step: Step, began_ns: int, words: str) -> Step:
        step.ok, step.words = False, words
        return self._done(step, began_ns)


def _flag(flag: int) -> str:
    words = _FLAGS.get(Response(flag)) if flag in set(Response) else None
    return f"{words or 'with a flag that the standard does not have'} ({flag:02X})"


def _besides(found: list[str]) -> str:
    return f" (besides: {', '.join(found)})" if found else ""


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, NevgateError) else f"the connection broke: {_strerror(error)}"


def _strerror(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error)
