"""The library: `scrape` streams records, `run` fills a run's directory; the command line is a thin layer over `run`."""

from __future__ import annotations

import contextlib
import difflib
import logging
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scraper import terminal
from scraper.errors import WorkerStartError
from scraper.records import Attempt, Failure, Target

if TYPE_CHECKING:
    from scraper.job import Job
    from scraper.watch.summary import Summary

log = logging.getLogger("scraper")

#: Exit status of a parse worker in which a run was started: its script lacks the guard.
UNGUARDED: Final = 87

#: Keywords and the settings they stand for.
KEYWORDS: Final = {
    "fields": "fields",
    "records": "records",
    "page": "page",
    "follow": "follow",
    "sets": "sets",
    "parser": "parse.parser",
    "fetch_workers": "fetch.workers",
    "parse_workers": "parse.workers",
    "per_host": "politeness.per_host",
    "delay": "politeness.delay",
    "robots": "politeness.robots",
    "adaptive": "politeness.adaptive",
    "allow_private": "fetch.allow_private",
    "timeout": "fetch.timeout",
    "retries": "fetch.retries",
    "transport": "fetch.transport",
    "engine": "parse.engine",
}

#: Keywords that say how lists are read, as `scraper.source.Choice` has them.
CHOICES: Final = ("input_format", "column", "limit", "sample", "seed")

Sources = str | os.PathLike[str] | Iterable[str | Mapping[str, Any] | Target]


def scrape(
    urls: Sources,
    *,
    settings: Any = None,
    on_failure: Callable[[Failure], object] | None = None,
    **keywords: Any,
) -> Iterator[dict[str, Any]]:
    """Fetch and parse `urls`; yields records as they come, in order of completion.

    Nothing is written to disk. Leaving the loop early stops and joins everything.

    Args:
        urls: URLs, or mappings with a ``url`` and further keys for the record's ``input``; or the path of a list file.
        settings: a settings file, a mapping of the same shape, or `Settings`.
        on_failure: gets every URL that gave no record (default: a warning in the log).
        keywords: `fields`, `records`, `page`, `follow`, `sets`, `parser` (a function, or ``FILE.py:FUNCTION``),
            `fetch_workers`, `parse_workers`, `per_host`, `delay` (seconds), `robots`, `adaptive`, `allow_private`,
            `timeout` (seconds), `retries`, `transport`, `engine`; and of lists: `input_format`, `column` (of the
            URLs), `limit` (entries), `sample` (so many of them at random), `seed`.

    Raises:
        UsageError: settings, list or parser are wrong; nothing was fetched.
        RunError: the run could not go on.
    """
    job = _job(urls, settings, keywords)
    return _records(job, on_failure or _warn)


def run(
    sources: Sources,
    *,
    settings: Any = None,
    output: str | os.PathLike[str] | None = None,
    restart: bool = False,
    baseline: str | os.PathLike[str] | None = None,
    **keywords: Any,
) -> Summary:
    """Fetch and parse `sources` into a run's directory.

    Args:
        sources: a list file, a literal URL, several of these, or any iterable of URLs.
        settings: a settings file, a mapping of the same shape, or `Settings`.
        output: the run's directory; default ``output/`` plus the list's name.
        restart: move a former run in that directory aside and begin anew.
        baseline: directory of an earlier run; `drops` of the summary then names fields that are less filled.
        keywords: as for `scrape`.

    Returns:
        What was done; also in the directory as summary.json.

    Raises:
        UsageError: settings, list, parser or directory are wrong; nothing was fetched.
        RunError: the run could not go on; what was committed stays.
    """
    from scraper.execution import execute

    job = _job(sources, settings, keywords)
    with _advised():
        return execute(
            job,
            job.directory(output),
            restart=restart,
            named=output is not None,
            baseline=None if baseline is None else Path(baseline),
        ).summary


def _records(job: Job, on_failure: Callable[[Failure], object]) -> Iterator[dict[str, Any]]:
    import msgspec

    decode = msgspec.json.Decoder(dict[str, Any]).decode_lines
    with _advised(), job.started() as pipeline:
        for outcomes in pipeline.outcomes():
            for outcome in outcomes:
                if isinstance(outcome, Attempt):
                    continue
                if outcome.failure is not None:
                    on_failure(outcome.failure)
                else:
                    yield from decode(outcome.lines)


@contextlib.contextmanager
def _advised() -> Iterator[None]:
    """Say aloud why no worker starts: uncaught, the error ends the script as a `SystemExit` does, without a word."""
    try:
        yield
    except WorkerStartError as error:
        log.error("scraper: %s", error)
        raise


def _job(sources: Sources, settings: Any, keywords: Mapping[str, Any]) -> Job:
    refuse_in_worker()
    from scraper.job import Job
    from scraper.source import Choice

    choice = Choice(**{name: keywords[name] for name in CHOICES if keywords.get(name) is not None})
    rest = {name: value for name, value in keywords.items() if name not in CHOICES}
    return Job.prepare(sources, settings, overrides(rest), choice)


def overrides(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords as dotted settings keys; those that are None do not count.

    Raises:
        TypeError: a keyword that is none, as Python itself would say it.
    """
    for name in keywords:
        if name not in KEYWORDS:
            near = difflib.get_close_matches(name, (*KEYWORDS, *CHOICES), 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"unexpected keyword argument {name!r}{hint}")
    return {KEYWORDS[name]: value for name, value in keywords.items() if value is not None}


def refuse_in_worker() -> None:
    """Leave at once where a parse worker imports a script that starts a run: the owner then gives the advice."""
    from scraper.parse.process import NAME

    if multiprocessing.current_process().name == NAME:
        sys.exit(UNGUARDED)


def _warn(failure: Failure) -> None:
    log.warning("%s: %s: %s", terminal.line(failure.url), failure.error, terminal.line(failure.message))


__all__ = ["KEYWORDS", "overrides", "refuse_in_worker", "run", "scrape"]
