"""The command line: arguments become settings, and a call. What was asked for goes to stdout, all else to stderr."""

from __future__ import annotations

import difflib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

import scraper
from scraper.errors import ScraperError
from scraper.interrupts import Signals

if TYPE_CHECKING:
    from scraper.watch.summary import Summary

F = TypeVar("F", bound=Callable[..., Any])

#: What has no effect yet, so that nobody relies on it.
TO_COME: Final = "(Accepted; takes effect in a coming version.)"


class _Group(click.Group):
    """Names the nearest command for one that does not exist."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), 1) if args else []
            if near and "did you mean" not in error.message.lower():
                raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?", ctx) from None
            raise


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(scraper.__version__, prog_name="scraper")
def group() -> None:
    """Turn a list of URLs into structured records.

    \b
    scraper demo                              the whole tool on a bundled website
    scraper run urls.yaml                     fetch and parse a list; records land in output/urls/
    scraper try https://example.com/          one page: what is fetched, and the record it gives
    """


#: Flags of `run` that stand for a settings key: flag, key, type and help.
_SETTINGS_FLAGS: Final[tuple[tuple[str, str, Any, str], ...]] = (
    ("--fetch-workers", "fetch.workers", click.INT, "Fetch threads (default: 5 a core)."),
    ("--parse-workers", "parse.workers", click.INT, "Parse processes (default: 1 a core); 0 parses inline."),
    ("--transport", "fetch.transport", click.Choice(["requests", "curl"]), "Only requests so far."),
    (
        "--engine",
        "parse.engine",
        click.Choice(["turbohtml", "beautifulsoup"]),
        "The tree that fields are taken from (default: turbohtml).",
    ),
    ("--parser", "parse.parser", click.STRING, "FILE.py:FUNCTION or MODULE:FUNCTION that turns a page into records."),
    ("--per-host", "politeness.per_host", click.INT, "Most requests at once to one host (default: 2)."),
    (
        "--delay",
        "politeness.delay",
        click.FLOAT,
        "Seconds between the starts of two requests to one host (default: 0.2).",
    ),
    (
        "--timeout",
        "fetch.timeout",
        click.FLOAT,
        "Seconds for a whole exchange, from connect to the last byte (default: 30).",
    ),
    ("--retries", "fetch.retries", click.INT, "Further attempts after a failure that may pass (default: 2)."),
    ("--format", "output.format", click.Choice(["jsonl", "csv", "parquet", "sqlite"]), "Only jsonl so far."),
)

#: Flags without a value: flag, key, value and help.
_SWITCHES: Final[tuple[tuple[str, str, Any, str], ...]] = (
    ("--no-robots", "politeness.robots", False, f"Do not ask for robots.txt. {TO_COME}"),
    ("--allow-private", "fetch.allow_private", True, f"Also fetch from private addresses. {TO_COME}"),
    ("--archive", "output.archive", True, "Keep requests and responses; comes with a later version."),
)


def _parameter(key: str) -> str:
    return key.replace(".", "__")


def _settings_options(command: F) -> F:
    """The options that every command with settings has."""
    command = click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="SECTION.KEY=VALUE",
        help="Any setting, for example --set parse.timeout=5.",
    )(command)
    for flag, key, _, text in reversed(_SWITCHES):
        command = click.option(flag, _parameter(key), is_flag=True, help=text)(command)
    for flag, key, kind, text in reversed(_SETTINGS_FLAGS):
        command = click.option(flag, _parameter(key), type=kind, help=text)(command)
    return click.option("-s", "--settings", type=click.Path(), help="Settings file.")(command)


@group.command(short_help="Fetch and parse a list of URLs into a directory of records.")
@click.argument("urls", nargs=-1, required=True)
@click.option("-o", "--output", help="The run's directory (default: output/ and the list's name); - writes to stdout.")
@_settings_options
@click.option("--restart", is_flag=True, help="Move a former run aside and begin anew.")
@click.option("--strict", is_flag=True, help="Exit with 3 if a URL failed.")
@click.option("--quiet", is_flag=True, help="No progress, no closing words.")
@click.option("--log-json", is_flag=True, help="Log lines as JSON.")
def run(urls: tuple[str, ...], output: str | None, restart: bool, strict: bool, quiet: bool, **flags: Any) -> int:
    """Fetch and parse URLS into a directory of records.

    URLS are list files, - for standard input, or literal http(s) URLs.

    \b
    scraper run config/urls.yaml -s config/settings.yaml
    scraper run urls.yaml -o output/books --fetch-workers 40 --parse-workers 8
    scraper run https://example.com/ -o - | jq .title
    """
    from scraper import job as jobs
    from scraper.watch import progress
    from scraper.write import rundir

    _log(json=flags.pop("log_json"), quiet=quiet)
    job = jobs.Job.prepare(jobs.Arguments(urls), flags.pop("settings"), _overrides(flags))
    directory = None if output == "-" else job.directory(output)
    if directory is not None and not restart and rundir.is_complete(directory):
        jobs.finished(job, directory)
        _say(f"{directory} is complete: nothing to fetch. --restart begins anew.", quiet)
        return 0
    with Signals() as signals:
        watcher = jobs.Watcher(progress.choose(sys.stderr, quiet=quiet), signals.caught, signals.announce)
        summary = jobs.execute(job, directory, restart=restart, watcher=watcher)
    _say(_closing_words(summary, job.settings.politeness.robots), quiet)
    if signals.number:
        return 128 + signals.number
    return 3 if strict and summary.urls.failed else 0


@group.command("try", short_help="Fetch one page and print the record it gives.")
@click.argument("url")
@_settings_options
def try_(url: str, **flags: Any) -> int:
    """Fetch one page, apply the fields and print the record, with what each selector matched.

    \b
    scraper try https://example.com/ -s settings.yaml
    """
    from scraper.trial import try_url

    _log(json=False, quiet=False)
    report = try_url(url, flags.pop("settings"), _overrides(flags))
    click.echo(report.text, err=True)
    if report.record is not None:
        click.echo(report.record)
    return 0 if report.ok else 1


@group.command(short_help="Run the whole tool on a bundled website; needs no network.")
@click.option("--serve", is_flag=True, help="Only serve the website, for experiments, until Ctrl-C.")
@click.option(
    "--port", type=click.INT, default=None, help="Port to serve on (default: any free one; 8642 with --serve)."
)
@click.option("--quiet", is_flag=True, help="No progress.")
def demo(serve: bool, port: int | None, quiet: bool) -> int:
    """Run the whole tool against a small bundled website on loopback; needs no network.

    \b
    scraper demo                     scrape it, and print three of the records
    scraper demo --serve             only serve it, for config/urls.yaml
    """
    from scraper.demo import serve as website
    from scraper.showcase import PORT, show, wait_for_interrupt

    with website(port if port is not None else PORT if serve else 0) as site:
        if serve:
            click.echo(f"serving {site.url} until Ctrl-C")
            return wait_for_interrupt()
        return show(site.url, quiet=quiet)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit status: 0 done, 1 the run could not go on, 2 bad usage, 3 URLs failed under ``--strict``, 130 or 143
        interrupted.
    """
    _open_missing_streams()
    try:
        return int(group.main(arguments, prog_name="scraper", standalone_mode=False) or 0)
    except ScraperError as error:
        _complain(str(error))
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python would complain of it once more at the end
        return 1


def _open_missing_streams() -> None:
    """Where a standard stream is closed, something to write into, or Python has None in its place."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: PTH123, SIM115
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115


def _overrides(flags: dict[str, Any]) -> dict[str, Any]:
    """What the flags say, as dotted settings keys."""
    from scraper.settings import parse_assignment

    overrides = dict(parse_assignment(assignment) for assignment in flags.pop("assignments"))
    for _, key, _, _ in _SETTINGS_FLAGS:
        if flags[_parameter(key)] is not None:
            overrides[key] = flags[_parameter(key)]
    overrides.update({key: value for _, key, value, _ in _SWITCHES if flags[_parameter(key)]})
    return overrides


def _closing_words(summary: Summary, robots: bool) -> str:
    urls = summary.urls
    lines = [
        f"{_count(urls.ok, 'page')} ok, {urls.failed:,} failed, {_count(summary.records, 'record')}"
        f" in {summary.seconds:.1f} s ({summary.pages_per_second:.1f} pages/s, bound by {summary.bound_by})"
    ]
    if summary.failures:
        kinds = sorted(summary.failures.items(), key=lambda item: -item[1])
        lines.append("failures: " + ", ".join(f"{kind} {count:,}" for kind, count in kinds))
    if urls.duplicate:
        lines.append(f"duplicates: {urls.duplicate:,} of the list's entries named a page listed before")
    if urls.pending or not summary.complete:
        lines.append(f"interrupted: {urls.pending:,} URLs are pending")
    if not robots:
        lines.append("robots.txt was not asked for")
    if summary.output:
        lines.append(f"records: {Path(summary.output) / 'records.jsonl'}")
    return "\n".join(lines)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _say(text: str, quiet: bool) -> None:
    if not quiet:
        click.echo(text, err=True)


def _complain(message: str) -> None:
    click.echo(f"scraper: {message}", err=True)


class _JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        import msgspec

        row = {"time": self.formatTime(record), "level": record.levelname, "logger": record.name}
        return msgspec.json.encode({**row, "message": record.getMessage()}).decode()


def _log(*, json: bool, quiet: bool) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines() if json else logging.Formatter("%(levelname)s %(message)s"))
    logger = logging.getLogger("scraper")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.ERROR if quiet else logging.WARNING)
