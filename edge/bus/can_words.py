"""Keeps python-can's words to itself: they quote what was received, which has not been through the door."""

from __future__ import annotations

import logging

LOGGERS = ("can", "seeedbus")
"""The loggers of python-can and its interfaces. What they say of errors is also raised."""


def keep_log_back() -> None:
    """Have what python-can logs reach no log of this process."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.addHandler(logging.NullHandler())
        logger.propagate = False


def kind_of(error: BaseException) -> str:
    """What went wrong while receiving: in the words of the operating system, or the error's kind."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
