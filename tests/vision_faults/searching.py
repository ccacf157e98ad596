"""What a camera kept and counted, put into a real journal and searched for the planted face."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from edge.vision.media import Media
from edge.vision.process.surface import VisionSource
from tests.journal.journal_rig import Rig
from tests.vision_faults.sources import PLANTED


def counted(source: VisionSource) -> Counter[str]:
    """What was set aside, by its reason, over all hops."""
    return sum((Counter(dict(hop.set_aside)) for hop in source.hops()), Counter())


def facts(source: VisionSource, name: str) -> int:
    """How often something happened, over all hops."""
    return sum(hop.facts.get(name, 0) for hop in source.hops())


def keep_and_search(folder: Path, media: list[Media], spoken: Iterable[bytes] = ()) -> None:
    """Put what came into a journal under a folder, read it back decrypted, and look for the face.

    Searched are all files under the folder, what the journal holds when decrypted and decoded, and `spoken`:
    what was logged, written or sent.
    """
    rig = Rig(folder / "journal").start()
    for one in media:
        rig.open.journal.add_media(one, "mask")
    rig.open.journal.commit()
    back = decrypted(rig)
    rig.stop()
    assert [one.digest for one in back] == [one.digest for one in media]
    search(folder, back, spoken)


def decrypted(rig: Rig) -> list[Media]:
    """All stills and clips of a journal."""
    with rig.open.reader() as reader:
        return [one for one in map(reader.media, reader.blocks()) if one is not None]


def search(folder: Path, media: list[Media], spoken: Iterable[bytes]) -> None:
    """Look for the face in all files under a folder, in what was kept, and in what was said."""
    decoded = folder / "decoded"
    decoded.mkdir()
    for number, one in enumerate(media):
        (decoded / f"{number}.jpg").write_bytes(one.content)
        if one.frames > 1:
            good, animation = cv2.imdecodeanimation(np.frombuffer(one.content, np.uint8)[None, :])
            assert good
            assert not any(
                PLANTED.seen_in(np.asarray(frame[:, :, :3], np.uint8)) for frame in animation.frames
            )
    assert list(PLANTED.traces(folder, [*spoken, *(one.content for one in media)])) == []
