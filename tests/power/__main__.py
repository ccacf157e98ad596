"""Cuts the power of a store in both rigs and prints what held: ``python -m tests.power``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from edge.errors import SourceError
from tests.power.claims import Claim, Workload
from tests.power.cuts import Tally, every_cut, recorded_run
from tests.power.journal_live import oldest_at_commit_s
from tests.power.platter import Cut, drawn
from tests.power.sharpness import Sharpness, without_each_sync
from tests.power.torn_disk import Changed, Disk, Recording, Synced, SyncKind
from tests.power.vm.machine import TOOLS, run_and_cut
from tests.power.vm.replay import Replayed, claim_of, flushed_claims, replay, replay_without_flushes
from tests.power.vm.write_log import LogFlag, LoggedWrite, read_write_log
from tests.power.workloads import DRIVES, LIVE, workload_named
from tests.vm.boot import CACHE, missing

GUEST_CLAIMS = 400
GUEST_PATIENCE_S = 240.0
LIES = 20
LIVE_CLAIMS = 800
LIVE_POINTS = 20


def say(line: str) -> None:
    """Print a line at once: the rigs take minutes."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def told(name: str, tally: Tally, began: float) -> int:
    """Print what came of cuts; return how many broke a claim."""
    say(
        f"  {name}: {tally.cuts} cuts, {tally.states} different states of the disk,"
        f" {len(tally.faults)} broke a claim ({time.monotonic() - began:.0f} s)"
    )
    for fault in tally.faults[:5]:
        say(f"    after event {fault.end}, {fault.cut}, seed {fault.seed}: {'; '.join(fault.faults)}")
    return len(tally.faults)


def torn_disk(name: str, seed: int) -> int:
    """Run the first rig; return how many claims broke or lies went unnoticed."""
    say("torn disk (a VFS that records writes, syncs and folder entries)")
    drive = DRIVES[name]
    began = time.monotonic()
    workload = workload_named(name, commits=drive.short_commits, seed=seed)
    recording = recorded_run(workload)
    say(f"  short run: {described(recording)}")
    faults = told(
        "every moment of it", every_cut(workload, recording, seeds=range(seed, seed + drive.seeds)), began
    )
    faults += recoveries(workload, name, recording, seed)

    began = time.monotonic()
    long = workload_named(name, commits=drive.long_commits, seed=seed + 1)
    recorded = recorded_run(long)
    say(f"  long run: {described(recorded)}")
    step = max(1, len(recorded.events) // drive.long_moments)
    first = seed % step
    faults += told(
        f"every {step}th moment of it", every_cut(long, recorded, [seed], first=first, step=step), began
    )

    began = time.monotonic()
    found = without_each_sync(workload, recording, seeds=range(seed, seed + drive.sharp_seeds))
    say(f"  one sync of the short run left out at a time ({time.monotonic() - began:.0f} s)")
    return faults + syncs_told(found)


def recoveries(workload: Workload, name: str, recording: Recording, seed: int) -> int:
    """Cut the power again while a store reopens and goes on after a first cut."""
    drive = DRIVES[name]
    began = time.monotonic()
    random = drawn(seed)
    tally = Tally()
    for again in range(drive.recoveries):
        disk = Disk(recording.before)
        for event in recording.events[: random.randrange(len(recording.events))]:
            disk.take(event)
        going_on = workload_named(name, commits=3, seed=seed + 100 + again)
        second = recorded_run(going_on, disk.after(random.choice((Cut.TORN, Cut.SUBSET, Cut.NOISE)), random))
        one = every_cut(workload, second, [seed], first=second.standing, step=drive.recovery_step)
        tally.cuts += one.cuts
        tally.states += one.states
        tally.faults += one.faults
    return told(f"{drive.recoveries} recoveries, every {drive.recovery_step}th moment", tally, began)


def described(recording: Recording) -> str:
    """Count what a run did."""
    kinds = Counter(type(event) for event in recording.events)
    return f"{kinds[Changed]} writes and truncations, {kinds[Synced]} syncs, {kinds[Claim]} claims"


def syncs_told(found: list[Sharpness]) -> int:
    """Print how many syncs of each file carry claims; return how many commits' could be left out."""
    needless = 0
    rows: dict[tuple[str, str], list[Sharpness]] = {}
    for one in found:
        rows.setdefault((one.sync.kind, one.sync.name), []).append(one)
    for (kind, name), ones in sorted(rows.items()):
        under = [one for one in ones if one.hung]
        others = [one for one in ones if not one.hung]
        say(
            f"    {kind} sync of {name}: needed are {broken(under)} of {len(under)} right before a claim,"
            f" {broken(others)} of {len(others)} others"
        )
        needless += sum(one.fault is None for one in under if one.sync.kind is SyncKind.WAL)
    return needless


def broken(tried: list[Sharpness]) -> int:
    """Count the syncs without which a claim breaks."""
    return sum(one.fault is not None for one in tried)


@dataclass(frozen=True, slots=True)
class Logged:
    """A run in the virtual machine.

    Attributes:
        before: the disk before it.
        entries: the log up to the last claim.
        claims: positions of the claims in it.
    """

    before: bytes
    entries: list[LoggedWrite]
    claims: list[int]


def machine_run(name: str, claims: int) -> Logged:
    """Boot, let the store work, take the power away.

    Raises:
        SourceError: qemu, or Debian's kernel for it, cannot be had; or the guest did not work.
    """
    if lacking := missing(*TOOLS):
        raise SourceError(f"this machine lacks {lacking}")
    with tempfile.TemporaryDirectory() as folder:
        run = run_and_cut(name, Path(folder), CACHE, claims=claims, patience_s=GUEST_PATIENCE_S)
        entries = list(read_write_log(run.log))
        before = run.before.read_bytes()
    places = [at for at, entry in enumerate(entries) if claim_of(entry)]
    entries = entries[: places[-1] + 1]
    flushes = sum(bool(entry.flags & LogFlag.FLUSH) for entry in entries)
    say(
        f"  booted in {run.boot_s:.0f} s, {workload_named(name).name} worked for {run.run_s:.0f} s:"
        f" {len(entries) - len(places) - flushes} writes, {flushes} flushes, {len(places)} claims in the log"
    )
    return Logged(before, entries, places)


def replayed(name: str, run: Logged, seed: int, points: int) -> Replayed:
    """Replay to drawn moments and print what came of it."""
    began = time.monotonic()
    random = drawn(seed)
    moments = random.sample(range(len(run.entries)), min(points, len(run.entries)))
    cuts = replay(workload_named(name), run.before, run.entries, moments, random)
    say(f"  {cuts.points} moments: {len(cuts.faults)} broke a claim ({time.monotonic() - began:.0f} s)")
    for at, cut, faults in cuts.faults[:5]:
        say(f"    after entry {at}, {cut}: {'; '.join(faults)}")
    return cuts


def machine(name: str, seed: int, points: int) -> int:
    """Run the second rig; return how many claims broke or lies went unnoticed."""
    say("virtual machine (Debian's kernel, ext4, qemu keeps a log of the disk's writes and flushes)")
    try:
        run = machine_run(name, GUEST_CLAIMS)
    except SourceError as error:
        if not missing(*TOOLS) and (CACHE / "kernel" / "complete").exists():
            raise
        say(f"  skipped: {error}")
        return 0
    cuts = replayed(name, run, seed, points)
    began = time.monotonic()
    candidates = flushed_claims(run.entries)[1:]
    lied = drawn(seed).sample(candidates, min(LIES, len(candidates)))
    lies = replay_without_flushes(workload_named(name), run.before, run.entries, lied, drawn(seed))
    say(
        f"  {lies.points} times the disk only pretended the flushes of one commit: {len(lies.faults)} noticed"
        f" ({time.monotonic() - began:.0f} s)"
    )
    wrong = len(cuts.faults) + lies.points - len(lies.faults)
    return wrong + (loss(seed) if name == "journal" else 0)


def loss(seed: int) -> int:
    """Measure in the virtual machine what a cut costs of what was not committed; return the broken claims."""
    run = machine_run(LIVE, LIVE_CLAIMS)
    told = [claim for at in run.claims if (claim := claim_of(run.entries[at]))]
    cuts = replayed(LIVE, run, seed, LIVE_POINTS)
    say(
        f"  lost of what was not committed yet: at most {max(cuts.lost_s):.2f} s, median"
        f" {median(cuts.lost_s):.2f} s; oldest record at its commit: {oldest_at_commit_s(told):.2f} s"
    )
    return len(cuts.faults)


def main() -> int:
    """Run both rigs."""
    parser = argparse.ArgumentParser(prog="python -m tests.power", description=__doc__)
    parser.add_argument("--workload", choices=DRIVES, default="journal")
    parser.add_argument(
        "--points", type=int, default=50, help="moments to which the machine's disk is replayed"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=("torn-disk", "machine"))
    asked = parser.parse_args()
    began = time.monotonic()
    say(f"power cuts of: {workload_named(asked.workload).name}, seed {asked.seed}")
    wrong = 0
    if asked.only != "machine":
        wrong += torn_disk(asked.workload, asked.seed)
    if asked.only != "torn-disk":
        wrong += machine(asked.workload, asked.seed, asked.points)
    say(f"{'all claims held' if not wrong else f'{wrong} wrong'}, {time.monotonic() - began:.0f} s")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
