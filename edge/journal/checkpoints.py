"""Cuts checkpoints: every so often the chain's state is signed, to go up with the records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge.clock import NS_PER_S, Clock
from edge.journal.chain import Chain
from edge.journal.evidence.merkle import root
from edge.journal.settings import JournalSettings
from edge.wire.checkpoint import Checkpoint, encode, signed_hash


@dataclass(frozen=True, slots=True)
class LastCheckpoint:
    """Where the one before ended.

    Attributes:
        last: chain number of the last block that is covered; 0 for none.
        digest: SHA-256 of its signed bytes; None for none.
    """

    last: int = 0
    digest: bytes | None = None


class Checkpointer:
    """Decides when a checkpoint is due and makes it.

    Args:
        settings: the journal's rules.
        stream: 16 bytes that name the stream.
        boot: 16 bytes that name the boot.
        sign: signs for the vehicle, role up.
        last: where the one before ended.
    """

    def __init__(
        self,
        settings: JournalSettings,
        *,
        stream: bytes,
        boot: bytes,
        sign: Callable[[bytes], bytes],
        last: LastCheckpoint,
    ) -> None:
        self._settings = settings
        self._stream = stream
        self._boot = boot
        self._sign = sign
        self._last = last
        self._made_ns: int | None = None

    def make(self, chain: Chain, last_number: int, clock: Clock, *, now: bool = False) -> bytes | None:
        """The signed checkpoint over all blocks since the one before, if one is due.

        Args:
            chain: with the blocks of the transaction that is under way.
            last_number: greatest record number in it.
            clock: time.
            now: whether one is wanted although none is due.
        """
        t_ns = clock.boot_ns()
        if self._made_ns is None:
            self._made_ns = t_ns
        period_ns = round(self._settings.checkpoint_period_s * NS_PER_S)
        count = len(chain.leaves)
        due = now or t_ns - self._made_ns >= period_ns or count >= self._settings.checkpoint_blocks
        if not count or not due:
            return None
        timebase = clock.timebase()
        wall_ns = timebase.wall_ns(t_ns)
        # The times of a recording that is replayed may be ahead of the clock's; no block may be later than
        # its checkpoint.
        t_ns = max(t_ns, chain.latest_ns)
        return self._sign(
            encode(
                Checkpoint(
                    vehicle=self._settings.vehicle,
                    stream=self._stream,
                    first=self._last.last + 1,
                    last=chain.number,
                    root=root(chain.leaves),
                    link=chain.link,
                    previous=self._last.digest,
                    boot=self._boot,
                    t_ns=t_ns,
                    wall_offset_ns=wall_ns - t_ns,
                    time_quality=timebase.quality,
                    last_number=last_number,
                )
            )
        )

    def insertion(self, last: int, signed: bytes) -> tuple[str, tuple[int, int, bytes, bytes]]:
        """The statement that keeps a checkpoint."""
        return (
            "INSERT INTO checkpoint (last, first, signed, digest) VALUES (?, ?, ?, ?)",
            (last, self._last.last + 1, signed, signed_hash(signed)),
        )

    def made(self, chain: Chain, signed: bytes, clock: Clock) -> None:
        """The checkpoint is on the disk: the next one begins after it."""
        chain.leaves.clear()
        self._last = LastCheckpoint(chain.number, signed_hash(signed))
        self._made_ns = clock.boot_ns()
