"""Writes into a journal what must not be there, with the vehicle's own keys: the chain holds all the same."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import apsw

from edge.archive.opening import Archive, open_archive
from edge.catalogue.catalogue import builtin
from edge.clock import NS_PER_S, Timebase, TimeQuality, VirtualClock
from edge.config.configuration import load_config
from edge.consent.consent_notes import consent_note
from edge.consent.entries import Entry, Stamp
from edge.journal.block import BlockKind
from edge.journal.chain import Draft
from edge.journal.keys.key_provider import FileKeyProvider
from edge.journal.opening import Inside, OpenJournal, open_journal
from edge.journal.settings import JournalSettings
from edge.policy.classes import DataClass
from edge.policy.policyfile import load_policy
from edge.policy.rules import Policy
from edge.report.facts import Facts
from edge.report.gathering import Asked, gather
from edge.report.report import report_of
from edge.wire.cose import Signer
from edge.wire.strict_cbor import CborValue, write_cbor
from tests.report.week import MONDAY_NS, PLATFORM, VEHICLE, VIN, day

BOOT = b"a forged boot___"
LATE_S = day(6, 20)
SECOND = NS_PER_S


@dataclass(frozen=True)
class Copy:
    """A copy of the week's vehicle, to be changed.

    Attributes:
        folder: with configuration, keys and journal.
    """

    folder: Path

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    def policies(self) -> list[Policy]:
        return [load_policy(self.folder / f"policy-{version}.toml") for version in (1, 2)]

    def asked(self) -> Asked:
        return Asked(
            None, None, self.policies(), [VEHICLE.public], [PLATFORM.public], None, frozenset({"CN"}), 0
        )

    @contextmanager
    def archive(self) -> Iterator[Archive]:
        with open_archive(self.journal, FileKeyProvider(self.journal, os.urandom), builtin()) as archive:
            yield archive

    def facts(self, asked: Asked | None = None) -> Facts:
        config = load_config(self.folder / "nevgate.toml")
        with self.archive() as archive:
            return gather(config, archive, asked or self.asked(), lambda *_: None)

    def report(self, asked: Asked | None = None) -> dict[str, Any]:
        config = load_config(self.folder / "nevgate.toml")
        with self.archive() as archive:
            return report_of(gather(config, archive, asked or self.asked(), lambda *_: None), archive)

    def sql(self, statement: str, *values: int | bytes | str) -> list[tuple[object, ...]]:
        """Change the database past the journal, as somebody with the medium would."""
        connection = apsw.Connection(str(self.journal / "journal.db"))
        try:
            return list(connection.execute(statement, values))
        finally:
            connection.close()

    @contextmanager
    def writing(self, at_s: float = LATE_S, boot: bytes = BOOT) -> Iterator[Forger]:
        clock = VirtualClock(SECOND, Timebase(MONDAY_NS + round(at_s * SECOND) - SECOND, TimeQuality.NTP))
        inside = Inside(
            boot=boot,
            split=lambda _: {},
            class_of=lambda item_id: builtin().item(item_id).data_class,
            items=builtin(),
            sign=Signer(VEHICLE, vehicle=VIN).sign,
            clock=clock,
            draw=os.urandom,
        )
        settings = JournalSettings(vehicle=VIN, checkpoint_period_s=1)
        provider = FileKeyProvider(self.journal, os.urandom)
        with open_journal(self.journal, provider, settings, inside) as opened:
            forger = Forger(opened, clock)
            forger.start()
            yield forger
            clock.advance_to(clock.boot_ns() + 5 * SECOND)
            forger.note(BlockKind.TIME, b"\xa0")


class Forger:
    """Adds blocks to an open journal, as a start of the gateway under the newest policy of the week.

    Args:
        opened: the journal.
        clock: of it.
    """

    def __init__(self, opened: OpenJournal, clock: VirtualClock) -> None:
        self.opened = opened
        self.clock = clock

    def start(self) -> None:
        """Note the policy that the week ended with."""
        with self.opened.reader() as reader:
            last = [one for one in reader.blocks() if one.header.kind is BlockKind.CONFIGURATION][-1]
            found = reader.plaintext(last)
            assert found is not None
            self._mask = [one for one in reader.blocks() if one.header.mask][-1].header.mask
        self.note(BlockKind.CONFIGURATION, found[1])

    def add(self, *drafts: Draft) -> None:
        self.opened.journal.write_alone(drafts, [])

    def note(self, kind: BlockKind, plaintext: bytes) -> None:
        self.add(self.draft(kind, "", plaintext))

    def fields(self, kind: BlockKind, fields: dict[int, CborValue]) -> None:
        self.note(kind, write_cbor(fields))

    def draft(
        self,
        kind: BlockKind,
        data_class: str,
        plaintext: bytes = b"forged",
        *,
        label: str = "",
    ) -> Draft:
        now_ns, timebase = self.clock.boot_ns(), self.clock.timebase()
        return Draft(
            kind,
            data_class,
            plaintext,
            self.opened.boot,
            now_ns,
            now_ns,
            timebase,
            count=1,
            mask=self._mask if data_class else "",
            purpose=label,
        )

    def data(self, kind: BlockKind, data_class: DataClass, *, label: str = "", **more: object) -> None:
        """A block of data that nobody looks into."""
        self.add(replace(self.draft(kind, str(data_class), label=label), **more))  # type: ignore[arg-type]

    def stamp(self, at_s: float | None = None) -> Stamp:
        """A moment of this boot; with `at_s` the wall clock showed that many seconds since Monday."""
        now_ns = self.clock.boot_ns()
        wall_ns = self.clock.wall_ns() if at_s is None else MONDAY_NS + round(at_s * SECOND)
        return Stamp(self.opened.boot, now_ns, wall_ns, TimeQuality.NTP)

    def entry(self, entry: Entry) -> None:
        """An entry of the consent ledger."""
        self.add(replace(consent_note(entry), boot=self.opened.boot))


def copy_of(folder: Path, to: Path) -> Copy:
    """Copy what a report needs."""
    shutil.copytree(folder, to, ignore=shutil.ignore_patterns("reserve", "platform.db*", "control.sock"))
    return Copy(to)
