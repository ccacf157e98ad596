"""What vlink's packets carry (docs/vlink.md), as plain values; MicroPython runs it unchanged."""

import struct

OVERRUN_COUNTED = 0x01
OVERRUN_FLAGGED = 0x02
CAN_FD = 0x04
SUPERVISOR = 0x08
TRANSMISSION_JUMPER = 0x10
STAMPED_BY_HARDWARE = 0x20

MODE_OFF = 0
MODE_LISTEN_ONLY = 1
MODE_NORMAL = 2
MODE_LOOPBACK = 3

BUS_ACTIVE = 0
BUS_WARNING = 1
BUS_PASSIVE = 2
BUS_OFF = 3
BUS_STOPPED = 4

COMMAND_STATUS = 1
COMMAND_LOADER = 2
COMMAND_SHUTDOWN_DONE = 3
COMMAND_KEEP_POWER = 4
COMMAND_WAKE_TIMER = 5

ACK_DONE = 0
ACK_REFUSED = 1
ACK_UNKNOWN = 2
ACK_BUSY = 3

RESET_UNKNOWN = 0
RESET_POWER_ON = 1
RESET_PIN = 2
RESET_WATCHDOG = 3
RESET_PROGRAM = 4
RESET_BROWN_OUT = 5
RESET_DEEP_SLEEP = 6

NO_TEMPERATURE = -32768
NO_SUPPLY = 65535
NO_IGNITION = 255

_BUS = "<IIHB"
_BUS_STATUS = "<IIIIIBBBB"
_REST_OF_STATUS = "<IIIIhHBBIIB"
_SPACE = 0x20
_TILDE = 0x7E
_QUESTION_MARK = 0x3F


class _Reader:
    """Takes fields off a payload, one after the other."""

    def __init__(self, payload: bytes | bytearray | memoryview) -> None:
        self.payload = payload
        self.at = 0

    def take(self, fields: str) -> tuple[int, ...]:
        start = self.at
        self.at += struct.calcsize(fields)
        if self.at > len(self.payload):
            raise ValueError("shorter than its fields")
        return struct.unpack_from(fields, self.payload, start)

    def octets(self, n: int) -> bytes:
        start = self.at
        self.at += n
        if self.at > len(self.payload):
            raise ValueError("shorter than its fields")
        return bytes(self.payload[start : self.at])

    def text(self) -> str:
        octets = self.octets(self.take("<B")[0])
        for octet in octets:
            if not _SPACE <= octet <= _TILDE:
                raise ValueError("a text is not printable ASCII")
        return str(octets, "ascii")


def _put(buffer: bytearray, at: int, fields: str, *values: int) -> int:
    end = at + struct.calcsize(fields)
    if end > len(buffer):
        raise ValueError("the payload is longer than a packet")
    struct.pack_into(fields, buffer, at, *values)
    return end


def _put_octets(buffer: bytearray, at: int, octets: bytes) -> int:
    end = at + len(octets)
    if end > len(buffer):
        raise ValueError("the payload is longer than a packet")
    buffer[at:end] = octets
    return end


def _put_text(buffer: bytearray, at: int, text: str) -> int:
    octets = bytes(min(ord(letter), _TILDE + 1) for letter in text[:255])
    shown = bytes(octet if _SPACE <= octet <= _TILDE else _QUESTION_MARK for octet in octets)
    return _put_octets(buffer, _put(buffer, at, "<B", len(shown)), shown)


class _Message:
    """Values that are equal where all their fields are."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return id(self)


class Bus(_Message):
    """One bus as the device told it in its HELLO.

    Attributes:
        bitrate: bit/s of the arbitration phase.
        data_bitrate: bit/s of the data phase of CAN FD, 0 for none.
        sample_point: in thousandths of a bit.
        mode: `MODE_*`, as read back from the controller.
        controller: its name.
    """

    def __init__(
        self, bitrate: int, data_bitrate: int, sample_point: int, mode: int, controller: str
    ) -> None:
        self.bitrate = bitrate
        self.data_bitrate = data_bitrate
        self.sample_point = sample_point
        self.mode = mode
        self.controller = controller


class Hello(_Message):
    """What a device is (HELLO, device to host).

    Attributes:
        version: of the protocol.
        boot: another one after each reset.
        capabilities: bits `OVERRUN_COUNTED` to `STAMPED_BY_HARDWARE`.
        buses: in the order by which FRAMES and STATUS number them.
        board: its name.
        firmware: its version.
        build: 8 bytes, the start of the bundle's SHA-256.
        ring_frames: how many frames the device can hold while the host does not take any.
        t_us: the device's clock, microseconds since its boot.
    """

    def __init__(
        self,
        version: int,
        boot: int,
        capabilities: int,
        buses: tuple[Bus, ...],
        board: str,
        firmware: str,
        build: bytes,
        ring_frames: int,
        t_us: int,
    ) -> None:
        self.version = version
        self.boot = boot
        self.capabilities = capabilities
        self.buses = buses
        self.board = board
        self.firmware = firmware
        self.build = build
        self.ring_frames = ring_frames
        self.t_us = t_us

    def write(self, buffer: bytearray, at: int) -> int:
        """Write the payload into `buffer` from `at` on; returns its end."""
        at = _put(buffer, at, "<BIIB", self.version, self.boot, self.capabilities, len(self.buses))
        for bus in self.buses:
            at = _put(buffer, at, _BUS, bus.bitrate, bus.data_bitrate, bus.sample_point, bus.mode)
            at = _put_text(buffer, at, bus.controller)
        at = _put_text(buffer, at, self.board)
        at = _put_text(buffer, at, self.firmware)
        at = _put_octets(buffer, at, (self.build + bytes(8))[:8])
        return _put(buffer, at, "<IQ", self.ring_frames, self.t_us)


def read_hello(payload: bytes | bytearray | memoryview) -> Hello:
    """Read a device's HELLO; raises ValueError where the payload is none."""
    reader = _Reader(payload)
    version, boot, capabilities, count = reader.take("<BIIB")
    buses = []
    for _ in range(count):
        bitrate, data_bitrate, sample_point, mode = reader.take(_BUS)
        buses.append(Bus(bitrate, data_bitrate, sample_point, mode, reader.text()))
    board = reader.text()
    firmware = reader.text()
    build = reader.octets(8)
    ring_frames, t_us = reader.take("<IQ")
    return Hello(version, boot, capabilities, tuple(buses), board, firmware, build, ring_frames, t_us)


class HostHello(_Message):
    """The host begins a session (HELLO, host to device).

    Attributes:
        version: the highest version of the protocol that it speaks.
        nonce: the ACK's number.
    """

    def __init__(self, version: int, nonce: int) -> None:
        self.version = version
        self.nonce = nonce

    def write(self, buffer: bytearray, at: int) -> int:
        """Write the payload into `buffer` from `at` on; returns its end."""
        return _put(buffer, at, "<BI", self.version, self.nonce)


def read_host_hello(payload: bytes | bytearray | memoryview) -> HostHello:
    """Read a host's HELLO; raises ValueError where the payload is none."""
    version, nonce = _Reader(payload).take("<BI")
    return HostHello(version, nonce)


class BusStatus(_Message):
    """What one bus has counted since boot, each number modulo 2^32.

    Attributes:
        accepted: frames that the firmware took from the controller; exact.
        ring_dropped: those of them that found the ring full; exact.
        overrun_counted: frames lost in the controller, where it counts them (`OVERRUN_COUNTED`); exact.
        overrun_flags: how often the controller flagged that frames were lost: at least as many were.
        bus_errors: errors on the bus that the controller told.
        state: `BUS_*`.
        tec: transmit error counter.
        rec: receive error counter.
        mode: `MODE_*`, as read back from the controller.
    """

    def __init__(
        self,
        accepted: int,
        ring_dropped: int,
        overrun_counted: int,
        overrun_flags: int,
        bus_errors: int,
        state: int,
        tec: int,
        rec: int,
        mode: int,
    ) -> None:
        self.accepted = accepted
        self.ring_dropped = ring_dropped
        self.overrun_counted = overrun_counted
        self.overrun_flags = overrun_flags
        self.bus_errors = bus_errors
        self.state = state
        self.tec = tec
        self.rec = rec
        self.mode = mode


class Status(_Message):
    """The device's counters and health (STATUS); numbers that count do so since boot, modulo 2^32.

    Attributes:
        t_us: when this was so, by the device's clock.
        buses: in the order of HELLO.
        stalls: how often the host did not take what waited.
        stalled_ms: for how long in all.
        rx_bad_packets: packets from the host that were none.
        sent_packets: packets that the device has sent.
        temperature: tenths of a degree Celsius, or `NO_TEMPERATURE`.
        supply_mv: supply voltage, or `NO_SUPPLY`.
        ignition: 0 off, 1 on, or `NO_IGNITION`.
        supervisor: the state of the supervisor of power, 0 where there is none.
        heap_free: bytes.
        loop_worst_us: the longest turn of the main loop since the STATUS before.
        reset_cause: `RESET_*`.
    """

    def __init__(
        self,
        t_us: int,
        buses: tuple[BusStatus, ...],
        stalls: int,
        stalled_ms: int,
        rx_bad_packets: int,
        sent_packets: int,
        temperature: int,
        supply_mv: int,
        ignition: int,
        supervisor: int,
        heap_free: int,
        loop_worst_us: int,
        reset_cause: int,
    ) -> None:
        self.t_us = t_us
        self.buses = buses
        self.stalls = stalls
        self.stalled_ms = stalled_ms
        self.rx_bad_packets = rx_bad_packets
        self.sent_packets = sent_packets
        self.temperature = temperature
        self.supply_mv = supply_mv
        self.ignition = ignition
        self.supervisor = supervisor
        self.heap_free = heap_free
        self.loop_worst_us = loop_worst_us
        self.reset_cause = reset_cause

    def write(self, buffer: bytearray, at: int) -> int:
        """Write the payload into `buffer` from `at` on; returns its end."""
        at = _put(buffer, at, "<QB", self.t_us, len(self.buses))
        for bus in self.buses:
            at = _put(
                buffer,
                at,
                _BUS_STATUS,
                bus.accepted,
                bus.ring_dropped,
                bus.overrun_counted,
                bus.overrun_flags,
                bus.bus_errors,
                bus.state,
                bus.tec,
                bus.rec,
                bus.mode,
            )
        return _put(
            buffer,
            at,
            _REST_OF_STATUS,
            self.stalls,
            self.stalled_ms,
            self.rx_bad_packets,
            self.sent_packets,
            self.temperature,
            self.supply_mv,
            self.ignition,
            self.supervisor,
            self.heap_free,
            self.loop_worst_us,
            self.reset_cause,
        )


def read_status(payload: bytes | bytearray | memoryview) -> Status:
    """Read a STATUS; raises ValueError where the payload is none."""
    reader = _Reader(payload)
    t_us, count = reader.take("<QB")
    buses = tuple([BusStatus(*reader.take(_BUS_STATUS)) for _ in range(count)])
    return Status(t_us, buses, *reader.take(_REST_OF_STATUS))


class Event(_Message):
    """Something happened on the device (EVENT).

    Attributes:
        t_us: when, by the device's clock.
        code: what (docs/vlink.md).
        argument: of the code.
        text: for people.
    """

    def __init__(self, t_us: int, code: int, argument: int, text: str) -> None:
        self.t_us = t_us
        self.code = code
        self.argument = argument
        self.text = text

    def write(self, buffer: bytearray, at: int) -> int:
        """Write the payload into `buffer` from `at` on; returns its end."""
        return _put_text(buffer, _put(buffer, at, "<QHi", self.t_us, self.code, self.argument), self.text)


def read_event(payload: bytes | bytearray | memoryview) -> Event:
    """Read an EVENT; raises ValueError where the payload is none."""
    reader = _Reader(payload)
    t_us, code, argument = reader.take("<QHi")
    return Event(t_us, code, argument, reader.text())


class TimeQuestion(_Message):
    """The host asks for the device's clock (TIME, host to device).

    Attributes:
        number: of the question.
        host_ns: the host's clock when it asked.
    """

    def __init__(self, number: int, host_ns: int) -> None:
        self.number = number
        self.host_ns = host_ns

    def write(self, buffer: bytearray, at: int) -> int:
        """Write the payload into `buffer` from `at` on; returns its end."""
        return _put(buffer, at, "<IQ", self.number, self.host_ns)


def read_time_question(payload: bytes | bytearray | memoryview) -> TimeQuestion:
    """Read a host's TIME; raises ValueError where the payload is none."""
    number, host_ns = _Reader(payload).take("<IQ")
    return TimeQuestion(number, host_ns)


class TimeAnswer(_Message):
    """The device tells its clock (TIME, device to host).

    Attributes:
        number: of the question.
        host_ns: as in the question.
        rx_us: the device's clock when it had the question.
        tx_us: the device's clock when it sent this.
    """

    def __init__(self, number: int, host_ns: int, rx_us: int, tx_us: int) -> None:
        self.number = number
        self.host_ns = host_ns
        self.rx_us = rx_us
        self.tx_us = tx_us

    def write(self, buffer: bytearray, at: int) -> int:
        """Write the payload into `buffer` from `at` on; returns its end."""
        return _put(buffer, at, "<IQQQ", self.number, self.host_ns, self.rx_us, self.tx_us)


def read_time_answer(payload: bytes | bytearray | memoryview) -> TimeAnswer:
    """Read a device's TIME; raises ValueError where the payload is none."""
    number, host_ns, rx_us, tx_us = _Reader(payload).take("<IQQQ")
    return TimeAnswer(number, host_ns, rx_us, tx_us)


class Command(_Message):
    """The host asks for something (CMD).

    Attributes:
        number: the ACK names it.
        code: `COMMAND_*`.
        argument: of the code (docs/vlink.md).
    """

    def __init__(self, number: int, code: int, argument: bytes) -> None:
        self.number = number
        self.code = code
        self.argument = argument

    def write(self, buffer: bytearray, at: int) -> int:
        """Write the payload into `buffer` from `at` on; returns its end."""
        at = _put(buffer, at, "<IBH", self.number, self.code, len(self.argument))
        return _put_octets(buffer, at, self.argument)


def read_command(payload: bytes | bytearray | memoryview) -> Command:
    """Read a CMD; raises ValueError where the payload is none."""
    reader = _Reader(payload)
    number, code, length = reader.take("<IBH")
    return Command(number, code, reader.octets(length))


class Ack(_Message):
    """What became of a command or of the host's HELLO (ACK).

    Attributes:
        number: of the command, or the HELLO's nonce.
        result: `ACK_*`.
        text: for people.
    """

    def __init__(self, number: int, result: int, text: str) -> None:
        self.number = number
        self.result = result
        self.text = text

    def write(self, buffer: bytearray, at: int) -> int:
        """Write the payload into `buffer` from `at` on; returns its end."""
        return _put_text(buffer, _put(buffer, at, "<IB", self.number, self.result), self.text)


def read_ack(payload: bytes | bytearray | memoryview) -> Ack:
    """Read an ACK; raises ValueError where the payload is none."""
    reader = _Reader(payload)
    number, result = reader.take("<IB")
    return Ack(number, result, reader.text())
