"""What a started bundle tells the trampoline, and what it learns from it."""

import os

WELL_S = 60
"""A program that has run for so long is taken for well, also without a host."""
FELL_BACK = 0x106


class Outcome:
    """Of this start.

    Attributes:
        home: the folder of what outlives bundles; ends with a slash.
        fallen: why this is not the bundle that was flashed last; empty where it is.
    """

    def __init__(self, slot: str) -> None:
        # Where the board has started, as the trampoline has it.
        home = os.getcwd().rstrip("/") + "/nevgate/"
        self.home = home
        self._slot = home + slot
        self.fallen = _text(home + "fallen")
        self._known = bool(_text(self._slot + "/good")) and not _text(self._slot + "/tries")

    def version(self, version: str) -> str:
        """The version for HELLO."""
        return version + " (fell back)" if self.fallen else version

    def follow(self, met: bool, seconds: int) -> None:
        """Tell that the program is well, once, as soon as that is so.

        Args:
            met: whether a host has begun a session, or a platform has answered.
            seconds: for how long the program has run.
        """
        if self._known or not (met or seconds >= WELL_S):
            return
        self._known = True
        with open(self._slot + "/good.new", "w") as file:
            file.write("1")
        os.rename(self._slot + "/good.new", self._slot + "/good")
        for name in ("/tries", "/error"):
            try:
                os.remove(self._slot + name)
            except OSError:
                # There was none.
                pass

    def stay(self) -> None:
        """See to it that the next start ends in the loader: MicroPython's own prompt."""
        with open(self.home + "stay", "w") as file:
            file.write("1")


def _text(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
