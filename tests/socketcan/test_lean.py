"""What a ring does not need is not loaded beside it: python-can stays out of gateway and capture."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.capturing.test_ring import ROOT, configuration
from tests.socketcan.veth import Cable, cable

CAPTURE = """
import sys
from pathlib import Path
import edge.capturing.child
from edge.capturing.opening import open_configuration, plan_of
from edge.clock import SystemClock
from edge.config.configuration import load_config
path = Path(sys.argv[1])
opened = open_configuration(plan_of(path, load_config(path)).arguments, (), "first", SystemClock())
with opened.capture as capture:
    assert capture.read(0).batches
    print(capture.buses[0].way, "can" in sys.modules, "cantools.tester" in sys.modules)
"""

GATEWAY = """
import sys
import edge.cli.run
print("can" in sys.modules)
import cantools.tester
print(cantools.tester.Tester.__name__)
"""


@pytest.fixture(name="wire")
def plugging() -> Iterator[Cable]:
    with cable() as wire:
        yield wire


def run(*words: object) -> list[str]:
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_process_that_reads_rings_alone_has_not_loaded_python_can(wire: Cable, tmp_path: Path) -> None:
    inside = ["ip", "netns", "exec", wire.namespace.name]
    found = run(*inside, sys.executable, "-c", CAPTURE, configuration(tmp_path))
    assert found == ["ring", "False", "False"]


def test_a_gateway_has_not_loaded_it_either_and_whoever_needs_it_can() -> None:
    assert run(sys.executable, "-c", GATEWAY) == ["False", "Tester"]
