"""Ways by which what nobody agrees to any more might still leave, or come into what is agreed to later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge.catalogue.catalogue import builtin
from edge.clock import Timebase, TimeQuality
from edge.consent.entries import Erased, Role
from edge.errors import JournalError
from edge.gateway import Gateway
from edge.journal_road import JournalRoad
from edge.policy.classes import DataClass
from edge.policy.policy_choice import BUILT_IN, PolicyChoice
from edge.policy.rules import ANYWHERE, Basis, Policy, Purpose, Rule
from edge.wire.cose import unverified_payload
from edge.wire.message import decode
from simulator.virtual_link import LinkFaults
from tests.gateway.rig import WALL_NS, Rig, S
from tests.gateway.test_consenting import BINDING, CLASSES, SERVICE, Drive, sent

UNREACHABLE = LinkFaults(refuse=1.0)
POSITION_ITEM = "gnss.satellites"


def leaving() -> PolicyChoice:
    """Operation by law; position to a service while somebody agrees."""
    everywhere = frozenset({ANYWHERE})
    rules = {
        (DataClass.OPERATION, one): Rule(DataClass.OPERATION, one, Basis.LAW, everywhere) for one in Purpose
    }
    rules[SERVICE] = Rule(*SERVICE, Basis.CONSENT, everywhere, longest_days=7.0, erase_within_s=60.0)
    return PolicyChoice(Policy("leaving", 1, "", rules), BUILT_IN, "a test says so")


class ToService(Drive):
    """A drive whose platform is a service, reached through `faults`."""

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "etc",
        seed: int = 2,
        faults: LinkFaults | None = None,
        later_s: int = 0,
    ) -> None:
        self.later_s = later_s
        Rig.__init__(
            self,
            folder / name,
            uplink='purpose = "service"\njurisdiction = "CN"\n'
            f'[journal]\nfolder = "{folder / "journal"}"\nframes = true\n',
            classes=CLASSES,
            binding=BINDING,
            choice=leaving(),
            quality=TimeQuality.NTP,
            seed=seed,
            faults=faults,
        )
        self.folder = folder
        self.doing: dict[int, Callable[[], object]] = {}

    def make_gateway(self, seed: int = 2, boot: bytes | None = None) -> Gateway:
        self.clock.set_timebase(Timebase(WALL_NS + self.later_s * S, TimeQuality.NTP))
        return super().make_gateway(seed, boot)

    @property
    def road(self) -> JournalRoad:
        assert isinstance(self.gateway.road, JournalRoad)
        return self.gateway.road

    def lose(self) -> None:
        self.link.faults = LinkFaults(lose=1.0)

    def cut(self) -> None:
        self.link.faults = UNREACHABLE
        self.link.cut()

    def waiting_with_positions(self) -> int:
        """How many signed messages wait that hold a position."""
        (forwarder,) = self.road.forwarders
        records = [
            decode(unverified_payload(one.item.payload), builtin()).records for one in forwarder.kept()
        ]
        return sum(any(POSITION_ITEM in record.values for record in several) for several in records)

    def agree_for_good(self) -> None:
        self.gateway.consenting.desk.grant(SERVICE, term_s=3600.0, role=Role.DRIVER, keep=True)


def positions(drive: Drive) -> list[object]:
    """What the platform was sent of a position."""
    return [record.values[POSITION_ITEM] for record in sent(drive) if POSITION_ITEM in record.values]


def test_a_service_is_sent_positions_while_somebody_agrees(tmp_path: Path) -> None:
    drive = ToService(tmp_path)
    drive.doing[2] = lambda: drive.agree(SERVICE)
    drive.run(8)
    assert drive.gateway.finish(60)
    assert positions(drive)


def test_a_message_that_waits_does_not_outlive_the_start_for_which_somebody_agreed(tmp_path: Path) -> None:
    drive = ToService(tmp_path)
    drive.connect()
    drive.doing[6] = lambda: drive.agree(SERVICE)
    drive.doing[15] = drive.lose
    drive.doing[30] = drive.cut
    drive.run(40)
    assert not drive.gateway.finish(5)
    assert drive.waiting_with_positions()
    later = ToService(tmp_path, name="later", seed=7, later_s=100)
    later.connect()
    later.run(30)
    assert later.gateway.finish(60)
    assert len(sent(later)) > 20
    assert positions(later) == []


def test_a_message_that_waits_goes_at_the_next_start_if_the_consent_was_given_for_it_too(
    tmp_path: Path,
) -> None:
    drive = ToService(tmp_path)
    drive.connect()
    drive.doing[6] = drive.agree_for_good
    drive.doing[15] = drive.lose
    drive.doing[30] = drive.cut
    drive.run(40)
    assert not drive.gateway.finish(5)
    assert drive.waiting_with_positions()
    later = ToService(tmp_path, name="later", seed=7, later_s=100)
    assert later.waiting_with_positions()
    later.connect()
    assert positions(later)


def test_what_cannot_be_taken_back_keeps_nothing_else_from_being_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive = ToService(tmp_path)
    refused: list[str] = []

    def refuse(destination: str, data_class: DataClass) -> int:
        del data_class
        refused.append(destination)
        raise JournalError("a test says no")

    drive.doing[3] = lambda: drive.agree(SERVICE)
    monkeypatch.setattr(drive.gateway.road, "recompose", refuse)
    drive.doing[6] = lambda: drive.withdraw(SERVICE)
    drive.run(12)
    desk = drive.gateway.consenting.desk
    assert refused
    assert [one.label for one in desk.ledger.entries if isinstance(one, Erased)] == ["consent 1"]
    assert drive.gateway.consenting.waiting == 1
