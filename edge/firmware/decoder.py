"""`generate`: the module by which a board decodes and samples what a policy lets it collect."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from edge.catalogue.bound import Binding
from edge.catalogue.catalogue import Catalogue, builtin
from edge.database.layout import pgn_of
from edge.database.model import Message, SignalRef
from edge.errors import FirmwareError
from edge.firmware.decoder_plan import DecoderPlan, plan_decoder
from edge.firmware.decoder_source import source_of
from edge.firmware.item_tables import ItemTables
from edge.policy.admission import Admission
from edge.policy.classed import ClassedDatabase, DiagnosticChannel
from edge.policy.classes import DataClass
from edge.policy.judgement import Reason
from edge.policy.masks import MaskSet
from edge.policy.rules import RECORD_PURPOSES, Policy, Purpose
from edge.vehicle.sampler import Sampler


@dataclass(frozen=True, slots=True)
class BoardDecoder:
    """What a board decodes and samples, before it is written down.

    Attributes:
        plan: the signals.
        items: ids of the items that it samples.
        mask: name of the mask that this is and of the admission, as a gateway would call them.
        collect: the classes that are collected.
        withheld: why each signal that is not collected is not.
        tables: lines of source.
        period_s: the longest time between two samples that all items allow.
    """

    plan: DecoderPlan
    items: tuple[str, ...]
    mask: str
    collect: frozenset[DataClass]
    withheld: Mapping[SignalRef, Reason]
    tables: tuple[str, ...]
    period_s: Decimal

    def source(self, *, machine_code: bool = False) -> str:
        """The module's text; `machine_code` for viper, which MicroPython alone can run."""
        return source_of(self.plan, machine_code=machine_code, tables=self.tables)


def generate(
    databases: Mapping[str, Sequence[ClassedDatabase]],
    bindings: Mapping[str, Sequence[Binding]],
    policy: Policy,
    buses: Sequence[str],
    *,
    catalogue: Catalogue | None = None,
    purpose: Purpose = Purpose.REGULATED,
    machine_code: bool = False,
) -> str:
    """The text of the module; see `board_decoder`."""
    decoder = board_decoder(databases, bindings, policy, buses, catalogue=catalogue, purpose=purpose)
    return decoder.source(machine_code=machine_code)


def board_decoder(
    databases: Mapping[str, Sequence[ClassedDatabase]],
    bindings: Mapping[str, Sequence[Binding]],
    policy: Policy,
    buses: Sequence[str],
    *,
    catalogue: Catalogue | None = None,
    purpose: Purpose = Purpose.REGULATED,
) -> BoardDecoder:
    """Choose what a board collects by itself.

    Nobody can agree to anything there, and it knows no places. So it collects what the policy lets be
    collected by law, for one purpose, at every time and place, and positions only where they may be kept as
    they are. It sends all of it; what has to stay in the vehicle it does not collect.

    Args:
        databases: of each bus, with their classes.
        bindings: of each bus.
        policy: the policy.
        buses: names of the board's buses, by number; each other is nothing to it.
        catalogue: the items; those of the standard by default.
        purpose: what its records are for.

    Raises:
        FirmwareError: if nothing is left, or something cannot be decoded on a board.
        BindingError: if bindings do not fit together.
    """
    if purpose not in RECORD_PURPOSES:
        raise FirmwareError(f"a board makes records, and none are made for '{purpose}'")
    known = catalogue or builtin()
    described = {bus: tuple(databases.get(bus, ())) for bus in buses}
    bound = {bus: tuple(bindings.get(bus, ())) for bus in buses}
    admission = _admission(policy, purpose)
    collect = frozenset(one for one, asked in admission.rules if asked is purpose)
    masks = MaskSet(described, collect)
    mask = f"{masks.name}/{admission.name}"
    withheld = masks.withheld()
    sampler = Sampler(bound, known, withheld=withheld, admits=lambda one: one in collect)
    _refuse_beyond_frames(described, sampler.wanted)
    if not sampler.items:
        raise FirmwareError(
            "nothing that is bound may be collected",
            todo=f"'{policy.name}' lets a board collect {', '.join(sorted(collect)) or 'nothing'}",
        )
    about = _about(described, bound, policy, purpose, mask, collect)
    plan = plan_decoder(
        {bus: [one.database for one in each] for bus, each in described.items()},
        buses,
        sampler.wanted,
        latched=sampler.latched,
        followed=sampler.followed,
        about=about,
    )
    tables = ItemTables(plan, bound, known, sampler.items)
    periods = [known.item(item_id).period_s for item_id in sampler.items]
    return BoardDecoder(
        plan=plan,
        items=sampler.items,
        mask=mask,
        collect=collect,
        withheld=withheld,
        tables=(f"MASK = {mask!r}", "", *tables.lines()),
        period_s=min(periods),
    )


def _admission(policy: Policy, purpose: Purpose) -> Admission:
    """What may be collected by law at every time and place, and leave the vehicle: a board only sends.

    Positions only if they may stay as they are.
    """
    withhold = {one for area in policy.areas for one in area.withhold}
    withhold |= {
        one for (one, asked), rule in policy.rules.items() if asked is purpose and not rule.jurisdictions
    }
    admission = Admission.of(policy, {}, withhold)
    if admission.precision({purpose}).full:
        return admission
    return Admission.of(policy, {}, withhold | {DataClass.POSITION})


def _where(policy: Policy, data_class: DataClass, purpose: Purpose) -> str:
    rule = policy.rules[data_class, purpose]
    places = ", ".join(sorted(rule.jurisdictions))
    return f"{places}: {', '.join(sorted(rule.destinations))}" if rule.destinations else places


def _refuse_beyond_frames(
    databases: Mapping[str, Sequence[ClassedDatabase]], wanted: Collection[SignalRef]
) -> None:
    """See that no signal is wanted whose frames the gateway judges by more than their bits.

    Raises:
        FirmwareError: if one is.
    """
    for bus, several in databases.items():
        channels = [channel for classed in several for channel in classed.channels]
        for classed in several:
            checked = {declared.signal for declared in classed.integrity}
            for message in classed.database.messages:
                segments = _carries_segments(message, channels) or (
                    message.pgn in _TRANSPORT_GROUPS and any(one.speaks_j1939 for one in several)
                )
                for signal in message.signals:
                    ref = SignalRef(bus, message.name, signal.name)
                    if ref not in wanted:
                        continue
                    if segments:
                        raise FirmwareError(
                            f"{ref} is in frames that carry segments of longer messages",
                            todo="Only the gateway puts these together: leave its item unbound for a board",
                        )
                    if (message.name, signal.name) in checked:
                        raise FirmwareError(f"{ref} is a checksum or a counter, and no item of a record")


def _carries_segments(message: Message, channels: Iterable[DiagnosticChannel]) -> bool:
    return any(
        message.extended and channel.pgn == pgn_of(message.arbitration_id)
        if channel.pgn is not None
        else (channel.extended, channel.arbitration_id) == (message.extended, message.arbitration_id)
        for channel in channels
    )


_TRANSPORT_GROUPS = frozenset({0xEB00, 0xEC00, 0xC700, 0xC800})
"""SAE J1939-21: TP.DT and TP.CM, ETP.DT and ETP.CM."""


def _about(
    databases: Mapping[str, Sequence[ClassedDatabase]],
    bindings: Mapping[str, Sequence[Binding]],
    policy: Policy,
    purpose: Purpose,
    mask: str,
    collect: frozenset[DataClass],
) -> list[str]:
    lines = ["Databases:"]
    for bus, several in databases.items():
        lines += [f"    {bus}: {one.database.path.name} sha256 {one.database.sha256}" for one in several]
    lines.append("Bindings:")
    for bus, files in bindings.items():
        for binding in files:
            digest = hashlib.sha256(binding.path.read_bytes()).hexdigest()
            lines.append(f"    {bus}: {binding.path.name} sha256 {digest}")
    lines += [
        f"Policy: {policy.title}, digest {policy.digest}",
        f"    by law alone, purpose {purpose}, classes {', '.join(sorted(collect)) or 'none'}, mask {mask}",
        *(f"    {one} may go to {_where(policy, one, purpose)}" for one in sorted(collect)),
    ]
    return lines
