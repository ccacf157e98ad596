"""Turns the signals that end a program, or tell that its supply goes, into events that may be waited for."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_on_signal(wake: Callable[[], None] | None = None) -> Iterator[threading.Event]:
    """Hand out an event that the first SIGINT or SIGTERM sets; a second one ends the program at once.

    Args:
        wake: called when it is set, from a thread of its own, to have whoever looks at it do so soon.
    """
    stop = threading.Event()
    with _on_signals(dict.fromkeys((signal.SIGINT, signal.SIGTERM), _setting(stop, wake)), once=True):
        yield stop


@contextmanager
def supply_signal(wake: Callable[[], None] | None = None) -> Iterator[threading.Event]:
    """Hand out an event that SIGPWR sets, by which systemd and UPS programs say that the supply is going.

    Args:
        wake: as for `stop_on_signal`.
    """
    lost = threading.Event()
    with _on_signals({signal.SIGPWR: _setting(lost, wake)}):
        yield lost


def _setting(event: threading.Event, wake: Callable[[], None] | None) -> Callable[[], None]:
    def tell() -> None:
        event.set()
        if wake is not None:
            wake()

    return tell


@contextmanager
def _on_signals(tell: Mapping[signal.Signals, Callable[[], None]], *, once: bool = False) -> Iterator[None]:
    """Call what belongs to a signal, from a thread of its own.

    A handler runs in the middle of whatever the main thread does. Were it to set an event whose lock that
    thread holds just then, both would stand still for ever; writing to a pipe cannot.
    """
    reading, writing = os.pipe()
    came = False

    def pass_on() -> None:
        while number := os.read(reading, 1):
            tell[signal.Signals(number[0])]()

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal came
        del frame
        if once and came:
            os._exit(128 + number)
        came = True
        os.write(writing, bytes([number]))

    listener = threading.Thread(target=pass_on, name="signals", daemon=True)
    listener.start()
    before = {number: signal.signal(number, handle) for number in tell}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(writing)
        listener.join()
        os.close(reading)
