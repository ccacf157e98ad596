"""How long a policy lets the journal keep what it holds, as limits of its bounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from edge.journal.block import BlockKind
from edge.journal.upkeep.limits import Limit
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose, Rule

_KINDS: Mapping[Purpose, BlockKind] = MappingProxyType(
    {
        Purpose.REGULATED: BlockKind.RECORDS,
        Purpose.SERVICE: BlockKind.RECORDS,
        Purpose.RECORDING: BlockKind.FRAMES,
        Purpose.EVENT: BlockKind.EVENT_FRAMES,
    }
)


_SEEN = frozenset({DataClass.CABIN, DataClass.EXTERIOR})
"""The classes of what cameras see."""


def limits_of(rules: Iterable[Rule]) -> tuple[Limit, ...]:
    """The limits in days that rules ask for, beside the journal's own; sent or not, nothing outlasts them.

    Records are kept once for all their purposes: the longest of the rules holds for them, and none where one
    of the rules leaves it to the journal. A block of media does not tell for which purpose it is kept: for
    all of its class the shortest of the rules holds.

    Args:
        rules: of a policy, whether a consent is given or not.
    """
    days: dict[tuple[BlockKind, DataClass], list[float]] = {}
    media: dict[DataClass, list[float]] = {}
    for rule in rules:
        days.setdefault((_KINDS[rule.purpose], rule.data_class), []).append(rule.retention_days)
        if rule.data_class in _SEEN and rule.retention_days:
            media.setdefault(rule.data_class, []).append(rule.retention_days)
    return tuple(
        Limit(frozenset({kind}), frozenset({str(data_class)}), days=max(each), strict=True)
        for (kind, data_class), each in sorted(days.items())
        if all(each)
    ) + tuple(
        Limit(frozenset({BlockKind.MEDIA}), frozenset({str(data_class)}), days=min(each), strict=True)
        for data_class, each in sorted(media.items())
    )
