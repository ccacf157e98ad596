"""Runs tests against broken source: which tests reach which line, and whether one of them notices a break."""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import json
import os
import resource
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from _typeshed import TraceFunction

LIBRARIES = (
    "apsw",
    "cantools",
    "cbor2",
    "click",
    "cryptography.x509",
    "cwt",
    "numpy",
    "pydantic",
    "rich.progress",
)
"""What is imported once, before the processes of the tests fork off."""

_NOTICED, _FAILED = 1, 3
_MEMORY_BYTES = 6_000_000_000
_COLLECTING_S = 120
_SECONDS_MORE = 30.0
_TIMES_LONGER = 8.0


@dataclass(frozen=True, slots=True)
class Reach:
    """What the unbroken tests do.

    Attributes:
        lines: for each module and line, the tests that reach it; those that share a fixture alike.
        seconds: how long each test takes.
    """

    lines: Mapping[str, Mapping[int, Collection[str]]]
    seconds: Mapping[str, float]

    def tests(self, module: str, within: Collection[int]) -> list[str]:
        """The tests that reach one of some lines of a module, the quick ones first."""
        of_module = self.lines.get(module, {})
        found = {test for line in within for test in of_module.get(line, ())}
        return sorted(found, key=lambda test: (self.seconds.get(test, 0.0), test))

    def all_tests(self, module: str) -> list[str]:
        """The tests that reach the module at all, the quick ones first."""
        found = {test for tests in self.lines.get(module, {}).values() for test in tests}
        return sorted(found, key=lambda test: (self.seconds.get(test, 0.0), test))

    def limits_s(self, tests: Iterable[str]) -> dict[str, float]:
        """How long each of these may take when something is broken."""
        return {test: _SECONDS_MORE + _TIMES_LONGER * self.seconds.get(test, 0.0) for test in tests}

    def written(self) -> str:
        """As text."""
        lines = {
            module: {str(line): sorted(tests) for line, tests in of.items()}
            for module, of in self.lines.items()
        }
        return json.dumps({"lines": lines, "seconds": dict(self.seconds)})

    @classmethod
    def read(cls, text: str) -> Reach:
        """From what `written` gave."""
        found = json.loads(text)
        lines = {module: {int(line): of[line] for line in of} for module, of in found["lines"].items()}
        return cls(lines, found["seconds"])


def prepare(root: Path) -> None:
    """Make this process one from which tests of the project at `root` fork off."""
    os.chdir(root)
    sys.path.insert(0, str(root))
    sys.dont_write_bytecode = True
    for name in LIBRARIES:
        importlib.import_module(name)
    hypothesis.settings.register_profile("mutation", derandomize=True, database=None, deadline=None)
    hypothesis.settings.load_profile("mutation")


def reached(modules: Collection[str], tests: Sequence[str], root: Path) -> Reach:
    """Run tests as they are, and see which lines of `modules` each reaches.

    Raises:
        RuntimeError: a test fails with nothing broken.
    """
    answer = root / "reach.json"
    watch = _Watch({str(root / module): module for module in modules})

    def work() -> int:
        sys.settrace(watch.trace)
        threading.settrace(watch.trace)
        code = _pytest(tests, [watch])
        answer.write_text(watch.reach().written())
        return code

    process = Process(work, 3600.0, root / "output.txt")
    try:
        while process.verdict() is None:
            select.select([process.end], [], [], 1.0)
    finally:
        process.stop()
    if process.code != 0:
        raise RuntimeError((root / "output.txt").read_text()[-3000:] or "the tests do not run")
    return Reach.read(answer.read_text())


def compile_once(tests: Sequence[str]) -> None:
    """Leave the bytecode of all that some tests import beside it, so that no break has it compiled again.

    A broken module is compiled from its own source and not kept, see `_Broken`.
    """

    def work() -> int:
        sys.dont_write_bytecode = False
        return _pytest(["--collect-only", *tests], [])

    process = Process(work, 3600.0)
    try:
        while process.verdict() is None:
            select.select([process.end], [], [], 1.0)
    finally:
        process.stop()


class Process:
    """Work in a process of its own, forked off this one, that may last so long.

    Args:
        work: gives the exit code.
        limit_s: when it is ended.
        output: where what it says goes.

    Attributes:
        end: a descriptor that becomes readable when it ends.
        code: how it ended.
    """

    def __init__(self, work: Callable[[], int], limit_s: float, output: Path | None = None) -> None:
        sys.stdout.flush()
        self.code: int | None = None
        self.pid = os.fork()
        if not self.pid:
            _inside(work, output)
        self.end = os.pidfd_open(self.pid)
        self._until = time.monotonic() + limit_s
        self._late = False

    def verdict(self) -> str | None:
        """None while it works; "survived", "noticed" or "took too long"."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if not pid:
                if time.monotonic() > self._until:
                    self._late = True
                    self._kill()
                return None
            self._kill()
            os.close(self.end)
            self.code = os.waitstatus_to_exitcode(status)
        late = self._late or self.code == -signal.SIGALRM
        return "took too long" if late else "survived" if self.code == 0 else "noticed"

    def stop(self) -> None:
        """End it now."""
        if self.code is None:
            self._kill()
            _pid, status = os.waitpid(self.pid, 0)
            self.code = os.waitstatus_to_exitcode(status)
            os.close(self.end)

    def _kill(self) -> None:
        """End it and what it has started: they are a group."""
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(self.pid, signal.SIGKILL)


def against(module: str, source: bytes, limits_s: Mapping[str, float]) -> int:
    """Run tests until one fails, with another source of a module; for a process of its own.

    One that takes longer than its limit ends the process by SIGALRM.
    """
    sys.meta_path.insert(0, _Broken(module, source))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_COLLECTING_S)
    return _pytest(["-x", *limits_s], [_Limits(limits_s)])


def _inside(work: Callable[[], int], output: Path | None) -> None:
    code = _FAILED
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        target = os.open(output or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(target, 1)
        os.dup2(target, 2)
        code = work()
    except BaseException:  # noqa: BLE001 - whatever it is, this process must not go on as its parent
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        os._exit(code)


def _pytest(tests: Sequence[str], plugins: Sequence[object]) -> int:
    quiet = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", "--tb=short")
    return int(pytest.main([*quiet, *tests], list(plugins)))


class _Broken(importlib.machinery.SourceFileLoader):
    """Finds one module with another source than its file has."""

    def __init__(self, module: str, source: bytes) -> None:
        name = module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        super().__init__(name, str(Path(module).resolve()))
        self._source = source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find the module."""
        del path, target
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def get_code(self, fullname: str) -> CodeType:
        """Compile the other source."""
        del fullname
        return compile(self._source, self.path, "exec", dont_inherit=True)


class _Limits:
    """A plugin of pytest that winds up an alarm for each test."""

    def __init__(self, limits_s: Mapping[str, float]) -> None:
        self._limits_s = limits_s

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Have it end in time."""
        signal.setitimer(signal.ITIMER_REAL, self._limits_s.get(item.nodeid, _COLLECTING_S))
        yield
        signal.alarm(_COLLECTING_S)


class _Watch:
    """A plugin of pytest that notes which test reaches which line."""

    def __init__(self, modules: Mapping[str, str]) -> None:
        self._modules = dict(modules)
        self._test = ""
        self._lines: dict[str, dict[int, set[str]]] = {one: {} for one in modules.values()}
        self._tests: list[str] = []
        self._seconds: dict[str, float] = {}

    def trace(self, frame: FrameType, event: str, argument: object) -> TraceFunction | None:
        """See `sys.settrace`."""
        del event, argument
        module = self._modules.get(frame.f_code.co_filename)
        if module is None:
            return None
        lines = self._lines[module]

        def local(frame: FrameType, event: str, argument: object) -> TraceFunction:
            del event, argument
            lines.setdefault(frame.f_lineno, set()).add(self._test)
            return local

        return local(frame, "call", None)

    def pytest_collection_modifyitems(self, items: Sequence[pytest.Item]) -> None:
        """Know all tests."""
        self._tests = [item.nodeid for item in items]

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        """Whose fixtures are made: they may serve all tests of the file."""
        self._test = f"{item.nodeid.partition('::')[0]}::"
        self._forget()
        sys.settrace(self.trace)
        yield
        self._test = item.nodeid

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Which test runs, and how long."""
        self._test = item.nodeid
        begun = time.monotonic()
        sys.settrace(self.trace)
        yield
        self._seconds[item.nodeid] = time.monotonic() - begun

    def _forget(self) -> None:
        """Have found anew what functions remember: not only the first test that asks reaches their lines."""
        for module in list(sys.modules.values()):
            if getattr(module, "__file__", None) in self._modules:
                for one in vars(module).values():
                    clear = getattr(one, "cache_clear", None)
                    if clear is not None:
                        clear()

    def reach(self) -> Reach:
        """What was seen; lines of fixtures count for all tests of their file."""
        sys.settrace(None)
        of_file: dict[str, list[str]] = {}
        for test in self._tests:
            of_file.setdefault(f"{test.partition('::')[0]}::", []).append(test)
        lines = {
            module: {
                line: {one for test in tests for one in of_file.get(test, [test] if test else [])}
                for line, tests in of.items()
            }
            for module, of in self._lines.items()
        }
        return Reach(lines, self._seconds)
