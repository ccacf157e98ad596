"""Real processes, real wire, forced core dumps: nothing is anywhere that nobody agreed to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import can
import pytest

from simulator.broker import find_mosquitto
from tests.live_canary.drive import Drive, driving
from tests.live_canary.dumps import core_name, crashed, used
from tests.live_canary.story import Story, tell
from tests.live_canary.tokens import Kind

TURNS = int(os.environ.get("NEVGATE_CANARY_TURNS", "1"))
"""How often people agree and withdraw; each turn takes about fifteen seconds."""

LONG = TURNS > 1

AGREED = {Kind.CABIN, Kind.POSITION}


@contextmanager
def on_multicast(folder: Path) -> Iterator[Drive]:
    """A drive, or the reason why there is none here."""
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed: apt install mosquitto")
    with ExitStack() as stack:
        try:
            drive = stack.enter_context(driving(folder))
        except (can.CanError, OSError) as error:
            pytest.skip(f"this machine has no UDP multicast: {error}")
        yield drive


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A drive that has ended, with what was found everywhere."""
    with on_multicast(tmp_path_factory.mktemp("drive")) as drive:
        yield tell(drive, tmp_path_factory.mktemp("scratch"), times=TURNS)


def places(story: Story, word: str) -> dict[str, set[Kind]]:
    """Where something was found, and the kinds that were, of the places whose name has a word in it."""
    return {place: set(each.found) for place, each in story.findings.items() if word in place}


def test_nothing_is_found_anywhere_that_nobody_agreed_to(story: Story) -> None:
    assert {place: each.forbidden for place, each in story.findings.items() if each.forbidden} == {}
    assert story.inside > 30
    assert min(each.searched for each in story.findings.values()) > 1_000


def test_core_dumps_hold_what_was_agreed_to_and_nothing_before(story: Story) -> None:
    """The search is known to work: by what it finds."""
    assert set(story.findings["memory before anybody agreed"].found) == {Kind.OPERATION}
    dumps = places(story, "dump")
    assert len(dumps) == (2 * TURNS if LONG else 1)
    assert all(kinds == AGREED | {Kind.OPERATION} for kinds in dumps.values())
    assert min(story.findings[place].searched for place in dumps) > 10_000_000


def test_the_journal_held_what_was_agreed_to_until_it_was_withdrawn(story: Story) -> None:
    assert all(kinds == AGREED | {Kind.OPERATION} for kinds in places(story, "journal while").values())
    at_the_end = story.findings["journal at the end"]
    assert set(at_the_end.found) == {Kind.OPERATION}
    assert at_the_end.latitudes == 0
    assert at_the_end.found[Kind.OPERATION] > story.sent / 2, "all but while there was no capture"
    erased = [each["purpose"] for each in story.state["erasures"] if each["done"]]
    assert {f"consent {number}" for number in range(1, 3 * TURNS + 1)} <= set(erased)


def test_files_and_wire_hold_nothing_in_clear(story: Story) -> None:
    for place in ("files at the end", "bytes of the wire", "log, account and answers"):
        assert story.findings[place].found == {}
        assert story.findings[place].latitudes == 0


def test_messages_hold_positions_while_they_may_leave_and_the_cabin_never(story: Story) -> None:
    messages = story.findings["messages inside of TLS"]
    assert messages.latitudes > 0
    assert messages.found == {}


def test_everything_is_accounted_for(story: Story) -> None:
    assert story.account["balanced"]


def test_capture_is_not_dumped_nor_read(story: Story) -> None:
    guarding = story.guarding
    assert guarding is not None
    assert (guarding.dump_filter, guarding.core_limit, guarding.owner) == (0, (0, 0), 0)
    assert not guarding.new_rights
    assert guarding.core_files == ()
    assert guarding.control_files is None or len(guarding.control_files) == 1
    assert guarding.again
    if guarding.in_memory is None:
        pytest.skip("only root can look into it all the same")
    assert guarding.in_memory >= {Kind.IDENTITY, Kind.EXTERIOR, Kind.UNCLASSIFIED, Kind.UNDESCRIBED}
    assert guarding.dumped_bytes < 200_000
    assert guarding.open_to_strangers == (False, True)


@pytest.mark.skipif(not LONG, reason="a core file of the kernel's is half a gigabyte: make canary-live")
def test_the_core_file_of_a_gateway_that_crashed_holds_no_more(tmp_path: Path) -> None:
    if core_name() is None:
        pytest.skip("this machine keeps core dumps elsewhere")
    with on_multicast(tmp_path) as drive:
        drive.sender.go_on(200)
        files = crashed(drive.gateway.process, drive.folder)
        assert [path.name for path in files if path.name.startswith("core")] == ["core"]
        core = used((drive.folder / "core").read_bytes())
        found = drive.tokens.found(core)
        sent = drive.sender.number
    assert {kind for kind, numbers in found.items() if any(one < sent for one in numbers)} == {Kind.OPERATION}
    assert len(core) > 10_000_000
