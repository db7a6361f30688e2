"""Runs that take several sessions: interrupted, resumed, extended, retried, and looked at, by real processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

#: One page after the other, in the order of the list, so that a test knows what was done when.
SINGLY = ("--delay", "0", "--fetch-workers", "1", "--parse-workers", "0", "--allow-private", "--no-robots", "-o", "out")


def rows(path: Path) -> list[dict[str, Any]]:
    content = path.read_bytes()
    assert content == b"" or content.endswith(b"\n")
    return [json.loads(line) for line in content.splitlines()]


class Run(NamedTuple):
    """A run's directory, and what is in it."""

    directory: Path

    @property
    def urls(self) -> Counter[str]:
        return Counter(row["url"] for row in rows(self.directory / "records.jsonl"))

    @property
    def failures(self) -> dict[str, str]:
        listed = [(row["url"], row["error"]) for row in rows(self.directory / "failures.jsonl")]
        assert len(dict(listed)) == len(listed)
        return dict(listed)

    @property
    def summary(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((self.directory / "summary.json").read_bytes())
        return read


class Stopper:
    """A site that ends the run with SIGTERM while ``/stop`` is being answered, the first time; that takes until the run
    has said so, or it might be over before it notices.
    """

    def __init__(self, serve: Any, statuses: dict[str, list[int]]) -> None:
        self.process: subprocess.Popen[str] | None = None
        self._statuses = statuses
        self._noticed = threading.Event()
        self.site = serve(self._answer)
        self.url = self.site.url

    def _answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        if path == "/stop" and self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process = None
            self._noticed.wait(30)
        left = self._statuses.get(path, [])
        status = left.pop(0) if left else 200
        return status, {}, f"<title>{path}</title>".encode()

    def half(self, cwd: Path, *arguments: str, options: tuple[str, ...] = SINGLY, stdin: str = "") -> Run:
        """Begin the run and let it end at ``/stop``."""
        command = [sys.executable, "-m", "scraper", "run", *arguments, *options]
        pipe, said = subprocess.PIPE, ""
        self._noticed.clear()
        with subprocess.Popen(
            command, cwd=cwd, stdin=pipe, stdout=subprocess.DEVNULL, stderr=pipe, text=True
        ) as process:
            self.process = process
            assert process.stdin is not None
            assert process.stderr is not None
            with process.stdin:
                process.stdin.write(stdin)
            for line in process.stderr:
                said += line
                if line.startswith("stopping"):
                    self._noticed.set()
            self._noticed.set()
        assert process.returncode == 143, said
        assert "interrupted" in said
        return Run(cwd / "out")


@pytest.fixture
def stopper(serve: Any) -> Callable[..., Stopper]:
    """Make a `Stopper`; statuses by path, one for each time it is asked, then 200."""
    return lambda **statuses: Stopper(serve, {f"/{path}": list(each) for path, each in statuses.items()})


def paths(site: Stopper, first: int, last: int) -> list[str]:
    """URLs of numbered pages, with ``/stop`` in the middle."""
    listed = [f"{site.url}/p{number}" for number in range(first, last)]
    listed.insert(len(listed) // 2, f"{site.url}/stop")
    return listed


def test_the_same_command_goes_on(stopper: Any, cli: Cli, write_list: Any, tmp_path: Path) -> None:
    """Each page is asked for once, whichever session it fell in; a page listed twice is told of once."""
    site = stopper(p3=[404])
    listed = paths(site, 0, 20)
    path = write_list([*listed, listed[1], "nonsense"])
    run = site.half(tmp_path, str(path))
    before = run.summary
    assert before["complete"] is False
    assert 0 < before["urls"]["pending"] < 20
    assert set(run.failures.values()) <= {"http_error", "invalid_url"}
    done = cli("run", str(path), *SINGLY)
    assert done.returncode == 0, done.stderr
    assert f"resumed: {before['urls']['ok'] + before['urls']['failed']} URLs had been done" in done.stderr
    good = [url for url in listed if not url.endswith("/p3")]
    assert run.urls == Counter(good)
    assert run.failures == {f"{site.url}/p3": "http_error", "nonsense": "invalid_url"}
    assert set(site.site.hits.values()) == {1}
    counts = {"total": 22, "ok": 20, "empty": 0, "failed": 2, "pending": 0, "duplicate": 1}
    assert run.summary["urls"] == counts
    assert run.summary["seconds"] > before["seconds"]
    assert run.summary["started_at"] == before["started_at"]


def test_robots_are_remembered(stopper: Any, cli: Cli, write_list: Any, tmp_path: Path) -> None:
    """A site's robots.txt is asked for once, not once in each session."""
    site = stopper(p0=[404, 404])
    listed = paths(site, 0, 10)
    options = tuple(option for option in SINGLY if option != "--no-robots")
    path = str(write_list(listed))
    run = site.half(tmp_path, path, options=options)
    assert 0 < run.summary["urls"]["pending"] < 10
    assert cli("run", path, *options).returncode == 0
    assert cli("retry", "out").returncode == 0
    assert run.failures == {f"{site.url}/p0": "http_error"}
    assert site.site.hits == {"/robots.txt": 1, "/p0": 2} | {url[len(site.url) :]: 1 for url in listed[1:]}


def test_reordered_and_extended(stopper: Any, cli: Cli, write_list: Any, tmp_path: Path) -> None:
    """A page is known by its URL, wherever the list has it; what left the list stays in the run."""
    site = stopper()
    listed = paths(site, 0, 20)
    run = site.half(tmp_path, str(write_list(listed)))
    changed = [f"{site.url}/new", *reversed(listed[1:]), f"{site.url}/p19#again"]
    assert cli("run", str(write_list(changed)), *SINGLY).returncode == 0
    assert run.urls == Counter({*listed, f"{site.url}/new"})
    assert set(site.site.hits.values()) == {1}
    assert run.summary["urls"]["total"] == 22
    assert run.summary["urls"]["duplicate"] == 1
    assert cli("run", str(write_list([*changed, f"{site.url}/newer"])), *SINGLY).returncode == 0
    assert run.urls == Counter({*listed, f"{site.url}/new", f"{site.url}/newer"})
    assert set(site.site.hits.values()) == {1}


def test_standard_input(stopper: Any, cli: Cli, tmp_path: Path) -> None:
    """Given once more, it goes on; ended, it is found to be complete without asking for anything."""
    site = stopper()
    text = "".join(f"- {url}\n" for url in paths(site, 0, 10))
    run = site.half(tmp_path, "-", stdin=text)
    assert cli("run", "-", *SINGLY, input=text).returncode == 0
    again = cli("run", "-", *SINGLY, input=text)
    assert again.returncode == 0
    assert "nothing to fetch" in again.stderr
    assert run.summary["urls"]["ok"] == len(run.urls) == 11
    assert set(site.site.hits.values()) == {1}


def test_literal_urls(stopper: Any, cli: Cli, tmp_path: Path) -> None:
    """The same URLs go on; others are another list."""
    site = stopper()
    listed = paths(site, 0, 6)
    run = site.half(tmp_path, *listed)
    other = cli("run", *listed[:3], *SINGLY)
    assert other.returncode == 2
    assert "another list" in other.stderr
    assert cli("run", *listed, *SINGLY).returncode == 0
    assert run.urls == Counter(listed)


def test_other_fields_are_refused(stopper: Any, cli: Cli, write_list: Any, tmp_path: Path) -> None:
    """With the three ways out, nothing fetched; what does not shape records may change."""
    site = stopper()
    path = write_list(paths(site, 0, 8))
    (tmp_path / "a.yaml").write_text("fields: {title: title}\n")
    (tmp_path / "b.yaml").write_text("fields: {title: h1}\n")
    run = site.half(tmp_path, str(path), "-s", "a.yaml")
    hits = dict(site.site.hits)
    refused = cli("run", str(path), "-s", "b.yaml", *SINGLY)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    for way in ("settings that it was begun with", "--restart", "scraper parse"):
        assert way in refused.stderr
    assert site.site.hits == hits
    # Written differently, but the same; and others that shape no record.
    (tmp_path / "a.yaml").write_text("fields: {title: {css: title}}\nfetch: {timeout: 20}\n")
    assert cli("run", str(path), "-s", "a.yaml", *SINGLY, "--retries", "1").returncode == 0
    assert run.summary["complete"] is True
    assert cli("run", str(path), "-s", "b.yaml", *SINGLY, "--restart").returncode == 0
    assert all("title" in row for row in rows(run.directory / "records.jsonl"))
    assert site.site.hits["/p0"] == 2


@pytest.mark.parametrize("change", ["shortened", "gone"])
def test_records_that_somebody_changed(stopper: Any, cli: Cli, write_list: Any, tmp_path: Path, change: str) -> None:
    """One line that says what, where and what to do; put back, the run goes on."""
    site = stopper()
    path = write_list(paths(site, 0, 8))
    run = site.half(tmp_path, str(path))
    records = run.directory / "records.jsonl"
    content = records.read_bytes()
    if change == "gone":
        records.unlink()
    else:
        records.write_bytes(content[:-5])
    refused = cli("run", str(path), *SINGLY)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "records.jsonl" in refused.stderr
    assert f"{len(content):,} were committed" in refused.stderr
    records.write_bytes(content)
    assert cli("run", str(path), *SINGLY).returncode == 0
    assert len(run.urls) == 9


def test_retry(stopper: Any, cli: Cli, write_list: Any, tmp_path: Path) -> None:
    """Failed URLs are asked for again, all or some, with the settings of the run; good ones are not."""
    site = stopper(a=[404, 404], b=[500, 500], c=[503], d=[403])
    path = write_list([*(f"{site.url}/{name}" for name in "abcdef"), "nonsense"])
    assert cli("run", str(path), *SINGLY, "--retries", "0", "--set", "fields.title=title").returncode == 0
    run = Run(tmp_path / "out")
    assert run.summary["failures"] == {"http_error": 4, "invalid_url": 1}

    done = cli("retry", "out", "--only", "5xx,403")
    assert done.returncode == 0, done.stderr
    assert set(run.failures) == {f"{site.url}/a", f"{site.url}/b", "nonsense"}
    assert site.site.hits == {"/a": 1, "/b": 2, "/c": 2, "/d": 2, "/e": 1, "/f": 1}

    assert cli("retry", "out").returncode == 0
    assert run.failures == {f"{site.url}/a": "http_error", "nonsense": "invalid_url"}
    assert site.site.hits == {"/a": 2, "/b": 3, "/c": 2, "/d": 2, "/e": 1, "/f": 1}

    nothing = cli("retry", "out", "--only", "timeout")
    assert nothing.returncode == 0
    assert "nothing to fetch" in nothing.stderr
    assert site.site.hits["/a"] == 2

    assert cli("retry", "out", "--only", "http_error", "--strict").returncode == 3
    assert run.urls == Counter(f"{site.url}/{name}" for name in "abcdef")
    assert all(list(row)[4:] == ["title"] for row in rows(run.directory / "records.jsonl"))
    assert run.summary["urls"] == {"total": 7, "ok": 6, "empty": 0, "failed": 1, "pending": 0, "duplicate": 0}
    assert run.summary["statuses"] == {"200": 6}


def test_retry_goes_on_with_an_unfinished_run(stopper: Any, cli: Cli, write_list: Any, tmp_path: Path) -> None:
    """What failed and what is pending."""
    site = stopper(p0=[404])
    listed = paths(site, 0, 10)
    run = site.half(tmp_path, str(write_list(listed)))
    assert run.failures == {f"{site.url}/p0": "http_error"}
    assert cli("retry", "out").returncode == 0
    assert run.urls == Counter(listed)
    assert run.failures == {}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere holds no run"),
        (["out", "--only", "timeouts"], "did you mean 'timeout'"),
        (["out", "--only", "invalid_url"], "mend the list"),
        (["out", "--only", ","], "name failure kinds or statuses"),
        (["out", "--set", "fields.title=h1"], "--restart"),
    ],
)
def test_retry_of_what_cannot_be(cli: Cli, site: Any, arguments: list[str], said: str) -> None:
    """One line, and nothing fetched."""
    assert cli("run", f"{site.url}/a", *SINGLY).returncode == 0
    refused = cli("retry", *arguments)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert site.hits == {"/a": 1}


def test_status(stopper: Any, cli: Cli, write_list: Any, tmp_path: Path) -> None:
    """Of a stopped and of a finished run, for people and as summary.json."""
    site = stopper(p1=[404])
    path = write_list(paths(site, 0, 8))
    run = site.half(tmp_path, str(path))
    said = cli("status", "out")
    assert said.returncode == 0
    assert "out: stopped; the same command resumes it" in said.stdout
    assert "failures: http_error 1" in said.stdout
    assert f"{run.summary['urls']['pending']} pending of 9 URLs" in said.stdout
    assert json.loads(cli("status", "out", "--json").stdout) == run.summary
    assert cli("run", str(path), *SINGLY).returncode == 0
    assert "out: complete\n8 ok (0 empty), 1 failed, 0 pending of 9 URLs" in cli("status", "out").stdout
    nothing = cli("status", "elsewhere")
    assert nothing.returncode == 2
    assert "elsewhere holds no run" in nothing.stderr


def test_status_beside_a_run(serve: Any, cli: Cli, tmp_path: Path) -> None:
    """A run that goes on is not disturbed by whoever looks."""
    said: list[subprocess.CompletedProcess[str]] = []

    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        if path == "/look":
            said.append(cli("status", "out"))
        return 200, {}, b"<title>x</title>"

    site = serve(answer)
    assert cli("run", f"{site.url}/a", f"{site.url}/look", *SINGLY).returncode == 0
    assert said[0].returncode == 0
    assert "out: running" in said[0].stdout
