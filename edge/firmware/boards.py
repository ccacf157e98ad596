"""Descriptions of boards: `firmware/boards/<board>.toml`, or a file of one's own, read and checked."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.errors import FirmwareError
from edge.firmware.sources import sources_folder
from edge.tomlfile import read_toml, validate

Pin = Annotated[int, Field(ge=0)] | Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]
"""As MicroPython of the board calls it."""

Family = Literal["rp2", "stm32", "esp32"]
Architecture = Literal[
    "x86",
    "x64",
    "armv6m",
    "armv7m",
    "armv7em",
    "armv7emsp",
    "armv7emdp",
    "xtensa",
    "xtensawin",
    "rv32imc",
    "rv64imc",
]
"""For which mpy-cross makes machine code."""

_BitRate = Annotated[int, Field(ge=5_000, le=8_000_000)]
_SamplePoint = Annotated[int, Field(ge=500, le=950)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Mcp2515Bus(_Table):
    """A bus on an MCP2515; see `firmware/bridge/controllers/mcp2515.py`.

    Attributes:
        oscillator_hz: the MCP2515's own.
        spi: number of the board's SPI.
        interrupt: of INT; None where it is not wired.
        hard: whether the board has hard interrupts of pins.
    """

    controller: Literal["mcp2515"]
    bitrate: _BitRate = 500_000
    sample_point: _SamplePoint | None = None
    oscillator_hz: int = Field(ge=1_000_000, le=40_000_000)
    spi: int = Field(ge=0)
    spi_hz: int = Field(default=10_000_000, ge=100_000, le=10_000_000)
    sck: Pin
    mosi: Pin
    miso: Pin
    select: Pin
    interrupt: Pin | None = None
    hard: bool = True


class MachineCanBus(_Table):
    """A bus on a controller of an STM32, without CAN FD; see `firmware/bridge/controllers/machine_can.py`.

    Attributes:
        number: of the controller, from 1.
        base: address of its registers.
        clock_hz: what its prescaler divides.
    """

    controller: Literal["machine_can"]
    bitrate: _BitRate = 500_000
    sample_point: _SamplePoint | None = None
    number: int = Field(ge=1, le=3)
    base: int = Field(ge=0x4000_0000, le=0x5FFF_FFFF)
    clock_hz: int = Field(ge=1_000_000, le=200_000_000)


class PybCanBus(_Table):
    """A bus on a controller of an STM32, with CAN FD; see `firmware/bridge/controllers/pyb_can.py`."""

    controller: Literal["pyb_can"]
    bitrate: _BitRate = 500_000
    sample_point: _SamplePoint | None = None
    data_bitrate: _BitRate = 2_000_000
    data_sample_point: _SamplePoint | None = None
    number: int = Field(ge=1, le=3)
    base: int = Field(ge=0x4000_0000, le=0x5FFF_FFFF)
    clock_hz: int = Field(ge=1_000_000, le=200_000_000)


Bus = Annotated[Mcp2515Bus | MachineCanBus | PybCanBus, Field(discriminator="controller")]


class UsbPort(_Table):
    """The board's own USB serial port."""

    kind: Literal["usb"]


class UartPort(_Table):
    """A UART.

    Attributes:
        tx: its pins, where the board lets them be chosen.
        rx: the same.
    """

    kind: Literal["uart"]
    number: int = Field(ge=0)
    speed: int = Field(default=921_600, ge=9_600, le=5_000_000)
    tx: Pin | None = None
    rx: Pin | None = None


class Loader(_Table):
    """The jumper to ground that lets the gateway restart the board into its loader."""

    pin: Pin


class Supervisor(_Table):
    """The supervisor of the gateway's power; see docs/supervisor.md.

    Attributes:
        full_scale_mv: of the supply at the ADC's full scale.
        vehicle_v: whose defaults are taken.
        parameters: what differs from them.
    """

    ignition: Pin
    enable: Pin
    supply: Pin
    full_scale_mv: int = Field(ge=3_300, le=200_000)
    vehicle_v: Literal[12, 24] = 12
    parameters: dict[Annotated[str, Field(pattern="^[a-z_]+$")], int] = {}


class Board(_Table):
    """A board.

    Attributes:
        name: of its file; not in it.
        title: for people.
        cells: of each bus's ring.
        watchdog_ms: of the hardware's watchdog; 0 for none.
        temperature: whether the microcontroller's own thermometer is read.
        wireless: whether it joins a wireless network.
    """

    name: str = Field(default="", pattern=r"^[a-z0-9-]*$")
    title: str
    family: Family
    architecture: Architecture
    cells: int = Field(ge=100, le=100_000)
    watchdog_ms: int = Field(default=0, ge=0, le=60_000)
    temperature: bool = False
    wireless: bool = False
    port: Annotated[UsbPort | UartPort, Field(discriminator="kind")]
    buses: tuple[Bus, ...] = Field(min_length=1, max_length=4)
    loader: Loader | None = None
    supervisor: Supervisor | None = None

    @model_validator(mode="after")
    def _fits(self) -> Board:
        controllers = {bus.controller for bus in self.buses}
        if self.family != "stm32" and controllers & {"machine_can", "pyb_can"}:
            raise ValueError(f"'machine_can' and 'pyb_can' are of stm32, not of {self.family}")
        if self.temperature and self.family != "rp2":
            raise ValueError("a thermometer is known of rp2 alone")
        if self.wireless and self.family == "stm32":
            raise ValueError("a stm32 has no wireless network here")
        if self.watchdog_ms and self.family == "rp2" and self.watchdog_ms > RP2_WATCHDOG_MS:
            raise ValueError(f"the watchdog of rp2 has {RP2_WATCHDOG_MS} ms at most")
        if isinstance(self.port, UartPort) and self.family == "stm32" and (self.port.tx or self.port.rx):
            raise ValueError("the pins of a stm32's UART cannot be chosen: leave tx and rx out")
        if isinstance(self.port, UartPort) and self.family == "esp32" and not self.port.number:
            raise ValueError("UART 0 of an esp32 is MicroPython's prompt: take another")
        return self


RP2_WATCHDOG_MS = 8_388


def board_names() -> tuple[str, ...]:
    """Names of the boards that are described here."""
    return tuple(sorted(path.stem for path in (sources_folder() / "boards").glob("*.toml")))


def load_board(name_or_file: str) -> Board:
    """Read the description of a board.

    Args:
        name_or_file: one of `board_names`, or a file that ends with ``.toml``.

    Raises:
        FirmwareError: there is none, or it is not right; one line a complaint.
    """
    path = Path(name_or_file)
    if path.suffix != ".toml":
        known = board_names()
        if name_or_file not in known:
            near = get_close_matches(name_or_file, known, n=1)
            raise FirmwareError(
                f"no board is called '{name_or_file}'",
                todo=f"Did you mean '{near[0]}'?"
                if near
                else f"There are {', '.join(known)}; or name a file",
            )
        path = sources_folder() / "boards" / f"{name_or_file}.toml"
    board = validate(read_toml(path, FirmwareError), Board, FirmwareError)
    return board.model_copy(update={"name": path.stem.lower().replace("_", "-")})
