"""Asks the running gateway on behalf of the page, which could change nothing by itself."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Protocol

from edge.clock import NS_PER_S, Clock
from edge.errors import NevgateError
from edge.page.pins import Role
from edge.page.state import State, read_state
from edge.page.terms import Choice

_FRESH_NS = NS_PER_S // 2
ERASURE_REASON = "asked for by the owner on the driver's page"


class Control(Protocol):
    """What the page needs of a client of the control socket."""

    def ask(self, request: Mapping[str, object]) -> Mapping[str, object]:
        """Ask the gateway one thing.

        Raises:
            NevgateError: it does not run, or refuses.
        """


class RefusedError(NevgateError):
    """The gateway did not do what it was asked."""


class Asking:
    """Asks for the state, and for changes.

    Args:
        control: reaches the gateway.
        clock: for how long an answer, or that there is none, is taken as fresh: many browsers that refresh
            ask the gateway once.
    """

    def __init__(self, control: Control, clock: Clock) -> None:
        self._control = control
        self._clock = clock
        self._lock = Lock()
        self._known: State | NevgateError | None = None
        self._known_ns = 0

    def state(self) -> State:
        """What the gateway says of itself.

        Raises:
            NevgateError: it does not run, or its answer makes no sense.
        """
        with self._lock:
            now_ns = self._clock.boot_ns()
            if self._known is None or now_ns - self._known_ns > _FRESH_NS:
                try:
                    self._known = read_state(self._ask({"do": "state"}))
                except NevgateError as error:
                    self._known = error
                self._known_ns = self._clock.boot_ns()
            if isinstance(self._known, NevgateError):
                raise self._known
            return self._known

    def grant(self, data_class: str, purpose: str, choice: Choice) -> None:
        """Tell the gateway that the driver agrees.

        Raises:
            NevgateError: it refuses, or does not run.
        """
        self._change(
            {
                "do": "grant",
                "class": data_class,
                "purpose": purpose,
                "term_s": choice.term_s,
                "keep": choice.keep,
                "role": Role.DRIVER.value,
            }
        )

    def refuse(self, data_class: str, purpose: str) -> None:
        """Tell the gateway that the driver refuses.

        Raises:
            NevgateError: it does not run.
        """
        self._change({"do": "refuse", "class": data_class, "purpose": purpose, "role": Role.DRIVER.value})

    def withdraw(self, data_class: str, purpose: str) -> None:
        """Tell the gateway that the driver withdraws a consent.

        Raises:
            NevgateError: it refuses, or does not run.
        """
        self._change({"do": "withdraw", "class": data_class, "purpose": purpose, "role": Role.DRIVER.value})

    def erase(self, data_class: str) -> None:
        """Tell the gateway that the owner wants a class erased.

        Raises:
            NevgateError: it refuses, or does not run.
        """
        self._change({"do": "erase", "class": data_class, "role": Role.OWNER.value, "reason": ERASURE_REASON})

    def _change(self, request: Mapping[str, object]) -> None:
        try:
            self._ask(request)
        finally:
            with self._lock:
                self._known = None

    def _ask(self, request: Mapping[str, object]) -> Mapping[str, object]:
        answer = self._control.ask(request)
        if answer.get("ok") is not True:
            raise RefusedError(
                str(answer.get("what") or "the gateway did not do it"), todo=str(answer.get("todo") or "")
            )
        return answer
