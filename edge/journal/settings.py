"""What the journal may hold, and how often it commits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """The rules of one journal in numbers.

    Attributes:
        vehicle: the VIN or pseudonym that checkpoints name.
        block_period_s: data of so long makes a block; what is younger is lost by a power cut.
        frames: whether raw frames are kept.
        resolution_ns: of the times of raw frames.
        frames_waiting_bytes: raw frames that may wait for a slow disk; the default holds five seconds of
            17,000 frames each.
        records_waiting: records that may wait for a slow disk.
        media_waiting_bytes: stills and clips that may.
        checkpoint_period_s: a signed checkpoint is made so often.
        checkpoint_blocks: and at the latest after so many blocks.
        retry_s: pause between attempts to write to a disk that refused.
    """

    vehicle: str
    block_period_s: float = 1.0
    frames: bool = False
    resolution_ns: int = 1_000
    frames_waiting_bytes: int = 16 << 20
    records_waiting: int = 4_096
    media_waiting_bytes: int = 32 << 20
    checkpoint_period_s: float = 300.0
    checkpoint_blocks: int = 4_096
    retry_s: float = 10.0
