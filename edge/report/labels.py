"""`Labels`: what the data of a block rest on, by its data key, by what an erasure says, or by its mask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from edge.journal.keys.key_store import KeyEntry
from edge.policy.admission import Admission, consents_in
from edge.report.notes import ErasureNote


class Source(Enum):
    """How a label is known."""

    KEY = "key"
    ERASURE = "erasure"
    MASK = "mask"


@dataclass(frozen=True, slots=True)
class Label:
    """What data rest on.

    Attributes:
        text: as keys are labelled; empty for the law.
        source: how that is known.
    """

    text: str
    source: Source

    @property
    def consents(self) -> frozenset[int]:
        """The consents; none for the law."""
        return consents_in(self.text)


class Labels:
    """Knows the labels of data keys.

    Args:
        keys: that are there.
        erasures: which name those that were destroyed.
    """

    def __init__(self, keys: Sequence[KeyEntry], erasures: Iterable[ErasureNote]) -> None:
        self._there = {one.key_id: one for one in keys}
        self._erased: dict[bytes, ErasureNote] = {}
        for note in erasures:
            self._erased |= dict.fromkeys(note.keys, note)

    def entry(self, key_id: bytes) -> KeyEntry | None:
        """The key of that id; None where it is not there."""
        return self._there.get(key_id)

    def destroyed(self, key_id: bytes) -> bool:
        """Whether an erasure says that it destroyed this key."""
        return key_id in self._erased

    def still_there(self) -> frozenset[bytes]:
        """Keys that an erasure says it destroyed, and that are there."""
        return frozenset(self._erased) & self._there.keys()

    def label(self, key_id: bytes, by_mask: str | None) -> Label | None:
        """What is sealed under a key rests on this; None where nothing tells.

        Args:
            key_id: as the block's header has it.
            by_mask: the label that its mask gives; None where the mask does not tell.
        """
        entry = self._there.get(key_id)
        if entry is not None:
            return Label(entry.purpose, Source.KEY)
        if by_mask is not None:
            return Label(by_mask, Source.MASK)
        note = self._erased.get(key_id)
        if note is not None and note.label is not None:
            return Label(note.label, Source.ERASURE)
        return None


def label_by(admission: Admission | None, data_class: str, purposes: Sequence[str]) -> str | None:
    """The label that an admission gives; None where it does not let such data be kept."""
    if admission is None:
        return None
    uses = [use for use in admission.rules if use[0] == data_class and use[1] in purposes]
    return admission.ground(uses[0][0], [purpose for _, purpose in uses]) if uses else None
