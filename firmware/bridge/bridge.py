"""The bridge's main loop: controllers to the line, the host's packets, health, watchdog, supervisor."""

import gc
import struct

from .health import BusHealth
from .outgoing import Outgoing
from .ring import NUMBER_LOW, TICKS, Ring
from .session import BUS_STATE, LISTENING_AGAIN, NOT_FED, NOT_LISTENING, Session
from .slcan import Slcan
from .watchdog import NAMES, Watchdog
from .wire import messages, vlink

SECOND_US = 1_000_000
POWER_US = 20_000
READ_BYTES = 128
LONGEST_PAUSE_S = 64
"""A controller that does not come up is tried again after 1, 2, 4 … s, and at the latest after so long."""
_FULL_RING = 2
_LITTLE_HEAP = 16_384
_STATES = ("error-active", "warning", "error-passive", "bus-off", "stopped")


class _Bus:
    """What the loop keeps of one bus."""

    def __init__(self, number: int, controller: object, ring: Ring) -> None:
        self.number = number
        self.controller = controller
        self.ring = ring
        self.health = BusHealth()
        self.listening = False
        self.told = True
        self.state = -1
        self.pause_s = 1
        self.wait_s = 0
        self.last = 0


class Bridge:
    """The bridge.

    Attributes:
        buses: what is kept of each.
        outgoing: what waits for the line.
        session: of the host.
        watchdog: whether it may be fed.
        forgets: of the port.
        worst_us: the longest turn since the last STATUS.
    """

    def __init__(
        self,
        controllers: tuple[object, ...],
        port: object,
        clock: object,
        watchdog: object | None,
        board: object,
        supervisor: object | None = None,
    ) -> None:
        """Start the controllers; one that does not come up is told and tried again.

        Args:
            controllers: of the buses, in the order of their numbers (`controllers/__init__.py`).
            port: to the host (`ports.py`).
            clock: has `ticks_us()` and `ticks_ms()`, as `time` has.
            watchdog: of the hardware, has `feed()`.
            board: what it is (`board.py`).
            supervisor: of the gateway's power (`power.py`), where one is fitted.
        """
        now = clock.ticks_us() & TICKS
        self._port = port
        self._clock = clock
        self._board = board
        self._power = supervisor
        self.forgets = port.forgets
        self.buses = tuple(
            [
                _Bus(number, controller, Ring(number, board.cells, controller.fd, now))
                for number, controller in enumerate(controllers)
            ]
        )
        self.outgoing = Outgoing(len(self.buses))
        first = controllers[0]
        digits = "".join([letter for letter in board.firmware if letter.isdigit()])
        slcan = Slcan(first.bitrate, first.data_bitrate, "10" + (digits + "00")[:2], board.serial)
        self.session = Session(tuple([bus.ring for bus in self.buses]), self.outgoing, slcan, self)
        self.watchdog = Watchdog(watchdog, len(self.buses), board.reset_cause == messages.RESET_WATCHDOG)
        self.worst_us = 0
        self._read = bytearray(READ_BYTES)
        self._second = now
        self._powered = now
        self._took = 0
        self._listening = [False] * len(self.buses)
        for bus in self.buses:
            trouble = self._start(bus, first=True)
            if not bus.listening:
                self._tell_listening(bus, now, trouble)
        gc.collect()

    def run(self, idle: object) -> None:
        """Turn until something raises.

        Args:
            idle: is called after a turn in which nothing moved; waits for an interrupt, or a millisecond.
        """
        while True:
            if not self.turn():
                idle()

    def turn(self) -> int:
        """Go round once; tell how many bytes and frames have moved."""
        now = self._clock.ticks_us() & TICKS
        moved = self.move(now)
        if self._power is not None and (now - self._powered) & TICKS >= POWER_US:
            self._powered = now
            self._step_power(now)
        if (now - self._second) & TICKS >= SECOND_US:
            self._second = (self._second + SECOND_US) & TICKS
            if (now - self._second) & TICKS >= SECOND_US:
                self._second = now
            self._each_second(now)
        self.watchdog.feed()
        took_us = (self._clock.ticks_us() - now) & TICKS
        if took_us > self.worst_us:
            self.worst_us = took_us
        return moved

    def move(self, now: int) -> int:
        """Take frames, seal them, give them to the port; takes no memory while only frames move."""
        moved = 0
        for bus in self.buses:
            moved += bus.controller.take()
        n = self._port.read_into(self._read)
        if n:
            # A question came after the turn began, and its time must not be one of before it was asked.
            self.session.receive(self._read, n, self._clock.ticks_us() & TICKS)
        self.session.compose(now, self._port.drained())
        took = self.outgoing.pump(self._port, now)
        self._took |= took
        return moved + n + took

    def t_us(self) -> int:
        """Tell the device's clock in full, now."""
        return self.buses[0].ring.t_us(self._clock.ticks_us() & TICKS)

    def hello(self, now: int) -> messages.Hello:
        """Tell what this is."""
        controllers = [bus.controller for bus in self.buses]
        capabilities = 0
        if all([controller.counted for controller in controllers]):  # noqa: C419 - a generator takes no less here
            capabilities |= messages.OVERRUN_COUNTED
        else:
            capabilities |= messages.OVERRUN_FLAGGED
        if any([controller.fd for controller in controllers]):  # noqa: C419
            capabilities |= messages.CAN_FD
        if all([controller.hardware_stamps for controller in controllers]):  # noqa: C419
            capabilities |= messages.STAMPED_BY_HARDWARE
        if self._power is not None:
            capabilities |= messages.SUPERVISOR
        if self._board.jumper:
            capabilities |= messages.TRANSMISSION_JUMPER
        told = tuple(
            [
                messages.Bus(each.bitrate, each.data_bitrate, each.sample_point, self._mode(each), each.name)
                for each in controllers
            ]
        )
        board = self._board
        return messages.Hello(
            vlink.VERSION,
            board.boot,
            capabilities,
            told,
            board.name,
            board.firmware,
            board.build,
            sum([bus.ring.capacity() for bus in self.buses]),
            self.buses[0].ring.t_us(now),
        )

    def status(self, now: int) -> messages.Status:
        """Tell how it stands; looks at the controllers for it."""
        for bus in self.buses:
            self._look(bus)
        power = self._power
        worst_us = self.worst_us
        self.worst_us = 0
        return messages.Status(
            self.buses[0].ring.t_us(now),
            tuple([self._bus_status(bus) for bus in self.buses]),
            self.outgoing.stalls & 0xFFFFFFFF,
            self.outgoing.stalled_ms & 0xFFFFFFFF,
            self.session.bad_packets() & 0xFFFFFFFF,
            self.outgoing.packets(),
            self._board.temperature(),
            self._board.supply_mv() if power is None else min(power.supply_mv, messages.NO_SUPPLY - 1),
            messages.NO_IGNITION if power is None else int(power.ignition),
            0 if power is None else power.state,
            gc.mem_free() if hasattr(gc, "mem_free") else 0,
            worst_us,
            self._board.reset_cause,
        )

    def command(self, code: int, argument: bytes) -> tuple[int, str, object]:
        """Do what the host asks for.

        Returns:
            `ACK_*`, a text, and what is to be done when the ACK has gone, or None.
        """
        if code == messages.COMMAND_STATUS:
            self.session.report(self.status(self._clock.ticks_us() & TICKS))
            return messages.ACK_DONE, "", None
        if code == messages.COMMAND_LOADER:
            if self._board.loader is None:
                return messages.ACK_REFUSED, "not armed on the board", None
            return messages.ACK_DONE, "", self._board.loader
        if messages.COMMAND_SHUTDOWN_DONE <= code <= messages.COMMAND_WAKE_TIMER:
            if self._power is None:
                return messages.ACK_REFUSED, "no supervisor", None
            done, text = self._ask_power(code, argument)
            return messages.ACK_DONE if done else messages.ACK_REFUSED, text, None
        return messages.ACK_UNKNOWN, "", None

    def _ask_power(self, code: int, argument: bytes) -> tuple[bool, str]:
        if code == messages.COMMAND_SHUTDOWN_DONE:
            done = self._power.shutdown_done()
            return done, "" if done else "not asked for"
        form = "<H" if code == messages.COMMAND_KEEP_POWER else "<I"
        if len(argument) != struct.calcsize(form):
            return False, "argument"
        (seconds,) = struct.unpack(form, argument)
        if code == messages.COMMAND_KEEP_POWER:
            granted = self._power.keep_power(seconds)
        else:
            granted = self._power.set_wake(seconds)
        return granted > 0 or not seconds, str(granted) + " s"

    def _bus_status(self, bus: _Bus) -> messages.BusStatus:
        health = bus.health
        return messages.BusStatus(
            bus.ring.accepted(),
            bus.ring.dropped(),
            health.overrun_counted & 0xFFFFFFFF,
            health.overrun_flags & 0xFFFFFFFF,
            health.bus_errors & 0xFFFFFFFF,
            health.state,
            min(health.tec, 255),
            min(health.rec, 255),
            health.mode,
        )

    def _mode(self, controller: object) -> int:
        try:
            return controller.mode()
        except OSError:
            return messages.MODE_OFF

    def _start(self, bus: _Bus, first: bool) -> str:
        """Start a controller; tell what was the matter, if it does not listen then."""
        controller = bus.controller
        try:
            if first:
                controller.start(bus.ring)
            else:
                controller.restart()
            controller.on_frames(controller.take)
        except OSError as error:
            bus.health.mode = self._mode(controller)
            bus.health.state = messages.BUS_STOPPED
            bus.listening = False
            bus.wait_s = bus.pause_s
            bus.pause_s = min(2 * bus.pause_s, LONGEST_PAUSE_S)
            return str(error)
        self._look(bus)
        return ""

    def _look(self, bus: _Bus) -> None:
        health = bus.health
        try:
            bus.controller.look(health)
        except OSError:
            health.state = messages.BUS_STOPPED
            health.mode = messages.MODE_OFF
        bus.listening = health.mode == messages.MODE_LISTEN_ONLY and health.state < messages.BUS_OFF

    def _each_second(self, now: int) -> None:
        session = self.session
        for bus in self.buses:
            bus.ring.follow(now)
        if session.vlink:
            session.report(self.status(now))
        else:
            for bus in self.buses:
                self._look(bus)
        for bus in self.buses:
            self._follow(bus, now)
            self._listening[bus.number] = bus.listening
        health = self.buses[0].health
        session.slcan.noted(
            health.state,
            self.buses[0].ring.dropped(),
            health.overrun_counted + health.overrun_flags,
            health.bus_errors,
        )
        waits = not self.outgoing.empty()
        ill = self.watchdog.judge(self._listening, waits, self._took > 0, session.heard, session.understood)
        if ill:
            text = ", ".join([NAMES[bit] for bit in NAMES if ill & bit])
            session.tell(now, NOT_FED, ill, "the watchdog is not fed: " + text)
        session.silent_s += 1
        session.heard = session.understood = False
        self._took = 0
        self._sweep()

    def _follow(self, bus: _Bus, now: int) -> None:
        """Tell how the bus has changed, and start a controller anew that does not listen."""
        state = bus.health.state
        if state != bus.state:
            if bus.state >= 0:
                text = bus.controller.name + ": " + _STATES[state]
                self.session.tell(now, BUS_STATE, bus.number << 8 | state, text)
            bus.state = state
        if bus.listening and not bus.told:
            self._tell_listening(bus, now, "")
        if bus.listening:
            return
        if bus.told:
            self._tell_listening(bus, now, "not listen-only")
        if bus.wait_s > 0:
            bus.wait_s -= 1
            return
        self._start(bus, first=False)
        if bus.listening:
            self._tell_listening(bus, now, "")

    def _tell_listening(self, bus: _Bus, now: int, trouble: str) -> None:
        bus.told = bus.listening
        text = bus.controller.name
        if bus.listening:
            bus.pause_s = 1
            self.session.tell(now, LISTENING_AGAIN, bus.number << 8 | bus.health.mode, text)
        else:
            self.session.tell(now, NOT_LISTENING, bus.number << 8 | bus.health.mode, text + ": " + trouble)

    def _sweep(self) -> None:
        """Collect garbage while the rings have room for what comes meanwhile."""
        calm = True
        for bus in self.buses:
            if bus.ring.waiting() * _FULL_RING > bus.ring.capacity():
                calm = False
        if calm or (hasattr(gc, "mem_free") and gc.mem_free() < _LITTLE_HEAP):
            gc.collect()

    def _step_power(self, now: int) -> None:
        active = False
        for bus in self.buses:
            last = bus.ring.state[NUMBER_LOW]
            if last != bus.last:
                bus.last = last
                active = True
        for code, cause, argument in self._power.step(self._clock.ticks_ms(), active):
            self.session.tell(now, code, argument, self._power.cause(cause))
