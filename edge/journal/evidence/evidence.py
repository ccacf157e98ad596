"""What a journal hands out to those who prove something by it: blocks, checkpoints, and opened plaintexts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from edge.errors import JournalError, WireError
from edge.journal.block import Block
from edge.wire import checkpoint, receipt
from edge.wire.checkpoint import Checkpoint, signed_hash
from edge.wire.cose import Role, Verifier
from edge.wire.keys import VerifyingKey
from edge.wire.receipt import Receipt


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint as the journal keeps it.

    Attributes:
        first: chain number of its first block.
        last: of its last.
        signed: the signed message, byte for byte as it was sent.
        receipt: the platform's signed receipt that countersigns it; None where there is none yet.
    """

    first: int
    last: int
    signed: bytes
    receipt: bytes | None = None


class Evidence(Protocol):
    """A journal of one stream, as seen by those who prove something by it."""

    def blocks(self, first: int, last: int) -> Iterator[Block]:
        """The blocks of these chain numbers that are still there, rising."""

    def checkpoints(self) -> Sequence[StoredCheckpoint]:
        """All checkpoints, rising."""

    def plaintext(self, block: Block) -> tuple[bytes, bytes] | None:
        """Salt and plaintext of a block; None where ciphertext or data key are gone."""


class SignatureCheck:
    """Checks what a vehicle and its platform have signed.

    Args:
        vehicle: whose journal it is.
        vehicle_keys: the public keys that the vehicle has signed with.
        platform_keys: those of the platform's receipts; without any, no receipt can be checked.
    """

    def __init__(
        self,
        vehicle: str,
        vehicle_keys: Iterable[VerifyingKey],
        platform_keys: Iterable[VerifyingKey] = (),
    ) -> None:
        self._vehicle = vehicle
        platform = list(platform_keys)
        self._up = Verifier({vehicle: vehicle_keys})
        self._down = Verifier({vehicle: platform})
        self.knows_platform = bool(platform)

    def checkpoint(self, signed: bytes) -> tuple[Checkpoint, bytes]:
        """Check a signed checkpoint.

        Returns:
            The checkpoint, and the id of the key that signed it.

        Raises:
            JournalError: the signature does not hold, or what was signed is no checkpoint of this vehicle.
        """
        try:
            verified = self._up.verify(signed, vehicle=self._vehicle, role=Role.UP)
            read = checkpoint.decode(verified.payload)
        except WireError as error:
            raise JournalError(f"a checkpoint does not hold: {error.what}", where=error.where) from error
        if read.vehicle != self._vehicle:
            raise JournalError(f"a checkpoint is of vehicle {read.vehicle}, not {self._vehicle}")
        return read, verified.key_id

    def countersignature(self, signed_receipt: bytes, signed: bytes, stream: bytes) -> tuple[Receipt, bytes]:
        """Check that a receipt countersigns a checkpoint.

        Args:
            signed_receipt: the platform's signed receipt.
            signed: the signed checkpoint.
            stream: the stream of that checkpoint.

        Returns:
            The receipt, and the id of the key that signed it.

        Raises:
            JournalError: the signature does not hold, or the receipt names another checkpoint or stream.
        """
        try:
            verified = self._down.verify(signed_receipt, vehicle=self._vehicle, role=Role.DOWN)
            read = receipt.decode(verified.payload)
        except WireError as error:
            raise JournalError(f"a receipt does not hold: {error.what}", where=error.where) from error
        if read.stream != stream or read.hash != signed_hash(signed):
            raise JournalError("a receipt countersigns another checkpoint than the one it stands with")
        return read, verified.key_id


def check_order(before: tuple[Checkpoint, bytes] | None, after: Checkpoint) -> None:
    """Check that a checkpoint follows the one before it, of the same stream, without a gap.

    Args:
        before: the checkpoint before and its signed bytes; None where that is not at hand.
        after: the checkpoint.

    Raises:
        JournalError: block numbers, time, or the hash of the one before do not fit.
    """
    if before is None:
        return
    earlier, signed = before
    where = f"checkpoint of blocks {after.first} to {after.last}"
    if after.first != earlier.last + 1:
        raise JournalError(f"the checkpoint before ends with block {earlier.last}", where=where)
    if after.previous != signed_hash(signed):
        raise JournalError("it does not name the checkpoint that stands before it", where=where)
    if after.boot == earlier.boot and after.t_ns < earlier.t_ns:
        raise JournalError("it was made before the one that stands before it", where=where)
