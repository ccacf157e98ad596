"""The compiled hot loops, where they are installed; nothing in nevgate needs them."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import Any, Protocol, cast

import numpy.typing as npt

INTERFACE = 3
"""What the module must be made for: functions and their arguments as in `Accelerator`."""

VARIABLE = "NEVGATE_ACCELERATOR"
"""The environment variable that, being ``off``, leaves the module alone."""

MODULE = "nevgate_accelerator"
"""The module of the distribution nevgate-accelerator, whose source is the folder ``accelerator``."""

Array = npt.NDArray[Any]


class Accelerator(Protocol):
    """What the module offers; its docstrings say what each does, and the callers which NumPy path it equals.

    Attributes:
        INTERFACE: see `INTERFACE`.
    """

    INTERFACE: int

    def candump(self, text: bytes, /, *columns: Array) -> tuple[list[bytes], int]:
        """Read lines of a candump log."""
        ...

    def gvret(self, directed: bool, text: bytes, /, *columns: Array) -> None:
        """Read lines of GVRET CSV."""
        ...

    def decode(
        self,
        fields: Array,
        halves: Array,
        data: Array,
        width: int,
        order: Array,
        segments: Array,
        out: Array,
        /,
    ) -> None:
        """Decode frames into values."""
        ...

    def extremes(
        self, columns: Sequence[Array], /
    ) -> list[tuple[int, int | float | None, int | float | None, int | float] | None]:
        """How many values each column has, its least, its greatest and its last."""
        ...

    def in_order(
        self,
        rows: Sequence[Array],
        values: Sequence[Array],
        t_ns: Array,
        times: Array,
        owners: Array,
        doubles: Array,
        /,
    ) -> bool:
        """Bring values into the order of frames."""
        ...

    def text_rows(
        self,
        rows: Sequence[Array],
        values: Sequence[Array],
        t_ns: Array,
        begin: bytes,
        heads: tuple[bytes, ...],
        end: bytes,
        json: bool,
        /,
    ) -> bytes | None:
        """Write values as text, in the order of frames."""
        ...

    def ring_cells(self, blocks: Array, block_bytes: int, protocols: bool, /, *columns: Array) -> bool | None:
        """Read frames out of blocks of the kernel's ring."""
        ...

    def judge_frames(
        self,
        masks: tuple[Array, ...],
        bus_numbers: Array,
        frames: tuple[Array, ...],
        rows: Array,
        counts: Array,
        judged: Array,
        kept: Array,
        refused: Array,
        beyond: Array,
        /,
    ) -> int:
        """Judge frames by the row that their mask set has for them."""
        ...

    def mask_frames(
        self,
        rows: Array,
        traits: Array,
        base: Array,
        layers: Array,
        bits: Array,
        frames: tuple[Array, ...],
        kept: tuple[Array, ...],
        /,
    ) -> None:
        """Write the bits that may pass of the frames that have a row."""
        ...

    def group_frames(self, *columns: Array) -> int:
        """Put frames of equal length, bus, id and flags together."""
        ...

    def payload_changes(
        self, data: Array, width: int, order: Array, lengths: Array, counts: Array, /
    ) -> tuple[bytes, bytes, tuple[bytes, bytes, bytes]]:
        """Write how the data of grouped frames changes."""
        ...

    def take_times(
        self,
        since: Array,
        order: Array,
        counts: Array,
        millisecond: int,
        first: Array,
        periods: Array,
        rest: Array,
        /,
    ) -> None:
        """Take the times of grouped frames apart."""
        ...

    def displacements(self, since: Array, order: Array, moved: Array, /) -> bool | None:
        """Tell how far frames arrived from where their times put them."""
        ...


def load(module: str = MODULE) -> tuple[Accelerator | None, str]:
    """The module if it is there, serves this nevgate and is not turned off; and what to say about it."""
    if os.environ.get(VARIABLE, "").strip().lower() in ("off", "0", "no", "false"):
        return None, f"off ({VARIABLE})"
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError:
        return None, "not installed"
    except ImportError as error:
        return None, f"not usable: {error}"
    interface = getattr(found, "INTERFACE", None)
    if interface != INTERFACE:
        return None, f"not usable: made for another nevgate (interface {interface}, {INTERFACE} is needed)"
    return cast("Accelerator", found), "in use"


native, state = load()
"""The module or None, and one of: in use, not installed, off, or why it cannot be used. Read as
``accelerated.native`` at each use, so that a test may change it."""
