"""Brings frames to the functions of a generated decoder, by bus and id; takes no memory once it is made."""

try:
    from bridge.ring import CELL_BYTES, CELLS, DATA_BYTES, HEAD, HEAD_BYTES, TAIL
except ImportError:  # on a desk
    from firmware.bridge.ring import CELL_BYTES, CELLS, DATA_BYTES, HEAD, HEAD_BYTES, TAIL

_EXTENDED_KIND = 0x10
_COUNT = 0x3FFFFFFF
_PDU1_FORMATS = 0xF0


class Dispatcher:
    """Decodes frames into the arrays of a generated module.

    An id is looked up as the gateway does it: first as it is, an extended one then by its J1939 parameter
    group with its source address, at last by the group alone.

    Args:
        decoder: the generated module.

    Attributes:
        decoded: frames that had a function, modulo 2^30.
        unknown: data frames that had none, modulo 2^30: nothing of them is kept.
        not_data: remote and error frames, modulo 2^30.
    """

    def __init__(self, decoder) -> None:
        self._ids = decoder.IDS
        self._groups = decoder.PARAMETER_GROUPS
        self._extended = decoder.EXTENDED
        self._named = decoder.NAMED_SOURCE
        self.decoded = 0
        self.unknown = 0
        self.not_data = 0

    def take(self, bus: int, kind: int, can_id: int, data: bytearray, length: int, now: int) -> None:
        """Take a frame.

        Args:
            bus: number of its bus, as in the module's BUSES.
            kind: as on the line of vlink: bit 4 extended, 5 remote, 6 FD, 7 error frame (classic).
            can_id: 11 or 29 bits.
            data: its data, at least `length` bytes.
            length: how many bytes it has.
            now: the clock in milliseconds modulo 2^30.
        """
        if not kind & 0x40 and kind & 0xA0:
            self.not_data = (self.not_data + 1) & _COUNT
            return
        if kind & _EXTENDED_KIND:
            function = self._ids[bus].get(can_id | self._extended)
            groups = self._groups[bus]
            if function is None and groups:
                group = can_id >> 8 & 0x3FFFF
                if can_id >> 16 & 0xFF < _PDU1_FORMATS:
                    group &= 0x3FF00
                function = groups.get(group << 9 | self._named | can_id & 0xFF)
                if function is None:
                    function = groups.get(group << 9)
        else:
            function = self._ids[bus].get(can_id)
        if function is None:
            self.unknown = (self.unknown + 1) & _COUNT
            return
        self.decoded = (self.decoded + 1) & _COUNT
        function(data, length, now)


class RingReader:
    """Empties the ring of one bus into a dispatcher, in place: data are nowhere copied.

    Args:
        ring: that the controller fills; nothing else may empty it.
        bus: number of its bus, as in the module's BUSES.
        dispatcher: takes the frames.
    """

    def __init__(self, ring, bus: int, dispatcher: Dispatcher) -> None:
        self._state = ring.state
        self._cells = ring.cells
        self._bus = bus
        self._take = dispatcher
        size = ring.state[CELL_BYTES]
        whole = memoryview(ring.cells)
        self._data = [
            whole[cell * size + HEAD_BYTES : (cell + 1) * size] for cell in range(ring.state[CELLS])
        ]

    def drain(self, now: int, most: int) -> int:
        """Decode what waits.

        Args:
            now: the clock in milliseconds modulo 2^30, which becomes the time of all these frames.
            most: so many frames at most.

        Returns:
            How many frames there were.
        """
        state = self._state
        cells = self._cells
        size = state[CELL_BYTES]
        count = state[CELLS]
        tail = state[TAIL]
        frames = 0
        while tail != state[HEAD] and frames < most:
            at = tail * size
            if not cells[at + 3]:
                kind = cells[at + 2]
                can_id = cells[at + 4] | cells[at + 5] << 8 | cells[at + 6] << 16 | cells[at + 7] << 24
                length = DATA_BYTES[(kind & 0x0F) | ((kind >> 2) & 0x10)]
                self._take.take(self._bus, kind, can_id, self._data[tail], length, now)
                frames += 1
            tail += 1
            if tail == count:
                tail = 0
            state[TAIL] = tail
        return frames
