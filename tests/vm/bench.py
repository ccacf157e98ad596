"""`Bench`: boots one virtual machine for all cases of a test run, and hands out what came of each."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge.errors import SourceError
from tests.vm.boot import CACHE, missing, python_module
from tests.vm.kernel import kernel_files
from tests.vm.machine import Line, Machine

CASE_LIMIT_S = 60.0
"""What a case may take by the guest's clock; it then fails there, with its traceback."""
SILENCE_S = 180.0
"""What the guest may take to boot, or to say again that it works: a busy machine is slow to run it."""
TOOLS = ("candump", "ip")


class GuestError(Exception):
    """A case failed in the guest, or the guest itself did; the words are for people."""


@dataclass(slots=True)
class Bench:
    """The one machine of a test run.

    Attributes:
        cases: node ids of all cases, in the order in which they are asked for.
        began_s: monotonic time at which qemu was started; 0 before.
        boot_s: from then until the guest's Python ran; 0 before.
        loaded_s: from then until it had loaded all cases; 0 before.
        skipped: why there is no machine; empty if there is one.
    """

    cases: Sequence[str]
    began_s: float = 0.0
    boot_s: float = 0.0
    loaded_s: float = 0.0
    skipped: str = ""
    _machine: Machine | None = None
    _reports: dict[str, list[Line]] = field(default_factory=dict)
    _ended: str = ""

    def boot(self) -> None:
        """Boot, if that has not been tried yet; why it failed is told with each case."""
        if self._machine is not None or self.skipped or self._ended:
            return
        if lacking := missing(*TOOLS):
            self.skipped = f"this machine lacks {lacking}"
            return
        try:
            kernel_files(CACHE)
        except SourceError as error:
            self.skipped = str(error)
            return

        self.began_s = time.monotonic()
        try:
            with tempfile.TemporaryDirectory() as folder:
                program = python_module("tests.vm.guest")
                self._machine = Machine(Path(folder), CACHE, program)
                self._machine.hear(SILENCE_S)
            self.boot_s = time.monotonic() - self.began_s
            self._machine.say({"cases": list(self.cases), "limit_s": CASE_LIMIT_S})
        except SourceError as error:
            self._give_up(str(error))

    def reports(self, case: str, config: pytest.Config) -> list[pytest.TestReport]:
        """Wait until a case has ended, and return what was told of its set-up, call and tear-down.

        Raises:
            GuestError: the guest ended, broke or hung before.
        """
        while not self._is_over(case):
            if self._machine is None:
                raise GuestError(self._ended)
            try:
                line = self._machine.hear(SILENCE_S)
            except SourceError as error:
                self._give_up(f"was not run: the guest ended in {case}")
                raise GuestError(f"this case did not end: {error}") from error
            if "alive" in line:
                continue
            if "loaded" in line:
                self.loaded_s = time.monotonic() - self.began_s
            elif "ended" in line:
                self._give_up(f"the guest had ended (pytest's status {line['ended']}) without this case")
            elif "broken" in line:
                self._give_up(f"the guest cannot load the cases:\n{line['broken']}")
            else:
                told = line["report"]
                assert isinstance(told, dict)
                self._reports.setdefault(told["nodeid"], []).append(told)
        hook = config.hook.pytest_report_from_serializable
        return [hook(config=config, data=dict(told)) for told in self._reports[case]]

    def close(self) -> None:
        """Take the machine's power away."""
        if self._machine is not None:
            self._machine.close()
            self._machine = None

    def _is_over(self, case: str) -> bool:
        return any(told["when"] == "teardown" for told in self._reports.get(case, []))

    def _give_up(self, why: str) -> None:
        self.close()
        self._ended = why
