"""A journal and a destination that is told of it in GB/T 32960.3, under a clock that moves when told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.catalogue.item import Edition
from edge.clock import NS_PER_S, Timebase
from edge.forward.erasing import Erasing
from edge.forward.forwarder import Forwarder
from edge.forward.gbt_composer import GbtComposer
from edge.forward.recent import Recent
from edge.forward.rules import ForwardRules
from edge.forward.thinning import ThinningRules
from edge.forward.view import View, whole
from edge.journal.journal import Committed
from edge.journal.upkeep.condemned import Condemned
from edge.records import Record
from edge.uplink.outgoing import Kind
from edge.vehicle import rules as vehicle_rules
from edge.wire.gbt.beijing import unix_seconds
from edge.wire.gbt.frame import HEADER_BYTES, Command, read_frame
from edge.wire.gbt.message import Message, Report, message_of
from edge.wire.gbt.recording import RecordCodec
from tests.journal.journal_rig import Rig

VIN = "LNVGATE00XDEM0001"
CITY = "city"
ALARM_LEVEL = 3


def messages_in(payload: bytes) -> Iterator[Message]:
    """The frames of a payload, one behind the other, taken apart."""
    at = 0
    while at < len(payload):
        end = at + HEADER_BYTES + int.from_bytes(payload[at + 22 : at + 24]) + 1
        yield message_of(read_frame(payload[at:end]))
        at = end


@dataclass(frozen=True)
class Heard:
    """A report as a platform sees it: its time in seconds of the vehicle's boot, and its command."""

    at_s: int
    command: int

    @property
    def late(self) -> bool:
        return self.command == Command.REISSUE


class GbtSite:
    """The journal with one destination."""

    def __init__(self, folder: Path, edition: Edition, *, report_s: float = 10.0, view: View = whole) -> None:
        self.rig = Rig(folder / "journal", checkpoint_blocks=10_000)
        self.edition = edition
        self.report_s = report_s
        self.view = view
        self.heard: list[Heard] = []
        self.messages: list[Message] = []
        self.set_aside: dict[str, int] = {}
        self.start()

    def start(self) -> None:
        self.rig.start()
        clock, opened = self.rig.clock, self.rig.open
        recent = Recent()

        def committed(done: Committed) -> None:
            recent.add(done.records, clock.boot_ns())

        opened.journal.on_commit.append(committed)
        sampling = vehicle_rules.SamplingRules(
            period_ns=NS_PER_S, edition=vehicle_rules.Edition(str(self.edition.value))
        )
        self.composer = GbtComposer(
            RecordCodec(self.edition),
            VIN,
            self.view,
            time_of=lambda boot: clock.timebase() if boot == opened.boot else None,
        )
        self.forwarder = Forwarder(
            opened,
            ForwardRules(
                CITY,
                VIN,
                live_records=1,
                reissue_days=7,
                thinning=ThinningRules(round(self.report_s * NS_PER_S), sampling),
            ),
            self.composer,
            recent,
            clock=clock,
            boot=opened.boot,
            draw=self.rig.dice.randbytes,
            own_thread=False,
        )
        self.erasing = Erasing(opened, ((CITY, self.forwarder),), recent, Condemned(opened.keys, clock))

    def crash(self) -> None:
        """Nothing more is written; what was committed stays."""
        self.forwarder.close()
        self.rig.open._stack.close()
        self.start()

    def now_s(self) -> int:
        return self.rig.clock.boot_ns() // NS_PER_S

    def drive(
        self,
        levels: Sequence[int | None],
        *,
        linked: bool = True,
        timebase: Timebase | None = None,
        together: int = 8,
    ) -> None:
        """Make a record a second with an alarm level, commit some together, and carry what may go."""
        for count, level in enumerate(levels, 1):
            self.rig.after(1)
            values = {"vehicle.speed": self.now_s() % 200, "gnss.valid": 0}
            if level is not None:
                values["alarm.max_level"] = level
            record = Record(
                0, self.rig.clock.boot_ns(), timebase or self.rig.clock.timebase(), values, "mask",
                alarm=(level or 0) >= ALARM_LEVEL,
            )  # fmt: skip
            assert self.rig.open.journal.add_record(record)
            if count % together == 0 or count == len(levels):
                assert self.rig.open.journal.commit()
                if linked:
                    self.carry()

    def carry(self, *, acknowledged: bool = True) -> None:
        """Take all messages that can go now; the platform hears those that it acknowledges."""
        for kind in Kind:
            after = 0
            while (found := self.forwarder.next(kind, after)) is not None:
                after = found[0]
                if acknowledged:
                    self.hear(list(messages_in(found[1].payload)))
                    assert self.forwarder.acknowledge(after)

    def finish(self) -> None:
        self.forwarder.flush()
        self.carry()
        self.rig.open.journal.commit()
        hop = self.forwarder.hop()
        assert hop.balanced
        self.set_aside = dict(hop.set_aside)

    def hear(self, messages: Sequence[Message]) -> None:
        for message in messages:
            assert isinstance(message.content, Report)
            seconds = unix_seconds(message.content.time)
            assert seconds is not None
            boot_s = seconds - self.rig.clock.timebase().wall_ns(0) // NS_PER_S
            self.heard.append(Heard(boot_s, message.command))
            self.messages.append(message)

    def stop(self) -> None:
        self.forwarder.close()
        self.rig.stop()
