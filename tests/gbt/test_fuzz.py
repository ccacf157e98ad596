"""The short form of the fuzzing (``make gbt-fuzz``), and that a fault is found, named and found again."""

from __future__ import annotations

from itertools import islice

import pytest

from edge.wire.gbt.message import Message, read_message
from tests.gbt.fuzz import __main__ as program
from tests.gbt.fuzz import run
from tests.gbt.fuzz.checks import Counts, check
from tests.gbt.fuzz.inputs import PER_CHUNK, chunk


def test_two_thousand_inputs_hold() -> None:
    for number in range(2):
        counts, fault = run.run_chunk(32960, number)
        assert fault is None, fault
        assert counts.inputs == PER_CHUNK
        assert min(counts.messages, counts.records, counts.said_again, counts.frames) > 30


def test_a_chunk_is_made_again_from_its_seed_alone() -> None:
    first, again, other = (list(islice(chunk(seed, 3), 50)) for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_a_fault_ends_the_run_and_its_input_fails_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def flawed(data: bytes) -> Message:
        message = read_message(data)
        if data[2] == 0x80:
            raise IndexError("one too many")
        return message

    monkeypatch.setattr("tests.gbt.fuzz.checks.read_message", flawed)
    counts, fault = run.run_chunk(32960, 0)
    assert fault is not None
    assert fault.data[2] == 0x80
    assert counts.inputs == fault.place + 1
    with pytest.raises(IndexError, match="one too many"):
        check(fault.data, Counts())
    program.tell_fault(fault, 32960)
    printed = capsys.readouterr().out
    assert f"--seed 32960 --chunk {fault.chunk}" in printed
    assert f"--hex {fault.data.hex()}" in printed


def test_memory_that_grows_fails_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    for end_kib, status in ((60_000, 0), (70_000, 1)):
        outcome = run.Outcome(Counts(inputs=1), None, 1.0, (60_000,), (end_kib,))
        assert program.tell(outcome, 1) == status
    assert "memory grew" in capsys.readouterr().out
