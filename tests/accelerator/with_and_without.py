"""Runs the same work with and without the compiled accelerator; skips where it is not installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from edge import accelerated
from edge.accelerated import Accelerator

NATIVE, WHY_NOT = accelerated.load()
Outcome = TypeVar("Outcome")
needs_accelerator = pytest.mark.skipif(NATIVE is None, reason=f"nevgate-accelerator is {WHY_NOT}")


def native() -> Accelerator:
    assert NATIVE is not None
    return NATIVE


@contextmanager
def using(one: Accelerator | None) -> Iterator[None]:
    before = accelerated.native
    accelerated.native = one
    try:
        yield
    finally:
        accelerated.native = before


def both(work: Callable[[], Outcome]) -> tuple[Outcome, Outcome]:
    """What `work` gives with the accelerator, and what without."""
    with using(NATIVE):
        accelerated_outcome = work()
    with using(None):
        return accelerated_outcome, work()
