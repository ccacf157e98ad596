"""A Microchip MCP2515 by its registers, with a journal of all that is written to it.

CPython and MicroPython run it unchanged, so that a driver can be tried where there is no hardware. Clauses
are of data sheet DS20001801J. Time does not pass: modes are entered at once, frames come when `deliver` is
called.
"""

NORMAL = 0
SLEEP = 1
LOOPBACK = 2
LISTEN_ONLY = 3
CONFIGURATION = 4

BFPCTRL = 0x0C
TXRTSCTRL = 0x0D
CANSTAT = 0x0E
CANCTRL = 0x0F
TEC = 0x1C
REC = 0x1D
CNF3 = 0x28
CNF2 = 0x29
CNF1 = 0x2A
CANINTE = 0x2B
CANINTF = 0x2C
EFLG = 0x2D
RXB0CTRL = 0x60
RXB1CTRL = 0x70
TRANSMIT_BUFFERS = (0x30, 0x40, 0x50)

RX0IF = 0x01
RX1IF = 0x02
ERRIF = 0x20
WAKIF = 0x40
MERRF = 0x80
TXREQ = 0x08
ABTF = 0x40
ABAT = 0x10
BUKT = 0x04
RX0OVR = 0x40
RX1OVR = 0x80
EXIDE = 0x08

_FILTERS = (0x00, 0x04, 0x08, 0x10, 0x14, 0x18)
_MASKS = (0x20, 0x24)
_MODIFIABLE = (0x0C, 0x0D, 0x0F, 0x28, 0x29, 0x2A, 0x2B, 0x2C, 0x2D, 0x30, 0x40, 0x50, 0x60, 0x70)
_RXM_ANY = 0x60
_WRITABLE = {
    BFPCTRL: 0x3F,
    TXRTSCTRL: 0x07,
    CANSTAT: 0,
    TEC: 0,
    REC: 0,
    CANINTE: 0xFF,
    CANINTF: 0xFF,
    EFLG: RX0OVR | RX1OVR,
    0x30: 0x0B,
    0x40: 0x0B,
    0x50: 0x0B,
    RXB0CTRL: 0x64,
    RXB1CTRL: 0x60,
}


class Mcp2515:
    """The controller.

    Attributes:
        registers: 128 bytes, as they are; those that mirror each other stand at their first address.
        journal: (instruction, address, mask, value) of all that came over SPI and writes: "reset", "write",
            "modify" (BIT MODIFY), "load" (LOAD TX BUFFER), "rts" (its value is the buffers' bits).
        sent: (id, extended, remote, data) of frames that it has put on the bus.
        driven: what else it did on the bus: "acknowledge", "error flag".
        refused: modes that it does not enter, as one that is broken or waits for an idle bus for ever.
    """

    def __init__(self) -> None:
        self.registers = bytearray(128)
        self.journal: list[tuple[str, int, int, int]] = []
        self.sent: list[tuple[int, bool, bool, bytes]] = []
        self.driven: list[str] = []
        self.refused: set[int] = set()
        self.reset()

    @property
    def mode(self) -> int:
        """The mode that it is in (10.0)."""
        return self.registers[CANSTAT] >> 5

    @property
    def interrupt(self) -> bool:
        """Whether the INT pin is low (7.0)."""
        return bool(self.registers[CANINTF] & self.registers[CANINTE])

    def reset(self) -> None:
        """What a low RESET pin, power on, and the instruction do (9.0, table 11-2)."""
        self.registers[:] = bytes(128)
        self.registers[CANSTAT] = CONFIGURATION << 5
        self.registers[CANCTRL] = 0x87

    def transfer(self, octets: bytes) -> bytes:
        """Do what came between two edges of chip select (12.0); returns what it answered, byte for byte."""
        if not octets:
            return b""
        answer = bytearray(b"\xff" * len(octets))
        if not self._ask(octets, answer):
            self._tell(octets)
        self._transmit()
        return bytes(answer)

    def _ask(self, octets: bytes, answer: bytearray) -> bool:
        instruction = octets[0]
        if instruction == 0x03:
            for place in range(2, len(octets)):
                answer[place] = self.read(octets[1] + place - 2)
        elif instruction & 0xF9 == 0x90:
            first = (0x61, 0x66, 0x71, 0x76)[instruction >> 1 & 3]
            for place in range(1, len(octets)):
                answer[place] = self.registers[(first + place - 1) & 0x7F]
            self.registers[CANINTF] &= ~(RX1IF if instruction & 4 else RX0IF) & 0xFF
        elif instruction in (0xA0, 0xB0):
            status = self._status() if instruction == 0xA0 else self._receive_status()
            answer[1:] = bytes([status]) * (len(octets) - 1)
        else:
            return False
        return True

    def _tell(self, octets: bytes) -> None:
        instruction = octets[0]
        if instruction == 0xC0:
            self.journal.append(("reset", 0, 0, 0))
            self.reset()
        elif instruction == 0x02:
            for place in range(2, len(octets)):
                address = _address(octets[1] + place - 2)
                self.journal.append(("write", address, 0xFF, octets[place]))
                self._write(address, 0xFF, octets[place])
        elif instruction == 0x05 and len(octets) == 4:
            address = _address(octets[1])
            self.journal.append(("modify", address, octets[2], octets[3]))
            self._write(address, octets[2] if address in _MODIFIABLE else 0xFF, octets[3])
        elif instruction & 0xF8 == 0x40 and instruction & 7 < 6:
            first = TRANSMIT_BUFFERS[instruction >> 1 & 3] + (6 if instruction & 1 else 1)
            for place in range(1, len(octets)):
                self.journal.append(("load", first + place - 1, 0xFF, octets[place]))
                self._write(first + place - 1, 0xFF, octets[place])
        elif instruction & 0xF8 == 0x80:
            self.journal.append(("rts", 0, 0, instruction & 7))
            for number in range(3):
                if instruction & 1 << number:
                    self.registers[TRANSMIT_BUFFERS[number]] |= TXREQ

    def read(self, address: int) -> int:
        """What READ tells of an address."""
        address = _address(address)
        value = self.registers[address]
        if address == CANSTAT:
            pending = self.registers[CANINTF] & self.registers[CANINTE]
            for flag, code in ((ERRIF, 1), (WAKIF, 2), (4, 3), (8, 4), (16, 5), (RX0IF, 6), (RX1IF, 7)):
                if pending & flag:
                    return value & 0xE0 | code << 1
        return value

    def deliver(self, can_id: int, extended: bool, remote: bool, dlc: int, data: bytes) -> bool:
        """Let a good frame come from the bus (4.0); returns whether it went into a buffer.

        Args:
            can_id: 11 or 29 bits.
            extended: which.
            remote: whether it is a remote frame.
            dlc: its code, 0 to 15.
            data: 0 to 8 bytes.
        """
        if self.mode == SLEEP:
            self._wake()
            return False
        if self.mode not in (NORMAL, LISTEN_ONLY):
            return False
        if self.mode == NORMAL:
            self.driven.append("acknowledge")
        return self._receive(can_id, extended, remote, dlc, data)

    def disturb(self) -> None:
        """Let a frame with an error come from the bus (6.0, 7.4)."""
        if self.mode not in (NORMAL, LISTEN_ONLY):
            return
        self.registers[CANINTF] |= MERRF
        if self.mode == NORMAL:
            self.driven.append("error flag")
            self.count_errors(self.registers[TEC], min(self.registers[REC] + 1, 255))
        for control, flag in ((RXB0CTRL, RX0IF), (RXB1CTRL, RX1IF)):
            # With filters switched off it takes what it has of a frame with an error (4.2.2).
            if self.registers[control] & _RXM_ANY == _RXM_ANY and not self.registers[CANINTF] & flag:
                self.registers[CANINTF] |= flag
                return

    def count_errors(self, tec: int, rec: int) -> None:
        """Set the error counters and what follows from them (6.6, 6.7); a tec above 255 is bus-off."""
        self.registers[TEC] = min(tec, 255)
        self.registers[REC] = min(rec, 255)
        flags = self.registers[EFLG] & (RX0OVR | RX1OVR)
        for bit, is_set in (
            (0x01, tec >= 96 or rec >= 96),
            (0x02, rec >= 96),
            (0x04, tec >= 96),
            (0x08, rec > 127),
            (0x10, tec > 127),
            (0x20, tec > 255),
        ):
            if is_set:
                flags |= bit
        if flags != self.registers[EFLG]:
            self.registers[CANINTF] |= ERRIF
        self.registers[EFLG] = flags

    def pull_request_pin(self, number: int) -> None:
        """Pull a TXnRTS pin low (3.5): a request to send where TXRTSCTRL makes it one."""
        if self.registers[TXRTSCTRL] & 1 << number:
            self.registers[TRANSMIT_BUFFERS[number]] |= TXREQ
            self._transmit()

    def _write(self, address: int, mask: int, value: int) -> None:
        allowed = self._writable(address)
        if address == CANCTRL:
            self.registers[CANCTRL] = self.registers[CANCTRL] & ~mask & 0xFF | value & mask
            self._enter(self.registers[CANCTRL] >> 5)
            return
        mask &= allowed
        self.registers[address] = self.registers[address] & ~mask & 0xFF | value & mask
        if address == RXB0CTRL:
            copy = (self.registers[RXB0CTRL] & BUKT) >> 1
            self.registers[RXB0CTRL] = self.registers[RXB0CTRL] & 0xFD | copy

    def _writable(self, address: int) -> int:
        configuring = 0xFF if self.mode == CONFIGURATION else 0
        if address in _WRITABLE:
            return _WRITABLE[address] & (configuring if address == TXRTSCTRL else 0xFF)
        if address < CANINTE:
            return configuring
        # Of the transmit buffers, while nothing is asked for; of the receive buffers, never.
        return 0 if address >= RXB0CTRL or self.registers[address & 0xF0] & TXREQ else 0xFF

    def _enter(self, mode: int) -> None:
        if mode > CONFIGURATION or mode in self.refused or mode == self.mode:
            return
        self.registers[CANSTAT] = mode << 5
        if mode in (LISTEN_ONLY, CONFIGURATION):
            self.count_errors(0, 0)

    def _wake(self) -> None:
        if self.registers[CANINTE] & WAKIF:
            self.registers[CANINTF] |= WAKIF
            self.registers[CANSTAT] = LISTEN_ONLY << 5

    def _status(self) -> int:
        flags = self.registers[CANINTF]
        status = flags & 3
        for number, control in enumerate(TRANSMIT_BUFFERS):
            if self.registers[control] & TXREQ:
                status |= 4 << 2 * number
            if flags & 4 << number:
                status |= 8 << 2 * number
        return status

    def _receive_status(self) -> int:
        flags = self.registers[CANINTF] & 3
        if not flags:
            return 0
        start = RXB0CTRL if flags & RX0IF else RXB1CTRL
        extended = self.registers[start + 2] & EXIDE
        remote = self.registers[start + 5] & 0x40 if extended else self.registers[start + 2] & 0x10
        hit = self.registers[start] & (1 if flags & RX0IF else 7)
        if start == RXB1CTRL and hit < 2:
            hit += 6
        return flags << 6 | (0x10 if extended else 0) | (0x08 if remote else 0) | hit

    def _receive(self, can_id: int, extended: bool, remote: bool, dlc: int, data: bytes) -> bool:
        flags = self.registers[CANINTF]
        hit = self._hit(0, can_id, extended, data)
        if hit >= 0:
            if not flags & RX0IF:
                self._store(RXB0CTRL, hit, can_id, extended, remote, dlc, data)
                return True
            if not self.registers[RXB0CTRL] & BUKT:
                self._overrun(RX0OVR)
                return False
        else:
            hit = self._hit(1, can_id, extended, data)
            if hit < 0:
                return False
        if flags & RX1IF:
            self._overrun(RX1OVR)
            return False
        self._store(RXB1CTRL, hit, can_id, extended, remote, dlc, data)
        return True

    def _overrun(self, bit: int) -> None:
        self.registers[EFLG] |= bit
        self.registers[CANINTF] |= ERRIF

    def _hit(self, buffer: int, can_id: int, extended: bool, data: bytes) -> int:
        if self.registers[(RXB0CTRL, RXB1CTRL)[buffer]] & _RXM_ANY == _RXM_ANY:
            return 2 * buffer
        got = _identifier(can_id, extended, data)
        at = _MASKS[buffer]
        mask = self.registers[at : at + 4]
        for number in (0, 1) if buffer == 0 else (2, 3, 4, 5):
            at = _FILTERS[number]
            wanted = self.registers[at : at + 4]
            if bool(wanted[1] & EXIDE) != extended:
                continue
            different = 0
            for place in range(4):
                relevant = mask[place] & (0xE3 if place == 1 else 0xFF)
                different |= (got[place] ^ wanted[place]) & relevant
            if not different:
                return number
        return -1

    def _store(
        self, start: int, hit: int, can_id: int, extended: bool, remote: bool, dlc: int, data: bytes
    ) -> None:
        registers = self.registers
        identifier = _identifier(can_id, extended, b"")
        if extended:
            identifier[1] |= EXIDE
        elif remote:
            identifier[1] |= 0x10
        registers[start + 1 : start + 5] = identifier
        registers[start + 5] = dlc & 0x0F | (0x40 if extended and remote else 0)
        registers[start + 6 : start + 6 + len(data)] = data
        keep = 0x66 if start == RXB0CTRL else 0x60
        registers[start] = (
            registers[start] & keep | (8 if remote else 0) | hit & (1 if start == RXB0CTRL else 7)
        )
        registers[CANINTF] |= RX0IF if start == RXB0CTRL else RX1IF

    def _transmit(self) -> None:
        for number, control in enumerate(TRANSMIT_BUFFERS):
            if not self.registers[control] & TXREQ:
                continue
            if self.registers[CANCTRL] & ABAT:
                self.registers[control] = self.registers[control] & ~TXREQ & 0xFF | ABTF
            elif self.mode in (NORMAL, LOOPBACK) and not self.registers[EFLG] & 0x20:
                self.registers[control] &= ~TXREQ & 0xFF
                self.registers[CANINTF] |= 4 << number
                frame = self._loaded(control)
                if self.mode == NORMAL:
                    self.sent.append(frame)
                else:
                    self._receive(frame[0], frame[1], frame[2], len(frame[3]), frame[3])

    def _loaded(self, control: int) -> tuple[int, bool, bool, bytes]:
        sidh, sidl, eid8, eid0, dlc = self.registers[control + 1 : control + 6]
        extended = bool(sidl & EXIDE)
        can_id = sidh << 3 | sidl >> 5
        if extended:
            can_id = can_id << 18 | (sidl & 3) << 16 | eid8 << 8 | eid0
        remote = bool(dlc & 0x40)
        length = 0 if remote else min(dlc & 0x0F, 8)
        return can_id, extended, remote, bytes(self.registers[control + 6 : control + 6 + length])


def _address(address: int) -> int:
    address &= 0x7F
    if address & 0x0F == 0x0E:
        return CANSTAT
    if address & 0x0F == 0x0F:
        return CANCTRL
    return address


def _identifier(can_id: int, extended: bool, data: bytes) -> bytearray:
    if extended:
        standard = can_id >> 18
        return bytearray(
            (standard >> 3, (standard & 7) << 5 | can_id >> 16 & 3, can_id >> 8 & 0xFF, can_id & 0xFF)
        )
    # Of standard frames the filters' lower bits are laid on the first two bytes of data (4.5).
    first = (bytes(data[:2]) + bytes(2))[:2]
    return bytearray((can_id >> 3, (can_id & 7) << 5, first[0], first[1]))
