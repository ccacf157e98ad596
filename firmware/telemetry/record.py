"""Writes record messages as `edge/wire` reads them (docs/wire-format.md): one record each, uncompressed."""

from .bits import BitWriter, bit_length, zigzag
from .cbor import Writer

LIVE, ALARM, BACKLOG, EVENT = range(4)
TIME_CORRECTIONS = 6

NONE, RTC, NTP, GNSS = range(4)

INVALID = object()
"""Nothing fresh was received."""

ABNORMAL = object()
"""What was received is out of the item's range."""

LOST, WITHHELD, ERASED = range(3)

STREAM_BYTES = 16
_VERSION = 1
_ITEM_BYTES = 24
_LEVEL = 0
_K_FOLLOWS = 13
_CONSTANT = 15


class RecordWriter:
    """Writes the messages of one stream and boot.

    The buffers are made here; `record` makes short lists, and integers of more than 31 bits.

    Args:
        vehicle: VIN or pseudonym.
        stream: 16 bytes.
        boot: 16 bytes that name this boot.
        keys: the wire keys `(key, index)` of all items, in any order; a record gives values in this order.
        mask: name of the mask under which values are collected; empty for none.
        predecessor: 16 bytes of the stream before, named in number 1; None where it is not known.
        elements: most elements of all arrays of a record together.

    Attributes:
        size: most bytes of a record's message.

    Raises:
        ValueError: two items have one key, or an id has not 16 bytes.
    """

    def __init__(
        self,
        vehicle: str,
        stream: bytes,
        boot: bytes,
        keys,
        mask: str = "",
        predecessor=None,
        elements: int = 0,
    ) -> None:
        if len(stream) != STREAM_BYTES or len(boot) != STREAM_BYTES:
            raise ValueError("stream and boot have 16 bytes each")
        self.vehicle, self.stream, self.boot = vehicle, stream, boot
        self.predecessor, self._mask = predecessor, mask
        self._columns = sorted((key[0], key[1], place) for place, key in enumerate(keys))
        for one, other in zip(self._columns, self._columns[1:]):
            if one[:2] == other[:2]:
                raise ValueError("two items have one key")
        body = 16 + _ITEM_BYTES * len(keys) + 10 * elements
        self._body = BitWriter(body)
        self.size = 160 + 4 * len(vehicle) + 4 * len(mask) + body
        self._message = Writer(self.size)
        self._losses = Writer(160 + 4 * len(vehicle) + 32 * 64)

    def record(
        self,
        kind: int,
        number: int,
        t_ns: int,
        offset_ns: int,
        quality: int,
        values: list,
        alarm: bool = False,
    ):
        """Write the message of one record.

        Args:
            kind: `LIVE`, `ALARM` or `EVENT`.
            number: of the record, from 1.
            t_ns: of its sample, nanoseconds since boot.
            offset_ns: added to that gives Unix time.
            quality: of that time, `NONE` to `GNSS`.
            values: one entry for each key: steps of the item's resolution, `INVALID`, `ABNORMAL`, None for no
                entry, or a tuple of such but None for an array.
            alarm: whether an alarm of level 3 or more is up.

        Returns:
            A view of the message, which the next one makes stale.
        """
        predecessor = self.predecessor if number == 1 else None
        self._write_body(values, alarm)
        out = self._message
        out.reset()
        out.map(12 + (predecessor is not None) + bool(self._mask))
        self._begin(out, kind, predecessor)
        for field, content in (
            (8, 1),
            (9, number),
            (10, t_ns),
            (11, 0),
            (12, offset_ns),
            (13, quality),
        ):
            out.integer(field)
            out.integer(content)
        if self._mask:
            out.integer(14)
            out.array(1)
            out.text(self._mask)
        out.integer(15)
        out.octets(self._body.written())
        return out.written()

    def losses(self, ranges: list):
        """Write a message that names numbers which will not come: at most 64 pairs of first and last.

        Returns:
            A view of the message, which the next one makes stale.
        """
        out = self._losses
        out.reset()
        named = self.predecessor is not None and ranges[0][0] == 1
        out.map(6 + named)
        self._begin(out, BACKLOG, self.predecessor if named else None)
        out.integer(7)
        out.array(len(ranges))
        for first, last in ranges:
            out.array(4)
            out.integer(first)
            out.integer(last - first)
            out.integer(LOST)
            out.integer(0)
        return out.written()

    def correction(self, from_ns: int, to_ns: int, offset_ns: int, quality: int):
        """Write what the wall time was for records of this boot that were made with a worse one.

        Returns:
            A view of the message, which the next one makes stale.
        """
        out = self._losses
        out.reset()
        out.map(5)
        out.integer(1)
        out.integer(_VERSION)
        out.integer(2)
        out.integer(TIME_CORRECTIONS)
        out.integer(3)
        out.text(self.vehicle)
        out.integer(4)
        out.octets(self.stream)
        out.integer(5)
        out.array(1)
        out.array(5)
        out.octets(self.boot)
        for number in (from_ns, to_ns, offset_ns, quality):
            out.integer(number)
        return out.written()

    def _begin(self, out, kind: int, predecessor):
        out.integer(1)
        out.integer(_VERSION)
        out.integer(2)
        out.integer(kind)
        out.integer(3)
        out.text(self.vehicle)
        out.integer(4)
        out.octets(self.stream)
        if predecessor is not None:
            out.integer(5)
            out.octets(predecessor)
        out.integer(6)
        out.octets(self.boot)

    def _write_body(self, values: list, alarm: bool):
        """Directory; six numbers of the record and the shapes; states; values: as the page lays it out."""
        body = self._body
        body.reset()
        body.golomb(len(values) - values.count(None))
        last_key, last_index = 0, -1
        for key, index, place in self._columns:
            value = values[place]
            if value is None:
                continue
            step = key - last_key
            body.golomb(step)
            body.golomb(index if step else index - last_index - 1)
            body.bits(_is_plain(value), 1)
            last_key, last_index = key, index
        for _ in range(5):
            body.sized(0)
        body.sized(1 if alarm else 0)
        for _, _, place in self._columns:
            value = values[place]
            if value is not None and not _is_plain(value):
                body.sized(2 + len(value) if isinstance(value, tuple) else 1)
        states, numbers = [], []
        for _, _, place in self._columns:
            value = values[place]
            if value is None:
                continue
            if _is_plain(value):
                numbers.append((value,))
                continue
            elements = value if isinstance(value, tuple) else (value,)
            states.append([_state(element) for element in elements])
            numbers.append([element for element in elements if _is_plain(element)])
        self._group(states)
        self._group(numbers)

    def _group(self, rows: list):
        """A group of series: heads of all, then the residuals of all as one Rice group."""
        body = self._body
        residuals = []
        for row in rows:
            if not row:
                continue
            body.sized(row[0])
            if len(row) == 1:
                continue
            codes = [zigzag(_word(number - row[0])) for number in row]
            greatest = max(codes)
            if not greatest:
                body.bits(_CONSTANT, 4)
                continue
            k = max(bit_length(greatest) - 2, 0)
            body.bits(min(k, _K_FOLLOWS), 4)
            body.bits(_LEVEL, 2)
            if k >= _K_FOLLOWS:
                body.bits(k, 6)
            residuals.append((codes, k))
        for codes, k in residuals:
            for code in codes:
                # The quotient is at most 3, so that nothing is ever escaped.
                body.bits((2 << (code >> k)) - 2, (code >> k) + 1)
        for codes, k in residuals:
            for code in codes:
                body.bits(code & (1 << k) - 1, k)


def _word(number: int):
    """A number modulo 2^64, as one with a sign."""
    return (number + 0x8000_0000_0000_0000 & 0xFFFF_FFFF_FFFF_FFFF) - 0x8000_0000_0000_0000


def _is_plain(value):
    return isinstance(value, int)


def _state(element):
    if element is INVALID:
        return 1
    if element is ABNORMAL:
        return 2
    return 0
