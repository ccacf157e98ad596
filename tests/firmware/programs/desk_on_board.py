"""A board on a desk: MicroPython with a flash of its own as only file system, pins, an SPI with an MCP2515.

Arguments: the file that is its flash, and a file of JSON with `mount` (where the flash is), `format` (its
file system), `frames` (id and hexadecimal data of what comes each 100 ms; ids from 2^31 on are extended),
`files` (what is on the flash at first), and `interrupts` (whether a byte 3 ends a program that idles, since a
pseudo terminal does not see to that). Starts main.py as a board does, then gives the prompt.
"""

import json
import os
import select
import sys
import time

import micropython
import vfs

# An interrupt must not lead to a prompt that has this machine's files.
micropython.kbd_intr(-1)
try:
    import mcp2515
    import stm32_desk
    from simulated import Disk

    with open(sys.argv[2]) as file:
        options = json.load(file)
except ImportError:
    vfs.umount("/")
    raise


class Spi:
    """Hands what comes between edges of chip select to the controller; on its bus frames come."""

    def __init__(self, number: int, **settings: object) -> None:
        self.frames = [(can_id, bytes.fromhex(data)) for can_id, data in options["frames"]]
        self.next = 0
        self.began = time.ticks_ms()

    def write_readinto(self, octets: bytes, answer: bytearray) -> None:
        if octets[0] == 0xA0 and chip.mode == mcp2515.LISTEN_ONLY:
            self.come()
        answer[:] = chip.transfer(octets)

    def come(self) -> None:
        """Let the next frame come, one at a time, so that none is lost."""
        if self.next == len(self.frames):
            if time.ticks_diff(time.ticks_ms(), self.began) < 100:
                return
            self.next = 0
            self.began = time.ticks_ms()
        elif not chip.interrupt:
            can_id, data = self.frames[self.next]
            chip.deliver(can_id & 0x7FFFFFFF, bool(can_id >> 31), False, len(data), data)
            self.next += 1


class Pin:
    """A pin: high, but for the controller's interrupt, and for the gateway's power before it is switched."""

    IN = 0
    OUT = 1
    PULL_UP = 1
    IRQ_FALLING = 2

    def __init__(self, name: object, mode: int = 0, pull: object = None, value: int = 1) -> None:
        self.name = name
        self.level = 0 if name == "ENABLE" else 1

    def init(self, mode: int, value: int) -> None:
        self.level = value

    def value(self, level: object = None) -> int:
        if self.name == 20:
            return int(not chip.interrupt)
        if self.name == 22:
            return 0 if jumper() else 1
        if level is not None:
            self.level = level
        return self.level

    def __call__(self, level: object = None) -> int:
        return self.value(level)

    def irq(self, **settings: object) -> None:
        """Nothing interrupts here: the loop polls."""


class Adc:
    """What the thermometer shows at 27 degrees; of the supply, 13.2 V of 36.3."""

    CORE_TEMP = 4

    def __init__(self, pin: object) -> None:
        self.pin = pin

    def read_u16(self) -> int:
        return 14_021 if self.pin == self.CORE_TEMP else 23_831


class Watchdog:
    """One that never bites."""

    def __init__(self, timeout: int) -> None:
        self.timeout = timeout

    def feed(self) -> None:
        """Be fed."""


class Machine:
    """The module `machine` of this board."""

    Pin = Pin
    SPI = Spi
    ADC = Adc
    WDT = Watchdog
    CAN = stm32_desk.Can
    UART = stm32_desk.Uart
    mem32 = stm32_desk.registers
    PWRON_RESET = 1
    WDT_RESET = 3

    def reset(self) -> None:
        os.system("kill -9 $PPID")

    def reset_cause(self) -> int:
        return 3

    def unique_id(self) -> bytes:
        return b"\x01\x02\x03\x04\xbe\xef"

    def idle(self) -> None:
        time.sleep_ms(1)
        if options["interrupts"] and typed.poll(0) and sys.stdin.buffer.read(1) == b"\x03":
            raise KeyboardInterrupt


class Wireless:
    """The module `network`, with a network that one password opens."""

    STA_IF = 0

    def WLAN(self, interface: int) -> object:
        return self

    def active(self, on: bool) -> None:
        """Be on."""

    def connect(self, ssid: str, password: str) -> None:
        if (ssid, password) != ("yard", "of the depot"):
            raise ValueError("no such network")


def jumper() -> bool:
    try:
        os.stat("/jumper")
    except OSError:
        return False
    return True


chip = mcp2515.Mcp2515()
typed = select.poll()
typed.register(sys.stdin, select.POLLIN)
sys.modules["machine"] = Machine()
sys.modules["network"] = Wireless()
sys.modules["pyb"] = stm32_desk.Pyb()
store = open(sys.argv[1], "r+b")
# From here on nothing reaches the files of this machine, whatever happens.
vfs.umount("/")
system = getattr(vfs, options["format"])
disk = Disk(store, 512 if system is vfs.VfsFat else 4096, 1200 if system is vfs.VfsFat else 150)
new = False
try:
    flash = system(disk)
    vfs.mount(flash, options["mount"])
except OSError:
    new = True
    system.mkfs(disk)
    flash = system(disk)
    vfs.mount(flash, options["mount"])
os.chdir(options["mount"])
sys.path[:] = ["", ".frozen", "lib"]
for path, text in options["files"].items() if new else ():
    parts = path.split("/")
    for n in range(1, len(parts)):
        try:
            os.mkdir("/".join(parts[:n]))
        except OSError:
            # It is there.
            pass
    with open(path, "w") as file:
        file.write(text)
try:
    with open("main.py") as file:
        program = file.read()
except OSError:
    program = ""
micropython.kbd_intr(3)
exec(program, {"__name__": "__main__"})
