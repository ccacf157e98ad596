"""What showed while a journal was in use that it is not whole, noted beside it for the next opening."""

from __future__ import annotations

import os
from pathlib import Path

DOUBT_FILE = "doubt"
_MOST_CHARACTERS = 1_000


def note_doubt(folder: Path, why: str) -> None:
    """Have the next opening put the journal in `folder` aside, whatever a check says then.

    Raises:
        OSError: the note cannot be written.
    """
    with (folder / DOUBT_FILE).open("w", encoding="utf-8") as file:
        file.write(why[:_MOST_CHARACTERS])
        file.flush()
        os.fsync(file.fileno())


def noted_doubt(folder: Path) -> str:
    """What was noted; empty for nothing. A note that cannot be read is one all the same."""
    try:
        return (folder / DOUBT_FILE).read_text("utf-8") or "found damaged while it was in use"
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError):
        return "found damaged while it was in use"


def clear_doubt(folder: Path) -> None:
    """Forget the note, once the journal that it speaks of has been put aside."""
    (folder / DOUBT_FILE).unlink(missing_ok=True)
