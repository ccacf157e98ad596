"""What must be in one transaction, and what is counted while a transaction is under way."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.forward.forwarder import Forwarder
from edge.gateway import Gateway
from edge.journal.committer import Committer
from edge.journal.journal import Journal
from edge.journal_road import JournalRoad
from edge.uplink.outgoing import Kind
from tests.gateway.rig import Rig, recording

SECOND = """
[[destination]]
name = "second"
host = "127.0.0.1"
tls.enabled = false
acknowledge = "puback"
"""


def road_of(gateway: Gateway) -> JournalRoad:
    assert isinstance(gateway.road, JournalRoad)
    return gateway.road


def make(folder: Path, more: str = "") -> Rig:
    return Rig(folder, uplink=f'[journal]\nfolder = "{folder / "journal"}"\n{more}')


def test_messages_of_two_destinations_are_kept_side_by_side(tmp_path: Path) -> None:
    rig = make(tmp_path, SECOND)
    rig.gateway.run(recording(47), stop=rig.stop)
    road = road_of(rig.gateway)
    for forwarder in road.forwarders:
        forwarder.flush()
        assert forwarder.next(Kind.LIVE, 0) is not None
    assert road.durable


def test_a_crash_right_after_a_checkpoint_leaves_its_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make(tmp_path)
    rig.gateway.run(recording(25), stop=rig.stop)
    journal = road_of(rig.gateway)._journal
    journal.seal()
    transact = Committer._transact

    class PowerCutError(Exception):
        pass

    def cut(*args: object) -> None:
        transact(*args)  # type: ignore[arg-type]
        raise PowerCutError

    monkeypatch.setattr(Committer, "_transact", cut)
    with pytest.raises(PowerCutError):
        journal.commit()
    monkeypatch.undo()
    road_of(rig.gateway)._opened._stack.close()
    later = rig.make_gateway(seed=9)
    (forwarder,) = road_of(later).forwarders
    found = forwarder.next(Kind.EVENT, 0)
    assert found is not None
    with road_of(later)._opened.reader() as reader:
        assert [each.signed for each in reader.checkpoints()] == [found[1].payload]


def test_records_of_a_message_that_is_being_kept_are_not_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make(tmp_path)
    rig.gateway.run(recording(25), stop=rig.stop)
    (forwarder,) = road_of(rig.gateway).forwarders
    forwarder.flush()
    said: list[tuple[int, int]] = []
    written = Journal._write

    def looking(self: Journal, taken: object) -> bool:
        ledger = forwarder.ledger()
        said.append((ledger.acknowledged, ledger.waiting))
        return written(self, taken)  # type: ignore[arg-type]

    monkeypatch.setattr(Journal, "_write", looking)
    assert Forwarder.next(forwarder, Kind.LIVE, 0) is not None
    assert said
    assert {acknowledged for acknowledged, _ in said} == {0}


def test_a_commit_under_way_is_not_idle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = make(tmp_path)
    rig.gateway.run(recording(3), stop=rig.stop)
    journal = road_of(rig.gateway)._journal
    idle: list[bool] = []
    written = Journal._write

    def looking(self: Journal, taken: object) -> bool:
        idle.append(self.idle())
        return written(self, taken)  # type: ignore[arg-type]

    monkeypatch.setattr(Journal, "_write", looking)
    journal.seal()
    assert not journal.idle()
    assert journal.commit()
    assert idle == [False]
    assert journal.idle()
