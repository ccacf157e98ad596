"""Allow-masks: which bits of which frame pass, by bus, extended flag and id or PGN; built once."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from edge.database.container import HEADER_BYTES, little_endian_headers
from edge.database.layout import pgn_of
from edge.database.model import SignalRef
from edge.frames import CLASSIC_BYTES, FD_BYTES, Indices, Int64s, UInt8s, UInt16s, UInt32s
from edge.policy.classed import ClassedDatabase, DiagnosticChannel, DiagnosticRule
from edge.policy.classes import DataClass
from edge.policy.judgement import BusJudgement, Described, Judged, Reason
from edge.policy.layers import Booleans, Layer, bits_of, layers_of, selected_bits

FORMAT = 2
"""Counts changes of the rules by which masks come about; it goes into the mask's name."""

Int32s = npt.NDArray[np.int32]

_HEADER_ID_BITS = 24

UNKNOWN_ROW = 0
STANDARD_IDS = 0x800
EXTENDED_IDS = 1 << 29
UNLIMITED = 0xFFFF
REMOVED = (*(str(data_class) for data_class in DataClass), "unclassified", "undescribed")
"""What can be removed from a frame: signals of a class, or without one, and bits that no signal describes."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What passes of the frames of one key.

    Attributes:
        base: bits that pass whatever the multiplexers say (uint8, as far as any signal that passes reaches).
        layers: further bits by multiplexer values.
        shortest: frames of fewer bytes are refused.
        longest: frames of more bytes are refused.
        kept: the signals that pass.
        withheld: the withheld signals.
        removed: numbers into `REMOVED`.
        channel: the ISO-TP channel that this is, or None.
        described: whether a message describes these frames.
        pdus: of a container, the row of each PDU by header id; these say what passes.
        header_bytes: bytes at the beginning that name a PDU: they pass with it, and belong to no class.
        little_endian: the byte order of header ids, of a container.
    """

    base: UInt8s
    layers: tuple[Layer, ...]
    shortest: int
    longest: int
    kept: tuple[Judged, ...]
    withheld: tuple[Judged, ...]
    removed: frozenset[int]
    channel: DiagnosticChannel | None
    described: bool
    pdus: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    header_bytes: int = 0
    little_endian: bool = False

    @property
    def keeps(self) -> bool:
        """Whether anything may pass; of a container, its PDUs' rows say that."""
        return bool(self.base.any())

    @property
    def rules(self) -> tuple[DiagnosticRule, ...]:
        """What reassembled messages may contain; none where this is no ISO-TP channel."""
        return self.channel.rules if self.channel is not None else ()

    def by_multiplexers(self, data: UInt8s, length: UInt16s, width: int) -> UInt8s:
        """Bits that pass by the multiplexers' values: uint8 of shape (frames, width)."""
        return selected_bits(self.layers, data, length, width)


class BaseMasks:
    """One mask a row, ready to be taken for many frames at once.

    Args:
        masks: uint8 of any length each, by row number.
    """

    def __init__(self, masks: Sequence[UInt8s]) -> None:
        self._masks = tuple(masks)
        self._words = {width: _stacked(masks, width).view(np.uint64) for width in (CLASSIC_BYTES, FD_BYTES)}

    def take(self, rows: Int32s, width: int) -> UInt8s:
        """The masks of `rows`: a new uint8 array of shape (frames, width); `width` in whole words."""
        words = self._words.get(width)
        if words is None:
            words = _stacked(self._masks, width).view(np.uint64)
        taken: UInt8s = words.take(rows, axis=0).view(np.uint8)
        return taken


class MaskSet:
    """All rows of all buses, with the tables that find them.

    Attributes:
        name: a hash over everything that decides the masks.
        collect: the classes that are collected.
        buses: names in sorted order; their place is the bus number here.
        rows: `Row` by number; number 0 is the unknown id.
    """

    def __init__(self, buses: Mapping[str, Sequence[ClassedDatabase]], collect: frozenset[DataClass]) -> None:
        self.name = mask_set_name(buses, collect)
        self.collect = collect
        self.buses = tuple(sorted(buses))
        self.judgements = tuple(BusJudgement(bus, buses[bus], collect) for bus in self.buses)
        self.speaks_j1939 = np.array(
            [any(classed.speaks_j1939 for classed in buses[bus]) for bus in self.buses], np.bool_
        )
        self._standard = np.zeros((len(self.buses), STANDARD_IDS), np.int32)
        self.rows: list[Row] = [
            Row(np.zeros(0, np.uint8), (), 0, UNLIMITED, (), (), frozenset(), None, described=False)
        ]
        extended: dict[int, int] = {}
        groups: dict[int, int] = {}
        for number, judgement in enumerate(self.judgements):
            self._add_bus(number, judgement, buses[judgement.bus], extended, groups)
        self._pdu_keys, self._pdu_rows = _table(
            {
                number << _HEADER_ID_BITS | header_id: pdu
                for number, row in enumerate(self.rows)
                for header_id, pdu in row.pdus.items()
            }
        )
        self._extended_keys, self._extended_rows = _table(extended)
        self._group_keys, self._group_rows = _table(groups)
        self.keeps = np.array([row.keeps for row in self.rows], np.bool_)
        self.shortest = np.array([row.shortest for row in self.rows], np.uint16)
        self.longest = np.array([row.longest for row in self.rows], np.uint16)
        self.ends = np.array([len(row.base) for row in self.rows], np.uint16)
        self.multiplexed = np.array([bool(row.layers) for row in self.rows], np.bool_)
        self.channels = np.array([row.channel is not None for row in self.rows], np.bool_)
        self.described = np.array([row.described for row in self.rows], np.bool_)
        self.containers = np.array(
            [any(self.rows[pdu].keeps for pdu in row.pdus.values()) for row in self.rows], np.bool_
        )
        self.little_endian = np.array([row.little_endian for row in self.rows], np.bool_)
        self.header_bytes = np.array([row.header_bytes for row in self.rows], np.uint8)
        self.removes = np.array(
            [[place in row.removed for place in range(len(REMOVED))] for row in self.rows], np.int64
        )
        self.passes = np.array(
            [
                [str(name) in {judged.data_class for judged in row.kept} for name in DataClass]
                for row in self.rows
            ],
            np.int64,
        )
        self._base = BaseMasks([row.base for row in self.rows])

    def find(self, bus: Int64s, arbitration_id: UInt32s, extended: Booleans) -> Int32s:
        """The row of each frame; `UNKNOWN_ROW` for what no database describes.

        Args:
            bus: bus numbers of this set (int64), each valid.
            arbitration_id: ids of 11 or 29 bits.
            extended: which ids have 29 bits.
        """
        place = bus * STANDARD_IDS + (arbitration_id & (STANDARD_IDS - 1))
        rows: Int32s = self._standard.ravel().take(place)
        rows[arbitration_id >= STANDARD_IDS] = UNKNOWN_ROW
        places = np.flatnonzero(extended)
        if len(places):
            # Also where none is found: a number of 29 bits may be as small as one of 11.
            rows[places] = self._find_extended(bus[places], arbitration_id[places].astype(np.int64))
        return rows

    def find_pdus(self, containers: Int32s, header_ids: Int64s) -> Int32s:
        """The row of each PDU; `UNKNOWN_ROW` for what its container does not describe.

        Args:
            containers: the row of the container of each.
            header_ids: what names each, of 24 bits.
        """
        rows = np.full(len(containers), UNKNOWN_ROW, np.int32)
        wanted = containers.astype(np.int64) << _HEADER_ID_BITS | header_ids
        _look_up(self._pdu_keys, self._pdu_rows, wanted, rows)
        return rows

    def tables(self) -> tuple[Int32s, Int64s, Int32s, Int64s, Int32s]:
        """What `find` looks rows up in.

        Returns:
            The rows of 11-bit ids by bus and id; rising ``bus << 29 | id`` of 29-bit ids and the row of each;
            rising ``bus << 18 | PGN`` and the row of each.
        """
        return (
            self._standard,
            self._extended_keys,
            self._extended_rows,
            self._group_keys,
            self._group_rows,
        )

    def base(self, rows: Int32s, width: int) -> UInt8s:
        """The bits that always pass: a new uint8 array of shape (frames, width); `width` in whole words."""
        return self._base.take(rows, width)

    def withheld(self) -> dict[SignalRef, Reason]:
        """Why each withheld signal is."""
        return {ref: reason for judgement in self.judgements for ref, reason in judgement.withheld().items()}

    def collected(self) -> frozenset[SignalRef]:
        """The signals that pass."""
        return frozenset(ref for judgement in self.judgements for ref in judgement.collected())

    def _find_extended(self, bus: Int64s, identifier: Int64s) -> Int32s:
        rows = np.zeros(len(bus), np.int32)
        _look_up(self._extended_keys, self._extended_rows, bus << 29 | identifier, rows)
        if len(self._group_keys):
            group = identifier >> 8 & 0x3FFFF
            group = np.where(identifier >> 16 & 0xFF < 0xF0, group & 0x3FF00, group)  # noqa: PLR2004 - PDU1
            rest = np.flatnonzero(rows == UNKNOWN_ROW)
            found = rows[rest]
            _look_up(self._group_keys, self._group_rows, (bus << 18 | group)[rest], found)
            rows[rest] = found
        rows[identifier >= EXTENDED_IDS] = UNKNOWN_ROW
        return rows

    def _add_bus(
        self,
        number: int,
        judgement: BusJudgement,
        databases: Sequence[ClassedDatabase],
        extended: dict[int, int],
        groups: dict[int, int],
    ) -> None:
        standard: dict[int, list[Described]] = defaultdict(list)
        exact: dict[int, list[Described]] = defaultdict(list)
        by_pgn: dict[int, list[Described]] = defaultdict(list)
        for described in judgement.described:
            message = described.message
            if described.container is not None:
                continue
            if not message.extended:
                standard[message.arbitration_id].append(described)
            elif message.pgn is None:
                exact[message.arbitration_id].append(described)
            else:
                by_pgn[message.pgn].append(described)
        channels: dict[tuple[bool, bool, int], DiagnosticChannel] = {}
        for channel in (channel for classed in databases for channel in classed.channels):
            if channel.pgn is not None:
                channels[True, True, channel.pgn] = channel
            else:
                channels[False, channel.extended, channel.arbitration_id] = channel
                (exact if channel.extended else standard).setdefault(channel.arbitration_id, [])
        for identifier, group in standard.items():
            self._standard[number, identifier] = self._add(
                judgement, group, channels.get((False, False, identifier))
            )
        for identifier, group in exact.items():
            pgn = pgn_of(identifier)
            found = channels.get((False, True, identifier)) or channels.get((True, True, pgn))
            extended[number << 29 | identifier] = self._add(judgement, [*group, *by_pgn.get(pgn, ())], found)
        for pgn, group in by_pgn.items():
            groups[number << 18 | pgn] = self._add(judgement, group, channels.get((True, True, pgn)))

    def _add(
        self,
        judgement: BusJudgement,
        group: Sequence[Described],
        channel: DiagnosticChannel | None,
        header_bytes: int = 0,
    ) -> int:
        pdus = self._add_pdus(judgement, group)
        signals = [judged for described in group for judged in judgement.signals[described]]
        kept = [judged for judged in signals if judged.reason is None]
        withheld = tuple(judged for judged in signals if judged.reason is not None)
        width = max([header_bytes, *(max(judged.signal.bits) // 8 + 1 for judged in kept)])
        base = bits_of((judged for judged in kept if not judged.presence), width)
        if kept:
            base[:header_bytes] = 0xFF
        limits = [judgement.longest_bytes(described) for described in group]
        self.rows.append(
            Row(
                base=base,
                layers=tuple(layers_of(kept, width)),
                shortest=max((judgement.shortest_bytes(described) for described in group), default=0),
                longest=min((limit for limit in limits if limit is not None), default=UNLIMITED),
                kept=tuple(kept),
                withheld=withheld,
                removed=_removed(group, signals).union(*(self.rows[pdu].removed for pdu in pdus.values())),
                channel=channel,
                described=bool(group),
                pdus=MappingProxyType(pdus),
                header_bytes=header_bytes,
                little_endian=any(little_endian_headers(described.message) for described in group),
            )
        )
        return len(self.rows) - 1

    def _add_pdus(self, judgement: BusJudgement, group: Sequence[Described]) -> dict[int, int]:
        """Add a row for each PDU of the containers in a group; by header id."""
        by_header: dict[int, list[Described]] = defaultdict(list)
        for described in group:
            for pdu in judgement.pdus(described):
                if pdu.message.header_id is not None and 0 <= pdu.message.header_id < 1 << _HEADER_ID_BITS:
                    by_header[pdu.message.header_id].append(pdu)
        return {
            header_id: self._add(judgement, pdus, None, HEADER_BYTES) for header_id, pdus in by_header.items()
        }


def mask_set_name(buses: Mapping[str, Sequence[ClassedDatabase]], collect: Collection[DataClass]) -> str:
    """The name that a `MaskSet` of these databases and classes has."""
    inputs = {
        "format": FORMAT,
        "collect": sorted(collect),
        "buses": {
            bus: sorted(json.dumps(_inputs(classed), sort_keys=True) for classed in databases)
            for bus, databases in buses.items()
        },
    }
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
    return f"m-{digest[:16]}"


def mask_set_of(mask: str) -> str:
    """The mask set in the name of a batch's mask, which may name an admission behind it."""
    return mask.partition("/")[0]


def admission_of(mask: str) -> str:
    """The admission in the name of a batch's mask; empty where it names none."""
    return mask.partition("/")[2]


def _inputs(classed: ClassedDatabase) -> dict[str, object]:
    return {
        "sha256": classed.database.sha256,
        "classes": sorted([*name, str(data_class)] for name, data_class in classed.classes.items()),
        "integrity": sorted(
            [*declared.signal, "message" if declared.covers is None else json.dumps(sorted(declared.covers))]
            for declared in classed.integrity
        ),
        "channels": sorted(repr(channel) for channel in classed.channels),
        "j1939": classed.speaks_j1939,
    }


def _stacked(masks: Sequence[UInt8s], width: int) -> UInt8s:
    table = np.zeros((len(masks), width), np.uint8)
    for number, mask in enumerate(masks):
        shared = min(width, len(mask))
        table[number, :shared] = mask[:shared]
    return table


def _table(numbers: Mapping[int, int]) -> tuple[Int64s, Int32s]:
    keys = sorted(numbers)
    return np.array(keys, np.int64), np.array([numbers[key] for key in keys], np.int32)


def _look_up(keys: Int64s, rows: Int32s, wanted: Int64s, found: Int32s) -> None:
    """Write the rows of `wanted` into `found`, where there are any."""
    if not len(keys):
        return
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    hit = keys[place] == wanted
    found[hit] = rows[place[hit]]


def _removed(group: Iterable[Described], signals: Sequence[Judged]) -> frozenset[int]:
    found = {
        REMOVED.index("unclassified" if judged.data_class is None else str(judged.data_class))
        for judged in signals
        if judged.reason is not None
    }
    described = {bit for judged in signals for bit in judged.signal.bits}
    if any(
        bit not in described for item in group for bit in range(item.header_bits, 8 * item.message.length)
    ):
        found.add(REMOVED.index("undescribed"))
    return frozenset(found)


def split_by_row(rows: Int32s, places: Indices) -> Iterable[tuple[int, Indices]]:
    """Group `places` by the row that each has in `rows`."""
    if not len(places):
        return
    order = np.argsort(rows[places], kind="stable")
    ordered = places[order]
    numbers = rows[ordered]
    for group in np.split(ordered, np.flatnonzero(np.diff(numbers)) + 1):
        yield int(rows[group[0]]), group
