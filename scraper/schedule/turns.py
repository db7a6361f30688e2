"""Whose turn it is among hosts that have targets and a free slot.

Each is entered once: as ready when it may go, by time when its delay has yet to pass. Of those that are ready the one
that will take longest goes first, since in the end everybody waits for it. One that has waited long goes before it,
though never twice in a row, lest a crowd of small hosts keep the largest from its pace.

Pure: takes `now` (any monotonic time in seconds). Not thread-safe.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import Final

from scraper.schedule.host import Host

#: Seconds after which a host that is ready goes before the largest.
OVERDUE: Final = 60.0

_NEVER: Final = float("inf")


class Turns:
    """Entries are numbered; one that is not its host's present one is passed over when it comes up."""

    def __init__(self) -> None:
        self._serial = 0
        self._ready: list[tuple[float, int, Host]] = []  # by score, the largest first
        self._since: deque[tuple[float, int, Host]] = deque()  # the same, in the order in which they came
        self._later: list[tuple[float, int, Host]] = []  # by time
        self._overdue_last = False

    def enter(self, host: Host, now: float) -> None:
        """Enter a host that has none yet; not one without a free slot, nor one that is ready for nothing."""
        if host.entry or not host.is_free:
            return
        if host.next_start > now:
            # Also without targets: the entry is what forgets the host when its last delay has passed.
            self._serial = host.entry = self._serial + 1
            heapq.heappush(self._later, (host.next_start, host.entry, host))
        elif host.stock:
            self._serial = host.entry = self._serial + 1
            host.score = host.seconds
            heapq.heappush(self._ready, (-host.score, host.entry, host))
            self._since.append((now, host.entry, host))
            if len(self._since) > 2 * len(self._ready) + 1000:
                self._since = deque(each for each in self._since if each[2].entry == each[1])

    def enter_anew(self, host: Host, now: float) -> None:
        """Something has changed for a host: if it is entered, see where it belongs now."""
        if host.entry:
            host.entry = 0
            self.enter(host, now)

    def advance(self, now: float) -> list[Host]:
        """Make ready those whose time has come; returns those that have nothing to ask for."""
        idle = []
        while self._later and self._later[0][0] <= now:
            _, entry, host = heapq.heappop(self._later)
            if host.entry == entry:
                host.entry = 0
                self.enter(host, now)
                if not host.entry:
                    idle.append(host)
        return idle

    def is_any_ready(self) -> bool:
        """Whether `take` would give a host."""
        while self._ready:
            _, entry, host = self._ready[0]
            if host.entry == entry:
                return True
            heapq.heappop(self._ready)
        return False

    def take(self, now: float) -> Host | None:
        """The host whose turn it is; it is entered no more."""
        host = self._overdue(now)
        self._overdue_last = host is not None
        if host is None and self.is_any_ready():
            host = heapq.heappop(self._ready)[2]
        if host is not None:
            host.entry = 0
        return host

    def next_change(self) -> float:
        """When the next one becomes ready; infinity if none will by itself."""
        while self._later and self._later[0][2].entry != self._later[0][1]:
            heapq.heappop(self._later)
        return self._later[0][0] if self._later else _NEVER

    def _overdue(self, now: float) -> Host | None:
        """The host that has waited longest, if that is too long."""
        since = self._since
        while since and since[0][2].entry != since[0][1]:
            since.popleft()
        if self._overdue_last or not since or now - since[0][0] < OVERDUE:
            return None
        return since.popleft()[2]
