"""What is freed stays with the process, until it is to be gone."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from edge import process_memory

TOKEN = bytes(range(1, 250))

def found():
    count = 0
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps:
            words = line.split()
            if words[1].startswith("rw") and words[-1] in ("[heap]", "0"):
                begin, end = (int(word, 16) for word in words[0].split("-"))
                memory.seek(begin)
                while memory.tell() < end:
                    # Little at a time, or what is read takes the place of what is looked for.
                    count += memory.read(min(16_384, end - memory.tell())).count(TOKEN * 2)
    return count

process_memory.settle()
kept = [TOKEN * 4000 for _ in range(8)]
last = bytearray(100)
del kept
before = found()
if sys.argv[1] == "give back":
    process_memory.give_back()
print(before, found())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's memory is looked at in /proc")
def test_what_is_freed_is_kept_for_the_next_batch_and_cleared_when_it_is_given_back() -> None:
    def told(what: str) -> tuple[int, int]:
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM, what], capture_output=True, text=True, check=True
        )
        before, after = ran.stdout.split()
        return int(before), int(after)

    before, after = told("keep")
    assert min(before, after) > 1000
    before, after = told("give back")
    assert before > 1000
    assert after < before / 50
