"""`scraper demo`: the real pipeline on the bundled website."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import Final

from scraper import demo
from scraper.execution import Watcher, execute
from scraper.job import Arguments, Job
from scraper.watch import progress

#: Where ``scraper demo --serve`` serves; config/urls.yaml names it.
PORT: Final = 8642

DIRECTORY: Final = Path("output/demo")
LIST: Final = Path("output/demo-urls.yaml")


def show(base_url: str, *, quiet: bool) -> int:
    """Scrape the website at `base_url` and print where the records are, and three of them."""
    LIST.parent.mkdir(parents=True, exist_ok=True)
    count = demo.write_list(base_url, LIST)
    print(f"a small website is served at {base_url}; its {count} URLs are in {LIST}")
    job = Job.prepare(Arguments([str(LIST)]), demo.SETTINGS, {})
    bar = progress.choose(sys.stderr, quiet=quiet)
    summary = execute(job, DIRECTORY, restart=True, watcher=Watcher(bar)).summary
    records = DIRECTORY / "records.jsonl"
    failures = ", ".join(f"{kind} {number}" for kind, number in summary.failures.items())
    print(f"{summary.urls.ok} pages ok, {summary.urls.failed} failed on purpose ({failures})")
    print(f"{summary.records} records in {summary.seconds:.1f} s: {records}")
    for line in _samples(records):
        print(line)
    return 0


def wait_for_interrupt() -> int:
    """Block until SIGINT or SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job would ignore SIGINT
        signal.signal(number, signal.default_int_handler)
    forever = threading.Event()
    try:
        while not forever.wait(1):
            pass
    except KeyboardInterrupt:
        return 0
    return 0


def _samples(records: Path) -> list[str]:
    """Three records that show something: product pages."""
    with records.open(encoding="utf-8") as lines:
        chosen = [line.rstrip("\n") for line in lines if '"sku":"' in line]
    return chosen[:3]
