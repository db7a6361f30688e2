"""A password in a list's URL goes to its server and into state.db, and nowhere else: real processes, real files."""

from __future__ import annotations

import base64
import json
import logging
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import scraper

Cli = Callable[..., subprocess.CompletedProcess[str]]

#: A password, as it stands in a URL; and unencoded where that makes the URL invalid.
ENCODED, PASSWORD = "hun%2Fter%C3%A92", "hun/ter\u00e92"
BASIC = "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode()
#: What would give it away: any piece of it, and its form in base64 at each of the three places where it may begin.
TRACES = [
    b"hun/ter",
    b"hun%2Fter",
    b"ter\xc3\xa92",
    b"ter%C3%A92",
    b"ter\\u00e92",
    BASIC[6:].encode(),
    *(base64.b64encode(b"x" * skip + PASSWORD.encode())[4 if skip else 0 : -4] for skip in range(3)),
]
QUICK = [
    "--no-robots",
    "--allow-private",
    "--parse-workers",
    "1",
    "--fetch-workers",
    "4",
    "--delay",
    "0",
    "--retries",
    "0",
]


class Site:
    """A server on loopback: pages, redirects, refusals; keeps paths and credentials of what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.reached, self.go_on = threading.Event(), threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_GET(self) -> None:
                site.asked.append((self.path, self.headers["Authorization"]))
                if self.path == "/slow":
                    site.reached.set()
                    site.go_on.wait(30)
                location = site.locations().get(self.path)
                body = b"<title>A page</title>"
                self.send_response(404 if self.path == "/missing" else 200 if location is None else 302)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                if location is not None:
                    self.send_header("Location", location)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False  # joined when it is closed
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def locations(self) -> dict[str, str]:
        """Where paths redirect to."""
        return {
            "/here": f"http://you:{ENCODED}@127.0.0.1:{self.port}/there",
            "/elsewhere": f"http://you:{ENCODED}@localhost:{self.port}/away",
            "/missing-there": f"//you:{ENCODED}@127.0.0.1:{self.port}/missing",
            "/invalid": f"http://you:{ENCODED}@a b/",
            "/unencoded": "http://you:hun/ter@a.example/",
            "/another-protocol": f"ftp://you:{ENCODED}@127.0.0.1/",
        }

    def url(self, path: str, userinfo: str = f"me:{ENCODED}@") -> str:
        """The URL of a path, with a password unless `userinfo` says something else."""
        return f"http://{userinfo}127.0.0.1:{self.port}{path}"

    def close(self) -> None:
        """Join all threads."""
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    """The site, closed at the end of the test."""
    site = Site()
    yield site
    site.close()


@pytest.fixture
def said(cli: Cli) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command of which no output may give the password away."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = cli(*arguments)
        assert traces(done.stdout.encode()) == traces(done.stderr.encode()) == [], done
        return done

    return run


def traces(data: bytes) -> list[bytes]:
    """What of the password is to be found there."""
    return [trace for trace in TRACES if trace in data]


def told(directory: Path) -> dict[str, list[bytes]]:
    """Files of a run that give the password away, other than the state, which is for its owner alone."""
    found = {}
    for path in directory.rglob("*"):
        if path.name.startswith("state.db"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        elif path.is_file() and traces(path.read_bytes()):
            found[path.name] = traces(path.read_bytes())
    return found


def rows(path: Path) -> dict[str, dict[str, Any]]:
    """Lines of JSON, by the path of their URL."""
    lines = map(json.loads, path.read_text().splitlines())
    return {row["url"].rpartition(":")[2].partition("/")[2] or row["url"]: row for row in lines}


def listed(path: Path, entries: list[Any]) -> str:
    """Write a list; JSON is YAML, too."""
    path.write_text(json.dumps(entries))
    return str(path)


def test_the_traces_would_be_found() -> None:
    """The search finds the password however it was written."""
    whole = [
        PASSWORD,
        ENCODED,
        BASIC,
        json.dumps(PASSWORD),
        repr(PASSWORD),
        base64.b64encode(PASSWORD.encode()).decode(),
    ]
    for text in [*whole, base64.b64encode(f"you:{PASSWORD}".encode()).decode()]:
        assert traces(text.encode()), text
    assert traces(b"me, you, hunter, 2") == []


def test_ten_spellings_of_a_page(site: Site, cli: Cli, tmp_path: Path) -> None:
    """A page in ten spellings is asked for once, known by the first, and the others are counted."""
    port = site.port
    spellings = [
        f"HTTP://127.0.0.1:{port}/\u00e9/x?q='#first",
        f"http://127.0.0.1:{port}/\u00e9/x?q='",
        f"http://127.0.0.1:{port}/%C3%A9/x?q=%27",
        f"http://127.1:{port}/\u00e9/x?q='#second",
        f"http://0x7f000001:{port}/\u00e9/x?q='",
        f"http:127.0.0.1:0{port}/\u00e9/x?q='",
        f"http:\\\\127.0.0.1:{port}\\\u00e9\\x?q='",
        f"http://127.0.0.1:{port}/y/../\u00e9/./x?q='",
        f"  http://127.0.0.1:{port}/%2e/\u00e9/x\t?q='\n",
        f"http://you:secret@127.0.0.1:{port}/\u00e9/x?q='",
    ]
    done = cli("run", listed(tmp_path / "list.yaml", spellings), "-o", "out", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "duplicates: 9 of" in done.stderr
    assert site.asked == [("/%C3%A9/x?q=%27", None)]
    (line,) = (tmp_path / "out/records.jsonl").read_text().splitlines()
    record = json.loads(line)
    assert (record["url"], record["final_url"]) == (spellings[0], f"http://127.0.0.1:{port}/%C3%A9/x?q=%27")
    counts = json.loads((tmp_path / "out/summary.json").read_text())["urls"]
    assert counts == {"total": 1, "ok": 1, "empty": 0, "failed": 0, "pending": 0, "duplicate": 9}


@pytest.mark.parametrize("log", [[], ["--log-json"]])
def test_told_to_nobody_else(site: Site, said: Cli, tmp_path: Path, log: list[str]) -> None:
    """Pages, redirects, failures and what is no URL: the server gets the password, and only the state keeps it."""
    pages = ["/page", "/here", "/elsewhere"]
    failures = ["/missing", "/missing-there", "/invalid", "/unencoded", "/another-protocol"]
    wrong = [
        f"http://me:{ENCODED}@a b/1",
        "http://me:hun/ter\u00e92@a.example/2",
        "http://me:hun/ter\u00e92%40a.example/3",
        f"'http://me:{ENCODED}@a.example/4",
        f"ht\ttps;//me:{ENCODED}@a.example/5",
        f"ftp://me:{ENCODED}@a.example/6",
        f"me:{ENCODED}@a.example/7",
        {"link": f"http://me:{ENCODED}@a.example/8"},
        {"url": f"http://me:{ENCODED}@a.example/9", "headers": "none"},
        {"url": [f"http://me:{ENCODED}@a.example/10"]},
        {f"http://me:{ENCODED}@a.example/11": None},
    ]
    refused = f"http://me:{ENCODED}@127.0.0.1:1/refused"
    path = listed(tmp_path / "list.yaml", [*map(site.url, pages + failures), refused, *wrong])
    done = said("run", path, "-o", "out", "--set", "output.fsync=false", *QUICK, *log)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    assert told(out) == {}
    assert BASIC[6:].encode() in (out / "state.db").read_bytes()  # or this test would show nothing

    # The server: each page with the list's credentials, the ends of redirects with those of the Location.
    yours = "Basic " + base64.b64encode(f"you:{PASSWORD}".encode()).decode()
    listed_pages = {(path, BASIC) for path in pages + failures}
    assert set(site.asked) == listed_pages | {("/there", yours), ("/away", yours), ("/missing", yours)}

    records = rows(out / "records.jsonl")
    assert {row["url"] for row in records.values()} == {site.url(path, "") for path in pages}
    assert records["here"]["final_url"] == site.url("/there", "")
    assert records["elsewhere"]["final_url"] == f"http://localhost:{site.port}/away"
    failed = [json.loads(line) for line in (out / "failures.jsonl").read_text().splitlines()]
    kinds = [row["error"] for row in failed]
    assert sorted(kinds[:6]) == ["bad_redirect"] * 3 + ["connect_error"] + ["http_error"] * 2
    assert kinds[6:] == ["invalid_url"] * len(wrong)
    assert [row["message"].partition(": ")[0] for row in failed[6:]] == [f"{path}:1"] * len(wrong)
    assert {row["final_url"] for row in failed if row["status"] == 404} == {site.url("/missing", "")}

    for command in (
        ["status", "out"],
        ["status", "out", "--json"],
        ["retry", "out"],
        ["run", path, "-o", "out", *QUICK],
    ):
        assert said(*command).returncode == 0
    assert told(out) == {}


def test_while_it_goes_on(site: Site, tmp_path: Path) -> None:
    """Also in the middle of a run, and after it was killed there, only its owner may read the files that know."""
    path = listed(tmp_path / "list.yaml", [site.url("/page"), site.url("/slow"), f"http://me:{ENCODED}@a b/"])
    mask = os.umask(0)  # what nobody restricts would be open to all
    try:
        command = [sys.executable, "-m", "scraper", "run", path, "-o", "out", *QUICK]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    finally:
        os.umask(mask)
    try:
        assert site.reached.wait(30)
        assert (tmp_path / "out/state.db-wal").exists()
        assert told(tmp_path / "out") == {}
    finally:
        process.kill()
        output, _ = process.communicate()
    assert traces(output) == []
    assert told(tmp_path / "out") == {}


def test_one_page(site: Site, said: Cli) -> None:
    """`try` tells where a page came from, or why there is none, without the password."""
    done = said("try", site.url("/here"), "--allow-private")
    assert done.returncode == 0
    assert f"from {site.url('/there', '')}" in done.stderr
    assert site.asked[0] == ("/here", BASIC)
    for url in (
        site.url("/missing"),
        site.url("/invalid"),
        f"http://me:{ENCODED}@a b/",
        f"http://me:{PASSWORD}@127.0.0.1:1/",
    ):
        done = said("try", url, "--allow-private")
        assert done.returncode == 1
        assert "http" in done.stderr


def test_the_library(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """`scrape` warns of failures, and gives records, without the password."""
    urls = [site.url(path) for path in ("/page", "/missing", "/invalid")]
    options: dict[str, Any] = {"parse_workers": 0, "delay": 0, "robots": False, "retries": 0, "allow_private": True}
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="scraper"):
        records = list(scraper.scrape([*urls, f"http://me:{PASSWORD}@127.0.0.1:1/"], **options))
    assert len(records) == 1
    assert len([record for record in caplog.records if record.name == "scraper"]) == 3
    assert traces(json.dumps(records).encode()) == traces(caplog.text.encode()) == []


def test_a_literal_url(site: Site, said: Cli, tmp_path: Path) -> None:
    """A URL on the command line is one of a list."""
    assert said("run", site.url("/page"), "-o", "out", *QUICK).returncode == 0
    assert site.asked == [("/page", BASIC)]
    assert told(tmp_path / "out") == {}


@pytest.mark.parametrize("command", ["run", "try"])
def test_what_is_taken_for_a_file(said: Cli, command: str) -> None:
    """The complaint about what is neither a file nor a URL does not repeat a password in it."""
    assert said(command, f"me:{ENCODED}@h.example").returncode == 2
