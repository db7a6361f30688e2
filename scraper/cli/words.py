"""What is said to people, on stderr."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scraper import storable, terminal

if TYPE_CHECKING:
    from scraper.watch.summary import Summary


def closing_words(summary: Summary, done_before: int | None, robots: bool) -> str:
    """What a run did."""
    from scraper.watch.status import filled

    urls = summary.urls
    lines = [f"resumed: {_count(done_before, 'URL')} had been done before"] if done_before else []
    lines += [
        f"{_count(urls.ok, 'page')} ok, {urls.failed:,} failed, {_count(summary.records, 'record')}"
        f" in {summary.seconds:.1f} s ({summary.pages_per_second:.1f} pages/s, bound by {summary.bound_by})"
    ]
    if summary.failures:
        kinds = sorted(summary.failures.items(), key=lambda item: -item[1])
        lines.append("failures: " + ", ".join(f"{kind} {count:,}" for kind, count in kinds))
    if urls.duplicate:
        lines.append(f"duplicates: {urls.duplicate:,} of the list's entries named a page listed before")
    if summary.followed:
        lines.append(f"followed: {_count(summary.followed, 'link')}")
    if summary.fill_rates:
        lines.append(filled(summary))
    lines += less_filled(summary)
    if urls.pending or not summary.complete:
        lines.append(f"interrupted: {urls.pending:,} URLs are pending")
    if not robots:
        lines.append("robots.txt was not asked for")
    if summary.output:
        lines.append(f"records: {Path(summary.output) / 'records.jsonl'}")
    return "\n".join(lines)


def less_filled(summary: Summary) -> list[str]:
    """A line for each field that has fewer values than in an earlier run."""
    from scraper.watch.fill import percent

    return [
        f"less filled than before: {terminal.line(field)} fell from {percent(before)} to {percent(after)}"
        for field, (before, after) in summary.drops.items()
    ]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def say(text: str, quiet: bool) -> None:
    """Say it, unless nobody wants to hear it."""
    if not quiet:
        click.echo(terminal.plain(text), err=True)


def complain(message: str) -> None:
    """Say why it ends."""
    click.echo(terminal.plain(f"scraper: {message}"), err=True)


def refuse(error: click.ClickException) -> None:
    """Say what is wrong with the arguments, in click's words."""
    words = io.StringIO()
    error.show(words)
    click.echo(terminal.plain(words.getvalue()), err=True, nl=False)


class _Plain(logging.Formatter):
    """Text that a terminal may be given."""

    def format(self, record: logging.LogRecord) -> str:
        return terminal.plain(super().format(record))


class _JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        import msgspec

        row = {"time": self.formatTime(record), "level": record.levelname, "logger": record.name}
        message = storable.text(record.getMessage())
        return terminal.json(msgspec.json.encode({**row, "message": message}).decode())


def log(*, json: bool, quiet: bool) -> None:
    """Let the package's log go to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines() if json else _Plain("%(levelname)s %(message)s"))
    logger = logging.getLogger("scraper")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.ERROR if quiet else logging.WARNING)
