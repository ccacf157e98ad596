"""Replays the log of a virtual machine's disk to chosen moments and asks the store what it still holds."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random

from tests.power.claims import Claim, Unreadable, Workload, broken
from tests.power.cuts import memory_folder
from tests.power.journal_live import ENTERED, lost_s
from tests.power.platter import Cut, Platter, Write, applied
from tests.power.vm.guest import MARKER
from tests.power.vm.machine import FILE_SYSTEM_BYTES
from tests.power.vm.write_log import LogFlag, LoggedWrite

#: Other bytes in a sector (`Cut.NOISE`) would be a fault that ext4 does not claim to survive.
CUTS = (Cut.NOTHING, Cut.EVERYTHING, Cut.PREFIX, Cut.SUFFIX, Cut.SUBSET, Cut.TORN)
_UNCORRECTED = 4


@dataclass(slots=True)
class Replayed:
    """What came of replaying to some moments.

    Attributes:
        points: how many.
        lost_s: for each, how old what came in and was not there had become.
        faults: moment, cut and what did not hold.
    """

    points: int = 0
    lost_s: list[float] = field(default_factory=list)
    faults: list[tuple[int, Cut, tuple[str, ...]]] = field(default_factory=list)


def claim_of(entry: LoggedWrite) -> Claim | None:
    """Return the claim that an entry of the log is, or None for a write of the file system's."""
    if entry.offset < FILE_SYSTEM_BYTES or not entry.data.startswith(MARKER):
        return None
    series, number, digest = json.loads(entry.data[len(MARKER) :].rstrip(b"\0"))
    return Claim(series, number, digest)


def take(platter: Platter, entry: LoggedWrite, *, flushes: bool = True) -> None:
    """Let the disk take one entry of its log; without `flushes` it only pretends to flush."""
    if entry.flags & LogFlag.FLUSH and flushes:
        platter.sync()
    if not entry.data or entry.offset >= FILE_SYSTEM_BYTES:
        return
    write = Write(entry.offset, entry.data)
    if entry.flags & LogFlag.FUA and flushes:
        applied(platter.durable, write)
    else:
        platter.change(write)


def replay(
    workload: Workload, before: bytes, entries: Sequence[LoggedWrite], points: Iterable[int], random: Random
) -> Replayed:
    """Take the power away after each of the entries `points`, in a drawn way, and check the claims."""
    done = Replayed()
    wanted = set(points)
    platter = Platter(before)
    announced: list[Claim] = []
    written = [claim for entry in entries if (claim := claim_of(entry))]
    for at, entry in enumerate(entries):
        if claim := claim_of(entry):
            announced.append(claim)
        else:
            take(platter, entry)
        if at in wanted:
            check(done, at, random.choice(CUTS), workload, platter, announced, written, random)
    return done


def flushed_claims(entries: Sequence[LoggedWrite]) -> list[int]:
    """Return the positions of claims before which something was flushed since the claim before."""
    found: list[int] = []
    flushed = False
    for at, entry in enumerate(entries):
        if claim_of(entry):
            if flushed:
                found.append(at)
            flushed = False
        elif entry.flags & LogFlag.FLUSH:
            flushed = True
    return found


def replay_without_flushes(
    workload: Workload, before: bytes, entries: Sequence[LoggedWrite], claims: Iterable[int], random: Random
) -> Replayed:
    """Do so right after some claims, on a disk that only pretended the flushes since the claim before.

    Args:
        workload: the store.
        before: the disk before the first entry.
        entries: of the log.
        claims: positions of claims in it, all of them among `flushed_claims`.
        random: draws.
    """
    done = Replayed()
    wanted = set(claims)
    platter, lying = Platter(before), Platter()
    announced: list[Claim] = []
    places = [at for at, entry in enumerate(entries) if claim_of(entry)]
    written = [claim for entry in entries if (claim := claim_of(entry))]
    begins = {earlier for earlier, later in pairwise(places) if later in wanted}
    for at, entry in enumerate(entries):
        if claim := claim_of(entry):
            announced.append(claim)
            if at in wanted:
                check(done, at, Cut.NOTHING, workload, lying, announced, written, random)
            if at in begins:
                lying = Platter(bytes(platter.durable))
                lying.pending = list(platter.pending)
        else:
            take(platter, entry)
            take(lying, entry, flushes=False)
    return done


def claims_alone(told: Sequence[Claim]) -> list[Claim]:
    """Leave out what only came in."""
    return [claim for claim in told if claim.series != ENTERED]


def check(
    done: Replayed,
    at: int,
    cut: Cut,
    workload: Workload,
    platter: Platter,
    announced: Sequence[Claim],
    written: Sequence[Claim],
    random: Random,
) -> None:
    """Lay out what is on the disk now, let the file system recover, and compare the store with its claims.

    ``e2fsck -p`` does what it does when a machine starts: it replays the journal and mends what is no damage,
    such as the counts of free blocks in the superblock; anything more is a fault.
    """
    done.points += 1
    with tempfile.TemporaryDirectory(dir=memory_folder()) as name:
        folder = Path(name)
        image, files = folder / "image", folder / "files"
        files.mkdir()
        image.write_bytes(platter.after(cut, random))
        tools = os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
        mend = ["e2fsck", "-f", "-p", str(image)]
        if subprocess.run(mend, capture_output=True, check=False, env=tools).returncode >= _UNCORRECTED:
            done.faults.append((at, cut, ("the file system is damaged",)))
            return
        dump = ["debugfs", "-R", f"rdump / {files}", str(image)]
        subprocess.run(dump, capture_output=True, check=True, env=tools)
        try:
            found = workload.read(files)
            done.lost_s.append(lost_s(announced, found))
            faults = broken(claims_alone(announced), claims_alone(written), found)
        except Unreadable as error:
            faults = [str(error)]
        if faults:
            done.faults.append((at, cut, tuple(faults)))
