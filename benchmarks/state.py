"""What the state of a run costs: loading a list, noting how a URL ended, and going on after a kill.

Each figure stands beside one of the same run that it can be compared with, since machines differ and are shared:

    load     rows/s into the state, beside what reading the list alone reaches
    change   µs for each URL that ended, beside the same with an index that contains the state
    resume   seconds from the start of the process to its first request, beside a run of one URL

    python benchmarks/state.py [--rows 1000000] [--no-resume] [--json FILE]
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # the checkout beside this file is measured, not an installed version

from scraper import source  # noqa: E402
from scraper.counters import Counters  # noqa: E402
from scraper.pipeline.supply import BATCH, Supply  # noqa: E402
from scraper.records import Failure, Outcome  # noqa: E402
from scraper.schedule import Rules, Schedule, Store  # noqa: E402
from scraper.schedule.exchange import Want  # noqa: E402

HOSTS = 1000
GROUP = 1000
GROUPS = 50
WINDOW = 10_000  # URLs that the schedule has in hand
FIRST_REQUEST_SECONDS = 600.0


def main() -> int:
    """Measure and print; exit code 2 for bad arguments."""
    parser = argparse.ArgumentParser(prog="state.py", description="Measure what the state of a run costs.")
    parser.add_argument("--rows", type=int, default=1_000_000, metavar="N", help="URLs in the list (default: 1000000)")
    parser.add_argument("--no-resume", action="store_true", help="leave that part out, which loads the list once more")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all raw numbers to FILE")
    options = parser.parse_args()
    if options.rows < GROUP * GROUPS:
        parser.error(f"--rows must be at least {GROUP * GROUPS}")
    with tempfile.TemporaryDirectory(prefix="state-") as scratch:
        numbers = {"rows": options.rows, **_measure(Path(scratch), options.rows, no_resume=options.no_resume)}
    if options.json is not None:
        options.json.write_text(json.dumps(numbers, indent=2) + "\n")
    return 0


def _measure(folder: Path, rows: int, *, no_resume: bool) -> dict[str, float]:
    listed = folder / "urls.yaml"
    with listed.open("w") as file:
        file.writelines(f"- http://host{number % HOSTS}.example/item/{number}\n" for number in range(rows))
    numbers = {**_load(folder, listed, rows), **_change(folder, rows)}
    return numbers if no_resume else {**numbers, **_resume(folder, rows)}


def _load(folder: Path, listed: Path, rows: int) -> dict[str, float]:
    """From the list into the state, by the threads that do it in a run; nothing is fetched meanwhile."""
    began = time.perf_counter()
    for _ in source.open_sources([str(listed)]):
        pass
    alone = time.perf_counter() - began
    entering = _enter_alone(folder / "alone.db", listed)
    state = folder / "state.db"
    with Store.create(state, b"{}") as store:
        seconds = _supply(store, listed)
        assert store.counters.total == rows
    size = state.stat().st_size
    print(f"load     {rows / seconds:,.0f} URLs/s, reading and storing at the same time")
    print(f"         reading the list alone {rows / alone:,.0f} URLs/s, storing alone {rows / entering:,.0f} URLs/s")
    print(f"         {size / 1e6:,.0f} MB, {size / rows:.0f} bytes a URL")
    return {"load_seconds": seconds, "read_seconds": alone, "store_seconds": entering, "bytes": size}


def _enter_alone(state: Path, listed: Path) -> float:
    """Seconds that a list's entries take into the store, without those that it takes to read them."""
    seconds = 0.0
    entries = iter(source.open_sources([str(listed)]))
    with Store.create(state, b"{}") as store:
        store.begin_loading()
        store.begin_list()
        while batch := list(itertools.islice(entries, BATCH)):
            began = time.perf_counter()
            store.enter(batch)
            seconds += time.perf_counter() - began
    state.unlink()
    return seconds


def _supply(store: Store, listed: Path) -> float:
    """Seconds that a list takes into the store."""
    schedule = Schedule(lambda _: Rules(1, 0), retries=0)
    errors: list[BaseException] = []
    lists = source.open_sources([str(listed)])
    supply = Supply(lists, schedule, Counters(), deliver=lambda _: True, fail=errors.append)
    began = time.perf_counter()
    supply.start({})
    supply.open(store)
    while not (supply.listed or errors):
        time.sleep(0.01)
    seconds = time.perf_counter() - began
    schedule.stop()
    supply.stop()
    supply.join()
    assert not errors
    return seconds


def _change(folder: Path, rows: int) -> dict[str, float]:
    """URLs end in groups, one in ten as a failure; without waiting for the disk, which is not the state's work.

    In the order of a run whose hosts take turns as they do in the list, 10,000 URLs in hand; and in no order at all,
    as where they do not.
    """
    window = [first + place for first in range(1, GROUP * GROUPS, WINDOW) for place in _shuffled(WINDOW)]
    anyhow = random.Random(2).sample(range(1, rows + 1), GROUP * GROUPS)
    plain = _seconds_to_end(folder, window)
    scattered = _seconds_to_end(folder, anyhow)
    indexed = _seconds_to_end(folder, window, "CREATE INDEX by_state ON urls (state)")
    print(f"change   {plain * 1e6:.1f} µs a URL; scattered over the whole list {scattered * 1e6:.1f} µs")
    print(f"         with an index on the state {indexed * 1e6:.1f} µs ({indexed / plain:.1f} ×)")
    return {"change_seconds": plain, "change_scattered_seconds": scattered, "change_indexed_seconds": indexed}


def _shuffled(number: int) -> list[int]:
    return random.Random(1).sample(range(number), number)


def _seconds_to_end(folder: Path, ids: list[int], statement: str = "") -> float:
    """Seconds that a URL takes to end, in a copy of the state on which `statement` was executed."""
    copy = folder / "copy.db"
    shutil.copy(folder / "state.db", copy)
    with Store.open(copy) as store:
        store._database.executescript(statement)
        store.fsync = False
        seconds = 0.0
        for first in range(0, len(ids), GROUP):
            outcomes = [_ended(id_) for id_ in ids[first : first + GROUP]]
            began = time.perf_counter()
            store.commit(outcomes, {}, {"records.jsonl": first}, 0.0)
            seconds += time.perf_counter() - began
    copy.unlink()
    return seconds / len(ids)


def _ended(id_: int) -> Outcome:
    url = f"http://host{id_ % HOSTS}.example/item/{id_ - 1}"
    if id_ % 10:
        return Outcome(url, 1, b"", status=200, size=10_000, id=id_)
    failure = Failure(url, "http_error", "the server answered 404 Not Found", 404, 1, url, "2026-01-01T00:00:00.000Z")
    return Outcome(url, failure=failure, status=404, id=id_)


def _resume(folder: Path, rows: int) -> dict[str, float]:
    """A run of which half is done was killed; it goes on, its list as it was, and with one URL more."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        port = server.getsockname()[1]
        listed = folder / "urls.yaml"
        with listed.open("w") as file:
            file.writelines(f"- http://127.0.0.1:{port}/item/{number}\n" for number in range(rows))
        single = folder / "single.yaml"
        single.write_text(f"- http://127.0.0.1:{port}/\n")
        least = _first_request(server, folder, single, "single")
        new = _first_request(server, folder, listed, "run")
        _load_rest_and_end_half(folder / "run" / "state.db", listed, rows)
        same = _first_request(server, folder, listed, "run")
        with listed.open("a") as file:
            file.write(f"- http://127.0.0.1:{port}/one-more\n")
        longer = _first_request(server, folder, listed, "run")
    print(f"resume   {same:.2f} s to the first request; list one longer {longer:.2f} s")
    print(f"         begun anew {new:.2f} s; a run of one URL {least:.2f} s")
    return {"resume_seconds": same, "resume_longer_seconds": longer, "begin_seconds": new, "single_seconds": least}


def _load_rest_and_end_half(state: Path, listed: Path, rows: int) -> None:
    """The state as it is when the list is loaded and the first half of it done."""
    with Store.open(state) as store:
        _supply(store, listed)
        store.fsync = False
        (host,) = (number for hosts in store.pending_hosts() for number, _ in hosts)
        last = 0
        while last < rows // 2:
            (drawn,) = store.draw([Want(host, last)], GROUP)
            last = drawn.last
            done = [Outcome(target.url, status=200, id=target.id) for target in drawn.targets]
            store.commit(done, {}, store.lengths, 0.0)


def _first_request(server: socket.socket, folder: Path, listed: Path, name: str) -> float:
    """Seconds from the start of the process to its first connection; then it is killed."""
    flags = ["--quiet", "--allow-private", "--no-robots", "--fetch-workers", "1", "--parse-workers", "1"]
    command = [sys.executable, "-m", "scraper", "run", str(listed), "-o", str(folder / name), *flags]
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=HERE.parent, env=environment)
    try:
        while True:
            assert process.poll() is None, f"the run ended with exit code {process.returncode}"
            assert time.perf_counter() - began < FIRST_REQUEST_SECONDS
            try:
                connection, _ = server.accept()
            except TimeoutError:
                continue
            seconds = time.perf_counter() - began
            connection.close()
            return seconds
    finally:
        process.kill()
        process.wait()
        _drain(server)


def _drain(server: socket.socket) -> None:
    """Let go of what the killed process has asked for besides."""
    try:
        while True:
            server.accept()[0].close()
    except TimeoutError:
        pass


if __name__ == "__main__":
    sys.exit(main())
