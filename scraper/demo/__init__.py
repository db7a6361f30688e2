"""A small website, served from the package: for `scraper demo`, for tests, and to try selectors on."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from scraper.demo.reply import Reply
from scraper.demo.website import build_site
from scraper.errors import RunError, UsageError

#: Example settings for the demo website.
SETTINGS: Final = Path(__file__).with_name("settings.yaml")

_START_LIMIT: Final = 10.0
_STOP_LIMIT: Final = 2.0


@dataclass(frozen=True, slots=True)
class Running:
    """The demo website while it is served; `url` ends in a slash."""

    url: str


@contextmanager
def serve(port: int = 0) -> Iterator[Running]:
    """Serve the demo website from a process of its own, so that it does not share the interpreter lock.

    Args:
        port: a port of 127.0.0.1; 0 takes any free one.

    Raises:
        UsageError: the port cannot be had.
        RunError: the server did not start within 10 seconds.
    """
    with tempfile.TemporaryFile() as errors:
        process = _start(port, errors)
        try:
            yield Running(_wait_for_url(process, errors))
        finally:
            _stop(process)


def write_list(base_url: str, path: Path) -> int:
    """Write the website's URL list, YAML, to `path`: every page, also those that fail.

    Returns:
        The number of entries.
    """
    site = build_site(base_url)
    entries = [_entry(site.base + key[1:], reply) for key, reply in site.pages.items() if reply.listed]
    path.write_text("# The demo website, page by page.\nurls:\n" + "".join(entries), encoding="utf-8")
    return len(entries)


def _entry(url: str, reply: Reply) -> str:
    keys = dict(reply.keys)
    if reply.languages:
        keys["headers"] = "{Accept-Language: fr}"
    if not keys:
        return f"  - {url}\n"
    return f"  - url: {url}\n" + "".join(f"    {name}: {value}\n" for name, value in keys.items())


def _start(port: int, errors: IO[bytes]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "scraper.demo", "--port", str(port), "--until-stdin-closes"],
        stdin=subprocess.PIPE,  # when this process dies, however it dies, the pipe closes and the server leaves
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        cwd=Path(__file__).parents[2],  # so that -m finds this very package, wherever the caller stands
        start_new_session=True,  # Ctrl-C is for the tool, which may still want to drain
    )


def _wait_for_url(process: subprocess.Popen[str], errors: IO[bytes]) -> str:
    assert process.stdout
    # Killing the process ends the read: the one bound on reading a pipe that works on every system.
    limit = threading.Timer(_START_LIMIT, process.kill)
    limit.start()
    try:
        line = process.stdout.readline().strip()
    finally:
        limit.cancel()
        limit.join()
    if line:
        return line
    status = process.wait(_STOP_LIMIT)
    errors.seek(0)
    message = errors.read().decode(errors="replace").strip().rpartition("\n")[2]
    if status == UsageError.exit_code:
        raise UsageError(message)
    raise RunError(f"the demo website did not start: {message or f'no answer within {_START_LIMIT:.0f} s'}")


def _stop(process: subprocess.Popen[str]) -> None:
    with process:  # closes the pipes
        process.terminate()
        try:
            process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
