"""Encodes one message of the reference vehicle: state in, payloads out, with alive counter and checksum."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from edge.database.model import Message, Signal
from edge.frames import NO_FLAGS, FrameFlag
from simulator.vehicle.checksum import crc8
from simulator.vehicle.packing import Packer, Page, Quantiser, pages
from simulator.vehicle.wiring import PAGE_MARK, Wiring

Float64s = npt.NDArray[np.float64]
UInt64s = npt.NDArray[np.uint64]
UInt8s = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.intp]

CHECKSUM = "_Checksum"
ALIVE_COUNTER = "_AliveCounter"
ALIVE_COUNTS = 15


class PageEncoder:
    """Encodes the frames of one page: fed signals from the state, all others at rest."""

    def __init__(self, message: Message, page: Page, wiring: Wiring, rows: Mapping[str, int]) -> None:
        number = str(next(iter(page.selectors.values()), ""))
        channels = {
            signal.name: channel.replace(PAGE_MARK, f"[{number}]")
            for signal in page.signals
            if (channel := wiring.channel(message.name, signal.name)) is not None
        }
        fed = [signal for signal in page.signals if signal.name in channels]
        resting = [signal for signal in page.signals if signal.name not in channels]
        self._rows = np.array([rows[channels[signal.name]] for signal in fed], np.intp)[:, None]
        self._quantiser = Quantiser(fed)
        self._packer = Packer(fed, message.length)
        rest = np.array([[_resting_raw(message, page, signal)] for signal in resting], np.uint64).reshape(
            -1, 1
        )
        self._rest = Packer(resting, message.length).pack(rest)[0] if resting else np.uint8(0)

    def encode(self, state: Float64s, steps: Indices) -> UInt8s:
        """Payloads at `steps` (columns of `state`), uint8 of shape (N, length)."""
        raw = self._quantiser.raw(state[self._rows, steps])
        payloads: UInt8s = self._packer.pack(raw) | self._rest
        return payloads


def _resting_raw(message: Message, page: Page, signal: Signal) -> int:
    if signal.name in page.selectors:
        return page.selectors[signal.name]
    initial = message.codec.get_signal_by_name(signal.name).raw_initial
    width = (1 << len(signal.bits)) - 1
    return int(initial or 0) & width


class MessageEncoder:
    """Encodes a message, page after page.

    Attributes:
        message: the message.
        flags: what its frames are flagged with.
        gate: row of the state that has to be other than 0 for a frame to be sent, or None.
        channels: the channels that feed it.
    """

    def __init__(self, message: Message, wiring: Wiring, rows: Mapping[str, int]) -> None:
        self.message = message
        self.flags = NO_FLAGS
        if message.extended:
            self.flags |= FrameFlag.EXTENDED
        if message.is_fd:
            self.flags |= FrameFlag.FD | FrameFlag.BITRATE_SWITCH
        gate = wiring.sent_while.get(message.name)
        self.gate = None if gate is None else rows[gate]
        self._pages = tuple(PageEncoder(message, page, wiring, rows) for page in pages(message))
        self._counter = self._only(ALIVE_COUNTER)
        self._checksum = self._only(CHECKSUM)
        attributes = message.codec.dbc.attributes if message.codec.dbc else {}
        data_id = attributes.get("ChecksumDataId")
        self._data_id = int(data_id.value) if data_id is not None else 0
        self._sent = 0

    def _only(self, ending: str) -> Packer | None:
        found = [signal for signal in self.message.signals if signal.name.endswith(ending)]
        return Packer(found, self.message.length) if found else None

    def encode(self, state: Float64s, steps: Indices) -> UInt8s:
        """The payloads of the next frames.

        Args:
            state: float64 of shape (channels, steps of the chunk).
            steps: the step at which each frame takes its values.

        Returns:
            uint8 of shape (N, length).
        """
        if not len(steps):
            return np.empty((0, self.message.length), np.uint8)
        counts = self._sent + np.arange(len(steps), dtype=np.int64)
        self._sent += len(steps)
        if len(self._pages) == 1:
            payloads = self._pages[0].encode(state, steps)
        else:
            payloads = np.empty((len(steps), self.message.length), np.uint8)
            turn = counts % len(self._pages)
            for place in np.unique(turn).tolist():
                chosen = turn == place
                payloads[chosen] = self._pages[place].encode(state, steps[chosen])
        if self._counter is not None:
            payloads = payloads | self._counter.pack((counts % ALIVE_COUNTS).astype(np.uint64)[None, :])
        if self._checksum is not None:
            sums = crc8(payloads, self._data_id)
            payloads = payloads | self._checksum.pack(sums.astype(np.uint64)[None, :])
        return payloads
