"""The five stages, joined:

    source ──► store ──► schedule ──► fetch ──► pages ──► parse ──► outcomes ──► whoever iterates (write)
    loader     feeder     called by    thread    bounded   worker     bounded      the main thread
    thread     thread     fetch        pool      channel   processes  channel
                 ▲        threads        │
                 │           ▲           │
                 │           └───────────┤ another host's turn, another attempt, robots.txt
                 └───────────────────────┘ lists that have to be fetched

Nothing polls: a fetch thread waits in the schedule, a parse owner in `pages`, the consumer in `outcomes`. The end runs
down the same way: when the schedule has nothing more, fetch threads return, the last one closes `pages`; the last parse
owner closes `outcomes`. Every put waits for room, so the slowest stage sets the pace and memory does not grow.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Final

from msgspec.structs import replace

from scraper.channel import Channel
from scraper.counters import Counters
from scraper.errors import RunError, ScraperError, UsageError
from scraper.fetch import Fetcher
from scraper.parse.batch import BATCH_PAGES
from scraper.parse.extract import Plan
from scraper.parse.inline import InlineParser
from scraper.parse.pool import ParsePool
from scraper.pipeline.rules import policy_of, rules_of
from scraper.pipeline.slots import FetchSlot, close_at_exit
from scraper.pipeline.supply import Source, Supply
from scraper.records import LIST, PAGE, Attempt, Failure, Hop, Outcome, Page, Stamp, Target
from scraper.schedule import Outlook, Schedule, Store
from scraper.settings import Settings
from scraper.watch.progress import Load

#: Seconds the consumer waits for an outcome before it gets an empty batch, to look at the clock and at signals.
TICK: Final = 0.1

#: Seconds that requests in flight may still take after an interrupt.
GRACE: Final = 10.0

#: Seconds that fetching waits for the beginning of the lists, and how many more if one has to be fetched.
PRIME_SECONDS: Final = 0.5
ASK_SECONDS: Final = 5.0


class Pipeline:
    """One run of the stages; a context manager. For one consumer thread.

    Attributes:
        counters: `total` and `duplicate` are kept here, the rest is the consumer's.
    """

    def __init__(self, settings: Settings, plan: Plan, lists: Source | None) -> None:
        """Set up; `start` begins."""
        self.counters = Counters()
        self._settings = settings
        self._store: Store | None = None
        self._follows = bool(plan.main.follow) or any(each.follow for each in plan.sets.values())
        workers = settings.parse.workers
        self._pages: Channel[Page] = Channel(max(2 * BATCH_PAGES * workers, 2 * BATCH_PAGES))
        self._outcomes: Channel[list[Outcome | Attempt]] = Channel(64)
        self._schedule = Schedule(
            partial(rules_of, settings), retries=settings.fetch.retries, robots=policy_of(settings)
        )
        self._fetcher = Fetcher(settings, self._schedule.permit, self._schedule.sent)
        self._parser = self._make_parser(plan)
        self._executor = ThreadPoolExecutor(settings.fetch.workers, thread_name_prefix="fetch")
        self._supply = Supply(
            lists, self._schedule, self.counters, deliver=self._put, fail=self._fail, own=settings.hosts
        )
        self._lock = threading.Lock()  # guards _error and _fetching
        self._error: BaseException | None = None
        self._fetching = settings.fetch.workers
        self._futures: list[Future[None]] = []
        self._slots = [FetchSlot() for _ in range(settings.fetch.workers)]
        self._began = time.monotonic()
        self._seconds_before = 0.0
        self._stop_by: float | None = None
        self._started = False
        self._closed = False

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, open_store: Callable[[], Store], known: Mapping[str, Stamp] | None = None) -> None:
        """Start all stages; returns when fetching has begun.

        Args:
            open_store: called when all is well and the first page is about to be asked for: where the state is kept.
            known: lists that the store has already.

        Raises:
            UsageError: the list, the record description or the parser is of no use; nothing was fetched.
            RunError: the state cannot be written.
        """
        close_at_exit(self)
        self._supply.start(known or {})
        self._parser.start()
        self._started = True
        # At work from now on, though there are no pages yet: a list may have to be fetched.
        self._futures = [self._executor.submit(self._fetch_loop, slot) for slot in self._slots]
        waited_until = time.monotonic() + PRIME_SECONDS
        while not self._supply.primed.wait(TICK) and (
            time.monotonic() < waited_until
            or (self._supply.is_asking and time.monotonic() < waited_until + ASK_SECONDS)
        ):
            pass
        if isinstance(self._error, ScraperError):
            raise self._error
        self._store = store = open_store()
        counters = store.counters
        for name in counters.__struct_fields__:
            setattr(self.counters, name, getattr(counters.copy(), name))
        self._seconds_before = counters.seconds
        self._supply.open(store)
        self._began = time.monotonic()

    def outcomes(self) -> Iterator[list[Outcome | Attempt]]:
        """Outcomes, and attempts that were none, as they come, in batches; an empty one at least every `TICK` seconds.

        Raises:
            RunError, UsageError: the run could not go on; what was yielded before stands.
        """
        while not self._outcomes.ended:
            entries = self._outcomes.take(TICK) or []
            yield entries
            if self._follows:
                self._follow(entries)
            self._mind_grace()
        if isinstance(self._error, UsageError):  # bad input, but found too late to say that nothing was fetched
            raise RunError(str(self._error)) from self._error
        if self._error is not None:
            raise self._error

    def _follow(self, entries: list[Outcome | Attempt]) -> None:
        """What the consumer has kept by now leads on; where it keeps nothing, all that it has seen."""
        if self._store is None:
            return
        if not self._store.is_durable:
            self._store.follow([entry for entry in entries if isinstance(entry, Outcome)])
        followed = self._store.take_followed()
        if followed is not None:
            self._supply.follow(followed.hosts)
            self._schedule.settle(followed.pages)

    @property
    def awaits_links(self) -> bool:
        """Nothing can be done before what came is kept, since only that leads on."""
        return self._follows and self._schedule.is_starved

    def interrupt(self) -> None:
        """Ask for nothing more and let what is in flight finish, for up to `GRACE` seconds."""
        self._schedule.stop()
        self._supply.stop()
        if self._stop_by is None:
            self._stop_by = time.monotonic() + GRACE

    def close(self) -> None:
        """End everything now and wait for it: no thread, process or socket is left."""
        if self._closed:
            return
        self._closed = True
        self._abandon()
        self._outcomes.cancel()
        while wait(self._futures, timeout=TICK).not_done:
            pass  # in steps: a wait without end would not notice a signal
        self._executor.shutdown()
        self._pages.close()
        if self._started:
            self._parser.join()
        self._fetcher.close()
        self._supply.join()

    @property
    def seconds(self) -> float:
        """Seconds that fetching has gone on for, in all sessions of the run."""
        return self._seconds_before + self.session_seconds

    @property
    def session_seconds(self) -> float:
        """Seconds that fetching has gone on for in this session."""
        return time.monotonic() - self._began

    @property
    def is_listed(self) -> bool:
        """The lists were read to their end."""
        return self._supply.listed

    def load(self) -> Load:
        """How busy the stages are at this moment."""
        fetching = sum(slot.since is not None for slot in self._slots)
        queued = len(self._pages) / self._pages.capacity
        parsers = max(self._settings.parse.workers, 1)
        return Load(fetching, len(self._slots), queued, self._parser.busy(), parsers, self.is_listed)

    def note_hosts(self) -> None:
        """Let the state know how hosts have answered; it keeps that with the next commit."""
        if self._store is not None and self._store.is_durable:
            self._store.note_hosts(self._schedule.take_notes())

    def outlook(self) -> Outlook:
        """The host that will take longest, and how long."""
        return self._schedule.outlook()

    def busy(self) -> dict[str, float]:
        """Share of their capacity that fetch and parse have used so far."""
        seconds = max(self.session_seconds, 1e-9)
        now = time.monotonic()
        fetch = sum(slot.seconds(now) for slot in self._slots) / (seconds * len(self._slots))
        parse = self._parser.busy_seconds() / (seconds * max(self._settings.parse.workers, 1))
        return {"fetch": fetch, "parse": parse}

    def _make_parser(self, plan: Plan) -> ParsePool | InlineParser:
        parse = self._settings.parse
        if parse.workers == 0:
            return InlineParser(plan, pages=self._pages, deliver=self._deliver, ended=self._outcomes.close)
        return ParsePool(
            plan,
            workers=parse.workers,
            timeout=parse.timeout,
            pages=self._pages,
            deliver=self._deliver,
            ended=self._outcomes.close,
            fail=self._fail,
            crashed=self._crashed,
        )

    def _fetch_loop(self, slot: FetchSlot) -> None:
        """A fetch thread: next target, fetch, hand on."""
        try:
            while (target := self._schedule.take()) is not None:
                self._fetch(target, slot)
        except BaseException as error:  # noqa: BLE001  a bug; it ends the run, in the consumer's thread
            self._fail(error)
        finally:
            with self._lock:
                self._fetching -= 1
                last = self._fetching == 0
            if last:
                self._pages.close()

    def _fetch(self, target: Target, slot: FetchSlot) -> None:
        """In a function of its own: a thread that waits for its next target shall hold no page."""
        slot.since = time.monotonic()
        result = self._fetcher.fetch(target)
        seconds = slot.stop()
        if isinstance(result, Page) and target.kind == PAGE:
            self._schedule.done(target, result, seconds, leads_on=self._follows)
            if not self._pages.put(result):
                self._fetcher.budget.release(len(result.body))
            return
        if not self._given_up:
            self._schedule.observe(target, result, seconds)
        self._hand_on(target, result)

    def _hand_on(self, target: Target, result: Page | Hop | Failure) -> None:
        """Anything but a page that was asked for as one."""
        if isinstance(result, Hop):
            if target.kind == PAGE:
                self._supply.recall(self._schedule.unknown_origins([result.target.href]))
            self._schedule.replace(target, result.target)
        elif target.kind != PAGE:
            self._hand_back(target, result)
        elif self._given_up or isinstance(result, Page):
            return
        elif self._schedule.retry(target, result):
            self._outcomes.put([Attempt(target.id, result.attempts)])
        else:
            # Before it is done: when the last one is, the way of the outcomes is closed.
            self._outcomes.put([Outcome(result.url, failure=result, status=result.status, id=target.id)])
            self._schedule.done(target)

    def _hand_back(self, target: Target, result: Page | Failure) -> None:
        """What was not fetched for a record: to who needs it for others."""
        if isinstance(result, Page):
            self._fetcher.budget.release(len(result.body))
        elif not self._given_up and self._schedule.retry(target, result):
            return
        if target.kind == LIST:
            self._supply.answer(result)
        elif not self._given_up:
            robots = self._schedule.learn(target, result)
            if robots is not None and self._store is not None and self._store.is_durable:
                self._store.note_robots(robots)
        self._schedule.done(target)

    def _put(self, outcomes: list[Outcome]) -> bool:
        return self._outcomes.put([*outcomes])

    def _crashed(self, page: Page, number: int, failure: Failure) -> None:
        """A page has cost a worker: known to the state before anything else may happen to it."""
        if self._store is not None and self._store.is_durable:
            self._store.crashed(page.id, number, failure)

    @property
    def _given_up(self) -> bool:
        """Requests are being cut off: how they end says nothing about their pages, which stay pending."""
        return self._closed or self._error is not None or (self._stop_by or float("inf")) <= time.monotonic()

    def _deliver(self, outcomes: list[Outcome]) -> None:
        if self._follows:  # a page that crashed leads nowhere, and that has to be known
            outcomes = [each if each.links is not None else replace(each, links=[]) for each in outcomes]
        self._put(outcomes)
        self._fetcher.budget.release(sum(outcome.size for outcome in outcomes))

    def _mind_grace(self) -> None:
        if self._stop_by is not None and self._stop_by <= time.monotonic():
            self._stop_by = float("-inf")
            self._abandon()

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            if self._error is None:
                self._error = error if isinstance(error, ScraperError) else _unexpected(error)
        self._abandon()
        self._outcomes.close()

    def _abandon(self) -> None:
        """Give up all that is in flight."""
        self._schedule.stop()
        self._supply.stop()
        self._fetcher.abort()
        self._fetcher.budget.lift()
        for page in self._pages.cancel():
            self._fetcher.budget.release(len(page.body))
        self._parser.abort()


def _unexpected(error: BaseException) -> BaseException:
    failure = RunError(f"unexpected {type(error).__name__}: {error}")
    failure.__cause__ = error
    return failure
