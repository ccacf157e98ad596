"""`CpuShare`: keeps vision within the processor time it was given, by taking fewer pictures."""

from __future__ import annotations

from edge.clock import NS_PER_S

_DEBT_MOST_S = 60.0


class CpuShare:
    """An account of processor time: it fills by the share; a picture may be begun while it is not overdrawn.

    Over any time of W seconds what is spent is at most ``share * (W + burst_s)`` and the last picture, whose
    cost nobody knows before; pictures that the floor forces come on top. The rate goes down alone: a picture
    that is begun is looked at in full.

    Args:
        share: processor seconds a second; 0 takes no picture at all.
        floor_s: a picture is taken after so long without one, whatever was spent.
        burst_s: for so long a share that was not used is kept.
    """

    def __init__(self, share: float, *, floor_s: float = 10.0, burst_s: float = 1.0) -> None:
        if not (share >= 0 and floor_s > 0 and burst_s > 0):
            raise ValueError("a share is not negative, and times are positive")
        self._share = share
        self._floor_ns = round(floor_s * NS_PER_S)
        self._most_s = share * burst_s
        self._balance_s = self._most_s
        self._filled_ns: int | None = None
        self._begun_ns: int | None = None
        self._refused = 0

    @property
    def refused(self) -> int:
        """How many times `take` said no: pictures to be counted as `Dropped.BUDGET`."""
        return self._refused

    def may(self, t_ns: int) -> bool:
        """Whether a picture may be begun at `t_ns`; changes nothing, for pictures that can wait."""
        if self._share == 0:
            return False
        if self._begun_ns is None or t_ns - self._begun_ns >= self._floor_ns:
            return True
        return self._balance_at(t_ns) >= 0

    def take(self, t_ns: int) -> bool:
        """Whether the picture of `t_ns` is to be begun; if not, it is to be dropped, and is counted."""
        if not self.may(t_ns):
            self._refused += 1
            return False
        self._begun_ns = t_ns
        return True

    def spent(self, t_ns: int, cpu_s: float) -> None:
        """Say how many processor seconds were spent, on anything, since this was said last."""
        balance_s = self._balance_at(t_ns) - max(0.0, cpu_s)
        self._balance_s = max(balance_s, -_DEBT_MOST_S * self._share)
        self._filled_ns = t_ns if self._filled_ns is None else max(t_ns, self._filled_ns)

    def _balance_at(self, t_ns: int) -> float:
        if self._filled_ns is None:
            return self._balance_s
        passed_s = max(0, t_ns - self._filled_ns) / NS_PER_S
        return min(self._most_s, self._balance_s + passed_s * self._share)
