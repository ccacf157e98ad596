"""`LinkState`: what is known of an interface at one moment, in the words of CAN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from edge.bus.socketcan.bus_state import ControllerState
from edge.bus.socketcan.netlink import ControllerCounts, Link

_UP, _RUNNING = 0x01, 0x40
_ARPHRD_CAN = 280
_WITHOUT_CONTROLLER = frozenset({"vcan", "vxcan"})
_LISTEN_ONLY, _FD = 0x02, 0x20
_FD_MTU = 72
_STATES: Mapping[int | None, ControllerState] = {
    0: ControllerState.ACTIVE,
    1: ControllerState.WARNING,
    2: ControllerState.PASSIVE,
    3: ControllerState.BUS_OFF,
}
"""``enum can_state``; a controller that is stopped or asleep has none of these states."""


@dataclass(frozen=True, slots=True)
class LinkState:
    """An interface, as the kernel described it last.

    Attributes:
        index: by which the kernel knows it, whatever it is called; a device that comes back gets another one.
        name: its name now.
        other_names: alternative names.
        kind: ``can`` for a controller, ``vcan``, ``vxcan``, ``veth`` …; empty if the kernel does not say.
        device: bus and name of the device behind it, such as ``usb 1-1.4:1.0``; empty if there is none.
        up: whether it is set up (``IFF_UP``).
        running: whether it can carry frames (``IFF_RUNNING``): not while a controller is bus-off.
        mtu: bytes of the largest frame structure: 16 for CAN, 72 for CAN FD; 0 if not told.
        takes_fd: whether it takes CAN FD frames; None if it is no CAN interface.
        bitrate: bits a second; None where there is no controller, none is set, or it is not told.
        data_bitrate: the same for the data phase of CAN FD.
        listen_only: whether the controller reads back as listen-only: it then sends neither acknowledgements
            nor error flags. False also where it does not say. None where there is no controller.
        can_listen_only: whether the controller knows that mode; None if not told.
        controller_state: of its error counters; unknown where there is none, and while the interface is down.
        restart_ms: how long after bus-off it is started again by itself; 0: not at all; None if not told.
        transmit_errors: the controller's counter; None if not told.
        receive_errors: the controller's counter; None if not told.
        counts: what its driver has counted; None if not told.
    """

    index: int
    name: str
    other_names: tuple[str, ...] = ()
    kind: str = ""
    device: str = ""
    up: bool = False
    running: bool = False
    mtu: int = 0
    takes_fd: bool | None = None
    bitrate: int | None = None
    data_bitrate: int | None = None
    listen_only: bool | None = None
    can_listen_only: bool | None = None
    controller_state: ControllerState = ControllerState.UNKNOWN
    restart_ms: int | None = None
    transmit_errors: int | None = None
    receive_errors: int | None = None
    counts: ControllerCounts | None = None

    @classmethod
    def of(cls, link: Link) -> Self:
        """The state that a message of the kernel describes."""
        can, mtu = link.hardware == _ARPHRD_CAN, link.mtu or 0
        state = cls(
            index=link.index,
            name=link.name,
            other_names=link.other_names,
            kind=link.kind,
            device=link.device,
            up=bool(link.flags & _UP),
            running=bool(link.flags & _RUNNING),
            mtu=mtu,
            takes_fd=mtu >= _FD_MTU if can else None,
            # A driver that does not say what its controller does (an old slcan) has one all the same.
            listen_only=False if can and link.kind not in _WITHOUT_CONTROLLER else None,
        )
        controller = link.controller
        if controller is None:
            return state
        mode, supported = controller.mode or 0, controller.supported_mode
        return replace(
            state,
            takes_fd=bool(mode & _FD),
            bitrate=controller.bitrate,
            data_bitrate=controller.data_bitrate,
            listen_only=bool(mode & _LISTEN_ONLY),
            can_listen_only=None if supported is None else bool(supported & _LISTEN_ONLY),
            controller_state=_STATES.get(controller.state, ControllerState.UNKNOWN),
            restart_ms=controller.restart_ms,
            transmit_errors=controller.transmit_errors,
            receive_errors=controller.receive_errors,
            counts=controller.counts,
        )

    def answers_to(self, name: str) -> bool:
        """Whether `name` is its name, or one of its alternative names."""
        return name == self.name or name in self.other_names

    def __str__(self) -> str:
        words = [self.kind or "of no known kind"]
        if self.bitrate:
            words.append(f"{self.bitrate} bit/s")
        if self.takes_fd:
            words.append(f"FD with {self.data_bitrate} bit/s of data" if self.data_bitrate else "FD")
        if self.listen_only is not None:
            words.append("listen-only" if self.listen_only else "not listen-only")
        if self.controller_state is not ControllerState.UNKNOWN:
            words.append(f"controller {self.controller_state}")
        return ", ".join(words if self.up else ["down", *words])
