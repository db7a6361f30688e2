"""What people read obeys nobody but them: no text from outside reaches a terminal as a command."""

from __future__ import annotations

import io
import json
import logging
import os
import pty
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scraper import terminal
from scraper.cli import words
from scraper.counters import Counters
from scraper.records import Outcome
from scraper.watch import progress
from scraper.watch.progress import Load
from scraper.watch.prospect import Prospect
from scraper.watch.summary import Summary
from scraper.write import StreamWriter

#: Renames the window, clears the screen, hides a host, and forges a line.
EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egpj.\u2066\u200e\u061c\u2028\x85\x7f\r"

#: What must never be printed; carriage returns are the progress bar's own.
UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain ü 漢\ttab\nline", "plain ü 漢\ttab\nline"),
        ("\x1b]0;x\x07", r"\x1b]0;x\x07"),
        ("\x00\x7f\x85\x9b", r"\x00\x7f\x85\x9b"),
        ("a\rb", r"a\rb"),
        ("\u061c\u200e\u200f\u2028\u2029", r"\u061c\u200e\u200f\u2028\u2029"),
        ("\u202a\u202b\u202c\u202d\u202e", r"\u202a\u202b\u202c\u202d\u202e"),
        ("\u2066\u2067\u2068\u2069", r"\u2066\u2067\u2068\u2069"),
        ("\ud800\udfff", r"\ud800\udfff"),
        ("\xa0\u200b\u200d\ufeff", "\xa0\u200b\u200d\ufeff"),
    ],
)
def test_plain(given: str, shown: str) -> None:
    """All that a terminal obeys or that turns text around is escaped; joiners and all letters stay."""
    assert terminal.plain(given) == shown
    assert terminal.line(given) == shown.replace("\t", r"\t").replace("\n", r"\n")


def test_json() -> None:
    """Escaped JSON means what it meant."""
    value = {EVIL: [EVIL, "ü"]}
    packed = json.dumps(value, ensure_ascii=False)
    assert UNSAFE.search(packed)
    assert not UNSAFE.search(terminal.json(packed))
    assert json.loads(terminal.json(packed)) == value


@pytest.mark.parametrize("as_json", [True, False])
def test_log(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Log lines, plain or JSON, also of text that cannot be encoded."""
    logger = logging.getLogger("scraper")
    before = logger.handlers[:], logger.level
    logger.propagate = False  # else pytest keeps a copy that it cannot send from process to process
    try:
        words.log(json=as_json, quiet=False)
        logger.warning("seen: %s", EVIL + "\ud800")
    finally:
        logger.propagate = True
        logger.handlers[:], level = before
        logger.setLevel(level)
    said = capsys.readouterr().err
    assert "seen: " in said
    assert "owned" in said
    assert not UNSAFE.search(said)
    assert "\r" not in said
    if as_json:
        assert json.loads(said)["message"] == f"seen: {EVIL}\ufffd"


@pytest.mark.parametrize("kind", [progress.Lines, progress.Bar])
def test_progress(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of the last host."""
    monkeypatch.setattr(progress, "LINE_EVERY", -1.0)
    monkeypatch.setattr(progress, "DRAW_EVERY", -1.0)
    monkeypatch.setenv("COLUMNS", "400")
    stream = io.StringIO()
    shown = kind(stream)
    shown.update(Counters(), Load(1, 2, 0.5, 1, 2, listed=True), Prospect(5.0, f"host{EVIL}"))
    shown.close()
    assert "host" in stream.getvalue()
    assert "owned" in stream.getvalue()
    assert not UNSAFE.search(stream.getvalue())


def test_records_on_a_terminal() -> None:
    """``-o -`` escapes where somebody looks, in a pipe the bytes are as in a file."""

    class Terminal(io.BytesIO):
        def isatty(self) -> bool:
            return True

    line = json.dumps({"title": EVIL}, ensure_ascii=False).encode() + b"\n"
    for stream, is_escaped in ((Terminal(), True), (io.BytesIO(), False)):
        StreamWriter(stream).add([Outcome("https://a.example/", 1, line)])
        written = stream.getvalue().decode()
        assert json.loads(written) == {"title": EVIL}
        assert bool(UNSAFE.search(written)) is not is_escaped
        assert written.endswith("\n")


class EvilServer:
    """Answers every request with the bytes that its path stands for, and closes."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        self._answers = answers
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection, connection.makefile("rb") as stream:
                path = stream.readline().split(b" ")[1:2]
                if not path:
                    return
                while stream.readline().strip():
                    pass
                connection.sendall(self._answers.get(path[0].decode(), b"HTTP/1.1 404 none\r\n\r\n"))

    def close(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as last:
            last.sendall(b"\n")
        self._thread.join()
        self._socket.close()


RAW = EVIL.encode()
LATIN = b"\x1b]0;owned\x07\x9b31m\x85\rfoo"
ANSWERS = {
    "/title": b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<title>" + RAW + b"</title>" + RAW,
    "/reason": b"HTTP/1.1 404 " + LATIN + b"\r\n\r\n",
    "/location": b"HTTP/1.1 302 Found\r\nLocation: gopher://" + LATIN + b"\r\n\r\n",
    "/type": b"HTTP/1.1 200 OK\r\nContent-Type: " + LATIN + b"\r\n\r\nx",
    "/coding": b"HTTP/1.1 200 OK\r\nContent-Encoding: " + LATIN + b"\r\n\r\nx",
    "/length": b"HTTP/1.1 200 OK\r\nContent-Length: " + LATIN + b"\r\n\r\nx",
    "/status": b"HTTP/1.1 " + LATIN + b"\r\n\r\n",
    "/header": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
    + LATIN
    + b"\r\nX: "
    + LATIN
    + b"\r\n\r\n<title>x</title>",
    "/retry": b"HTTP/1.1 503 " + LATIN + b"\r\nRetry-After: 99999\r\n\r\n",
}

PARSER = f"""
def parse(page):
    raise ValueError({EVIL!r} + page.text)
"""

FLAGS = ["--allow-private", "--no-robots", "--parse-workers", "0", "--delay", "0", "--retries", "0"]


@pytest.fixture
def evil() -> Iterator[EvilServer]:
    """A server that sends escapes wherever it can."""
    server = EvilServer(ANSWERS)
    yield server
    server.close()


def on_terminal(arguments: list[str], cwd: Path) -> str:
    """What the command line shows on a terminal that is both stdout and stderr."""
    here, there = pty.openpty()
    command = [sys.executable, "-m", "scraper", *arguments]
    process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=there, stderr=there)
    os.close(there)
    shown = b""
    try:
        while chunk := os.read(here, 65536):
            shown += chunk
    except OSError:  # how a terminal ends on Linux
        pass
    finally:
        os.close(here)
        process.wait(60)
    return shown.decode()


def test_a_run_on_a_terminal(evil: EvilServer, tmp_path: Path) -> None:
    """Evil answers and an evil list: nothing of it reaches the terminal but as escapes."""
    urls = tmp_path / "urls.jsonl"
    entries = [*(f"http://127.0.0.1:{evil.port}{path}" for path in ANSWERS), f"http://{EVIL}/", f"x{EVIL}\n", {EVIL: 1}]
    urls.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    shown = on_terminal(["run", "urls.jsonl", "-o", "-", *FLAGS], tmp_path)
    assert '"title":' in shown
    assert "owned" in shown
    assert not UNSAFE.search(shown)


@pytest.mark.parametrize("path", ANSWERS)
def test_try(evil: EvilServer, path: str, cli: Callable[..., Any]) -> None:
    """`try` shows what came, and why nothing did, on both streams."""
    done = cli("try", f"http://127.0.0.1:{evil.port}{path}", *FLAGS)
    assert done.returncode in (0, 1)
    assert done.stderr.strip()
    assert not UNSAFE.search(done.stderr + done.stdout)


def test_words_of_others(evil: EvilServer, tmp_path: Path, cli: Callable[..., Any]) -> None:
    """Exceptions of parsers, names of files, arguments, and a summary that somebody else wrote."""
    (tmp_path / "evil.py").write_text(PARSER)
    (tmp_path / "bad.py").write_text(f"raise ValueError({EVIL!r})")
    (tmp_path / "run").mkdir()
    summary = Summary(output=EVIL, failures={EVIL: 2}, last_host=EVIL, sources=[EVIL])
    (tmp_path / "run" / "summary.json").write_bytes(summary.to_json())
    page = f"http://127.0.0.1:{evil.port}/title"
    for arguments in (
        ["try", page, "--parser", "evil.py:parse", *FLAGS],
        ["try", page, "--parser", "bad.py:parse", *FLAGS],
        ["run", EVIL, *FLAGS],
        ["run", f"{EVIL}.txt", *FLAGS],
        ["run", page, f"--{EVIL}"],
        [EVIL],
        ["run", page, "--set", f"fetch.{EVIL}=1"],
        ["status", EVIL],
        ["status", "run"],
        ["status", "run", "--json"],
    ):
        done = cli(*arguments)
        assert "owned" in done.stderr + done.stdout, arguments
        assert not UNSAFE.search(done.stderr + done.stdout), arguments


def test_failures_in_the_log(evil: EvilServer, tmp_path: Path) -> None:
    """The library's own warning of a failure stays on one line, whatever handler shows it."""
    program = (
        "import logging, sys, scraper\n"
        "logging.basicConfig()\n"
        f"urls = ['http://127.0.0.1:{evil.port}/reason', 'x\\n' + {EVIL!r}]\n"
        "list(scraper.scrape(urls, allow_private=True, robots=False, parse_workers=0, retries=0))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stderr.count("\n") == 2
    assert "owned" in done.stderr
    assert not UNSAFE.search(done.stderr)
