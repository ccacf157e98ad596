"""A gateway on its road erases amid a run: what is gone is told, what is left arrives, all balances."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edge.errors import JournalError
from edge.gateway import Gateway
from edge.journal.upkeep.erasure import ErasureRequest
from edge.journal_road import JournalRoad
from edge.policy.classes import DataClass
from simulator.virtual_link import LinkFaults
from tests.gateway.rig import Rig, S, recording
from tests.gateway.test_journal_road import journal
from tests.journal.faulty_disk import Fault, faulty

OPERATION = ErasureRequest(DataClass.OPERATION, reason="sold")


def road_of(rig: Rig) -> JournalRoad:
    assert isinstance(rig.gateway.road, JournalRoad)
    return rig.gateway.road


def doing(rig: Rig, at: Mapping[int, Callable[[], object]]) -> Callable[[Gateway], None]:
    """What is done after so many batches, of a second each."""
    seen = [0]

    def watch(gateway: Gateway) -> None:
        seen[0] += 1
        at.get(seen[0], lambda: None)()
        rig.clock.pass_until(rig.clock.boot_ns() + S)
        assert gateway.account().balanced

    return watch


def test_an_erasure_amid_a_run_is_told_and_the_run_goes_on(tmp_path: Path) -> None:
    rig = Rig(tmp_path, uplink=journal(tmp_path), faults=LinkFaults(refuse=1.0))
    done: list[int] = []

    def erase() -> None:
        done.append(road_of(rig).erase(OPERATION).blocks)

    rig.gateway.run(recording(60), stop=rig.stop, watch=doing(rig, {30: erase}))
    assert not rig.gateway.finish(5)
    assert done[0] > 0
    later = Rig(tmp_path / "later", uplink=journal(tmp_path))
    later.gateway.run(recording(3), stop=later.stop)
    assert later.gateway.finish(60)
    assert later.gateway.account().balanced
    assert later.platform.sequence.watermark == 63, "all numbers came, or were told"
    erased = set(range(1, 64)) - set(later.platform.speeds)
    assert erased == set(range(1, max(erased) + 1)), "the first ones, up to the erasure"
    assert len(erased) == 29


def test_what_went_past_the_journal_is_let_go_of_and_the_rest_asked_for_again(tmp_path: Path) -> None:
    with faulty(tmp_path / "journal") as disk:
        rig = Rig(tmp_path, uplink=journal(tmp_path), faults=LinkFaults(refuse=1.0))
        road = road_of(rig)

        def set_fault(fault: Fault) -> Callable[[], None]:
            def change() -> None:
                disk.fault = fault

            return change

        def refused() -> None:
            assert road.forwarders[0].counts().held.records > 0
            with pytest.raises(JournalError):
                road.erase(OPERATION)
            held = [one for one in road.forwarders[0]._held.all() if not one.row]
            assert not [one for one in held if one.item.record_count], "nothing of it waits in memory"

        def erase() -> None:
            assert road.erase(OPERATION).blocks > 0

        at = {10: set_fault(Fault.READ_ONLY), 40: refused, 41: set_fault(Fault.NONE), 120: erase}
        rig.gateway.run(recording(130), stop=rig.stop, watch=doing(rig, at))
        rig.gateway.finish(5)
        assert rig.gateway.account().balanced
        lost = rig.gateway.uplink.hops()[1].set_aside
        assert lost["erased before it arrived"] > 0
        rig.gateway.road.close()
