"""Keeps a process that sees what may not leave it from quoting that: in its log, errors and warnings."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
import warnings
from types import TracebackType

logger = logging.getLogger(__name__)


def place_of(error: BaseException) -> str:
    """The kind of an error and where it came up; never its text, which might quote what was read."""
    return _place(type(error), error.__traceback__)


def quote_nothing(handler: logging.Handler) -> None:
    """Have neither log nor errors nor warnings quote what was read, on whatever way they go.

    Args:
        handler: the only one of the log from now on; it says what of a line may be passed on.
    """
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.raiseExceptions = False
    warnings.simplefilter("ignore")

    def tell(kind: type[BaseException] | None, trace: TracebackType | None) -> None:
        logger.error("%s", _place(kind, trace))

    sys.excepthook = lambda kind, _, trace: tell(kind, trace)
    sys.unraisablehook = lambda unraisable: tell(unraisable.exc_type, unraisable.exc_traceback)
    threading.excepthook = lambda caught: tell(caught.exc_type, caught.exc_traceback)


def _place(kind: type[BaseException] | None, trace: TracebackType | None) -> str:
    frames = traceback.extract_tb(trace)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{'error' if kind is None else kind.__name__}{place}"
