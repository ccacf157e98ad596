"""Two buses of CAN FD at 20,000 frames/s of 64 bytes each, into `nevgate run` with a journal of raw frames.

    python -m tests.bench.peers.flexible [SECONDS] [RATE]

Moves into a network of its own with two virtual cables. Each bus has a sender of its own, which paces itself
by the clock and sends many frames in one call; behind the gateway are a broker and a platform. Prints JSON:
frames sent, handed on, in the journal, lost by cause, processor time and memory of nevgate's processes.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.peers import cables, gateway
from tests.bench.peers.cost import cost_of
from tests.socketcan.flood import flood

BUSES = ("left", "right")
RATE = 20_000
SECONDS = 30.0
IDS = range(0x100, 0x140)
BYTES = 64
SETTLED_S = 2.0

_PARTS = "".join(f' SG_ Part{at} : {64 * at}|64@1+ (1,0) [0|0] "" ECU\n' for at in range(8))
_FORMATS = '"StandardCAN","ExtendedCAN","reserved","J1939PG",' + '"reserved",' * 10 + '"StandardCAN_FD"'
DATABASE = "".join(
    (
        'VERSION ""\nBU_: ECU\n',
        *(f"BO_ {number} Block{number}: {BYTES} ECU\n{_PARTS}" for number in IDS),
        'BO_ 512 Motion: 8 ECU\n SG_ Speed : 0|8@1+ (1,0) [0|255] "km/h" ECU\n',
        f'BA_DEF_ BO_ "VFrameFormat" ENUM {_FORMATS};\nBA_DEF_DEF_ "VFrameFormat" "StandardCAN";\n',
        *(f'BA_ "VFrameFormat" BO_ {number} 14;\n' for number in IDS),
    )
)

CLASSES = f"[operation]\nsignals = {json.dumps(['Motion.*', *(f'Block{number}.*' for number in IDS)])}\n"
BINDING = '[items."vehicle.speed"]\nsignal = "Motion.Speed"\n'
"""A gateway needs something to send; nobody sends it that."""


def send(link: str, rate: int, seconds: float) -> None:
    """Be a sender; print what it took."""
    begun_s = time.monotonic()
    sent = flood(link, rate, seconds, mixed=False, flexible=True, ids=IDS)
    took_s = time.monotonic() - begun_s
    used = resource.getrusage(resource.RUSAGE_SELF)
    sys.stdout.write(json.dumps({"sent": sent, "seconds": took_s, "cpu_s": used.ru_utime + used.ru_stime}))


def measure(seconds: float, rate: int) -> dict[str, Any]:
    """Run it once."""
    cables.move_out()
    cables.lay(len(BUSES))
    with tempfile.TemporaryDirectory() as name, gateway.platform() as platform:
        folder = Path(name)
        config = platform.configure(_buses(folder) + _tables(folder), uplink="account_period_s = 3600")
        running = gateway.Gateway(config, folder / "log")
        try:
            time.sleep(SETTLED_S)
            before = cost_of(running.pid)
            words = [sys.executable, "-m", __spec__.name, "send"]
            senders = [
                subprocess.Popen(
                    [*words, cables.far(place), str(rate), str(seconds)], stdout=subprocess.PIPE, text=True
                )
                for place in range(len(BUSES))
            ]
            said = [json.loads(sender.communicate()[0]) for sender in senders]
            time.sleep(SETTLED_S)
            after = cost_of(running.pid, memory=True)
            hops = running.stop()
        finally:
            running.kill()
    told = _told(said, hops)
    us_a_frame = 1e6 * (after.cpu_s - before.cpu_s) / told["sent"]
    return told | {
        "us_a_frame": us_a_frame,
        "percent_of_a_core": us_a_frame * told["rate"] / 1e4,
        "sender_us_a_frame": 1e6 * sum(one["cpu_s"] for one in said) / told["sent"],
        "memory_mb": after.memory_bytes / 1e6,
    }


def _told(said: list[dict[str, float]], hops: dict[str, Any]) -> dict[str, Any]:
    sent, merged = sum(int(one["sent"]) for one in said), hops["merged buses/frames"]
    aside: dict[str, int] = {}
    for hop in hops.values():
        if hop["unit"] == "frames":
            for cause, count in (*hop["set_aside"].items(), *hop["at_least"].items()):
                if count:
                    aside[f"{hop['name']}: {cause}"] = count
    return {
        "sent": sent,
        "rate": sum(one["sent"] / one["seconds"] for one in said),
        "handed_on": merged["left"],
        "in_the_journal": hops["journal/frames"]["left"],
        "dropped_by_the_cables": cables.dropped(),
        "without_a_name": sent - merged["entered"] - cables.dropped(),
        "set_aside": aside,
    }


def _buses(folder: Path) -> str:
    tables = []
    for place, bus in enumerate(BUSES):
        file = folder / f"{bus}.dbc"
        file.write_text(DATABASE, encoding="ascii")
        file.with_suffix(".classes.toml").write_text(CLASSES, encoding="ascii")
        if not place:
            file.with_suffix(".binding.toml").write_text(BINDING, encoding="ascii")
        tables.append(
            f'[[bus]]\nname = "{bus}"\ninterface = "socketcan"\nchannel = "{cables.near(place)}"\nfd = true\n'
            f'options = {{ any_link = true }}\n[[bus.database]]\nfile = "{file}"\n'
        )
    return "".join(tables)


def _tables(folder: Path) -> str:
    return (
        f'[journal]\nfolder = "{folder / "journal"}"\nframes = true\n'
        "[sampling]\ncollect_period_s = 1\nuplink_period_s = 1\n"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["send"]:
        send(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
    else:
        asked = [float(word) for word in sys.argv[1:]]
        found = measure(asked[0] if asked else SECONDS, int(asked[1]) if len(asked) > 1 else RATE)
        print(json.dumps(found, indent=2))  # noqa: T201 - a program speaks
