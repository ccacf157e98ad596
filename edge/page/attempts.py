"""Counts wrong PINs: the longer guessing goes on, the slower it gets, restarts of the page or not."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from edge.clock import NS_PER_S, Clock
from edge.errors import KeyFileError
from edge.page.pins import Role, plain_json, write_private

logger = logging.getLogger(__name__)

EVERYBODY = "everybody"
"""What counts the wrong PINs of all roles together."""

_FORGIVEN = 3
_FORGIVEN_OF_ALL = 10
_LONGEST_S = 900.0
_LONGEST_OF_ALL_S = 120.0
_QUIET_S = 60.0
_MOST = 1_000


class _Count(BaseModel):
    failures: Annotated[int, Field(ge=0)] = 0
    last_ns: Annotated[int, Field(ge=0)] = 0


class _Counts(BaseModel):
    boot: str = ""
    counts: dict[str, _Count] = {}


@dataclass(frozen=True, slots=True)
class Limit:
    """How wrong PINs slow the next one down.

    Attributes:
        forgiven: so many in a row cost nothing.
        longest_s: the wait doubles from one second up to this.
    """

    forgiven: int
    longest_s: float

    def wait_s(self, failures: int) -> float:
        """Seconds from the last wrong PIN to the next try."""
        beyond = failures - self.forgiven
        return 0.0 if beyond < 0 else min(2.0 ** min(beyond, 30), self.longest_s)


OF_ROLE = Limit(_FORGIVEN, _LONGEST_S)
OF_ALL = Limit(_FORGIVEN_OF_ALL, _LONGEST_OF_ALL_S)


class Attempts:
    """The wrong PINs so far, by role and all together.

    A try counts as wrong from its beginning until it is known to be right, so that neither tries at the same
    time nor a crash in between give one away. All roles together are forgiven one for each minute of
    quiet, and wait two minutes at most: who guesses must not keep the driver from withdrawing for long.

    Args:
        path: where they are kept, times since boot with the name of the boot. In another boot, and where the
            file makes no sense, the whole wait begins anew.
        clock: for the waits.
        boot: names this boot; empty where nothing does, which counts as another one each time.
    """

    def __init__(self, path: Path, clock: Clock, boot: str) -> None:
        self._path = path
        self._clock = clock
        self._boot = boot
        self._lock = Lock()
        self._counts = self._load()

    def wait_s(self, role: Role) -> float:
        """Seconds until the next try for a role may begin; 0 for now."""
        with self._lock:
            return self._wait_s(role)

    def begin(self, role: Role) -> float:
        """Begin a try: it counts as wrong unless `right` follows.

        Returns:
            0 if it may go on, else the seconds to wait, and nothing was counted.
        """
        with self._lock:
            wait_s = self._wait_s(role)
            if wait_s > 0:
                return wait_s
            now_ns = self._clock.boot_ns()
            for name in (role, EVERYBODY):
                count = self._counts.setdefault(name, _Count())
                if name == EVERYBODY:
                    count.failures = max(count.failures - _forgiven((now_ns - count.last_ns) / NS_PER_S), 0)
                count.failures = min(count.failures + 1, _MOST)
                count.last_ns = now_ns
            self._keep()
            return 0.0

    def right(self, role: Role) -> None:
        """The try that was begun last was right: the role's count is cleared."""
        with self._lock:
            self._counts.pop(role, None)
            everybody = self._counts.setdefault(EVERYBODY, _Count())
            everybody.failures = max(everybody.failures - 1, 0)
            self._keep()

    def _wait_s(self, role: Role) -> float:
        now_ns = self._clock.boot_ns()
        waits = [0.0]
        for name, limit in ((role, OF_ROLE), (EVERYBODY, OF_ALL)):
            count = self._counts.get(name)
            if count is not None:
                elapsed_s = (now_ns - count.last_ns) / NS_PER_S
                failures = count.failures - (_forgiven(elapsed_s) if name == EVERYBODY else 0)
                waits.append(limit.wait_s(failures) - elapsed_s)
        return max(waits)

    def _load(self) -> dict[str, _Count]:
        if not self._path.exists():
            return {}
        now_ns = self._clock.boot_ns()
        try:
            held = _Counts.model_validate(plain_json(self._path))
        except ValidationError:
            logger.warning("%s makes no sense: wrong PINs count as used up", self._path)
            return {role: _Count(failures=_FORGIVEN, last_ns=now_ns) for role in Role}
        same = bool(self._boot) and held.boot == self._boot
        for count in held.counts.values():
            if not same or count.last_ns > now_ns:
                count.last_ns = now_ns
        return held.counts

    def _keep(self) -> None:
        held = _Counts(boot=self._boot, counts=self._counts)
        try:
            write_private(self._path, json.dumps(held.model_dump()))
        except KeyFileError as error:
            # On a full disk the driver must still be able to withdraw; the counts live on in memory.
            logger.warning("wrong PINs are counted in memory alone: %s", error)


def _forgiven(elapsed_s: float) -> int:
    """How many wrong PINs of all roles together a time of quiet makes up for."""
    return int(max(elapsed_s, 0.0) / _QUIET_S)
