"""Options that stand for settings keys, and what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from scraper.source import Choice

F = TypeVar("F", bound=Callable[..., Any])

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
    ("--no-robots", "politeness.robots", False, "Do not ask for robots.txt."),
    ("--allow-private", "fetch.allow_private", True, "Also fetch from this machine and private networks."),
    ("--archive", "output.archive", True, "Keep requests and responses; comes with a later version."),
)


def _parameter(key: str) -> str:
    return key.replace(".", "__")


def settings_options(command: F) -> F:
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


#: Flags that say how lists are read: flag, type, what stands for the value, and help.
_LIST_FLAGS: Final[tuple[tuple[str, Any, str | None, str], ...]] = (
    (
        "--input-format",
        click.Choice(["yaml", "txt", "csv", "tsv", "jsonl", "sitemap"]),
        None,
        "Format of all lists (default: by suffix or content); URLs are then lists, too.",
    ),
    ("--column", click.STRING, "NAME", "Column of a table, or key of JSON lines, that has the URLs (default: url)."),
    ("--limit", click.INT, "N", "Read the first N entries only."),
    ("--sample", click.INT, "N", "Take N entries at random."),
    ("--seed", click.INT, "N", "Of the sample; the same seed gives the same sample (default: 0)."),
)


def list_options(command: F) -> F:
    """The options that say how lists are read."""
    for flag, kind, metavar, text in reversed(_LIST_FLAGS):
        command = click.option(flag, type=kind, metavar=metavar, default=None, help=text)(command)
    return command


def choice(flags: dict[str, Any]) -> Choice:
    """What the flags say of lists, taken out of them."""
    from scraper.source import Choice

    names = [flag.removeprefix("--").replace("-", "_") for flag, *_ in _LIST_FLAGS]
    said = {name: flags.pop(name) for name in names}
    return Choice(**{name: value for name, value in said.items() if value is not None})


def overrides(flags: dict[str, Any]) -> dict[str, Any]:
    """What the flags say, as dotted settings keys."""
    from scraper.settings import parse_assignment

    said = dict(parse_assignment(assignment) for assignment in flags.pop("assignments"))
    for _, key, _, _ in _SETTINGS_FLAGS:
        if flags[_parameter(key)] is not None:
            said[key] = flags[_parameter(key)]
    said.update({key: value for _, key, value, _ in _SWITCHES if flags[_parameter(key)]})
    return said
