"""What the order of a list costs: one large host before many small ones, and the same list shuffled.

A schedule that looks only a little ahead has nothing but the large host in view until it comes to that host's end, and
politeness lets it ask only so often. Here is measured when the pages of all other hosts are there, from the start of
the process; then the run is ended.

    python benchmarks/order.py [--large 200000] [--hosts 500] [--each 10] [--rounds 3] [--json FILE]

Hosts are addresses of loopback, behind one nginx.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import webserver

HERE = Path(__file__).resolve().parent
DELAY = 0.2
WORKERS = 40
SEED = 1
LIMIT_SECONDS = 600.0
OPTIONS = ("--allow-private", "--no-robots", "--delay", str(DELAY), "--fetch-workers", str(WORKERS), "--quiet")


class Failed(Exception):
    """There is no result; the message says why."""


def main() -> int:
    """Measure and print; exit code 1 if there is no result, 2 for bad arguments or a missing server."""
    parser = argparse.ArgumentParser(prog="order.py", description="Measure what the order of a list costs.")
    parser.add_argument("--large", type=_count, default=200_000, metavar="N", help="URLs of the large host (200000)")
    parser.add_argument("--hosts", type=_count, default=500, metavar="N", help="other hosts (500; up to 10000)")
    parser.add_argument("--each", type=_count, default=10, metavar="N", help="URLs of each other host (10)")
    parser.add_argument("--rounds", type=_count, default=3, metavar="N", help="runs with each order (3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all raw numbers to FILE")
    options = parser.parse_args()
    if options.hosts > 10_000:
        parser.error("--hosts must be 10000 at the most")
    try:
        with tempfile.TemporaryDirectory(prefix="order-") as scratch:
            seconds = _measure(Path(scratch), options.large, options.hosts, options.each, options.rounds)
    except webserver.ServerFailed as error:
        print(f"order.py: {error}", file=sys.stderr)
        return 2
    except Failed as error:
        print(f"order.py: {error}", file=sys.stderr)
        return 1
    _report(seconds, options.hosts * options.each)
    if options.json is not None:
        options.json.write_text(json.dumps(seconds, indent=2) + "\n")
    return 0


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _measure(scratch: Path, large: int, hosts: int, each: int, rounds: int) -> dict[str, list[float]]:
    """Seconds by order, one a round."""
    (scratch / "site").mkdir()
    (scratch / "site" / "page.html").write_text("<title>A page</title><h1>A page</h1>" + "<p>Some words.</p>" * 50)
    others = [f"127.0.{1 + number // 200}.{1 + number % 200}" for number in range(hosts)]
    with webserver.serving(scratch / "site", 1, scratch / "nginx", ["127.0.0.1", *others]) as origin:
        port = origin.rpartition(":")[2]
        first = [f"{origin}/c0/page.html?{number}" for number in range(large)]
        rest = [f"http://{host}:{port}/c0/page.html?{number}" for host in others for number in range(each)]
        orders = {
            "shuffled": random.Random(SEED).sample(first + rest, large + len(rest)),
            "large host first": first + rest,
            "large host last": rest + first,
        }
        paths = {order: _written(scratch / f"{place}.yaml", orders[order]) for place, order in enumerate(orders)}
        seconds: dict[str, list[float]] = {order: [] for order in orders}
        for number in range(rounds):
            for order, path in paths.items():
                seconds[order].append(_run(path, scratch / f"out-{number}-{path.stem}", origin, len(rest)))
    return seconds


def _written(path: Path, urls: Sequence[str]) -> Path:
    with path.open("w") as file:
        file.writelines(f"- {url}\n" for url in urls)
    return path


def _run(listed: Path, output: Path, large: str, wanted: int) -> float:
    """Seconds until the records of all other hosts are there."""
    command = [sys.executable, "-m", "scraper", "run", str(listed), "-o", str(output), *OPTIONS]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}  # this checkout, not an installed version
    start, mark = b'{"url":"', f'{{"url":"{large}/'.encode()
    found, began = 0, time.perf_counter()
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        while not (output / "records.jsonl").exists():
            _see_that_it_goes_on(process, began)
        with (output / "records.jsonl").open("rb") as records:
            rest = b""
            while found < wanted:
                _see_that_it_goes_on(process, began)
                *lines, rest = (rest + records.read()).split(b"\n")
                found += sum(line.startswith(start) and not line.startswith(mark) for line in lines)
        return time.perf_counter() - began
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate()


def _see_that_it_goes_on(process: subprocess.Popen[bytes], began: float) -> None:
    time.sleep(0.05)
    if process.poll() is not None:
        said = "" if process.stderr is None else process.stderr.read().strip()
        raise Failed(f"the run ended with exit code {process.returncode} before all was there: {said}")
    if time.perf_counter() - began > LIMIT_SECONDS:
        raise Failed(f"pages of other hosts are missing after {LIMIT_SECONDS:.0f} s")


def _report(seconds: dict[str, list[float]], pages: int) -> None:
    print(f"{pages:,} pages of the other hosts were there after")
    base = seconds["shuffled"]
    for order, figures in seconds.items():
        ratios = [figure / shuffled for figure, shuffled in zip(figures, base, strict=True)]
        spread = f"({min(ratios):.2f}–{max(ratios):.2f})"
        median = statistics.median(figures)
        print(f"  {order:16}  {median:6.1f} s   {statistics.median(ratios):.2f} × {spread} of shuffled, by round")


if __name__ == "__main__":
    sys.exit(main())
