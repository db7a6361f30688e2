"""The parse pool: worker processes that may hang, crash or be killed, and pages that are never lost for it.

Each worker has one private pipe and one owner thread, so that a death breaks nothing that another worker uses:

    pages ──take_batch──► owner ──one message──► worker
                            ▲                      │
    deliver ◄──outcomes─────┴──────verdicts────────┘

A worker that dies or overruns is replaced. The page it had in hand is tried once more, alone, and fails if that ends
the same way; the other pages of the batch just go into the next one.
"""

from __future__ import annotations

import pickle
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from scraper.channel import Channel
from scraper.errors import ParserError, RunError, ScraperError, UsageError, WorkerStartError
from scraper.parse.extract import Extractor, Plan, PlanError, Verdict
from scraper.parse.fields import Problem
from scraper.parse.gauge import Gauge
from scraper.parse.process import Helpers, WorkerDied, WorkerProcess, start_context
from scraper.records import Failure, Outcome, Page, now

#: A batch: whatever waits, up to this many pages and bytes.
BATCH_PAGES: Final = 16
BATCH_BYTES: Final = 4 << 20

#: A worker is replaced after this many pages, since parsers leak.
RENEW_AFTER: Final = 10_000

#: Deaths in a row that no page can be blamed for, before the first page of the batch is suspected.
BLAMELESS: Final = 3

#: Starts in a row that may fail once a worker has been ready before (it may have been killed from outside).
START_ATTEMPTS: Final = 5

#: Seconds that an aborted inline parser may take for the page in hand.
ABANDON_AFTER: Final = 2.0

Deliver = Callable[[list[Outcome]], object]


class BadPlan(UsageError):
    """The record description does not compile.

    Attributes:
        problems: all reasons.
    """

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{problem.path}: {problem.message}" for problem in problems))
        self.problems = problems


class _Slot:
    """One worker's place: its gauge stays while processes come and go."""

    def __init__(self) -> None:
        self.gauge = Gauge()
        self.worker: WorkerProcess | None = None
        self.closed = False
        self._busy_before = 0.0  # of earlier processes in this place

    def busy_seconds(self) -> float:
        return self._busy_before + (0.0 if self.closed else self.gauge.busy(time.monotonic()))

    def is_busy(self) -> bool:
        return not self.closed and self.gauge.in_hand >= 0

    def vacate(self) -> None:
        """The process is gone; its place is free for another."""
        self.worker = None
        self._busy_before += self.gauge.busy(time.monotonic())
        self.gauge.reset()

    def close(self) -> None:
        self._busy_before = self.busy_seconds()
        self.closed = True
        self.gauge.close()


class ParsePool:
    """Parses what comes through a channel in worker processes, and delivers outcomes."""

    def __init__(
        self,
        plan: Plan,
        *,
        workers: int,
        timeout: float,
        pages: Channel[Page],
        deliver: Deliver,
        ended: Callable[[], object],
        fail: Callable[[ScraperError], object],
    ) -> None:
        """Set up; nothing runs before `start`.

        Args:
            plan: what to extract.
            workers: number of processes, at least 1.
            timeout: seconds a page may take.
            pages: where pages come from; its end is the pool's end.
            deliver: called by owner threads with finished outcomes.
            ended: called once, after the last outcome was delivered.
            fail: called when the pool cannot go on.
        """
        self._plan = plan
        self._timeout = timeout
        self._pages = pages
        self._deliver = deliver
        self._fail = fail
        self._ended = ended
        self._lock = threading.Lock()  # guards _owners
        self._owners = workers
        self._helpers = Helpers()
        self._context = start_context(plan)
        self._slots = [_Slot() for _ in range(workers)]
        self._aborted = False
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._own, args=(slot,), name=f"parse-owner-{i}")
            for i, slot in enumerate(self._slots)
        ]
        self._timekeeper = threading.Thread(target=self._keep_time, name="parse-timekeeper")

    def start(self) -> None:
        """Start the first worker, wait until it is ready, then let all owners begin.

        Raises:
            BadPlan, ParserError: the plan cannot be carried out.
            WorkerStartError: the worker ended before it was ready.
        """
        try:
            self._slots[0].worker = self._first_worker(self._slots[0].gauge)
        except BaseException:
            self._close()
            raise
        for thread in (self._timekeeper, *self._threads):
            thread.start()

    def _first_worker(self, gauge: Gauge) -> WorkerProcess:
        try:
            worker = WorkerProcess(self._context, self._plan, gauge)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ParserError(
                f"the parser cannot be sent to the workers: {error}; define it at the top level of a module, "
                "or use parse_workers=0"
            ) from None
        try:
            hello = worker.greet()
            if hello.problems:
                raise BadPlan(hello.problems)
            if hello.parser_error:
                raise ParserError(hello.parser_error)
        except WorkerStartError:
            raise
        except BaseException:
            worker.kill("parse_crashed")
            worker.close()
            raise
        return worker

    def join(self) -> None:
        """Wait until every page of the ended channel is delivered and every process is gone."""
        for thread in self._threads:
            while thread.is_alive():
                thread.join(0.1)  # in steps: a wait without end would not notice a signal
        self._over.set()
        self._timekeeper.join()
        self._close()

    def abort(self) -> None:
        """Kill all workers; pages in their hands are given up, without an outcome."""
        self._aborted = True
        for slot in self._slots:
            if slot.worker is not None:
                slot.worker.kill("parse_crashed")

    def busy(self) -> int:
        """Workers that have a page in hand."""
        return sum(slot.is_busy() for slot in self._slots)

    def busy_seconds(self) -> float:
        """Seconds that all workers together have spent parsing."""
        return sum(slot.busy_seconds() for slot in self._slots)

    def pids(self) -> list[int]:
        """Process ids of the workers there are."""
        return [worker.pid for slot in self._slots if (worker := slot.worker) is not None]

    def _own(self, slot: _Slot) -> None:
        """An owner thread: batches in, outcomes out, until the channel ends."""
        try:
            while not self._aborted:
                batch = self._pages.take_batch(BATCH_PAGES, _weight, BATCH_BYTES)
                if not batch:
                    break
                _Batch(batch).work_off(self._attempt(slot), self._deliver)
        except _Aborted:
            pass
        except ScraperError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001  a bug; it ends the run, in the consumer's thread
            self._fail(RunError(f"unexpected {type(error).__name__} in a parse owner: {error}"))
        finally:
            if slot.worker is not None:
                slot.worker.close()
                slot.worker = None
            with self._lock:
                self._owners -= 1
                last = self._owners == 0
            if last:
                self._ended()

    def _attempt(self, slot: _Slot) -> Callable[[list[Page], Callable[[list[Verdict]], object]], None]:
        def attempt(pages: list[Page], take: Callable[[list[Verdict]], object]) -> None:
            worker = self._worker(slot)
            try:
                for verdicts in worker.ask(pages):
                    take(verdicts)
            except WorkerDied:
                slot.vacate()
                if self._aborted:
                    raise _Aborted from None
                raise

        return attempt

    def _worker(self, slot: _Slot) -> WorkerProcess:
        """The slot's worker; a fresh one where there is none or it has done its share.

        Raises:
            ScraperError: none can be started.
            _Aborted: the pool is being torn down.
        """
        if slot.worker is not None and slot.worker.pages >= RENEW_AFTER:
            slot.worker.close()
            slot.vacate()
        if slot.worker is not None:
            return slot.worker
        for attempts_left in reversed(range(START_ATTEMPTS)):
            if self._aborted:
                raise _Aborted
            slot.worker = WorkerProcess(self._context, self._plan, slot.gauge)
            try:
                hello = slot.worker.greet()
            except WorkerStartError:
                slot.worker = None
                if not attempts_left:
                    raise
                continue
            if hello.parser_error:
                raise ParserError(hello.parser_error)
            return slot.worker
        raise AssertionError("unreachable")

    def _keep_time(self) -> None:
        """Kill workers that overrun; wakes often enough to be late by a twentieth of the limit, or 0.25 s."""
        pause = min(max(self._timeout / 20, 0.02), 0.25)
        while not self._over.wait(pause):
            moment = time.monotonic()
            for slot in self._slots:
                worker = slot.worker
                if worker is not None and worker.overdue(moment, self._timeout):
                    worker.kill("parse_timeout")

    def _close(self) -> None:
        for slot in self._slots:
            slot.close()
        self._helpers.close()


class _Aborted(Exception):
    """The pool is being torn down."""


class _Batch:
    """The pages of one batch on their way to an outcome each, however many workers that takes."""

    def __init__(self, pages: list[Page]) -> None:
        self._fresh = deque(pages)
        self._suspects: deque[Page] = deque()
        self._blameless = 0

    def work_off(
        self, attempt: Callable[[list[Page], Callable[[list[Verdict]], object]], None], deliver: Deliver
    ) -> None:
        """Give every page an outcome; `attempt` runs some pages on a worker and raises `WorkerDied`."""
        while self._fresh or self._suspects:
            alone = not self._fresh
            pages = [self._suspects.popleft()] if alone else list(self._fresh)
            if not alone:
                self._fresh.clear()
            left: dict[int, Page] = dict(enumerate(pages))

            def take(verdicts: list[Verdict], left: dict[int, Page] = left) -> None:
                deliver([to_outcome(left.pop(verdict.index), verdict) for verdict in verdicts])

            try:
                attempt(pages, take)
            except WorkerDied as death:
                self._blame(death, left, alone=alone, deliver=deliver)

    def _blame(self, death: WorkerDied, left: dict[int, Page], *, alone: bool, deliver: Deliver) -> None:
        suspect = left.get(death.in_hand)
        if suspect is None:
            self._blameless += 1
            if self._blameless <= BLAMELESS or not left:
                (self._suspects if alone else self._fresh).extend(left.values())
                return
            suspect = next(iter(left.values()))
        self._fresh.extend(page for page in left.values() if page is not suspect)
        if alone:
            message = str(death) or "parsing took longer than the limit"
            deliver([to_outcome(suspect, Verdict(0, error=death.kind, message=message))])
        else:
            self._suspects.append(suspect)


class InlineParser:
    """Parses in one thread of this process: for tests and debugging. No limits of time or memory."""

    def __init__(self, plan: Plan, *, pages: Channel[Page], deliver: Deliver, ended: Callable[[], object]) -> None:
        """As `ParsePool`."""
        self._ended = ended
        self._plan = plan
        self._pages = pages
        self._deliver = deliver
        self._since: float | None = None
        self._busy = 0.0
        self._aborted = False
        # A daemon, since a parser that hangs here cannot be killed: then the program may still end.
        self._thread = threading.Thread(target=self._run, name="parse-inline", daemon=True)

    def start(self) -> None:
        """Compile the plan, then begin.

        Raises:
            BadPlan, ParserError: the plan cannot be carried out.
        """
        try:
            self._extractor = Extractor(self._plan)
        except PlanError as error:
            raise BadPlan(error.problems) from None
        self._thread.start()

    def join(self) -> None:
        """Wait until every page of the ended channel is delivered; after `abort`, no longer than a page should take."""
        given_up = time.monotonic() + ABANDON_AFTER
        while self._thread.is_alive() and not (self._aborted and time.monotonic() > given_up):
            self._thread.join(0.1)

    def abort(self) -> None:
        """Nothing to kill: the page in hand is finished, the others are given up."""
        self._aborted = True

    def busy(self) -> int:
        """1 while a page is in hand."""
        return int(self._since is not None)

    def busy_seconds(self) -> float:
        """Seconds spent parsing."""
        return self._busy

    def pids(self) -> list[int]:
        """There are no processes."""
        return []

    def _run(self) -> None:
        try:
            self._parse_all()
        finally:
            self._ended()

    def _parse_all(self) -> None:
        while batch := self._pages.take_batch(BATCH_PAGES, _weight, BATCH_BYTES):
            for page in batch:
                if self._aborted:
                    return
                self._since = since = time.monotonic()
                try:
                    verdict = self._extractor(page)
                except MemoryError:
                    verdict = Verdict(0, error="parse_crashed", message="memory limit")
                self._busy += time.monotonic() - since
                self._since = None
                self._deliver([to_outcome(page, verdict)])


def to_outcome(page: Page, verdict: Verdict) -> Outcome:
    """What the run keeps of a page."""
    failure = None
    if verdict.error is not None:
        failure = Failure(
            url=page.url,
            error=verdict.error,
            message=verdict.message,
            status=page.status,
            attempts=page.attempts,
            final_url=page.final_url,
            failed_at=now(),
        )
    return Outcome(page.url, verdict.records, verdict.lines, failure, page.status, len(page.body))


def _weight(page: Page) -> int:
    return len(page.body)
