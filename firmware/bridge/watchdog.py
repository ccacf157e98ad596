"""Whether the watchdog may be fed: only while receive, transmit and host all are well.

What is well has to be told from what is only quiet, since a reset costs the frames in the ring, and helps
against nothing that lies outside the board:

- Receive is ill when a controller does not read back listen-only, or does not answer, and starting it anew
  has not helped for 10 s. A bus without frames is a vehicle that sleeps.
- Transmit is ill when a host speaks while the port has taken nothing for 10 s, though something waits. A port
  that takes nothing while nobody speaks belongs to a host that is off, was unplugged, or hangs; frames wait
  then, and are dropped and counted.
- The host's part is ill when bytes come in a session for 30 s and none of them make a packet. Silence is a
  host that is off.

Each counts only if it was well since boot: a reset has just been tried otherwise, and boards that reset
themselves without end would be worse than ones that say what they lack. After a reset by the watchdog each
takes thirty times as long, so that what comes and goes, as a loose plug does, costs a reset each five minutes
at most. That the main loop turns and the supervisor is stepped needs no rule: both are the loop that feeds.
"""

RECEIVE = 1
TRANSMIT = 2
HOST = 4
NAMES = {RECEIVE: "receive", TRANSMIT: "transmit", HOST: "host"}

RECEIVE_S = 10
TRANSMIT_S = 10
HOST_S = 30
AFTER_RESET = 30
"""So many times as long all takes on a board that its watchdog has just reset."""
_SPOKE_S = 3


class Watchdog:
    """Feeds a watchdog of the hardware, or not.

    Attributes:
        ill: `RECEIVE`, `TRANSMIT`, `HOST` together; 0 where all is well.
    """

    def __init__(self, timer: object | None, buses: int, again: bool = False) -> None:
        """Watch over a board.

        Args:
            timer: has `feed()`; None where there is none.
            buses: how many there are.
            again: whether the watchdog has caused this boot.
        """
        self.ill = 0
        self._patience = AFTER_RESET if again else 1
        self._timer = timer
        self._listened = [False] * buses
        self._lost_s = [0] * buses
        self._silent_s = _SPOKE_S
        self._stuck_s = 0
        self._understood = False
        self._deaf_s = 0

    def feed(self) -> None:
        """Feed, if all is well; to be called at the end of each turn."""
        if not self.ill and self._timer is not None:
            self._timer.feed()

    def judge(self, listening: list[bool], waits: bool, took: bool, heard: bool, packets: bool) -> int:
        """Judge the second that has passed.

        Args:
            listening: of each bus, whether its controller read back listen-only.
            waits: whether something waits for the port.
            took: whether the port took anything.
            heard: whether bytes came while a session was on.
            packets: whether good packets came.

        Returns:
            What has become ill in this second.
        """
        before = self.ill
        ill = 0
        for bus in range(len(listening)):
            if listening[bus]:
                self._listened[bus] = True
                self._lost_s[bus] = 0
            elif self._listened[bus]:
                self._lost_s[bus] += 1
                if self._lost_s[bus] >= RECEIVE_S * self._patience:
                    ill |= RECEIVE
        self._silent_s = 0 if packets else min(self._silent_s + 1, _SPOKE_S)
        self._stuck_s = self._stuck_s + 1 if waits and not took and self._silent_s < _SPOKE_S else 0
        if self._stuck_s >= TRANSMIT_S * self._patience:
            ill |= TRANSMIT
        if packets:
            self._understood = True
            self._deaf_s = 0
        elif heard and self._understood:
            self._deaf_s += 1
        if self._deaf_s >= HOST_S * self._patience:
            ill |= HOST
        self.ill = ill
        return ill & ~before
