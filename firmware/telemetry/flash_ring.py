"""Keeps messages through outages and power cuts: numbered, bounded, the oldest given up and counted.

A folder holds segments, files of a bounded size. Each begins with a head that says all that must outlive the
segments before it (whose stream it is, what is acknowledged, what was given up), and is renamed into place
when the head is written. Entries follow, each appended by one write with a check over it. What stands behind
the last whole entry after a power cut was never sent, since nothing is sent before `append` returns.
`ring_format.py` says how both are laid out.
"""

import os
import struct
from binascii import crc32

from .ring_format import (
    CHECK_BYTES,
    ENTRY,
    ENTRY_BYTES,
    HEAD_BYTES,
    LEAST_ENTRY,
    LEAST_MESSAGE,
    LONGEST_HEAD,
    head_of,
    head_size,
    joined,
    read_head,
    scanned,
    write_entry,
)

_ENDING = ".seg"
_WAITING = "new.tmp"


class FlashRing:
    """The messages of one stream, and which of them are still wanted.

    Args:
        folder: its own; made where it is not there.
        vehicle: 8 bytes that stand for the vehicle.
        key_id: 8 bytes of the key under which the messages are.
        random: gives so many random bytes.
        segment_bytes: most bytes of a segment, 2,048 or more.
        segments: how many there are at most, 2 or more.
        sync: called with the file after each write where `flush` is not enough for it to outlive a power cut;
            on littlefs it is.

    Attributes:
        stream: 16 bytes, drawn when the folder was empty, or of another vehicle or key.
        predecessor: 16 bytes of the vehicle's stream before; None where there was none, or it is not known.
        last: greatest number that was committed, 0 for none.
        losses: pairs of first and last number that will not come, and of which no receipt says yet that the
            platform knows.
        given_up: how many messages were given up since this object was made.
        torn: how many torn or damaged ends were found.
    """

    def __init__(
        self,
        folder: str,
        vehicle: bytes,
        key_id: bytes,
        random,
        segment_bytes: int = 4096,
        segments: int = 16,
        sync=None,
    ) -> None:
        if segment_bytes < 2048 or segment_bytes > 0xFFFF or segments < 2:
            raise ValueError("segments of 2,048 to 65,535 bytes, and two of them at least")
        self._folder, self._owner = folder, (vehicle, key_id)
        self._segment_bytes, self._segments_at_most, self._sync = segment_bytes, segments, sync
        self.predecessor, self.losses = None, []
        self.last = self.given_up = self.torn = 0
        self._watermark = self._highest = 0
        self._missing = ()
        self._segments = []
        self._size = 0
        self._in_vain = False
        _make_folder(folder)
        self._open(random)

    @property
    def next_number(self):
        """The number of the next message."""
        return self.last + 1

    @property
    def longest(self):
        """Bytes of the longest message that can be held."""
        return len(self._buffer)

    @property
    def first(self):
        """The lowest number that is held; the next one where nothing is."""
        for _, first, last in self._segments:
            if last >= first:
                return first
        return self.next_number

    @property
    def waiting(self):
        """How many held messages are not acknowledged."""
        return sum(
            not self.acknowledged(number)
            for _, first, last in self._segments
            for number in range(first, last + 1)
        )

    def append(self, message: bytes | memoryview) -> None:
        """Commit a message under `next_number`.

        Raises:
            OSError: the file system cannot hold it, even without the oldest; the number stays free.
            ValueError: it is larger than a segment holds, or shorter than `LEAST_MESSAGE`.
        """
        size = ENTRY_BYTES + len(message) + CHECK_BYTES
        if size > self._segment_bytes - LONGEST_HEAD:
            raise ValueError("larger than a segment")
        if len(message) < LEAST_MESSAGE:
            raise ValueError("too short")
        if self._size + size > self._segment_bytes:
            self._roll()
        entry = memoryview(self._buffer)[:size]
        write_entry(entry, message, self.next_number)
        # Where it fails, whatever of it is in the file then, the next entry must not stand behind it.
        end, self._size = self._size + size, self._segment_bytes
        self._write(self._path(self._segments[-1][0]), "ab", entry)
        self._size = end
        self.last += 1
        self._segments[-1][2] = self.last

    def skip(self, count: int):
        """Give numbers to messages that will not come: they were not made, or could not be kept.

        The next head keeps them from being given again; should the power fail before it is written, they are,
        unless a receipt knows of them.
        """
        self.lose(self.next_number, self.last + count)
        self.last += count
        self._size = self._segment_bytes

    def read(self, number: int, out):
        """Read a message into `out`, a buffer; its length, 0 where it is not held or damaged."""
        for sequence, first, last in self._segments:
            if first <= number <= last:
                try:
                    with open(self._path(sequence), "rb") as file:
                        return self._find(file, number - first, number, out)
                except OSError:
                    return 0
        return 0

    def acknowledged(self, number: int):
        """Whether the last receipt says that the platform has it, or knows that it will not come."""
        if number <= self._watermark:
            return True
        if number > self._highest:
            return False
        return not any(first <= number <= last for first, last in self._missing)

    def wanted(self, after: int):
        """The lowest held number greater than `after` that is not acknowledged; 0 for none."""
        for _, first, last in self._segments:
            for number in range(max(after + 1, first), last + 1):
                if not self.acknowledged(number):
                    return number
        return 0

    def settle(self, watermark: int, missing: tuple, highest: int):
        """Take what a receipt says; let go of segments that nobody wants any more.

        Numbers that are said to be missing and are held no longer become losses. Numbers beyond `last` were
        given by this node before its flash was set back; they are not given again.
        """
        if highest > self.last:
            self.last = highest
            self._size = self._segment_bytes
        self._watermark, self._missing, self._highest = watermark, missing, highest
        self.losses = [loss for loss in self.losses if not self._settled(loss)]
        for first, last in missing:
            self._lose_unless_held(first, last)
        while len(self._segments) > 1:
            sequence, first, last = self._segments[0]
            if any(not self.acknowledged(number) for number in range(first, last + 1)):
                break
            self._remove(sequence)
            self._segments.pop(0)

    def lose(self, first: int, last: int):
        """Name numbers that will not come."""
        self.losses = joined(self.losses, first, last)

    def _lose_unless_held(self, first: int, last: int):
        for _, held_first, held_last in self._segments:
            if held_last < max(held_first, first):
                continue
            if first < held_first:
                self.lose(first, min(last, held_first - 1))
            first = held_last + 1
            if first > last:
                return
        self.lose(first, last)

    def _settled(self, loss: tuple):
        first, last = loss
        if last > max(self._watermark, self._highest):
            return False
        return not any(begin <= last and first <= end for begin, end in self._missing)

    def _find(self, file, place: int, number: int, out):
        head = bytearray(ENTRY_BYTES)
        file.seek(0)
        file.readinto(self._buffer_head())
        file.seek(head_size(self._buffer))
        while True:
            if file.readinto(head) != ENTRY_BYTES:
                return 0
            length, found, check = struct.unpack(ENTRY, head)
            if check != crc32(memoryview(head)[:6]) & 0xFFFF:
                return 0
            if not place:
                break
            file.seek(length + CHECK_BYTES, 1)
            place -= 1
        view = memoryview(out)[:length]
        if found != number or len(view) != length or file.readinto(view) != length:
            return 0
        check = file.read(CHECK_BYTES)
        whole = crc32(view, crc32(head))
        return length if len(check) == CHECK_BYTES and struct.unpack("<I", check)[0] == whole else 0

    def _buffer_head(self):
        return memoryview(self._buffer)[:HEAD_BYTES]

    def _open(self, random):
        """Read all segments, oldest first; go on in the newest, or behind it where its end is torn."""
        names = sorted(name for name in os.listdir(self._folder) if name.endswith(_ENDING))
        try:
            os.remove(self._folder + "/" + _WAITING)
        except OSError:
            # There is none, or the flash takes no change; then appending says so.
            pass
        # Segments may have been larger before the settings changed.
        largest = max([self._segment_bytes] + [_size_of(self._folder + "/" + name) for name in names])
        self._buffer = bytearray(largest)
        found, skipped, size, end, expected, before = [], 0, 0, 0, 0, None
        for name in names:
            try:
                sequence = int(name[: -len(_ENDING)], 16)
            except ValueError:
                continue
            try:
                size = self._load(self._folder + "/" + name)
                head = read_head(self._buffer, size)
            except OSError:
                size, head = _size_of(self._folder + "/" + name) or self._segment_bytes, None
            if head is None:
                # Nobody knows its numbers; so many it can have had at most.
                self.torn += 1
                found.append([sequence, 1, 0])
                skipped += size // LEAST_ENTRY
                continue
            if before is not None and head[0] != before[0]:
                for each in found:
                    self._remove(each[0])
                found, skipped, expected = [], 0, 0
                self.losses = []
            before = head
            self.stream, self.predecessor, self._stood_for, self._watermark, first, losses = head
            if expected and first > expected:
                losses = joined(losses, expected, first - 1)
            if found and first <= found[-1][2]:
                # A write that was said to have failed had not; its number was given again.
                found[-1][2] = first - 1
            last, end, skipped = scanned(self._buffer, size, first)
            self.torn += end < size
            self.losses = losses
            found.append([sequence, first, last])
            expected, self.last = last + 1, last
        self._segments = list(found)
        if before is None or self._stood_for != self._owner:
            known = before is not None and self._stood_for[0] == self._owner[0]
            self.predecessor = self.stream if known else None
            self.stream = random(16)
            self.last, self.losses, self._watermark = 0, [], 0
            self._begin()
            for each in found:
                self._remove(each[0])
            self._segments = self._segments[-1:]
            return
        if skipped:
            self.lose(self.next_number, self.last + skipped)
            self.last += skipped
            self._size = self._segment_bytes
        else:
            self._size = end if end == size or self._mend(found[-1][0], end) else self._segment_bytes
        self.losses = [loss for loss in self.losses if loss[1] > self._watermark]
        while len(self._segments) > self._segments_at_most:
            self._name_lost(self._segments[0])
            self._drop_oldest()

    def _mend(self, sequence: int, end: int):
        """Write the newest segment, which is in the buffer, without its torn end; whether that went well."""
        waiting = self._folder + "/" + _WAITING
        try:
            self._write(waiting, "wb", memoryview(self._buffer)[:end])
            os.rename(waiting, self._path(sequence))
        except OSError:
            return False
        return True

    def _roll(self) -> None:
        """Begin a segment; the oldest of too many goes once the new head names its numbers."""
        full = len(self._segments) >= self._segments_at_most
        known = self.losses, self.given_up
        if full:
            self._name_lost(self._segments[0])
        try:
            self._begin()
        except OSError:
            self.losses, self.given_up = known
            self._make_room()
            full = False
        self._in_vain = False
        if full:
            self._drop_oldest()

    def _make_room(self) -> None:
        """Begin a segment where there is no room for its head beside the oldest.

        Should the power fail before the head is there, receipts say that the oldest's numbers are missing,
        and they are named then. What can still be read is not given up for nothing: neither on a flash that
        takes no change at all, nor twice.
        """
        if self._in_vain or len(self._segments) < 2 or not self._remove(self._segments[0][0]):
            raise OSError("no room for a segment")
        self._name_lost(self._segments.pop(0))
        self._in_vain = True
        self._begin()

    def _drop_oldest(self) -> None:
        self._remove(self._segments.pop(0)[0])

    def _name_lost(self, segment: list):
        _, first, last = segment
        for number in range(first, last + 1):
            if not self.acknowledged(number):
                self.lose(number, number)
                self.given_up += 1

    def _begin(self):
        """Make a new segment: its head under another name first, then under its own."""
        sequence = self._segments[-1][0] + 1 if self._segments else 1
        head = head_of(
            self.stream, self.predecessor, self._owner, self.next_number, self._watermark, self.losses
        )
        waiting = self._folder + "/" + _WAITING
        self._write(waiting, "wb", head)
        os.rename(waiting, self._path(sequence))
        self._segments.append([sequence, self.next_number, self.last])
        self._size = len(head)

    def _write(self, path: str, mode: str, octets):
        with open(path, mode) as file:
            if file.write(octets) != len(octets):
                raise OSError("written in part")
            file.flush()
            if self._sync is not None:
                self._sync(file)

    def _load(self, path: str):
        with open(path, "rb") as file:
            return file.readinto(self._buffer)

    def _path(self, sequence: int):
        return f"{self._folder}/{sequence:08x}{_ENDING}"

    def _remove(self, sequence: int):
        try:
            os.remove(self._path(sequence))
        except OSError:
            # It is found, and given up again, when the folder is opened next.
            self.torn += 1
            return False
        return True


def _size_of(path: str):
    try:
        return os.stat(path)[6]
    except OSError:
        return 0


def _make_folder(folder: str):
    try:
        os.mkdir(folder)
    except OSError:
        # It is there; where it is not and cannot be made, the next step says so.
        pass
