"""What is wrong, or open, in a platform's store: computed from what is kept, so it is never stale."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from simulator.platform.chain import KeptCheckpoint, Standing, standings
from simulator.platform.reader import StoreReader
from simulator.platform.rows import Stream

OTHER_CONTENTS = "number came again with other contents"
FEWER_ITEMS = "repeated with fewer items"
RECORDS_MISSING = "records of a checkpoint are missing"
PREDECESSOR_UNKNOWN = "the stream before is not here"
PREDECESSOR_SHARED = "two streams name the same one before"
SEVERAL_KEYS = "one stream's name under several keys"

_Place = tuple[str, bytes, bool]
"""Vehicle, 16 bytes of a stream, and whether it is a device's."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that an operator should know.

    Attributes:
        vehicle: whose.
        stream: 16 bytes.
        name: what it is, one of few.
        numbers: how many numbers (or units of a hop) it concerns.
        detail: the figures.
        open: whether what is still on the road may settle it.
        received_ns: Unix time of the message that shows it, in nanoseconds; 0 where no single one does.
        message_sha256: of that message's signed bytes; empty where no single one does.
    """

    vehicle: str
    stream: bytes
    name: str
    numbers: int
    detail: str
    open: bool = False
    received_ns: int = 0
    message_sha256: bytes = b""


@dataclass(frozen=True, slots=True)
class StreamLink:
    """A stream and how it hangs together with the others of its vehicle.

    Attributes:
        stream: the stream.
        known: whether the stream that it names as the one before is here; None where it names none.
        successors: the streams that name this one, each 16 bytes.
    """

    stream: Stream
    known: bool | None
    successors: tuple[bytes, ...]


def stream_links(streams: Iterable[Stream]) -> list[StreamLink]:
    """Every stream with its neighbours, in the order in which streams were first seen.

    Signed streams and those of devices are never each other's neighbours, whatever they name.
    """
    held = list(streams)
    names = {_place(stream, stream.stream) for stream in held}
    successors: dict[_Place, list[bytes]] = {}
    for stream in held:
        if stream.predecessor is not None:
            successors.setdefault(_place(stream, stream.predecessor), []).append(stream.stream)
    return [
        StreamLink(
            stream,
            None if stream.predecessor is None else _place(stream, stream.predecessor) in names,
            tuple(successors.get(_place(stream, stream.stream), ())),
        )
        for stream in held
    ]


def _place(stream: Stream, name: bytes) -> _Place:
    return stream.vehicle, name, bool(stream.device_key)


@dataclass(frozen=True, slots=True)
class CheckpointLook:
    """A checkpoint and what the platform can say of it.

    Attributes:
        checkpoint: as it is kept.
        standing: how it stands to the others of its stream.
        missing: how many of the records that it speaks of are neither here nor explained.
    """

    checkpoint: KeptCheckpoint
    standing: Standing
    missing: int


def checkpoint_looks(reader: StoreReader, vehicle: str | None = None) -> list[CheckpointLook]:
    """Every checkpoint by vehicle and stream, in the order of their blocks."""
    # A device makes no checkpoints.
    signed = [each for each in reader.streams(vehicle=vehicle) if not each.device_key]
    sequences = {(each.vehicle, each.stream): each.sequence for each in signed}
    looks: list[CheckpointLook] = []
    # Sorting is stable: within a stream the order of arrival, which decides between forks, stays.
    ordered = sorted(reader.checkpoints(vehicle=vehicle), key=_stream_of)
    for key, group in groupby(ordered, _stream_of):
        checkpoints = list(group)
        found = standings(checkpoints)
        looks += [
            CheckpointLook(each, found[each.sha256], sequences[key].counts_to(each.last_number).missing)
            for each in sorted(checkpoints, key=lambda each: each.last)
        ]
    return looks


def _stream_of(checkpoint: KeptCheckpoint) -> tuple[str, bytes]:
    return checkpoint.vehicle, checkpoint.stream


def findings(reader: StoreReader, vehicle: str | None = None) -> Iterator[Finding]:
    """Everything that is wrong or open in the store.

    Raises:
        StoreError: if the store cannot be read.
    """
    yield from _stream_findings(reader.streams(vehicle=vehicle))
    for conflict in reader.conflicts(vehicle=vehicle):
        yield Finding(
            conflict.vehicle,
            conflict.stream,
            FEWER_ITEMS if conflict.fewer_items else OTHER_CONTENTS,
            1,
            f"number {conflict.number}; the first came with message {conflict.first_sha256.hex()}",
            received_ns=conflict.received_ns,
            message_sha256=conflict.message_sha256,
        )
    yield from _checkpoint_findings(checkpoint_looks(reader, vehicle))
    for account, wrong in reader.accounts(vehicle=vehicle):
        for each in wrong:
            yield Finding(
                account.vehicle,
                account.stream,
                each.name,
                each.numbers,
                each.detail,
                received_ns=account.received_ns,
                message_sha256=account.sha256,
            )


def _stream_findings(streams: Iterable[Stream]) -> Iterator[Finding]:
    links = stream_links(streams)
    named = Counter(
        _place(link.stream, link.stream.predecessor) for link in links if link.stream.predecessor is not None
    )
    used = Counter((link.stream.vehicle, link.stream.stream) for link in links)
    for link in links:
        stream = link.stream
        if stream.device_key and used[stream.vehicle, stream.stream] > 1:
            detail = f"device key {stream.device_key.hex()} uses it, and so does another key or the gateway"
            yield Finding(stream.vehicle, stream.stream, SEVERAL_KEYS, stream.records, detail)
        if stream.predecessor is None:
            continue
        detail = f"names {stream.predecessor.hex()}"
        if not link.known:
            yield Finding(stream.vehicle, stream.stream, PREDECESSOR_UNKNOWN, 1, detail, open=True)
        if named[_place(stream, stream.predecessor)] > 1:
            yield Finding(stream.vehicle, stream.stream, PREDECESSOR_SHARED, 1, detail)


def _checkpoint_findings(looks: Iterable[CheckpointLook]) -> Iterator[Finding]:
    for _, group in groupby(looks, lambda look: _stream_of(look.checkpoint)):
        of_stream = list(group)
        for look in of_stream:
            each = look.checkpoint
            if look.standing in {Standing.FIRST, Standing.FOLLOWS}:
                continue
            yield Finding(
                each.vehicle,
                each.stream,
                look.standing,
                each.last - each.first + 1,
                f"blocks {each.first} to {each.last}, names {(each.previous or b'').hex() or 'none'}",
                open=look.standing is Standing.WAITS,
                received_ns=each.received_ns,
                message_sha256=each.sha256,
            )
        widest = max(of_stream, key=lambda look: look.checkpoint.last_number)
        if widest.missing:
            each = widest.checkpoint
            yield Finding(
                each.vehicle,
                each.stream,
                RECORDS_MISSING,
                widest.missing,
                f"{widest.missing} of {each.last_number} records up to the checkpoint of block {each.last}",
                open=True,
                received_ns=each.received_ns,
                message_sha256=each.sha256,
            )
