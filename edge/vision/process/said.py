"""What the process of a camera says in words, made fit for the log: no text may carry a picture out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edge.capturing.quoting import place_of
from edge.errors import NevgateError
from edge.vision.process.messages import Failed

TEXT_MAX = 400
"""Characters of a line."""

_NUMBER = re.compile(r"\d+")
_NUMBERS_MOST, _STRANGE_MOST, _SAID_MOST = 8, 2, 240
_WITHHELD = "(withheld)"
_WORD = re.compile(r"^[\w.,:;/'()%+@=-]{0,40}$")
_PLACE = re.compile(r"^/?[\w.@+-]{1,40}(?:/[\w.@+-]{1,40}){0,16}(?::\d{1,6})?[,;:]?$")


def plain(text: str) -> str:
    """A text as one line of ASCII of bounded length."""
    return "".join(letter if " " <= letter <= "~" else " " for letter in text)[:TEXT_MAX]


def harmless(text: str) -> str:
    """The same of a text that was made when there were pictures in memory, and might quote one.

    Texts that are not all ASCII or of many numbers go as a whole, and words that are no words.
    """
    if not text.isascii():
        return _WITHHELD
    words = plain(text)[:_SAID_MOST].split(" ")
    kept = [word if _WORD.match(word) or _PLACE.match(word) else _WITHHELD for word in words]
    said = " ".join(kept)
    strange = kept.count(_WITHHELD) > _STRANGE_MOST or len(_NUMBER.findall(said)) > _NUMBERS_MOST
    return _WITHHELD if strange else said


def failed_of(error: BaseException, *, seen: bool, final: bool = False) -> Failed:
    """Why the process ends, in words that quote nothing.

    Args:
        error: of ours: its words are said; of others, its kind and place alone.
        seen: whether there are pictures in memory.
        final: see `Failed`.
    """
    said = harmless if seen else plain
    if isinstance(error, NevgateError):
        return Failed(what=said(error.what), where=said(error.where), todo=said(error.todo), final=final)
    return Failed(what=plain(place_of(error)), final=final)


def line_of(message: str, arguments: Sequence[object], *, seen: bool) -> str:
    """A line of our own log in words that quote nothing.

    Args:
        message: what stands in the program.
        arguments: what is put into it; of texts, what is harmless.
        seen: whether there are pictures in memory.
    """
    said = harmless if seen else plain
    safe = tuple(
        argument if isinstance(argument, int | float) else said(str(argument)) for argument in arguments
    )
    try:
        return plain(message % safe if safe else message)
    except (TypeError, ValueError):
        return plain(message)
