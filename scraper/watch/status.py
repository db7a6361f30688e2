"""Where a run stands, as its summary.json tells: nothing else of the run is touched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from scraper.errors import UsageError
from scraper.watch.summary import Summary, from_json

FILE: Final = "summary.json"

#: A run that goes on replaces its summary every 2 s; one that has not for this many seconds was killed.
SILENT: Final = 15.0


def read(directory: Path) -> Summary:
    """The summary of the run in `directory`.

    Raises:
        UsageError: there is none.
    """
    try:
        summary = from_json((directory / FILE).read_bytes())
    except FileNotFoundError:
        raise UsageError(f"{directory} holds no run: there is no {FILE}; name the directory of a run") from None
    except OSError as error:
        raise UsageError(f"cannot read {directory / FILE}: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise UsageError(f"cannot read {directory / FILE}: {error}") from None
    if summary.running and _age(summary.finished_at) > SILENT:
        return msgspec.structs.replace(summary, running=False, eta_seconds=None, last_host=None)
    return summary


def describe(summary: Summary) -> str:
    """The same for people."""
    urls = summary.urls
    state = "running" if summary.running else "complete" if summary.complete else "stopped; the same command resumes it"
    done = urls.ok + urls.failed
    share = f", {done / urls.total:.0%} done" if urls.total and not summary.complete else ""
    lines = [f"{summary.output}: {state}{share}"]
    twice = f"; {urls.duplicate:,} duplicates" if urls.duplicate else ""
    ended = f"{urls.ok:,} ok ({urls.empty:,} empty), {urls.failed:,} failed"
    lines.append(f"{ended}, {urls.pending:,} pending of {urls.total:,} URLs{twice}")
    if summary.failures:
        kinds = sorted(summary.failures.items(), key=lambda item: -item[1])
        lines.append("failures: " + ", ".join(f"{kind} {count:,}" for kind, count in kinds))
    eta = f", about {timedelta(seconds=round(summary.eta_seconds))} to go" if summary.eta_seconds is not None else ""
    lines.append(f"{summary.records:,} records, {summary.pages_per_second:,.1f} pages/s{eta}")
    if summary.last_host:
        lines.append(f"last will be {summary.last_host}: its turns take longest")
    if summary.hosts.refusing:
        refusing = ", ".join(f"{each.host} {each.refusals:,}" for each in summary.hosts.refusing[:3])
        lines.append(f"asked for fewer requests: {refusing}")
    if not summary.robots:
        lines.append("robots.txt is not asked for")
    return "\n".join(lines)


def _age(stamp: str) -> float:
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(stamp)).total_seconds()
    except ValueError:
        return float("inf")
