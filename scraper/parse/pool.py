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
from collections.abc import Callable
from typing import Final

from scraper.channel import Channel
from scraper.errors import ParserError, RunError, ScraperError, WorkerStartError
from scraper.parse.batch import Batch, Crashed, Deliver, take_batch
from scraper.parse.extract import BadPlan, Plan, Verdict
from scraper.parse.gauge import Gauge
from scraper.parse.process import Helpers, WorkerDied, WorkerProcess, start_context
from scraper.records import Page

#: A worker is replaced after this many pages, since parsers leak.
RENEW_AFTER: Final = 10_000

#: Starts in a row that may fail once a worker has been ready before (it may have been killed from outside).
START_ATTEMPTS: Final = 5


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
        crashed: Crashed | None = None,
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
            crashed: told of a page that has cost a worker, before the page gets another.
        """
        self._plan = plan
        self._timeout = timeout
        self._pages = pages
        self._deliver = deliver
        self._fail = fail
        self._crashed: Crashed = crashed or _unnoted
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
            while not self._aborted and self._work_off_next(slot):
                pass
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

    def _work_off_next(self, slot: _Slot) -> bool:
        """One batch; False if the channel has ended. In a function of its own: who waits for pages shall hold none."""
        batch = Batch(take_batch(self._pages), self._crashed)
        if batch.is_done:
            return False
        batch.work_off(self._attempt(slot), self._deliver)
        return True

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
                if worker is None:
                    continue
                if slot.is_busy():
                    worker.weigh()
                if worker.overdue(moment, self._timeout):
                    worker.kill("parse_timeout")

    def _close(self) -> None:
        for slot in self._slots:
            slot.close()
        self._helpers.close()


def _unnoted(*_: object) -> None:
    pass


class _Aborted(Exception):
    """The pool is being torn down."""
