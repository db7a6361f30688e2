"""Hosts of which nothing is in memory but a number and how many URLs they have: some 70 bytes each.

A million hosts may wait here for their first turn. Pure, not thread-safe; `Schedule` holds the lock.
"""

from __future__ import annotations

import heapq
from array import array
from typing import Final

#: Bits for a host's number in an entry of the heap, behind its score; and by how much a score is refined.
_BITS: Final = 40
_LAST: Final = (1 << _BITS) - 1
_SCALE: Final = 1024


class Reserve:
    """Hosts by number, the one with the largest number of URLs × delay first; of equals, the lowest number.

    Attributes:
        hosts: how many wait here.
        urls: how many URLs they have together.
    """

    def __init__(self) -> None:
        self._pending = array("Q")
        self._after = array("Q")
        self._weights: dict[int, float] = {}
        # The heap holds one number a host: minus its score, then its own number, so that no tuple is needed. One that
        # is not the host's present one is passed over.
        self._heap: list[int] = []
        self.hosts = 0
        self.urls = 0

    def weigh(self, host: int, weight: float) -> None:
        """A host's delay, as a multiple of what is usual."""
        self._weights[host] = weight
        if host < len(self._pending) and self._pending[host]:
            heapq.heappush(self._heap, self._entry(host))

    def add(self, host: int, more: int) -> None:
        """`more` URLs of a host."""
        if host >= len(self._pending):
            more_hosts = bytes(8 * (host + 1 - len(self._pending)))
            self._pending.frombytes(more_hosts)
            self._after.frombytes(more_hosts)
        self.hosts += not self._pending[host]
        self.urls += more
        self._pending[host] += more
        heapq.heappush(self._heap, self._entry(host))
        if len(self._heap) > 2 * self.hosts + _SCALE:
            self._heap = [self._entry(each) for each, urls in enumerate(self._pending) if urls]
            heapq.heapify(self._heap)

    def remember(self, host: int, after: int) -> None:
        """A host that was `pop`ped has no URLs left, up to this row of the state; more may come."""
        self._after[host] = after

    def after(self, host: int) -> int:
        """The last row of a host that needs no second look."""
        return self._after[host]

    def first(self) -> tuple[int, int]:
        """Number of the first host, and of its URLs; (0, 0) if there is none."""
        while self._heap:
            host = -self._heap[0] & _LAST
            host = _LAST - host
            if self._pending[host] and self._heap[0] == self._entry(host):
                return host, self._pending[host]
            heapq.heappop(self._heap)
        return 0, 0

    def pop(self) -> tuple[int, int]:
        """Take the first one out; as `first`."""
        host, urls = self.first()
        if urls:
            heapq.heappop(self._heap)
            self._pending[host] = 0
            self.hosts -= 1
            self.urls -= urls
        return host, urls

    def _entry(self, host: int) -> int:
        score = int(self._pending[host] * self._weights.get(host, 1.0) * _SCALE)
        return -((score << _BITS) | (_LAST - host))
