"""A process that keeps media is killed at any instant: no block is without its file, no file without one."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from random import Random
from select import select

from edge.journal.block import BlockKind
from tests.journal.journal_rig import Rig
from tests.media.made import still

_LIVES = 12


def _live(rig: Rig, told: int) -> None:
    """Keep stills until killed; each is told when its commit has returned."""
    rig.start()
    for seed in range(1_000):
        rig.after(1)
        rig.open.journal.add_media(still(seed, size=60_000, t_ns=rig.clock.boot_ns()))
        assert rig.open.journal.commit()
        if seed % 3 == 2:
            rig.rows(
                "UPDATE block SET ciphertext = NULL, size = 0 WHERE number = (SELECT max(number) FROM block)"
            )
            rig.open.journal.pump()
        os.write(told, b"k" if seed % 3 != 2 else b"e")


def test_no_kill_leaves_a_block_without_its_file(tmp_path: Path) -> None:
    dice = Random(5)  # noqa: S311 - a test repeats its seed
    promised = 0
    for life in range(_LIVES):
        reading, writing = os.pipe()
        rig = Rig(tmp_path / "journal", boot=life.to_bytes(16, "big"), seed=life)
        child = os.fork()
        if not child:
            try:
                _live(rig, writing)
            finally:
                os._exit(1)
        os.close(writing)
        wanted, seen = dice.randrange(1, 6), b""
        while len(seen) < wanted and (more := os.read(reading, 1)):
            seen += more
        select([reading], [], [], dice.random() * 0.004)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while more := os.read(reading, 4096):
            seen += more
        os.close(reading)
        promised += seen.count(b"k")
        rig.start()
        with rig.open.reader() as reader:
            blocks = [one for one in reader.blocks() if one.header.kind is BlockKind.MEDIA]
            found = [reader.media(one) for one in blocks]
        outside = {one.ciphertext_hash.hex() for one in blocks if one.ciphertext}
        assert {one.name for one in (rig.folder / "media").iterdir()} == outside
        assert len([one for one in found if one is not None]) >= promised
        assert rig.verify(contents=True).holds
        rig.stop()
