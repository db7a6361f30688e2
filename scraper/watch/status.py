"""Where a run stands, as its summary.json tells: nothing else of the run is touched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from scraper.errors import UsageError
from scraper.terminal import line
from scraper.watch.fill import percent
from scraper.watch.summary import Summary, from_json

FILE: Final = "summary.json"

#: A run that goes on replaces its summary every 2 s; one that has not for this many seconds was killed.
SILENT: Final = 15.0

#: Fill rates that a line shows.
MOST_RATES: Final = 12


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


def baseline(directory: Path) -> dict[str, float]:
    """The fill rates of an earlier run.

    Raises:
        UsageError: there is none, or it has no rates.
    """
    found = read(directory).fill_rates
    if not found:
        raise UsageError(f"{directory} has no fill rates to compare with; name the directory of a run with records")
    return found


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
    if summary.followed:
        lines.append(f"followed: {summary.followed:,} of the URLs were links on pages")
    if summary.fill_rates:
        lines.append(filled(summary))
    if summary.last_host:
        lines.append(f"last will be {summary.last_host}: its turns take longest")
    if summary.hosts.refusing:
        refusing = ", ".join(f"{each.host} {each.refusals:,}" for each in summary.hosts.refusing[:3])
        lines.append(f"asked for fewer requests: {refusing}")
    if not summary.robots:
        lines.append("robots.txt is not asked for")
    return "\n".join(lines)


def filled(summary: Summary) -> str:
    """One line of fill rates, the lowest first where there are many."""
    rates = list(summary.fill_rates.items())
    more = ""
    if len(rates) > MOST_RATES:
        rates.sort(key=lambda item: item[1])
        more = f", {len(rates) - MOST_RATES} more in {FILE}"
        rates = rates[:MOST_RATES]
    return "filled: " + ", ".join(f"{line(name)} {percent(rate)}" for name, rate in rates) + more


def _age(stamp: str) -> float:
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(stamp)).total_seconds()
    except ValueError:
        return float("inf")
