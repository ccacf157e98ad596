"""A journal with position under a consent, and two destinations at work on it."""

from __future__ import annotations

from pathlib import Path

from edge.forward.composer import Composed
from edge.forward.cose_composer import CoseComposer
from edge.forward.erasing import Erasing
from edge.forward.forwarder import Forwarder
from edge.forward.recent import Recent
from edge.forward.rules import ForwardRules
from edge.journal.journal import Committed
from edge.journal.keys.key_provider import KeyProvider
from edge.journal.upkeep.condemned import Condemned
from edge.journal.upkeep.erase import overdue
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose
from edge.uplink.outgoing import Kind, Outgoing
from edge.wire.cose import Signer
from tests.journal.journal_rig import CATALOGUE, KEY, VEHICLE, Rig

NAMES = ("platform", "fleet")


class Sieve(CoseComposer):
    """Leaves out what a policy does not let a destination have."""

    denied: frozenset[str] = frozenset()

    def records(self, kind: Kind, records, **more) -> Composed:  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN003
        left = [
            type(one)(
                one.number,
                one.t_ns,
                one.timebase,
                {k: v for k, v in one.values.items() if k not in self.denied},
            )
            for one in records
        ]
        return super().records(kind, left, **more)


class Site:
    """A journal with position under consent 3, and two destinations at work."""

    def __init__(self, folder: Path, *, provider: KeyProvider | None = None) -> None:
        self.rig = Rig(folder, checkpoint_blocks=10_000, provider=provider, ground=self.ground)
        self.label: str | None = "consent 3"
        self.start()

    def ground(self, mask: str, data_class: DataClass, purposes: tuple[Purpose, ...]) -> str | None:
        del mask, purposes
        return self.label if data_class is DataClass.POSITION else ""

    def start(self) -> None:
        self.rig.start()
        opened, clock = self.rig.open, self.rig.clock
        self.recent = Recent()
        opened.journal.on_commit.append(self.committed)
        self.condemned = Condemned(opened.keys, clock)
        opened.journal.chores.append(self.condemned.step)
        self.sieves = {name: Sieve(VEHICLE, CATALOGUE, Signer(KEY, vehicle=VEHICLE)) for name in NAMES}
        self.forwarders = {name: self.forwarder(name) for name in NAMES}
        self.erasing = Erasing(opened, tuple(self.forwarders.items()), self.recent, self.condemned)
        if requests := overdue(opened.keys):
            self.erasing.erase(requests)

    def forwarder(self, name: str) -> Forwarder:
        return Forwarder(
            self.rig.open,
            ForwardRules(name, VEHICLE, reissue_days=0, live_records=2),
            self.sieves[name],
            self.recent,
            clock=self.rig.clock,
            boot=self.rig.open.boot,
            draw=self.rig.dice.randbytes,
            own_thread=False,
        )

    def committed(self, done: Committed) -> None:
        self.recent.add(done.records, self.rig.clock.boot_ns())

    def stop(self) -> None:
        for forwarder in self.forwarders.values():
            forwarder.close()
        self.rig.stop()

    def restart(self) -> None:
        self.stop()
        self.start()

    def crash(self) -> None:
        """Nothing more is written; what was committed stays."""
        for forwarder in self.forwarders.values():
            forwarder.close()
        self.rig.open._stack.close()
        self.start()

    def begin(self, name: str = NAMES[0]) -> dict[int, Outgoing]:
        """All messages that can be made now, by position, none acknowledged."""
        found: dict[int, Outgoing] = {}
        for kind in Kind:
            after = 0
            while (item := self.forwarders[name].next(kind, after)) is not None:
                after = item[0]
                found[after] = item[1]
        return found

    def drain(self, name: str = NAMES[0]) -> list[Outgoing]:
        """All messages until nothing is left, each acknowledged."""
        forwarder = self.forwarders[name]
        forwarder.flush()
        found: list[Outgoing] = []
        for _ in range(100):
            for position, item in self.begin(name).items():
                found.append(item)
                assert forwarder.acknowledge(position)
        self.rig.open.journal.commit()
        return found

    def balanced(self) -> bool:
        hops = [*self.rig.open.journal.hops(), *(one.hop() for one in self.forwarders.values())]
        counts = [one.counts() for one in self.forwarders.values()]
        return all(hop.balanced for hop in hops) and all(
            one.entered.messages
            == one.acknowledged.messages
            + one.held.messages
            + sum(lost.messages for lost in one.lost.values())
            for one in counts
        )
