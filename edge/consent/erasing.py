"""Erases what rests on no consent any more, while no gateway runs."""

from __future__ import annotations

from edge.consent.desk import ConsentDesk
from edge.journal.opening import Inside, OpenJournal
from edge.journal.upkeep.erase import erase
from edge.journal.upkeep.erasure import ErasureRequest
from edge.policy.admission import consents_in
from edge.policy.classes import DataClass


def erase_gone(opened: OpenJournal, desk: ConsentDesk, inside: Inside) -> int:
    """Erase all data whose consents are over, and note it in the ledger.

    Args:
        opened: the journal; no forwarder is at work on it.
        desk: holds its ledger.
        inside: as the journal was opened with.

    Returns:
        How many blocks lost their content.

    Raises:
        JournalError: the disk refuses, or a key cannot be destroyed; see `erase`.
    """
    blocks = 0
    kept = {(one.data_class, one.purpose) for one in opened.keys.listing()}
    for label in sorted(desk.gone({purpose for _, purpose in kept})):
        for data_class in sorted(name for name, purpose in kept if purpose == label):
            request = ErasureRequest(
                DataClass(data_class), consents=consents_in(label), reason=f"{label} is over"
            )
            blocks += erase(opened, request, inside).blocks
        desk.erased(label)
    return blocks
