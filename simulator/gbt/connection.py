"""`Connection`: the bytes of one connection to frames and back, refusals, time-outs."""

from __future__ import annotations

from abc import ABC, abstractmethod

from edge.catalogue.item import Edition
from edge.clock import NS_PER_S
from edge.wire.gbt.beijing import TIME_BYTES
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import VIN_BYTES, Command, Encryption, Frame, Response
from edge.wire.gbt.message import Values, read_unit
from edge.wire.gbt.security.faults import DecryptionError
from edge.wire.gbt.steps import Raws
from edge.wire.gbt.stream import Skipped, StreamDecoder
from simulator.gbt.books import Books
from simulator.gbt.checks import PARSE_FAULTS, Fault, RefusedError, flag_of
from simulator.gbt.events import Closed, Event, Garbage, Refused, Turn
from simulator.gbt.owed_answers import OwedAnswers
from simulator.gbt.register import PlatformEntry
from simulator.gbt.vehicle_state import VehicleState

_TIMED = frozenset(
    {
        Command.VEHICLE_LOGIN,
        Command.REAL_TIME,
        Command.REISSUE,
        Command.VEHICLE_LOGOUT,
        Command.PLATFORM_LOGIN,
        Command.PLATFORM_LOGOUT,
        Command.ACTIVATE,
    }
)


class Connection(ABC):
    """Takes the bytes of one connection and the time; hands out bytes to send and what happened.

    Whatever the bytes are, it raises nothing but errors of the store, and holds no more than one frame and
    the answers to what one call hands in.

    Args:
        platform: what it shares with the others.
        now_ns: Unix time.
        peer: the other side's address for people.

    Attributes:
        peer: the same.
        who: the VIN, or the platform's user; empty before login.
        edition: that it speaks; None before login.
        closed: why it was closed; empty while it is open.
    """

    def __init__(self, platform: Books, now_ns: int, peer: str = "") -> None:
        self.peer = peer
        self.who = ""
        self.edition: Edition | None = None
        self.closed = ""
        self._platform = platform
        self._settings = platform.settings
        self._decoder = StreamDecoder(platform.settings.unit_bytes)
        self._now_ns = self._opened_ns = self._heard_ns = now_ns
        self._begun_ns: int | None = None
        self._vehicle: VehicleState | None = None
        self._entry: PlatformEntry | None = None
        self._plain = b""
        self._out: list[bytes] = []
        self._events: list[Event] = []
        self._owed = OwedAnswers(platform.settings.asks_most, platform.settings.answer_s)

    @property
    def is_platform(self) -> bool:
        """Whether a platform has logged in over it."""
        return self._entry is not None

    @property
    def logged_in(self) -> bool:
        """Whether a vehicle or a platform has logged in over it."""
        return self._vehicle is not None or self._entry is not None

    def take(self, data: bytes, now_ns: int) -> Turn:
        """Take bytes that came in.

        Raises:
            StoreError: a report cannot be kept.
        """
        if self.closed:
            return Turn()
        self._now_ns = now_ns
        found = self._decoder.feed(data)
        self._work_off(found)
        if not self._decoder.pending:
            self._begun_ns = None
        elif found or self._begun_ns is None:
            self._begun_ns = now_ns
        return self._turn()

    def tick(self, now_ns: int) -> Turn:
        """Time has passed: whatever waited too long is given up.

        Raises:
            StoreError: a report cannot be kept.
        """
        if self.closed:
            return Turn()
        self._now_ns = now_ns
        settings = self._settings
        if self._begun_ns is not None and now_ns - self._begun_ns >= settings.frame_s * NS_PER_S:
            self._begun_ns = None
            self._work_off(self._decoder.flush())
        self._events += self._owed.overdue(self.who, now_ns)
        if not self.closed:
            if self.logged_in and now_ns - self._heard_ns >= settings.silence_s * NS_PER_S:
                self._end(f"nothing was heard for {settings.silence_s:g} s")
            elif not self.logged_in and now_ns - self._opened_ns >= settings.login_s * NS_PER_S:
                self._end(f"no login within {settings.login_s:g} s")
        return self._turn()

    def lost(self, now_ns: int, why: str = "the other side has closed it") -> Turn:
        """The connection has ended; what had begun to come is searched for frames."""
        if self.closed:
            return Turn()
        self._now_ns = now_ns
        self._work_off(self._decoder.flush())
        if not self.closed:
            self._end(why)
        turn = self._turn()
        return Turn(b"", turn.events, turn.close)

    def end(self, why: str) -> Turn:
        """Close it from this side."""
        if self.closed:
            return Turn()
        self._end(why)
        return self._turn()

    def _turn(self) -> Turn:
        turn = Turn(b"".join(self._out), tuple(self._events), self.closed)
        self._out.clear()
        self._events.clear()
        return turn

    def _work_off(self, found: list[Frame | Skipped]) -> None:
        for one in found:
            if self.closed:
                return
            if isinstance(one, Frame):
                self._frame(one)
            else:
                self._skipped(one)

    def _skipped(self, skipped: Skipped) -> None:
        self._platform.garbage += 1
        if self._vehicle is not None:
            self._vehicle.figures.frames += 1
            self._vehicle.figures.parse_errors += 1
        self._events.append(Garbage(self.who, skipped))

    def _frame(self, frame: Frame) -> None:
        platform = self._platform
        platform.frames += 1
        self._heard_ns = self._now_ns
        self._plain = frame.unit if frame.encryption == Encryption.NONE else b""
        try:
            self._handle(frame)
        except RefusedError as refused:
            self._refuse(frame, refused)
        state = platform.vehicles.get(frame.vin)
        if state is not None:
            state.figures.frames += 1

    @abstractmethod
    def _handle(self, frame: Frame) -> None:
        """Do what a frame asks for.

        Raises:
            RefusedError: it fails a check.
        """

    @abstractmethod
    def _leave(self) -> None:
        """The session is over, the connection not yet."""

    def _refuse(self, frame: Frame, refused: RefusedError) -> None:
        fault = refused.fault
        platform = self._platform
        platform.counts[f"refused: {fault.value}"] += 1
        if fault in PARSE_FAULTS and (state := platform.vehicles.get(frame.vin)) is not None:
            state.figures.parse_errors += 1
        flag: Response | None = None
        if frame.response == Response.COMMAND:
            login = frame.command == Command.VEHICLE_LOGIN
            flag = flag_of(
                fault, frame.edition, vehicle_login=login, login_faults=self._settings.login_faults
            )
        if flag is not None:
            self._reply(frame, flag)
        self._events.append(Refused(vin_text(frame.vin), frame.command, fault, refused.detail, flag))

    def _reply(self, frame: Frame, flag: Response, unit: bytes | None = None) -> None:
        if unit is not None:
            encryption = Encryption.NONE
        elif self._settings.answers_whole:
            encryption, unit = Encryption(frame.encryption), frame.unit
        else:
            encryption = Encryption.NONE
            timed = frame.command in _TIMED and len(self._plain) >= TIME_BYTES
            unit = self._plain[:TIME_BYTES] if timed else b""
        self._out.append(Frame(frame.edition, frame.command, flag, frame.vin, encryption, unit).write())

    def _opened(self, frame: Frame, state: VehicleState | None) -> bytes:
        """The data unit of a frame, decrypted."""
        if frame.encryption == Encryption.NONE:
            return frame.unit
        own = self._platform.register.own
        if self._entry is not None:
            own = {**own, **self._entry.ciphers}
        keys = state.keys if state is not None else self._platform.no_keys
        try:
            unit = keys.opened(frame, own, self._now_ns // NS_PER_S).unit
        except DecryptionError as error:
            raise RefusedError(Fault.DECRYPTION, error.what) from error
        self._plain = unit
        return unit

    def _values(self, frame: Frame, state: VehicleState | None) -> Raws:
        """The raw values of a command's data unit."""
        unit = self._opened(frame, state)
        try:
            content = read_unit(unit, frame.edition, frame.command, frame.response)
        except GbtError as error:
            raise RefusedError(Fault.STRUCTURE, str(error)) from error
        if not isinstance(content, Values):
            raise RefusedError(Fault.STRUCTURE, "the data unit is empty")
        return content.raws

    def _end(self, why: str) -> None:
        who = self.who
        self._leave()
        self.closed = why
        self._events.append(Closed(who, why))


def vin_text(vin: bytes) -> str:
    """A VIN for people."""
    return vin[:VIN_BYTES].decode("ascii", "backslashreplace")
