"""The schedule in a simulation: whatever the order of the list, a run takes as long as it must, and no longer.

The clock is virtual, the feeder as quick as its list; every limit is checked at every event.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Final, NamedTuple

import pytest

from scraper.records import Target
from scraper.schedule.exchange import Draw
from scraper.schedule.host import Rules
from scraper.schedule.pace import Answer
from scraper.schedule.politeness import Politeness

URLS: Final = 100_000
HOSTS: Final = 5000

#: How much longer than the lower bound a run may take.
SLACK: Final = 1.08

#: Entries that the list gives at once, and by the second.
BATCH: Final = 20_000
LISTED_PER_SECOND: Final = 100_000.0

Sizes = dict[int, int]


class Course(NamedTuple):
    """What a run is like: threads, seconds that an answer takes on average, and limits."""

    threads: int
    latency: float
    delay: float
    per_host: int

    def bound(self, sizes: Sizes) -> float:
        """No run can be shorter: the largest host takes its turns, and all threads together their time."""
        return max(max(sizes.values()) * self.delay, sum(sizes.values()) / self.threads * self.latency)


def zipf(exponent: float) -> Sizes:
    """Sizes of hosts as the web has them: few large ones, many small ones."""
    weights = [1 / rank**exponent for rank in range(1, HOSTS + 1)]
    sizes = {number: max(1, int(URLS * weight / sum(weights))) for number, weight in enumerate(weights, start=1)}
    sizes[1] += URLS - sum(sizes.values())
    return sizes


def grouped(hosts: list[int], sizes: Sizes) -> list[int]:
    """All URLs of a host together; an entry is the number of its host."""
    return [host for host in hosts for _ in range(sizes[host])]


def shuffled(sizes: Sizes) -> list[int]:
    entries = grouped([*sizes], sizes)
    random.Random(7).shuffle(entries)
    return entries


def in_rounds(sizes: Sizes) -> list[int]:
    """One URL of each host, then the second of each, and so on."""
    place: Counter[int] = Counter()
    rounds = []
    for host in grouped([*sizes], sizes):
        place[host] += 1
        rounds.append((place[host], host))
    return [host for _, host in sorted(rounds)]


ORDERS: Final[dict[str, Callable[[Sizes], list[int]]]] = {
    "shuffled": shuffled,
    "sorted by host": lambda sizes: grouped(sorted(sizes, key=str), sizes),
    "biggest first": lambda sizes: grouped(sorted(sizes, key=lambda host: -sizes[host]), sizes),
    "biggest last": lambda sizes: grouped(sorted(sizes, key=lambda host: sizes[host]), sizes),
    "in rounds": in_rounds,
}


class Simulation:
    """A run on a virtual clock."""

    def __init__(self, course: Course, entries: list[int]) -> None:
        self._course = course
        self._entries = entries
        self._chance = random.Random(1)
        rules = Rules(course.per_host, course.delay)
        self.politeness = Politeness(lambda _: rules)
        self._rows: dict[int, list[int]] = defaultdict(list)
        self._drawn: Counter[int] = Counter()
        self._listed = 0
        self._list_due = 0.0
        self._flying: list[tuple[float, int, float, Target]] = []
        self._busy: Counter[str] = Counter()
        self._started: dict[str, float] = {}
        self.seen: set[int] = set()
        self.most_in_memory = 0
        self.now = 0.0

    def run(self) -> float:
        """Until the end; the seconds that it took."""
        politeness = self.politeness
        while politeness.waiting or self._flying or self._listed < len(self._entries):
            self._list()
            self._feed()
            while len(self._flying) < self._course.threads and (one := politeness.next(self.now)) is not None:
                self._start(one)
                self._feed()
            self.now = self._next_event()
            while self._flying and self._flying[0][0] <= self.now:
                _, _, latency, one = heapq.heappop(self._flying)
                self._busy[one.host] -= 1
                politeness.observe(one, Answer(latency), self.now)
                politeness.done(one, self.now)
        return self.now

    def _list(self) -> None:
        """The list goes on, if it is time for that."""
        while self._listed < len(self._entries) and self._list_due <= self.now:
            batch = self._entries[self._listed : self._listed + BATCH]
            for row, host in enumerate(batch, start=self._listed + 1):
                self._rows[host].append(row)
            for host, more in Counter(batch).items():
                self.politeness.expect(host, more, self.now)
            self._listed += len(batch)
            self._list_due = self.now + len(batch) / LISTED_PER_SECOND

    def _feed(self) -> None:
        while self.politeness.is_wanting(idle=len(self._flying) < self._course.threads, now=self.now):
            wants, most = self.politeness.wanted()
            for want in wants:
                first, host = self._drawn[want.host], f"h{want.host}"
                rows = self._rows[want.host][first : first + most]
                self._drawn[want.host] += len(rows)
                targets = [Target("", "", host, id=row) for row in rows]
                self.politeness.filled(Draw(want.host, host, targets, [], rows[-1], len(rows) < most))
                for one in targets:
                    self.politeness.add(one, self.now)
            self.most_in_memory = max(self.most_in_memory, self.politeness.targets)

    def _start(self, one: Target) -> None:
        course = self._course
        assert one.id not in self.seen, "handed out twice"
        self.seen.add(one.id)
        assert self.now - self._started.get(one.host, float("-inf")) >= course.delay - 1e-9, "too soon"
        self._started[one.host] = self.now
        self.politeness.sent(one, self.now)
        self._busy[one.host] += 1
        assert self._busy[one.host] <= course.per_host, "too many at once"
        latency = course.latency * self._chance.uniform(0.5, 1.5)
        heapq.heappush(self._flying, (self.now + latency, one.id, latency, one))

    def _next_event(self) -> float:
        events = [self._flying[0][0]] if self._flying else []
        if len(self._flying) < self._course.threads:
            events.append(self.politeness.next_change())
        if self._listed < len(self._entries):
            events.append(self._list_due)
        return max(min(events), self.now)


#: One that is as long as its largest host takes, and one that is as long as its threads take.
LARGE_HOST: Final = (1.0, Course(threads=60, latency=0.2, delay=0.2, per_host=2))
FEW_THREADS: Final = (0.6, Course(threads=40, latency=0.5, delay=0.2, per_host=4))


@pytest.mark.parametrize(
    ("exponent", "course", "order"),
    [(*LARGE_HOST, order) for order in ORDERS] + [(*FEW_THREADS, order) for order in ("shuffled", "biggest last")],
)
def test_the_order_of_the_list_does_not_matter(exponent: float, course: Course, order: str) -> None:
    """It takes no more than 8 % longer than any schedule must, in whatever order, with few targets in memory."""
    sizes = zipf(exponent)
    simulation = Simulation(course, ORDERS[order](sizes))
    assert simulation.run() <= SLACK * course.bound(sizes)
    assert len(simulation.seen) == URLS
    assert simulation.most_in_memory < 25_000


def test_one_large_host_before_a_thousand_others() -> None:
    """The others do not wait for it: all threads are at work as soon as the list is there."""
    large, others = 50_000, 1000
    course = Course(threads=40, latency=0.2, delay=0.2, per_host=2)
    sizes = {1: large} | dict.fromkeys(range(2, others + 2), 20)
    simulation = Simulation(course, grouped([*sizes], sizes))
    while simulation._listed < sum(sizes.values()):
        simulation.now = simulation._list_due
        simulation._list()
    simulation._feed()
    asked = set()
    for _ in range(course.threads):
        one = simulation.politeness.next(simulation.now)
        assert one is not None
        asked.add(one.host)
    assert "h1" in asked
    assert len(asked) == course.threads
