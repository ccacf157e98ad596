"""What STM32's CAN controllers are really set to: MicroPython's classes tell only what they were asked for.

bxCAN as in RM0090, chapter 32; FDCAN as in RM0433, chapter 59, and RM0440, chapter 44. `memory` is
`machine.mem32`, `base` the address of the controller's first register.
"""

from ..health import MODE_LISTEN_ONLY, MODE_LOOPBACK, MODE_NORMAL, MODE_OFF
from . import NotListenOnly
from .bit_timing import BitTiming, Limits

BXCAN_LIMITS = Limits(prescaler=1024, before=(1, 16), behind=(1, 8), jump=4)
"""Of BTR, as far as machine.CAN lets them be used."""
FDCAN_LIMITS = Limits(prescaler=512, before=(2, 256), behind=(2, 128), jump=128)
"""Of NBTP."""
FDCAN_DATA_LIMITS = Limits(prescaler=32, before=(1, 32), behind=(1, 16), jump=16)
"""Of DBTP."""

_MSR = 0x04
_TSR = 0x08
_BTR = 0x1C

_DBTP = 0x0C
_TEST = 0x10
_CCCR = 0x18
_NBTP = 0x1C

_INIT = 0x01
_CCE = 0x02
_ASM = 0x04
_MON = 0x20
_TEST_ENABLED = 0x80
_LOOPBACK = 0x10
_TRIES = 1000


def bxcan_mode(memory: object, base: int) -> int:
    """Tell `MODE_*` of a bxCAN; normal, the worst, also where a mailbox has something to send."""
    if memory[base + _MSR] & 3:
        return MODE_OFF
    if memory[base + _TSR] >> 26 & 7 != 7:
        return MODE_NORMAL
    return (MODE_NORMAL, MODE_LOOPBACK, MODE_LISTEN_ONLY, MODE_LOOPBACK)[memory[base + _BTR] >> 30 & 3]


def fdcan_mode(memory: object, base: int) -> int:
    """Tell `MODE_*` of an FDCAN; normal, the worst, also in restricted mode, which acknowledges."""
    control = memory[base + _CCCR]
    if control & _INIT:
        return MODE_OFF
    if control & _TEST_ENABLED and memory[base + _TEST] & _LOOPBACK:
        return MODE_LOOPBACK
    if control & _MON and not control & _ASM:
        return MODE_LISTEN_ONLY
    return MODE_NORMAL


def fdcan_has(memory: object, base: int, nominal: BitTiming) -> bool:
    """Tell whether this is the timing of the arbitration phase."""
    value = memory[base + _NBTP]
    return (
        (value >> 16 & 0x1FF) + 1 == nominal.prescaler
        and (value >> 8 & 0xFF) + 1 == nominal.before
        and (value & 0x7F) + 1 == nominal.behind
    )


def fdcan_set_data_phase(memory: object, base: int, data: BitTiming) -> None:
    """See to it that the data phase has this timing, without leaving bus monitoring.

    MicroPython 1.28 and 1.29 take the data phase's timing and then write one of three quanta over it
    (`can_init` in ports/stm32/fdcan.c). So where the register does not have it, it is written here, in
    initialisation, where the controller is off the bus.

    Args:
        memory: see above.
        base: see above.
        data: the timing.

    Raises:
        NotListenOnly: The controller is not in bus monitoring, or does not do as it is told.
    """
    value = (data.prescaler - 1) << 16 | (data.before - 1) << 8 | (data.behind - 1) << 4 | (data.jump - 1)
    if memory[base + _DBTP] == value:
        return
    control = memory[base + _CCCR]
    if control & (_MON | _ASM | _TEST_ENABLED) != _MON:
        raise NotListenOnly("the FDCAN is not in bus monitoring")
    memory[base + _CCCR] = control | _INIT
    _wait(memory, base, _INIT)
    memory[base + _CCCR] = control | _INIT | _CCE
    memory[base + _DBTP] = value
    written = memory[base + _DBTP] == value
    still = memory[base + _CCCR] & _MON
    if not written or not still:
        raise NotListenOnly("the FDCAN does not take the data phase's timing")
    memory[base + _CCCR] = control & ~(_INIT | _CCE)
    _wait(memory, base, 0)


def _wait(memory: object, base: int, wanted: int) -> None:
    for _ in range(_TRIES):
        if memory[base + _CCCR] & _INIT == wanted:
            return
    raise NotListenOnly("the FDCAN does not enter or leave initialisation")
