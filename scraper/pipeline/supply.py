"""The way of URLs into the schedule:

    lists ──loader──► batch ──keeper──► store ──feeder──► schedule (some targets of each host that is at work)
            thread            thread            thread

The keeper takes the batch over whenever the schedule can use more, so a list that trickles in is fetched as it comes,
and tells the schedule how many URLs of each host there are. With a durable store, and from files, it also takes each
full batch, and the list is read on to its end: its length is known soon, and what follows in it is not kept from its
turn. Else the loader waits, so that the list is read no further than it is used. The feeder draws from the store what
the schedule asks for, host by host, so that the order of the list does not matter. Reading needs the interpreter and
storing does not: in two threads they go on at the same time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final, Protocol

import msgspec

from scraper.counters import Counters
from scraper.records import Failure, ListEnd, ListStart, Outcome, Page, Stamp, Target, now
from scraper.schedule import LIFETIME, Schedule, Store

#: Entries that are entered into the store at once, when they come fast; as many may wait meanwhile.
BATCH: Final = 20_000

#: Where the list is read no further than it is used: entries that wait for the store, and URLs that are enough in it.
AHEAD: Final = 1000
KNOWN: Final = 10_000

#: Hosts that are handed to the schedule at once.
HOSTS: Final = 1000

#: Fetching begins when this many entries are read, the lists have ended, or some time has passed: so that an error in a
#: list of usual size is found before anything is fetched.
PRIME: Final = 5000

Item = Target | Failure | ListStart | ListEnd


class Source(Protocol):
    """What the supply needs of the lists."""

    @property
    def is_of_files(self) -> bool: ...

    def read(self, known: Mapping[str, Stamp], fetch: Callable[[Target], Page | Failure]) -> Iterator[Item]: ...


class _Stopped(Exception):
    """Nobody wants the lists any more."""


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
        own: Iterable[str] = (),
    ) -> None:
        """Set up; nothing runs before `start`.

        Args:
            lists: where entries come from; None if the store has all.
            schedule: where targets go.
            counters: `total` and `duplicate` are kept here.
            deliver: takes URLs that end without being asked; False if nobody wants them any more.
            fail: is told of an error that ends the run.
            own: hosts that have limits of their own.
        """
        self._lists = lists
        self._schedule = schedule
        self._counters = counters
        self._deliver = deliver
        self._fail = fail
        self._unweighed = set(own)
        self._lock = threading.Lock()  # guards all that follows
        self._news = threading.Condition(self._lock)
        self._items: list[Item] = []
        self._most = PRIME  # items that may wait
        self._read_out = False  # the loader has ended
        self._is_whole = lists is None  # it came to the end of the lists
        self._hungry = False  # the schedule can use more
        self._stopped = False
        self._eager = False  # all of the lists is taken over as soon as it can be
        self._answer: Page | Failure | None = None  # to what the loader has asked for
        self._asking = False
        self._store: Store | None = None
        self.primed = threading.Event()
        self.listed = lists is None
        self._loader = threading.Thread(target=self._load, name="loader", daemon=True)
        self._keeper = threading.Thread(target=self._guarded, args=(self._keep,), name="keeper")
        self._feeder = threading.Thread(target=self._guarded, args=(self._feed,), name="feeder")
        self._known: Mapping[str, Stamp] = {}

    def start(self, known: Mapping[str, Stamp]) -> None:
        """Begin to read.

        Args:
            known: lists that the store has already, as they were then.
        """
        self._known = known
        if self._lists is None:
            self._read_out = True
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
        self._eager = store.is_durable or (self._lists is not None and self._lists.is_of_files)
        self._schedule.begin(ahead=float("inf") if self._eager else KNOWN, keep_notes=store.is_durable)
        with self._lock:
            self._store = store
            self._most = 2 * BATCH if self._eager else AHEAD
            self._news.notify_all()
        self._keeper.start()
        self._feeder.start()

    @property
    def is_asking(self) -> bool:
        """A list is being fetched."""
        return self._asking

    def answer(self, result: Page | Failure) -> None:
        """What came of a list that had to be fetched."""
        with self._lock:
            self._answer = result
            self._news.notify_all()

    def stop(self) -> None:
        """No more is wanted."""
        with self._lock:
            self._stopped = True
            self._news.notify_all()

    def join(self) -> None:
        """Wait for the threads, once stopped; not for an iterator of the user's, which nobody can interrupt."""
        while self._feeder.is_alive() or self._keeper.is_alive():
            self._feeder.join(0.1)  # in steps: a wait without end would not notice a signal
            self._keeper.join(0.1)
        if self._loader.ident is not None:
            self._loader.join(1)

    def _load(self) -> None:
        """The loader thread; a daemon, since it may wait for an iterator of the user's."""
        try:
            for item in self._lists.read(self._known, self._ask) if self._lists is not None else ():
                if not self._take(item):
                    return
            self._is_whole = True
        except _Stopped:
            pass
        except Exception as error:  # noqa: BLE001  raised again in the consumer's thread
            self._fail(error)
        finally:
            with self._lock:
                self._read_out = True
                self._news.notify_all()
            self.primed.set()

    def _ask(self, target: Target) -> Page | Failure:
        """Have a list fetched, for the loader, in its host's turn.

        Raises:
            _Stopped: nobody wants it any more.
        """
        with self._lock:
            self._answer = None
            self._asking = True
        try:
            self._schedule.add([target])
            with self._lock:
                while self._answer is None and not self._stopped:
                    self._news.wait()
                if self._answer is None:
                    raise _Stopped
                return self._answer
        finally:
            self._asking = False

    def _take(self, item: Item) -> bool:
        """Put an item with the others; False if nobody wants more."""
        with self._lock:
            self._items.append(item)
            if self._hungry or len(self._items) == BATCH:
                self._news.notify_all()
            if len(self._items) < self._most:
                return not self._stopped
            self.primed.set()
            while not self._stopped and len(self._items) >= self._most:
                self._news.wait()
            return not self._stopped

    def _guarded(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  raised again in the consumer's thread
            self._fail(error)

    def _keep(self) -> None:
        """The keeper thread."""
        store = self._store
        assert store is not None
        for hosts in store.pending_hosts():  # of former sessions; before more come, lest those count twice
            self._expect(store, hosts)
        while not self.listed:
            with self._lock:
                while not (self._stopped or self._is_due()):
                    self._news.wait()
                if self._stopped:
                    return
                items, self._items = self._items, []
                self._hungry = False  # it gets these, and says so when it needs more
                read_out = self._read_out
                self._news.notify_all()
            for hosts in _enter(store, items):
                self._expect(store, hosts)
            self._schedule.expect(())  # nothing new may have been among them: it has to say anew that it needs more
            self._counters.total, self._counters.duplicate = store.counters.total, store.counters.duplicate
            if read_out:
                if not self._is_whole:
                    return
                store.end_loading()
                self.listed = True
        self._schedule.finish()

    def _is_due(self) -> bool:
        full = self._eager and len(self._items) >= BATCH
        return self._read_out or full or (self._hungry and bool(self._items))

    def _expect(self, store: Store, hosts: list[tuple[int, int]]) -> None:
        """Tell the schedule of URLs in the store, not of all at once, for others need its lock."""
        if self._unweighed and (numbers := store.numbers_of(self._unweighed)):
            self._unweighed -= set(numbers)
            self._schedule.weigh(numbers)
        for start in range(0, len(hosts), HOSTS):
            self._schedule.expect(hosts[start : start + HOSTS])

    def _feed(self) -> None:
        """The feeder thread."""
        store = self._store
        assert store is not None
        while (work := self._schedule.work()) is not None:
            if work.hungry:
                with self._lock:
                    self._hungry = True
                    self._news.notify_all()
            if work.ended:
                if not self._deliver([_ended(outcome) for outcome in work.ended]):
                    return
                self._schedule.delivered(len(work.ended))
            if work.wants:
                draws = store.draw(work.wants, work.most)
                self.recall(self._schedule.unknown(draws))
                self._schedule.fill(draws)

    def follow(self, hosts: list[tuple[int, int]]) -> None:
        """Pages led to these URLs, which are in the store now; for the consumer's thread."""
        if self._store is not None:
            self._expect(self._store, hosts)
            counters = self._store.counters
            self._counters.total, self._counters.followed = counters.total, counters.followed

    def recall(self, origins: Collection[str]) -> None:
        """Let the schedule know what the store has of their robots.txt."""
        if origins and self._store is not None:
            moment = time.time()
            self._schedule.recall(self._store.robots(origins, moment - LIFETIME), moment)


def _enter(store: Store, items: list[Item]) -> Iterator[list[tuple[int, int]]]:
    """Put items into the store, in order; yields what is new in it, by host."""
    entries: list[Target | Failure] = []
    for item in items:
        if isinstance(item, (Target, Failure)):
            entries.append(item)
            continue
        if entries:
            yield store.enter(entries)
        entries = []
        _mark(store, item)
    if entries:
        yield store.enter(entries)


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
