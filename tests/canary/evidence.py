"""What a gateway left behind and handed out: each piece with what it is, opened as far as its keys allow."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.archive.opening import Archive, open_archive
from edge.catalogue.catalogue import builtin
from edge.journal.block import Block, BlockKind
from edge.journal.frames.frame_block import decode_frames
from edge.journal.keys.key_provider import FileKeyProvider
from edge.journal.record_block import decode_records
from edge.journal.stored import load_messages
from edge.policy.rules import Purpose
from edge.records import Record
from edge.wire.cose import unverified_payload
from edge.wire.message import decode, encode
from edge.wire.up_kinds import peek_kind
from tests.canary.tap import used_bytes
from tests.canary.world import HOSTS

RECORDING = (Purpose.RECORDING,)
EVENT = (Purpose.EVENT,)
NOTHING: tuple[Purpose, ...] = ()
_FRAMES = {BlockKind.FRAMES: RECORDING, BlockKind.EVENT_FRAMES: EVENT}


@dataclass(frozen=True, slots=True)
class Piece:
    """Something to be searched.

    Attributes:
        place: what it is.
        purposes: for which its canaries may be there; none for nothing at all.
        content: to be searched for bits.
        records: to be searched for positions.
        boot: whose monotonic time the records carry.
        destination: for which it was made; empty for none.
    """

    place: str
    purposes: tuple[Purpose, ...]
    content: bytes
    records: tuple[Record, ...] = ()
    boot: bytes = b""
    destination: str = ""


class Archived:
    """Blocks of one journal over its life: what was read once is not read again, but looked for."""

    def __init__(self) -> None:
        self._keys: dict[int, bytes] = {}

    def read(self, folder: Path) -> tuple[list[int], list[tuple[int, Piece]], list[Piece]]:
        """Read what the keys in a journal's folder open.

        Returns:
            Numbers of all blocks that open; of those the ones that never did before; messages that wait.
        """
        alive, fresh = [], []
        with open_archive(folder, FileKeyProvider(folder, os.urandom), builtin()) as archive:
            assert archive.keys is not None
            held = [
                number for (number,) in archive.connection.execute("SELECT number FROM block WHERE size > 0")
            ]
            keys = {entry.key_id for entry in archive.keys.listing()}
            for number in held:
                key_id = self._keys.get(number)
                if key_id is None:
                    block = archive.reader.block(number)
                    opened = None if block is None else archive.reader.plaintext(block)
                    if block is None or opened is None:
                        continue
                    self._keys[number] = key_id = block.header.key_id
                    fresh.append((number, of_block(block, opened[1])))
                if key_id in keys:
                    alive.append(number)
            return alive, fresh, list(_messages(archive))


def of_block(block: Block, plaintext: bytes) -> Piece:
    """What a block says."""
    header = block.header
    place = f"journal, {header.kind.name.lower().replace('_', ' ')} {header.data_class}".rstrip()
    if header.kind in _FRAMES:
        batch = decode_frames(plaintext).batch
        return Piece(place, _FRAMES[header.kind], used_bytes(batch)[0])
    if header.kind is BlockKind.RECORDS:
        records = decode_records(plaintext, builtin())
        return Piece(place, NOTHING, plaintext, tuple(records), header.boot)
    return Piece(place, NOTHING, block.header_bytes + plaintext)


def _messages(archive: Archive) -> Iterator[Piece]:
    assert archive.keys is not None
    for destination in HOSTS:
        for one in load_messages(archive.connection, archive.keys, destination):
            if one.payload:
                yield of_message(one.payload, f"journal, message to {destination}", destination, one.topic)


def of_message(signed: bytes, place: str, destination: str, topic: str = "") -> Piece:
    """A signed message: as it is, and as it reads once it is unpacked."""
    content = topic.encode() + b" " + signed
    body = unverified_payload(signed)
    if topic.endswith("/status") or not peek_kind(body).holds_records:
        return Piece(place, NOTHING, content + b" " + body, destination=destination)
    message = decode(body, builtin())
    content += b" " + encode(message, builtin(), compress=False)
    return Piece(place, NOTHING, content, tuple(message.records), message.boot, destination)
