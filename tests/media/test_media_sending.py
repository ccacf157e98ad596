"""Stills and clips go to a destination in chunks, after all else, and only what goes there may."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.forward.cose_composer import CoseComposer
from edge.forward.erasing import Erasing
from edge.forward.forwarder import Forwarder
from edge.forward.media.allowance import nothing_leaves
from edge.forward.media.sending import MediaSending
from edge.forward.recent import Recent
from edge.forward.rules import ForwardRules
from edge.journal.upkeep.condemned import Condemned
from edge.journal.upkeep.erasure import ErasureRequest
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose
from edge.uplink.outgoing import Kind, Outgoing
from edge.wire.cose import Signer, Verifier
from edge.wire.loss import LossCause
from edge.wire.media_message import MediaChunk, MediaEnded, decode_media_message, media_stream
from tests.journal.journal_rig import CATALOGUE, KEY, PLATFORM, VEHICLE, Rig
from tests.media.made import still

CHECK = Verifier({VEHICLE: [KEY.public]})


def opened(item: Outgoing) -> MediaChunk | MediaEnded:
    assert item.topic == f"nev/v1/{VEHICLE}/up/media"
    return decode_media_message(CHECK.verify(item.payload, vehicle=VEHICLE).payload)


class Way:
    """A journal with one destination, whose chunks are acknowledged when a test says so."""

    def __init__(self, folder: Path) -> None:
        self.rig = Rig(folder, checkpoint_blocks=1_000)
        self.refused: dict[DataClass, str] = {}
        self.limit = 4_096
        self.start()

    def allowed(self, data_class: DataClass, purpose: Purpose, mask: str) -> str:
        assert mask == "mask"
        del purpose
        return self.refused.get(data_class, "")

    def start(self) -> None:
        self.rig.start()
        self.rig.after(2)
        sign = Signer(KEY, vehicle=VEHICLE).sign
        self.media = MediaSending(self.rig.open, PLATFORM, VEHICLE, sign, self.allowed)
        recent = Recent()
        self.forwarder = Forwarder(
            self.rig.open,
            ForwardRules(PLATFORM, VEHICLE, reissue_days=0),
            CoseComposer(VEHICLE, CATALOGUE, Signer(KEY, vehicle=VEHICLE)),
            recent,
            clock=self.rig.clock,
            boot=self.rig.open.boot,
            draw=self.rig.dice.randbytes,
            own_thread=False,
            media=self.media,
        )
        self.forwarder.largest_payload = lambda _: self.limit
        condemned = Condemned(self.rig.open.keys, self.rig.clock)
        self.erasing = Erasing(self.rig.open, ((PLATFORM, self.forwarder),), recent, condemned)
        self.after = 0

    def stop(self) -> None:
        self.forwarder.close()
        self.rig.stop()

    def restart(self) -> None:
        self.stop()
        self.start()

    def keep(self, *media: object) -> None:
        for one in media:
            self.rig.open.journal.add_media(one, "mask")  # type: ignore[arg-type] # all are media
        self.rig.open.journal.commit()

    def next(self) -> tuple[int, Outgoing] | None:
        found = self.forwarder.next(Kind.MEDIA, self.after)
        if found is not None:
            self.after = found[0]
        return found

    def take(self, count: int, *, acknowledge: bool = True) -> list[MediaChunk | MediaEnded]:
        found = []
        for _ in range(count):
            item = self.next()
            if item is None:
                break
            found.append(opened(item[1]))
            if acknowledge:
                assert self.forwarder.acknowledge(item[0])
        self.rig.open.journal.commit()
        return found

    def counted(self) -> dict[str, int]:
        hop = self.forwarder.media_hop()
        assert hop is not None
        assert hop.balanced
        return {"entered": hop.entered, "left": hop.left, **hop.set_aside}


@pytest.fixture
def way(tmp_path: Path) -> Iterator[Way]:
    made = Way(tmp_path / "journal")
    yield made
    made.stop()


def content(chunks: list[MediaChunk | MediaEnded]) -> bytes:
    found = bytearray(max(one.end for one in chunks if isinstance(one, MediaChunk)))
    for one in chunks:
        assert isinstance(one, MediaChunk)
        found[one.offset : one.end] = one.content
    return bytes(found)


def test_a_still_goes_in_chunks_no_larger_than_the_link_takes(way: Way) -> None:
    way.keep(still())
    assert not way.forwarder.empty()
    payloads = []
    chunks = []
    while (item := way.next()) is not None:
        payloads.append(item[1])
        chunks.append(opened(item[1]))
        assert way.forwarder.acknowledge(item[0])
    assert max(len(one.payload) for one in payloads) <= 4_096
    assert min(len(one.payload) for one in payloads[:-1]) > 4_000
    assert content(chunks) == still().content
    abouts = {one.about for one in chunks if isinstance(one, MediaChunk)}
    (about,) = abouts
    assert about.digest == hashlib.sha256(still().content).digest()
    assert (about.camera, about.cause, about.data_class, about.purpose) == (
        "front",
        "periodic",
        "exterior",
        "recording",
    )
    assert (about.faces, about.plates, about.detectors) == (2, 1, ("yunet 0.5", "plates 1"))
    stream = media_stream(way.rig.open.stream, about.block)
    assert {one.stream for one in payloads} == {stream}
    assert (payloads[0].first_number, payloads[-1].last_number) == (1, 20_000)
    assert way.forwarder.empty()
    assert way.counted() == {"entered": 1, "left": 1}


def test_after_a_restart_only_what_is_missing_goes(way: Way) -> None:
    way.keep(still())
    first = way.take(2)
    lost = way.take(1, acknowledge=False)
    assert [one.offset for one in lost if isinstance(one, MediaChunk)] == [
        sum(len(one.content) for one in first if isinstance(one, MediaChunk))
    ]
    way.restart()
    way.limit = 8_000
    rest = way.take(10)
    assert content([*first, *rest]) == still().content
    assert sum(len(one.content) for one in (*first, *rest) if isinstance(one, MediaChunk)) == 20_000
    way.restart()
    assert way.next() is None
    assert way.forwarder.empty()


def test_a_message_under_way_is_repeated_byte_for_byte(way: Way) -> None:
    way.keep(still())
    item = way.next()
    assert item is not None
    assert way.forwarder.get(item[0]) == item[1]


def test_what_may_not_go_there_is_counted_by_name_and_not_asked_again(way: Way) -> None:
    way.refused = {DataClass.EXTERIOR: "it stays in the vehicle"}
    way.keep(still(), still(2, data_class=DataClass.CABIN))
    chunks = way.take(10)
    assert content(chunks) == still(2).content
    assert way.counted() == {"entered": 2, "left": 1, "withheld: nothing of class exterior goes there": 1}
    way.refused = {}
    way.restart()
    assert way.next() is None


def test_nothing_leaves_where_nobody_said_that_it_may() -> None:
    assert (
        nothing_leaves(DataClass.EXTERIOR, Purpose.EVENT, "mask")
        == "exterior for event is for no destination"
    )


def test_what_is_withheld_amid_it_stops_and_is_told(way: Way) -> None:
    way.keep(still())
    way.take(2)
    held = way.next()
    assert held is not None
    way.refused = {DataClass.EXTERIOR: "no longer"}
    way.forwarder.recheck_media()
    assert way.forwarder.get(held[0]) is None
    (ended,) = way.take(5)
    assert ended == MediaEnded(VEHICLE, way.rig.open.stream, 1, LossCause.WITHHELD)
    assert way.counted()["withheld: no longer"] == 1
    way.restart()
    assert way.next() is None


def test_what_is_erased_amid_it_stops_and_is_told_also_after_a_restart(way: Way) -> None:
    way.keep(still(), still(2), still(3, data_class=DataClass.CABIN))
    way.take(1)
    held = way.next()
    assert held is not None
    way.erasing.erase([ErasureRequest(DataClass.EXTERIOR, reason="asked")])
    assert way.forwarder.get(held[0]) is None
    way.rig.open.journal.commit()
    assert way.counted() == {"entered": 3, "left": 0, "erased on purpose": 2, "waiting in the journal": 1}
    way.restart()
    ended, *rest = way.take(10)
    assert ended == MediaEnded(VEHICLE, way.rig.open.stream, 1, LossCause.ERASED)
    assert content(rest) == still(3).content
    way.restart()
    assert way.next() is None


def test_what_the_bounds_remove_amid_it_is_told_as_lost(way: Way) -> None:
    way.keep(still())
    way.take(1)
    way.rig.rows("UPDATE block SET ciphertext = NULL, size = 0 WHERE number = 1")
    (ended,) = way.take(5)
    assert ended == MediaEnded(VEHICLE, way.rig.open.stream, 1, LossCause.LOST)
    way.keep(still(2))
    way.take(1)
    way.rig.rows("UPDATE block SET ciphertext = NULL, size = 0 WHERE number = 2")
    way.restart()
    (ended,) = way.take(5)
    assert ended == MediaEnded(VEHICLE, way.rig.open.stream, 2, LossCause.LOST)


def test_one_that_cannot_be_read_or_sent_costs_no_other(way: Way) -> None:
    way.keep(still(), still(2), still(3))
    (one, *_) = way.rig.rows("SELECT hex(ciphertext_hash) FROM block WHERE number = 1")
    (way.rig.folder / "media" / one[0].lower()).unlink()
    found = way.next()
    assert found is not None
    assert way.forwarder.set_aside(found[0], "larger than the broker takes")
    chunks = way.take(10)
    assert content(chunks) == still(3).content
    assert way.counted() == {
        "entered": 3,
        "left": 1,
        "cannot be read": 1,
        "given up until the next start: larger than the broker takes": 1,
    }


def test_many_that_are_withheld_do_not_end_the_asking(way: Way) -> None:
    woken: list[bool] = []
    way.forwarder.wake = lambda: woken.append(True)
    way.refused = {DataClass.EXTERIOR: "no"}
    way.keep(
        *(replace(still(seed, size=600)) for seed in range(40)),
        still(41, size=700, data_class=DataClass.CABIN),
    )
    woken.clear()
    while (found := way.take(1)) == [] and woken:
        woken.clear()
    assert content(found) == still(41, size=700).content
