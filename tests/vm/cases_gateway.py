"""The real ``nevgate run`` on a virtual bus, beside can-utils: every frame of theirs is in its account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.vm.interfaces import classic_frame, ip_link, raw_socket, set_controller, virtual_bus

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

    def test_it_was_read_by_a_ring(self, drive: Drive) -> None:
        assert "bus pt: vcan0 is read by a ring" in drive.log
        assert (drive.bus["way"], drive.bus["listening"], drive.bus["alarms"]) == ("ring", "cannot tell", [])

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


@pytest.mark.long
class TestTheGatewayByEachWay:
    """What is forced is what is taken, and what comes by it is in the account."""

    @pytest.mark.parametrize(
        ("way", "said"),
        [
            ("ring", "vcan0 is read by a ring of 8 MiB"),
            ("raw", "vcan0 is read by a raw socket"),
            ("python-can", "vcan0 is read by python-can"),
        ],
    )
    def test_the_way_that_is_forced_is_taken(self, tmp_path: Path, way: str, said: str) -> None:
        from tests.vm.drive import BUS, CLASSIC, Running, configuration  # noqa: PLC0415 - takes seconds in the guest

        config = configuration(tmp_path / "gateway", options=f'options = {{ way = "{way}" }}')
        with virtual_bus(BUS), Running(config) as gateway, raw_socket(BUS) as sender:
            assert gateway.bus["way"] == way
            for number in range(50):
                sender.send(classic_frame(CLASSIC, number.to_bytes(8, "big")))
        assert said in gateway.log
        hop = gateway.frames()
        assert (hop["entered"], hop["left"], sum(hop["set_aside"].values())) == (50, 50, 0)
        assert gateway.account["balanced"]


@pytest.mark.long
class TestAControllerThatTakesPart:
    def test_it_is_an_alarm_until_it_reads_back_as_listen_only(self, tmp_path: Path) -> None:
        from tests.vm.drive import NEVGATE, Running, configuration, run, until  # noqa: PLC0415 - takes seconds

        set_controller("can0", "bitrate", "500000", "listen-only", "off")
        config = configuration(tmp_path / "gateway", "can0", "bitrate = 500000")
        with Running(config) as gateway:
            until(lambda: bool(gateway.state()["alarms"]), "there is no alarm")
            (alarm,) = gateway.state()["alarms"]
            assert (alarm["bus"], alarm["kind"]) == ("pt", "not listen-only")
            assert gateway.bus["listening"] == "not listen-only"
            status = [*NEVGATE, "status", "--config", str(config)]
            assert run(status, status=4).startswith("ALARM: bus pt: can0 is not listen-only")
            set_controller("can0", "bitrate", "500000", "listen-only", "on")
            until(lambda: not gateway.state()["alarms"], "the alarm stays")
            assert gateway.bus["listening"] == "listen-only"
            assert json.loads(run([*status, "--json"]))["alarms"] == []
        ip_link("set", "can0", "down")
        (hop,) = (hop for hop in gateway.account["hops"] if hop["name"] == "alarms")
        assert (hop["entered"], hop["left"], hop["set_aside"]) == (1, 1, {})
        assert gateway.log.count("alarm: bus pt: can0 is not listen-only") == 1
        assert "alarm over: bus pt: no longer not listen-only" in gateway.log

    def test_one_that_is_known_to_take_part_is_none(self, tmp_path: Path) -> None:
        from tests.vm.drive import Running, configuration  # noqa: PLC0415 - takes seconds in the guest

        set_controller("can0", "bitrate", "500000", "listen-only", "off")
        config = configuration(tmp_path / "gateway", "can0", 'options = { listen_only = "any" }')
        with Running(config) as gateway:
            assert gateway.bus["listening"] == "not listen-only"
            assert gateway.state()["alarms"] == []
        ip_link("set", "can0", "down")
        assert "alarms" not in {hop["name"] for hop in gateway.account["hops"]}
