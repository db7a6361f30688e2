"""Which URLs are in memory: a few of each host that is at work, and of the others no more than a number.

    state ──expect──► reserve ──wanted──► (drawn by the feeder) ──filled──► targets in hand

Pure, not thread-safe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from scraper.schedule.exchange import Draw, Want
from scraper.schedule.host import Host, Rules
from scraper.schedule.reserve import Reserve

#: Targets in memory beyond which no more hosts are begun with, unless threads are idle, and less is kept of each.
WINDOW: Final = 10_000

#: Targets of a host that are kept in memory, by the seconds between two of them: what it needs until the next draw.
STOCKS: Final = ((2.0, 1), (0.1, 16), (0.01, 128), (0.0, 4096))
PRESSED: Final = 8

#: Targets that one draw gives at the most.
DRAWN: Final = 4096


class Larder:
    """The hosts that are at work, and what is kept of them.

    Attributes:
        hosts: by name.
        targets: in memory.
    """

    def __init__(self, rules: Callable[[str], Rules], window: int) -> None:
        """See `Politeness`."""
        self._rules = rules
        self._usual = rules("")
        self._window = window
        self._numbered: dict[int, Host] = {}
        self._reserve = Reserve()
        self._low: dict[int, Host] = {}  # hosts that need more of their URLs
        self._nearly_out = False  # of which one needs them soon
        self._drawing = 0
        self.hosts: dict[str, Host] = {}
        self.targets = 0

    def host(self, name: str) -> Host:
        """The host of this name, at work from now on."""
        host = self.hosts.get(name)
        if host is None:
            host = self.hosts[name] = Host(name, self._rules(name))
            self.resize(host)
        return host

    def weigh(self, number: int, name: str) -> None:
        """The state knows a host, of which limits of its own are known, by this number."""
        self._reserve.weigh(number, self._rules(name).delay / (self._usual.delay or 0.001))

    def expect(self, number: int, more: int) -> Host | None:
        """The state holds `more` URLs of the host with this number; the host, if it is at work."""
        host = self._numbered.get(number)
        if host is None:
            self._reserve.add(number, more)
            return None
        host.unread += more
        self.mind(host)
        return host

    def is_wanting(self, *, starving: Callable[[], bool]) -> bool:
        """Whether it is time for a draw: hosts run out of targets, or new ones should be begun with.

        Args:
            starving: whether somebody has nothing to do.
        """
        if self._nearly_out:
            return True
        if not self._reserve.hosts:
            return False
        return self.targets + self._drawing <= self._window // 2 or (not self._drawing and starving())

    def wanted(self) -> tuple[list[Want], int]:
        """What to draw now: of which hosts, and how many targets of each at the most; `filled` has to follow.

        One draw takes equally many of each host, so only hosts with an equal need come together.
        """
        low = sorted(self._low.values(), key=lambda host: -host.seconds)
        size = low[0].size if low else self._size(self._usual.delay)
        most = max(min(DRAWN, self._window // 2) // size, 1)
        if low:
            hosts = [host for host in low if host.size == size][:most]
            for host in hosts:
                del self._low[host.number]
        else:
            hosts = [*self._begin(most)]
        self._nearly_out = any(host.is_nearly_out for host in self._low.values())
        for host in hosts:
            host.drawing = host.unread
        self._drawing += len(hosts)
        return [Want(host.number, host.after) for host in hosts], size

    def _begin(self, most: int) -> Iterator[Host]:
        """Hosts of the reserve, with which it is begun now."""
        for _ in range(most):
            number, urls = self._reserve.pop()
            if not urls:
                return
            host = Host("", self._usual)
            host.number, host.unread, host.after = number, urls, self._reserve.after(number)
            self._numbered[number] = host
            yield host

    def filled(self, draw: Draw) -> None:
        """What was drawn of a host that was wanted."""
        host = self._numbered[draw.host]
        if self.hosts.get(draw.name) is not host:
            host = self._name(host, draw.name)
        number = len(draw.targets) + len(draw.outcomes)
        if draw.is_all and number < host.drawing:
            raise AssertionError(f"the state has {number} URLs of {draw.name!r}, not {host.drawing}")
        host.unread -= number
        host.after = draw.last
        host.drawing = 0
        host.held += number
        self._drawing -= 1
        self.targets += number

    def _name(self, host: Host, name: str) -> Host:
        """A host of the reserve has got its name."""
        known = self.hosts.get(name)
        if known is None:
            host.name = name
            host.follow(self._rules(name))
            self.resize(host)
            self.hosts[name] = host
            return host
        # It had been redirected to.
        known.number, known.unread, known.drawing = host.number, host.unread, host.drawing
        self._numbered[host.number] = known
        return known

    def mind(self, host: Host) -> None:
        """See whether a host needs more of its URLs."""
        if host.unread > 0 and not host.drawing and len(host.stock) + host.held <= host.size // 2:
            self._low[host.number] = host
            self._nearly_out = self._nearly_out or host.is_nearly_out

    def resize(self, host: Host) -> None:
        """See how many targets a host is to have in memory."""
        host.size = self._size(host.gap)

    def widen(self, host: Host) -> None:
        """Targets of a host end without being asked for: more of them at once, since nobody waits for those."""
        host.size = min(max(host.size, 16) * 2, self._size(0.0))

    def forget_if_idle(self, host: Host, now: float) -> None:
        """Keep no more of a host than is needed if it comes up again."""
        if host.next_start <= now and host.is_idle and self.hosts.get(host.name) is host:
            del self.hosts[host.name]
            if host.number >= 0:
                del self._numbered[host.number]
                self._reserve.remember(host.number, host.after)

    @property
    def longest(self) -> float:
        """Seconds that the largest host of the reserve will take."""
        return max(self._reserve.first()[1] - 1, 0) * self._usual.delay

    def _size(self, gap: float) -> int:
        size = next(size for least, size in STOCKS if gap >= least)
        if self.targets > self._window:
            size //= PRESSED
        return max(min(size, self._window // 2), 1)
