"""What people and scripts see of a journal: exit codes, JSON, one clear line where something cannot be."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import apsw
import pytest

from edge.journal.database import lock_folder
from tests.cli.journals import Kept, leave
from tests.cli.running import Program


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return leave(tmp_path_factory.mktemp("gateway") / "etc")


@pytest.fixture
def kept(left: Kept, tmp_path: Path) -> Kept:
    """One of the test's own."""
    return left.copy(tmp_path / "etc")


def change(kept: Kept, statement: str) -> None:
    connection = apsw.Connection(str(kept.journal / "journal.db"))
    connection.execute(statement)
    connection.close()


def test_ls_sums_up_by_folder_and_by_configuration(nevgate: Program, left: Kept) -> None:
    by_config = nevgate("journal", "ls", "--config", left.config, "--json")
    by_folder = nevgate("journal", "ls", left.journal, "--json")
    assert (by_config.code, by_config.out) == (0, by_folder.out)
    said = json.loads(by_config.out)
    records = next(one for one in said["series"] if one["kind"] == "records")
    assert (records["class"], records["first_number"], records["last_number"]) == ("operation", 1, 47)
    assert said["destinations"][0]["streams"][0]["acknowledged"] == 47
    shown = nevgate("journal", "ls", left.journal).out
    assert "1 to 47" in shown
    assert "1 checkpoint up to block 49" in shown


def test_ls_does_without_keys(nevgate: Program, kept: Kept) -> None:
    (kept.journal / "wrapping-1.key").unlink()
    refused = nevgate("journal", "ls", kept.journal)
    assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert nevgate("journal", "ls", kept.journal, "--no-keys").code == 0


def test_ls_lists_blocks_that_meet_filters(nevgate: Program, left: Kept) -> None:
    said = nevgate("journal", "ls", left.journal, "--kind", "records", "--limit", "3", "--json")
    blocks = json.loads(said.out)
    assert [block["kind"] for block in blocks] == ["records"] * 3
    assert blocks[0]["first"]["quality"] == "NONE"
    assert json.loads(nevgate("journal", "ls", left.journal, "--from", "2026-01-01", "--json").out) == []


def test_show_has_frames_records_and_accounts(nevgate: Program, left: Kept) -> None:
    blocks = json.loads(nevgate("journal", "ls", left.journal, "--blocks", "--json").out)
    number = {block["kind"]: block["number"] for block in reversed(blocks)}
    frames = nevgate("journal", "show", number["frames"], left.journal)
    assert "(0.100000) pt 100#0000000000000000" in frames.out
    assert "DOES NOT HOLD" not in frames.out
    records = nevgate("journal", "show", number["records"], left.journal).out
    assert "vehicle.speed" in records
    assert "km/h" in records
    account = json.loads(nevgate("journal", "show", number["account"], left.journal, "--json").out)
    assert account["content"]["account"]["balanced"] is True
    assert account["link"]["holds"] is True


def test_show_of_a_changed_block_fails(nevgate: Program, kept: Kept) -> None:
    change(kept, "UPDATE block SET ciphertext = zeroblob(length(ciphertext)) WHERE number = 3")
    shown = nevgate("journal", "show", 3, kept.journal)
    assert shown.code == 1
    assert "DOES NOT HOLD" in shown.out
    assert nevgate("journal", "show", 9999, kept.journal).code == 1


def test_verify_proves_a_journal_by_the_public_key_alone(nevgate: Program, kept: Kept) -> None:
    for secret in [*kept.journal.glob("wrapping*"), *kept.journal.glob("keys.db*")]:
        secret.unlink()
    said = nevgate("journal", "verify", kept.journal, "--vehicle-key", kept.vehicle_key)
    assert said.code == 0
    assert "vouch for all up to block 49" in said.out
    assert "chained, but not signed yet" in said.out


def test_verify_opens_contents_with_the_keys(nevgate: Program, left: Kept) -> None:
    said = nevgate(
        "journal", "verify", left.journal, "--vehicle-key", left.vehicle_key, "--contents", "--json"
    )
    found = json.loads(said.out)
    assert (found["holds"], found["opened"]) == (True, found["blocks"])


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM block WHERE number = 7",
        "UPDATE block SET ciphertext = zeroblob(9) WHERE number = 7",
        "UPDATE block SET commitment = zeroblob(32) WHERE number = 48",
        "UPDATE checkpoint SET signed = zeroblob(99)",
    ],
)
def test_verify_fails_where_anything_was_changed(nevgate: Program, kept: Kept, statement: str) -> None:
    change(kept, statement)
    words = ("journal", "verify", kept.journal, "--vehicle-key", kept.vehicle_key)
    said = nevgate(*words)
    assert said.code == 1
    assert "DOES NOT HOLD" in said.out
    found = nevgate(*words, "--json")
    assert found.code == 1
    assert json.loads(found.out)["faults"]


def test_verify_says_that_nothing_is_signed_yet(nevgate: Program, kept: Kept) -> None:
    change(kept, "DELETE FROM checkpoint")
    said = nevgate("journal", "verify", kept.journal, "--vehicle-key", kept.vehicle_key)
    assert said.code == 0
    assert "No checkpoint vouches" in said.out


def test_verify_fails_by_another_vehicles_key(nevgate: Program, left: Kept) -> None:
    other = left.folder / "platform.pub.pem"
    assert nevgate("journal", "verify", left.journal, "--vehicle-key", other).code == 1


def test_an_excerpt_is_exported_and_proved(nevgate: Program, left: Kept, tmp_path: Path) -> None:
    excerpt = tmp_path / "trip.excerpt"
    made = nevgate("journal", "export", excerpt, left.journal, "--kind", "records")
    assert made.code == 0
    said = nevgate("journal", "verify", excerpt, "--vehicle-key", left.vehicle_key)
    assert said.code == 0
    assert "The excerpt holds." in said.out
    data = bytearray(excerpt.read_bytes())
    data[len(data) // 2] ^= 1
    excerpt.write_bytes(data)
    refused = nevgate("journal", "verify", excerpt, "--vehicle-key", left.vehicle_key)
    assert (refused.code, refused.out) == (1, "")
    assert "does not hold" in refused.err
    as_json = nevgate("journal", "verify", excerpt, "--vehicle-key", left.vehicle_key, "--json")
    assert (as_json.code, json.loads(as_json.out)["holds"]) == (1, False)


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("drive.log", []),
        ("drive.blf", []),
        ("drive.mf4", []),
        ("drive.parquet", ["--kind", "frames"]),
        ("records.csv", []),
        ("records.mcap", []),
        ("signals.csv", ["--decode"]),
    ],
)
def test_export_by_ending(nevgate: Program, left: Kept, tmp_path: Path, out: str, words: list[str]) -> None:
    path = tmp_path / out
    line = ("journal", "export", path, "--config", left.config, *words)
    said = nevgate(*line, "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["written"] > 0
    assert path.stat().st_size > 0
    if "records" not in out:
        assert "pt:Motor.Rpm" in found["not_collected"]
    again = nevgate(*line)
    assert (again.code, again.out, again.err.count("\n")) == (1, "", 1)
    assert nevgate(*line, "--force").code == 0


def test_decoded_signals_name_what_was_not_collected(nevgate: Program, left: Kept, tmp_path: Path) -> None:
    path = tmp_path / "signals.csv"
    assert nevgate("journal", "export", path, "--decode", "--config", left.config).code == 0
    rows = path.read_text().splitlines()
    assert ",pt,Motor,Rpm,not collected" in rows
    assert "30000000000,pt,Motion,Speed,30.0" in rows


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["x.docx", "JOURNAL"], "names no format"),
        (["x.blf", "JOURNAL", "--kind", "records"], "cannot be written as blf"),
        (["x.csv", "JOURNAL", "--decode"], "--config"),
        (["x.csv", "JOURNAL", "--from", "yesterday"], "is no time"),
        (["x.log", "JOURNAL", "--event", "collision@1"], "no event 'collision@1'"),
        (["x.excerpt", "JOURNAL"], "--kind and --class"),
        (["x.log", "elsewhere"], "no journal here"),
        (["x.log"], "no journal is named"),
    ],
)
def test_what_cannot_be_exported_is_said_in_a_line(
    nevgate: Program, left: Kept, tmp_path: Path, words: list[str], hint: str
) -> None:
    said = nevgate("journal", "export", *(str(left.journal) if word == "JOURNAL" else word for word in words))
    assert said.code in {1, 2}
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert hint in said.err
    assert not list(tmp_path.glob("x.*"))


def test_account_has_the_last_one_and_the_shares_of_now(nevgate: Program, left: Kept) -> None:
    said = nevgate("account", left.journal)
    assert said.code == 0
    assert "balanced" in said.out
    found = json.loads(nevgate("account", "--config", left.config, "--json").out)
    assert found["account"]["last_number"] == 47
    (destination,) = found["destinations"]
    assert destination["streams"][0]["acknowledged"] == 47


def test_account_says_that_there_is_none_yet(nevgate: Program, kept: Kept) -> None:
    change(kept, "UPDATE block SET ciphertext = NULL, size = 0 WHERE kind = 9")
    said = nevgate("account", kept.journal)
    assert said.code == 0
    assert "no account is in the journal yet" in said.out


def test_erase_shows_asks_and_destroys(
    nevgate: Program, kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("journal", "erase", "--config", kept.config, "--class", "operation")
    nothing = nevgate(*words, "--from", "2026-01-01", "--to", "2026-01-02", "--yes")
    assert "there is nothing of class 'operation'" in nothing.out
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    unwanted = nevgate(*words)
    assert unwanted.code == 1
    assert "24 records blocks" in unwanted.out
    still = nevgate("journal", "export", tmp_path / "a.csv", kept.journal, "--json")
    assert json.loads(still.out)["written"] == 47
    done = json.loads(nevgate(*words, "--yes", "--json").out)
    assert (done["blocks"], len(done["keys"])) == (48, 1)
    said = json.loads(nevgate("journal", "ls", kept.journal, "--json").out)
    assert {one["class"]: one["erased"] for one in said["series"] if one["class"]} == {"operation": 24}
    assert nevgate("journal", "verify", kept.journal, "--vehicle-key", kept.vehicle_key).code == 0


@pytest.mark.parametrize("words", [["erase", "--class", "position", "--yes"], ["repair"]])
def test_a_running_gateways_journal_is_not_changed(nevgate: Program, kept: Kept, words: list[str]) -> None:
    lock = lock_folder(kept.journal)
    try:
        said = nevgate("journal", *words, "--config", kept.config)
        assert (said.code, said.out, said.err.count("\n")) == (1, "", 1)
        assert "is in use by another gateway" in said.err
        assert nevgate("journal", "ls", kept.journal).code == 0
    finally:
        os.close(lock)


def test_repair_leaves_a_sound_journal_alone(nevgate: Program, kept: Kept) -> None:
    said = nevgate("journal", "repair", "--config", kept.config)
    assert said.code == 0
    assert "nothing is damaged" in said.out
    assert json.loads(nevgate("journal", "ls", kept.journal, "--json").out)["last_number"] == 47


def test_a_damaged_journal_is_said_in_a_line_and_put_aside(nevgate: Program, kept: Kept) -> None:
    before = json.loads(nevgate("journal", "ls", kept.journal, "--json").out)["stream"]
    path = kept.journal / "journal.db"
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)
    for words in (["ls"], ["export", "x.csv"]):
        said = nevgate("journal", *words, kept.journal)
        assert (said.code, said.out, said.err.count("\n")) == (1, "", 1)
        assert "nevgate journal repair" in said.err
    repaired = nevgate("journal", "repair", "--config", kept.config, "--json")
    (found,) = json.loads(repaired.out)["damaged"]
    assert found["what"] == "journal"
    after = json.loads(nevgate("journal", "ls", kept.journal, "--json").out)
    assert after["stream"] != before
    assert [Path(one).name for one in after["damaged_beside"]] == [found["kept_in"]]


def test_bench_states_the_worst_loss(nevgate: Program, left: Kept) -> None:
    before = sorted(left.folder.rglob("*"))
    said = nevgate("journal", "bench", "--config", left.config, "--seconds", "1", "--json")
    found = json.loads(said.out)
    assert found["worst_loss_s"] > found["block_period_s"] == 1.0
    assert found["commits"] > 1
    assert sorted(left.folder.rglob("*")) == before


def test_a_configuration_without_a_journal_is_said(nevgate: Program, kept: Kept) -> None:
    kept.config.write_text(kept.config.read_text().partition("[journal]")[0], "utf-8")
    said = nevgate("journal", "ls", "--config", kept.config)
    assert (said.code, said.err.count("\n")) == (2, 1)
