"""``nevgate run`` as a process on a bus, and `Drive`: while programs of can-utils send and record."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edge.control.client import ControlClient
from edge.errors import ControlError
from edge.wire.key_files import write_signing_key
from edge.wire.keys import SigningKey
from tests.policy.signed import OPERATION_AND_POSITION, signed_policy

BUS = "vcan0"
PATIENCE_S = 60.0
PLAYED, GENERATED = 600, 400
CLASSIC, LONG, FLEXIBLE, RANDOM = 0x123, 0x18FF0001, 0x321, 0x456
_LINE = re.compile(r"\((\d+\.\d+)\) \S+ ([0-9A-F]+)#(?:#([0-9A-F]))?([0-9A-F]*)")
_BRS_AND_ESI = 3
"""candump also prints ``CANFD_FDF``, by which the kernel marks every frame of CAN FD."""

_EIGHT = "".join(f' SG_ Part{at} : {64 * at}|64@1+ (1,0) [0|0] "" ECU\n' for at in range(8))
_FORMATS = '"StandardCAN","ExtendedCAN","reserved","J1939PG",' + '"reserved",' * 10 + '"StandardCAN_FD"'
DATABASE = f"""VERSION ""
BU_: ECU
BO_ {CLASSIC} Classic: 8 ECU
 SG_ Speed : 0|8@1+ (1,0) [0|255] "km/h" ECU
 SG_ Rest : 8|56@1+ (1,0) [0|0] "" ECU
BO_ {LONG | 0x80000000} Long: 8 ECU
 SG_ All : 0|64@1+ (1,0) [0|0] "" ECU
BO_ {RANDOM} Random: 8 ECU
 SG_ All : 0|64@1+ (1,0) [0|0] "" ECU
BO_ {FLEXIBLE} Flexible: 64 ECU
{_EIGHT}BA_DEF_ BO_ "VFrameFormat" ENUM {_FORMATS};
BA_DEF_DEF_ "VFrameFormat" "StandardCAN";
BA_ "VFrameFormat" BO_ {LONG | 0x80000000} 1;
BA_ "VFrameFormat" BO_ {FLEXIBLE} 14;
"""
CLASSES = '[operation]\nsignals = ["Classic.*", "Long.*", "Random.*", "Flexible.*"]\n'

BINDING = '[items."vehicle.speed"]\nsignal = "Classic.Speed"\n'


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a candump recording.

    Attributes:
        time_s: Unix time in seconds.
        frame: id, flags of CAN FD (None: a classic frame) and data.
    """

    time_s: float
    frame: tuple[str, int | None, str]


NEVGATE = (sys.executable, "-m", "edge")


def configuration(folder: Path, channel: str = BUS, options: str = "fd = true") -> Path:
    """Write that of a gateway that collects every bit of four messages and keeps the frames."""
    folder.mkdir(exist_ok=True)
    write_signing_key(folder / "vehicle.pem", SigningKey.seeded(b"vehicle"))
    (folder / "bus.dbc").write_text(DATABASE, encoding="ascii")
    (folder / "bus.classes.toml").write_text(CLASSES, encoding="ascii")
    (folder / "bus.binding.toml").write_text(BINDING, encoding="ascii")
    path = folder / "nevgate.toml"
    path.write_text(
        '[vehicle]\nvin = "LNVTEST0000000001"\n'
        f'[[bus]]\nname = "pt"\ninterface = "socketcan"\nchannel = "{channel}"\n{options}\n'
        '[[bus.database]]\nfile = "bus.dbc"\n'
        f"{signed_policy(folder, OPERATION_AND_POSITION)}"
        '[journal]\nfolder = "journal"\nframes = true\n'
        '[uplink]\nhost = "127.0.0.1"\nport = 1\njurisdiction = "CN"\nacknowledge = "puback"\n'
        '[uplink.tls]\nenabled = false\n[signing]\nkey = "vehicle.pem"\n',
        encoding="ascii",
    )
    return path


def to_play() -> str:
    """Return a recording of classic, long and FD frames, a millisecond apart, each with its number in it."""
    lines = []
    for number in range(PLAYED):
        data = number.to_bytes(4, "big").hex().upper()
        frame = (
            f"{CLASSIC:03X}#{data}{'5A' * 4}",
            f"{LONG:08X}#{data}{'A5' * 4}",
            f"{FLEXIBLE:03X}##1{data}{'C3' * 60}",
        )[number % 3]
        lines.append(f"({1_700_000_000 + number / 1000:.6f}) rec {frame}\n")
    return "".join(lines)


def read_lines(path: Path) -> list[Line]:
    """Read a candump recording."""
    found = []
    for text in path.read_text(encoding="ascii").splitlines():
        match = _LINE.match(text)
        assert match, text
        time_s, number, flags, data = match.groups()
        fd_flags = None if flags is None else int(flags, 16) & _BRS_AND_ESI
        found.append(Line(float(time_s), (number, fd_flags, data)))
    return found


def until(condition: Callable[[], bool], failing: str) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, failing
        time.sleep(0.1)


def run(command: Sequence[str], *, status: int = 0) -> str:
    """Run a command to its end."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == status, f"{command}: {done.stderr[-2000:]}"
    return done.stdout


@contextmanager
def recorded(path: Path) -> Iterator[None]:
    """Have candump record the bus; return once it listens."""
    with path.open("wb") as out:
        process = subprocess.Popen(["candump", "-L", BUS], stdout=out)
    try:
        listening = Path("/proc/net/can/rcvlist_all")
        until(lambda: BUS in listening.read_text(encoding="ascii"), "candump does not listen")
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


class Running:
    """``nevgate run`` as a process, which ends in order with the ``with`` block.

    Attributes:
        account: what it printed in the end; empty before.
    """

    def __init__(self, config: Path) -> None:
        self._config = config
        self._log = config.with_name("gateway.log")
        self._control = ControlClient(config.with_name("journal") / "control.sock")
        self.account: dict[str, Any] = {}

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    @property
    def bus(self) -> Mapping[str, Any]:
        """How its only bus stands, as its control socket says."""
        (found,) = self.state()["buses"]
        told: Mapping[str, Any] = found
        return told

    def state(self) -> dict[str, Any]:
        return self._control.ask({"do": "state"})

    def frames(self) -> dict[str, Any]:
        """The account of its bus."""
        (found,) = (hop for hop in self.account["hops"] if hop["name"] == "bus pt")
        told: dict[str, Any] = found
        return told

    def __enter__(self) -> Self:
        words = [*NEVGATE, "run", "--config", str(self._config), "--no-live", "--json", "--verbose"]
        output = self._config.with_name("account.json")
        with self._log.open("wb") as errors, output.open("wb") as out:
            self._process = subprocess.Popen([*words, "--drain", "0"], stdout=out, stderr=errors)
        try:
            until(
                lambda: self._process.poll() is not None or answers(self._control),
                "the gateway does not answer",
            )
            assert self._process.poll() is None, self.log
        except BaseException:
            self._process.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._process.send_signal(signal.SIGTERM)
                self._process.wait(PATIENCE_S)
                self.account = json.loads(self._config.with_name("account.json").read_text())
        finally:
            self._process.kill()
            self._process.wait()


class Drive:
    """A gateway that has run while canplayer and cangen sent and candump recorded.

    Attributes:
        sent: how many frames.
        bus: how its bus stood, as its control socket said.
        log: what it wrote.
        account: what it printed in the end.
        recording: what candump wrote.
        exported: the frames of its journal, as ``nevgate journal export`` writes them.
    """

    def __init__(self, folder: Path) -> None:
        self.sent = PLAYED + GENERATED
        config = configuration(folder)
        recording, exported = folder / "candump.log", folder / "exported.log"
        played = folder / "play.log"
        played.write_text(to_play(), encoding="ascii")
        with Running(config) as gateway:
            with recorded(recording):
                run(["canplayer", "-I", str(played), f"{BUS}=rec"])
                random = ["-I", f"{RANDOM:X}", "-L", "8", "-D", "r"]
                run(["cangen", BUS, "-g", "1", "-n", str(GENERATED), *random])
                until(
                    lambda: recording.read_bytes().count(b"\n") == PLAYED + GENERATED, "candump misses frames"
                )
            self.bus = gateway.bus
        self.account, self.log = gateway.account, gateway.log
        self.recording = read_lines(recording)
        run([*NEVGATE, "journal", "export", str(exported), "--config", str(config)])
        self.exported = read_lines(exported)


def answers(control: ControlClient) -> bool:
    try:
        control.ask({"do": "state"})
    except ControlError:
        return False
    return True
