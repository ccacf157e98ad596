"""What python-can says may quote frames that no door has seen; none of it is passed on."""

from __future__ import annotations

import io
import logging

import can
import pytest

from edge.bus.can_words import kind_of


@pytest.mark.parametrize("name", ["can.interfaces.socketcand", "can.io.trc", "seeedbus"])
def test_the_log_of_an_interface_is_not_passed_on(name: str) -> None:
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    logging.getLogger().addHandler(handler)
    try:
        logging.getLogger(name).error("Invalid Frame: C0FFEE")
        logging.getLogger("edge").error("passed on")
    finally:
        logging.getLogger().removeHandler(handler)
    assert text.getvalue() == "passed on\n"


def test_an_error_is_told_without_what_was_received() -> None:
    assert kind_of(ValueError("invalid literal for int() with base 16: 'C0FFEE'")) == "ValueError"


def test_the_words_of_the_operating_system_are_told() -> None:
    error = can.CanOperationError("Failed to receive C0FFEE")
    error.__cause__ = OSError(100, "Network is down")
    assert kind_of(error) == "Network is down"
