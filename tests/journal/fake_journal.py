"""A journal in memory, sealed and signed as the real one, for those who prove something by it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from edge.clock import TimeQuality
from edge.journal.block import Block, BlockHeader, BlockKind, commit, first_link, leaf, link, write_header
from edge.journal.evidence import merkle
from edge.journal.evidence.evidence import StoredCheckpoint
from edge.wire import checkpoint, receipt
from edge.wire.checkpoint import Checkpoint, signed_hash
from edge.wire.cose import Role, Signer
from edge.wire.keys import SigningKey
from edge.wire.receipt import Receipt

VEHICLE = "LNEVGATE000000001"
VEHICLE_KEY = SigningKey.seeded(b"vehicle")
PLATFORM_KEY = SigningKey.seeded(b"platform")
STREAM = bytes(range(16))
BOOTS = (b"A" * 16, b"B" * 16, b"C" * 16)
WALL_OFFSET_NS = 1_764_000_000_000_000_000
S = 1_000_000_000


@dataclass(slots=True)
class FakeJournal:
    """Holds every block and checkpoint; `add` and `seal` write, the others are read by `Evidence`."""

    vehicle: str = VEHICLE
    key: SigningKey = VEHICLE_KEY
    stream: bytes = STREAM
    dice: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - a test
    held: list[Block] = field(default_factory=list)
    openings: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    sealed: list[StoredCheckpoint] = field(default_factory=list)

    def add(
        self,
        kind: BlockKind,
        data_class: str,
        boot: bytes,
        span: tuple[int, int],
        plaintext: bytes = b"plain",
        *,
        skip_previous: bool = False,
    ) -> int:
        """Append a block and return its number; `skip_previous` writes a wrong series link."""
        number = len(self.held) + 1
        series = [b.header.number for b in self.held if b.header.kind == kind]
        series = [n for n in series if self.held[n - 1].header.data_class == data_class]
        if skip_previous:
            series.pop()
        previous = series[-1] if series else 0
        header = BlockHeader(
            number,
            kind,
            data_class,
            boot,
            *span,
            WALL_OFFSET_NS,
            TimeQuality.GNSS,
            previous,
            bytes(8),
            1,
            number,
            number,
            "",
        )
        salt, ciphertext = self.dice.randbytes(16), self.dice.randbytes(40)
        self.openings[number] = salt, plaintext
        self._append(header, commit(salt, plaintext), ciphertext)
        return number

    def _append(self, header: BlockHeader, commitment: bytes, ciphertext: bytes) -> None:
        data, ciphertext_hash = write_header(header), sha256(ciphertext).digest()
        before = self.held[-1].link if self.held else first_link(self.stream)
        chained = link(before, leaf(data, ciphertext_hash, commitment))
        self.held.append(Block(header, data, commitment, ciphertext_hash, ciphertext, chained))

    def seal(self, boot: bytes, t_ns: int, *, countersign: bool = True, vehicle: str = "") -> None:
        """Sign a checkpoint over all blocks since the one before; it may name another vehicle within."""
        first = self.sealed[-1].last + 1 if self.sealed else 1
        blocks = self.held[first - 1 :]
        made = Checkpoint(
            vehicle or self.vehicle,
            self.stream,
            first,
            len(self.held),
            merkle.root(leaf(b.header_bytes, b.ciphertext_hash, b.commitment) for b in blocks),
            blocks[-1].link,
            signed_hash(self.sealed[-1].signed) if self.sealed else None,
            boot,
            t_ns,
            WALL_OFFSET_NS,
            TimeQuality.GNSS,
            len(self.held),
        )
        signed = Signer(self.key, vehicle=self.vehicle).sign(checkpoint.encode(made))
        stored = StoredCheckpoint(first, len(self.held), signed)
        if countersign:
            stored = replace(stored, receipt=self.receipt(signed, WALL_OFFSET_NS + t_ns + S))
        self.sealed.append(stored)

    def receipt(self, signed: bytes, server_time_ns: int) -> bytes:
        """The platform's receipt for a signed checkpoint."""
        told = Receipt(self.stream, len(self.held), (), server_time_ns, signed_hash(signed))
        return Signer(PLATFORM_KEY, vehicle=self.vehicle, role=Role.DOWN).sign(receipt.encode(told))

    def erase(self, number: int) -> None:
        """Remove a block's content, as retention and erasure do."""
        self.held[number - 1] = replace(self.held[number - 1], ciphertext=None)
        del self.openings[number]

    def blocks(self, first: int, last: int) -> Iterator[Block]:
        return (block for block in self.held if first <= block.header.number <= last)

    def checkpoints(self) -> Sequence[StoredCheckpoint]:
        return self.sealed

    def plaintext(self, block: Block) -> tuple[bytes, bytes] | None:
        return self.openings.get(block.header.number)


def journal(*, countersign: bool = True, seed: int = 1) -> FakeJournal:
    """Three boots of a minute each; a checkpoint every 20 s, the tails of boots sealed by the next boot.

    Position is recorded every second, speed every 5 s, a security event at 7 s of the second boot only.
    """
    made = FakeJournal(dice=random.Random(seed))  # noqa: S311 - a test
    for boot in BOOTS:
        for second in range(10, 65):
            span = second * S, second * S + S - 1
            made.add(BlockKind.RECORDS, "position", boot, span, b"position %d" % second)
            if second % 5 == 0:
                made.add(BlockKind.RECORDS, "speed", boot, span, b"speed %d" % second)
            if second == 17 and boot == BOOTS[1]:
                made.add(BlockKind.SECURITY, "", boot, span, b"door opened")
            if second in {20, 40, 60}:
                made.seal(boot, (second + 1) * S, countersign=countersign)
    return made
