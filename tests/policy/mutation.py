"""Breaks the code that decides what is collected, piece by piece, and sees whether a test notices.

Each break is one expression or statement, see `tests/policy/mutators.py`; the tests that reach its line run
against it. What no test notices is printed with its difference, unless `tests/policy/survivors.toml` says why
it changes nothing that anybody would miss. Run it from the project's root::

    python -m tests.policy.mutation                      all modules of edge/policy
    python -m tests.policy.mutation --share 0.1          a tenth of the breaks, the same each time
    python -m tests.policy.mutation edge/policy/door.py  one module; other folders and files of edge/ too

What has been seen is kept in build/mutation/: a run that was stopped goes on where it was. A break that was
noticed is not tried again until its module changes; one that was not is, when a test has changed. It ends
with 1 if something went unnoticed and unexplained or an explanation is out of date, with 2 if the tests fail
with nothing broken.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import select
import shutil
import signal
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from tests.policy.mutant_runs import Process, Reach, against, compile_once, prepare, reached
from tests.policy.mutators import Mutation, mutations

ROOT = Path(__file__).parents[2]
SEEN = ROOT / "build" / "mutation"
SURVIVORS = ROOT / "tests" / "policy" / "survivors.toml"
TESTS: Mapping[str, tuple[str, ...]] = {
    "edge/policy": ("tests/policy", "tests/core/test_collecting.py", "tests/forward/test_views.py"),
    "edge/consent": ("tests/consent",),
    "edge/places": ("tests/places",),
    "edge/collecting.py": ("tests/core/test_collecting.py", "tests/gateway/test_consenting.py"),
    "edge/consenting.py": ("tests/gateway/test_consenting.py",),
    "edge/journal/grounds.py": ("tests/journal/test_grounds.py", "tests/core/test_collecting.py"),
    "edge/forward/view.py": ("tests/forward/test_views.py",),
}
"""The fast tests of each folder and file that can be broken; those on real recordings skip in the copy."""

_COPIED = ("edge", "tests", "dbc", "simulator", "docs")
_NEVER_TRIED = "no test reaches it"


@dataclass(frozen=True, slots=True)
class Explained:
    """Breaks that no test notices, and why that is right.

    Attributes:
        key: see `Mutation.key`; of its parts the last may be left out, and then any will do.
        why: for the reader.
    """

    key: tuple[str, ...]
    why: str

    def fits(self, mutation: Mutation) -> bool:
        """Whether it is about this break."""
        return mutation.key[: len(self.key)] == self.key


class Seen:
    """What has been tried, in a file that grows."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._found: dict[str, tuple[str, str]] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                name, tests, verdict = json.loads(line)
                self._found[name] = tests, verdict

    def verdict(self, name: str, tests: str) -> str | None:
        """What came of a break; None if it has to be tried."""
        known, verdict = self._found.get(name, ("", ""))
        return verdict if verdict and (known == tests or verdict not in {"survived", _NEVER_TRIED}) else None

    def note(self, name: str, tests: str, verdict: str) -> None:
        """Remember it."""
        self._found[name] = tests, verdict
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([name, tests, verdict]) + "\n")


class Lab:
    """A copy of the project in which modules are broken.

    Args:
        root: of the copy.
        modules: what is broken.
        tests: files and folders with the tests.
        say: tells the reader how far it is.
    """

    def __init__(
        self, root: Path, modules: Sequence[str], tests: Sequence[str], say: Callable[[str], object]
    ) -> None:
        self.root = root
        self.sources = {module: (root / module).read_bytes() for module in modules}
        self._say = say
        compile_once(tests)
        self.digest = _digest(
            sorted(
                path
                for test in tests
                for path in [root / test, *(root / test).rglob("*.py")]
                if path.is_file()
            )
        )
        cached = SEEN / f"reach-{_digest([root / one for one in modules])}-{self.digest}.json"
        if cached.exists():
            self.reach = Reach.read(cached.read_text())
        else:
            say(f"the tests as they are: {', '.join(tests)}\n")
            self.reach = reached(modules, tests, root)
            cached.parent.mkdir(parents=True, exist_ok=True)
            cached.write_text(self.reach.written())

    def name(self, mutation: Mutation) -> str:
        """By which a break of this very source is known."""
        broken = mutation.applied(self.sources[mutation.module])
        return f"{mutation.module} {hashlib.sha256(broken).hexdigest()[:20]}"

    def tests(self, mutation: Mutation) -> list[str]:
        """The tests that could notice a break."""
        source = self.sources[mutation.module]
        lines = [1 + source.count(b"\n", 0, place) for place in mutation.span]
        near = self.reach.tests(mutation.module, range(lines[0], lines[1] + 1))
        return near or self.reach.all_tests(mutation.module)

    def try_all(self, asked: Sequence[Mutation], seen: Seen, workers: int) -> dict[Mutation, str]:
        """Try breaks, some at a time."""
        found: dict[Mutation, str] = {}
        waiting = list(reversed(asked))
        at_work: dict[Process, Mutation] = {}
        try:
            while waiting or at_work:
                while waiting and len(at_work) < workers:
                    mutation = waiting.pop()
                    verdict = seen.verdict(self.name(mutation), self.digest)
                    if verdict is None and not self.tests(mutation):
                        verdict = _NEVER_TRIED
                    if verdict is None:
                        at_work[self._begin(mutation)] = mutation
                    else:
                        found[mutation] = verdict
                if at_work:
                    select.select([one.end for one in at_work], [], [], 1.0)
                for process, mutation in list(at_work.items()):
                    verdict = process.verdict()
                    if verdict is not None:
                        del at_work[process]
                        found[mutation] = verdict
                        seen.note(self.name(mutation), self.digest, verdict)
                self._say(f"\r{len(found)} of {len(asked)} breaks tried ")
        finally:
            for process in at_work:
                process.stop()
        self._say("\n")
        return found

    def _begin(self, mutation: Mutation) -> Process:
        tests = self.tests(mutation)
        broken = mutation.applied(self.sources[mutation.module])
        limits_s = self.reach.limits_s(tests)
        return Process(lambda: against(mutation.module, broken, limits_s), sum(limits_s.values()))


def explained(path: Path) -> list[Explained]:
    """Read what has been explained."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("survivor", [])
    names = ("module", "within", "statement", "before", "after")
    return [
        Explained(tuple(entry[name] for name in takewhile(entry.__contains__, names)), entry["why"])
        for entry in entries
    ]


def report(
    found: Mapping[Mutation, str], explanations: Iterable[Explained], every: Iterable[Mutation]
) -> tuple[str, bool]:
    """What came of it, for a reader, and whether all is well."""
    explanations = list(explanations)
    counts: dict[str, Counter[str]] = {}
    unnoticed: list[Mutation] = []
    for mutation, verdict in found.items():
        of = counts.setdefault(mutation.module, Counter())
        if verdict not in {"survived", _NEVER_TRIED}:
            of["noticed"] += 1
        elif any(one.fits(mutation) for one in explanations):
            of["explained"] += 1
        else:
            of["unnoticed"] += 1
            unnoticed.append(mutation)
    lines: list[str] = []
    for mutation in unnoticed:
        lines += [
            f"unnoticed ({found[mutation]}), line {mutation.line}: {mutation.before!r} -> {mutation.after!r}",
            mutation.diff((ROOT / mutation.module).read_bytes()),
            "",
        ]
    still = [one for one in every if found.get(one) in {"survived", _NEVER_TRIED, None}]
    stale = [one for one in explanations if not any(map(one.fits, still))]
    lines += [f"explained, but noticed or no longer there: {' | '.join(one.key)}" for one in stale]
    row = "{:40}{:>8}{:>9}{:>11}{:>11}{:>9}".format
    lines.append(row("module", "tried", "noticed", "explained", "unnoticed", "score"))
    total: Counter[str] = sum(counts.values(), Counter())
    for module, of in [*sorted(counts.items()), ("all", total)]:
        tried = of.total()
        score = 100 * of["noticed"] / max(1, tried)
        lines.append(row(module, tried, of["noticed"], of["explained"], of["unnoticed"], f"{score:.1f} %"))
    return "\n".join(lines) + "\n", not unnoticed and not stale


def modules_of(paths: Sequence[str]) -> list[str]:
    """The modules that some paths of the project name."""
    found: list[str] = []
    for path in paths:
        below = sorted((ROOT / path).rglob("*.py")) if (ROOT / path).is_dir() else [ROOT / path]
        found += [str(one.relative_to(ROOT)) for one in below if one.name != "__init__.py"]
    return found


def place_of(module: str) -> str:
    """The folder or file whose tests are those of a module."""
    return next(place for place in TESTS if module == place or module.startswith(f"{place}/"))


def main() -> int:
    """Break, run, report."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    modules = modules_of(options.paths or ["edge/policy"])
    source = {module: (ROOT / module).read_bytes() for module in modules}
    every = [one for module in modules for one in mutations(module, source[module])]
    asked = _sample(every, options.share, options.seed)
    explanations = [one for one in explained(SURVIVORS) if one.key[0] in modules]
    groups: dict[str, list[str]] = {}
    for module in modules:
        groups.setdefault(place_of(module), []).append(module)
    say = sys.stderr.write
    seen = Seen(SEEN / "seen.jsonl")
    found: dict[Mutation, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        for part in _COPIED:
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__", "build"))
        for part in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / part, copy / part)
        prepare(copy)
        for place, members in groups.items():
            try:
                lab = Lab(copy, modules_of([place]), TESTS[place], say)
            except RuntimeError as error:
                sys.stdout.write(f"the tests fail before anything is broken:\n{error}\n")
                return 2
            theirs = [one for one in asked if one.module in members]
            found |= lab.try_all(theirs, seen, options.workers)
        os.chdir(ROOT)
    text, well = report(found, explanations, every)
    sys.stdout.write(text)
    return 0 if well else 1


def _sample(every: Sequence[Mutation], share: float, seed: int) -> list[Mutation]:
    """A share of the breaks of each module, drawn by a seed."""
    if share >= 1:
        return list(every)
    return [one for one in every if random.Random(f"{seed} {one.key} {one.span}").random() < share]  # noqa: S311 - drawn again by the seed


def _options() -> argparse.Namespace:
    words = (__doc__ or "").partition("\n\n")[0]
    parser = argparse.ArgumentParser(prog="python -m tests.policy.mutation", description=words)
    parser.add_argument("paths", nargs="*", help="modules and folders, edge/policy unless given")
    parser.add_argument("--share", type=float, default=1.0, help="which part of the breaks is tried (1)")
    parser.add_argument("--seed", type=int, default=0, help="which ones of them (0)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="how many at a time")
    return parser.parse_args()


def _digest(paths: Iterable[Path]) -> str:
    found = hashlib.sha256()
    for path in paths:
        found.update(str(path.name).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
