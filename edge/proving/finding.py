"""What an experiment on the door tried and found."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.policy.classes import DataClass


@dataclass(frozen=True, slots=True)
class Occasion:
    """A set of classes that the policy can have collected at once.

    Attributes:
        title: when that is, for people.
        collect: the classes that somebody's word or the law has collected.
        withhold: those of them that the place withholds.
    """

    title: str
    collect: frozenset[DataClass]
    withhold: frozenset[DataClass] = frozenset()

    @property
    def classes(self) -> frozenset[DataClass]:
        """What is collected."""
        return self.collect - self.withhold


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A forbidden bit on which something depends that leaves the door.

    Attributes:
        occasion: title of the occasion.
        bus: the bus.
        arbitration_id: of the frame.
        extended: whether that has 29 bits.
        kind: ``frame``, ``J1939 message``, ``diagnostic message`` or ``container``.
        bit: byte * 8 + bit, of a container's PDU within it; None where it is no single one.
        signals: those that the bit may belong to, each with its class; none where nobody describes it.
        depends: what depends on it: ``the frame itself``, ``whether the frame passes``, ``decoded signals``,
            ``records``, or ``the account``.
        before: payload in hexadecimal; empty of a recording, whose content is not shown.
        after: payload with the bit flipped.
        left_before: what left the door of the first; None for nothing.
        left_after: what left the door of the second; None for nothing.
    """

    occasion: str
    bus: str
    arbitration_id: int
    extended: bool
    kind: str
    bit: int | None
    signals: tuple[str, ...]
    depends: str
    before: str = ""
    after: str = ""
    left_before: str | None = None
    left_after: str | None = None


@dataclass(slots=True)
class Tally:
    """What was tried.

    Attributes:
        occasions: titles of the sets of classes.
        ids: ids that a database describes, and diagnostic channels.
        unknown_ids: ids that none describes.
        payloads: different payloads of frames.
        flips: forbidden bits that were flipped one by one.
        together: frames in which many forbidden bits were changed at once.
        messages: segmented messages, diagnostics and containers.
        frames: frames sent through each of two doors.
        left: frames that left a door.
        values: decoded values that were compared.
        records: records that were compared.
        recorded: frames of the recording.
    """

    occasions: tuple[str, ...] = ()
    ids: int = 0
    unknown_ids: int = 0
    payloads: int = 0
    flips: int = 0
    together: int = 0
    messages: int = 0
    frames: int = 0
    left: int = 0
    values: int = 0
    records: int = 0
    recorded: int = 0


@dataclass(slots=True)
class Finding:
    """What came of it.

    Attributes:
        tally: what was tried.
        counterexample: the first that was found; None for none.
    """

    tally: Tally = field(default_factory=Tally)
    counterexample: Counterexample | None = None
