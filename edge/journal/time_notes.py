"""Steps of the wall clock, and what a later fix corrects, as blocks of the journal."""

from __future__ import annotations

from edge.journal.block import BlockKind
from edge.journal.chain import Draft
from edge.timekeeping import TimeChange
from edge.wire.strict_cbor import CborValue, write_cbor


def time_note(change: TimeChange, boot: bytes) -> Draft:
    """The block that says that the wall clock was set or is known better (docs/journal-format.md).

    Args:
        change: what was seen.
        boot: names the boot of its times.
    """
    fields: dict[int, CborValue] = {
        1: change.at_ns,
        2: [change.before.wall_offset_ns, int(change.before.quality)],
        3: [change.after.wall_offset_ns, int(change.after.quality)],
    }
    if change.correction is not None:
        fields[4] = [change.correction.from_ns, change.correction.to_ns]
    return Draft(
        BlockKind.TIME, "", write_cbor(fields), boot, change.at_ns, change.at_ns, change.after, count=1
    )
