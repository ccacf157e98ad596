"""`SessionNumbers`: the number of each login, from 1 each Beijing day, never twice in one."""

from __future__ import annotations

from collections.abc import Mapping

from edge.clock import NS_PER_S
from edge.errors import UplinkError
from edge.uplink.gbt.durable_file import DurableFile

MOST = 65_531
_DAY_S = 86_400
_BEIJING_S = 8 * 3600
_DAYS_KEPT = 32


class SessionNumbers:
    """Gives each login its number (chapter 7, 登入流水号), noted on the disk before it is used.

    Each day has its own count, also if the wall clock is set back over midnight. Where the file is damaged or
    the disk refuses, numbers follow the time of day, one every two seconds: a login is never so frequent, so
    that they lie beyond all that were given, and gaps are what it costs.

    Args:
        file: what is kept over a restart.

    Attributes:
        trouble: why the file cannot be relied on; None while it can.
    """

    def __init__(self, file: DurableFile) -> None:
        self._file = file
        self._days: dict[int, int] = {}
        self.trouble: UplinkError | None = None
        try:
            self._days = _days(file.read())
        except UplinkError as error:
            self.trouble = error

    def next(self, wall_ns: int) -> int:
        """The number of a login that is about to be sent.

        Args:
            wall_ns: Unix time now.
        """
        day, of_day_s = divmod(wall_ns // NS_PER_S + _BEIJING_S, _DAY_S)
        last = self._days.pop(day, 0)
        plain = last % MOST + 1
        by_time = max(plain, of_day_s // 2 + 1)
        number = by_time if self.trouble is not None else plain
        if not self._noted(day, number) and number != by_time:
            number = by_time
            self._days[day] = number
        return number

    def _noted(self, day: int, number: int) -> bool:
        self._days[day] = number
        kept = list(self._days.items())[-_DAYS_KEPT:]
        self._days = dict(kept)
        try:
            self._file.write({"days": [[one, last] for one, last in kept]})
        except UplinkError as error:
            self.trouble = error
            return False
        self.trouble = None
        return True


def _days(said: Mapping[str, object] | None) -> dict[int, int]:
    """The last number of each day, out of a file.

    Raises:
        UplinkError: it does not say that.
    """
    days: dict[int, int] = {}
    listed = [] if said is None else said.get("days")
    if not isinstance(listed, list):
        raise UplinkError("holds no days")
    for one in listed:
        match one:
            case [int(day), int(last)] if 0 <= last <= MOST:
                days[day] = last
            case _:
                raise UplinkError("holds a day that is none")
    return days
