"""The books of a session: what came is written, counted, looked ahead from and summed up."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Mapping
from typing import Final

from scraper import terminal
from scraper.errors import RunError
from scraper.job import Job
from scraper.pipeline import Pipeline
from scraper.records import Attempt, Outcome, now
from scraper.schedule import Store
from scraper.session import Session
from scraper.watch import fill
from scraper.watch.prospect import Prospect, Rate, prospect
from scraper.watch.summary import HostFigures, HostLists, Summary, summarise
from scraper.write import StreamWriter, Writer, rundir, write_failures

log = logging.getLogger("scraper")

#: Seconds between two writings of summary.json while a run goes on.
SUMMARY_EVERY: Final = 2.0

#: Seconds between two writings of failures.jsonl while a run goes on, and how many times as long as one takes.
FAILURES_EVERY: Final = 30.0
FAILURES_SHARE: Final = 50.0

#: Seconds between two looks at what is to come, and how many times as long as one takes.
PROSPECT_EVERY: Final = 1.0
PROSPECT_SHARE: Final = 50.0

#: Hosts in each of the summary's lists.
HOSTS: Final = 10


class Account:
    """The books of a session: the writer, the counters and the summary."""

    def __init__(
        self,
        job: Job,
        pipeline: Pipeline,
        writer: Writer | StreamWriter,
        session: Session | None,
        baseline: Mapping[str, float],
    ) -> None:
        """Open them.

        Args:
            job: what is being done.
            pipeline: gives outcomes, and tells how things stand.
            writer: takes outcomes.
            session: the run's directory; None if records go to a stream.
            baseline: fill rates of an earlier run; empty if there is none to compare with.
        """
        self._baseline = baseline
        self._missing = fill.Missing()
        self._job = job
        self._pipeline = pipeline
        self._writer = writer
        self._session = session
        self.final = Summary()
        moment = time.monotonic()
        self._rate = Rate(moment, pipeline.counters.done)
        self._prospect, self._prospect_due = Prospect(), moment
        self._hosts = HostLists()
        self._summary_due, self._failures_due = moment + SUMMARY_EVERY, moment + FAILURES_EVERY
        if session is not None:
            self._write_summary()  # at once: one that calls the run complete is true no more

    def take(self, entries: list[Outcome | Attempt]) -> None:
        """Write and count what came, and now and then say how things stand.

        Raises:
            RunError: it cannot be written.
        """
        counters = self._pipeline.counters
        self._writer.add(entries, self._pipeline.seconds, urgent=self._pipeline.awaits_links)
        for entry in entries:
            if isinstance(entry, Outcome):
                counters.add(entry)
        moment = time.monotonic()
        self._rate.note(moment, counters.done)
        if moment >= self._prospect_due:
            self._look_ahead(moment)
        if self._session is not None and moment >= self._summary_due:
            self._summary_due = moment + SUMMARY_EVERY
            self._write_summary()
            if moment >= self._failures_due:
                self._write_failures()
                self._hosts = self._host_lists(self._session.store)
                now_ = time.monotonic()
                self._failures_due = now_ + max(FAILURES_EVERY, FAILURES_SHARE * (now_ - moment))

    def prospect(self) -> Prospect:
        """What is to come, as it was seen lately."""
        return self._prospect

    def close(self) -> None:
        """Commit the rest, and write what tells of it."""
        self._warn_of_missing()
        try:
            self._pipeline.note_hosts()
            self._writer.close(self._pipeline.seconds)
        finally:
            if self._session is not None:
                with contextlib.suppress(RunError):  # told already by what is on its way
                    self._hosts = self._host_lists(self._session.store)
            self.final = self._summary(running=False)
            if self._session is not None:
                self._write_failures(sync=self._session.store.fsync)
                rundir.write_summary(self._session.directory, self.final.to_json())

    def _look_ahead(self, moment: float) -> None:
        """See what is to come; and note what has been, so that it goes with the next commit."""
        pipeline = self._pipeline
        self._warn_of_missing()
        pipeline.note_hosts()
        outlook = pipeline.outlook()
        known = pipeline.counters.pending if pipeline.is_listed else 0
        self._prospect = (
            prospect(known, self._rate.per_second(), outlook.seconds, outlook.host) if known else Prospect()
        )
        now_ = time.monotonic()
        self._prospect_due = now_ + max(PROSPECT_EVERY, PROSPECT_SHARE * (now_ - moment))

    def _warn_of_missing(self) -> None:
        for said in self._missing.look(self._pipeline.counters.filling):
            log.warning("%s", terminal.line(said))

    def _host_lists(self, store: Store) -> HostLists:
        return HostLists(
            **{
                order: [
                    HostFigures(each.host, each.requests, round(each.seconds / each.requests, 3), each.refusals)
                    for each in store.most(order, HOSTS)
                ]
                for order in HostLists.__struct_fields__
            }
        )

    def _write_failures(self, *, sync: bool = False) -> None:
        assert self._session is not None
        write_failures(self._session.directory, self._session.store.failures(), sync=sync)

    def _write_summary(self) -> None:
        assert self._session is not None
        rundir.write_summary(self._session.directory, self._summary(running=True).to_json())

    def _summary(self, *, running: bool) -> Summary:
        pipeline, session = self._pipeline, self._session
        # What is committed is what counts; where nothing is, what came.
        counters = (pipeline.counters if session is None else session.store.counters).copy()
        counters.seconds = pipeline.seconds
        about = self._job.about if session is None else session.about
        return summarise(
            counters,
            busy={**pipeline.busy(), "write": self._writer.seconds / max(pipeline.session_seconds, 1e-9)},
            complete=not running and pipeline.is_listed and counters.pending == 0,
            prospect=self._prospect if running else None,
            baseline=self._baseline,
            hosts=self._hosts,
            robots=self._job.settings.politeness.robots,
            output=None if session is None else str(session.directory),
            sources=about.sources,
            fingerprint=about.fingerprint,
            started_at=about.started_at,
            finished_at=now(),
        )
