"""`nevgate policy explain` on the reference vehicle, with a gateway that runs, a journal, or neither."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import pytest
from click.testing import CliRunner

from edge.archive.changing import inside_of
from edge.cli.policy_explain import command
from edge.clock import SystemClock
from edge.config.configuration import load_config
from edge.control.server import ControlServer
from edge.journal.keys.key_provider import FileKeyProvider
from edge.journal.opening import open_journal
from tests.cli.running import Outcome, Program

BELT = "body.SRS_Seats.BeltDriver"
USE = {"class": "cabin", "purpose": "recording", "why": ""}
REST = """
[policy]
profile = "gbt44464"
[vehicle]
vin = "LNVGATE00XDEM0001"
[journal]
folder = "journal"
frames = true
[uplink]
host = "127.0.0.1"
acknowledge = "puback"
tls.enabled = false
[signing]
key = "keys/LNVGATE00XDEM0001.pem"
"""
CONSENT = {"number": 7, "until": "2030-01-01T00:00:00Z"}


@pytest.fixture
def bench(tmp_path: Path, powertrain: Path) -> Path:
    """A configuration of two buses of the reference vehicle, without any key."""
    path = tmp_path / "nevgate.toml"
    buses = "".join(
        f'[[bus]]\nname = "{bus}"\n[[bus.database]]\nfile = "{powertrain.parent / f"nev-{bus}.dbc"}"\n'
        for bus in ("body", "chassis")
    )
    path.write_text(buses + REST, "utf-8")
    return path


def explained(outcome: Outcome) -> Any:  # noqa: ANN401 - JSON
    assert (outcome.code, outcome.err) == (0, "")
    return json.loads(outcome.out)


def test_without_a_name_all_signals_are_summed_up(nevgate: Program, bench: Path) -> None:
    found = explained(nevgate("policy", "explain", "--json"))
    cabin = next(line for line in found["classes"] if line["data_class"] == "cabin")
    assert cabin["collected"] == 0
    assert cabin["by_consent"] == cabin["signals"] > 50
    assert sum(line["signals"] for line in found["classes"]) == len(found["signals"])
    shown = nevgate("policy", "explain", "-c", bench, "--all")
    assert BELT in shown.out
    assert "by the policy alone, without any consent; no gateway runs" in shown.out
    assert BELT not in nevgate("policy", "explain").out


def test_a_signal_is_explained_in_words_with_rule_and_clause(nevgate: Program, bench: Path) -> None:
    outcome = nevgate("policy", "explain", "-c", bench, BELT)
    assert (outcome.code, outcome.err) == (0, "")
    for words in (
        f"{BELT}  not collected",
        "its class, cabin, is not collected",
        "cabin, by ",
        "nev-body.classes.toml",
        "0x310, bits 2.6",
        "it needs the consent of a person in the vehicle",
        "by consent for at most 30 days",
        "GB/T 44464-2024, 5.1.3",
        "regulated, service  not collected: no rule of the policy collects cabin",
    ):
        assert words in outcome.out, words


def test_an_id_is_drawn_and_a_frame_shown_as_it_leaves(nevgate: Program, bench: Path) -> None:
    outcome = nevgate("policy", "explain", "-c", bench, "0x310#ffffffffffffffff")
    assert "d-  d-  c-  c-  b+  b+  b+  b+" in outcome.out
    assert re.search(r"leaves as +000f000000000000", outcome.out)
    found = explained(nevgate("policy", "explain", "-c", bench, "0x310", "--json"))["answers"][0]
    assert [bit["fate"] for bit in found["bits"]].count("kept") == 4


@pytest.mark.usefixtures("bench")
def test_several_names_are_answered_in_turn(nevgate: Program) -> None:
    found = explained(nevgate("policy", "explain", "gnss.lon", "platform", "camera", "identity", "--json"))
    assert [one["kind"] for one in found["answers"]] == ["item", "destination", "media", "class"]
    assert found["answers"][0]["in_records"]
    shown = nevgate("policy", "explain", "gnss.lon", "platform", "camera", "identity")
    for words in ("gnss.lon  longitude  in records", "may go to platform", "no camera is configured"):
        assert words in shown.out


def test_a_name_that_means_nothing_is_told_in_one_line(nevgate: Program, bench: Path) -> None:
    outcome = nevgate("policy", "explain", "-c", bench, "SRS_Seats.BeltDrivr")
    assert (outcome.code, outcome.out) == (1, "")
    assert "Did you mean 'SRS_Seats.BeltDriver'?" in outcome.err
    assert outcome.err.count("\n") == 1


def test_without_a_configuration_it_is_an_error_of_its_own(nevgate: Program) -> None:
    assert nevgate("policy", "explain", "speed").code == 2


def test_a_refused_policy_is_named_and_strict_explained(nevgate: Program, bench: Path) -> None:
    text = bench.read_text("utf-8").replace('profile = "gbt44464"', 'file = "gone.toml"\nkey = "gone.pem"')
    bench.write_text(text, "utf-8")
    outcome = nevgate("policy", "explain", "gnss.lon")
    assert "by policy strict" in outcome.out
    assert "is refused: " in outcome.out
    assert "no rule of the policy collects position" in outcome.out


def test_the_consents_of_a_gateway_that_runs_count_unless_none_are_asked_for(
    nevgate: Program, bench: Path
) -> None:
    title = explained(nevgate("policy", "explain", "--json"))["policy"]
    with Running(
        bench.parent, {"uses": [{**USE, "state": "given", "consent": CONSENT}], "policy": {"title": title}}
    ):
        for words in ((), ("--consents",)):
            found = explained(nevgate("policy", "explain", BELT, "--json", *words))
            assert found["consents"] == "with the consents of the gateway that runs"
            assert found["answers"][0]["collected"]
            assert found["answers"][0]["purposes"] == ["recording"]
        shown = nevgate("policy", "explain", BELT).out
        assert "collected by consent 7 until 2030-01-01T00:00:00Z" in shown
        without = explained(nevgate("policy", "explain", BELT, "--no-consents", "--json"))
        assert not without["answers"][0]["collected"]


def test_a_gateway_that_runs_by_another_policy_is_told_of(nevgate: Program, bench: Path) -> None:
    with Running(bench.parent, {"uses": [], "policy": {"title": "another"}}):
        outcome = nevgate("policy", "explain", BELT)
        assert outcome.code == 0
        assert "another policy in force: another" in outcome.err


def test_consents_are_read_from_the_journal_where_no_gateway_runs(nevgate: Program, bench: Path) -> None:
    assert nevgate("keys", "make", "keys/LNVGATE00XDEM0001.pem").code == 0
    config = load_config(bench)
    assert config.journal is not None
    folder = config.journal.folder
    keys = FileKeyProvider(folder, os.urandom)
    open_journal(
        folder, keys, config.journal.settings("LNVGATE00XDEM0001"), inside_of(config, folder)
    ).close()
    granted = nevgate("consent", "grant", "cabin", "recording", "--for", "1d", "--keep", "--role", "owner")
    assert granted.code == 0, granted.err
    found = explained(nevgate("policy", "explain", BELT, "--consents", "--json"))
    assert found["consents"] == "with the consents of the journal; no gateway runs"
    assert {use["purpose"]: use["ground"] for use in found["answers"][0]["policy"]["uses"]}[
        "recording"
    ].startswith("consent")
    assert not explained(nevgate("policy", "explain", BELT, "--json"))["answers"][0]["collected"]


def test_names_are_completed(nevgate: Program, bench: Path) -> None:
    del nevgate
    runner = CliRunner()
    with runner.isolation():
        context = command.make_context("explain", ["-c", str(bench)])
        argument = command.params[0]
        assert BELT in {item.value for item in argument.shell_complete(context, "body.SRS_Seats.Belt")}
        assert "platform" in {item.value for item in argument.shell_complete(context, "plat")}
        broken = command.make_context("explain", ["-c", "none.toml"])
        assert argument.shell_complete(broken, "body") == []


class Running:
    """A gateway as far as `state` goes."""

    def __init__(self, folder: Path, state: Mapping[str, object]) -> None:
        (folder / "journal").mkdir(exist_ok=True)
        self._path = folder / "journal" / "control.sock"
        self._state = state
        self._asked = threading.Event()

    def __enter__(self) -> Self:
        self._server = ControlServer(self._path, self._answer, SystemClock())
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
        assert self._asked.is_set()

    def _answer(self, request: Mapping[str, object]) -> Mapping[str, object]:
        assert request == {"do": "state"}
        self._asked.set()
        return {"ok": True, "place": None, **self._state}
