"""`Dropped`: why a frame was not kept; each is counted by its name."""

from __future__ import annotations

from enum import StrEnum


class Dropped(StrEnum):
    """Causes in the account of a camera; what is in doubt is dropped."""

    DARK = "too dark to judge"
    BRIGHT = "too bright to judge"
    FLAT = "covered, or nothing to be seen"
    BLURRED = "too blurred to judge"
    NOISY = "too noisy to judge"
    TOO_SMALL = "too small to judge"
    TOO_LARGE = "larger than the memory given to it"
    DAMAGED = "damaged, could not be decoded"
    DETECTOR = "a detector failed"
    LATE = "older than may be waited for"
    BACKWARDS = "not later than the picture before it"
    QUEUE = "queue full"
    BUDGET = "no CPU share left"
    POLICY = "not allowed when it was taken"
    NOT_WANTED = "nothing asked for it"
    ENCODER = "the encoder failed"
    STORE = "could not be stored"
    CRASH = "the process of the camera ended"
    STOPPED = "the camera was closed before it could be judged"
