"""`Reception`: what each way to take frames from the kernel looks like to `SocketCanSource`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from edge.closing import Closing

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """N frames as the kernel handed them over, in order of arrival (linux/can.h).

    Attributes:
        wall_ns: int64, the stamp, Unix time in nanoseconds; 0 where there is none.
        hardware: bool, whether the controller made the stamp, and not the kernel.
        can_id: uint32, with ``CAN_EFF_FLAG``, ``CAN_RTR_FLAG`` and ``CAN_ERR_FLAG``.
        length: uint8, bytes of data in use.
        fd: bool, whether it is a frame of CAN FD.
        fd_flags: uint8, ``canfd_frame.flags``; 0 for a classic frame.
        local: bool, whether a program of this machine sent it, as far as that can be told.
        interface: int32, by which number the kernel knows the interface that it came from; 0 where there is
            but one.
        data: uint8 of shape (N, 8) or (N, 64); bytes past `length` are 0. Not shown by `repr`.
    """

    wall_ns: npt.NDArray[np.int64]
    hardware: Bools
    can_id: npt.NDArray[np.uint32]
    length: npt.NDArray[np.uint8]
    fd: Bools
    fd_flags: npt.NDArray[np.uint8]
    local: Bools
    interface: npt.NDArray[np.int32]
    data: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.can_id)

    def __repr__(self) -> str:
        return f"Cells({len(self)} frames)"

    @classmethod
    def none(cls) -> Self:
        """No frames."""
        return cls(
            wall_ns=np.empty(0, np.int64),
            hardware=np.empty(0, np.bool_),
            can_id=np.empty(0, np.uint32),
            length=np.empty(0, np.uint8),
            fd=np.empty(0, np.bool_),
            fd_flags=np.empty(0, np.uint8),
            local=np.empty(0, np.bool_),
            interface=np.empty(0, np.int32),
            data=np.empty((0, 8), np.uint8),
        )


class Reception(Closing):
    """Open sockets on one interface.

    Attributes:
        way: ``ring`` or ``raw``, for people.
        tells_local: whether `Cells.local` means anything: a ring does not see who sent a frame.
        lag_s: for so long a frame may lie in the kernel before it can be taken.
        drained: whether the last `take` left nothing that could have been taken.
    """

    way: str
    tells_local: bool
    lag_s: float = 0.0
    drained: bool = False

    @abstractmethod
    def fileno(self) -> int:
        """A descriptor that becomes readable when there is something to take."""

    @abstractmethod
    def take(self, timeout_s: float) -> Cells:
        """Wait up to `timeout_s` for frames, and take all that are there, up to what one batch holds.

        Raises:
            OSError: the interface is gone or down (``ENETDOWN``, ``ENODEV``); it may be opened anew later.
        """

    @abstractmethod
    def lost(self) -> int:
        """Frames that the kernel had no room for, since the last call."""

    @abstractmethod
    def malformed(self) -> Mapping[str, int]:
        """Frames taken that are none, by cause, since the last call; they are in no `Cells`."""

    def finish(self) -> None:
        """Let no further frames in, where that can be done; what waits is still to be taken.

        `take` then gives all that came before, and in the end none.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the sockets; a second call does nothing. `lost` and `malformed` still tell the rest."""


class SharedReception(Reception):
    """Open sockets on several interfaces at once; `Cells.interface` tells where each frame came from."""

    @abstractmethod
    def admit(self, interfaces: Iterable[int]) -> None:
        """Let in the frames of these interfaces, by the numbers that the kernel knows them by, and no others.

        Raises:
            OSError: there are too many.
        """
