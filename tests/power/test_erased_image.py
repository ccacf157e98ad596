"""After a withdrawal no byte of the medium's image gives away what was collected under the consent.

What this covers: every byte that the file system's block device holds the moment the erasure returns, and
again after more work: files, write-ahead log, rollback journal, free space, the file system's own journal in
its usual mode. Known to the test, and looked for anywhere: all data keys, all wrapping keys, each plaintext.
Found without knowing them: wrapping keys that stand alone in a sector, rows of the key store in any page.
What it does not cover: a flash controller may keep the page of a wrapping key that was overwritten until it
reuses it, below what any image shows (docs/journal-format.md says what holds then); copies of the medium from
before; swap; memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.journal.block import BlockKind
from edge.journal.chain import Draft
from edge.journal.keys.generation_files import GenerationFiles
from edge.journal.keys.key_provider import FileKeyProvider
from edge.journal.keys.sealing import NONCE_BYTES
from edge.journal.stored import load_messages
from edge.journal.syncing import sync_folder
from edge.journal.upkeep.erasure import ErasureRequest
from edge.policy.classes import DataClass
from edge.uplink.outbox import Progress
from tests.forward.site import NAMES, Site
from tests.power.raw_image import Found, KeyRow, RawImage, SealedThing, mounted

WITHDRAWN = "consent 3"
STAYS = "consent 7"
TOKEN = b"canary of the cabin: "


class Medium:
    """A journal on a file system of its own, of which everything that was ever secret is known."""

    def __init__(self, folder: Path, image: Path) -> None:
        self.image = image
        self.things: dict[str, SealedThing] = {}
        self.rows: dict[bytes, KeyRow] = {}
        self.keys: dict[bytes, bytes] = {}
        self.wrapping: set[bytes] = set()
        self.site = Site(folder, provider=Remembering(folder, self.wrapping))

    def work(self, rounds: int) -> None:
        """Records, frames and cabin data under two consents and by law, sent and not acknowledged."""
        site, rig = self.site, self.site.rig
        for number in range(rounds):
            site.label = (WITHDRAWN, STAYS, "")[number % 3]
            rig.records(3)
            rig.frames(60, arb_id=0x101)
            rig.frames(60, arb_id=0x101, locked=bool(number % 2))
            if not rig.open.keys.has_ended(site.label):
                self.note(site.label)
            for name in NAMES:
                for position in site.begin(name):
                    site.forwarders[name].note(position, Progress.IN_FLIGHT)
            if number % 4 == 3:
                rig.after(86_400)
            self.remember()

    def note(self, label: str) -> None:
        """A block of cabin data whose content is text."""
        rig, now_ns = self.site.rig, self.site.rig.clock.boot_ns()
        text = TOKEN + label.encode() + b" " + rig.dice.randbytes(600).hex().encode()
        draft = Draft(
            BlockKind.MEDIA, "cabin", text, rig.boot, now_ns, now_ns, rig.clock.timebase(), purpose=label
        )
        rig.open.journal.add_note(draft)
        assert rig.open.journal.commit()

    def remember(self) -> None:
        """Take note of all that can be opened now."""
        opened = self.site.rig.open
        for entry in opened.keys.listing():
            self.rows[entry.key_id] = KeyRow(entry.key_id, entry.data_class, entry.period, entry.purpose)
            key = opened.keys.key(entry.key_id)
            assert key is not None
            self.keys[entry.key_id] = key
        with opened.reader() as reader:
            for block in reader.blocks():
                content = reader.plaintext(block)
                if content is not None and block.ciphertext is not None and block.header.data_class:
                    name = f"{self.rows[block.header.key_id].purpose}, block {block.header.number}"
                    self.things[name] = SealedThing(name, block.ciphertext[:NONCE_BYTES], content[1])
        for name in NAMES:
            sealed = dict(self.rows_of(name))
            for message in opened.journal.run_with_connection(
                lambda connection, name=name: load_messages(connection, opened.keys, name)  # type: ignore[misc]
            ):
                nonce = sealed[message.position][:NONCE_BYTES]
                named = f"message {message.position} {nonce.hex()}"
                self.things[named] = SealedThing(named, nonce, message.payload)

    def rows_of(self, destination: str) -> list[tuple[int, bytes]]:
        """Positions and ciphertexts of the messages that wait."""
        return [
            (position, sealed)
            for position, sealed in self.site.rig.rows(
                "SELECT position, sealed FROM message WHERE destination = ?", destination
            )
        ]

    def public(self) -> bytes:
        """What the journal keeps in clear: headers, and checkpoints as they were sent."""
        rig = self.site.rig
        rows = rig.rows("SELECT header FROM block") + rig.rows("SELECT signed FROM checkpoint")
        return b"".join(row[0] for row in rows)

    def look(self) -> tuple[RawImage, Found]:
        """Search the image as the device holds it now."""
        raw = RawImage(self.image.read_bytes())
        return raw, raw.search(self.things.values(), self.rows.values(), self.wrapping)

    def named(self, label: str) -> set[str]:
        """Names of the blocks under a label."""
        return {name for name in self.things if name.startswith(f"{label}, ")}


class Remembering(FileKeyProvider):
    """Wrapping keys in files, each told to the test."""

    def __init__(self, folder: Path, made: set[bytes]) -> None:
        super().__init__(folder, os.urandom)
        self.made = made

    def make(self, generation: int) -> bytes:
        key = super().make(generation)
        self.made.add(key)
        return key


def made(tmp_path: Path, options: str = "", *, rounds: int = 6) -> Iterator[Medium]:
    image = tmp_path / "image"
    try:
        with mounted(image, tmp_path / "medium", options=options) as where:
            medium = Medium(where / "journal", image)
            medium.work(rounds)
            yield medium
            medium.site.stop()
    except (PermissionError, FileNotFoundError) as error:
        pytest.skip(f"no file system can be mounted here: {error}")


@pytest.fixture
def medium(tmp_path: Path) -> Iterator[Medium]:
    yield from made(tmp_path)


@pytest.fixture
def journalled(tmp_path: Path) -> Iterator[Medium]:
    """On a file system that keeps data, not only its own tables, in its journal."""
    yield from made(tmp_path, "data=journal", rounds=1)


def withdraw(medium: Medium) -> set[bytes]:
    """Erase; returns the keys that were to go, those of messages among them."""
    doomed = {
        medium.keys[key_id]
        for key_id, row in medium.rows.items()
        if row.purpose == WITHDRAWN or row.data_class == "message"
    }
    requests = [
        ErasureRequest(one, consents=frozenset({3}), reason="withdrawn")
        for one in (DataClass.POSITION, DataClass.CABIN)
    ]
    result = medium.site.erasing.erase(requests)
    assert result.blocks == len(medium.named(WITHDRAWN)) > 5
    assert result.messages > 0
    return doomed


def test_no_byte_of_the_image_gives_away_what_was_withdrawn(medium: Medium) -> None:
    raw, before = medium.look()
    everything = medium.named(WITHDRAWN) | medium.named(STAYS) | medium.named("")
    messages = set(medium.things) - everything
    assert everything <= before.opened, "the search is known to work: with the keys it opens all there is"
    assert messages & before.opened
    assert set(medium.keys) == set(before.keys)
    assert not any(raw.holds(key) for key in medium.keys.values()), "no data key is ever there in clear"
    used = set(medium.wrapping)

    doomed = withdraw(medium)
    plaintexts = [one.plaintext for name, one in medium.things.items() if name not in medium.named("")]
    for _ in range(2):
        raw, after = medium.look()
        assert not used & after.wrapping, "an older wrapping key is still there"
        assert not any(raw.holds(key) for key in used | doomed)
        assert not doomed & set(after.keys.values())
        assert not medium.named(WITHDRAWN) & after.opened
        assert not messages & after.opened, "a message that held it opens"
        public = medium.public()
        assert [one for one in raw.pieces(plaintexts) if one not in public] == []
        assert TOKEN not in raw.content
        assert medium.named(WITHDRAWN) & after.ciphertexts, "the ciphertext remains: only the key is gone"
        assert after.blobs > len(after.keys), "rows of keys that are gone were found, and did not open"
        assert medium.named(STAYS) | medium.named("") <= after.opened, "the rest opens as before"
        medium.work(3)
        medium.site.rig.open.journal.pump()
    medium.site.stop()
    medium.site.start()
    raw, after = medium.look()
    assert not used & after.wrapping
    assert not medium.named(WITHDRAWN) & after.opened


def test_a_wrapping_key_that_is_only_removed_is_found(
    medium: Medium, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search would have shown it: in free space lies all that was not overwritten."""

    def remove(self: GenerationFiles, generation: int) -> None:
        self.path(generation).unlink(missing_ok=True)
        sync_folder(self.folder)

    used = set(medium.wrapping)
    with monkeypatch.context() as patch:
        patch.setattr(GenerationFiles, "destroy", remove)
        withdraw(medium)
    _, after = medium.look()
    assert used & after.wrapping
    assert medium.named(WITHDRAWN) & after.opened


def test_a_file_system_that_journals_data_keeps_wrapping_keys(journalled: Medium) -> None:
    """What docs/journal-format.md warns of: overwriting is worth nothing there, for a while."""
    used = set(journalled.wrapping)
    withdraw(journalled)
    _, after = journalled.look()
    assert used & after.wrapping
