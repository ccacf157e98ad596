"""`Actions`: what a session has to say to its link and to people, gathered until the event is over."""

from __future__ import annotations

from collections import Counter

from edge.uplink.gbt.events import Action, Send
from edge.uplink.gbt.secrecy import NoDataKeyError, Secrecy
from edge.uplink.notices import Notices
from edge.uplink.reasons import Reason
from edge.wire.gbt.frame import Encryption, Frame
from edge.wire.gbt.message import Message


class Actions:
    """Gathers the actions of one event after the other.

    Args:
        where: the platform as a person knows it; stands before every notice.
        tongue: what is spoken, for people.
        secrecy: encrypts what goes.

    Attributes:
        facts: counts of the session.
        unsent: bytes that the link has not passed on.
    """

    def __init__(self, where: str, tongue: str, secrecy: Secrecy) -> None:
        self.facts: Counter[str] = Counter()
        self.unsent = 0
        self._tongue = tongue
        self._secrecy = secrecy
        self._notices = Notices(where)
        self._gathered: list[Action] = []

    @property
    def trouble(self) -> str:
        """See `Notices.trouble`."""
        return self._notices.trouble

    def take(self) -> list[Action]:
        """What was gathered since the last call, in order."""
        gathered, self._gathered = self._gathered, []
        return gathered

    def add(self, *actions: Action) -> None:
        """Have these carried out."""
        self._gathered += actions

    def send(self, message: Message, now_ns: int) -> bool:
        """Send a message, encrypted if need be; False where it would have to go in plain."""
        frame = message.frame()
        if message.encryption == Encryption.NONE:
            try:
                frame = self._secrecy.sealed(frame, now_ns)
            except NoDataKeyError:
                self.facts["messages not sent for want of a data key"] += 1
                return False
        self.send_frame(frame)
        return True

    def send_frame(self, frame: Frame) -> None:
        """Send a frame as it is.

        Raises:
            GbtError: it is too long.
        """
        data = frame.write()
        self.unsent += len(data)
        self._gathered.append(Send(data))

    def tell(self, reason: Reason) -> None:
        """Tell people of a trouble, once."""
        self._gathered += self._notices.tell(reason)

    def remark(self, key: str, what: str) -> None:
        """Tell people of something of which more may follow, once."""
        self._gathered += self._notices.remark(key, what)

    def greet(self) -> None:
        """Tell people of the first login."""
        self._gathered += self._notices.greet(self._tongue)

    def relieve(self) -> None:
        """Tell people that a trouble is over."""
        self._gathered += self._notices.relieve(self._tongue)
