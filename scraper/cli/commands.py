"""The commands: each turns its arguments into settings, and a call."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import scraper
from scraper import terminal
from scraper.cli.options import choice, list_options, overrides, settings_options
from scraper.cli.words import closing_words, less_filled, log, say
from scraper.interrupts import Signals

if TYPE_CHECKING:
    from scraper.execution import Result, Watcher


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
    scraper retry output/urls                 ask again for the URLs that failed
    scraper status output/urls                where a run stands
    scraper try https://example.com/          one page: what is fetched, and the record it gives
    """


@group.command(short_help="Fetch and parse a list of URLs into a directory of records.")
@click.argument("urls", nargs=-1, required=True)
@click.option("-o", "--output", help="The run's directory (default: output/ and the list's name); - writes to stdout.")
@list_options
@settings_options
@click.option("--restart", is_flag=True, help="Move a former run aside and begin anew.")
@click.option("--baseline", metavar="DIR", type=click.Path(path_type=Path), help="An earlier run to compare with.")
@click.option("--strict", is_flag=True, help="Exit with 3 if a URL failed, or a field is less filled than before.")
@click.option("--quiet", is_flag=True, help="No progress, no closing words.")
@click.option("--log-json", is_flag=True, help="Log lines as JSON.")
def run(
    urls: tuple[str, ...],
    output: str | None,
    restart: bool,
    baseline: Path | None,
    strict: bool,
    quiet: bool,
    **flags: Any,
) -> int:
    """Fetch and parse URLS into a directory of records.

    URLS are list files (YAML, .txt, .csv, .tsv, .jsonl, sitemap.xml, each also gzipped), - for standard input, http(s)
    URLs of sitemaps (.xml, .xml.gz), or literal http(s) URLs.

    \b
    scraper run config/urls.yaml -s config/settings.yaml
    scraper run products.csv --column link --limit 100
    scraper run https://example.com/sitemap.xml --sample 50
    scraper run urls.yaml -o output/books --fetch-workers 40 --parse-workers 8
    scraper run urls.yaml -o output/today --baseline output/yesterday --strict
    scraper run https://example.com/ -o - | jq .title
    """
    from scraper.execution import execute
    from scraper.job import Arguments, Job

    log(json=flags.pop("log_json"), quiet=quiet)
    chosen = choice(flags)
    job = Job.prepare(Arguments(urls), flags.pop("settings"), overrides(flags), chosen)
    directory = None if output == "-" else job.directory(output)
    return _carry_out(
        lambda watcher: execute(
            job, directory, restart=restart, named=output is not None, watcher=watcher, baseline=baseline
        ),
        quiet=quiet,
        strict=strict,
        robots=job.settings.politeness.robots,
    )


@group.command(short_help="Ask again for the URLs of a run that failed.")
@click.argument("directory", type=click.Path())
@click.option("--only", metavar="KIND,...", help="Only these failure kinds or statuses, as in timeout,429,5xx.")
@settings_options
@click.option("--strict", is_flag=True, help="Exit with 3 if a URL failed.")
@click.option("--quiet", is_flag=True, help="No progress, no closing words.")
@click.option("--log-json", is_flag=True, help="Log lines as JSON.")
def retry(directory: str, only: str | None, strict: bool, quiet: bool, **flags: Any) -> int:
    """Ask again for the URLs of the run in DIRECTORY that failed, then go on with it.

    Settings and flags are those that the run was begun with, unless others are given here.

    \b
    scraper retry output/books
    scraper retry output/books --only timeout,429,5xx --timeout 60
    """
    from scraper import execution
    from scraper.cli.only import parse_only

    log(json=flags.pop("log_json"), quiet=quiet)
    chosen = None if only is None else parse_only(only)
    settings, said = flags.pop("settings"), overrides(flags)
    return _carry_out(
        lambda watcher: execution.retry(Path(directory), chosen, settings, said, watcher), quiet=quiet, strict=strict
    )


def _carry_out(call: Callable[[Watcher], Result], *, quiet: bool, strict: bool, robots: bool = True) -> int:
    """Run something that people can watch and interrupt; the exit status."""
    from scraper.execution import Watcher
    from scraper.watch import progress

    with Signals() as signals:
        shown = progress.choose(sys.stderr, quiet=quiet)
        try:
            result = call(Watcher(shown, signals.caught, signals.announce))
        finally:
            shown.close()
        summary = result.summary
        if result.was_complete:
            say(f"{summary.output} is complete: nothing to fetch. --restart begins anew.", quiet)
            say("\n".join(less_filled(summary)), quiet or not summary.drops)
        else:
            say(closing_words(summary, result.done_before, robots), quiet)
    if signals.number:
        return 128 + signals.number
    return 3 if strict and (summary.urls.failed or summary.drops) else 0


@group.command(short_help="Where a run stands, be it going on, stopped or complete.")
@click.argument("directory", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="As summary.json has it.")
def status(directory: str, as_json: bool) -> int:
    """Print where the run in DIRECTORY stands; safe beside a run that is going on.

    \b
    scraper status output/books
    scraper status output/books --json | jq .urls.pending
    """
    from scraper.watch.status import describe, read

    summary = read(Path(directory))
    said = terminal.json(summary.to_json().decode().rstrip()) if as_json else terminal.plain(describe(summary))
    click.echo(said)
    return 0


@group.command("try", short_help="Fetch one page and print the record it gives.")
@click.argument("page", metavar="URL-OR-FILE")
@settings_options
@click.option("--save", metavar="DIR", type=click.Path(path_type=Path), help="Keep the page in this folder.")
@click.option("--fields", "name", metavar="NAME", help="The set of fields to apply, of those under sets.")
def try_(page: str, save: Path | None, name: str | None, **flags: Any) -> int:
    """Fetch one page, or read a saved one, apply the fields and print the record, with what each selector matched.

    A selector that finds nothing is shown with the part of it that still matches.

    \b
    scraper try https://example.com/ -s settings.yaml
    scraper try https://example.com/ -s settings.yaml --save tests/pages
    scraper try https://example.com/item/7 -s settings.yaml --fields product
    scraper try tests/pages/example.com.html -s settings.yaml
    """
    from scraper.trial import try_page

    log(json=False, quiet=False)
    report = try_page(page, flags.pop("settings"), overrides(flags), save, name)
    colour = False if os.environ.get("NO_COLOR") else None
    if report.record is not None:
        click.echo(report.record, color=colour)
    click.echo(report.text, err=True, color=colour)  # last, where people look: a record may be long
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
