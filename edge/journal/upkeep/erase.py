"""Erases what is of one class and time on request: its keys go, and with them every copy on the medium."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from edge.errors import JournalError
from edge.journal.keys.key_store import KeyStore
from edge.journal.opening import Inside, OpenJournal
from edge.journal.upkeep.condemned import destroy_condemned, empty_blocks, forget_condemned
from edge.journal.upkeep.condemning import Plan, draw_up, notes_of
from edge.journal.upkeep.erasure import Erasure, ErasureRequest
from edge.policy.classes import DataClass

RESUMED = "consents had ended, and their erasure was interrupted"

_BATCH = 256

logger = logging.getLogger(__name__)


def erase(opened: OpenJournal, request: ErasureRequest, inside: Inside) -> Erasure:
    """Erase, so that nothing that remains on the medium opens to what was meant, and write it into the chain.

    One transaction removes the messages that hold such data and gives their numbers back to be composed anew,
    seals all others under a new key, tells erased numbers where the carrier of records itself is erased, adds
    an ERASURE block, and notes the keys that are to go: those of the class, and every key that messages were
    ever sealed under, since removed messages stand in free pages. Then the key store destroys these keys in
    one rotation, and the blocks are emptied. After a crash between the two the next opening goes on
    (`destroy_condemned`), and `Condemned` empties the blocks.

    A number that was sent already and is sent again without the erased class differs in its content: a
    platform that stored the first keeps it, and keeps the second as a conflicting double that the ERASURE
    block explains.

    Args:
        opened: the journal; no forwarder may be at work on it, since its cursors change (see
            `edge.forward.erasing` for a gateway that runs).
        request: what is meant.
        inside: as it was opened with.

    Raises:
        JournalError: the disk refuses, or a key cannot be destroyed; what was begun is finished when the
            journal is opened next.
        apsw.Error: the database cannot be read.
    """
    with condemning(opened, (request,), inside) as plan:
        if plan is None:
            return Erasure()
    blocks = plan.blocks
    with opened.journal.alone() as connection:
        for start in range(0, len(blocks), _BATCH):
            empty_blocks(connection, blocks[start : start + _BATCH])
        forget_condemned(connection)
        if opened.files is not None:
            try:
                while opened.files.remove_gone(connection):
                    pass
            except OSError:
                logger.exception("files whose key is gone cannot be removed yet")
    return erasure_of(plan)


@contextmanager
def condemning(
    opened: OpenJournal, requests: Sequence[ErasureRequest], inside: Inside
) -> Iterator[Plan | None]:
    """Note what is to go, let the caller see the plan while nobody commits, then destroy the keys.

    Consents that the requests name are ended first, so that nothing late is sealed under them; then all that
    waits is committed, and with it what may still be kept.

    Yields:
        What has been changed in the database, the keys still being there; None where nothing was concerned.

    Raises:
        JournalError: nothing can be written, and nothing was done but that consents have ended; or, when the
            block ends, a key could not be destroyed yet.
        apsw.Error: the database cannot be read.
    """
    inside = replace(inside, boot=opened.boot)
    keys, journal = opened.keys, opened.journal
    with journal.alone() as connection:
        keys.end(frozenset[int]().union(*(one.consents for one in requests)))
        if not journal.commit():
            raise JournalError(f"cannot be written now: {journal.failure}", where="journal")
        destroy_condemned(connection, keys)
        ended = keys.ended
        plan = draw_up(connection, [one.and_ended(ended) for one in requests], keys, inside)
        if plan is not None:
            journal.write_alone(notes_of(plan, inside), plan.edits)
        try:
            yield plan
        finally:
            if plan is not None:
                destroy_condemned(connection, keys)


def overdue(keys: KeyStore) -> list[ErasureRequest]:
    """What is to be asked for since consents have ended and keys under them are still there, after a crash.

    Raises:
        JournalError: the key store cannot be read.
    """
    ended = keys.ended
    classes = {one.data_class for one in keys.listing() if keys.has_ended(one.purpose)}
    return [
        ErasureRequest(DataClass(one), consents=ended, reason=RESUMED)
        for one in sorted(classes & frozenset(DataClass))
    ]


def erasure_of(plan: Plan) -> Erasure:
    """What a plan that was carried out has erased."""
    deleted = sum(map(len, plan.messages.values()))
    return Erasure(plan.key_ids, len(plan.blocks), deleted, plan.resealed)
