"""How long a run will still take: as long as its pages do at this rate, or as its last host does with its turns."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

#: Seconds over which the rate is taken, and between two of its samples.
SPAN: Final = 60.0
STEP: Final = 1.0


class Prospect(NamedTuple):
    """What is to come.

    Attributes:
        seconds: until the end; None if that cannot be told yet.
        host: the one that will be last, where its turns take longer than all pages do at this rate; else empty.
    """

    seconds: float | None = None
    host: str = ""


class Rate:
    """URLs that end by the second, of late."""

    def __init__(self, now: float, done: int) -> None:
        """`now` is any monotonic time in seconds."""
        self._samples: deque[tuple[float, int]] = deque([(now, done)])

    def note(self, now: float, done: int) -> None:
        """So many have ended by now."""
        if now - self._samples[-1][0] >= STEP or len(self._samples) == 1:
            self._samples.append((now, done))
        while len(self._samples) > 2 and now - self._samples[1][0] >= SPAN:
            self._samples.popleft()

    def per_second(self) -> float:
        """0 before anything has ended."""
        (began, before), (ended, done) = self._samples[0], self._samples[-1]
        return (done - before) / (ended - began) if ended > began else 0.0


def prospect(pending: int, rate: float, turns: float, host: str) -> Prospect:
    """The larger of two: what the pending URLs take at this rate, and the turns of the host that takes longest.

    Args:
        pending: URLs.
        rate: of them by the second.
        turns: seconds.
        host: whose turns these are.
    """
    if not pending:
        return Prospect(0.0)
    if rate <= 0:
        return Prospect()
    if turns > pending / rate:
        return Prospect(turns, host)
    return Prospect(pending / rate)
