"""What goes to a destination when, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge.forward.thinning import ThinningRules


class SupplyLoss(StrEnum):
    """What comes first when the supply goes (`supply_lost`)."""

    SEND = "send"
    """The last ten minutes are sent before anything older."""

    KEEP = "keep"
    """Everything is committed, and nothing new is begun."""


@dataclass(frozen=True, slots=True)
class ForwardRules:
    """The rules of one destination.

    Attributes:
        destination: its name in the journal.
        vehicle: the VIN or pseudonym in topics.
        live_records: how many records make a live message.
        live_wait_s: a live record waits at most so long for company.
        live_horizon_s: a record that waited longer goes as backlog.
        reissue_days: older records are not sent, but kept for inspection (GB/T 32960.3: 3 days in the edition
            of 2016, 7 in that of 2025); 0 for no limit.
        held_messages: messages made and not acknowledged, at most.
        held_bytes: their payload.
        supply_loss: what comes first when the supply goes.
        supply_loss_s: how far back that reaches.
        thinning: which of the records it is told; None for all.
    """

    destination: str
    vehicle: str
    live_records: int = 10
    live_wait_s: float = 10.0
    live_horizon_s: float = 60.0
    reissue_days: float = 7.0
    held_messages: int = 256
    held_bytes: int = 8 << 20
    supply_loss: SupplyLoss = SupplyLoss.SEND
    supply_loss_s: float = 600.0
    thinning: ThinningRules | None = None
