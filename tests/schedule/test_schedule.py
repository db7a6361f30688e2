"""The schedule with many real threads: every target once, an end, and nobody left waiting."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from scraper.records import Failure, Outcome, Target
from scraper.schedule import Rules, Schedule, retry
from scraper.schedule.exchange import Draw, Want
from scraper.schedule.schedule import Work

LIMIT = 10.0


def target(number: int, host: str = "a") -> Target:
    url = f"https://{host}/{number}"
    return Target(url, url, host)


def failure(one: Target, *, retryable: bool = True) -> Failure:
    return Failure(one.url, "timeout", "too slow", retryable=retryable)


def schedule(per_host: int = 100, delay: float = 0.0, *, retries: int = 0, window: int = 10_000) -> Schedule:
    return Schedule(lambda host: Rules(per_host, delay), retries=retries, window=window)


class Crew:
    """Threads that take targets until there are none, and what they took."""

    def __init__(self, source: Schedule, size: int, handle: Callable[[Target], None] | None = None) -> None:
        self.taken: list[Target] = []
        self._source = source
        self._handle = handle or source.done
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(size)]
        for thread in self._threads:
            thread.start()

    def join(self) -> Counter[str]:
        """Wait for all of them, for so long; how often each URL was taken."""
        deadline = time.monotonic() + LIMIT
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
        stuck = [thread for thread in self._threads if thread.is_alive()]
        self._source.stop()
        assert stuck == [], f"{len(self.taken)} targets taken, then threads waited for ever"
        return Counter(one.url for one in self.taken)

    def all_wait(self) -> bool:
        """Give them the time to find that there is nothing to do; whether they all stay."""
        self._threads[0].join(0.05)
        return all(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (one := self._source.take()) is not None:
            self.taken.append(one)
            self._source.sent(one)
            self._handle(one)


@contextmanager
def loader(source: Schedule, targets: list[Target]) -> Iterator[threading.Thread]:
    """A thread that adds targets, one by one, then says that this was all."""

    def load() -> None:
        if all(source.add([one]) for one in targets):
            source.finish()

    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    yield thread
    thread.join(LIMIT)
    assert not thread.is_alive(), "the loader waits for ever"


@pytest.mark.parametrize("delay", [0.0, 0.0005])
def test_every_target_once(delay: float) -> None:
    """Many threads, many hosts, a window much smaller than the list."""
    targets = [target(number, f"host-{number % 37}") for number in range(3000)]
    source = schedule(3, delay, window=100)
    crew = Crew(source, 16)
    with loader(source, targets):
        assert crew.join() == Counter(one.url for one in targets)
    assert source.waiting == 0


@pytest.mark.parametrize("seed", range(12))
def test_nobody_sleeps_through_a_turn(seed: int) -> None:
    """A turn that comes sooner than what the waiting threads wait for is taken, whoever made it come and goes.

    The list trickles in, hosts differ in their limits, and requests in how long they take.
    """
    chance = random.Random(seed)
    rules = {f"host-{i}": Rules(chance.choice([1, 1, 2]), chance.choice([0, 0.001, 0.01, 0.03])) for i in range(4)}
    source = Schedule(lambda host: rules.get(host, Rules(1, 0.0)), retries=0)
    dawdling = threading.Event()

    def fetch(one: Target) -> None:
        dawdling.wait(chance.choice([0, 0.001, 0.005]))
        source.done(one)

    crew = Crew(source, 6, fetch)
    for number in range(30):
        dawdling.wait(chance.choice([0, 0, 0, 0.01]))
        source.add([target(number, f"host-{chance.randrange(4)}")])
    source.finish()
    assert crew.join().total() == 30


def test_limits_hold_between_threads() -> None:
    """Never more in flight to a host than allowed, and starts as far apart as asked for."""
    source = schedule(2, 0.005)
    lock = threading.Lock()
    busy: Counter[str] = Counter()
    most: Counter[str] = Counter()
    starts: dict[str, list[float]] = {"a": [], "b": []}

    def fetch(one: Target) -> None:
        with lock:
            starts[one.host].append(time.monotonic())
            busy[one.host] += 1
            most[one.host] = max(most[one.host], busy[one.host])
        with lock:
            busy[one.host] -= 1
        source.done(one)

    began = time.monotonic()
    source.add([target(number, "ab"[number % 2]) for number in range(60)])
    source.finish()
    Crew(source, 8, fetch).join()
    assert max(most.values()) <= 2
    for times in starts.values():
        # Noted a moment after the start that counts, hence from the beginning on and not from one to the next.
        assert all(time_ - began >= place * 0.005 for place, time_ in enumerate(sorted(times)))


def test_an_empty_list_ends() -> None:
    """Waiting threads are let go when the list has ended without a target."""
    source = schedule()
    crew = Crew(source, 4)
    assert crew.all_wait()
    source.finish()
    assert crew.join() == {}


def test_in_flight_keeps_the_run_open() -> None:
    """Threads wait for what may become of a target in flight, after the end of the list."""
    source = schedule()
    source.add([target(1)])
    source.finish()
    first = source.take()
    assert first is not None
    crew = Crew(source, 5)
    assert crew.all_wait()
    hop = target(1, "b")
    source.replace(first, hop)
    assert crew.join() == {hop.url: 1}


@pytest.mark.parametrize("delay", [0.0, 0.002])
def test_retries(monkeypatch: pytest.MonkeyPatch, delay: float) -> None:
    """A page is asked for again as often as allowed, with the attempts counted; then its end is open no more."""
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.002)
    source = schedule(4, delay, retries=2)
    ended: list[Target] = []

    def fetch(one: Target) -> None:
        if not source.retry(one, failure(one)):
            ended.append(one)
            source.done(one)

    source.add([target(number, "abc"[number % 3]) for number in range(30)])
    source.finish()
    assert set(Crew(source, 6, fetch).join().values()) == {3}
    assert len(ended) == 30
    assert {one.attempts for one in ended} == {2}


@pytest.mark.parametrize(("retries", "retryable"), [(0, True), (2, False)])
def test_no_retry(retries: int, retryable: bool) -> None:
    """Not where it cannot help, nor beyond the number allowed; the target is still in flight then."""
    source = schedule(retries=retries)
    source.add([target(1)])
    source.finish()
    one = source.take()
    assert one is not None
    assert not source.retry(one, failure(one, retryable=retryable))
    source.done(one)
    assert source.take() is None


def test_stop_lets_go_of_everybody() -> None:
    """Takers and the feeder return at once; what is still waiting stays so."""
    source = schedule(1, 3600.0)
    source.add([target(number) for number in range(6)])
    crew = Crew(source, 4)
    answers: list[Work | None] = []
    feeder = threading.Thread(target=lambda: answers.append(source.work()), daemon=True)
    source.finish()
    feeder.start()
    while len(crew.taken) < 1:
        assert crew.all_wait()
    source.stop()
    assert crew.join().total() == 1
    feeder.join(LIMIT)
    assert answers == [None]
    assert source.waiting == 5
    assert source.take() is None
    assert source.add([target(99)]) is False


def test_stopped_schedule_leaves_retries_open() -> None:
    """After a stop nothing is asked again, and nothing is given up either: the page stays pending."""
    source = schedule(retries=3)
    source.add([target(1)])
    one = source.take()
    assert one is not None
    source.stop()
    assert source.retry(one, failure(one))
    assert source.waiting == 1
    assert source.take() is None


def test_the_feeder_is_asked_for_more_in_time() -> None:
    """It waits until a draw is due, gets told what to draw, and learns of the end; threads find all there is."""
    source = schedule(window=20)
    listed = 500
    source.expect([(1, listed)])
    source.finish()
    crew = Crew(source, 4)
    drawn = 0
    while (work := source.work()) is not None:
        (want,) = work.wants
        assert (want.host, want.after) == (1, drawn)
        last = min(drawn + work.most, listed)
        assert last - drawn <= 10
        source.fill([Draw(1, "a", [target(number) for number in range(drawn, last)], [], last, last == listed)])
        drawn = last
    assert drawn == listed
    assert crew.join().total() == listed


def test_hunger() -> None:
    """More of the list is asked for while little is known of it or somebody is idle, once until some of it comes."""
    source = schedule(1, 3600.0, window=4)
    source.begin(ahead=6)
    hungry = Work([], [], 0, hungry=True)
    assert source.work() == hungry
    source.expect([(1, 3)])
    work = source.work()
    assert work is not None
    source.fill([Draw(1, "a", [target(1), target(2)], [], 2, is_all=False)])
    crew = Crew(source, 1)  # it takes one, and waits for the next
    assert source.work() == hungry
    source.expect([(1, 2)])
    assert source.work() == hungry, "somebody is idle"
    source.expect([(1, 100)])
    asked: list[Work | None] = []
    feeder = threading.Thread(target=lambda: asked.append(source.work()), daemon=True)
    feeder.start()
    assert crew.all_wait()
    source.stop()
    feeder.join(LIMIT)
    crew.join()
    assert asked == [None], "enough is known"


def test_urls_that_end_unasked_are_delivered_before_the_end() -> None:
    """Fetch threads stay until they are, since whatever comes after the last one is not heard."""
    source = schedule()
    source.expect([(0, 1)])
    source.finish()
    assert source.work() == Work([], [Want(0, 0)], 4096, hungry=False)
    outcome = Outcome("no URL", failure=Failure("no URL", "invalid_url", "it is none", attempts=0), id=1)
    source.fill([Draw(0, "", [], [outcome], 1, is_all=True)])
    crew = Crew(source, 2)
    assert source.work() == Work([outcome], [], 0, hungry=False)
    assert crew.all_wait()
    source.delivered(1)
    assert source.work() is None
    assert crew.join() == {}


def test_time_is_injected() -> None:
    """The clock is an argument; a target is handed out when it says so."""
    now = [0.0]
    source = Schedule(lambda host: Rules(2, 10.0), retries=0, clock=lambda: now[0])
    source.add([target(1), target(2)])
    first = source.take()
    assert first is not None
    source.sent(first)
    now[0] = 10.0
    assert source.take() is not None
