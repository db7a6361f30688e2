"""The command line: arguments become settings, and a call. What was asked for goes to stdout, all else to stderr."""

from __future__ import annotations

import os
import sys

import click

from scraper import unheard
from scraper.cli.commands import group
from scraper.cli.words import complain, refuse
from scraper.errors import ScraperError


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
        complain(str(error))
        return error.exit_code
    except click.ClickException as error:
        refuse(error)
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
    errors = sys.stderr
    if errors is sys.__stderr__ and errors is not None:  # not where somebody captures it
        sys.stderr = unheard.stream(2, errors.encoding)
