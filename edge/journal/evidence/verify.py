"""Verifies a whole journal: every block, link and checkpoint, by public keys alone, in bounded memory."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from edge.errors import JournalError
from edge.journal.block import Block, BlockKind, commit, first_link, leaf, link, write_header
from edge.journal.evidence import merkle
from edge.journal.evidence.evidence import Evidence, SignatureCheck, StoredCheckpoint, check_order
from edge.wire.checkpoint import Checkpoint
from edge.wire.keys import VerifyingKey
from edge.wire.strict_cbor import INT64_MAX

KEPT_FAULTS = 1_000
"""Faults that a report names; more are only counted."""

_PROGRESS_BLOCKS = 256
_FAILURES_IN_A_ROW = 1_000

Series = tuple[BlockKind, str]


@dataclass(frozen=True, slots=True)
class JournalReport:
    """What holds of a journal, and what does not.

    Attributes:
        blocks: blocks that are there.
        last: chain number of the last one; 0 for none.
        erased: how many of them have lost their content to retention or erasure, by kind and class.
        gone: ranges of chain numbers, ends included, whose rows retention has removed; checkpoints vouch for
            their place.
        opened: contents compared with their commitment, where that was asked for.
        checkpoints: checkpoints that are there.
        covered: chain number up to which checkpoints vouch; 0 for none. What comes after is chained but not
            signed: whoever can write to the journal could have changed it.
        countersigned: chain number up to which the platform's receipts confirm it; 0 for none.
        unchecked_receipts: receipts that could not be checked for want of the platform's key.
        faults: what does not hold, in order; the first `KEPT_FAULTS`.
        fault_count: how many faults there are.
    """

    blocks: int
    last: int
    erased: dict[Series, int]
    gone: tuple[tuple[int, int], ...]
    opened: int
    checkpoints: int
    covered: int
    countersigned: int
    unchecked_receipts: int
    faults: tuple[JournalError, ...]
    fault_count: int

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong with what is there."""
        return self.fault_count == 0


def verify_journal(
    evidence: Evidence,
    *,
    vehicle: str,
    stream: bytes,
    vehicle_keys: Iterable[VerifyingKey],
    platform_keys: Iterable[VerifyingKey] = (),
    contents: bool = False,
    progress: Callable[[int], None] | None = None,
) -> JournalReport:
    """Verify everything in a journal that can be verified without its keys.

    A fault is noted and the rest is verified as far as it can be.

    Args:
        evidence: the journal.
        vehicle: VIN or pseudonym, as in its checkpoints.
        stream: 16 bytes, its stream.
        vehicle_keys: the public keys of the vehicle.
        platform_keys: those of the platform; without any, receipts are not checked and confirm nothing.
        contents: open what can be opened and compare it with its commitment; needs the data keys.
        progress: told the chain number reached, every so often.

    Returns:
        What holds and what does not.
    """
    walk = _Walk(evidence, SignatureCheck(vehicle, vehicle_keys, platform_keys), stream, contents, progress)
    return walk.report()


@dataclass(slots=True)
class _Walk:
    """One pass over a journal.

    Attributes:
        evidence: the journal.
        check: the keys.
        stream: whose journal it is.
        contents: whether to open blocks.
        progress: whom to tell how far it is.
        number: the chain number that comes next.
        link: hash of the chain up to the block before; None where that is not known.
        series: number of the last block of each kind and class.
        boot: that of the block before.
        boots: those that are over.
    """

    evidence: Evidence
    check: SignatureCheck
    stream: bytes
    contents: bool
    progress: Callable[[int], None] | None
    number: int = 1
    link: bytes | None = None
    series: dict[Series, int] = field(default_factory=dict)
    boot: bytes = b""
    boots: set[bytes] = field(default_factory=set)
    blocks: int = 0
    last: int = 0
    opened: int = 0
    covered: int = 0
    countersigned: int = 0
    unchecked: int = 0
    erased: Counter[Series] = field(default_factory=Counter)
    gone: list[tuple[int, int]] = field(default_factory=list)
    faults: list[JournalError] = field(default_factory=list)
    fault_count: int = 0

    def report(self) -> JournalReport:
        self.link = first_link(self.stream)
        stored = self.evidence.checkpoints()
        before: tuple[Checkpoint, bytes] | None = None
        for each in stored:
            read = self._checkpoint(each, before)
            self._segment(each, read)
            before = None if read is None else (read, each.signed)
        for block in self._read(self.number, INT64_MAX):
            self._expect(block)
            self._block(block)
        return JournalReport(
            self.blocks,
            self.last,
            dict(self.erased),
            tuple(self.gone),
            self.opened,
            len(stored),
            self.covered,
            self.countersigned,
            self.unchecked,
            tuple(self.faults),
            self.fault_count,
        )

    def _fault(self, what: str, where: str) -> None:
        self.fault_count += 1
        if self.fault_count <= KEPT_FAULTS:
            self.faults.append(JournalError(what, where=where))

    def _checkpoint(
        self, stored: StoredCheckpoint, before: tuple[Checkpoint, bytes] | None
    ) -> Checkpoint | None:
        """Check what is signed; None where nothing can be built on it."""
        where = f"checkpoint of blocks {stored.first} to {stored.last}"
        try:
            read, _ = self.check.checkpoint(stored.signed)
        except JournalError as error:
            self._fault(error.what, where)
            return None
        if (read.stream, read.first, read.last) != (self.stream, stored.first, stored.last):
            self._fault("what was signed is of another journal or other blocks", where)
            return None
        try:
            check_order(before, read)
        except JournalError as error:
            self._fault(error.what, where)
        self._receipt(stored, read, where)
        return read

    def _receipt(self, stored: StoredCheckpoint, read: Checkpoint, where: str) -> None:
        if stored.receipt is None:
            return
        if not self.check.knows_platform:
            self.unchecked += 1
            return
        try:
            self.check.countersignature(stored.receipt, stored.signed, read.stream)
        except JournalError as error:
            self._fault(error.what, where)
        else:
            self.countersigned = stored.last

    def _segment(self, stored: StoredCheckpoint, read: Checkpoint | None) -> None:
        """Verify the blocks that a checkpoint covers against its root and link."""
        where = f"checkpoint of blocks {stored.first} to {stored.last}"
        if stored.first != self.number:
            self._fault(f"it begins with block {stored.first}, not {self.number}", where)
            self.number, self.link = stored.first, None
        tree = merkle.Tree()
        faults = self.fault_count
        for block in self._read(stored.first, stored.last):
            self._expect(block)
            late = read is not None and block.header.boot == read.boot and block.header.to_ns > read.t_ns
            if late:
                self._fault("it is from after the checkpoint that covers it", f"block {block.header.number}")
            tree.add(self._block(block))
        size = stored.last - stored.first + 1
        if not len(tree) and self.fault_count == faults:
            follows = self.gone and self.gone[-1][1] + 1 == stored.first
            first = self.gone.pop()[0] if follows else stored.first
            self.gone.append((first, stored.last))
            self.link = None if read is None else read.link
        elif len(tree) < size and self.number <= stored.last:
            self._fault(f"blocks {self.number} to {stored.last} are missing", where)
            self.link = None
        elif read is not None and len(tree) == size:
            if tree.root() != read.root:
                self._fault("its blocks are not those that were signed", where)
            if self.link != read.link:
                self._fault("the chain up to its last block is not the one that was signed", where)
        self.number = stored.last + 1
        self.last = max(self.last, stored.last)
        if read is not None:
            self.covered = stored.last

    def _read(self, first: int, last: int) -> Iterator[Block]:
        """The blocks of a range; one that cannot be read is a fault and does not hide those behind it."""
        number = first
        failed = 0
        while number <= last and failed < _FAILURES_IN_A_ROW:
            try:
                for block in self.evidence.blocks(number, last):
                    number = block.header.number + 1
                    failed = 0
                    yield block
            except JournalError as error:
                self._fault(error.what, f"block {number}")
                number += 1
                failed += 1
                continue
            return

    def _expect(self, block: Block) -> None:
        """Note blocks that are missing before this one."""
        number = block.header.number
        if number != self.number:
            if number > self.number:
                self._fault(f"blocks {self.number} to {number - 1} are missing", f"block {number}")
            else:
                self._fault("its number was there before", f"block {number}")
            self.link = None
        self.number = number + 1

    def _block(self, block: Block) -> bytes:
        """Verify one block against itself and the ones before; return its leaf."""
        header = block.header
        where = f"block {header.number}"
        self.blocks += 1
        self.last = max(self.last, header.number)
        if self.progress is not None and self.blocks % _PROGRESS_BLOCKS == 0:
            self.progress(header.number)
        if write_header(header) != block.header_bytes:
            self._fault("its header is not the one that is hashed", where)
        self._content(block, where)
        hashed = leaf(block.header_bytes, block.ciphertext_hash, block.commitment)
        if self.link is not None and link(self.link, hashed) != block.link:
            self._fault("the chain does not lead from the block before to this one", where)
        self.link = block.link
        self._neighbours(block, where)
        return hashed

    def _content(self, block: Block, where: str) -> None:
        series = block.header.kind, block.header.data_class
        if block.ciphertext is None:
            self.erased[series] += 1
        elif not block.ciphertext:
            self._fault("its file is missing", where)
        elif hashlib.sha256(block.ciphertext).digest() != block.ciphertext_hash:
            self._fault("its sealed content was changed", where)
        elif self.contents:
            try:
                opening = self.evidence.plaintext(block)
                if opening is None:
                    self.erased[series] += 1
                    return
                if commit(*opening) != block.commitment:
                    self._fault("its content is not what was committed to", where)
            except JournalError as error:
                self._fault(error.what, where)
            self.opened += 1

    def _neighbours(self, block: Block, where: str) -> None:
        """The block before in the series, and boots that do not come again."""
        header = block.header
        series = header.kind, header.data_class
        known = self.series.get(series, 0)
        if header.previous != known and not (header.previous > known and self._is_gone(header.previous)):
            self._fault(f"the block before in its series is {known}, not {header.previous}", where)
        self.series[series] = header.number
        if header.boot != self.boot:
            if header.boot in self.boots:
                self._fault("its boot was over before", where)
            self.boots.add(self.boot)
            self.boot = header.boot

    def _is_gone(self, number: int) -> bool:
        return any(first <= number <= last for first, last in self.gone)
