"""One drive in which people agree, and take it back, and what is found of it everywhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.clock import NS_PER_S
from tests.live_canary.capture_process import Guarding, look_at_capture
from tests.live_canary.drive import Drive, until
from tests.live_canary.dumps import dumped, memory_of
from tests.live_canary.tokens import Kind
from tests.live_canary.traces import Traces, in_bytes, in_files, in_journal, in_messages, in_texts

CABIN = ("cabin", "recording")
POSITIONS = (("position", "regulated"), ("position", "recording"))
FAST, SLOW = 220, 60


@dataclass(slots=True)
class Agreement:
    """What somebody agreed to, as the numbers say it.

    Attributes:
        kind: of tokens.
        first: the number that was sent next when it was asked for.
        answered_ns: when its withdrawal was answered; None while it stands.
    """

    kind: Kind
    first: int
    answered_ns: int | None = None


@dataclass(slots=True)
class Agreements:
    """What may be found at all.

    Attributes:
        drive: whose frames they are about.
        all: in order.
    """

    drive: Drive
    all: list[Agreement] = field(default_factory=list)

    def agree(self, kind: Kind) -> Agreement:
        """Note that a person is just going to agree."""
        made = Agreement(kind, self.drive.sender.number)
        self.all.append(made)
        return made

    def allowed(self, kind: Kind, slack_s: float) -> set[int]:
        """Numbers that may be found of a kind.

        Args:
            kind: of tokens.
            slack_s: how long after the answer to a withdrawal a frame may still be found.
        """
        sender = self.drive.sender
        if kind is Kind.OPERATION:
            return set(range(sender.number))
        found: set[int] = set()
        for one in self.all:
            if one.kind is kind:
                end_ns = None if one.answered_ns is None else one.answered_ns + round(slack_s * NS_PER_S)
                found |= {
                    number
                    for number in range(one.first, sender.number)
                    if end_ns is None or sender.sent_ns[number] <= end_ns
                }
        return found - sender.were_inside if kind is Kind.POSITION else found

    def described(self, numbers: Collection[int]) -> list[str]:
        """Numbers in words: when they were sent, from the first agreement on, and where."""
        sender = self.drive.sender
        begin_ns = sender.sent_ns[self.all[0].first] if self.all else 0
        ends = [f"{(one.answered_ns or begin_ns) / 1e9 - begin_ns / 1e9:.3f} s" for one in self.all]
        return [f"agreements ended at {', '.join(ends)}"] + [
            f"{number}, sent at {(sender.sent_ns[number] - begin_ns) / 1e9:.3f} s, "
            + ("inside" if number in sender.were_inside else "outside")
            + (" after outside" if number - 1 not in sender.were_inside else "")
            for number in sorted(numbers)
        ]


@dataclass(slots=True)
class Finding:
    """What was found in one place, against what may be found there.

    Attributes:
        forbidden: numbers by kind of what was never agreed to; latitudes count as positions.
        found: how many tokens of each kind.
        latitudes: how many latitudes.
        searched: bytes.
    """

    forbidden: Mapping[str, list[str]]
    found: Mapping[Kind, int]
    latitudes: int
    searched: int

    @classmethod
    def of(cls, traces: Traces, agreements: Agreements, slack_s: float) -> Finding:
        """Judge what was found."""
        sent = agreements.drive.sender.number
        real = {kind: {one for one in each if one < sent} for kind, each in traces.tokens.items()}
        places = {one for one in traces.outside if one < sent}
        wrong = {kind.name: each - agreements.allowed(kind, slack_s) for kind, each in real.items()}
        wrong["latitude"] = places - agreements.allowed(Kind.POSITION, slack_s)
        wrong["latitude inside"] = {
            one for one in traces.inside if one in agreements.drive.sender.were_inside
        }
        return cls(
            {name: agreements.described(numbers) for name, numbers in wrong.items() if numbers},
            {kind: len(numbers) for kind, numbers in real.items() if numbers},
            len(places),
            traces.searched,
        )


@dataclass(slots=True)
class Story:
    """What came of the drive.

    Attributes:
        findings: by place.
        guarding: how capture was guarded.
        account: of the gateway at its end.
        state: answer to the last request for it.
        sent: rounds of frames.
        inside: rounds of frames from inside of the forbidden area.
        slack_s: how long after the answer to a withdrawal a frame may be in memory.
    """

    findings: dict[str, Finding] = field(default_factory=dict)
    guarding: Guarding | None = None
    account: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    sent: int = 0
    inside: int = 0
    slack_s: float = 1.0


def tell(drive: Drive, scratch: Path, *, times: int = 1) -> Story:
    """Drive, agree, withdraw, and search everything.

    Args:
        drive: with a gateway that runs.
        scratch: a folder for dumps.
        times: how often people agree and withdraw.
    """
    story = Story()
    agreements = Agreements(drive)

    def judged(place: str, traces: Traces, slack_s: float = 0.0) -> None:
        story.findings[place] = Finding.of(traces, agreements, slack_s)

    gateway, sender, tokens = drive.gateway, drive.sender, drive.tokens
    sender.go_on(60)
    judged("memory before anybody agreed", in_bytes(tokens, memory_of(gateway.process.pid, scratch)))
    for turn in range(times):
        mark = f", turn {turn + 1}" if times > 1 else ""
        _agree(drive, agreements)
        judged(f"journal while they agreed{mark}", in_journal(tokens, gateway.folder / "journal"))
        judged(f"files while they agreed{mark}", in_files(tokens, gateway.folder / "journal"))
        if times > 1:
            dump = dumped(gateway.process.pid, scratch)
            judged(f"dump while they agreed{mark}", in_bytes(tokens, dump), story.slack_s)
        _withdraw(drive, agreements, done=3 * (turn + 1))
        dump = dumped(gateway.process.pid, scratch)
        judged(f"dump after they withdrew{mark}", in_bytes(tokens, dump), story.slack_s)
    story.guarding = look_at_capture(drive, scratch, forced=times > 1)
    sender.go_on(40)
    story.state = gateway.ask(do="state")
    sender.stop()
    story.account = gateway.end()
    story.sent, story.inside = sender.number, len(sender.were_inside)
    judged("journal at the end", in_journal(tokens, gateway.folder / "journal"))
    judged("files at the end", in_files(tokens, gateway.folder))
    judged("messages inside of TLS", in_messages(tokens, drive.listener.heard))
    judged("bytes of the wire", in_bytes(tokens, drive.proxy.content))
    judged("log, account and answers", in_texts(tokens, [gateway.log, str(story.account), *gateway.said]))
    return story


def _agree(drive: Drive, agreements: Agreements) -> None:
    """Agree to cabin by the command and to position on the socket; drive fast, and through the area."""
    agreements.agree(Kind.CABIN)
    drive.gateway.consent("grant", *CABIN, "--for", "1h")
    drive.sender.go_on(30)
    agreements.agree(Kind.POSITION)
    for data_class, purpose in POSITIONS:
        drive.gateway.ask(do="grant", purpose=purpose, role="driver", term_s=3600, **{"class": data_class})
    drive.sender.go_on(60)
    drive.sender.speed = FAST
    drive.sender.go_on(20)
    drive.sender.speed = SLOW
    drive.sender.enter(inside=True)
    drive.sender.go_on(40)
    drive.sender.enter(inside=False)
    drive.sender.go_on(60)
    heard = len(drive.listener.heard)
    until(lambda: len(drive.listener.heard) > heard, "no message arrives")


def _withdraw(drive: Drive, agreements: Agreements, *, done: int) -> None:
    """Take everything back, and go on until it is erased."""
    drive.gateway.consent("withdraw", *CABIN)
    _ended(drive, agreements, Kind.CABIN)
    for data_class, purpose in POSITIONS:
        drive.gateway.ask(do="withdraw", purpose=purpose, role="driver", **{"class": data_class})
    _ended(drive, agreements, Kind.POSITION)
    drive.sender.go_on(100)
    drive.gateway.await_state(
        lambda state: sum(each["done"] for each in state["erasures"]) >= done, "nothing is erased"
    )


def _ended(drive: Drive, agreements: Agreements, kind: Kind) -> None:
    for one in agreements.all:
        if one.kind is kind and one.answered_ns is None:
            one.answered_ns = drive.now_ns()
