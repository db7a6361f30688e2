"""Whose turn it is, on a clock that the tests turn."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.records import Target
from scraper.schedule.politeness import Politeness, Rules


def target(host: str, number: int = 0) -> Target:
    url = f"https://{host}/{number}"
    return Target(url, url, host)


def polite(per_host: int = 1, delay: float = 0.0) -> Politeness:
    """The same limits for every host."""
    return Politeness(lambda host: Rules(per_host, delay))


def test_one_at_a_time() -> None:
    """The next target of a host waits until the one before is done."""
    first, second = target("a", 1), target("a", 2)
    politeness = polite(1)
    politeness.add(first, 0)
    politeness.add(second, 0)
    assert politeness.next(0) is first
    assert politeness.next(100) is None
    politeness.done(first, 100)
    assert politeness.next(100) is second


def test_delay_counts_from_start_to_start() -> None:
    """However long a request takes, the next may start when the delay since its start has passed."""
    politeness = polite(2, 10)
    for number in range(3):
        politeness.add(target("a", number), 0)
    assert politeness.next(0) is not None
    assert politeness.next(9.9) is None
    assert politeness.next_change() == 10
    assert politeness.next(10) is not None
    assert politeness.next(20) is None, "both slots are taken"
    politeness.done(target("a", 0), 25)
    assert politeness.is_ready(25)
    assert politeness.next(25) is not None


def test_hosts_do_not_wait_for_each_other() -> None:
    """Ready hosts take turns."""
    politeness = polite(5)
    for number in range(3):
        for host in "abc":
            politeness.add(target(host, number), 0)
    hosts = [given_out.host for _ in range(9) if (given_out := politeness.next(0)) is not None]
    assert hosts == [*"abcabcabc"]


def test_a_host_keeps_its_order() -> None:
    """First come, first served, within a host."""
    politeness = polite(100)
    targets = [target("a", number) for number in range(20)]
    for one in targets:
        politeness.add(one, 0)
    assert [politeness.next(0) for _ in targets] == targets


def test_rules_are_asked_by_host() -> None:
    """Each host has its own limits."""
    politeness = Politeness(lambda host: {"slow": Rules(1, 5), "fast": Rules(3, 0)}[host])
    for number in range(3):
        politeness.add(target("slow", number), 0)
        politeness.add(target("fast", number), 0)
    given_out = Counter(one.host for _ in range(6) if (one := politeness.next(0)) is not None)
    assert given_out == {"slow": 1, "fast": 3}


def test_retries_come_at_their_time() -> None:
    """Not before they are due, and then before what is new; their host's limits hold for them too."""
    politeness = polite(1)
    again, new = target("a", 1), target("a", 2)
    politeness.add_later(again, 7)
    assert politeness.waiting == 1
    assert politeness.next(6.9) is None
    assert politeness.next_change() == 7
    politeness.add(new, 6.9)
    politeness.add(target("a", 3), 6.9)
    assert politeness.next(6.9) is new
    assert politeness.next(8) is None
    politeness.done(new, 9)
    assert politeness.next(9) is again


def test_nothing_to_wait_for() -> None:
    """Infinity: only `add` or `done` can help."""
    politeness = polite(1)
    assert politeness.next_change() == float("inf")
    politeness.add(target("a"), 0)
    politeness.next(0)
    politeness.add(target("a"), 0)
    assert politeness.next_change() == float("inf")
    assert not politeness.is_ready(1000)


@pytest.mark.parametrize("delay", [0, 5])
def test_idle_hosts_are_forgotten(delay: float) -> None:
    """Nothing is kept of a host that has nothing to do, once its delay is over; until then the delay is remembered."""
    politeness = polite(2, delay)
    for number in range(1000):
        politeness.add(target(f"host-{number}"), 0)
    given_out = [one for _ in range(1000) if (one := politeness.next(0)) is not None]
    assert politeness.busy_hosts == len(given_out) == 1000
    for one in given_out:
        politeness.done(one, 1)
    politeness.add(given_out[0], 1)
    assert politeness.is_ready(1) == (delay == 0)
    again = politeness.next(delay)
    assert again is given_out[0]
    politeness.done(again, delay)
    assert politeness.next(3 * delay) is None
    assert politeness.busy_hosts == 0
    assert politeness.next_change() == float("inf")


HOSTS = ("a", "b", "c")

#: Seconds that add up without rounding.
QUARTERS = st.integers(0, 40).map(lambda quarters: quarters / 4)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(HOSTS)),
        st.tuples(st.just("later"), st.sampled_from(HOSTS), QUARTERS),
        st.tuples(st.just("next"), st.integers(1, 4)),
        st.tuples(st.just("done"), st.integers(0, 10)),
        st.tuples(st.just("pass"), QUARTERS),
        st.tuples(st.just("jump")),
    ),
    max_size=80,
)
LIMITS = st.fixed_dictionaries(
    {host: st.builds(Rules, st.integers(1, 3), st.sampled_from([0.0, 0.5, 3.0])) for host in HOSTS}
)


class Model:
    """Turns the clock, and holds what was promised against what is handed out."""

    def __init__(self, limits: dict[str, Rules]) -> None:
        self.politeness = Politeness(limits.__getitem__)
        self.limits = limits
        self.now = 0.0
        self.due: dict[str, float] = {}
        self.handed_out: Counter[str] = Counter()
        self.in_flight: list[Target] = []
        self.starts: dict[str, list[float]] = defaultdict(list)

    def enter(self, host: str, seconds: float | None = None) -> None:
        one = target(host, len(self.due))
        self.due[one.url] = self.now + (seconds or 0)
        if seconds is None:
            self.politeness.add(one, self.now)
        else:
            self.politeness.add_later(one, self.now + seconds)

    def take(self) -> bool:
        ready = self.politeness.is_ready(self.now)
        one = self.politeness.next(self.now)
        assert ready == (one is not None)
        if one is None:
            assert self.politeness.next_change() > self.now
            return False
        assert self.now >= self.due[one.url]
        self.handed_out[one.url] += 1
        self.in_flight.append(one)
        self.starts[one.host].append(self.now)
        busy = Counter(flying.host for flying in self.in_flight)
        assert busy[one.host] <= self.limits[one.host].per_host
        return True

    def finish(self, place: int) -> None:
        if self.in_flight:
            self.politeness.done(self.in_flight.pop(place % len(self.in_flight)), self.now)

    def check(self) -> None:
        assert self.politeness.in_flight == len(self.in_flight)
        assert self.politeness.waiting == len(self.due) - self.handed_out.total()
        for host, starts in self.starts.items():
            assert all(later - earlier >= self.limits[host].delay for earlier, later in pairwise(starts))


@given(STEPS, LIMITS)
def test_promises_hold_in_any_order(steps: list[tuple[str, ...]], limits: dict[str, Rules]) -> None:
    """Any steps in any order: never too many, never too soon, everything once; and at the end nothing is kept."""
    model = Model(limits)
    for name, *values in steps:
        match name, values:
            case "add", [host]:
                model.enter(host)
            case "later", [host, seconds]:
                model.enter(host, float(seconds))
            case "next", [times]:
                for _ in range(int(times)):
                    model.take()
            case "done", [place]:
                model.finish(int(place))
            case "pass", [seconds]:
                model.now += float(seconds)
            case _:
                change = model.politeness.next_change()
                model.now = max(model.now, change) if change != float("inf") else model.now
        model.check()
    drain(model)
    assert model.handed_out == Counter(dict.fromkeys(model.due, 1))
    assert model.politeness.busy_hosts == 0


def drain(model: Model) -> None:
    """Finish and take until nothing is left, turning the clock only to the times that `next_change` tells."""
    for _ in range(1000):
        while model.take():
            pass
        if model.in_flight:
            model.finish(0)
        elif model.politeness.next_change() < float("inf"):
            model.now = model.politeness.next_change()
        else:
            break
        model.check()
    assert model.politeness.waiting == 0
