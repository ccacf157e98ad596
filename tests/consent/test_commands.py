"""`nevgate consent`: through a gateway that runs, and in its journal where none does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.archive.changing import inside_of
from edge.cli.consenting import terms_lines
from edge.clock import SystemClock
from edge.config.configuration import load_config
from edge.consent.entries import Erased, Granted, Withdrawn
from edge.consent.keeping import JournalKeeping
from edge.control.server import ControlServer
from edge.journal.block import BlockKind
from edge.journal.chain import Draft
from edge.journal.keys.key_provider import FileKeyProvider
from edge.journal.opening import OpenJournal, open_journal
from edge.policy.classes import DataClass
from tests.cli.running import Program
from tests.control.test_requests import Rig

TRACK = ("position", "service")


@pytest.fixture
def nevgate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    monkeypatch.chdir(tmp_path)
    return Program(monkeypatch, capsys)


@pytest.fixture
def config(tmp_path: Path, nevgate: Program) -> Path:
    """A gateway that has run and is not running."""
    path = tmp_path / "nevgate.toml"
    assert nevgate("config", "init", "--bench", path).code == 0
    assert nevgate("keys", "make", "keys/LNVGATE00XDEM0001.pem").code == 0
    assert nevgate("keys", "make", "platform.pem").code == 0
    opened(path).close()
    return path


def opened(path: Path) -> OpenJournal:
    config = load_config(path)
    assert config.journal is not None
    folder = config.journal.folder
    return open_journal(
        folder,
        FileKeyProvider(folder, lambda size: b"\x01" * size),
        config.journal.settings("LNVGATE00XDEM0001"),
        inside_of(config, folder),
    )


class TestWithoutAGateway:
    def test_a_consent_is_given_listed_and_taken_back(self, nevgate: Program, config: Path) -> None:
        given = nevgate("consent", "grant", *TRACK, "--for", "30d", "--keep", "--role", "owner")
        assert (given.code, given.err) == (0, "")
        assert "You agreed, as owner: position is collected for service until 20" in given.out
        recipients = "to whichever destinations policy and configuration have there: CN"
        for words in ("This is consent 1", recipients, "1000 m", "14 days", "Take it back"):
            assert words in given.out
        listed = nevgate("consent", "list")
        assert listed.code == 0
        assert "no gateway runs, so nothing is collected now" in listed.out
        assert "given" in listed.out
        withdrawn = nevgate("consent", "withdraw", *TRACK)
        assert withdrawn.code == 0
        assert "Consent 1 is withdrawn: position is not collected for service any more" in withdrawn.out
        with opened(config) as journal:
            entries = JournalKeeping(journal).load().entries
        assert [type(one) for one in entries] == [Granted, Withdrawn]

    def test_who_agrees_to_pictures_is_told_that_nobody_gets_them(
        self, nevgate: Program, config: Path
    ) -> None:
        assert config.exists()
        given = nevgate("consent", "grant", "exterior", "recording", "--for", "1d", "--keep")
        assert "It stays in the vehicle: nobody outside of it gets it" in given.out

    def test_where_the_list_has_nobody_for_it_that_is_told(self) -> None:
        use = {
            "leaves": True,
            "destinations": [],
            "jurisdictions": ["CN"],
            "class": "exterior",
            "precision": "full",
            "retention_days": 0,
            "longest_days": 7,
            "erase_within_s": 0,
        }
        listed, open_to_all = (
            " ".join(terms_lines({**use, "destinations_listed": one})) for one in (True, False)
        )
        assert "the policy lists nobody who may have it" in listed
        assert "whichever destinations" in open_to_all

    def test_looking_changes_nothing(self, nevgate: Program, config: Path) -> None:
        journal = config.parent / "journal" / "journal.db"
        before = journal.read_bytes()
        assert nevgate("consent", "list", "--json").code == 0
        assert journal.read_bytes() == before

    @pytest.mark.usefixtures("config")
    def test_refusing_is_as_short_as_agreeing(self, nevgate: Program) -> None:
        refused = nevgate("consent", "refuse", *TRACK)
        assert (refused.code, refused.err) == (0, "")
        assert "You refused, as driver: position is not collected for service" in refused.out
        uses = json.loads(nevgate("consent", "list", "--json").out)["uses"]
        (use,) = [one for one in uses if (one["class"], one["purpose"]) == TRACK]
        assert use["state"] == "refused"

    @pytest.mark.parametrize("term", [None, "30", "always", "inf", "nand", "-1d", "1e9d", "0s", "31d", ""])
    def test_without_a_term_that_ends_nothing_is_agreed(
        self, nevgate: Program, config: Path, term: str | None
    ) -> None:
        words = [] if term is None else ["--for", term]
        outcome = nevgate("consent", "grant", *TRACK, "--keep", *words)
        assert outcome.code == 1
        assert outcome.out == ""
        assert outcome.err.count("\n") == 1
        with opened(config) as journal:
            assert not JournalKeeping(journal).load().entries

    @pytest.mark.usefixtures("config")
    def test_a_consent_for_one_start_makes_no_sense(self, nevgate: Program) -> None:
        outcome = nevgate("consent", "grant", *TRACK, "--for", "12h")
        assert outcome.code == 1
        assert "no gateway runs" in outcome.err

    @pytest.mark.usefixtures("config")
    def test_what_the_law_asks_for_is_not_agreed_to(self, nevgate: Program) -> None:
        outcome = nevgate("consent", "grant", "operation", "regulated", "--for", "12h", "--keep")
        assert outcome.code == 1
        assert "rests on law" in outcome.err

    def test_what_rested_on_a_consent_is_erased_with_it(self, nevgate: Program, config: Path) -> None:
        assert nevgate("consent", "grant", *TRACK, "--for", "1d", "--keep").code == 0
        with opened(config) as journal:
            time = SystemClock().timebase()
            for purpose in ("consent 1", ""):
                journal.journal.add_note(
                    Draft(BlockKind.MEDIA, "position", b"track", journal.boot, 1, 1, time, purpose=purpose)
                )
            journal.journal.commit()
        outcome = nevgate("consent", "withdraw", *TRACK)
        assert outcome.code == 0
        assert "What rested on it is erased: the content of 1 block is gone" in outcome.out
        with opened(config) as journal:
            labels = {one.purpose for one in journal.keys.listing() if one.data_class == "position"}
            entries = JournalKeeping(journal).load().entries
        assert labels == {""}
        assert [type(one) for one in entries] == [Granted, Withdrawn, Erased]

    def test_a_journal_in_use_is_left_alone(self, nevgate: Program, config: Path) -> None:
        with opened(config):
            outcome = nevgate("consent", "refuse", *TRACK)
        assert outcome.code == 1
        assert outcome.err.count("\n") == 1

    def test_without_a_journal_that_is_said(self, nevgate: Program, config: Path) -> None:
        text = config.read_text("utf-8")
        begin = text.index("[journal]")
        end = text.find("\n[", begin + 1)
        config.write_text(text[:begin] + (text[end:] if end > 0 else ""), "utf-8")
        outcome = nevgate("consent", "list")
        assert outcome.code == 2
        assert "without a journal" in outcome.err


class TestWithAGateway:
    @pytest.fixture
    def rig(self, config: Path) -> Iterator[Rig]:
        rig = Rig()
        path = config.parent / "journal" / "control.sock"
        with ControlServer(path, rig.requests.answer, SystemClock()):
            yield rig

    def test_it_is_asked(self, nevgate: Program, rig: Rig) -> None:
        given = nevgate("consent", "grant", *TRACK, "--for", "90min")
        assert (given.code, given.err) == (0, "")
        assert "until 2026-09-21T15:43:20Z" in given.out
        assert "for this start of the gateway alone" in given.out
        assert rig.collects(DataClass.POSITION)
        listed = nevgate("consent", "list", "--json")
        assert json.loads(listed.out)["running"] is True
        withdrawn = nevgate("consent", "withdraw", *TRACK)
        assert "is erased by 2026-10-01T14:13:20Z" in withdrawn.out

    @pytest.mark.usefixtures("rig")
    def test_by_the_socket_alone(self, nevgate: Program) -> None:
        outcome = nevgate("consent", "refuse", *TRACK, "--socket", "journal/control.sock", "--json")
        assert outcome.code == 0
        assert json.loads(outcome.out)["use"]["state"] == "refused"

    @pytest.mark.usefixtures("rig")
    def test_its_refusals_are_one_line(self, nevgate: Program) -> None:
        outcome = nevgate("consent", "withdraw", *TRACK)
        assert outcome.code == 1
        assert "there is no consent to position for service to withdraw" in outcome.err
        assert outcome.err.count("\n") == 1

    def test_a_change_that_is_not_on_the_disk_yet_is_told(self, nevgate: Program, rig: Rig) -> None:
        rig.keeping.broken = True
        outcome = nevgate("consent", "refuse", *TRACK)
        assert outcome.code == 0
        assert "not on the disk yet" in outcome.out

    @pytest.mark.usefixtures("config")
    def test_a_socket_that_nobody_listens_on_is_named(self, nevgate: Program) -> None:
        outcome = nevgate("consent", "list", "--socket", "none.sock")
        assert outcome.code == 1
        assert "no gateway listens here" in outcome.err
