"""A gateway, a broker that is none, and a platform in one thread under a virtual clock."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edge.bus.memory import MemorySource
from edge.catalogue.catalogue import builtin
from edge.clock import NS_PER_S, Timebase, TimeQuality, VirtualClock
from edge.config.configuration import load_config
from edge.frames import Frame, FrameBatch
from edge.gateway import Gateway
from edge.loading import Loaded, load
from edge.policy.policy_choice import PolicyChoice
from edge.uplink.outgoing import VehicleTopics
from edge.uplink.uplink import Uplink
from edge.wire.cose import Role, Signer, Verifier
from edge.wire.key_files import write_signing_key
from edge.wire.keys import SigningKey
from edge.wire.message import decode
from edge.wire.receipt import NumberRange, Receipt, encode
from edge.wire.up_kinds import peek_kind
from simulator.platform.sequence import Sequence
from simulator.virtual_link import LinkFaults, VirtualLink

VIN = "LNVTEST0000000001"
TOPICS = VehicleTopics(VIN)
MADE_UP = Path(__file__).parents[1] / "catalogue" / "made_up.dbc"
S = NS_PER_S
WALL_NS = 1_800_000_000 * S
MS = 1_000_000
MOTION, ALARMS = 256, 260
VEHICLE_KEY, PLATFORM_KEY = SigningKey.seeded(b"vehicle"), SigningKey.seeded(b"platform")

CLASSES = '[operation]\nsignals = ["Motion.*", "Alarms.*"]\n'
BINDING = """
[items."vehicle.speed"]
signal = "Motion.Speed"
[items."alarm.flags"]
latched = true
[items."alarm.flags".bits]
battery_high_temperature = "Alarms.Hot"
[items."alarm.flags".levels]
battery_high_temperature = 3
[items."alarm.max_level"]
derive = "max_level"
of = "alarm.flags"
"""


class SteppedClock(VirtualClock):
    """A virtual clock that lets uplinks work whenever somebody waits.

    Attributes:
        uplinks: what is stepped while time passes.
        never_waited_on: events that nobody may wait on; see `Gateway.run`.
        at: what is done when the time has come, by that time.
    """

    def __init__(self) -> None:
        super().__init__(boot_ns=S)
        self.uplinks: list[Uplink] = []
        self.never_waited_on: list[threading.Event] = []
        self.at: list[tuple[int, Callable[[], object]]] = []

    def wait(self, wake: threading.Event, timeout_s: float) -> bool:
        assert wake not in self.never_waited_on
        self.pass_until(self.boot_ns() + round(timeout_s * S))
        return wake.is_set()

    def pass_until(self, end_ns: int) -> None:
        """Let time pass with all that happens in it."""
        while True:
            due = [due_ns for uplink in self.uplinks if (due_ns := uplink.step()) is not None]
            due += [at_ns for at_ns, _ in self.at]
            if self.boot_ns() >= end_ns:
                return
            self.advance_to(min([end_ns, *(max(each, self.boot_ns() + 1) for each in due)]))
            for at_ns, do in list(self.at):
                if at_ns <= self.boot_ns():
                    self.at.remove((at_ns, do))
                    do()


@dataclass
class Platform:
    """Takes messages and answers with cumulative receipts.

    Attributes:
        answer: publishes to the gateway.
        messages: bytes of each message of records that arrived, doubles included.
        statements: payloads of the others: accounts, checkpoints, time corrections.
        streams: what is known of each stream.
        speeds: of each record that has one, by number, of the last stream.
        alarms: numbers of records that came as alarms.
        topics: of each message of records.
    """

    answer: Callable[[str, bytes], None] | None = None
    messages: list[bytes] = field(default_factory=list)
    statements: list[bytes] = field(default_factory=list)
    streams: dict[bytes, Sequence] = field(default_factory=dict)
    speeds: dict[int, object] = field(default_factory=dict)
    alarms: list[int] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)

    def take(self, topic: str, payload: bytes) -> None:
        verified = Verifier({VIN: [VEHICLE_KEY.public]}).verify(payload, vehicle=VIN)
        if not peek_kind(verified.payload).holds_records:
            self.statements.append(verified.payload)
            return
        message = decode(verified.payload, builtin())
        self.messages.append(payload)
        self.topics.append(topic)
        sequence = self.streams.setdefault(message.stream, Sequence())
        for record in message.records:
            sequence.arrive(record.number)
            self.speeds[record.number] = record.values.get("vehicle.speed")
            if topic.endswith("/alarm"):
                self.alarms.append(record.number)
        for loss in message.losses:
            sequence.report_lost(loss.first, loss.last)
        gaps = tuple(NumberRange(first, last) for first, last in sequence.missing())
        receipt = Receipt(message.stream, sequence.watermark, gaps, highest=sequence.highest)
        if self.answer is not None:
            signed = Signer(PLATFORM_KEY, vehicle=VIN, role=Role.DOWN).sign(encode(receipt))
            self.answer(TOPICS.receipt, signed)

    @property
    def sequence(self) -> Sequence:
        """Of the only stream."""
        (found,) = self.streams.values()
        return found

    @property
    def received(self) -> list[tuple[int, int]]:
        """Spans of the numbers that came, of the only stream."""
        return list(self.sequence.received)


class Rig:
    """A road, taken up to the point at which `gateway.run` is called.

    Args:
        folder: scratch space.
        uplink: lines for the configuration's table of the uplink.
        sampling: lines for the table of sampling.
        buses: names of the buses, each with the made-up database.
        faults: of the link.
        maximum_packet_size: what the broker takes.
        seed: of what the gateway draws.
        boot: names the boot; drawn without one.
        classes: the class file of the buses.
        binding: the binding file of the first one.
        choice: the policy; without one, the built-in default.
        quality: of the wall clock, which shows 2027 where it has any.
    """

    def __init__(
        self,
        folder: Path,
        *,
        uplink: str = "",
        sampling: str = "",
        buses: Iterable[str] = ("pt",),
        faults: LinkFaults | None = None,
        maximum_packet_size: int | None = None,
        seed: int = 2,
        boot: bytes | None = None,
        classes: str = CLASSES,
        binding: str = BINDING,
        choice: PolicyChoice | None = None,
        quality: TimeQuality = TimeQuality.NONE,
    ) -> None:
        self.clock = SteppedClock()
        if quality is not TimeQuality.NONE:
            self.clock.set_timebase(Timebase(WALL_NS, quality))
        self.choice = choice
        self.platform = Platform()
        self.link = VirtualLink(
            self.clock,
            random.Random(1),  # noqa: S311 - a seed must replay the run
            self.platform.take,
            faults=faults,
            maximum_packet_size=maximum_packet_size,
        )
        self.platform.answer = self.link.send_down
        self.loaded = configuration(
            folder, uplink=uplink, sampling=sampling, buses=buses, classes=classes, binding=binding
        )
        self.told: list[str] = []
        self.stop = threading.Event()
        self.clock.never_waited_on.append(self.stop)
        self.gateway = self.make_gateway(seed, boot)

    def make_gateway(self, seed: int = 2, boot: bytes | None = None) -> Gateway:
        gateway = Gateway(
            self.loaded,
            clock=self.clock,
            rng=random.Random(3),  # noqa: S311 - a seed must replay the run
            draw=random.Random(seed).randbytes,  # noqa: S311 - a seed must replay the run
            notify=lambda notice: self.told.append(notice.text),
            link=self.link,
            boot=boot,
            choice=self.choice,
        )
        self.clock.uplinks = [gateway.uplink]
        return gateway

    def fact(self, hop: str, unit: str, name: str) -> int:
        account = self.gateway.account()
        (found,) = [each for each in account.hops if (each.name, each.unit) == (hop, unit)]
        return {**found.facts, **found.set_aside}.get(name, 0)

    def connect(self) -> None:
        """Let enough time pass to be connected."""
        self.clock.pass_until(self.clock.boot_ns() + 5 * S)


def configuration(
    folder: Path,
    *,
    uplink: str,
    sampling: str,
    buses: Iterable[str],
    classes: str = CLASSES,
    binding: str = BINDING,
) -> Loaded:
    """Write a configuration with its files, and load it."""
    folder.mkdir(exist_ok=True)
    write_signing_key(folder / "vehicle.pem", VEHICLE_KEY)
    write_signing_key(folder / "platform.pem", PLATFORM_KEY)
    (folder / "classes.toml").write_text(classes)
    (folder / "binding.toml").write_text(binding)
    (folder / "no.binding.toml").write_text("[items]\n")
    tables = ""
    for place, name in enumerate(buses):
        binding = "no.binding.toml" if place else "binding.toml"
        tables += (
            f'[[bus]]\nname = "{name}"\n[[bus.database]]\nfile = "{MADE_UP}"\n'
            f'classes = "classes.toml"\nbinding = "{binding}"\n'
        )
    (folder / "nevgate.toml").write_text(
        f'[vehicle]\nvin = "{VIN}"\n{tables}[sampling]\n{sampling}\n'
        f'[uplink]\nhost = "127.0.0.1"\ntls.enabled = false\n{uplink}\n'
        '[signing]\nkey = "vehicle.pem"\nplatform = "platform.pub.pem"\n'
    )
    return load(load_config(folder / "nevgate.toml"))


def motion(t_ns: int, speed: int, bus: str = "pt") -> Frame:
    """A frame that says `speed` in whole km/h."""
    return Frame(t_ns, MOTION, (speed * 100).to_bytes(2, "little") + bytes(6), bus)


def alarm(t_ns: int, *, up: bool) -> Frame:
    return Frame(t_ns, ALARMS, bytes([up, *bytes(7)]), "pt")


def recording(seconds: int, *, batch: int = 10) -> MemorySource:
    """Ten frames a second, in batches of so many; the speed is the second's number modulo 200."""
    frames = [motion(tenth * 100 * MS, tenth // 10 % 200) for tenth in range(seconds * 10 + 1)]
    return source(frames[begin : begin + batch] for begin in range(0, len(frames), batch))


def source(batches: Iterable[list[Frame]]) -> MemorySource:
    return MemorySource((FrameBatch.from_frames(each) for each in batches), buses=["pt"])


def live(
    rig: Rig, bus: str, frames: Callable[[int], list[Frame]], *, seconds: int, every_ms: int = 100
) -> MemorySource:
    """A bus on which, every so often, the frames of the time that has passed since arrive."""

    def batches() -> Iterator[FrameBatch]:
        start_ns = rig.clock.boot_ns()
        for place in range(seconds * 1000 // every_ms):
            now_ns = start_ns + place * every_ms * MS
            rig.clock.pass_until(now_ns)
            yield FrameBatch.from_frames(frames(now_ns), buses=[bus])

    return MemorySource(batches(), name=bus, buses=[bus], timebase=rig.clock.timebase(), live=True)
