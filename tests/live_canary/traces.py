"""All that a gateway leaves anywhere, opened with its keys, and which tokens are in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge.catalogue.catalogue import builtin
from edge.journal.block import BlockKind
from edge.journal.record_block import decode_records
from edge.records import Record
from edge.wire.cose import Role, Verifier
from edge.wire.keys import SigningKey
from edge.wire.message import decode, encode
from edge.wire.record_columns import write_records
from edge.wire.strict_cbor import write_cbor
from edge.wire.up_kinds import peek_kind
from tests.archive.kept import archive
from tests.live_canary.tokens import POSITION_STEP, Kind, Tokens, latitudes_in, numbers_of
from tests.live_canary.vehicle import VIN
from tests.live_canary.wire import Heard

FRAME_KINDS = frozenset({BlockKind.FRAMES, BlockKind.EVENT_FRAMES})


@dataclass(slots=True)
class Traces:
    """The numbers of what was found in one place.

    Attributes:
        tokens: by kind.
        outside: of latitudes outside of the area.
        inside: of latitudes inside of it.
        searched: bytes.
    """

    tokens: dict[Kind, set[int]] = field(default_factory=lambda: {kind: set() for kind in Kind})
    outside: set[int] = field(default_factory=set)
    inside: set[int] = field(default_factory=set)
    searched: int = 0

    def search(self, tokens: Tokens, content: bytes, *, floats: bool = False) -> None:
        """Search some bytes, with `floats` for latitudes too."""
        self.searched += len(content)
        for kind, numbers in tokens.found(content).items():
            self.tokens[kind] |= numbers
        if floats:
            self._places(latitudes_in(content))

    def look_at(self, records: Iterable[Record]) -> None:
        """Take note of the latitudes of records."""
        values = [record.values.get("gnss.lat") for record in records]
        degrees = [one * POSITION_STEP for one in values if isinstance(one, int)]
        self._places(numbers_of(np.array(degrees, np.float64)))

    def _places(self, found: tuple[set[int], set[int]]) -> None:
        self.outside |= found[0]
        self.inside |= found[1]


def in_files(tokens: Tokens, folder: Path) -> Traces:
    """What is in the files as they are, their names included."""
    traces = Traces()
    for path in sorted(folder.rglob("*")):
        traces.search(tokens, str(path.relative_to(folder)).encode())
        if path.is_file():
            traces.search(tokens, path.read_bytes(), floats=True)
    return traces


def in_journal(tokens: Tokens, folder: Path) -> Traces:
    """What is in the blocks of a journal, opened with its keys, also while a gateway writes it."""
    traces = Traces()
    with archive(folder) as opened:
        for block in opened.reader.blocks():
            traces.search(tokens, block.header_bytes)
            content = opened.reader.plaintext(block)
            if content is None:
                continue
            traces.search(tokens, content[1])
            if block.header.kind in FRAME_KINDS:
                kept = opened.reader.frames(block)
                assert kept is not None
                traces.search(tokens, kept.batch.data.tobytes())
            elif block.header.kind is BlockKind.RECORDS:
                records = decode_records(content[1], builtin())
                traces.look_at(records)
                for plain in _written(records):
                    traces.search(tokens, plain, floats=True)
    return traces


def in_messages(tokens: Tokens, heard: Sequence[Heard]) -> Traces:
    """What is in messages that a broker handed on: as they are, and records as they are before packing."""
    traces = Traces()
    verifier = Verifier({VIN: [SigningKey.seeded(b"vehicle").public]})
    for one in heard:
        traces.search(tokens, one.topic.encode() + b" " + one.payload, floats=True)
        if "/up/" not in one.topic:
            continue
        content = verifier.verify(one.payload, vehicle=VIN, role=Role.UP).payload
        traces.search(tokens, content, floats=True)
        if peek_kind(content).holds_records:
            message = decode(content, builtin())
            traces.look_at(message.records)
            traces.search(tokens, encode(message, builtin(), compress=False), floats=True)
            for plain in _written(message.records):
                traces.search(tokens, plain, floats=True)
    return traces


def in_texts(tokens: Tokens, texts: Iterable[str]) -> Traces:
    """What is in what was logged and answered."""
    traces = Traces()
    for text in texts:
        traces.search(tokens, text.encode())
    return traces


def in_bytes(tokens: Tokens, content: bytes) -> Traces:
    """What is in a dump of memory, or in the bytes of a wire."""
    traces = Traces()
    traces.search(tokens, content, floats=True)
    return traces


def _written(records: Sequence[Record]) -> Iterator[bytes]:
    yield repr(records).encode()
    fields = write_records(records, builtin(), compress=False)
    yield write_cbor({int(key): value for key, value in fields.items()})
