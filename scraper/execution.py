"""A job carried out: the main thread's loop."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from scraper import source
from scraper.account import Account
from scraper.errors import UsageError
from scraper.job import Job
from scraper.pipeline import Pipeline
from scraper.schedule import Store
from scraper.session import Session
from scraper.watch import fill, status
from scraper.watch.progress import Silent
from scraper.watch.summary import Summary
from scraper.write import StreamWriter, Writer, rundir


class Watcher(NamedTuple):
    """What accompanies a run.

    Attributes:
        progress: is told how things stand.
        interrupted: asked often; True drains the run.
        draining: called once, when nothing more will be asked for.
        baseline: fill rates of an earlier run, to compare with.
    """

    progress: Silent = Silent()
    interrupted: Callable[[], bool] = lambda: False
    draining: Callable[[], object] = lambda: None
    baseline: Mapping[str, float] = {}


class Result(NamedTuple):
    """What came of a job.

    Attributes:
        summary: of the whole run.
        done_before: URLs that had their outcome when this session began; None if the run began with it.
    """

    summary: Summary
    done_before: int | None = None

    @property
    def was_complete(self) -> bool:
        """There was nothing to do."""
        urls = self.summary.urls
        return self.summary.complete and self.done_before == urls.ok + urls.failed


def execute(
    job: Job,
    directory: Path | None,
    *,
    restart: bool = False,
    named: bool = False,
    watcher: Watcher | None = None,
    baseline: Path | None = None,
) -> Result:
    """Run `job` into `directory`, going on where a former run of it ended; or to standard output if that is None.

    Args:
        job: what to do.
        directory: of the run.
        restart: move a former run aside and begin anew.
        named: the user said which directory, so that a list in memory may be another one than before.
        watcher: what accompanies it.
        baseline: directory of an earlier run, whose fill rates this run's are compared with.

    Raises:
        UsageError: nothing was fetched.
        RunError: the run could not go on; what was committed stays.
    """
    watcher = watcher or Watcher()
    if baseline is not None:
        watcher = watcher._replace(baseline=status.baseline(baseline))
    if directory is None:
        return Result(_stream(job, watcher))
    fsync = job.settings.output.fsync
    session = None if restart else Session.resume(directory)
    if session is None:
        rundir.check(directory)
        return _run(job, watcher, lambda: Session.begin(directory, job.about, restart=restart), fsync=fsync)
    with session:
        session.check(job.about, any_list=named and job.lists.is_in_memory and session.is_in_memory)
        if session.is_finished(job.lists):
            summary = session.finished()
            drops = fill.drops(watcher.baseline, summary.fill_rates)
            return Result(msgspec.structs.replace(summary, drops=drops), session.store.counters.done)
        session.adopt(job.about.choice)
        return _run(job, watcher, lambda: session, known=session.known(), fsync=fsync)


def retry(
    directory: Path,
    only: tuple[list[str], list[range]] | None,
    settings: Any,
    overrides: Mapping[str, Any],
    watcher: Watcher | None = None,
) -> Result:
    """Ask again for failed URLs of the run in `directory`; then the run goes on.

    Args:
        directory: of the run.
        only: failure kinds and ranges of statuses; None means all that can be asked for.
        settings: as for `Job.prepare`; None means those that the run was begun with.
        overrides: on top of those that the run was begun with.
        watcher: what accompanies it.

    Raises:
        UsageError: there is no run, or the settings do not fit it; nothing was fetched.
        RunError: the run could not go on; what was committed stays.
    """
    session = Session.resume(directory)
    if session is None:
        raise UsageError(f"{directory} holds no run; name the directory of one")
    with session:
        job = _job_of(session, settings, overrides)
        session.check(job.about, any_list=True)
        errors, statuses = only or (None, [])
        session.store.retry(errors, statuses)
        done, listed = session.store.counters.done, session.store.is_listed
        if listed and not session.store.counters.pending:
            return Result(session.finished(), done)
        return _run(
            job,
            watcher or Watcher(),
            lambda: session,
            known=session.known(),
            listed=listed,
            fsync=job.settings.output.fsync,
        )


def _job_of(session: Session, settings: Any, overrides: Mapping[str, Any]) -> Job:
    """The job that the run was begun for."""
    about = session.about
    if not session.store.is_listed and not (about.sources and all(map(source.can_be_opened, about.sources))):
        raise UsageError(
            f"{session.directory}: the list of this run was not read to its end, and cannot be read again from here; "
            "finish the run with the command that began it, then retry"
        )
    lists = source.open_sources([] if session.store.is_listed else about.sources, about.choice)
    chosen = about.settings if settings is None else settings
    job = Job.of(lists, "", chosen, {**about.overrides, **overrides}, about.choice)
    # Its parser was found from where the run was begun.
    return job if about.parser is None else job._replace(plan=msgspec.structs.replace(job.plan, parser=about.parser))


def _stream(job: Job, watcher: Watcher) -> Summary:
    """Records to standard output; nothing is kept."""
    with contextlib.ExitStack() as last, contextlib.ExitStack() as ends:

        def open_store() -> Store:
            watcher.interrupted()
            return last.enter_context(Store.temporary())

        pipeline = ends.enter_context(job.started(open_store))
        account = Account(job, pipeline, StreamWriter(sys.stdout.buffer), None, watcher.baseline)
        ends.callback(account.close)
        ends.callback(pipeline.close)
        ends.callback(watcher.progress.close)
        _consume(pipeline, account, watcher)
    return account.final


def _run(job: Job, watcher: Watcher, open_session: Callable[[], Session], *, fsync: bool, **loaded: Any) -> Result:
    """A session of a run, which is open already or is to be opened when all is checked."""
    with contextlib.ExitStack() as last, contextlib.ExitStack() as ends:
        opened: list[tuple[Session, Writer]] = []

        def open_store() -> Store:
            watcher.interrupted()
            session = last.enter_context(open_session())
            session.store.fsync = fsync
            # Here, before the first page is asked for: what cannot be written is told in time.
            opened.append((session, last.enter_context(Writer(session.directory, session.store, fsync=fsync))))
            return session.store

        pipeline = ends.enter_context(job.started(open_store, **loaded))
        ((session, writer),) = opened
        done_before = None if session.is_new else session.store.counters.done
        account = Account(job, pipeline, writer, session, watcher.baseline)
        # Each end comes to pass, whatever the others raise; the lock goes last.
        ends.callback(account.close)
        ends.callback(pipeline.close)
        ends.callback(watcher.progress.close)
        _consume(pipeline, account, watcher)
    return Result(account.final, done_before)


def _consume(pipeline: Pipeline, account: Account, watcher: Watcher) -> None:
    """The main thread's loop: write what comes, look after progress and signals."""
    draining = False
    for entries in pipeline.outcomes():
        account.take(entries)
        watcher.progress.update(pipeline.counters, pipeline.load(), account.prospect())
        if not draining and watcher.interrupted():
            draining = True
            pipeline.interrupt()
            watcher.draining()
