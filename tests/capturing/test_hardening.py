"""Nobody gets at what capture has read before the door: no core dump, no byte of it in the core's memory."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.capturing.process import CaptureProcess
from edge.clock import SystemClock
from tests.capturing.sources import OPERATION, canary, plan

ROOT = Path(__file__).parents[2]
CAPABILITIES = ("CapEff", "CapPrm", "CapInh", "CapAmb")
CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")

VICTIM = """
import os, resource, signal, sys
sys.path.append(sys.argv[1])
from edge.capturing import hardening
_, hard = resource.getrlimit(resource.RLIMIT_CORE)
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
if sys.argv[2] == "not dumpable, with room for a dump":
    hardening._forbid_core_files = hardening._empty_core_dumps = lambda: None
if sys.argv[2] != "plain":
    assert hardening.harden(os.getppid(), keep=[]) == ()
print(flush=True)
signal.pause()
"""

HOLDER = """
import sys
from pathlib import Path
from edge.capturing.process import CaptureProcess
from edge.clock import SystemClock
from tests.capturing.driving import Reader
from tests.capturing.sources import OPERATION, plan
folder, seed = Path(sys.argv[1]), sys.argv[2]
capture = CaptureProcess(plan(folder, rate=32_000, seed=seed), OPERATION, "first", clock=SystemClock())
reader = Reader(capture)
reader.until(lambda: reader.frames > 20_000)
print(capture.pid, flush=True)
while True:
    capture.read(1)
"""


@pytest.fixture(name="capture")
def capturing(tmp_path: Path) -> Iterator[CaptureProcess]:
    with CaptureProcess(plan(tmp_path, rate=1000), OPERATION, "first", clock=SystemClock()) as capture:
        yield capture


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_the_kernel_says_that_capture_is_hardened(capture: CaptureProcess) -> None:
    assert capture.pid is not None
    process = Path(f"/proc/{capture.pid}")
    assert int((process / "coredump_filter").read_text(), 16) == 0
    assert resource.prlimit(capture.pid, resource.RLIMIT_CORE) == (0, 0)
    threads = [status(int(each.name)) for each in (process / "task").iterdir()]
    assert {thread["NoNewPrivs"] for thread in threads} == {"1"}
    assert {thread["Seccomp"] for thread in threads} == {"2"}
    assert {int(thread[name], 16) for thread in threads for name in CAPABILITIES} == {0}
    assert status(capture.pid)["Name"] == "nevgate-capture"
    # proc(5): what belongs to a process that is not dumpable belongs to root, whoever runs it.
    assert (process / "mem").stat().st_uid == 0
    open_files = {str(each.readlink()) for each in (process / "fd").iterdir()}
    assert {each.partition(":")[0] for each in open_files} <= {"/dev/null", "socket", "pipe"} | {
        str(Path("/proc/self/fd/2").readlink())
    }


def test_a_hardened_process_is_not_dumpable() -> None:
    script = (
        "import os, sys; sys.path.append(sys.argv[1])\n"
        "from edge.capturing.hardening import dumpable, harden\n"
        "print(dumpable(), len(harden(os.getppid(), keep=[])), dumpable())"
    )
    run = subprocess.run([sys.executable, "-c", script, ROOT], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["True", "0", "False"]


def test_a_process_whose_parent_has_gone_already_ends() -> None:
    script = (
        "import sys; sys.path.append(sys.argv[1])\n"
        "from edge.capturing.hardening import harden\n"
        "harden(1 << 22, keep=[]); print('lives')"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, ROOT], capture_output=True, text=True, check=True, timeout=20
    )
    assert run.stdout == ""


def test_descriptors_of_others_are_closed() -> None:
    reading, writing = os.pipe()
    script = (
        "import os, sys; sys.path.append(sys.argv[1])\n"
        "from edge.capturing.hardening import harden\n"
        "harden(os.getppid(), keep=[int(sys.argv[2])])\n"
        "print(sorted(map(int, os.listdir('/proc/self/fd')))[3:5])"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, ROOT, str(writing)],
        capture_output=True,
        text=True,
        check=True,
        pass_fds=[reading, writing],
    )
    kept = run.stdout
    os.close(reading)
    os.close(writing)
    assert str(writing) in kept
    assert str(reading) not in kept.replace(str(writing), "")


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_forced_core_dump_gives_no_file(tmp_path: Path, number: signal.Signals) -> None:
    pattern = CORE_PATTERN.read_text().strip()
    if pattern.startswith(("|", "@", "/")):
        pytest.skip(f"this machine keeps core dumps elsewhere: {pattern}")
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("nothing is dumped here: the hard limit is 0")
    assert core_files(tmp_path / "plain", "plain", number), "a dump is made where nothing forbids it"
    for kind in ("not dumpable, with room for a dump", "hardened"):
        assert core_files(tmp_path / kind, kind, number) == []


def core_files(folder: Path, kind: str, number: signal.Signals) -> list[Path]:
    """Core files that a process leaves that is ended by a signal in a folder of its own."""
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", VICTIM, ROOT, kind], stdout=subprocess.PIPE, cwd=folder
    ) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"\n"
        victim.send_signal(number)
        assert victim.wait() == -number
    return list(folder.iterdir())


SAME_USER = """
import ctypes, os, signal, sys
sys.path.append(sys.argv[1])
from edge.capturing.hardening import dumpable, harden
os.setgid(65534)
os.setuid(65534)
for kind in ("plain", "hardened"):
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        # Becoming somebody else makes a process undumpable; a new program would be dumpable again.
        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
        assert dumpable()
        if kind == "hardened":
            harden(os.getppid(), keep=[writing])
        os.write(writing, b"x")
        signal.pause()
    os.close(writing)
    os.read(reading, 1)
    try:
        open(f"/proc/{pid}/mem", "rb").close()
        print(kind, "read")
    except PermissionError:
        print(kind, "refused")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
"""


def test_others_of_the_same_user_cannot_read_its_memory() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    run = subprocess.run(
        [sys.executable, "-c", SAME_USER, ROOT], capture_output=True, text=True, check=True, timeout=20
    )
    assert run.stdout.splitlines() == ["plain read", "hardened refused"]


def hits(pid: int, wanted: bytes) -> int:
    """How often some bytes stand in the memory of a process."""
    found = 0
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, *_, name = [*line.split(maxsplit=5), ""][:6]
            if "r" not in rights or name.strip() in {"[vvar]", "[vsyscall]", "[vvar_vclock]"}:
                continue
            begin, end = (int(each, 16) for each in span.split("-"))
            memory.seek(begin)
            try:
                found += memory.read(end - begin).count(wanted)
            except OSError:
                continue
    return found


def test_the_memory_of_the_core_holds_no_bit_that_was_not_collected(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path, "seed of a canary"], stdout=subprocess.PIPE, cwd=ROOT
    ) as core:
        assert core.stdout is not None
        try:
            child = int(core.stdout.readline())
            denied = canary("seed of a canary")
            masked = (5000).to_bytes(4, "little") + bytes(4)
            assert hits(core.pid, masked) > 0, "what was collected is there, so the search works"
            assert hits(core.pid, denied) == 0
            assert hits(child, denied) > 0, "capture had it, so there was something to find"
        finally:
            core.kill()


def test_what_the_kernel_does_not_do_is_told() -> None:
    script = (
        "import os, sys; sys.path.append(sys.argv[1])\n"
        "from edge.capturing import hardening\n"
        "from pathlib import Path\n"
        "hardening._FILTER = Path('/nowhere/coredump_filter')\n"
        "print(*hardening.harden(os.getppid(), keep=[]), sep='\\n'); print(hardening.dumpable())"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, ROOT], capture_output=True, text=True, check=True, timeout=20
    )
    lacking, dumpable = run.stdout.splitlines()
    assert "a core dump that is forced would hold memory" in lacking
    assert dumpable == "False"
