"""Generated decoders give what cantools gives for messages that nobody would write."""

from __future__ import annotations

import tempfile
from pathlib import Path

import cantools.database.can
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from edge.firmware.decoder_plan import DecoderPlan, plan_everything
from edge.firmware.decoder_source import source_of
from tests.firmware.decoder_proof import (
    cases_of,
    differences,
    expected_of,
    loaded,
    on_board,
    on_this_python,
)
from tests.firmware.drawn_messages import database_of, drawn_message
from tests.vlink.small_machine import SmallArray, Word, viper_module


def plan_of(messages: list[cantools.database.can.Message]) -> DecoderPlan:
    return plan_everything({"bus": [database_of(messages)]}, ("bus",))


@given(drawn_message(), st.integers(0, 1 << 32))
@settings(max_examples=40)
def test_any_message_comes_out_as_cantools_reads_it(
    message: cantools.database.can.Message, seed: int
) -> None:
    plan = plan_of([message])
    cases = cases_of(plan, 8, seed)
    expected = expected_of(cases)
    module = loaded(source_of(plan))
    small = on_this_python(module, lambda payload: SmallArray(bytearray(payload)))
    assert not differences(cases, small, expected)[1]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "decoder.py"
        file.write_text(source_of(plan, machine_code=True))
        machine = on_this_python(viper_module(file, "board", Word))
        assert not differences(cases, machine, expected)[1]


@given(st.data())
@settings(
    max_examples=1,
    phases=[Phase.generate],  # shrinking would start a process at each step
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_many_at_once_come_out_the_same_on_micropython(data: st.DataObject) -> None:
    plan = plan_of([data.draw(drawn_message(number)) for number in range(12)])
    cases = cases_of(plan, 6, 1)
    expected = expected_of(cases)
    with tempfile.TemporaryDirectory() as folder:
        for machine_code in (False, True):
            text = source_of(plan, machine_code=machine_code)
            shown = on_board(text, cases, Path(folder), name=f"decoder{machine_code:d}").shown
            assert not differences(cases, shown, expected)[1]
