"""A comparison: this tool side by side with what people use instead, on the same pages and machine.

    corpus ──► nginx on loopback ◄── fetched by ── this tool, plain loop, Scrapy, this tool, plain loop, ...
                                                        └──► every output checked ──► table, --json FILE

Each contestant runs as a whole process, as a user would run it, so start-up and the writing of records count. They
take turns within a round, and ratios are taken within a round: what disturbs the machine disturbs neighbours alike.

    python benchmarks/compare.py [--rounds 3] [--copies 4] [--pages DIR] [--only this,scrapy] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import corpus
import results
from check import CheckFailed, Titles, same_titles, titles
from contestants import CONTESTANTS, HERE, ROOT, Contestant, Job
from corpus import Corpus, CorpusMissing, UrlList
from results import Run
from webserver import ServerFailed, serving

WARM_UP_PAGES = 20
LOG_LINES = 15  # of a failed contestant's output


class NothingToRun(Exception):
    """None of the selected contestants is installed."""


class RunFailed(Exception):
    """A contestant ended with an error."""


@dataclass(frozen=True)
class Course:
    """What all contestants run: the lists of URLs, and limits."""

    full: UrlList
    plain: UrlList  # the loop is slow and its rate does not depend on the length of the list
    warm_up: UrlList
    folder: Path
    timeout: float

    def source(self, contestant: Contestant) -> UrlList:
        """The list that a contestant's measured runs fetch."""
        return self.plain if contestant.name == "plain" else self.full


def main() -> int:
    """Parse the command line, run, print; exit code 1 when a result cannot be trusted, 2 when something is missing."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a terminated benchmark ends its children, too
    try:
        _compare(options, _present(options.only))
    except (CorpusMissing, ServerFailed, NothingToRun) as missing:
        print(f"compare.py: {missing}", file=sys.stderr)
        return 2
    except (RunFailed, CheckFailed) as failed:
        print(f"compare.py: no result: {failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="compare.py", description="Compare this tool with its peers on this machine.")
    parser.add_argument("--rounds", type=_positive, default=3, metavar="N", help="how often each runs (default: 3)")
    parser.add_argument("--copies", type=_positive, default=4, metavar="N", help="URLs for each page (default: 4)")
    parser.add_argument("--pages", type=Path, metavar="DIR", help=f"HTML files, also .gz (default: {corpus.PACKAGE})")
    parser.add_argument("--plain-pages", type=_positive, default=600, metavar="N", help="for the loop (default: 600)")
    parser.add_argument("--only", type=_names, default=None, metavar="NAME,...", help="of: " + ", ".join(_all_names()))
    parser.add_argument("--timeout", type=_positive, default=1800, metavar="S", help="for one run (default: 1800)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all raw numbers to FILE")
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = sorted(set(names) - set(_all_names()))
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown) or text!r}: choose from {', '.join(_all_names())}")
    return names


def _all_names() -> list[str]:
    return [contestant.name for contestant in CONTESTANTS]


def _present(only: list[str] | None) -> list[Contestant]:
    """The selected contestants that are installed, in the order of CONTESTANTS; the others get one line each."""
    present = []
    for contestant in CONTESTANTS:
        if contestant.named if only is None else contestant.name not in only:
            continue
        if missing := contestant.missing():
            print(f"skipped {contestant.label}: no module {missing[0]}; `{contestant.install}`", file=sys.stderr)
        else:
            present.append(contestant)
    if not present:
        raise NothingToRun("no contestant is installed")
    return present


def _compare(options: argparse.Namespace, present: Sequence[Contestant]) -> None:
    with tempfile.TemporaryDirectory(prefix="compare-") as scratch:
        folder = Path(scratch)
        pages = corpus.load(options.pages, folder)
        print(_setting(pages, options.copies, present))
        with serving(pages.folder, options.copies, folder / "nginx") as origin:
            course = _course(corpus.urls(pages, origin, options.copies), folder, options)
            runs = _all_runs(present, course, options.rounds)
    print(_summary(runs, present))
    if options.json is not None:
        _write_json(options.json, pages, runs, options)


def _course(urls: list[str], folder: Path, options: argparse.Namespace) -> Course:
    return Course(
        full=corpus.write_list(urls, folder / "full"),
        plain=corpus.write_list(urls[: options.plain_pages], folder / "plain"),
        warm_up=corpus.write_list(urls[:WARM_UP_PAGES], folder / "warm-up"),
        folder=folder,
        timeout=options.timeout,
    )


def _all_runs(present: Sequence[Contestant], course: Course, rounds: int) -> list[Run]:
    """A short run of each that is not counted, then `rounds` times all of them in turn."""
    for contestant in present:  # compiles the byte code, and tells at once when something does not work
        _one_run(contestant, course.warm_up, course, 0)
    runs: list[Run] = []
    for number in range(1, rounds + 1):
        runs += _one_round(present, course, number)
    return runs


def _one_round(present: Sequence[Contestant], course: Course, number: int) -> list[Run]:
    runs: list[Run] = []
    found: dict[str, Titles] = {}
    for contestant in present:
        run, found[contestant.name] = _one_run(contestant, course.source(contestant), course, number)
        print(f"round {number}: {contestant.label} {run.rate:,.0f} pages/s", file=sys.stderr)
        runs.append(run)
    for line in same_titles(found, course.full.urls):
        print(f"round {number}: title differs: {line}", file=sys.stderr)
    return runs


def _one_run(contestant: Contestant, source: UrlList, course: Course, number: int) -> tuple[Run, Titles]:
    """Run one process, check its output, delete it."""
    folder = course.folder / f"{contestant.name}-{number}"
    folder.mkdir()
    try:
        measured = _measure(contestant.command(Job(source, folder)), folder, course.timeout)
        found = titles(folder / contestant.records, source.urls)
    except (RunFailed, CheckFailed) as failed:
        raise type(failed)(f"{contestant.label} {failed}\n{_log_end(folder)}".rstrip()) from None
    finally:
        shutil.rmtree(folder)
    return Run(number, contestant.name, len(source.urls), **measured), found


def _measure(command: list[str], folder: Path, timeout: float) -> dict[str, float]:
    """Seconds and CPU seconds of one command; see measure.py for why it is not started from here."""
    launcher = [sys.executable, str(HERE / "measure.py"), str(timeout), *command]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(launcher, cwd=folder, env=_environment(), stdout=subprocess.PIPE, stderr=log)
        try:
            printed, _ = process.communicate()
        finally:
            process.terminate()  # after an interrupt; it ends the contestant. Without effect on a process that ended
            process.wait()
    if process.returncode != 0:
        raise RunFailed(f"ended with exit code {process.returncode}")
    measured: dict[str, float] = json.loads(printed)
    return measured


def _environment() -> dict[str, str]:
    """The environment of this process, without proxies (loopback must not go through one), this checkout first."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return kept | {"PYTHONPATH": os.pathsep.join(paths)}


def _log_end(folder: Path) -> str:
    log = folder / "log"
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(f"  | {line}" for line in lines[-LOG_LINES:])


def _setting(pages: Corpus, copies: int, present: Sequence[Contestant]) -> str:
    """What is measured on what."""
    count = len(pages.names)
    versions = ", ".join(f"{each.label} ({each.distribution} {_version(each)})" for each in present)
    return (
        f"{count:,} pages of {pages.bytes / count / 1000:.0f} KB, {copies} URLs each, from nginx on the same machine\n"
        f"{_cores()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}\n{versions}\n"
    )


def _version(contestant: Contestant) -> str:
    try:
        return metadata.version(contestant.distribution)
    except metadata.PackageNotFoundError:
        return "from this folder"


def _cores() -> int:
    """The cores this process may use, which may be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _summary(runs: Sequence[Run], present: Sequence[Contestant]) -> str:
    labels = {contestant.name: contestant.label for contestant in present}
    lines = [results.table(runs, labels), ""]
    if "this" in labels:
        peers: Mapping[str, str] = {name: label for name, label in labels.items() if name != "this"}
        lines += [results.ratio_line(label, results.ratios(runs, "this", name)) for name, label in peers.items()]
    return "\n".join(lines).rstrip()


def _write_json(target: Path, pages: Corpus, runs: Sequence[Run], options: argparse.Namespace) -> None:
    """All raw numbers, so that others can do their own statistics."""
    raw = {
        "machine": {"cores": _cores(), "python": platform.python_version(), "system": platform.platform()},
        "versions": {each.name: _version(each) for each in CONTESTANTS if any(run.name == each.name for run in runs)},
        "corpus": {"pages": len(pages.names), "bytes": pages.bytes, "copies": options.copies},
        "runs": [asdict(run) | {"pages_per_second": run.rate, "cpu_seconds": run.cpu} for run in runs],
    }
    target.write_text(json.dumps(raw, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
