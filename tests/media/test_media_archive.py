"""Stills and clips out of a journal: listed, shown, written as files that say what they are."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from edge.archive.block_view import view
from edge.archive.export_file import ExportError
from edge.archive.media import export_media
from edge.archive.opening import open_archive
from edge.archive.selection import Selection
from edge.journal.block import BlockKind
from edge.policy.classes import DataClass
from edge.vision.media import MediaFormat
from tests.journal.journal_rig import CATALOGUE, Rig
from tests.media.made import still


def test_each_is_written_under_a_name_that_tells_what_it_is(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "journal")
    rig.start()
    clip = replace(still(2, size=30_000), camera="rear/left", format=MediaFormat.AVIF_SEQUENCE, frames=9)
    for one in (still(), clip, still(3, data_class=DataClass.CABIN)):
        rig.open.journal.add_media(one, "mask")
    rig.open.journal.commit()
    rig.rows("UPDATE block SET ciphertext = NULL, size = 0 WHERE number = 3")
    rig.stop()
    out = tmp_path / "out"
    with open_archive(rig.folder, rig.provider, CATALOGUE) as archive:
        done = export_media(archive, Selection(), out, force=False)
        assert (done.written, dict(done.left_out)) == (2, {"deleted": 1})
        names = sorted(path.name for path in out.iterdir())
        assert names == [
            "front_2026-09-21T14-13-21.000000Z_block-1.jpg",
            "front_2026-09-21T14-13-21.000000Z_block-1.json",
            "rear-left_2026-09-21T14-13-21.000000Z_block-2.avifs",
            "rear-left_2026-09-21T14-13-21.000000Z_block-2.json",
        ]
        assert (out / names[0]).read_bytes() == still().content
        about = json.loads((out / names[3]).read_text())
        assert about["camera"] == "rear/left"
        assert about["sha256"] == hashlib.sha256(clip.content).hexdigest()
        assert (about["class"], about["purpose"], about["frames"]) == ("exterior", "recording", 9)
        assert (about["faces_filled"], about["plates_filled"], about["block"]) == (2, 1, 2)
        with pytest.raises(ExportError, match="there already"):
            export_media(archive, Selection(), out, force=False)
        assert export_media(archive, Selection(), out, force=True).written == 2
        shown = view(archive, 1)
        assert shown.holds
        assert shown.notes is not None
        assert shown.notes["bytes"] == 20_000
        (first, *_) = archive.entries(Selection(kinds=frozenset({BlockKind.MEDIA})))
        assert first.size > 20_000
