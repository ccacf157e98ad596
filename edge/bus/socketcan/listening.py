"""Whether a controller only listens: an alarm while it does not, since it then takes part in the bus."""

from __future__ import annotations

from dataclasses import dataclass

from edge.bus.socketcan.link_state import LinkState


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is found of an interface.

    Attributes:
        alarm: whether its controller may send on the bus.
        words: for people, one sentence without a full stop.
    """

    alarm: bool
    words: str


def judge(state: LinkState) -> Judgement:
    """Judge an interface by what the kernel reads back.

    A controller that is not listen-only acknowledges frames and sends error flags (ISO 11898-1), though
    nobody sends a frame on it. An interface without a controller (``vcan``, ``vxcan``, ``veth``) sends
    nothing by itself.
    """
    if state.listen_only is None:
        kind = f" ({state.kind})" if state.kind else ""
        return Judgement(alarm=False, words=f"{state.name} has no controller{kind} that could send by itself")
    if state.listen_only:
        return Judgement(alarm=False, words=f"{state.name} is listen-only")
    if state.can_listen_only is False:
        todo = "its driver knows no listen-only mode: take another adapter, or one that is silent by hardware"
    elif state.kind != "can":
        todo = "its driver does not tell, so that it has to be taken for one that sends"
    else:
        todo = (
            f"set it down, then 'ip link set {state.name} type can listen-only on', "
            "then up (docs/socketcan.md)"
        )
    return Judgement(
        alarm=True,
        words=f"{state.name} is not listen-only, its controller acknowledges frames and flags errors; {todo}",
    )


class ListenOnlyAlarm:
    """Follows the judgement, and tells it when it changes.

    An interface that is down sends nothing, and is about to be set up perhaps; it is judged once it is up.

    Attributes:
        standing: whether the alarm is raised.
    """

    def __init__(self) -> None:
        self.standing = False

    def look(self, state: LinkState | None) -> Judgement | None:
        """Judge what is there now; None where that is nothing new."""
        if state is None or not state.up:
            return None
        judgement = judge(state)
        if judgement.alarm is self.standing:
            return None
        self.standing = judgement.alarm
        return judgement
