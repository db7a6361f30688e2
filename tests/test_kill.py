"""`kill -9` of the main process: nothing is lost, nothing comes twice, and no worker outlives the run.

``SCRAPER_KILLS=50 SCRAPER_KILL_PAGES=3000 pytest tests/test_kill.py -k storm -s`` is the storm as it is meant; in small
it runs with the others. ``SCRAPER_KILL_SEED`` repeats one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

KILLS: Final = int(os.environ.get("SCRAPER_KILLS", "6"))
PAGES: Final = int(os.environ.get("SCRAPER_KILL_PAGES", "240"))
SEED: Final = int(os.environ.get("SCRAPER_KILL_SEED", "0")) or random.randrange(1, 2**32)

#: Marks all processes of a session of a run, whatever they turn into.
MARK: Final = "SCRAPER_TEST_SESSION"

#: Kinds of pages, how many records each gives, and how the others fail.
KINDS: Final = {0: "gone", 3: "slow", 5: "flaky", 7: "none", 11: "many", 13: "down", 17: "half"}
GIVES: Final = {"plain": 1, "slow": 1, "flaky": 1, "none": 0, "many": 3, "held": 1}
FAILS: Final = {"gone": "http_error", "down": "http_error", "half": "missing_field"}

FETCHERS: Final = 16
STORMY: Final = ("--no-robots", "--allow-private", "--delay", "0", "--fetch-workers", str(FETCHERS), "--quiet")

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs all of 127/8, and the parent-death signal, of Linux")


class Hosts:
    """A website on twenty addresses of this machine, whose pages take `latency` seconds; ``/held/…`` waits for `open`.

    Attributes:
        asked: requests by path.
        answered: how many held pages were answered.
        news: notified of each request and answer.
    """

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self.asked: Counter[str] = Counter()
        self.answered = 0
        self.news = threading.Condition()
        self._ports: list[tuple[str, int]] = []
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        assert self._up.wait(10)

    def __enter__(self) -> Hosts:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def open(self) -> None:
        """Answer the held page from now on."""
        self._loop.call_soon_threadsafe(self._open.set)

    def urls(self, number: int) -> list[str]:
        """Pages of all kinds, spread over the addresses; the held one is the last."""
        paths = [f"{KINDS.get(i % 19, 'plain')}/{i}" for i in range(number - 1)] + ["held/0"]
        return ["http://{}:{}/{}".format(*self._ports[i % len(self._ports)], path) for i, path in enumerate(paths)]

    async def _run(self) -> None:
        self._loop, self._end, self._open = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        servers = [await asyncio.start_server(self._serve, f"127.0.0.{i}", 0) for i in range(2, 22)]
        self._ports = [server.sockets[0].getsockname() for server in servers]
        self._up.set()
        await self._end.wait()
        for server in servers:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):  # whoever asks gets killed
            while line := await reader.readline():
                while (await reader.readline()).strip():
                    pass
                path = line.split()[1].decode()
                with self.news:
                    self.asked[path] += 1
                    first = self.asked[path] == 1
                    self.news.notify_all()
                status, body = await self._answer(path, first)
                head = f"HTTP/1.1 {status} X\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        writer.close()

    async def _answer(self, path: str, first: bool) -> tuple[int, bytes]:
        kind = path.split("/")[1]
        if kind == "held":
            await self._open.wait()
            with self.news:
                self.answered += 1
                self.news.notify_all()
        await asyncio.sleep(self._latency * (5 if kind == "slow" else 1))
        status = {"gone": 404, "down": 503}.get(kind, 500 if kind == "flaky" and first else 200)
        # Long records, so that it takes a moment to write them.
        text = "text " * (20_000 if kind == "many" else 1)
        items = [f"<li><b>{path} {i} {text}</b>" for i in range(GIVES.get(kind, 1))] + ["<li>no name"] * (
            kind == "half"
        )
        return status, f"<title>{path}</title><ul>{''.join(items)}</ul>".encode()


class Run:
    """One command, given again and again."""

    def __init__(self, cwd: Path, *arguments: str) -> None:
        self._command = [sys.executable, "-m", "scraper", "run", *arguments, "-o", "out"]
        self._name = uuid.uuid4().hex
        self._cwd = cwd
        self.out = cwd / "out"
        self.sessions = 0

    @contextlib.contextmanager
    def session(self) -> Iterator[subprocess.Popen[bytes]]:
        """A process, which has ended when this is left."""
        self.sessions += 1
        environment = {**os.environ, MARK: f"{self._name} {self.sessions}"}
        with (
            (self._cwd / "said").open("wb") as said,
            subprocess.Popen(
                self._command, cwd=self._cwd, stderr=said, env=environment, start_new_session=True
            ) as process,
        ):
            try:
                yield process
            finally:
                process.kill()

    def said(self) -> str:
        """By the last session."""
        return (self._cwd / "said").read_text()

    def finish(self) -> None:
        """Let a session come to its end."""
        with self.session() as process:
            assert process.wait(120) == 0, self.said()

    def left(self, session: int, patience: float = 3) -> list[psutil.Process]:
        """Processes of a session that live on for more than so many seconds."""
        limit = time.monotonic() + patience
        while (left := list(self._living(session))) and time.monotonic() < limit:
            psutil.wait_procs(left, timeout=0.05)
        return left

    def _living(self, session: int) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(MARK) == f"{self._name} {session}" and lives(process):
                    yield process

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Of a file of JSON lines, all of them whole."""
        *lines, rest = (self.out / name).read_bytes().split(b"\n")
        assert rest == b""
        return [json.loads(line) for line in lines]

    def size(self) -> int:
        """Bytes of records that are there now."""
        path = self.out / "records.jsonl"
        return path.stat().st_size if path.exists() else 0

    def written(self) -> int:
        """Records that are there now, committed or not."""
        path = self.out / "records.jsonl"
        return path.read_bytes().count(b"\n") if path.exists() else 0


def lives(process: psutil.Process) -> bool:
    """Whether it still runs; a dead orphan that init has yet to wait for does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(holds: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    """Wait for what nobody tells: a file that somebody else writes."""
    limit = time.monotonic() + 30
    while not holds():
        assert process.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.01)


class Storm:
    """Kills of one run, which gives `total` records: while it starts, fetches, commits, and ends."""

    def __init__(self, hosts: Hosts, run: Run, chance: random.Random, total: int) -> None:
        self._hosts, self._run, self._chance, self._total = hosts, run, chance, total
        self.struck: list[str] = []  # when, and how many records were there

    def strike(self, when: str) -> bool:
        """Kill a session; False if it came to its end before."""
        hosts, run, early = self._hosts, self._run, self._chance.random() < 0.5
        if when == "end" and run.written() == self._total:
            when = "start"  # of a session that has nothing left to do, or next to nothing
        with run.session() as process:
            with hosts.news:
                asked, answered = hosts.asked.total(), hosts.answered
            longest = {"start": 1.0, "fetch": 2.0, "write": 0.003, "end": 1.0 if early else 0.2}
            patience = self._chance.uniform(0, longest[when])
            if when == "start":
                pass
            elif when != "end":
                self._await(process, lambda: hosts.asked.total() > asked)
                for _ in range((1 + early) * (when == "write")):
                    before, limit = run.size(), time.monotonic() + 3
                    while run.size() <= before and time.monotonic() < limit:
                        time.sleep(0.0005)
            else:
                self._await(process, lambda: hosts.answered > answered)
                while not early and process.poll() is None and run.written() < self._total:
                    time.sleep(0.005)
            with contextlib.suppress(subprocess.TimeoutExpired):
                assert process.wait(patience) == 0, run.said()
                return False
            process.kill()
            process.wait()
        self.struck.append(f"{when} {run.written()}")
        return True

    def _await(self, process: subprocess.Popen[bytes], holds: Callable[[], bool]) -> None:
        with self._hosts.news:
            while process.poll() is None and not holds():
                self._hosts.news.wait(0.1)


@linux
def test_storm(tmp_path: Path) -> None:
    """A run that is killed again and again, at any time, ends as one that was left alone."""
    chance = random.Random(SEED)
    ends = max(1, KILLS // 6)
    phases = [("write", "fetch", "write", "start", "fetch")[i % 5] for i in range(KILLS - ends)]
    # Sessions live for a second or so, and most of what they got is lost: so that the kills last to the end.
    with Hosts(FETCHERS * (KILLS - phases.count("start")) / (5 * PAGES)) as hosts:
        urls = hosts.urls(PAGES)
        kinds = {url: url.split("/")[3] for url in urls}
        gives = {url: GIVES[kind] for url, kind in kinds.items() if kind in GIVES}
        again = [f"{url}#again" for url in urls[::10]]
        invalid = [f"nonsense {i}" for i in range(5)]
        listed = [*urls[: PAGES // 2], *invalid, *urls[PAGES // 2 :], *again]
        (tmp_path / "list.yaml").write_text("urls:\n" + "".join(f"  - '{url}'\n" for url in listed))
        (tmp_path / "s.yaml").write_text("records: li\nfields: {name: {css: b, required: true}}\n")
        run = Run(tmp_path, "list.yaml", "-s", "s.yaml", *STORMY)
        began = time.monotonic()
        storm = Storm(hosts, run, chance, sum(gives.values()))
        for when in phases:
            assert storm.strike(when)
            # Not of this session: the next one may have to begin beside what is left of it.
            assert run.left(run.sessions - 1) == []
        hosts.open()
        while len(storm.struck) < KILLS:
            storm.strike("end")
            assert run.left(run.sessions - 1) == []
        run.finish()
        seconds = time.monotonic() - began
        print(f"seed {SEED}: {KILLS} kills in {run.sessions} sessions, {PAGES} pages, {seconds:.1f} s,")
        print(f"{hosts.asked.total()} requests; records at each kill: {', '.join(storm.struck)}")
        asked = hosts.asked.copy()
        run.finish()
        assert hosts.asked == asked, "what is complete was fetched again"

    assert [left for session in range(run.sessions) for left in run.left(session + 1)] == []
    records = Counter((row["url"], row["name"].split()[0]) for row in run.rows("records.jsonl"))
    assert records == {(url, f"/{url.split('/', 3)[3]}"): number for url, number in gives.items() if number}
    fails = {url: FAILS[kind] for url, kind in kinds.items() if kind in FAILS} | dict.fromkeys(invalid, "invalid_url")
    failures = run.rows("failures.jsonl")
    assert sorted((row["url"], row["error"]) for row in failures) == sorted(fails.items())
    tries = {"gone": 1, "half": 1, "down": 3}
    assert all(row["attempts"] == tries[kinds[row["url"]]] for row in failures if row["url"] in kinds)
    summary = json.loads((run.out / "summary.json").read_bytes())
    ended = {"ok": len(gives), "empty": sum(not number for number in gives.values()), "failed": len(fails)}
    assert summary["urls"] == {"total": PAGES + 5, "pending": 0, "duplicate": len(again), **ended}
    assert summary["failures"] == Counter(fails.values())
    assert (summary["complete"], summary["records"]) == (True, records.total())


PARSERS: Final = {
    "computing": "    while True: pass\n",
    "sleeping": "    import time\n    time.sleep(600)\n",
    "ignoring signals": (
        "    import signal, time\n"
        "    for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(n, signal.SIG_IGN)\n"
        "    while True: time.sleep(600)\n"
    ),
}


@linux
@pytest.mark.parametrize("body", PARSERS.values(), ids=list(PARSERS))
def test_workers_die_with_the_run(site: Any, tmp_path: Path, body: str) -> None:
    """Seconds after the main process was killed, neither workers nor helpers are left, busy or not."""
    flag = tmp_path / "busy"
    (tmp_path / "rogue.py").write_text(f"def parse(page):\n    open({str(flag)!r}, 'w').close()\n{body}")
    run = Run(
        tmp_path,
        *(f"{site.url}/{i}" for i in range(50)),
        "--delay",
        "0",
        "--allow-private",
        "--parser",
        "rogue.py:parse",
    )
    with run.session() as process:
        until(flag.exists, process)
        assert len(run.left(1, 0)) >= 3
    assert run.left(1) == []
