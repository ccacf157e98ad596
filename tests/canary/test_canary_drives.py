"""What nobody agreed to is nowhere, what was withdrawn is gone, what was allowed is there; faults show."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from edge.consent.entries import Role, Withdrawn
from edge.forward.view import whole
from edge.frames import FrameBatch
from edge.gateway import Gateway
from edge.policy.admission import Use
from edge.policy.classes import DataClass
from tests.canary.planting import BYTES, CLASS_OF, TEXT_BYTES, Canary, Kind, content
from tests.canary.run import Outcome, run
from tests.canary.scanning import Scanner
from tests.canary.script import one_drive, the_drives

LENGTH_S = 30
GAP_S = 10
ONE_S = 40
READ = ("signals.csv", "signals.jsonl")
KEPT = ("events.log", "records.csv")


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The drives, made short."""
    folder = tmp_path_factory.mktemp("canary")
    return run(folder, the_drives(LENGTH_S, GAP_S), exports=("frames.log", "frames.parquet", *READ, *KEPT))


def test_nothing_is_anywhere_that_was_not_agreed_to_or_was_withdrawn(outcome: Outcome) -> None:
    assert outcome.found.leaks == []
    assert outcome.told.admitted.padding == 0
    assert outcome.told.vain == []
    assert len(outcome.told.refusals) == 1


def test_what_was_allowed_is_found_everywhere_it_should_be(outcome: Outcome) -> None:
    found = outcome.found
    assert found.missing == []
    allowed = {kind for kind, data_class in CLASS_OF.items() if data_class not in {None, DataClass.IDENTITY}}
    assert {kind.name for kind in allowed} <= set(found.expected)
    for name in ("frames.log", "frames.parquet", *READ):
        assert found.hits[f"export {name}"] > 100
    assert found.hits["taken along frames.csv"] > 100
    assert found.hits["journal, event frames cabin"] > 0
    assert found.expected["position sent to platform"] > 0
    assert found.expected["position sent to fleet"] > 0
    assert found.positions["journal, message to platform"] > 0


def test_an_export_says_that_a_removed_signal_was_not_collected_and_never_0(outcome: Outcome) -> None:
    assert outcome.zeros == []
    assert outcome.not_collected


def test_what_changes_does_so_within_one_batch(outcome: Outcome) -> None:
    """A batch is a second here; what ends may be in the batch amid which it ended, and in no further one."""
    assert outcome.late["begun"].total() > 10
    assert outcome.late["ended"].total() > 10
    assert max(outcome.late["begun"]) <= 1
    assert max(outcome.late["ended"]) <= 1


def open_door(gateway: Gateway) -> None:
    """Let every bit of every frame through."""
    door = gateway.door

    def admit(batch: FrameBatch, withhold: Collection[DataClass] = ()) -> FrameBatch:
        del withhold
        return replace(batch, mask=door.mask)

    door.admit = admit  # type: ignore[method-assign]


def erase_nothing(gateway: Gateway) -> None:
    """Take withdrawals, and leave what was kept and what waits as it is."""
    gateway.consenting._erase_what_is_due = lambda: None  # type: ignore[method-assign]


def only_say(gateway: Gateway) -> None:
    """Say that a consent was withdrawn, and do nothing."""
    desk = gateway.consenting.desk

    def withdraw(use: Use, *, role: Role) -> Withdrawn:
        return desk.ledger.withdraw(use, role=role, at=desk.now().at)

    desk.withdraw = withdraw  # type: ignore[method-assign]


def keep_whatever_for(gateway: Gateway) -> None:
    """Keep all that came through the door, for whichever purpose it did."""
    gateway.collecting.in_force.ground = lambda *_: ""  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("broken", "leaks"),
    [
        (open_door, {f"{kind.name} in behind the door" for kind in Kind} - {
            f"{kind.name} in behind the door" for kind in (Kind.OPERATION, Kind.HEALTH)
        }),
        (erase_nothing, {"CABIN in journal, frames cabin", "exact position in journal, message to platform"}),
            (only_say, {"CABIN in behind the door", "exact position in sent to platform"}),
        (keep_whatever_for, {"IDENTITY in journal, frames identity", "TRACK in journal, frames position"}),
    ],
)  # fmt: skip
def test_a_fault_of_the_gateway_is_found(
    broken: Callable[[Gateway], None], leaks: set[str], tmp_path: Path
) -> None:
    leaked = run(tmp_path, one_drive(ONE_S), broken=broken, exports=()).found.leaked()
    assert leaks <= set(leaked)


def test_the_same_drive_without_a_fault_shows_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, one_drive(ONE_S), exports=()).found.leaks == []


def test_that_nobody_watches_the_places_is_found(tmp_path: Path) -> None:
    leaked = run(tmp_path, one_drive(ONE_S), guarded=False, exports=()).found.leaked()
    assert {"OPERATION in behind the door", "exact position in sent to platform"} <= set(leaked)


def test_that_a_destination_is_given_whole_records_is_found(tmp_path: Path) -> None:
    with patch("edge.making.RecordView", lambda *_: whole):
        leaked = run(tmp_path, one_drive(ONE_S), exports=()).found.leaked()
    assert leaked["exact position in sent to fleet"] > 0


@pytest.mark.parametrize("offset", range(8))
@pytest.mark.parametrize("backwards", [False, True])
def test_bits_are_found_wherever_they_stand(offset: int, backwards: bool) -> None:
    canary = Canary(Kind.CABIN, 5)
    scanner = Scanner.of([canary, Canary(Kind.TRACK, 6)])
    bits = content(Kind.CABIN, 5)
    number = int.from_bytes(bits, "big" if backwards else "little")
    for order in ("big", "little"):
        shifted = b"\x93\x11" + (number << offset).to_bytes(BYTES + 1, order) + b"\x7e"
        assert {hit.canary for hit in scanner.bits(shifted)} == {canary}


@pytest.mark.parametrize(
    "text",
    [
        "{bits}", "say {number}", "[{number:.1f}]", "{scaled}", "0x{hex}", "{HEX}", "a{hex}", "={base64}",
        "{number:.15e}",
    ],
)  # fmt: skip
def test_digits_and_letters_are_found(text: str) -> None:
    canary = Canary(Kind.CABIN, 77)
    scanner = Scanner.of([canary])
    bits = content(canary.kind, canary.second)
    number = int.from_bytes(bits, "little")
    words = text.format(
        bits=bits.decode("latin-1"),
        number=number,
        scaled=number * 0.5 - 40.0,
        hex=bits.hex(),
        HEX=bits.hex().upper(),
        base64=base64.b64encode(b"\x01" + bits).decode(),
    )
    assert {hit.canary for hit in scanner.text(words.encode("latin-1"))} == {canary}


def test_no_part_of_a_word_could_be_data_in_hexadecimal_digits() -> None:
    for kind, length in TEXT_BYTES.items():
        words = [content(kind, second) for second in range(2000)]
        parts = [word[at : at + BYTES] for word in words for at in range(length - BYTES + 1)]
        assert not [part for part in parts if re.fullmatch(rb"[0-9a-fA-F]+", part)]
