"""`ForwardSession`: a platform as the client of another: login, reports of many vehicles, answers; no I/O."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from edge.clock import NS_PER_S, Clock
from edge.wire.gbt.beijing import TIME_BYTES, time_bytes
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import Command, Encryption, Frame, Response
from edge.wire.gbt.message import REPORTS, Message, Opaque, Values
from edge.wire.gbt.security.ciphers import UnitCipher, decrypted, encrypted
from edge.wire.gbt.stream import Skipped, StreamDecoder
from simulator.conversion.forward_rules import (
    PASSWORD_BYTES,
    USER_BYTES,
    Acknowledge,
    Action,
    Connect,
    ForwardRules,
    HangUp,
    PlatformAccount,
    Transmit,
)
from simulator.conversion.waiting import LOOK_S, Parcel, Waiting


class State(Enum):
    """Where a session stands."""

    WAITING = auto()
    CONNECTING = auto()
    LOGGING_IN = auto()
    LOGIN_FAILED = auto()
    """The connection stands; the login goes again later."""
    UP = auto()
    LOGGING_OUT = auto()
    ENDED = auto()


_WORTH_AGAIN = frozenset({Response.ERROR, Response.VIN_UNKNOWN})
_BACKLOG_SHARE = 2
_DOUBLINGS_MOST = 16


@dataclass(slots=True)
class _Flight:
    """A parcel that is sent, of which so many messages are open."""

    parcel: Parcel
    open: int
    over: bool = False


@dataclass(slots=True, eq=False)
class _Sent:
    """A message that is sent and not answered."""

    flight: _Flight
    data: bytes
    vin: bytes
    command: int
    time: bytes
    sent_ns: int
    place: int
    tries: int = 0


class ForwardSession:
    """The session of one platform with another, for the reports of any number of vehicles.

    Call `start`, then `opened`, `received` and `closed` as they happen, `tick` at `wake_ns`, and do what each
    hands back. Only reports that were acknowledged leave `waiting`; what a connection took with it goes again
    on the next, as reissue. Backlog has half of the room at most, and goes when no live record waits.

    Args:
        account: who logs in.
        rules: times and limits.
        waiting: what is to go.
        number: the session number of a login at a Unix time, kept before it is handed out.
        clock: tells boot time and wall time.
        cipher: encrypts the data units of reports, as the login says; None for none. Login and logout go as
            they are: the rule stands in the login.
        tell: told of what people must know.

    Attributes:
        rules: as above.
        state: where it stands.
        failure: why it ended before all was sent; empty otherwise.
        facts: counts for the summary.
    """

    def __init__(
        self,
        account: PlatformAccount,
        rules: ForwardRules,
        waiting: Waiting,
        number: Callable[[int], int],
        clock: Clock,
        *,
        cipher: UnitCipher | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.rules = rules
        self.state = State.WAITING
        self.failure = ""
        self.facts: Counter[str] = Counter()
        self._account = account
        self._waiting = waiting
        self._number = number
        self._clock = clock
        self._cipher = cipher
        self._tell = tell
        self._decoder = StreamDecoder()
        self._actions: list[Action] = []
        self._session = 0
        self._failures = 0
        self._cuts = 0
        self._due_ns = clock.boot_ns()
        self._sent: dict[int, _Sent] = {}
        self._resting: deque[_Sent] = deque()
        self._place = 0
        self._beat: tuple[int, int] | None = None
        self._heard_ns = self._committed_ns = clock.boot_ns()
        self._stopping_ns: int | None = None

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to do."""
        return self.state is State.ENDED

    @property
    def wake_ns(self) -> int | None:
        """When `tick` is due in boot time; None where nothing waits for a time."""
        match self.state:
            case State.ENDED | State.CONNECTING:
                return None
            case State.UP:
                return self._clock.boot_ns() + _ns(LOOK_S)
            case _:
                return self._due_ns

    def start(self) -> list[Action]:
        """Begin."""
        return self.tick()

    def stop(self) -> list[Action]:
        """Send nothing new, wait for the answers to what is under way, log out and end."""
        if self._stopping_ns is None:
            self._stopping_ns = self._clock.boot_ns()
        return self.tick()

    def opened(self) -> list[Action]:
        """The connection stands."""
        self._decoder = StreamDecoder()
        self._login()
        return self._take_actions()

    def closed(self, why: str) -> list[Action]:
        """The connection is gone, or there was none to be had."""
        if self.state is State.ENDED:
            return []
        before = self.state
        self._give_back()
        if self._stopping_ns is not None or before is State.LOGGING_OUT:
            self._end()
            return self._take_actions()
        if before in {State.LOGGING_IN, State.LOGIN_FAILED}:
            self._failed_login(f"the connection ended: {why}", connected=False)
        else:
            self._reconnect(why)
        return self._take_actions()

    def received(self, data: bytes) -> list[Action]:
        """Bytes have come."""
        for one in self._decoder.feed(data):
            if isinstance(one, Skipped):
                self.facts["bytes skipped"] += one.length
            elif one.response == Response.COMMAND:
                self.facts["commands not followed"] += 1
            elif self.state is not State.ENDED:
                self._answered(one)
        return self.tick()

    def tick(self) -> list[Action]:
        """Do what is due."""
        now_ns = self._clock.boot_ns()
        stopping = self._stopping_ns is not None
        match self.state:
            case State.WAITING if stopping:
                self._end()
            case State.WAITING if now_ns >= self._due_ns:
                self.state = State.CONNECTING
                self._due_ns = now_ns + _ns(self.rules.answer_s)
                self._actions.append(Connect())
            case State.CONNECTING | State.LOGGING_IN | State.LOGIN_FAILED if stopping:
                self._hang_up()
                self._end()
            case State.LOGGING_IN if now_ns >= self._due_ns:
                self._failed_login("no answer", connected=True)
            case State.LOGIN_FAILED if now_ns >= self._due_ns:
                self._login()
            case State.UP:
                self._work(now_ns)
            case State.LOGGING_OUT if now_ns >= self._due_ns:
                self._tell("the logout was not answered")
                self._hang_up()
                self._end()
            case _:
                pass
        return self._take_actions()

    def _take_actions(self) -> list[Action]:
        actions, self._actions = self._actions, []
        return actions

    def _send(self, message: Message) -> None:
        self._actions.append(Transmit(message.write()))

    def _own(self, command: Command, content: Values | Opaque) -> Message:
        identity = self._account.identity.encode("ascii")
        return Message(self.rules.edition, command, Response.COMMAND, identity, content)

    def _login(self) -> None:
        wall_ns = self._clock.wall_ns()
        self._session = self._number(wall_ns)
        rule = Encryption.NONE if self._cipher is None else self._cipher.code
        raws = (
            time_bytes(wall_ns // NS_PER_S),
            self._session,
            self._account.user.encode("ascii").ljust(USER_BYTES, b"\0"),
            self._account.password.encode("ascii").ljust(PASSWORD_BYTES, b"\0"),
            int(rule),
        )
        self.state = State.LOGGING_IN
        self._due_ns = self._clock.boot_ns() + _ns(self.rules.answer_s)
        self._send(self._own(Command.PLATFORM_LOGIN, Values("command 05", raws)))
        self.facts["logins"] += 1

    def _reconnect(self, why: str) -> None:
        if not self.rules.patient:
            self._give_up(why)
            return
        wait_s = min(self.rules.reconnect_s * 2**self._cuts, self.rules.login_retry_s)
        self._cuts = min(self._cuts + 1, _DOUBLINGS_MOST)
        self._tell(f"no connection ({why}); again in {wait_s:g} s")
        self._wait(wait_s)

    def _give_up(self, why: str) -> None:
        self.failure = why
        self._end()

    def _failed_login(self, why: str, *, connected: bool) -> None:
        self._failures += 1
        self.facts["logins failed"] += 1
        if not self.rules.patient:
            if connected:
                self._hang_up()
            self._give_up(f"the login failed: {why}")
            return
        wait_s = self.rules.login_retry_s
        if self._failures >= self.rules.login_failures:
            self._failures = 0
            wait_s = self.rules.login_pause_s
            if connected:
                self._hang_up()
                connected = False
        self._tell(f"login failed: {why}; again in {wait_s:g} s")
        if connected:
            self.state = State.LOGIN_FAILED
            self._due_ns = self._clock.boot_ns() + _ns(wait_s)
        else:
            self._wait(wait_s)

    def _wait(self, seconds: float) -> None:
        self.state = State.WAITING
        self._due_ns = self._clock.boot_ns() + _ns(seconds)

    def _hang_up(self) -> None:
        self._actions.append(HangUp())
        self._give_back()

    def _end(self) -> None:
        self.state = State.ENDED
        self._waiting.commit()

    def _give_back(self) -> None:
        """What was under way goes again."""
        flights = {id(one.flight): one.flight for one in (*self._sent.values(), *self._resting)}
        for flight in flights.values():
            if not flight.over:
                self._waiting.again(flight.parcel)
        self._sent.clear()
        self._resting.clear()
        self._beat = None
        if self.state in {State.UP, State.LOGGING_OUT}:
            self._waiting.connect(up=False)
        self._waiting.commit()

    def _answered(self, frame: Frame) -> None:
        self._heard_ns = self._clock.boot_ns()
        match frame.command:
            case Command.PLATFORM_LOGIN if self.state is State.LOGGING_IN:
                if frame.response == Response.SUCCESS:
                    self.state = State.UP
                    self._failures = self._cuts = 0
                    self._waiting.connect(up=True)
                else:
                    self._failed_login(f"answered with {_flag(frame.response)}", connected=True)
            case Command.PLATFORM_LOGOUT if self.state is State.LOGGING_OUT:
                self._hang_up()
                self._end()
            case Command.HEARTBEAT if self._beat is not None:
                place, _ = self._beat
                self._beat = None
                if self.rules.acknowledge is Acknowledge.HEARTBEAT:
                    self._arrived([one for one in self._sent.values() if one.place <= place])
            case command if command in REPORTS:
                self._report_answered(frame)
            case _:
                self.facts["answers to nothing"] += 1

    def _report_answered(self, frame: Frame) -> None:
        sent = self._find(frame)
        if sent is None:
            self.facts["answers to nothing"] += 1
        elif frame.response == Response.SUCCESS:
            self._arrived([sent])
        else:
            self.facts[f"answered with {_flag(frame.response)}"] += 1
            del self._sent[sent.place]
            if frame.response in _WORTH_AGAIN and sent.tries <= self.rules.resends and not sent.flight.over:
                sent.sent_ns = self._clock.boot_ns()
                self._resting.append(sent)
            elif not sent.flight.over:
                sent.flight.over = True
                self._waiting.refuse(sent.flight.parcel, f"refused with {_flag(frame.response)}")

    def _find(self, frame: Frame) -> _Sent | None:
        """The first message that an answer fits: vehicle and command, and the time where it keeps one."""
        unit = frame.unit
        if frame.encryption != Encryption.NONE and unit:
            try:
                unit = b"" if self._cipher is None else decrypted(frame, self._cipher).unit
            except GbtError:
                unit = b""
        time = unit[:TIME_BYTES] if len(unit) >= TIME_BYTES else None
        for one in self._sent.values():
            if one.vin == frame.vin and one.command == frame.command and time in {None, one.time}:
                return one
        return None

    def _arrived(self, sent: list[_Sent]) -> None:
        for one in sent:
            del self._sent[one.place]
            flight = one.flight
            flight.open -= 1
            self.facts["messages acknowledged"] += 1
            if not flight.open and not flight.over:
                flight.over = True
                self._waiting.settle(flight.parcel)

    def _work(self, now_ns: int) -> None:
        if not self._check_answers(now_ns):
            return
        while self._resting and now_ns >= self._resting[0].sent_ns + _ns(self.rules.resend_s):
            one = self._resting.popleft()
            if not one.flight.over:
                self.facts["messages sent again"] += 1
                self._put(one, now_ns)
        if self._stopping_ns is None:
            self._fill(now_ns)
        self._beat_if_due(now_ns)
        if now_ns >= self._committed_ns + _ns(self.rules.commit_s):
            self._waiting.commit()
            self._committed_ns = now_ns
        under_way = bool(self._sent or self._resting)
        drained = self._stopping_ns is not None and (
            not under_way or now_ns >= self._stopping_ns + _ns(self.rules.drain_s)
        )
        if drained or (self._waiting.exhausted and not under_way):
            self._log_out(now_ns)

    def _log_out(self, now_ns: int) -> None:
        self._waiting.commit()
        self.state = State.LOGGING_OUT
        self._due_ns = now_ns + _ns(min(self.rules.answer_s, self.rules.drain_s))
        raws = (time_bytes(self._clock.wall_ns() // NS_PER_S), self._session)
        self._send(self._own(Command.PLATFORM_LOGOUT, Values("command 06", raws)))

    def _fill(self, now_ns: int) -> None:
        """Send as much as may be under way."""
        late = sum(one.flight.parcel.late for one in self._sent.values())
        most = self.rules.frames_most
        while len(self._sent) < most and len(self._resting) < most:
            parcel = self._waiting.take(backlog=late < most // _BACKLOG_SHARE)
            if parcel is None:
                return
            frames = self._frames(parcel)
            flight = _Flight(parcel, len(frames))
            for time, frame in frames:
                self._put(_Sent(flight, frame.write(), frame.vin, frame.command, time, now_ns, 0), now_ns)
            late += parcel.late * len(frames)
            self.facts["messages sent"] += len(frames)

    def _frames(self, parcel: Parcel) -> list[tuple[bytes, Frame]]:
        """The time and the frame of each message; none where the parcel cannot be encrypted."""
        try:
            frames = [message.frame() for message in parcel.messages]
            times = [frame.unit[:TIME_BYTES] for frame in frames]
            if self._cipher is not None:
                frames = [encrypted(frame, self._cipher) for frame in frames]
        except GbtError as error:
            self._tell(f"a record cannot go: {error}")
            self._waiting.refuse(parcel, "too large to be encrypted")
            return []
        return list(zip(times, frames, strict=True))

    def _put(self, one: _Sent, now_ns: int) -> None:
        self._place += 1
        one.place, one.sent_ns = self._place, now_ns
        one.tries += 1
        self._sent[one.place] = one
        self._actions.append(Transmit(one.data))

    def _check_answers(self, now_ns: int) -> bool:
        """See to what waits too long for its answer; whether the connection is still good."""
        overdue_ns = now_ns - _ns(self.rules.answer_s)
        overdue = [one for one in self._sent.values() if one.sent_ns <= overdue_ns]
        if self.rules.acknowledge is Acknowledge.WINDOW:
            self._arrived(overdue)
            return True
        lost = self._beat is not None and self._beat[1] <= overdue_ns
        if self.rules.acknowledge is Acknowledge.RESPONSE and overdue:
            # Where others are answered one answer has gone astray, else the connection has.
            lost |= self._heard_ns <= overdue_ns or any(one.tries > self.rules.resends for one in overdue)
            if not lost:
                for one in overdue:
                    del self._sent[one.place]
                    self.facts["messages sent again"] += 1
                    self._put(one, now_ns)
        if not lost:
            return True
        self.facts["connections given up"] += 1
        self._hang_up()
        self._reconnect(f"no answer for {self.rules.answer_s:g} s")
        return False

    def _beat_if_due(self, now_ns: int) -> None:
        if self._beat is not None or not self.rules.heartbeat_s:
            return
        first = next(iter(self._sent.values()), None)
        proves = self.rules.acknowledge is Acknowledge.HEARTBEAT and first is not None
        full = len(self._sent) >= self.rules.frames_most
        probe = proves and first is not None and (full or now_ns >= first.sent_ns + _ns(self.rules.probe_s))
        if probe or now_ns >= self._heard_ns + _ns(self.rules.heartbeat_s):
            self._beat = self._place, now_ns
            self._send(self._own(Command.HEARTBEAT, Opaque(b"", "empty")))


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def _flag(response: int) -> str:
    try:
        return Response(response).name.lower().replace("_", " ")
    except ValueError:
        return f"flag {response:02X}"
