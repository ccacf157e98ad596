"""What becomes of events: the values that the vehicle room hands on beside records."""

from __future__ import annotations

from dataclasses import dataclass

from edge.frames import FrameBatch


@dataclass(frozen=True, slots=True)
class EventStarted:
    """An event has begun.

    Attributes:
        event_id: ``name@nanoseconds``: one event in a boot.
        trigger: the name of the event in the configuration, ``collision`` for a collision.
        at_ns: when what it waits for came about: the time of the frame that showed it, boot-monotonic.
        from_ns: its window begins here.
        to_ns: it ends here, if nothing prolongs it.
        cause: what the condition was, in words, with the values that were seen.
        frames: whether `EventFrames` follow.
        locked: whether it has to outlast later events (GB 39732).
        complete_from_ns: from here on the raw frames are whole; later than `from_ns` where the ring of frames
            had no more, as after a start.
    """

    event_id: str
    trigger: str
    at_ns: int
    from_ns: int
    to_ns: int
    cause: str
    frames: bool
    locked: bool
    complete_from_ns: int


@dataclass(frozen=True, slots=True)
class EventFrames:
    """Raw frames of an event, masked as the door let them through; one piece of several, in order.

    Attributes:
        event_id: of which event.
        batch: frames whose time lies in the window, of one mask and timebase.
    """

    event_id: str
    batch: FrameBatch


@dataclass(frozen=True, slots=True)
class EventEnded:
    """An event is over: no frames of it follow.

    Attributes:
        event_id: which.
        trigger: its name.
        from_ns: where its window began.
        to_ns: where it ended.
        cause: why it ended, in words.
        frames: how many frames were handed on.
        again: how often what it waits for came about again within the window.
    """

    event_id: str
    trigger: str
    from_ns: int
    to_ns: int
    cause: str
    frames: int
    again: int


EventOutcome = EventStarted | EventFrames | EventEnded
