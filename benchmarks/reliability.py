"""What hostile servers cost: memory under compressed bombs, and seconds beyond the deadline under drips.

    python benchmarks/reliability.py [--bombs 64] [--size 1024] [--only bombs|drips] [--rounds 3] [--json FILE]

Bombs: as many fetch threads as bombs, each gets an answer that decodes to SIZE MiB, all at the same moment. The peak is
the resident memory of the run: of its main process, and summed over its process tree. Drips: servers, resolvers and
bodies that take for ever, each under a deadline of two seconds. See docs/reliability.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import bombs
import drips
import psutil

HERE = Path(__file__).resolve().parent
MIB = 1 << 20
LIMIT_SECONDS = 300.0
LOOK_SECONDS = 0.005

MEMORY = 256 * MIB  # fetch.memory, its default
BODY = 16 * MIB  # fetch.max_body, its default
PARSE_WORKERS = 2
PARSE_MEMORY = 1024 * MIB  # parse.memory, its default
ROOM = 100_000_000  # what the promise leaves to everything else
LEGEND = "MB are 1,000,000 bytes"


class Failed(Exception):
    """There is no result; the message says why."""


class Peak(NamedTuple):
    """The most memory that a run has held, and how its URLs ended.

    Attributes:
        main: bytes, resident, of the main process.
        tree: bytes, resident, of all its processes; what they share counts for each.
        seconds: that the run took.
        ends: count by failure kind; "ok" for pages.
    """

    main: int
    tree: int
    seconds: float
    ends: dict[str, int]


def main() -> int:
    """Measure and print; exit code 1 if there is no result or a promise was not kept, 2 for bad arguments."""
    parser = argparse.ArgumentParser(prog="reliability.py", description="Measure what hostile servers cost.")
    parser.add_argument("--bombs", type=_count, default=64, metavar="N", help="bombs at once (64)")
    parser.add_argument("--size", type=_count, default=1024, metavar="MIB", help="MiB that each decodes to (1024)")
    parser.add_argument("--only", choices=["bombs", "drips"], help="measure just these")
    parser.add_argument("--rounds", type=_count, default=3, metavar="N", help="rounds of drips (3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all raw numbers to FILE")
    options = parser.parse_args()
    raw: dict[str, Any] = {}
    kept = True
    try:
        if options.only != "drips":
            raw["bombs"] = peaks = _bombs(options.bombs, options.size * MIB)
            kept = _report_bombs(peaks, options.bombs, options.size) and kept
        if options.only != "bombs":
            raw["drips"] = overruns = drips.measure(options.rounds)
            kept = drips.report(overruns) and kept
    except Failed as error:
        print(f"reliability.py: {error}", file=sys.stderr)
        return 1
    if options.json is not None:
        options.json.write_text(json.dumps(raw, indent=2) + "\n")
    return 0 if kept else 1


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _bombs(count: int, size: int) -> dict[str, Peak]:
    """Peaks by what was thrown."""
    peaks: dict[str, Peak] = {}
    with tempfile.TemporaryDirectory(prefix="reliability-") as scratch:
        folder = Path(scratch)
        for number, codings in enumerate(bombs.CODINGS):
            bombs.write_bomb(folder / f"bomb{number}", codings, size)
            row = "deflate, bare" if codings == "x-bare" else codings
            peaks[row] = _run(folder, f"bomb{number}", count)
        bombs.write_plain(folder / "plain", min(size, 2 * BODY), coded=False)
        peaks["none, no bomb, twice the limit"] = _run(folder, "plain", count)
        for coded, row in ((False, "none, no bomb, just within the limit"), (True, "gzip, just within the limit")):
            bombs.write_plain(folder / f"page{coded}", min(size, BODY), coded=coded)
            peaks[row] = _run(folder, f"page{coded}", count)
    return peaks


def _run(folder: Path, name: str, count: int) -> Peak:
    """One run of the tool against a server that answers all at once."""
    with _serving(folder, count) as port:
        (folder / "urls.txt").write_text("".join(f"http://127.0.0.1:{port}/{name}?{n}\n" for n in range(count)))
        output = folder / f"out-{name}"
        command = [sys.executable, "-m", "scraper", "run", str(folder / "urls.txt"), "-o", str(output)]
        command += ["--allow-private", "--no-robots", "--delay", "0", "--per-host", str(count), "--quiet"]
        command += ["--fetch-workers", str(count), "--parse-workers", str(PARSE_WORKERS), "--retries", "0"]
        command += [
            "--timeout",
            str(LIMIT_SECONDS),
            "--set",
            f"fetch.memory={MEMORY}",
            "--set",
            f"fetch.max_body={BODY}",
        ]
        command += ["--set", f"parse.memory={PARSE_MEMORY}", "--set", "parse.timeout=120"]
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}  # this checkout, not an installed version
        began = time.perf_counter()
        process = subprocess.Popen(command, env=environment)
        try:
            most, tree = _watch(process, began)
        finally:
            process.kill()
            process.wait()
        seconds = time.perf_counter() - began
    if process.returncode:
        raise Failed(f"the run of {name} ended with exit code {process.returncode}")
    return Peak(most, tree, seconds, _ends(output, count))


@contextlib.contextmanager
def _serving(folder: Path, count: int) -> Iterator[int]:
    """A server in a process of its own; gives its port."""
    command = [sys.executable, str(HERE / "bombs.py"), str(folder), str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.stdin.close()


def _watch(process: subprocess.Popen[bytes], began: float) -> tuple[int, int]:
    """Look at a run until it ends: the most memory of its main process and of its tree.

    Raises:
        Failed: it does not end.
    """
    watched = psutil.Process(process.pid)
    most = tree = 0
    while process.poll() is None:
        if time.perf_counter() - began > LIMIT_SECONDS:
            raise Failed(f"the run was not over after {LIMIT_SECONDS:.0f} s")
        with contextlib.suppress(psutil.NoSuchProcess):
            main = watched.memory_info().rss
            most = max(most, main, _high_water(process.pid))
            tree = max(tree, main + sum(map(_resident, watched.children(recursive=True))))
        time.sleep(LOOK_SECONDS)
    return most, max(tree, most)


def _resident(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.NoSuchProcess):
        return int(process.memory_info().rss)
    return 0


def _high_water(pid: int) -> int:
    """The kernel's own note of the peak, where there is one: looking now and then may miss it."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def _ends(output: Path, count: int) -> dict[str, int]:
    """How the URLs ended.

    Raises:
        Failed: not each of them did, exactly once.
    """
    summary = json.loads((output / "summary.json").read_text())
    ends = Counter({"ok": summary["urls"]["ok"], **summary["failures"]})
    if ends.total() != count:
        raise Failed(f"{ends.total()} of {count} URLs have ended: {dict(ends)}")
    return {kind: number for kind, number in ends.items() if number}


def _report_bombs(peaks: Mapping[str, Peak], count: int, size: int) -> bool:
    """Print the matrix; whether the promise was kept."""
    bound = MEMORY + ROOM + PARSE_WORKERS * PARSE_MEMORY
    print(f"{count} answers at once, each {size:,} MiB when decoded; fetch.max_body {BODY // MIB} MiB; {LEGEND}")
    print(
        f"promised for all processes: fetch.memory + 100 MB + {PARSE_WORKERS} × parse.memory = {bound / 1e6:,.0f} MB;"
    )
    print(f"without what the parse workers may have: {(MEMORY + ROOM) / 1e6:.0f} MB\n")
    print(f"{'coding':38} {'main MB':>8} {'all MB':>8} {'seconds':>8}  ends")
    for row, peak in peaks.items():
        ends = ", ".join(f"{number} {kind}" for kind, number in peak.ends.items())
        over = "" if peak.tree <= bound else "  NOT AS PROMISED"
        print(f"{row:38} {peak.main / 1e6:8.0f} {peak.tree / 1e6:8.0f} {peak.seconds:8.1f}  {ends}{over}")
    print()
    return all(peak.tree <= bound for peak in peaks.values())


if __name__ == "__main__":
    sys.exit(main())
