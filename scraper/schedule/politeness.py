"""Who may be asked now: per host, at most so many requests at once and starts at least so far apart.

    state ──expect──► reserve ──wanted──► (drawn) ──add──► stock ──next──► in flight ──done──► forgotten
                      a number a host      by the feeder    a few targets a host

`Larder` minds which URLs are in memory, `Turns` whose turn it is, `Pace` how each host answers.

Pure: every call takes `now` (any monotonic time in seconds) and touches no clock, no thread and no socket. Not
thread-safe; `Schedule` holds the lock.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import NamedTuple

from scraper.records import Target
from scraper.schedule.exchange import Draw, HostNote, Want
from scraper.schedule.host import Host, Rules
from scraper.schedule.larder import WINDOW, Larder
from scraper.schedule.pace import Answer
from scraper.schedule.turns import Turns


class Lost(NamedTuple):
    """A host was given up.

    Attributes:
        targets: those of its targets that were waiting; what is still in the state has to be drawn to end as they do.
    """

    targets: list[Target]


class Outlook(NamedTuple):
    """The host that will take longest.

    Attributes:
        seconds: that its turns will take.
        host: its name; empty if there is none.
    """

    seconds: float
    host: str


class Politeness:
    """Targets waiting for their host's turn.

    Attributes:
        waiting: URLs that are neither in flight nor done with, in memory or not.
        in_flight: targets that `next` gave and `done` has not seen.
        keep_notes: whether there is somebody to `take_notes`.
    """

    def __init__(self, rules: Callable[[str], Rules], *, window: int = WINDOW) -> None:
        """Set up.

        Args:
            rules: tells a host's limits, when it turns up; the empty name stands for an ordinary one.
            window: targets in memory.
        """
        self._larder = Larder(rules, window)
        self._turns = Turns()
        self._serial = 0
        self._retries: list[tuple[float, int, Target]] = []
        self._notes: dict[str, list[float]] = {}
        self.keep_notes = False
        self.waiting = 0
        self.in_flight = 0

    # What there is to do

    def weigh(self, number: int, host: str) -> None:
        """The state knows a host, of which limits of its own are known, by this number."""
        self._larder.weigh(number, host)

    def expect(self, number: int, more: int, now: float) -> None:
        """The state holds `more` URLs of the host with this number."""
        self.waiting += more
        host = self._larder.expect(number, more)
        if host is not None and host.entry and host.score * 2 < host.seconds:
            self._turns.enter_anew(host, now)  # it has become more important than it was

    def is_wanting(self, *, idle: bool, now: float) -> bool:
        """Whether it is time for a draw; `idle`: somebody has nothing to do."""
        return self._larder.is_wanting(starving=lambda: idle and not self.is_ready(now))

    def wanted(self) -> tuple[list[Want], int]:
        """What to draw now: of which hosts, and how many targets of each at the most; `filled` has to follow."""
        return self._larder.wanted()

    def filled(self, draw: Draw) -> None:
        """What was drawn of a host; its targets are `add`ed, held or `drop`ped one by one after this."""
        self._larder.filled(draw)

    def receive(self, target: Target) -> None:
        """Take a target in hand that no draw gave; it is `add`ed or `drop`ped after this."""
        self._larder.host(target.host).held += 1
        self.waiting += 1
        self._larder.targets += 1

    def drop(self, name: str, number: int, now: float) -> None:
        """`number` targets of a host that were drawn or received end without being asked for."""
        host = self._larder.hosts[name]
        host.held -= number
        self.waiting -= number
        self._larder.targets -= number
        self._larder.widen(host)
        self._larder.mind(host)
        self._larder.forget_if_idle(host, now)

    def add(self, target: Target, now: float) -> None:
        """Queue a target that was drawn or received behind the others of its host."""
        host = self._larder.hosts[target.host]
        host.held -= 1
        host.stock.append(target)
        self._larder.resize(host)
        self._turns.enter(host, now)

    def add_first(self, target: Target, now: float) -> None:
        """Queue a target that no list has before the others of its host."""
        host = self._larder.host(target.host)
        self.waiting += 1
        self._larder.targets += 1
        host.stock.appendleft(target)
        self._turns.enter(host, now)

    def add_later(self, target: Target, due: float) -> None:
        """Queue a target that may not go before `due`."""
        self._serial += 1
        heapq.heappush(self._retries, (due, self._serial, target))
        self.waiting += 1
        self._larder.targets += 1

    # Whose turn it is

    def next(self, now: float) -> Target | None:
        """The next target that may go now, its host's slot taken; None if there is none at this moment."""
        self._advance(now)
        host = self._turns.take(now)
        if host is None:
            return None
        target = host.stock.popleft()
        host.in_flight += 1
        host.started = now
        if host.gap:
            host.next_start = now + host.gap
            host.sending = target
        self.waiting -= 1
        self._larder.targets -= 1
        self.in_flight += 1
        self._larder.mind(host)
        self._turns.enter(host, now)
        return target

    def sent(self, target: Target, now: float) -> None:
        """A request for a target that is in flight is on its way: from now on its host's delay counts.

        Not from when it was handed out: a connection may take its time, and the next request may have one already. A
        redirect within the host makes a second request of it, from which the delay counts anew.
        """
        host = self._larder.hosts[target.host]
        if host.sending is target:
            host.sending = None
        host.started = now
        self._put_off(host, now + host.gap, now)
        self._turns.enter(host, now)

    def has_delay(self, name: str) -> bool:
        """Whether `sent` makes a difference for a host."""
        host = self._larder.hosts.get(name)
        return host is not None and host.gap > 0

    def done(self, target: Target, now: float) -> None:
        """A target that `next` gave is no longer in flight."""
        host = self._larder.hosts[target.host]
        if host.sending is target:  # no request ever was on its way, or it was by a mock
            host.sending = None
        host.in_flight -= 1
        self.in_flight -= 1
        self._turns.enter(host, now)
        self._larder.forget_if_idle(host, now)

    def is_ready(self, now: float) -> bool:
        """Whether `next` would give a target."""
        self._advance(now)
        return self._turns.is_any_ready()

    def next_change(self) -> float:
        """When waiting may be over for some target; infinity if only `add` or `done` can change anything."""
        change = self._turns.next_change()
        return min(change, self._retries[0][0]) if self._retries else change

    # What hosts ask for

    def observe(self, target: Target, answer: Answer, now: float) -> Lost | None:
        """How the host of `target`, which is in flight, has answered.

        Returns:
            Set if the host is given up for that; a target in flight ends by itself.
        """
        host = self._larder.hosts[target.host]
        if self.keep_notes:
            note = self._notes.setdefault(host.name, [0, 0.0, 0])
            note[0] += 1
            note[1] += answer.seconds
            note[2] += answer.refused
        was_lost = host.pace.is_lost
        self._put_off(host, host.learn(answer, now), now)
        return Lost(self._clear(host, now)) if host.pace.is_lost and not was_lost else None

    def slow_down(self, name: str, delay: float, now: float) -> None:
        """A host's robots.txt asks for at least so many seconds between two requests."""
        host = self._larder.hosts.get(name)
        if host is not None and host.rules.delay < delay:
            host.follow(host.rules._replace(delay=delay))
            self._larder.resize(host)
            self._put_off(host, host.started + host.gap, now)

    def is_lost(self, name: str) -> bool:
        """Whether a host was given up."""
        host = self._larder.hosts.get(name)
        return host is not None and host.pace.is_lost

    def take_notes(self) -> list[HostNote]:
        """How hosts have answered since the last call."""
        notes, self._notes = self._notes, {}
        return [HostNote(host, int(note[0]), note[1], int(note[2])) for host, note in notes.items()]

    def outlook(self, now: float) -> Outlook:
        """Which host will take longest, and how long."""
        longest = Outlook(self._larder.longest, "")
        for host in self._larder.hosts.values():
            remaining = host.remaining
            if remaining:
                seconds = max(host.next_start - now, 0.0) + host.seconds * (remaining - 1) / remaining
                if seconds > longest.seconds:
                    longest = Outlook(seconds, host.name)
        return longest

    @property
    def busy_hosts(self) -> int:
        """Hosts with targets in memory or in flight, or whose delay has yet to pass."""
        return len(self._larder.hosts)

    @property
    def targets(self) -> int:
        """Targets in memory that wait."""
        return self._larder.targets

    def _advance(self, now: float) -> None:
        while self._retries and self._retries[0][0] <= now:
            target = heapq.heappop(self._retries)[2]
            host = self._larder.host(target.host)
            if host.pace.is_down:
                host.stock.append(target)  # each trial at the cost of another page's attempts
            else:
                host.stock.appendleft(target)
            self._turns.enter(host, now)
        for host in self._turns.advance(now):
            self._larder.forget_if_idle(host, now)

    def _put_off(self, host: Host, until: float, now: float) -> None:
        if until > host.next_start:
            host.next_start = until
            self._turns.enter_anew(host, now)

    def _clear(self, host: Host, now: float) -> list[Target]:
        """All targets of a host that are in memory, taken away from it."""
        targets = [*host.stock]
        host.stock.clear()
        targets += [each[2] for each in self._retries if each[2].host == host.name]
        self._retries = [each for each in self._retries if each[2].host != host.name]
        heapq.heapify(self._retries)
        self.waiting -= len(targets)
        self._larder.targets -= len(targets)
        self._turns.enter_anew(host, now)
        self._larder.widen(host)
        self._larder.mind(host)
        return targets
