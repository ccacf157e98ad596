"""Generated decoders give what cantools gives: every message of real databases, frames of any length."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from edge.database.load import load_database
from edge.database.model import Database
from edge.firmware.decoder_plan import plan_everything
from edge.firmware.decoder_source import source_of
from tests.firmware.decoder_proof import (
    Shown,
    cases_of,
    differences,
    expected_of,
    loaded,
    on_board,
    on_this_python,
)
from tests.vlink.small_machine import SmallArray, Word, viper_module

PAYLOADS = int(os.environ.get("NEVGATE_DECODER_PAYLOADS", "12"))
FEW = 12
SEED = 20_261_122
REFERENCE = Path(__file__).parents[2] / "dbc"


class Proof:
    """A vehicle's plan, frames for all its messages, and what cantools says of them."""

    def __init__(self, databases: Mapping[str, Sequence[Database]]) -> None:
        self.plan = plan_everything(databases, tuple(databases))
        self.cases = cases_of(self.plan, PAYLOADS, SEED)
        self.expected = expected_of(self.cases)

    def judge(self, shown: Shown) -> None:
        """See that nothing differs, and that all was compared."""
        compared, found = differences(self.cases, shown, self.expected)
        assert not found, found[:5]
        assert compared > 5 * len(self.plan.fields)


@pytest.fixture(scope="module")
def reference() -> Proof:
    return Proof({path.stem: [load_database(path)] for path in sorted(REFERENCE.glob("nev-*.dbc"))})


@pytest.fixture(scope="module")
def kona(shared_data: Path) -> Proof:
    folder = shared_data / "kona-ev"
    return Proof({bus: [load_database(folder / f"{bus}.dbc")] for bus in ("pcan", "ccan")})


@pytest.fixture(params=["reference", "kona"])
def proof(request: pytest.FixtureRequest) -> Proof:
    found: Proof = request.getfixturevalue(request.param)
    return found


def test_every_message_is_decoded(proof: Proof) -> None:
    messages = {id(one.message) for one in proof.plan.messages}
    assert messages == {id(case.planned.message) for case in proof.cases}
    assert not proof.plan.left_out


def test_values_equal_cantools_without_leaving_small_integers(proof: Proof) -> None:
    module = loaded(source_of(proof.plan))
    proof.judge(on_this_python(module, lambda payload: SmallArray(bytearray(payload))))


@pytest.mark.parametrize("machine_code", [False, True], ids=["bytecode", "viper"])
def test_values_equal_cantools_on_micropython_and_no_memory_is_taken(
    proof: Proof, tmp_path: Path, machine_code: bool
) -> None:
    text = source_of(proof.plan, machine_code=machine_code)
    proof.judge(on_board(text, proof.cases, tmp_path).shown)


def test_machine_code_holds_with_words_of_32_bits(proof: Proof, tmp_path: Path) -> None:
    source = tmp_path / "decoder.py"
    source.write_text(source_of(proof.plan, machine_code=True))
    few = proof.cases[:: 1 if PAYLOADS > FEW else 8]
    compared, found = differences(few, on_this_python(viper_module(source, "board", Word)), expected_of(few))
    assert not found, found[:5]
    assert compared
