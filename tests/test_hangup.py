"""What ends a run from outside, as it really comes: a terminal that is closed, Ctrl-C, a signal to the whole group."""

from __future__ import annotations

import contextlib
import json
import os
import signal
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

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="terminals and process groups as Linux has them")

PAGES: Final = 200
TOGETHER: Final = 4
OPTIONS: Final = ("--no-robots", "--allow-private", "--delay", "0", "--per-host", "4", "--fetch-workers", "4")

#: Marks all processes of a session of a run, whatever they turn into.
MARK: Final = "SCRAPER_TEST_SESSION"

#: As a terminal's program begins: what is on its standard input becomes the terminal of this session.
IN_TERMINAL: Final = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)


class Gate:
    """A site that answers nothing until `open`, and then takes its time, so that a run is not over in a moment."""

    def __init__(self, serve: Any) -> None:
        self._opened = threading.Event()
        self._news = threading.Condition()
        self._asked = 0
        self.site = serve(self._answer)
        self.urls = [f"{self.site.url}/{i}" for i in range(PAGES)]

    def open(self) -> None:
        self._opened.set()

    def wait(self, number: int = TOGETHER) -> None:
        """Until so many pages are asked for."""
        with self._news:
            assert self._news.wait_for(lambda: self._asked >= number, 30)

    def _answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        with self._news:
            self._asked += 1
            self._news.notify_all()
        if not self._opened.wait(40):
            return 404, {}, b""
        time.sleep(0.02)
        return 200, {}, f"<h1>{path}</h1>".encode()


class Run:
    """One command, in a session of its own, or several times."""

    def __init__(self, cwd: Path, urls: list[str], *arguments: str) -> None:
        self.cwd = cwd
        self._urls = Counter(urls)
        (cwd / "list.yaml").write_text("".join(f"- {url}\n" for url in urls))
        self.command = [sys.executable, "-m", "scraper", "run", "list.yaml", "-o", "out", *OPTIONS, *arguments]
        self._mark = uuid.uuid4().hex

    @contextlib.contextmanager
    def started(self, *before: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
        """A process that leads a session and a group, which has ended when this is left."""
        environment = {**os.environ, MARK: self._mark}
        options = {"stderr": subprocess.PIPE, "cwd": self.cwd, "env": environment, "text": True, **options}
        with subprocess.Popen([*before, *self.command], start_new_session=True, **options) as process:
            try:
                yield process
            finally:
                process.kill()

    @contextlib.contextmanager
    def in_terminal(self, *before: str, **options: Any) -> Iterator[tuple[subprocess.Popen[str], Callable[[], None]]]:
        """The same in a terminal, with what closes that."""
        master, slave = os.openpty()
        with contextlib.ExitStack() as last, os.fdopen(slave, "wb") as inner:
            closing = contextlib.ExitStack()
            last.enter_context(closing)
            closing.callback(os.close, master)
            streams = {"stdin": inner, "stdout": inner, "stderr": inner, **options}
            process = last.enter_context(self.started(sys.executable, "-c", IN_TERMINAL, *before, **streams))
            inner.close()
            yield process, closing.close

    def finish(self) -> None:
        """The same command, left alone; the promise is kept, and nothing of any session lives on."""
        with self.started() as process:
            _, said = process.communicate(timeout=60)
            assert process.returncode == 0, said
        self.check()

    def check(self) -> None:
        """The promise."""
        assert self.records == self._urls
        assert (self.cwd / "out" / "failures.jsonl").read_bytes() == b""
        assert self.summary["complete"] is True
        assert self.left() == []

    @property
    def records(self) -> Counter[str]:
        *lines, rest = (self.cwd / "out" / "records.jsonl").read_bytes().split(b"\n")
        assert rest == b""
        return Counter(json.loads(line)["url"] for line in lines)

    @property
    def summary(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((self.cwd / "out" / "summary.json").read_bytes())
        return read

    def drained(self, gate: Gate) -> None:
        """What was in flight is there, and the run stands where it was stopped."""
        assert self.left() == []
        assert {f"{gate.site.url}{path}" for path in gate.site.hits} == {*self.records}
        assert set(gate.site.hits.values()) == {1}
        assert self.summary["urls"]["pending"] == PAGES - len(self.records) >= PAGES // 2

    def left(self) -> list[psutil.Process]:
        """Processes of the run that live on for more than three seconds."""
        limit = time.monotonic() + 3
        while (left := list(self._living())) and time.monotonic() < limit:
            psutil.wait_procs(left, timeout=0.05)
        return left

    def _living(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(MARK) == self._mark and process.status() != psutil.STATUS_ZOMBIE:
                    yield process


@pytest.fixture
def gate(serve: Any) -> Iterator[Gate]:
    """A `Gate`, open in the end."""
    gate = Gate(serve)
    yield gate
    gate.open()


def until(holds: Callable[[], object]) -> None:
    """Wait for what nobody tells: a file that somebody else writes, the end of somebody's child."""
    limit = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_terminal_is_closed(gate: Gate, tmp_path: Path) -> None:
    """The run drains, without a word to anybody; the same command goes on."""
    run = Run(tmp_path, gate.urls)
    with run.in_terminal() as (process, close):
        gate.wait()
        close()
        gate.open()
        assert process.wait(30) == 143
    run.drained(gate)
    run.finish()


def test_terminal_is_closed_over_a_shell(gate: Gate, tmp_path: Path) -> None:
    """The hangup is the shell's, which dies of it; the kernel then tells those that it leaves behind."""
    run = Run(tmp_path, gate.urls)
    with run.in_terminal("sh", "-c", '"$@"; echo $? > status', "sh") as (process, close):
        gate.wait()
        close()
        gate.open()
        assert process.wait(30) == -signal.SIGHUP
        until(lambda: not list(run._living()))
    run.drained(gate)
    run.finish()


def test_terminal_is_closed_under_nohup(gate: Gate, tmp_path: Path) -> None:
    """It is not heeded: the run comes to its end."""
    run = Run(tmp_path, gate.urls)
    with run.in_terminal("nohup") as (process, close):
        gate.wait()
        close()
        os.killpg(process.pid, signal.SIGHUP)
        gate.open()
        assert process.wait(60) == 0
    run.check()
    assert f"{PAGES} pages ok" in (tmp_path / "nohup.out").read_text()


def test_terminal_is_closed_behind_the_back(gate: Gate, tmp_path: Path) -> None:
    """Disowned by its shell, it hears of nothing and just cannot say anything any more: the run comes to its end."""
    run = Run(tmp_path, gate.urls)
    with run.in_terminal("sh", "-c", 'set -m; { "$@"; echo $? > status; } & exec sleep 60', "sh") as (process, close):
        gate.wait()
        close()
        assert process.wait(30) == -signal.SIGHUP
        gate.open()
        until((tmp_path / "status").exists)
    run.check()
    assert (tmp_path / "status").read_text() == "0\n"


def test_nobody_reads_what_is_said(gate: Gate, tmp_path: Path) -> None:
    """As behind ``2>&1 | head``: the run drains all the same."""
    run = Run(tmp_path, gate.urls)
    with run.started() as process:
        gate.wait()
        assert process.stderr is not None
        process.stderr.close()
        process.send_signal(signal.SIGTERM)
        gate.open()
        assert process.wait(30) == 143
    run.drained(gate)
    run.finish()


#: Is in the middle of each page when the terminal goes, and then has something to say.
TALKER: Final = """
import os, sys, time
def parse(page):
    open("parsing", "a").close()
    while not os.path.exists("closed"):
        time.sleep(0.01)
    print("a title", flush=True)
    print("a warning", file=sys.stderr, flush=True)
    return {"title": page.url}
"""


def test_parser_talks_to_a_terminal_that_is_closed(gate: Gate, tmp_path: Path) -> None:
    """Nobody listens, but that is no failure of its pages."""
    (tmp_path / "talker.py").write_text(TALKER)
    run = Run(tmp_path, gate.urls, "--parser", "talker.py:parse")
    with run.in_terminal() as (process, close):
        gate.open()
        until((tmp_path / "parsing").exists)
        close()
        (tmp_path / "closed").touch()
        assert process.wait(30) == 143
    assert (tmp_path / "out" / "failures.jsonl").read_text() == ""
    run.drained(gate)
    run.finish()


#: Is in the middle of a page when the signal comes. A worker that dies of it shows: the page is begun once more.
SLOW: Final = """
import os, time
def parse(page):
    with open("begun", "a") as file:
        file.write(f"{page.url}\\n")
    while not os.path.exists("told"):
        time.sleep(0.01)
    return {"title": page.url}
"""


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 143)],
    ids=str,
)
def test_signal_to_the_whole_group(gate: Gate, tmp_path: Path, number: signal.Signals, status: int) -> None:
    """It means the main process: workers finish what they have, and so does the run."""
    (tmp_path / "slow.py").write_text(SLOW)
    run = Run(tmp_path, gate.urls, "--parser", "slow.py:parse", "--quiet")
    begun = tmp_path / "begun"
    with run.started() as process:
        gate.open()
        until(begun.exists)
        os.killpg(process.pid, number)
        assert process.stderr is not None
        assert any("stopping" in line for line in process.stderr)
        (tmp_path / "told").touch()
        assert process.wait(30) == status
    tried = Counter(begun.read_text().split())
    assert tried == run.records
    run.drained(gate)
    run.finish()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_second_signal_to_the_whole_group(gate: Gate, tmp_path: Path, number: signal.Signals, status: int) -> None:
    """It does not wait for servers, which would take half a minute, and nothing lives on."""
    run = Run(tmp_path, gate.urls)
    with run.started() as process:
        gate.wait()
        os.killpg(process.pid, number)
        assert process.stderr is not None
        assert any("stopping" in line for line in process.stderr)
        os.killpg(process.pid, number)
        assert process.wait(5) == status
    assert run.left() == []
    assert run.summary["urls"]["pending"] == PAGES
    gate.open()
    run.finish()
