"""A withdrawal while real processes are at work: what it ends, in which order, and what opens then."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge.journal.keys.key_provider import FileKeyProvider
from edge.journal.keys.sealing import NONCE_BYTES
from edge.policy.classes import DataClass
from simulator.broker import find_mosquitto
from tests.archive.kept import archive
from tests.live_canary.withdrawal import Load, Withdrawal, busy, load_of, opening, withdrawals
from tests.power.raw_image import Found, KeyRow, RawImage, SealedThing, mounted

FRAMES_PER_S = 8_000
TIMES = 2


@dataclass
class Secrets:
    """All that a journal opened at one moment, and what opened it.

    Attributes:
        of_positions: names of the blocks of class position.
        others: names of the other blocks.
    """

    things: dict[str, SealedThing] = field(default_factory=dict)
    rows: list[KeyRow] = field(default_factory=list)
    wrapping: set[bytes] = field(default_factory=set)
    of_positions: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)

    def take(self, folder: Path) -> None:
        """Take note of what opens now."""
        with archive(folder) as opened:
            assert opened.keys is not None
            entries = opened.keys.listing()
            self.rows += [KeyRow(one.key_id, one.data_class, one.period, one.purpose) for one in entries]
            provider = FileKeyProvider(folder, os.urandom)
            self.wrapping |= {provider.wrapping_key(one.generation) for one in entries}
            for block in opened.reader.blocks():
                content = opened.reader.plaintext(block)
                if content is not None and block.ciphertext is not None and block.header.data_class:
                    name = f"{block.header.data_class} {block.header.number}"
                    self.things[name] = SealedThing(name, block.ciphertext[:NONCE_BYTES], content[1])
                    of_positions = block.header.data_class == DataClass.POSITION
                    (self.of_positions if of_positions else self.others).add(name)

    def search(self, image: Path) -> Found:
        """What an image gives away of it."""
        return RawImage(image.read_bytes()).search(self.things.values(), self.rows, self.wrapping)


@dataclass
class Outcome:
    """Of the withdrawals."""

    made: list[Withdrawal]
    load: Load
    left: tuple[int, int]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed: apt install mosquitto")
    with busy(tmp_path_factory.mktemp("busy"), frames_per_s=FRAMES_PER_S) as at_work:
        made = withdrawals(at_work, TIMES)
        load = load_of(at_work, made)
        yield Outcome(made, load, opening(at_work.gateway.journal))


def test_no_frame_and_no_record_is_kept_or_sent_of_after_the_answer(outcome: Outcome) -> None:
    for one in outcome.made:
        assert one.granted_ns < one.kept_ns <= one.answered_ns
        assert one.granted_ns < one.sent[0] <= one.answered_ns


def test_once_the_ledger_says_erased_nothing_opens(outcome: Outcome) -> None:
    for one in outcome.made:
        assert one.blocks > 1
        assert one.erased_ns > one.asked_ns
        assert one.readable == 0
    opens, there = outcome.left
    assert (opens, there) == (0, sum(one.blocks for one in outcome.made))


def test_what_was_on_its_way_is_counted(outcome: Outcome) -> None:
    hops = {(hop["name"], hop["unit"]): hop for hop in outcome.load.account["hops"]}
    assert outcome.load.account["balanced"]
    assert hops["journal", "frames"]["set_aside"]["not kept for this purpose"] > 0


def test_the_raw_image_of_the_disk_gives_nothing_away_after_a_withdrawal(tmp_path: Path) -> None:
    """As `tests/power/test_erased_image.py` for the journal alone; here a whole gateway is at work."""
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed: apt install mosquitto")
    image, secrets = tmp_path / "image", Secrets()
    before: list[Found] = []
    try:
        with mounted(image, tmp_path / "medium") as medium:
            journal = medium / "journal"

            def look() -> None:
                secrets.take(journal)
                os.sync()
                before.append(secrets.search(image))

            with busy(tmp_path, frames_per_s=1_000, journal=journal) as at_work:
                withdrawals(at_work, 1, before=look)
                os.sync()
                after = secrets.search(image)
    except (PermissionError, FileNotFoundError) as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    (found,) = before
    assert found.opened >= secrets.of_positions != set(), "the search is known to work"
    assert not after.wrapping & secrets.wrapping
    assert not after.opened & secrets.of_positions
    assert after.opened & secrets.others, "what rests on no consent opens as before"
