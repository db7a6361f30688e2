"""What a run knew when it was killed is known to the next session; and two sessions at once there are not."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

OPTIONS: Final = (
    "--no-robots",
    "--allow-private",
    "--delay",
    "0",
    "--parse-workers",
    "1",
    "--per-host",
    "8",
    "--quiet",
)


class Run:
    """One command, given again and again."""

    def __init__(self, cwd: Path, *arguments: str) -> None:
        self._command = [sys.executable, "-m", "scraper", "run", *arguments, *OPTIONS, "-o", "out"]
        self._cwd = cwd
        self.out = cwd / "out"

    @contextlib.contextmanager
    def session(self) -> Iterator[subprocess.Popen[str]]:
        """A process, which is killed when this is left."""
        pipe = subprocess.PIPE
        with subprocess.Popen(self._command, cwd=self._cwd, stderr=pipe, text=True, start_new_session=True) as process:
            try:
                yield process
            finally:
                process.kill()

    def finish(self) -> None:
        """Let a session come to its end."""
        with self.session() as process:
            _, said = process.communicate(timeout=60)
            assert (process.returncode, said) == (0, "")

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Of a file of JSON lines, those that are whole."""
        path = self.out / name
        return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]] if path.exists() else []


def until(holds: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait for what nobody tells: a file that somebody else writes."""
    limit = time.monotonic() + 30
    while not holds():
        assert process.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_attempts_are_remembered(serve: Any, tmp_path: Path) -> None:
    """A page that failed in passing is not asked for more often than the settings say, but for what was in flight."""
    third, known, written, over = (threading.Event() for _ in range(4))

    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        if path == "/down" and site.hits[path] == 3:
            third.set()
            over.wait(30)
        elif path in ("/known", "/written"):
            # Committed in this order: what the third request needs, a first record, then a second one.
            {"/known": known, "/written": written}[path].wait(30)
        return (503 if path == "/down" else 200), {}, b"<h1>x</h1>"

    site = serve(answer)
    run = Run(tmp_path, *(f"{site.url}/{name}" for name in ("down", "known", "written")), "--retries", "3")
    with run.session() as process:
        assert third.wait(30)
        known.set()
        until(lambda: len(run.rows("records.jsonl")) == 1, process)
        written.set()  # its record is written only when the commit before is done
        until(lambda: len(run.rows("records.jsonl")) == 2, process)
    over.set()
    run.finish()
    assert site.hits["/down"] == 4 + 1
    (failure,) = run.rows("failures.jsonl")
    assert (failure["error"], failure["status"], failure["attempts"]) == ("http_error", 503, 4)
    assert len(run.rows("records.jsonl")) == 2


ROGUE: Final = """
import os, signal, time
def deaths():
    return os.path.getsize("tries") if os.path.exists("tries") else 0
while os.path.exists(f"stop{deaths()}"):  # a fresh worker, which nobody has told of a page yet
    open("stopped", "w").close()
    time.sleep(0.01)
def parse(page):
    if page.url.endswith("/rogue"):
        with open("tries", "a") as file:
            file.write("x")
        os.kill(os.getpid(), signal.SIGKILL)
    return {"title": "fine"}
"""


@pytest.mark.parametrize("deaths", [1, 2])
def test_a_page_costs_two_workers_at_most(serve: Any, tmp_path: Path, deaths: int) -> None:
    """The run dies after the first or the second of them: the page is tried twice all the same."""
    go_on = threading.Event()

    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        if path == "/later":
            go_on.wait(30)
        return 200, {}, b"<h1>x</h1>"

    site = serve(answer)
    (tmp_path / "rogue.py").write_text(ROGUE)
    (tmp_path / f"stop{deaths}").touch()
    urls = [f"{site.url}/{name}" for name in ("a", "rogue", "b", "later")]
    run = Run(tmp_path, *urls, "--parser", "rogue.py:parse")
    tries = tmp_path / "tries"
    with run.session() as process:
        until(lambda: tries.exists() and tries.stat().st_size == deaths, process)
        go_on.set()  # it takes one more page to get another worker
        until((tmp_path / "stopped").exists, process)
    (tmp_path / f"stop{deaths}").unlink()
    run.finish()
    assert tries.read_text() == "xx"
    (failure,) = run.rows("failures.jsonl")
    assert (failure["url"], failure["error"], failure["attempts"]) == (urls[1], "parse_crashed", 1)
    assert "SIGKILL" in failure["message"]
    assert sorted(row["url"] for row in run.rows("records.jsonl")) == sorted({*urls} - {urls[1]})


def test_two_runs_at_once(serve: Any, tmp_path: Path) -> None:
    """Whoever comes second is told who has the directory, and disturbs nothing."""
    reached, go_on = threading.Event(), threading.Event()

    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        if path == "/2":
            reached.set()
            go_on.wait(30)
        return 200, {}, b"<h1>x</h1>"

    site = serve(answer)
    run = Run(tmp_path, *(f"{site.url}/{i}" for i in range(20)))
    with run.session() as process:
        assert reached.wait(30)
        until(lambda: len(run.rows("records.jsonl")) == 19, process)
        before = {path.name: path.read_bytes() for path in run.out.glob("*.jsonl")}
        with run.session() as second:
            _, said = second.communicate(timeout=30)
        assert second.returncode == 2
        assert said == f"scraper: out is in use by process {process.pid}; wait for it, or name another place\n"
        assert before == {path.name: path.read_bytes() for path in run.out.glob("*.jsonl")}
        assert site.hits == {f"/{i}": 1 for i in range(20)}
        go_on.set()
        assert process.wait(30) == 0
    assert Counter(row["url"] for row in run.rows("records.jsonl")) == {f"{site.url}/{i}": 1 for i in range(20)}
    assert site.hits == {f"/{i}": 1 for i in range(20)}
