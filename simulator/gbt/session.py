"""`PlatformConnection`: one connection of a terminal or a platform, without its socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

from edge.catalogue.item import Edition
from edge.clock import NS_PER_S
from edge.wire.gbt.beijing import TIME_BYTES, time_bytes, unix_seconds
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import Command, Encryption, Frame, Response
from edge.wire.gbt.message import (
    REPORTS,
    Message,
    Report,
    read_report,
)
from edge.wire.gbt.security.faults import SignatureError
from edge.wire.gbt.security.signatures import check_signature
from edge.wire.gbt.steps import Raws
from simulator.gbt.accepted import Accepted
from simulator.gbt.asks import Ask
from simulator.gbt.books import Books
from simulator.gbt.checks import Fault, RefusedError, judge_number
from simulator.gbt.connection import Connection, vin_text
from simulator.gbt.enrolment import OfferedKey, activate, offer_data_key, take_data_key
from simulator.gbt.events import (
    Doubled,
    KeyAnswered,
    LoggedIn,
    LoggedOut,
    Turn,
)
from simulator.gbt.settings import Answers, SecondLogin, SessionNumbers, Signatures
from simulator.gbt.vehicle_state import Standing, VehicleState

_BEIJING_S, _DAY_S = 8 * 3600, 86_400


class PlatformConnection(Connection):
    """A connection of a terminal or a platform.

    It belongs to a vehicle from its login (command 0x01) on, or to a platform from its own (0x05), over which
    many vehicles may come. See `Connection` for its arguments and attributes.
    """

    def __init__(self, platform: Books, now_ns: int, peer: str = "") -> None:
        super().__init__(platform, now_ns, peer)
        self._number = 0
        self._forwarded: dict[bytes, int] = {}
        self._spoken_for: set[bytes] = set()
        self._offered: OfferedKey | None = None

    def ask(self, ask: Ask, now_ns: int) -> bytes:
        """A command to the vehicle's terminal, as bytes to send; see `Books.ask`.

        Raises:
            GbtError: no vehicle is logged in, too many answers are owed, or its edition cannot say that.
        """
        if self._vehicle is None or self.edition is None:
            raise GbtError("no vehicle is logged in over this connection")
        return self._owed.ask(ask, self.edition, self._vehicle.entry.vin, now_ns)

    def offer_key(self, code: Encryption, secret: bytes, now_ns: int) -> bytes:
        """A data key for the vehicle's terminal (2025), as bytes to send; it holds once that has taken it.

        Args:
            code: AES or SM4.
            secret: 16 random bytes.
            now_ns: Unix time.

        Raises:
            GbtError: no vehicle of 2025 is logged in, or it has activated no key that encrypts.
        """
        if self._vehicle is None or self.edition is not Edition.Y2025:
            raise GbtError("no vehicle of 2025 is logged in over this connection")
        self._offered = offer_data_key(self._platform, self._vehicle, code, now_ns // NS_PER_S, secret)
        return self._offered.frame.write()

    def _handle(self, frame: Frame) -> None:
        if frame.response != Response.COMMAND:
            self._answer(frame)
        elif frame.command in REPORTS:
            self._report(frame)
        else:
            _HANDLERS.get(frame.command, PlatformConnection._no_command)(self, frame)
            self._platform.counts["of the session"] += 1

    def _no_command(self, frame: Frame) -> None:
        raise RefusedError(Fault.COMMAND, f"{frame.command:02X}")

    def _report(self, frame: Frame) -> None:
        state = self._speaker(frame)
        unit = self._plain
        if frame.encryption != Encryption.NONE:
            unit = self._opened(frame, state)
        edition = frame.edition
        shape = self._platform.shapes.find(edition, unit)
        report = None if shape is not None else _taken_apart(unit, edition)
        time_s = _seconds(unit[:TIME_BYTES])
        if time_s is None:
            raise RefusedError(Fault.STRUCTURE, f"{unit[:TIME_BYTES].hex()} is no time")
        if edition is Edition.Y2025 and self._signature_wanted(state):
            self._check_signature(frame, report or _taken_apart(unit, edition), state)
        accepted = Accepted(frame.vin, edition, frame.command, time_s, self._now_ns, unit)
        if not self._platform.take(state, accepted, shape, report):
            self._events.append(Doubled(state.name, time_s))
        if self._settings.answers is Answers.ALL:
            self._reply(frame, Response.SUCCESS)

    def _signature_wanted(self, state: VehicleState) -> bool:
        wanted = self._settings.signatures
        known = state.keys.verifier is not None
        return wanted is Signatures.ALL or (known and wanted is Signatures.REGISTERED)

    def _check_signature(self, frame: Frame, report: Report, state: VehicleState) -> None:
        verifier = state.keys.verifier
        if verifier is None:
            raise RefusedError(Fault.SIGNATURE, "no key of the vehicle is known")
        message = Message(frame.edition, frame.command, frame.response, frame.vin, report)
        try:
            check_signature(message, verifier, self._settings.options)
        except SignatureError as error:
            raise RefusedError(Fault.SIGNATURE, error.what) from error

    def _speaker(self, frame: Frame) -> VehicleState:
        """The vehicle of a report or command, which has to be that of the connection, or may come over it."""
        if self.edition is None:
            raise RefusedError(Fault.NOT_LOGGED_IN)
        if frame.edition is not self.edition and self._entry is None:
            raise RefusedError(Fault.EDITION, f"{frame.edition.value} after a login in {self.edition.value}")
        if self._vehicle is not None:
            if frame.vin != self._vehicle.entry.vin:
                raise RefusedError(Fault.VIN_OTHER, vin_text(frame.vin))
            return self._vehicle
        if self._settings.forwarded_logins and frame.vin not in self._forwarded:
            raise RefusedError(Fault.NOT_LOGGED_IN, "this vehicle")
        state = self._known(frame)
        if frame.vin not in self._spoken_for:
            self._spoken_for.add(frame.vin)
            state.figures.continuity.session()
        return state

    def _known(self, frame: Frame) -> VehicleState:
        """The vehicle that a frame names, if the register knows it and lets it come so."""
        if frame.edition not in self._settings.editions:
            raise RefusedError(Fault.EDITION, f"{frame.edition.value} is not spoken here")
        if self._entry is not None and not self._entry.forwards(frame.vin):
            raise RefusedError(Fault.VIN_UNKNOWN, "this platform may not forward it")
        state = self._platform.vehicle(frame.vin)
        if state.entry.edition not in {None, frame.edition}:
            raise RefusedError(Fault.EDITION, f"the vehicle is registered for {state.entry.edition}")
        return state

    def _vehicle_login(self, frame: Frame) -> None:
        state = self._known(frame)
        raws = self._values(frame, state)
        number, missed, rose = self._judge_number(raws, state)
        if self._entry is None:
            if self._vehicle is not None and self._vehicle is not state:
                raise RefusedError(Fault.VIN_OTHER, state.name)
            self._supersede(state.connection, "VIN")
            state.connection = self
            self._vehicle, self.who, self._number = state, state.name, number
            self.edition = frame.edition
        else:
            self._forwarded[frame.vin] = number
            self._spoken_for.add(frame.vin)
        state.session = (number, _beijing_day(raws[0]))
        state.figures.continuity.session()
        self._reply(frame, Response.SUCCESS)
        by = "" if self._entry is None else self._entry.user
        self._events.append(
            LoggedIn(state.name, frame.edition, number, by=by, number_rose=rose, missed=missed)
        )

    def _judge_number(self, raws: Raws, state: VehicleState) -> tuple[int, int, bool]:
        time_s = _seconds(raws[0])
        if time_s is None:
            raise RefusedError(Fault.STRUCTURE, f"{raws[0].hex()} is no time")
        judged = judge_number(raws[1], _beijing_day(raws[0]), state.session)
        if not judged.rises:
            before = "none" if state.session is None else str(state.session[0])
            if self._settings.session_numbers is SessionNumbers.REFUSED:
                raise RefusedError(Fault.SESSION_NUMBER, f"{raws[1]} after {before}")
            self._platform.facts["session numbers that do not rise"] += 1
        return raws[1], judged.missed, judged.rises

    def _supersede(self, other: Standing | None, identity: str) -> None:
        """Deal with the connection that has the same identity, if there is one."""
        if other is None or other is self:
            return
        if self._settings.second_login is SecondLogin.REFUSE_NEW:
            raise RefusedError(Fault.VIN_DUPLICATE, f"this {identity} is logged in from {other.peer}")
        self._platform.drop(other, f"a new login of the same {identity}")

    def _vehicle_logout(self, frame: Frame) -> None:
        state = self._speaker(frame)
        raws = self._values(frame, state)
        expected = self._number if self._entry is None else self._forwarded.get(frame.vin, raws[1])
        if raws[1] != expected:
            raise RefusedError(Fault.SESSION_NUMBER, f"{raws[1]}, but the login's was {expected}")
        self._reply(frame, Response.SUCCESS)
        self._events.append(LoggedOut(state.name, raws[1]))
        state.figures.continuity.session(in_order=True)
        if self._entry is None:
            self._leave()
        else:
            self._forwarded.pop(frame.vin, None)

    def _platform_login(self, frame: Frame) -> None:
        if frame.edition not in self._settings.editions:
            raise RefusedError(Fault.EDITION, f"{frame.edition.value} is not spoken here")
        if self._vehicle is not None:
            raise RefusedError(Fault.COMMAND, "this connection is a vehicle's")
        raws = self._values(frame, None)
        entry = self._platform.register.platform(raws[2], raws[3], frame.vin)
        if entry is None:
            raise RefusedError(Fault.ACCESS, raws[2].rstrip(b"\0 ").decode("gb18030", "backslashreplace"))
        if self._entry is not None and self._entry.user != entry.user:
            raise RefusedError(Fault.ACCESS, f"this connection is {self._entry.user}'s")
        self._supersede(self._platform.platforms.get(entry.user), "user")
        self._platform.platforms[entry.user] = self
        self._entry, self.who, self._number = entry, entry.user, raws[1]
        self.edition = frame.edition
        self._reply(frame, Response.SUCCESS)
        self._events.append(LoggedIn(entry.user, frame.edition, raws[1], platform=True))

    def _platform_logout(self, frame: Frame) -> None:
        if self._entry is None:
            raise RefusedError(Fault.NOT_LOGGED_IN)
        raws = self._values(frame, None)
        if raws[1] != self._number:
            raise RefusedError(Fault.SESSION_NUMBER, f"{raws[1]}, but the login's was {self._number}")
        self._reply(frame, Response.SUCCESS)
        self._events.append(LoggedOut(self._entry.user, raws[1]))
        self._leave()

    def _heartbeat(self, frame: Frame) -> None:
        if self._entry is None:
            self._speaker(frame)
        self._require_empty(frame)
        self._reply(frame, Response.SUCCESS, b"")

    def _time_sync(self, frame: Frame) -> None:
        self._require_empty(frame)
        self._reply(frame, Response.SUCCESS, time_bytes(self._now_ns // NS_PER_S))

    def _require_empty(self, frame: Frame) -> None:
        if frame.unit:
            raise RefusedError(Fault.STRUCTURE, "the data unit of this command is empty")

    def _activation(self, frame: Frame) -> None:
        self._require_2025(frame)
        state = self._known(frame)
        result = activate(self._platform, state, self._values(frame, state))
        self._reply_activation(frame, result)

    def _reply_activation(self, frame: Frame, result: tuple[int, int]) -> None:
        answer = Frame(
            frame.edition,
            Command.ACTIVATION_RESULT,
            Response.SUCCESS,
            frame.vin,
            Encryption.NONE,
            bytes(result),
        )
        self._out.append(answer.write())

    def _data_key(self, frame: Frame) -> None:
        self._require_2025(frame)
        state = self._known(frame)
        encrypted = frame.encryption != Encryption.NONE
        take_data_key(self._platform, state, self._values(frame, state), encrypted=encrypted)
        self._reply(frame, Response.SUCCESS, b"")

    def _require_2025(self, frame: Frame) -> None:
        if frame.edition is not Edition.Y2025:
            raise RefusedError(Fault.COMMAND, f"{frame.command:02X} is none of 2016")

    def _answer(self, frame: Frame) -> None:
        """A response: to what the platform has asked, or to nothing."""
        offered = self._offered
        if offered is not None and frame.command == Command.DATA_KEY and frame.vin == offered.frame.vin:
            self._offered = None
            if frame.response == Response.SUCCESS and self._vehicle is not None:
                self._vehicle.keys.take(offered.key)
            self._events.append(KeyAnswered(self.who, frame.response))
            self._platform.counts["answers to the operator"] += 1
            return
        if (
            self._vehicle is None
            or frame.vin != self._vehicle.entry.vin
            or not self._owed.owes(frame.command)
        ):
            self._platform.counts["responses to nothing"] += 1
            return
        unit = self._opened(frame, self._vehicle)
        self._events.append(self._owed.answered(frame, unit, self.who, self._now_ns))
        self._platform.counts["answers to the operator"] += 1

    def _leave(self) -> None:
        """The session is over, the connection not yet."""
        self._events += self._owed.ended(self.who)
        self._offered = None
        if self._vehicle is not None:
            self._vehicle.connection = None
            self._vehicle.figures.continuity.session()
            self._vehicle = None
        if self._entry is not None:
            for vin in self._spoken_for:
                self._platform.vehicles[vin].figures.continuity.session()
            self._forwarded.clear()
            self._spoken_for.clear()
            del self._platform.platforms[self._entry.user]
            self._entry = None
        self.edition = None
        self._opened_ns = self._now_ns


_HANDLERS: Mapping[int, Callable[[PlatformConnection, Frame], None]] = MappingProxyType(
    {
        Command.VEHICLE_LOGIN: PlatformConnection._vehicle_login,  # noqa: SLF001 - its own table
        Command.VEHICLE_LOGOUT: PlatformConnection._vehicle_logout,  # noqa: SLF001 - the same
        Command.PLATFORM_LOGIN: PlatformConnection._platform_login,  # noqa: SLF001 - the same
        Command.PLATFORM_LOGOUT: PlatformConnection._platform_logout,  # noqa: SLF001 - the same
        Command.HEARTBEAT: PlatformConnection._heartbeat,  # noqa: SLF001 - the same
        Command.TIME_SYNC: PlatformConnection._time_sync,  # noqa: SLF001 - the same
        Command.ACTIVATE: PlatformConnection._activation,  # noqa: SLF001 - the same
        Command.DATA_KEY: PlatformConnection._data_key,  # noqa: SLF001 - the same
    }
)


def _taken_apart(unit: bytes, edition: Edition) -> Report:
    try:
        report = read_report(unit, edition)
    except GbtError as error:
        raise RefusedError(Fault.STRUCTURE, str(error)) from error
    if report.rest:
        raise RefusedError(Fault.STRUCTURE, f"information type {report.rest[0]:02X} is not described")
    return report


@lru_cache(maxsize=1024)
def _seconds(wire: bytes) -> int | None:
    return unix_seconds(wire) if len(wire) == TIME_BYTES else None


def _beijing_day(wire: bytes) -> int:
    return ((_seconds(wire) or 0) + _BEIJING_S) // _DAY_S


__all__ = ["PlatformConnection", "Turn"]
