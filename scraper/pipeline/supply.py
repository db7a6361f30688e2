"""The way of URLs into the schedule:

    lists ──loader──► entries ──► store ──feeder──► schedule (a window of it)
            thread    a batch              thread

The feeder takes the batch over whenever the schedule has room, so a list that trickles in is fetched as it comes. With
a durable store the loader itself enters full batches and reads on: the list's length is known soon, and what follows it
in the list is not kept from its turn. Without one it waits, so that the list is read no further than it is used.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol

import msgspec

from scraper.counters import Counters
from scraper.records import Failure, ListEnd, ListStart, Outcome, Stamp, Target, now
from scraper.schedule import Schedule, Store

#: Entries that are entered into the store at once, at most.
BATCH: Final = 20_000

#: Entries that wait for a store that is not durable.
AHEAD: Final = 1000

#: Rows that the feeder reads at once.
ROWS: Final = 1000

#: Fetching begins when this many entries are read, the lists have ended, or some time has passed: so that an error in a
#: list of usual size is found before anything is fetched.
PRIME: Final = 5000

Item = Target | Failure | ListStart | ListEnd


class Source(Protocol):
    """What the supply needs of the lists."""

    def read(self, known: Mapping[str, Stamp]) -> Iterator[Item]: ...


class Supply:
    """Loads the lists into the store, and the schedule from it.

    Attributes:
        primed: set when enough is read to begin.
        listed: all lists were read to their end.
    """

    def __init__(
        self,
        lists: Source | None,
        schedule: Schedule,
        counters: Counters,
        *,
        deliver: Callable[[list[Outcome]], bool],
        fail: Callable[[BaseException], object],
    ) -> None:
        """Set up; nothing runs before `start`.

        Args:
            lists: where entries come from; None if the store has all.
            schedule: where targets go.
            counters: `total` and `duplicate` are kept here.
            deliver: takes URLs that end without being asked; False if nobody wants them any more.
            fail: is told of an error that ends the run.
        """
        self._lists = lists
        self._schedule = schedule
        self._counters = counters
        self._deliver = deliver
        self._fail = fail
        self._lock = threading.Lock()  # guards all that follows
        self._news = threading.Condition(self._lock)
        self._items: list[Item] = []
        self._full = PRIME
        self._over = False
        self._hungry = False
        self._entered = False
        self._stopped = False
        self._store: Store | None = None
        self.primed = threading.Event()
        self.listed = False
        self._loader = threading.Thread(target=self._load, name="loader", daemon=True)
        self._feeder = threading.Thread(target=self._feed, name="feeder")
        self._known: Mapping[str, Stamp] = {}

    def start(self, known: Mapping[str, Stamp]) -> None:
        """Begin to read.

        Args:
            known: lists that the store has already, as they were then.
        """
        self._known = known
        if self._lists is None:
            self._over = self.listed = True
            self.primed.set()
        else:
            self._loader.start()

    def open(self, store: Store) -> None:
        """Let targets go into the schedule, by way of `store`.

        Raises:
            RunError: the store cannot be written.
        """
        if self._lists is not None:
            store.begin_loading()
        self._counters.total, self._counters.duplicate = store.counters.total, store.counters.duplicate
        with self._lock:
            self._store = store
            self._full = BATCH if store.is_durable else AHEAD
            self._news.notify_all()
        self._feeder.start()

    def stop(self) -> None:
        """No more is wanted."""
        with self._lock:
            self._stopped = True
            self._news.notify_all()

    def join(self) -> None:
        """Wait for the threads, once stopped; not for an iterator of the user's, which nobody can interrupt."""
        while self._feeder.is_alive():
            self._feeder.join(0.1)  # in steps: a wait without end would not notice a signal
        if self._loader.ident is not None:
            self._loader.join(1)

    def _load(self) -> None:
        """The loader thread."""
        try:
            for item in self._lists.read(self._known) if self._lists is not None else ():
                if not self._take(item):
                    return
            self.listed = True
        except Exception as error:  # noqa: BLE001  raised again in the consumer's thread
            self._fail(error)
        finally:
            with self._lock:
                self._over = True
                self._news.notify_all()
            self.primed.set()

    def _take(self, item: Item) -> bool:
        """Put an item with the others; False if nobody wants more."""
        with self._lock:
            self._items.append(item)
            if self._hungry:
                self._news.notify_all()
            if len(self._items) < self._full:
                return not self._stopped
            self.primed.set()
            while not self._stopped and len(self._items) >= self._full and not self._is_durable:
                self._news.wait()
            if self._stopped:
                return False
        self._enter()
        return True

    @property
    def _is_durable(self) -> bool:
        return self._store is not None and self._store.is_durable

    def _enter(self) -> None:
        """All that waits into the store, in order."""
        store = self._store
        assert store is not None
        with store.lock:  # so that what was taken first is entered first
            with self._lock:
                items, self._items = self._items, []
                self._entered = True
                self._news.notify_all()
            entries: list[Target | Failure] = []
            for item in items:
                if isinstance(item, (Target, Failure)):
                    entries.append(item)
                    continue
                _into(store, entries)
                entries = []
                _mark(store, item)
            _into(store, entries)
            self._counters.total, self._counters.duplicate = store.counters.total, store.counters.duplicate

    def _feed(self) -> None:
        """The feeder thread."""
        try:
            if self._feed_all() and self._store is not None:
                if self.listed and self._lists is not None:
                    self._store.end_loading()
                self._schedule.finish()
        except Exception as error:  # noqa: BLE001  raised again in the consumer's thread
            self._fail(error)

    def _feed_all(self) -> bool:
        """Hand on all that is pending; False if nobody wants it."""
        store = self._store
        assert store is not None
        last = 0
        while not self._stopped:
            with self._lock:
                was_all, self._entered = self._over and not self._items, False
            chunk = store.pending(last, ROWS)
            last = chunk.last
            if chunk.outcomes and not self._deliver([_ended(outcome) for outcome in chunk.outcomes]):
                return False
            if not self._schedule.add(chunk.targets):
                return False
            if not chunk.targets and not chunk.outcomes:
                if was_all:
                    return True
                self._wait()
                self._enter()
        return False

    def _wait(self) -> None:
        """Wait for the loader."""
        with self._lock:
            self._hungry = True
            while not (self._items or self._entered or self._over or self._stopped):
                self._news.wait()
            self._hungry = False


def _into(store: Store, entries: list[Target | Failure]) -> None:
    if entries:
        store.enter(entries)


def _mark(store: Store, item: ListStart | ListEnd) -> None:
    if isinstance(item, ListStart):
        store.begin_list()
    elif item.unread:
        store.skip_list(item.name)
    elif item.stamp is not None:
        store.end_list(item.name, item.stamp)


def _ended(outcome: Outcome) -> Outcome:
    failure = outcome.failure
    assert failure is not None
    return msgspec.structs.replace(outcome, failure=msgspec.structs.replace(failure, failed_at=now()))
