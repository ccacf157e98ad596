"""Has the cases of `test_in_the_machine.py` run in a virtual machine, each reported as a test of its own."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.vm.bench import Bench, GuestError
from tests.vm.guest import LONG, REWRITTEN

pytest.register_assert_rewrite(*REWRITTEN)

CASES = Path(__file__).with_name("test_in_the_machine.py")
ALL = "NEVGATE_VM"
"""Set to ``all``, cases marked ``long`` run too."""

_BENCH = pytest.StashKey[Bench]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", LONG)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put in the place of each case one that waits for what came of it in the guest."""
    cases = [item for item in items if item.path == CASES]
    if config.option.collectonly or not cases:
        return
    everything = os.environ.get(ALL) == "all"
    wanted = [item.nodeid for item in cases if everything or not item.get_closest_marker("long")]
    bench = config.stash[_BENCH] = Bench(wanted)
    config.add_cleanup(bench.close)
    for place, item in enumerate(items):
        if item.path == CASES:
            assert item.parent is not None
            items[place] = GuestCase.from_parent(item.parent, name=item.name, case=item, bench=bench)


class GuestCase(pytest.Item):
    """A case as the host sees it."""

    def __init__(self, *, case: pytest.Item, bench: Bench, **others: Any) -> None:  # noqa: ANN401 - pytest's own
        super().__init__(**others)
        self._case = case
        self._bench = bench

    def setup(self) -> None:
        """Boot the machine before the first case."""
        if self.nodeid not in self._bench.cases:
            pytest.skip(f"runs with {ALL}=all (make vm)")
        self._bench.boot()
        if self._bench.skipped:
            pytest.skip(self._bench.skipped)

    def runtest(self) -> None:
        """Wait for what came of it, and let that be the result here."""
        reports = self._bench.reports(self.nodeid, self.config)
        for report in reports:
            self.user_properties += [(key, value) for key, value in report.user_properties]
            for title, text in report.sections:
                self.add_report_section(report.when or "call", f"{title}, in the guest", text)
        failed = [report.longreprtext for report in reports if report.failed]
        if failed:
            raise GuestError("\n\n".join(failed))
        for report in reports:
            if report.skipped:
                *_, reason = (
                    report.longrepr if isinstance(report.longrepr, (tuple, list)) else [report.longrepr]
                )
                pytest.skip(str(reason).removeprefix("Skipped: "))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *_: object, **__: object) -> str:
        """Show the guest's own words, not the way on which they came."""
        if isinstance(excinfo.value, GuestError):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """Name the case's own lines."""
        return self._case.reportinfo()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how long the machine took."""
    bench = config.stash.get(_BENCH, None)
    if bench is not None and bench.boot_s:
        terminalreporter.write_line(
            f"virtual machine: {bench.boot_s:.0f} s until its Python ran, {bench.loaded_s:.0f} s until it had"
            f" loaded all cases, {time.monotonic() - bench.began_s:.0f} s in all"
        )
