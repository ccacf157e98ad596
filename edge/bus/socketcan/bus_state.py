"""`BusState`: what error frames say of a bus: its controller's state, as changes; all else, as counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import IntEnum, StrEnum

import numpy as np
import numpy.typing as npt

from edge.frames import FrameBatch, FrameFlag, Int64s, UInt8s, UInt32s

WARNING_THRESHOLD, PASSIVE_THRESHOLD = 96, 128
"""Error counters from which a controller warns and is passive (linux/can/error.h; ISO 11898-1:2015, 12.1)."""


class ControllerState(IntEnum):
    """Error state of a CAN controller, better ones first (ISO 11898-1:2015, 12.1)."""

    UNKNOWN = 0
    ACTIVE = 1
    WARNING = 2
    PASSIVE = 3
    BUS_OFF = 4

    def __str__(self) -> str:
        return self.name.lower().replace("_", "-")


class Side(StrEnum):
    """Whose errors a state comes from."""

    NOT_SAID = ""
    RECEIVE = "receive"
    TRANSMIT = "transmit"
    BOTH = "receive and transmit"


@dataclass(frozen=True, slots=True)
class StateChange:
    """A controller went into another state, or was restarted.

    Attributes:
        t_ns: when, boot-monotonic nanoseconds: the time of the frame that says so.
        before: the state until then, as far as it was known.
        state: the state from then on.
        side: whose errors led to it.
        restarted: whether the controller was restarted after bus-off.
        transmit_errors: its counter of transmit errors; None where the driver does not tell.
        receive_errors: its counter of receive errors; None where the driver does not tell.
    """

    t_ns: int
    before: ControllerState
    state: ControllerState
    side: Side = Side.NOT_SAID
    restarted: bool = False
    transmit_errors: int | None = None
    receive_errors: int | None = None

    def __str__(self) -> str:
        words = ["restarted, " if self.restarted else "", f"controller is {self.state}"]
        if self.side:
            words.append(f" for errors of {self.side}")
        if self.before not in {ControllerState.UNKNOWN, self.state}:
            words.append(f", was {self.before}")
        if self.transmit_errors is not None:
            words.append(f" (error counters: transmit {self.transmit_errors}, receive {self.receive_errors})")
        return "".join(words)


class ErrorClass:
    """Bits of an error frame's id (linux/can/error.h)."""

    TRANSMIT_TIMEOUT = 0x001
    ARBITRATION_LOST = 0x002
    CONTROLLER = 0x004
    PROTOCOL = 0x008
    TRANSCEIVER = 0x010
    NO_ACKNOWLEDGEMENT = 0x020
    BUS_OFF = 0x040
    BUS_ERROR = 0x080
    RESTARTED = 0x100
    COUNTERS = 0x200


CLASS_FACTS = {
    ErrorClass.TRANSMIT_TIMEOUT: "transmit timeout",
    ErrorClass.ARBITRATION_LOST: "arbitration lost",
    ErrorClass.PROTOCOL: "protocol violation",
    ErrorClass.TRANSCEIVER: "transceiver fault",
    ErrorClass.NO_ACKNOWLEDGEMENT: "no acknowledgement",
    ErrorClass.BUS_OFF: "bus-off",
    ErrorClass.BUS_ERROR: "bus error",
    ErrorClass.RESTARTED: "controller restarted",
}
CONTROLLER_FACTS = {
    0x02: "controller transmit overflow",
    0x04: "receive error warning",
    0x08: "transmit error warning",
    0x10: "receive error passive",
    0x20: "transmit error passive",
    0x40: "error active again",
}
PROTOCOL_FACTS = {
    0x01: "bit error",
    0x02: "form error",
    0x04: "stuff error",
    0x08: "dominant bit not sent",
    0x10: "recessive bit not sent",
    0x20: "overload frame",
    0x40: "active error announced",
    0x80: "error on transmission",
}
OVERFLOW = 0x01
"""CAN_ERR_CRTL_RX_OVERFLOW: the controller had no room for at least one frame."""

_WARNING, _PASSIVE, _ACTIVE = 0x04 | 0x08, 0x10 | 0x20, 0x40
_RECEIVE, _TRANSMIT = 0x04 | 0x10, 0x08 | 0x20
_ARBITRATION, _CONTROLLER, _PROTOCOL, _TRANSMIT_COUNT, _RECEIVE_COUNT = 0, 1, 2, 6, 7
"""Places of what is said in the data of an error frame."""


class BusState:
    """Follows the state of one bus's controller by the error frames that the kernel hands on.

    A driver tells what its controller can: which classes come, and whether error counters do, depends on it,
    and bus errors and lost arbitrations may have to be asked for (``ip link set … berr-reporting on``).
    As long as counters were said but no state, the state is the one that the first counters stand for; not
    afterwards, since some controllers count to 127 only (Bosch M_CAN).

    Attributes:
        state: as last said; unknown before the first change, since a driver tells of changes only.
        transmit_errors: the last counter of transmit errors; None before one was told.
        receive_errors: the last counter of receive errors; None before one was told.
        overflows: error frames by which the controller said that it lost frames, each at least one.
        arbitration_lost_bits: in which bit of the frame arbitration was lost, counted; 0 is not said.
        facts: error frames by what they say; one frame may say several things.
    """

    def __init__(self) -> None:
        self.state = ControllerState.UNKNOWN
        self.transmit_errors: int | None = None
        self.receive_errors: int | None = None
        self.overflows = 0
        self.arbitration_lost_bits: Counter[int] = Counter()
        self.facts: Counter[str] = Counter()

    def follow(self, batch: FrameBatch) -> tuple[StateChange, ...]:
        """Take in the error frames of `batch`, which are in order; tell what changed."""
        error = batch.has(FrameFlag.ERROR)
        if not error.any():
            return ()
        rows = np.flatnonzero(error)
        classes, data = batch.arbitration_id[rows], batch.data[rows, :8]
        self._count(classes, data)
        return self._changes(classes, data, batch.t_ns[rows])

    def _count(self, classes: UInt32s, data: UInt8s) -> None:
        for bit, name in CLASS_FACTS.items():
            self._add(name, (classes & bit) != 0)
        controller = _where(classes, ErrorClass.CONTROLLER, data[:, _CONTROLLER])
        protocol = _where(classes, ErrorClass.PROTOCOL, data[:, _PROTOCOL])
        for bit, name in CONTROLLER_FACTS.items():
            self._add(name, (controller & bit) != 0)
        for bit, name in PROTOCOL_FACTS.items():
            self._add(name, (protocol & bit) != 0)
        self.overflows += int(np.count_nonzero(controller & OVERFLOW))
        lost = (classes & ErrorClass.ARBITRATION_LOST) != 0
        if lost.any():
            bits, counts = np.unique(data[lost, _ARBITRATION], return_counts=True)
            self.arbitration_lost_bits.update(dict(zip(bits.tolist(), counts.tolist(), strict=True)))

    def _add(self, name: str, said: npt.NDArray[np.bool_]) -> None:
        if count := int(np.count_nonzero(said)):
            self.facts[name] += count

    def _changes(self, classes: UInt32s, data: UInt8s, t_ns: Int64s) -> tuple[StateChange, ...]:
        controller = _where(classes, ErrorClass.CONTROLLER, data[:, _CONTROLLER])
        counted = (classes & ErrorClass.COUNTERS) != 0
        restarted = (classes & ErrorClass.RESTARTED) != 0
        said = _said(classes, controller)
        if counted.any():
            self.transmit_errors, self.receive_errors = _counters(data[np.flatnonzero(counted)[-1]])
            first = int(np.argmax(counted | (said != ControllerState.UNKNOWN)))
            if self.state == said[first] == ControllerState.UNKNOWN:
                said[first] = _by_counters(*_counters(data[first]))
        telling = np.flatnonzero(said)
        if not len(telling):
            return ()
        states = said[telling]
        before = np.concatenate(([np.uint8(self.state)], states[:-1]))
        self.state = ControllerState(int(states[-1]))
        return tuple(
            StateChange(
                int(t_ns[row]),
                ControllerState(int(before[place])),
                ControllerState(int(states[place])),
                _side(int(controller[row])),
                bool(restarted[row]),
                *(_counters(data[row]) if counted[row] else (None, None)),
            )
            for place in np.flatnonzero((states != before) | restarted[telling])
            for row in (telling[place],)
        )


def _where(classes: UInt32s, error_class: int, said: UInt8s) -> UInt8s:
    """What a byte of the data says, 0 where the frame is not of the class that it belongs to."""
    return np.where((classes & error_class) != 0, said, np.uint8(0))


def _said(classes: UInt32s, controller: UInt8s) -> UInt8s:
    """The state that each frame says, the worst if several; 0 for none."""
    said = np.zeros(len(classes), np.uint8)
    said[((controller & _ACTIVE) != 0) | ((classes & ErrorClass.RESTARTED) != 0)] = ControllerState.ACTIVE
    said[(controller & _WARNING) != 0] = ControllerState.WARNING
    said[(controller & _PASSIVE) != 0] = ControllerState.PASSIVE
    said[(classes & ErrorClass.BUS_OFF) != 0] = ControllerState.BUS_OFF
    return said


def _counters(data: UInt8s) -> tuple[int, int]:
    """The counters of transmit and receive errors."""
    return int(data[_TRANSMIT_COUNT]), int(data[_RECEIVE_COUNT])


def _by_counters(transmit: int, receive: int) -> ControllerState:
    worst = max(transmit, receive)
    if worst >= PASSIVE_THRESHOLD:
        return ControllerState.PASSIVE
    return ControllerState.WARNING if worst >= WARNING_THRESHOLD else ControllerState.ACTIVE


def _side(controller: int) -> Side:
    receive, transmit = controller & _RECEIVE, controller & _TRANSMIT
    if receive and transmit:
        return Side.BOTH
    if receive:
        return Side.RECEIVE
    return Side.TRANSMIT if transmit else Side.NOT_SAID
