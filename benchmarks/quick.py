"""This checkout against another commit, in two minutes: did a change make the tool slower?

    nginx on loopback ◄── this checkout, the other commit, the other commit, this checkout, ...
                              └──► median of paired ratios: pages a second, and CPU a page

Both run the same command over the same list; who goes first changes from round to round. Uncommitted changes of this
checkout count. Exit code 1 if this checkout takes clearly more CPU (more than `--tolerance`, in the median and in three
quarters of the rounds): the rate swings with whatever else the machine does, CPU less so.

    python benchmarks/quick.py [REVISION, default HEAD~1] [--rounds 8] [--copies 4] [--pages DIR] [--tolerance 0.03]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median, quantiles

import corpus
from contestants import HERE, OWN_FLAGS, OWN_SETTINGS, ROOT
from corpus import CorpusMissing, UrlList
from results import Run, table
from webserver import ServerFailed, serving

THIS, OTHER = "this", "other"
TIMEOUT = 300


class RunFailed(Exception):
    """A run ended with an error; the message says how."""


def main() -> int:
    """Measure and print; see the module's docstring for the exit code."""
    options = _options()
    try:
        with tempfile.TemporaryDirectory(prefix="quick-") as scratch:
            folder = Path(scratch)
            trees = {THIS: ROOT, OTHER: _checked_out(options.revision, folder / "tree")}
            pages = corpus.load(options.pages, folder)
            with serving(pages.folder, options.copies, folder / "nginx") as origin:
                urls = corpus.urls(pages, origin, options.copies)
                runs = _all_runs(trees, corpus.write_list(urls, folder / "urls"), folder, options.rounds)
    except (CorpusMissing, ServerFailed, subprocess.CalledProcessError, RunFailed) as failed:
        print(f"quick.py: {failed}", file=sys.stderr)
        return 2
    print(table(runs, {THIS: "this checkout", OTHER: options.revision}))
    rates, cpu = _ratios(runs, "rate"), _ratios(runs, "cpu")
    print(f"\npages/s  {_spread(rates)}  (more is better)\nCPU      {_spread(cpu)}  (less is better)")
    worst = 1 + options.tolerance
    return int(median(cpu) > worst and quantiles(cpu, n=4)[0] > worst)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure this checkout against another commit.")
    parser.add_argument("revision", nargs="?", default="HEAD~1", help="the other commit (default: HEAD~1)")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--copies", type=int, default=4, help="URLs for each page")
    parser.add_argument("--pages", type=Path, help=f"HTML files, also .gz (default: {corpus.PACKAGE})")
    parser.add_argument("--tolerance", type=float, default=0.03, help="more CPU than this share is too much")
    return parser.parse_args()


def _checked_out(revision: str, target: Path) -> Path:
    """The files of a commit, without a word to the repository that they are there."""
    command = ["git", "-C", str(ROOT), "archive", "--format=tar", revision, "scraper"]
    packed = subprocess.run(command, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(target, filter="data")
    return target


def _all_runs(trees: Mapping[str, Path], source: UrlList, folder: Path, rounds: int) -> list[Run]:
    settings = folder / "settings.yaml"
    settings.write_text(OWN_SETTINGS)
    runs = []
    for number in range(rounds + 1):  # the first one compiles the byte code, and does not count
        for name in (THIS, OTHER) if number % 2 else (OTHER, THIS):
            output = folder / f"{name}-{number}"
            command = ["run", str(source.yaml), "-o", str(output), "-s", str(settings), *OWN_FLAGS]
            run = Run(number, name, len(source.urls), **_measure(command, trees[name], folder))
            if number:
                runs.append(run)
                print(f"round {number}: {name} {run.rate:,.0f} pages/s", file=sys.stderr)
    return runs


def _measure(command: list[str], tree: Path, folder: Path) -> dict[str, float]:
    """Seconds and CPU seconds of the tool in `tree`."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    launcher = [sys.executable, str(HERE / "measure.py"), str(TIMEOUT), sys.executable, "-m", "scraper", *command]
    done = subprocess.run(
        launcher, cwd=folder, env=kept | {"PYTHONPATH": str(tree)}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RunFailed(f"{tree} ended with exit code {done.returncode}: {done.stderr.strip()[-500:]}")
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def _ratios(runs: list[Run], what: str) -> list[float]:
    """This checkout by the other commit, round by round."""
    found = {(run.round, run.name): float(getattr(run, what)) for run in runs}
    return [found[number, THIS] / found[number, OTHER] for number in sorted({run.round for run in runs})]


def _spread(values: list[float]) -> str:
    low, _, high = quantiles(values, n=4)
    return f"{median(values):.3f}x (quartiles {low:.3f}-{high:.3f})"


if __name__ == "__main__":
    sys.exit(main())
