"""Who may be asked now: per host, at most so many requests at once and starts at least so far apart.

Pure: every call takes `now` (any monotonic time in seconds) and touches no clock, no thread and no socket. Not
thread-safe; `Schedule` holds the lock.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from scraper.records import Target


class Rules(NamedTuple):
    """A host's limits.

    Attributes:
        per_host: most requests in flight.
        delay: seconds between the starts of two requests.
    """

    per_host: int
    delay: float


class _Host:
    __slots__ = ("in_flight", "next_start", "queued", "rules", "targets")

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.targets: deque[Target] = deque()
        self.in_flight = 0
        self.next_start = float("-inf")
        self.queued = False  # listed in _ready or in _later


class Politeness:
    """Targets waiting for their host's turn.

    Every host that has targets and a free slot is listed exactly once: in `_ready` when it may go, in `_later` (a heap
    by time) when its delay has yet to pass. A host whose slots are all taken is listed nowhere until `done`.
    """

    def __init__(self, rules: Callable[[str], Rules]) -> None:
        """`rules` tells a host's limits, once for each host that turns up."""
        self._rules = rules
        self._hosts: dict[str, _Host] = {}
        self._ready: deque[str] = deque()
        self._later: list[tuple[float, int, str]] = []
        self._retries: list[tuple[float, int, Target]] = []
        self._serial = 0
        self.waiting = 0
        self.in_flight = 0

    def add(self, target: Target, now: float) -> None:
        """Queue a target behind the others of its host."""
        host = self._host(target.host)
        host.targets.append(target)
        self.waiting += 1
        self._list(target.host, host, now)

    def add_later(self, target: Target, due: float) -> None:
        """Queue a target that may not go before `due`."""
        self._serial += 1
        heapq.heappush(self._retries, (due, self._serial, target))
        self.waiting += 1

    def next(self, now: float) -> Target | None:
        """The next target that may go now, its host's slot taken; None if there is none at this moment."""
        self._advance(now)
        while self._ready:
            name = self._ready.popleft()
            host = self._hosts[name]
            host.queued = False
            if not host.targets or host.next_start > now:  # paused since it was listed
                self._list(name, host, now)
                continue
            target = host.targets.popleft()
            host.in_flight += 1
            host.next_start = now + host.rules.delay
            self.waiting -= 1
            self.in_flight += 1
            self._list(name, host, now)
            return target
        return None

    def done(self, target: Target, now: float) -> None:
        """A target that `next` gave is no longer in flight."""
        host = self._hosts[target.host]
        host.in_flight -= 1
        self.in_flight -= 1
        self._list(target.host, host, now)
        self._forget_if_idle(target.host, host, now)

    def pause(self, target: Target, until: float) -> None:
        """Leave the host of `target`, which is in flight, alone until then."""
        host = self._hosts[target.host]
        host.next_start = max(host.next_start, until)

    def is_ready(self, now: float) -> bool:
        """Whether `next` would give a target."""
        self._advance(now)
        return bool(self._ready)

    def next_change(self) -> float:
        """When waiting may be over for some target; infinity if only `add` or `done` can change anything."""
        times = [heap[0][0] for heap in (self._later, self._retries) if heap]
        return min(times, default=float("inf"))

    @property
    def busy_hosts(self) -> int:
        """Hosts with targets waiting or in flight."""
        return len(self._hosts)

    def _advance(self, now: float) -> None:
        while self._retries and self._retries[0][0] <= now:
            target = heapq.heappop(self._retries)[2]
            host = self._host(target.host)
            host.targets.appendleft(target)
            self._list(target.host, host, now)
        while self._later and self._later[0][0] <= now:
            name = heapq.heappop(self._later)[2]
            host = self._hosts[name]
            host.queued = False
            self._list(name, host, now)
            self._forget_if_idle(name, host, now)

    def _host(self, name: str) -> _Host:
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = _Host(self._rules(name))
        return host

    def _list(self, name: str, host: _Host, now: float) -> None:
        if host.queued or host.in_flight >= host.rules.per_host:
            return
        if host.next_start > now:
            # Also without targets: the entry is what forgets the host when its last delay has passed.
            self._serial += 1
            heapq.heappush(self._later, (host.next_start, self._serial, name))
            host.queued = True
        elif host.targets:
            self._ready.append(name)
            host.queued = True

    def _forget_if_idle(self, name: str, host: _Host, now: float) -> None:
        if not host.targets and host.in_flight == 0 and not host.queued and host.next_start <= now:
            del self._hosts[name]
