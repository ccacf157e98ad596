"""`PlatformCommands`: what a platform asks of a terminal (0x80 to 0x82): judged, answered, carried out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from edge.catalogue.item import Edition
from edge.clock import NS_PER_S, Clock, TimeQuality
from edge.errors import UplinkError
from edge.uplink.events import Notice
from edge.uplink.gbt.answered import (
    Answered,
    CarryOut,
    ChangeServer,
    CommandRefusedError,
    DropLink,
    Effect,
    SecurityEvent,
)
from edge.uplink.gbt.done_commands import DoneCommands
from edge.uplink.gbt.orders import OrderDesk, order_name
from edge.uplink.gbt.parameters import Plan, TerminalParameters
from edge.uplink.gbt.server_change import ChangeAnswer, ServerChange
from edge.wire.gbt.beijing import TIME_BYTES, unix_seconds
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import Command, Encryption, Frame, Response
from edge.wire.gbt.message import Content, Message, Opaque, Values, answer, write_unit

_NAMES = {Command.QUERY: "query", Command.SET: "set", Command.CONTROL: "control order"}
_SAID_AGAIN_S = 60


class Repeated(StrEnum):
    """What a command gets that is byte for byte one that was carried out; it is not carried out again."""

    SUCCESS = "success"
    """What it got before: a platform that lost the answer learns how it stands."""

    ERROR = "error"


@dataclass(frozen=True, slots=True)
class CommandRules:
    """Which commands are taken at all.

    Attributes:
        query: whether parameters may be queried.
        set: whether they may be set.
        window_s: how far the time of a command may be from now, either way; the standard has no number.
        repeated: what a command gets that comes again.
    """

    query: bool = True
    set: bool = True
    window_s: float = 300.0
    repeated: Repeated = Repeated.SUCCESS


class PlatformCommands:
    """Takes what a platform sends down.

    A command is for this vehicle, in its edition, recent, later than the last one of its kind that was
    carried out, and not one of these again. Whether it is from the platform is for the connection to know:
    the standard signs no command. All others are answered with an error, counted, told, and noted.

    Args:
        edition: of the session.
        vin: of the vehicle.
        parameters: of the terminal.
        orders: which are carried out.
        done: remembers what was carried out.
        clock: gives wall time. Where its quality is none, no command is known to be recent.
        rules: which are taken.

    Attributes:
        change: the change of server under way; None where there is none.
    """

    def __init__(
        self,
        edition: Edition,
        vin: bytes,
        parameters: TerminalParameters,
        orders: OrderDesk,
        done: DoneCommands,
        clock: Clock,
        rules: CommandRules | None = None,
    ) -> None:
        self.change: ServerChange[Answered] | None = None
        self._edition = edition
        self._vin = vin
        self._parameters = parameters
        self._orders = orders
        self._done = done
        self._clock = clock
        self._rules = rules or CommandRules()
        self._changing: bytes | None = None
        self._since_s: int | None = None
        self._facts: Counter[str] = Counter()
        self._said: dict[str, tuple[str, int]] = {}

    def facts(self) -> Mapping[str, int]:
        """How many commands were accepted, refused, and repeated, by kind."""
        return dict(self._facts)

    def take(self, message: Message, now_ns: int) -> Answered | None:
        """Take a message whose unit is decrypted.

        Args:
            message: any message.
            now_ns: boot time.

        Returns:
            What becomes of it; None where it is none of 0x80 to 0x82, or a response.
        """
        if message.command not in _NAMES or message.response != Response.COMMAND:
            return None
        try:
            wall_s, unit = self._judge(message)
            if self._done.is_repeated(message.command, wall_s, unit) and message.command != Command.QUERY:
                return self._again(message)
            if message.command == Command.QUERY:
                return self._query(message, wall_s, unit)
            if message.command == Command.SET:
                return self._set(message, wall_s, unit, now_ns)
            return self._control(message, wall_s, unit)
        except CommandRefusedError as refused:
            return self._refuse(message, refused)

    def unreadable(self, frame: Frame, fault: GbtError) -> Answered | None:
        """Take a frame that is a command by its header, and whose unit is none of it.

        Args:
            frame: as it came, decrypted.
            fault: what was wrong.

        Returns:
            As `take`.
        """
        if frame.command not in _NAMES or frame.response != Response.COMMAND:
            return None
        content: Content = Opaque(frame.unit, "unreadable")
        if frame.encryption == Encryption.NONE and len(frame.unit) >= TIME_BYTES:
            content = Values("response", (frame.unit[:TIME_BYTES],))
        message = Message(frame.edition, frame.command, frame.response, frame.vin, content)
        refused = CommandRefusedError(f"cannot be read: {fault.what}", self._flag(Response.STRUCTURE_ERROR))
        return self._refuse(message, refused)

    def _judge(self, message: Message) -> tuple[int, bytes]:
        """See that a command is to be listened to; the time that it bears, and its unit."""
        if message.edition is not self._edition:
            raise CommandRefusedError(f"is of the edition of {message.edition.value}")
        if message.vin != self._vin:
            raise CommandRefusedError("is for another vehicle", self._flag(Response.VIN_UNKNOWN))
        if not isinstance(message.content, Values):
            encrypted = message.encryption != Encryption.NONE
            flag = Response.DECRYPTION_ERROR if encrypted else Response.STRUCTURE_ERROR
            raise CommandRefusedError("is encrypted" if encrypted else "says nothing", self._flag(flag))
        wall_s = unix_seconds(message.content.raws[0])
        if wall_s is None:
            raise CommandRefusedError("bears no time")
        now_s = self._wall_s()
        if self._clock.timebase().quality is TimeQuality.NONE:
            raise CommandRefusedError("came while the time of day is not known here")
        if self._since_s is None:
            self._since_s = now_s
        if abs(wall_s - now_s) > self._rules.window_s:
            late = "old" if wall_s < now_s else "ahead"
            raise CommandRefusedError(
                f"is {abs(wall_s - now_s)} s {late}, more than {self._rules.window_s:g} s"
            )
        if self._done.is_older(message.command, wall_s):
            raise CommandRefusedError("is older than one that was carried out")
        # What was carried out before the start bore a time up to a window ahead of it.
        known_s = self._since_s + self._rules.window_s
        trouble = self._done.trouble if message.command != Command.QUERY else None
        if trouble is not None and wall_s <= known_s:
            raise CommandRefusedError(f"may have been carried out before: what was is not known, {trouble}")
        return wall_s, write_unit(message.content, message.edition)

    def _again(self, message: Message) -> Answered:
        self._facts[f"{_NAMES[Command(message.command)]} repeated"] += 1
        success = self._rules.repeated is Repeated.SUCCESS
        event = self._event(message, "repeated", "not carried out again")
        flag = Response.SUCCESS if success else Response.ERROR
        return Answered(answer(message, flag), events=(event,))

    def _query(self, message: Message, wall_s: int, unit: bytes) -> Answered:
        if not self._rules.query:
            raise CommandRefusedError("the configuration does not let a platform query parameters")
        content = self._parameters.query(message.content)
        if not self._done.is_full(message.command, wall_s):
            self._done.note(message.command, wall_s, unit, durably=False)
        self._facts["query accepted"] += 1
        return Answered(
            Message(message.edition, message.command, Response.SUCCESS, message.vin, content),
        )

    def _set(self, message: Message, wall_s: int, unit: bytes, now_ns: int) -> Answered:
        if not self._rules.set:
            raise CommandRefusedError("the configuration does not let a platform set parameters")
        if self.change is not None and not self.change.done:
            if unit == self._changing:
                self._facts["set repeated"] += 1
                return Answered(None)
            raise CommandRefusedError("comes while a set before it changes the server")
        if self._done.is_full(message.command, wall_s):
            raise CommandRefusedError("is one of too many within a second")
        plan = self._parameters.plan(message.content)
        if plan.server is None:
            return self._settled(message, wall_s, unit, plan, silent=False)
        rules = self._parameters.rules.change
        before = rules.answer is ChangeAnswer.BEFORE_LEAVING

        def commit() -> Answered | None:
            try:
                return self._settled(message, wall_s, unit, plan, silent=before)
            except CommandRefusedError:
                return None

        old, new = self._parameters.live.server, plan.server

        def failed(why: str) -> Answered:
            return self._refuse(message, CommandRefusedError(f"the server {new} was left for {old}: {why}"))

        self.change = ServerChange(old, new, rules, now_ns, commit=commit, failed=failed)
        self._changing = unit
        self._facts["changes of server begun"] += 1
        text = f"goes to the server {new}, as a platform has set it"
        return Answered(
            answer(message, Response.SUCCESS) if before else None,
            (ChangeServer(self.change),),
            self._notice(message, text, trouble=False),
            (self._event(message, "changes the server", f"from {old} to {new}"),),
        )

    def _settled(self, message: Message, wall_s: int, unit: bytes, plan: Plan, *, silent: bool) -> Answered:
        """Make a plan hold; what becomes of its command."""
        changed = self._parameters.commit(plan)
        notices: tuple[Notice, ...] = ()
        try:
            self._done.note(message.command, wall_s, unit)
        except UplinkError as error:
            # It holds already, and a replay of the last set would set what holds.
            notices = (Notice(f"a set that was carried out is not remembered: {error}", trouble=True),)
        ids = ", ".join(f"{key:02X}" for key in sorted(changed.ids)) if changed else "none"
        text = f"parameters set by the platform; different now: {ids}"
        return self._accept(message, text, (changed,) if changed else (), notices, silent=silent)

    def _control(self, message: Message, wall_s: int, unit: bytes) -> Answered:
        if self._done.is_full(message.command, wall_s):
            raise CommandRefusedError("is one of too many within a second")
        given, effect = self._orders.take(message.content)
        try:
            self._done.note(message.command, wall_s, unit)
        except UplinkError as error:
            # An order that is not remembered could be replayed after a restart: reset, reset, reset.
            self._done.forget(message.command, wall_s, unit)
            raise CommandRefusedError(f"cannot be remembered as carried out: {error}") from error
        effects: tuple[CarryOut | DropLink, ...] = (effect,)
        return self._accept(message, f"'{order_name(given.order)}' is carried out", effects)

    def _accept(
        self,
        message: Message,
        text: str,
        effects: tuple[Effect, ...],
        notices: tuple[Notice, ...] = (),
        *,
        silent: bool = False,
    ) -> Answered:
        self._facts[f"{_NAMES[Command(message.command)]} accepted"] += 1
        return Answered(
            None if silent else answer(message, Response.SUCCESS),
            effects,
            (*self._notice(message, text, trouble=False), *notices),
            (self._event(message, "accepted", text),),
        )

    def _refuse(self, message: Message, refused: CommandRefusedError) -> Answered:
        self._facts[f"{_NAMES[Command(message.command)]} refused"] += 1
        only_time = isinstance(message.content, Values) and message.content.part == "response"
        return Answered(
            answer(message, refused.flag, whole=only_time),
            (),
            self._notice(message, f"refused: {refused.what}", trouble=True),
            (self._event(message, "refused", refused.what),),
        )

    def _notice(self, message: Message, text: str, *, trouble: bool) -> tuple[Notice, ...]:
        """What people are told of a command; nothing where the same was told within the last minute."""
        name = _NAMES[Command(message.command)]
        now_s = self._wall_s()
        before, at_s = self._said.get(name, ("", 0))
        if before == text and abs(now_s - at_s) < _SAID_AGAIN_S:
            return ()
        self._said[name] = (text, now_s)
        return (Notice(f"{name} from the platform: {text}", trouble),)

    def _event(self, message: Message, what: str, detail: str) -> SecurityEvent:
        name = _NAMES[Command(message.command)]
        return SecurityEvent(self._wall_s(), self._vin, f"{name} {what}", detail)

    def _flag(self, flag: Response) -> Response:
        """A flag that only the edition of 2025 has; of 2016 it is an error like any other."""
        return flag if self._edition is Edition.Y2025 else Response.ERROR

    def _wall_s(self) -> int:
        return self._clock.wall_ns() // NS_PER_S
