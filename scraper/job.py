"""A job: what was asked for, checked, and ready to run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from scraper import settings as settings_module
from scraper import source
from scraper.errors import SettingsError, UsageError
from scraper.parse.extract import BadPlan, Plan
from scraper.pipeline import Pipeline
from scraper.records import Failure, Target, now
from scraper.settings import Settings
from scraper.watch.progress import Silent
from scraper.watch.summary import Summary, from_json, summarise
from scraper.write import StreamWriter, Writer, rundir

#: Seconds between two writings of summary.json while a run goes on.
SUMMARY_EVERY: Final = 2.0

#: Where runs land that are not told otherwise.
OUTPUT: Final = Path("output")


class Job(NamedTuple):
    """Sources, settings and plan, checked as far as that is possible without reading the list.

    Attributes:
        entries: the list, as a stream.
        name: of the run, when nobody names a directory.
        sources: what the list is made of: absolute paths and URLs, or a digest; empty if that cannot be told.
        settings: complete settings.
        plan: what the parse workers are to do.
    """

    entries: Iterable[Target | Failure]
    name: str
    sources: list[str]
    settings: Settings
    plan: Plan

    @classmethod
    def prepare(cls, sources: Any, settings: Any, overrides: Mapping[str, Any]) -> Job:
        """Check everything that can be checked now.

        Raises:
            UsageError: what is wrong.
        """
        overrides = dict(overrides)
        function = overrides.pop("parse.parser") if callable(overrides.get("parse.parser")) else None
        checked = settings_module.load(settings, overrides)
        if function is not None and (checked.fields is not None or checked.records is not None):
            raise SettingsError("a parser and fields exclude each other: leave one of them out")
        plan = Plan(
            engine=checked.parse.engine,
            builder=checked.parse.builder,
            records=checked.records,
            fields=checked.fields,
            parser=function or _absolute(checked.parse.parser),
            memory=checked.parse.memory,
        )
        arguments = _as_arguments(sources)
        if arguments is None:
            return cls(source.iter_targets(sources), _name_of(sources), _digest(sources), checked, plan)
        return cls(source.open_sources(arguments), source.default_name(arguments), _stored(arguments), checked, plan)

    def directory(self, output: str | os.PathLike[str] | None) -> Path:
        """Where the run goes: `output`, or ``output/`` and its name."""
        return OUTPUT / self.name if output is None else Path(output)

    @contextlib.contextmanager
    def started(self, before_fetching: Callable[[], object] = lambda: None) -> Iterator[Pipeline]:
        """The stages, started; ended and joined on leaving. `before_fetching` is called when all is checked.

        Raises:
            UsageError: the list, the fields or the parser are of no use; nothing was fetched.
        """
        with Pipeline(self.settings, self.plan, self.entries) as pipeline:
            try:
                pipeline.start(before_fetching)
            except BadPlan as error:
                raise located(error, self.settings) from None
            yield pipeline


def located(error: BadPlan, settings: Settings) -> SettingsError:
    """Selectors that do not compile, each with the place in the settings where it was written."""
    return SettingsError("\n".join(f"{settings.where(path)}: {message}" for path, message in error.problems))


class Watcher(NamedTuple):
    """What accompanies a run.

    Attributes:
        progress: is told how things stand.
        interrupted: asked often; True drains the run.
        draining: called once, when nothing more will be asked for.
    """

    progress: Silent = Silent()
    interrupted: Callable[[], bool] = lambda: False
    draining: Callable[[], object] = lambda: None


def execute(job: Job, directory: Path | None, *, restart: bool = False, watcher: Watcher | None = None) -> Summary:
    """Run `job` into `directory`, or to standard output if that is None.

    Raises:
        UsageError: nothing was fetched.
        RunError: the run could not go on; what was committed stays.
    """
    watcher = watcher or Watcher()
    if directory is not None and not restart and rundir.is_complete(directory):
        return finished(job, directory)
    started_at = now()
    if directory is not None:
        rundir.check(directory, restart=restart)
    with contextlib.ExitStack() as ends:  # each end comes to pass, whatever the others raise; the lock goes last
        pipeline = ends.enter_context(job.started(watcher.interrupted))
        if directory is not None:
            ends.enter_context(rundir.prepare(directory, restart=restart))
        account = _Account(job, pipeline, directory, started_at)
        ends.callback(account.close)
        ends.callback(pipeline.close)
        ends.callback(watcher.progress.close)
        _consume(pipeline, account, watcher)
    return account.summary()


def finished(job: Job, directory: Path) -> Summary:
    """The summary of the complete run in `directory`.

    Raises:
        UsageError: it cannot be read, or it is another job's.
    """
    try:
        summary = from_json((directory / rundir.SUMMARY).read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"cannot read {directory / rundir.SUMMARY}: {error}") from None
    advice = "; -o names another place, --restart moves it aside and begins anew"
    if not job.sources or summary.sources != job.sources:
        raise UsageError(f"{directory} holds the complete run of another list{advice}")
    if summary.fingerprint != settings_module.fingerprint(job.settings):
        raise UsageError(f"{directory} holds a complete run with other fields or another parser{advice}")
    return summary


def _consume(pipeline: Pipeline, account: _Account, watcher: Watcher) -> None:
    """The main thread's loop: write what comes, look after progress and signals."""
    draining = False
    for outcomes in pipeline.outcomes():
        account.take(outcomes)
        watcher.progress.update(pipeline.counters, pipeline.load())
        if not draining and watcher.interrupted():
            draining = True
            pipeline.interrupt()
            watcher.draining()


class _Account:
    """The books of a run: the writer, the counters and the summary."""

    def __init__(self, job: Job, pipeline: Pipeline, directory: Path | None, started_at: str) -> None:
        self._job = job
        self._pipeline = pipeline
        self._directory = directory
        self._started_at = started_at
        self._written = time.monotonic()
        self._final: Summary | None = None
        fsync = job.settings.output.fsync
        self._writer = StreamWriter(sys.stdout.buffer) if directory is None else Writer(directory, fsync=fsync)

    def take(self, outcomes: list[Any]) -> None:
        counters = self._pipeline.counters
        if outcomes:
            self._writer.add(outcomes)
            for outcome in outcomes:
                counters.add(outcome)
        self._writer.tick()
        moment = time.monotonic()
        if self._directory is not None and moment - self._written >= SUMMARY_EVERY:
            self._written = moment
            rundir.write_summary(self._directory, self.summary(complete=False).to_json())

    def close(self) -> None:
        """Commit the rest and write the final summary."""
        self._writer.close()
        self._final = self.summary()
        if self._directory is not None:
            rundir.write_summary(self._directory, self._final.to_json())

    def summary(self, complete: bool | None = None) -> Summary:
        if self._final is not None:
            return self._final
        pipeline = self._pipeline
        seconds = pipeline.seconds
        return summarise(
            pipeline.counters,
            seconds=seconds,
            busy={**pipeline.busy(), "write": self._writer.seconds / max(seconds, 1e-9)},
            complete=pipeline.is_complete if complete is None else complete,
            output=None if self._directory is None else str(self._directory),
            sources=self._job.sources,
            fingerprint=settings_module.fingerprint(self._job.settings),
            started_at=self._started_at,
            finished_at=now(),
        )


class Arguments(tuple[str, ...]):
    """List files and literal URLs, as the command line has them."""

    __slots__ = ()


def _as_arguments(sources: Any) -> Arguments | None:
    """Sources that are, or stand for, command-line arguments; None for an iterable of URLs.

    A single text or path is a list file or a URL; several are list files if they are there, else URLs.
    """
    if isinstance(sources, Arguments):
        return sources
    if isinstance(sources, (str, os.PathLike)):
        return Arguments([os.fspath(sources)])
    if isinstance(sources, (list, tuple)) and sources and all(map(_is_list_file, sources)):
        return Arguments(map(os.fspath, sources))
    return None


def _is_list_file(source: Any) -> bool:
    if isinstance(source, os.PathLike):
        return True
    return isinstance(source, str) and "://" not in source and Path(source).is_file()


def _digest(urls: Any) -> list[str]:
    """What tells a list of URLs in memory from another; nothing for what can be read only once."""
    if not isinstance(urls, (list, tuple)):
        return []
    try:
        return [f"sha256:{hashlib.sha256(msgspec.json.encode(urls)).hexdigest()}"]
    except (TypeError, ValueError):
        return []


def _name_of(urls: Any) -> str:
    """The first URL's host, where it can be known without consuming anything."""
    first = urls[0] if isinstance(urls, (list, tuple)) and urls else None
    return source.default_name([first]) if isinstance(first, str) and "://" in first else "run"


def _absolute(parser: str | None) -> str | None:
    """With the file's path made absolute: workers may have another working directory."""
    place, colon, name = (parser or "").rpartition(":")
    return f"{Path(place).resolve()}{colon}{name}" if place.endswith(".py") else parser


def _stored(names: Arguments) -> list[str]:
    return [name if "://" in name else str(Path(name).resolve()) for name in names]
