"""The real ``nevgate run`` on a virtual bus, beside can-utils: every frame of theirs is in its account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.vm.interfaces import virtual_bus

if TYPE_CHECKING:
    from tests.vm.drive import Drive


@pytest.mark.long
class TestTheGatewayBesideCanUtils:
    @pytest.fixture(scope="class")
    def drive(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drive]:
        from tests.vm.drive import BUS, Drive  # noqa: PLC0415 - takes seconds in the guest

        folder = tmp_path_factory.mktemp("drive")
        with virtual_bus(BUS):
            yield Drive(folder)

    def test_all_that_was_sent_is_in_the_account(self, drive: Drive) -> None:
        (hop,) = (hop for hop in drive.account["hops"] if hop["name"] == "bus pt")
        assert len(drive.recording) == drive.sent
        assert (hop["entered"], hop["left"]) == (drive.sent, drive.sent)
        assert not any(hop["set_aside"].values())

    def test_every_hop_of_the_account_balances(self, drive: Drive) -> None:
        for hop in drive.account["hops"]:
            assert hop["entered"] == hop["left"] + sum(hop["set_aside"].values()), hop

    def test_the_journals_frames_are_those_that_candump_recorded(self, drive: Drive) -> None:
        assert [line.frame for line in drive.exported] == [line.frame for line in drive.recording]

    def test_their_times_are_candumps(self, drive: Drive) -> None:
        apart = [
            abs(ours.time_s - theirs.time_s)
            for ours, theirs in zip(drive.exported, drive.recording, strict=True)
        ]
        assert max(apart) < 0.001
