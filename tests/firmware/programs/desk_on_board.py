"""A board on a desk: MicroPython with a flash of its own as only file system, pins, an SPI with an MCP2515.

Arguments: the file that is its flash. Starts /main.py as a board does, then gives the prompt.
"""

import os
import sys
import time

import micropython
import vfs

# An interrupt must not lead to a prompt that has this machine's files.
micropython.kbd_intr(-1)
try:
    import mcp2515
    from simulated import Disk
except ImportError:
    vfs.umount("/")
    raise


class Spi:
    """Hands what comes between edges of chip select to the controller."""

    def __init__(self, number: int, **settings: object) -> None:
        self.asked = b""

    def write_readinto(self, octets: bytes, answer: bytearray) -> None:
        answer[:] = chip.transfer(octets)


class Pin:
    """A pin: high, but for the controller's interrupt."""

    IN = 0
    OUT = 1
    PULL_UP = 1
    IRQ_FALLING = 2

    def __init__(self, name: object, mode: int = 0, pull: object = None, value: int = 1) -> None:
        self.name = name

    def value(self, level: object = None) -> int:
        if self.name == 20:
            return int(not chip.interrupt)
        if self.name == 22:
            return 0 if jumper() else 1
        return 1

    def __call__(self, level: object = None) -> int:
        return self.value(level)

    def irq(self, **settings: object) -> None:
        """Nothing interrupts here: the loop polls."""


class Adc:
    """Half of full scale."""

    CORE_TEMP = 4

    def __init__(self, pin: object) -> None:
        self.pin = pin

    def read_u16(self) -> int:
        return 14_000


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


def jumper() -> bool:
    try:
        os.stat("/jumper")
    except OSError:
        return False
    return True


chip = mcp2515.Mcp2515()
sys.modules["machine"] = Machine()
store = open(sys.argv[1], "r+b")
# From here on nothing reaches the files of this machine, whatever happens.
vfs.umount("/")
disk = Disk(store, 4096, 96)
try:
    flash = vfs.VfsLfs2(disk)
except OSError:
    vfs.VfsLfs2.mkfs(disk)
    flash = vfs.VfsLfs2(disk)
vfs.mount(flash, "/")
os.chdir("/")
sys.path[:] = ["", "/lib"]
try:
    with open("/main.py") as file:
        program = file.read()
except OSError:
    program = ""
micropython.kbd_intr(3)
exec(program, {"__name__": "__main__"})
