"""Who may be asked now: per host, at most so many requests at once and starts at least so far apart.

    state ──expect──► reserve ──wanted──► (drawn) ──add──► stock ──next──► in flight ──done──► forgotten
                      a number a host      by the feeder    a few targets a host

Of the hosts that may be asked the one that will take longest goes first: remaining URLs × seconds each, since in the
end everybody waits for it. A host that has waited long goes before it, though never twice in a row, lest a crowd of
small hosts keep the largest from its pace.

Pure: every call takes `now` (any monotonic time in seconds) and touches no clock, no thread and no socket. Not
thread-safe; `Schedule` holds the lock.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from scraper.records import Target
from scraper.schedule.exchange import Draw, HostNote, Want
from scraper.schedule.pace import Answer, Pace
from scraper.schedule.reserve import Reserve

#: Seconds after which a host that may be asked goes before the largest.
OVERDUE: Final = 60.0

#: Targets in memory, beyond which no more hosts are begun with.
WINDOW: Final = 10_000

#: Targets of a host that are kept in memory, by the seconds between two of them: what it needs until the next draw.
STOCKS: Final = ((2.0, 1), (0.1, 16), (0.01, 128), (0.0, 4096))

#: Targets that one draw gives at the most.
DRAWN: Final = 4096

_NEVER: Final = float("inf")


class Rules(NamedTuple):
    """A host's limits.

    Attributes:
        per_host: most requests in flight.
        delay: seconds between the starts of two requests.
        longest: seconds to which `delay` may grow while the host is in trouble, and of the longest pause.
        fixed: the user has set `delay` for this very host, whatever its robots.txt asks for.
        adaptive: its pace follows how it answers.
    """

    per_host: int
    delay: float
    longest: float = 60.0
    fixed: bool = False
    adaptive: bool = True


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


class _Host:
    __slots__ = (
        "after",
        "drawing",
        "entry",
        "held",
        "in_flight",
        "name",
        "next_start",
        "number",
        "pace",
        "rules",
        "score",
        "size",
        "started",
        "stock",
        "unread",
    )

    def __init__(self, name: str, rules: Rules) -> None:
        self.name = name
        self.number = -1  # in the state, if that knows it
        self.rules = rules
        self.pace = Pace()
        self.stock: deque[Target] = deque()
        self.held = 0  # targets that wait for its robots.txt
        self.unread = 0  # URLs that are still to be drawn; below 0 while some came before they were expected
        self.after = 0  # the last row that was drawn
        self.drawing = 0  # URLs that the draw under way must find, if there is one
        self.size = 1
        self.in_flight = 0
        self.started = float("-inf")
        self.next_start = float("-inf")
        self.entry = 0  # number of its entry in _ready or _later; 0: it has none
        self.score = 0.0

    @property
    def slots(self) -> int:
        return 1 if self.pace.is_down else self.rules.per_host

    @property
    def delay(self) -> float:
        return self.pace.delay(self.rules.delay, self.rules.longest)

    @property
    def seconds(self) -> float:
        """Seconds between two of its pages, as things are."""
        return max(self.delay, self.pace.usual / self.rules.per_host)

    @property
    def remaining(self) -> int:
        return len(self.stock) + self.held + self.unread

    @property
    def is_low(self) -> bool:
        return self.unread > 0 and not self.drawing and len(self.stock) + self.held <= self.size // 2

    @property
    def is_nearly_out(self) -> bool:
        return len(self.stock) + self.held <= self.size // 4


class Politeness:
    """Targets waiting for their host's turn.

    Every host that has targets and a free slot is listed once: in `_ready` when it may go, in `_later` (a heap by time)
    when its delay has yet to pass. A host whose slots are all taken is listed nowhere until `done`.

    Attributes:
        waiting: URLs that are neither in flight nor done with, in memory or not.
        in_flight: targets that `next` gave and `done` has not seen.
        notes: how hosts have answered since `take_notes`; kept only if `keep_notes`.
    """

    def __init__(self, rules: Callable[[str], Rules], *, window: int = WINDOW) -> None:
        """`rules` tells a host's limits, once for each host that turns up; the empty name stands for an ordinary."""
        self._rules = rules
        self._window = window
        self._usual = rules("")
        self._hosts: dict[str, _Host] = {}
        self._numbered: dict[int, _Host] = {}
        self._reserve = Reserve()
        self._serial = 0
        self._ready: list[tuple[float, int, _Host]] = []
        self._since: deque[tuple[float, int, _Host]] = deque()  # the same, in the order in which they came
        self._later: list[tuple[float, int, _Host]] = []
        self._retries: list[tuple[float, int, Target]] = []
        self._low: dict[int, _Host] = {}  # hosts that need more of their URLs
        self._nearly_out = False  # of which one needs them soon
        self._overdue_last = False
        self._in_memory = 0
        self._drawing = 0
        self._notes: dict[str, list[float]] = {}
        self.keep_notes = False
        self.waiting = 0
        self.in_flight = 0

    # What there is to do

    def weigh(self, number: int, host: str) -> None:
        """The state knows a host, of which limits of its own are known, by this number."""
        usual = self._usual.delay or 0.001
        self._reserve.weigh(number, self._rules(host).delay / usual)

    def expect(self, number: int, more: int, now: float) -> None:
        """The state holds `more` URLs of the host with this number."""
        self.waiting += more
        host = self._numbered.get(number)
        if host is None:
            self._reserve.add(number, more)
            return
        host.unread += more
        self._mind(host)
        if host.entry and host.score * 2 < host.remaining * host.seconds and host.next_start <= now:
            self._list(host, now, again=True)  # it has become more important than it was

    def is_wanting(self, *, idle: bool, now: float) -> bool:
        """Whether it is time for a draw: hosts run out of targets, or new ones should be begun with."""
        if self._nearly_out:
            return True
        if not self._reserve.hosts:
            return False
        held = self._in_memory + self._drawing
        return held <= self._window // 2 or (idle and not self._drawing and not self.is_ready(now))

    def wanted(self) -> tuple[list[Want], int]:
        """What to draw now: of which hosts, and how many targets of each at the most; `filled` has to follow.

        One draw takes equally many of each host, so only hosts with an equal need come together.
        """
        low = sorted(self._low.values(), key=lambda host: -host.remaining * host.seconds)
        hosts: list[_Host] = []
        size = low[0].size if low else self._size_of(self._usual.delay)
        room = max(DRAWN // size, 1)
        for host in low:
            if host.size == size and len(hosts) < room:
                hosts.append(host)
                del self._low[host.number]
        self._nearly_out = any(host.is_nearly_out for host in self._low.values())
        if not low:
            hosts = [*self._begin(room)]
        for host in hosts:
            host.drawing = host.unread
        self._drawing += len(hosts)
        return [Want(host.number, host.after) for host in hosts], size

    def _begin(self, most: int) -> Iterator[_Host]:
        """Hosts of the reserve, with which it is begun now."""
        for _ in range(most):
            number, urls = self._reserve.pop()
            if not urls:
                return
            host = _Host("", self._usual)
            host.number, host.unread, host.after = number, urls, self._reserve.after(number)
            host.size = self._size_of(host.delay)
            self._numbered[number] = host
            yield host

    def filled(self, draw: Draw) -> None:
        """What was drawn of a host that was wanted; its targets are `add`ed, held or ended one by one after this."""
        host = self._numbered[draw.host]
        if self._hosts.get(draw.name) is not host:
            host = self._name(host, draw.name)
        number = len(draw.targets) + len(draw.outcomes)
        if draw.is_all and number < host.drawing:
            raise AssertionError(f"the state has {number} URLs of {draw.name!r}, not {host.drawing}")
        host.unread -= number
        host.after = draw.last
        host.drawing = 0
        host.held += number
        self._drawing -= 1
        self._in_memory += number

    def _name(self, host: _Host, name: str) -> _Host:
        """A host of the reserve has got its name."""
        known = self._hosts.get(name)
        if known is None:
            host.name, host.rules = name, self._rules(name)
            host.size = self._size_of(host.delay)
            self._hosts[name] = host
            return host
        # It had been redirected to.
        known.number, known.unread, known.drawing = host.number, host.unread, host.drawing
        self._numbered[host.number] = known
        return known

    def drop(self, name: str, number: int, now: float) -> None:
        """`number` targets of a host that were drawn end without being asked for."""
        host = self._hosts[name]
        host.held -= number
        self.waiting -= number
        self._in_memory -= number
        host.size = min(max(host.size, 16) * 2, self._size_of(0.0))  # nobody waits for those that end like this
        self._mind(host)
        self._forget_if_idle(host, now)

    def receive(self, target: Target) -> None:
        """Take a target in hand that no draw gave; it is `add`ed or `drop`ped after this."""
        self._host(target.host).held += 1
        self.waiting += 1
        self._in_memory += 1

    def add(self, target: Target, now: float) -> None:
        """Queue a target that was drawn or received behind the others of its host."""
        host = self._hosts[target.host]
        host.held -= 1
        host.size = self._size_of(host.delay)
        host.stock.append(target)
        self._mind(host)
        self._list(host, now)

    def add_first(self, target: Target, now: float) -> None:
        """Queue a target that no list has before the others of its host."""
        host = self._host(target.host)
        self.waiting += 1
        self._in_memory += 1
        host.stock.appendleft(target)
        self._list(host, now)

    def add_later(self, target: Target, due: float) -> None:
        """Queue a target that may not go before `due`."""
        self._serial += 1
        heapq.heappush(self._retries, (due, self._serial, target))
        self.waiting += 1
        self._in_memory += 1

    # Whose turn it is

    def next(self, now: float) -> Target | None:
        """The next target that may go now, its host's slot taken; None if there is none at this moment."""
        self._advance(now)
        host = self._overdue(now) or self._largest()
        if host is None:
            return None
        target = host.stock.popleft()
        host.entry = 0
        host.in_flight += 1
        host.started = now
        host.next_start = now + host.delay
        self.waiting -= 1
        self._in_memory -= 1
        self.in_flight += 1
        self._mind(host)
        self._list(host, now)
        return target

    def done(self, target: Target, now: float) -> None:
        """A target that `next` gave is no longer in flight."""
        host = self._hosts[target.host]
        host.in_flight -= 1
        self.in_flight -= 1
        self._list(host, now)
        self._forget_if_idle(host, now)

    def is_ready(self, now: float) -> bool:
        """Whether `next` would give a target."""
        self._advance(now)
        return self._first_ready() is not None

    def next_change(self) -> float:
        """When waiting may be over for some target; infinity if only `add` or `done` can change anything."""
        while self._later and self._later[0][2].entry != self._later[0][1]:
            heapq.heappop(self._later)
        times = [heap[0][0] for heap in (self._later, self._retries) if heap]
        return min(times, default=_NEVER)

    # What hosts ask for

    def observe(self, target: Target, answer: Answer, now: float) -> Lost | None:
        """How the host of `target`, which is in flight, has answered.

        Returns:
            Set if the host is given up for that; a target in flight ends by itself.
        """
        host = self._hosts[target.host]
        if self.keep_notes:
            note = self._notes.setdefault(host.name, [0, 0.0, 0])
            note[0] += 1
            note[1] += answer.seconds
            note[2] += answer.refused
        if not host.rules.adaptive:
            self._put_off(host, now + answer.pause if answer.pause else host.next_start, now)
            return None
        was_lost = host.pace.is_lost
        until = host.pace.note(answer, host.rules.longest, now)
        self._put_off(host, max(until, host.started + host.delay), now)
        if not host.pace.is_lost or was_lost:
            return None
        return Lost(self._clear(host, now))

    def slow_down(self, name: str, delay: float, now: float) -> None:
        """A host's robots.txt asks for at least so many seconds between two requests."""
        host = self._hosts.get(name)
        if host is not None and host.rules.delay < delay:
            host.rules = host.rules._replace(delay=delay)
            host.size = self._size_of(delay)
            self._put_off(host, host.started + delay, now)

    def is_lost(self, name: str) -> bool:
        """Whether a host was given up."""
        host = self._hosts.get(name)
        return host is not None and host.pace.is_lost

    def take_notes(self) -> list[HostNote]:
        """How hosts have answered since the last call."""
        notes, self._notes = self._notes, {}
        return [HostNote(host, int(note[0]), note[1], int(note[2])) for host, note in notes.items()]

    def outlook(self, now: float) -> Outlook:
        """Which host will take longest, and how long."""
        longest = Outlook(max(self._reserve.first()[1] - 1, 0) * self._usual.delay, "")
        for host in self._hosts.values():
            number = host.remaining
            seconds = max(host.next_start - now, 0.0) + (number - 1) * host.seconds if number else 0.0
            if seconds > longest.seconds:
                longest = Outlook(seconds, host.name)
        return longest

    @property
    def busy_hosts(self) -> int:
        """Hosts with targets in memory or in flight, or whose delay has yet to pass."""
        return len(self._hosts)

    # How it is done

    def _advance(self, now: float) -> None:
        while self._retries and self._retries[0][0] <= now:
            target = heapq.heappop(self._retries)[2]
            host = self._host(target.host)
            host.stock.appendleft(target)
            self._list(host, now)
        while self._later and self._later[0][0] <= now:
            _, serial, host = heapq.heappop(self._later)
            if host.entry == serial:
                host.entry = 0
                self._list(host, now)
                self._forget_if_idle(host, now)

    def _first_ready(self) -> _Host | None:
        while self._ready:
            _, serial, host = self._ready[0]
            if host.entry == serial:
                return host
            heapq.heappop(self._ready)
        return None

    def _largest(self) -> _Host | None:
        self._overdue_last = False
        host = self._first_ready()
        if host is not None:
            heapq.heappop(self._ready)
        return host

    def _overdue(self, now: float) -> _Host | None:
        """The host that has waited longest, if that is too long; not twice in a row."""
        while self._since and self._since[0][2].entry != self._since[0][1]:
            self._since.popleft()
        if self._overdue_last or not self._since or now - self._since[0][0] < OVERDUE:
            return None
        self._overdue_last = True
        return self._since.popleft()[2]

    def _host(self, name: str) -> _Host:
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = _Host(name, self._rules(name))
            host.size = self._size_of(host.delay)
        return host

    def _size_of(self, delay: float) -> int:
        size = next(size for least, size in STOCKS if delay >= least)
        if self._in_memory > self._window:  # more hosts are at work than there is room for so many of each
            size //= 8
        return max(min(size, self._window // 2), 1)

    def _mind(self, host: _Host) -> None:
        """See whether a host needs more of its URLs."""
        if host.is_low:
            self._low[host.number] = host
            self._nearly_out = self._nearly_out or host.is_nearly_out

    def _list(self, host: _Host, now: float, *, again: bool = False) -> None:
        if (host.entry and not again) or host.in_flight >= host.slots:
            return
        if host.next_start > now:
            # Also without targets: the entry is what forgets the host when its last delay has passed.
            self._serial += 1
            host.entry = self._serial
            heapq.heappush(self._later, (host.next_start, self._serial, host))
        elif host.stock:
            self._serial += 1
            host.entry = self._serial
            host.score = host.remaining * host.seconds
            heapq.heappush(self._ready, (-host.score, self._serial, host))
            self._since.append((now, self._serial, host))
            if len(self._since) > 2 * len(self._ready) + 1000:
                self._since = deque(each for each in self._since if each[2].entry == each[1])

    def _put_off(self, host: _Host, until: float, now: float) -> None:
        if until > host.next_start:
            host.next_start = until
            if host.entry:
                host.entry = 0
                self._list(host, now)

    def _clear(self, host: _Host, now: float) -> list[Target]:
        """All targets of a host that are in memory, taken away from it."""
        targets = [*host.stock]
        host.stock.clear()
        targets += [each[2] for each in self._retries if each[2].host == host.name]
        self._retries = [each for each in self._retries if each[2].host != host.name]
        heapq.heapify(self._retries)
        self.waiting -= len(targets)
        self._in_memory -= len(targets)
        if host.entry:
            host.entry = 0
            self._list(host, now)
        host.size = self._size_of(0.0)
        self._mind(host)
        return targets

    def _forget_if_idle(self, host: _Host, now: float) -> None:
        idle = not (host.stock or host.held or host.in_flight or host.entry or host.drawing or host.unread)
        if idle and host.next_start <= now and self._hosts.get(host.name) is host:
            del self._hosts[host.name]
            if host.number >= 0:
                del self._numbered[host.number]
                self._reserve.remember(host.number, host.after)
