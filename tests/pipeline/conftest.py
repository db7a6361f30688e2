"""A supply between lists that come as a test lets them, a real store and a real schedule."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pytest

from scraper.counters import Counters
from scraper.pipeline import supply as supply_module
from scraper.pipeline.supply import Item, Supply
from scraper.records import Failure, Outcome, Page, Stamp, Target
from scraper.schedule import Rules, Schedule, Store

LIMIT: Final = 10.0
THREADS: Final = {"loader", "keeper", "feeder"}


class Lists:
    """Entries that come when the test lets them.

    Attributes:
        count: entries that were asked for.
        known: what the supply knew of the lists.
        waits: somebody waits for an entry that is held back.
        go_on: lets it come.
        steps: let entries come one by one, if they are to.
        ended: all was read.
    """

    def __init__(self, items: Sequence[Item | Exception], hold: int | None = None, *, stepwise: bool = False) -> None:
        """Give `items`, of which exceptions are raised, and hold back what comes from number `hold` on."""
        self._items = items
        self._hold = hold
        self._stepwise = stepwise
        self.steps = threading.Semaphore(0)
        self.count = 0
        self.known: Mapping[str, Stamp] | None = None
        self.waits, self.go_on, self.ended = threading.Event(), threading.Event(), threading.Event()

    @property
    def is_of_files(self) -> bool:
        return False

    def read(self, known: Mapping[str, Stamp], fetch: Callable[[Target], Page | Failure]) -> Iterator[Item]:
        self.known = known
        self.fetch = fetch
        for number, item in enumerate(self._items):
            if number == self._hold:
                self.waits.set()
                assert self.go_on.wait(LIMIT)
            if self._stepwise and isinstance(item, (Target, Failure)):
                assert self.steps.acquire(timeout=LIMIT)
            if isinstance(item, Exception):
                raise item
            self.count += 1
            yield item
        self.ended.set()


class Rig:
    """A supply with a real store and a real schedule, and what came of it."""

    def __init__(
        self,
        items: Sequence[Item | Exception] | None,
        store: Store,
        *,
        hold: int | None = None,
        stepwise: bool = False,
        window: int = 10_000,
        delays: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        lists = None if items is None else Lists(items, hold, stepwise=stepwise)
        self.lists = lists or Lists([])
        self.store = store
        self.counters = Counters()
        self.outcomes: list[Outcome] = []
        self.errors: list[BaseException] = []
        self.failed = threading.Event()
        self.wanted = True
        self.schedule = Schedule(lambda host: Rules(1000, delays.get(host, 0.0)), retries=0, window=window)
        self.supply = Supply(lists, self.schedule, self.counters, deliver=self.deliver, fail=self.fail)

    def deliver(self, outcomes: list[Outcome]) -> bool:
        self.outcomes += outcomes
        return self.wanted

    def fail(self, error: BaseException) -> None:
        self.errors.append(error)
        self.failed.set()

    def start(self, known: Mapping[str, Stamp] | None = None) -> None:
        self.supply.start(known or {})
        self.supply.open(self.store)

    def take(self) -> str | None:
        """The next target's URL, fetched as soon as taken; waits for it, though not for ever."""
        watch = threading.Timer(LIMIT, self.schedule.stop)
        watch.start()
        one = self.schedule.take()
        assert not watch.finished.is_set(), "neither a target nor the end came"
        watch.cancel()
        if one is not None:
            self.schedule.done(one)
        return None if one is None else one.url

    def take_all(self) -> list[str]:
        """All there are, until the schedule says that there will be no more."""
        taken = []
        while (url := self.take()) is not None:
            taken.append(url)
        return taken

    def end(self) -> None:
        """As the pipeline does it, from a thread of its own: `join` has no limit."""
        self.schedule.stop()
        self.supply.stop()
        joiner = threading.Thread(target=self.supply.join, daemon=True)
        joiner.start()
        joiner.join(LIMIT)
        left = running() if joiner.is_alive() else None
        with self.supply._news:  # so that a failing test does not keep the process from its end
            self.supply._news.notify_all()
        assert left is None, f"still there: {left}"


def running() -> set[str]:
    return {thread.name for thread in threading.enumerate()} & THREADS


@pytest.fixture(params=["durable", "temporary"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each kind of store."""
    with Store.temporary() if request.param == "temporary" else Store.create(tmp_path / "state.db", b"{}") as new:
        yield new


@pytest.fixture
def rig(store: Store) -> Iterator[Callable[..., Rig]]:
    """Make rigs; each is ended with the test, and no thread of theirs stays."""
    rigs: list[Rig] = []

    def make(items: Sequence[Item | Exception] | None, **options: Any) -> Rig:
        rigs.append(Rig(items, store, **options))
        return rigs[-1]

    yield make
    for each in rigs:
        each.end()
    assert running() == set()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches so small that a short list has many of them."""
    for name, value in {"BATCH": 50, "AHEAD": 20, "KNOWN": 30, "PRIME": 30}.items():
        monkeypatch.setattr(supply_module, name, value)
