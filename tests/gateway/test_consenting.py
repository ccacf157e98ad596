"""Consents given and withdrawn while a gateway runs: what is collected, kept, sent, and erased."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from edge.bus.memory import MemorySource
from edge.catalogue.catalogue import builtin
from edge.clock import TimeQuality
from edge.consent.entries import Erased, Role
from edge.control.client import ControlClient
from edge.errors import ConsentError, ControlError
from edge.frames import FrameBatch
from edge.journal.block import BlockKind
from edge.policy.classes import DataClass
from edge.policy.policy_choice import BUILT_IN, PolicyChoice
from edge.policy.rules import ANYWHERE, Basis, Policy, Purpose, Rule
from edge.records import Record
from edge.wire.cose import Verifier
from edge.wire.message import decode
from tests.archive.kept import archive
from tests.gateway.rig import MOTION, MS, VEHICLE_KEY, VIN, WALL_NS, Rig, S, alarm, motion

CLASSES = '[operation]\nsignals = ["Alarms.*"]\n[position]\nsignals = ["Motion.*"]\n'
RECORDING = (DataClass.POSITION, Purpose.RECORDING)
SERVICE = (DataClass.POSITION, Purpose.SERVICE)
EVERYWHERE = frozenset({ANYWHERE})
BINDING = '[items."gnss.satellites"]\nsignal = "Motion.Gear"\n'


def asking(*, destinations: frozenset[str] = frozenset()) -> PolicyChoice:
    """Operation by law, position while somebody agrees; it stays in the vehicle."""
    rules = {
        (DataClass.OPERATION, one): Rule(DataClass.OPERATION, one, Basis.LAW, EVERYWHERE) for one in Purpose
    }
    for use in (RECORDING, SERVICE):
        rules[use] = Rule(
            *use, Basis.CONSENT, destinations=destinations, longest_days=7.0, erase_within_s=60.0
        )
    return PolicyChoice(Policy("asking", 1, "", rules, contact="the bench"), BUILT_IN, "a test says so")


class Drive(Rig):
    """A gateway that keeps raw frames, and what is done at which second of its drive."""

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "etc",
        seed: int = 2,
        choice: PolicyChoice | None = None,
        purpose: Purpose = Purpose.REGULATED,
        frames: bool = True,
    ) -> None:
        super().__init__(
            folder / name,
            uplink=(
                f'purpose = "{purpose}"\n[journal]\nfolder = "{folder / "journal"}"\n'
                f"frames = {str(frames).lower()}\n"
            ),
            classes=CLASSES,
            binding=BINDING,
            choice=choice or asking(),
            quality=TimeQuality.NTP,
            seed=seed,
        )
        self.folder = folder
        self.doing: dict[int, Callable[[], object]] = {}

    @property
    def socket(self) -> ControlClient:
        return ControlClient(self.folder / "journal" / "control.sock")

    def agree(self, use: tuple[DataClass, Purpose] = RECORDING, *, term_s: float = 3600.0) -> None:
        self.gateway.consenting.desk.grant(use, term_s=term_s, role=Role.DRIVER)

    def withdraw(self, use: tuple[DataClass, Purpose] = RECORDING) -> None:
        self.gateway.consenting.desk.withdraw(use, role=Role.DRIVER)

    def run(self, seconds: int) -> None:
        """Ten frames of each message a second; the speed is the second's number."""

        def batches() -> Iterator[FrameBatch]:
            for tenth in range(seconds * 10):
                self.clock.pass_until(S + tenth * 100 * MS)
                if tenth % 10 == 0 and (do := self.doing.get(tenth // 10)):
                    do()
                now_ns = self.clock.boot_ns()
                frames = [motion(now_ns, tenth // 10), alarm(now_ns + 1, up=False)]
                yield FrameBatch.from_frames(frames, buses=["pt"], timebase=self.clock.timebase())

        self.gateway.run(MemorySource(batches(), buses=["pt"]), stop=self.stop)

    def kept(self) -> Mapping[str, list[int]]:
        """Speeds in the raw frames that can still be read, by the label of their data key."""
        found: dict[str, list[int]] = {}
        with archive(self.folder / "journal") as opened:
            assert opened.keys is not None
            labels = {entry.key_id: entry.purpose for entry in opened.keys.listing()}
            for block in opened.reader.blocks():
                header = block.header
                if header.kind is BlockKind.FRAMES and header.data_class == DataClass.POSITION:
                    kept = opened.reader.frames(block)
                    if kept is None:
                        continue
                    assert set(kept.batch.arbitration_id.tolist()) == {MOTION}
                    speeds = kept.batch.data[:, :2].copy().view("<u2")[:, 0] // 100
                    found.setdefault(labels[header.key_id], []).extend(speeds.tolist())
        return {label: sorted(set(speeds)) for label, speeds in found.items()}


def sent(drive: Drive) -> list[Record]:
    """The records that the platform was sent."""
    verifier = Verifier({VIN: [VEHICLE_KEY.public]})
    payloads = [verifier.verify(one, vehicle=VIN).payload for one in drive.platform.messages]
    return [record for one in payloads for record in decode(one, builtin()).records]


@pytest.fixture
def drive(tmp_path: Path) -> Drive:
    return Drive(tmp_path)


def test_nothing_is_collected_that_nobody_agreed_to(drive: Drive) -> None:
    drive.run(6)
    assert drive.gateway.finish(60)
    assert drive.kept() == {}
    assert drive.fact("door", "frames", "frames with position removed") == 60
    assert drive.fact("door", "frames", "frames with position kept") == 0


def test_a_consent_lets_in_what_comes_after_it_under_a_key_of_its_own(drive: Drive) -> None:
    drive.doing[3] = drive.agree
    drive.run(7)
    assert drive.gateway.finish(60)
    assert drive.kept() == {"consent 1": [3, 4, 5, 6]}
    assert drive.gateway.account().balanced


def test_a_withdrawal_stops_collecting_with_the_next_batch_and_erases_what_was_kept(drive: Drive) -> None:
    drive.doing[2] = drive.agree
    drive.doing[5] = drive.withdraw
    drive.run(12)
    assert drive.gateway.finish(60)
    assert drive.kept() == {}
    assert 30 <= drive.fact("door", "frames", "frames with position kept") <= 31
    entries = drive.gateway.consenting.desk.ledger.entries
    assert [one.label for one in entries if isinstance(one, Erased)] == ["consent 1"]
    assert drive.gateway.consenting.waiting == 0
    assert drive.gateway.account().balanced


def test_a_consent_that_ends_by_itself_takes_its_data_along(drive: Drive) -> None:
    drive.doing[2] = lambda: drive.agree(term_s=3.0)
    drive.run(20)
    assert drive.gateway.finish(60)
    assert drive.kept() == {}
    kept = drive.fact("door", "frames", "frames with position kept")
    assert 29 <= kept <= 31


def test_a_new_consent_after_a_withdrawal_is_another_one(drive: Drive) -> None:
    drive.doing[1] = drive.agree
    drive.doing[3] = drive.withdraw
    drive.doing[6] = drive.agree
    drive.run(9)
    assert drive.gateway.finish(60)
    assert drive.kept() == {"consent 2": [6, 7, 8]}


def test_a_consent_that_was_not_kept_on_for_the_next_start_ends_with_this_one(
    drive: Drive, tmp_path: Path
) -> None:
    drive.doing[1] = drive.agree
    drive.run(4)
    assert drive.gateway.finish(60)
    later = Drive(tmp_path, name="later", seed=7)
    later.run(4)
    assert later.gateway.finish(60)
    assert later.fact("door", "frames", "frames with position kept") == 0


def test_what_nobody_has_a_use_for_is_not_collected_whoever_agrees(tmp_path: Path) -> None:
    drive = Drive(tmp_path, frames=False)
    drive.doing[1] = drive.agree
    drive.doing[2] = lambda: drive.agree(SERVICE)
    drive.run(6)
    assert drive.gateway.finish(60)
    assert drive.fact("door", "frames", "frames with position kept") == 0


def test_data_that_rest_on_two_consents_go_with_the_second(tmp_path: Path) -> None:
    drive = Drive(tmp_path, purpose=Purpose.SERVICE)
    drive.doing[1] = drive.agree
    drive.doing[2] = lambda: drive.agree(SERVICE)
    drive.doing[4] = drive.withdraw
    drive.run(8)
    assert drive.gateway.finish(60)
    # Raw frames rest on the consent to recording alone, records on that to the service.
    assert drive.kept() == {}
    assert drive.fact("door", "frames", "frames with position kept") > 40


def test_what_is_for_another_destination_is_in_no_message(tmp_path: Path) -> None:
    choice = asking(destinations=frozenset({"another"}))
    drive = Drive(tmp_path, purpose=Purpose.SERVICE, choice=choice)
    drive.doing[1] = lambda: drive.agree(SERVICE)
    drive.run(15)
    assert drive.gateway.finish(60)
    assert drive.gateway.collecting.records()[DataClass.POSITION] > 10
    assert sent(drive)
    assert all("gnss.satellites" not in record.values for record in sent(drive))
    state = drive.gateway.cabin.state()
    assert [one["classes"] for one in state["left"]] == [["operation"]]  # type: ignore[attr-defined]
    kept = {one["class"]: one["frames"] for one in state["kept"]}  # type: ignore[attr-defined]
    assert 0 < kept["operation"] <= drive.fact("door", "frames", "frames with operation kept")


def test_the_socket_answers_while_the_gateway_runs(drive: Drive) -> None:
    answers: list[Mapping[str, object]] = []
    refused: list[str] = []

    def ask() -> None:
        answers.append(drive.socket.ask({"do": "state"}))
        use = {"class": "position", "purpose": "recording", "role": "driver"}
        answers.append(drive.socket.ask({"do": "grant", "term_s": 600, **use}))
        answers.append(drive.socket.ask({"do": "withdraw", **use}))
        answers.append(drive.socket.ask({"do": "erase", "class": "position", "role": "owner"}))
        try:
            drive.socket.ask({"do": "grant", "term_s": 1e9, **use})
        except ControlError as error:
            refused.append(error.what)

    drive.gateway.listen()
    drive.doing[5] = ask
    drive.run(9)
    assert drive.gateway.finish(60)
    state = answers[0]
    assert state["policy"]["name"] == "asking"  # type: ignore[index]
    assert [one["class"] for one in state["uses"] if one["collected"]] == ["operation"] * 4  # type: ignore[attr-defined]
    assert state["clock"]["trusted"]  # type: ignore[index]
    assert answers[1]["use"]["state"] == "given"  # type: ignore[index]
    assert answers[2]["use"]["state"] == "withdrawn"  # type: ignore[index]
    assert answers[3]["everything"] is True
    assert len(refused) == 1
    assert not (drive.folder / "journal" / "control.sock").exists()


def test_without_a_journal_no_consent_is_given(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "etc", classes=CLASSES, binding=BINDING, choice=asking(), quality=TimeQuality.NTP)
    with pytest.raises(ConsentError, match="journal"):
        rig.gateway.consenting.desk.grant(RECORDING, term_s=60, role=Role.DRIVER)


def test_a_policy_whose_term_is_over_leaves_the_strictest_one(tmp_path: Path) -> None:
    ends_ns = WALL_NS + 4 * S
    drive = Drive(tmp_path, choice=replace(asking(), expires_ns=ends_ns))
    drive.doing[1] = drive.agree
    drive.run(9)
    assert drive.gateway.finish(60)
    assert 15 <= drive.fact("door", "frames", "frames with position kept") <= 25
    assert drive.gateway.cabin.state()["policy"]["name"] == "strict"  # type: ignore[index]
    assert drive.platform.received == [(1, 8)]
