"""The command line as a person or a script uses it: real processes, a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import scraper

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
QUICK = ("--delay", "0", "--per-host", "20", "--allow-private", "--no-robots")


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_run_writes_records_failures_and_summary(cli: Cli, site: Any, write_list: Any, tmp_path: Path) -> None:
    """A list with good, bad and repeated entries ends as records, failures and counts; exit 0."""
    urls = [f"{site.url}/{i}" for i in range(30)]
    listed = write_list([*urls, f"{site.url}/3#again", "nonsense", "ftp://x.example/"])
    done = cli("run", str(listed), *QUICK)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    out = tmp_path / "output" / "urls"
    records = rows(out / "records.jsonl")
    assert sorted(record["url"] for record in records) == sorted(urls)
    assert list(records[0])[:4] == ["url", "final_url", "status", "fetched_at"]
    assert {row["error"] for row in rows(out / "failures.jsonl")} == {"invalid_url"}
    assert all(row["failed_at"].endswith("Z") for row in rows(out / "failures.jsonl"))
    summary = json.loads((out / "summary.json").read_bytes())
    assert summary["urls"] == {"total": 32, "ok": 30, "empty": 0, "failed": 2, "pending": 0, "duplicate": 1}
    assert summary["complete"] is True
    assert summary["records"] == 30
    assert summary["statuses"] == {"200": 30}
    assert set(summary["busy"]) == {"fetch", "parse", "write"}
    assert "30 pages ok, 2 failed" in done.stderr


def test_second_run_fetches_nothing(cli: Cli, site: Any, write_list: Any, tmp_path: Path) -> None:
    """A finished run's command says that there is nothing to do; --restart keeps the old directory aside."""
    listed = write_list([f"{site.url}/a"])
    assert cli("run", str(listed), *QUICK, "-o", "out").returncode == 0
    again = cli("run", str(listed), *QUICK, "-o", "out")
    assert again.returncode == 0
    assert "complete" in again.stderr
    assert site.hits == {"/a": 1}
    assert cli("run", str(listed), *QUICK, "-o", "out", "--restart").returncode == 0
    assert site.hits == {"/a": 2}
    kept = [folder for folder in tmp_path.iterdir() if folder.name.startswith("out.")]
    assert len(kept) == 1
    assert len(rows(kept[0] / "records.jsonl")) == 1


def test_unfinished_run_is_not_touched(cli: Cli, site: Any, write_list: Any, tmp_path: Path) -> None:
    """Records without a finished summary are neither overwritten nor added to."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "records.jsonl").write_text("{}\n")
    done = cli("run", str(write_list([f"{site.url}/a"])), *QUICK, "-o", "out")
    assert done.returncode == 2
    assert "--restart" in done.stderr
    assert (out / "records.jsonl").read_text() == "{}\n"
    assert site.hits == {}


def test_extras_and_headers(cli: Cli, serve: Any, tmp_path: Path) -> None:
    """Further keys of an entry arrive in `input`, typed by the YAML core schema; its headers on the wire."""
    site = serve(lambda path: (200, {}, f"<h1>{path}</h1>".encode()))
    (tmp_path / "l.yaml").write_text(f"- url: {site.url}/x\n  sku: 012\n  n: 7\n  on: NO\n  headers: {{X-A: b}}\n")
    assert cli("run", "l.yaml", *QUICK).returncode == 0
    (record,) = rows(tmp_path / "output" / "l" / "records.jsonl")
    assert record["input"] == {"sku": "012", "n": 7, "on": "NO"}


def test_records_to_stdout(cli: Cli, site: Any, tmp_path: Path) -> None:
    """``-o -`` writes records to stdout and keeps nothing."""
    done = cli("run", f"{site.url}/a", f"{site.url}/b", *QUICK, "-o", "-", "--quiet")
    assert done.returncode == 0
    assert sorted(json.loads(line)["h1"] for line in done.stdout.splitlines()) == ["Page /a", "Page /b"]
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_default_directory_of_a_literal_url(cli: Cli, site: Any, tmp_path: Path) -> None:
    """A literal URL's run is named after its host."""
    assert cli("run", f"{site.url}/a", *QUICK).returncode == 0
    assert (tmp_path / "output" / "127.0.0.1" / "records.jsonl").exists()


def test_strict(cli: Cli, serve: Any) -> None:
    """A failed URL is no error, unless --strict asks for exit 3."""
    site = serve(lambda path: (404, {}, b"no"))
    assert cli("run", f"{site.url}/a", *QUICK, "-o", "a").returncode == 0
    assert cli("run", f"{site.url}/a", *QUICK, "-o", "b", "--strict").returncode == 3


def test_retries(cli: Cli, serve: Any, tmp_path: Path) -> None:
    """A 500 that passes is asked again; a 404 is not; attempts are counted."""
    seen: dict[str, int] = {}

    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        seen[path] = seen.get(path, 0) + 1
        if path == "/flaky":
            return (500 if seen[path] == 1 else 200), {}, b"<h1>x</h1>"
        return (503 if path == "/down" else 404), {}, b"no"

    site = serve(answer)
    assert cli("run", *(f"{site.url}/{name}" for name in ("flaky", "down", "gone")), *QUICK, "-o", "o").returncode == 0
    assert [row["url"] for row in rows(tmp_path / "o" / "records.jsonl")] == [f"{site.url}/flaky"]
    attempts = {row["url"].rpartition("/")[2]: row["attempts"] for row in rows(tmp_path / "o" / "failures.jsonl")}
    assert attempts == {"down": 3, "gone": 1}
    assert seen == {"/flaky": 2, "/down": 3, "/gone": 1}


def test_parser_file(cli: Cli, site: Any, tmp_path: Path) -> None:
    """--parser FILE.py:FUNCTION gets a BeautifulSoup page; what it prints stays off stdout."""
    (tmp_path / "shop.py").write_text(
        "def parse(page):\n    print('hello')\n    yield {'t': page.soup.h1.get_text(), 'n': page.status}\n"
    )
    done = cli("run", f"{site.url}/a", *QUICK, "-o", "-", "--parser", "shop.py:parse")
    assert done.returncode == 0, done.stderr
    (record,) = map(json.loads, done.stdout.splitlines())
    assert (record["t"], record["n"]) == ("Page /a", 200)


SELECTORS = "fields:\n  a: 'h1['\n  b:\n    css: [h1, 'p:nope(']\nrecords: 'a >'\n"

BAD_INPUT: list[tuple[str, dict[str, str], list[str], list[str]]] = [
    ("missing list", {}, ["run", "nofile.yaml"], ["nofile.yaml", "No such file"]),
    ("empty list", {"e.yaml": ""}, ["run", "e.yaml"], ["e.yaml", "no entry"]),
    ("empty urls", {"e.yaml": "urls: []\n"}, ["run", "e.yaml"], ["no entry"]),
    ("a folder", {}, ["run", "."], ["Is a directory"]),
    ("yaml error", {"b.yaml": "urls:\n  - http://a/\n  - 'x\n"}, ["run", "b.yaml"], ["b.yaml:4:1", "not valid YAML"]),
    ("python tag", {"b.yaml": "- !!python/object:x.y {}\n"}, ["run", "b.yaml"], ["b.yaml:1:3", "!!python"]),
    ("alias", {"b.yaml": "- &a http://a/\n- *a\n"}, ["run", "b.yaml"], ["b.yaml:1:3"]),
    (
        "settings",
        {"s.yaml": "fetch:\n  wokers: 3\n  timeout: x\nfetch: {}\n"},
        ["run", "SITE", "-s", "s.yaml"],
        ["s.yaml:2:3", "did you mean 'workers'", "s.yaml:3:3", "s.yaml:4:1: repeated key"],
    ),
    ("no settings", {}, ["run", "SITE", "-s", "no.yaml"], ["no.yaml"]),
    ("selectors", {"s.yaml": SELECTORS}, ["run", "SITE", "-s", "s.yaml"], ["s.yaml:2:3", "s.yaml:4", "s.yaml:5:1"]),
    (
        "selectors for BeautifulSoup",
        {"s.yaml": SELECTORS},
        ["run", "SITE", "-s", "s.yaml", "--engine", "beautifulsoup"],
        ["s.yaml:2:3", "s.yaml:4", "s.yaml:5:1"],
    ),
    (
        "parser that does not import",
        {"p.py": "import nosuchmodule\ndef parse(page): ...\n"},
        ["run", "SITE", "--parser", "p.py:parse"],
        ["p.py", "line 1", "No module named 'nosuchmodule'"],
    ),
    ("parser function", {"p.py": "x = 1\n"}, ["run", "SITE", "--parser", "p.py:parse"], ["no function 'parse'"]),
    ("parser reference", {}, ["run", "SITE", "--parser", "p.py"], ["FILE.py:FUNCTION"]),
    ("flag value", {}, ["run", "SITE", "--fetch-workers", "0"], ["fetch.workers"]),
    ("unknown flag", {}, ["run", "SITE", "--fetch-wokers", "3"], ["--fetch-workers"]),
    ("unknown command", {}, ["rnu"], ["Did you mean 'run'"]),
    ("unknown setting", {}, ["run", "SITE", "--set", "fetch.wokers=3"], ["workers"]),
    ("output is a file", {"o": "x"}, ["run", "SITE", "-o", "o"], ["o is not a directory"]),
    ("not built yet", {}, ["run", "SITE", "--archive"], ["archive"]),
    ("try what is no URL", {}, ["try", "nonsense"], ["http(s) URL"]),
]


@pytest.mark.parametrize(
    ("files", "arguments", "expected"), [case[1:] for case in BAD_INPUT], ids=[c[0] for c in BAD_INPUT]
)
def test_bad_input(
    cli: Cli, site: Any, tmp_path: Path, files: dict[str, str], arguments: list[str], expected: list[str]
) -> None:
    """Bad input: exit 2, what and where on stderr, no traceback through this package, nothing fetched or written."""
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    done = cli(*[f"{site.url}/a" if argument == "SITE" else argument for argument in arguments])
    assert done.returncode == 2, done.stderr
    for part in expected:
        assert part in done.stderr
    assert str(Path(scraper.__file__).parent) not in done.stderr
    assert site.hits == {}
    assert {entry.name for entry in tmp_path.iterdir()} - {"__pycache__"} == set(files)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_read_only_output(cli: Cli, site: Any, tmp_path: Path) -> None:
    """A directory that cannot be written is refused before anything is fetched."""
    (tmp_path / "ro").mkdir(mode=0o555)
    done = cli("run", f"{site.url}/a", "-o", "ro/run")
    assert done.returncode == 2
    assert "cannot write" in done.stderr
    assert site.hits == {}


def test_output_that_cannot_be_made(cli: Cli, site: Any) -> None:
    """Neither can a directory be made where the system has none."""
    done = cli("run", f"{site.url}/a", "-o", "/proc/self/nowhere/run")
    assert done.returncode == 2
    assert "cannot write into /proc/self/nowhere/run" in done.stderr
    assert site.hits == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_drains(serve: Any, write_list: Any, tmp_path: Path, number: signal.Signals) -> None:
    """The first signal lets what is in flight finish: its records are there, the rest is pending, exit 128 + n."""
    reached, go_on = threading.Event(), threading.Event()

    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        reached.set()
        go_on.wait(20)
        return 200, {}, b"<h1>x</h1>"

    listed = write_list([f"{serve(answer).url}/{i}" for i in range(200)])
    command = [sys.executable, "-m", "scraper", "run", str(listed), "-o", "out", *QUICK, "--fetch-workers", "4"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert reached.wait(20)
    process.send_signal(number)
    assert any("stopping" in line for line in process.stderr)
    go_on.set()
    process.communicate(timeout=20)
    assert process.returncode == 128 + number
    summary = json.loads((tmp_path / "out" / "summary.json").read_bytes())
    done = len(rows(tmp_path / "out" / "records.jsonl"))
    assert 1 <= done <= 8
    assert summary["urls"]["pending"] == 200 - done
    assert summary["complete"] is False


def test_second_signal_stops_at_once(serve: Any, write_list: Any, tmp_path: Path) -> None:
    """The second one does not wait for a server that never answers; nothing is left running."""
    reached, go_on = threading.Event(), threading.Event()

    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        reached.set()
        go_on.wait(30)
        return 200, {}, b""

    listed = write_list([f"{serve(answer).url}/{i}" for i in range(50)])
    command = [sys.executable, "-m", "scraper", "run", str(listed), "-o", "out", *QUICK]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert reached.wait(20)
    process.send_signal(signal.SIGINT)
    assert any("stopping" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=5)
    finally:
        go_on.set()
    assert process.returncode == 130


def test_try(cli: Cli, site: Any) -> None:
    """`try` prints the record on stdout, and on stderr what was fetched and how often each selector matched."""
    done = cli("try", f"{site.url}/a", "--allow-private")
    assert done.returncode == 0
    assert json.loads(done.stdout)["h1"] == "Page /a"
    assert "200" in done.stderr
    assert "utf-8 (by the Content-Type header)" in done.stderr
    assert "1 × h1" in done.stderr


def test_try_what_fails(cli: Cli, serve: Any) -> None:
    """A page that gives no record: the kind, and exit 1."""
    site = serve(lambda path: (404, {}, b"no"))
    done = cli("try", f"{site.url}/a", "--allow-private")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "http_error: the server answered 404" in done.stderr


def test_demo(cli: Cli, tmp_path: Path) -> None:
    """The demo runs the real thing and prints where the records are, and three of them."""
    for _ in range(2):  # also when it ran before
        done = cli("demo")
        assert done.returncode == 0, done.stderr
    printed = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(printed) == 3
    assert all(record["title"] and record["price"] for record in printed)
    assert "output/demo/records.jsonl" in done.stdout
    assert len(rows(tmp_path / "output" / "demo" / "records.jsonl")) >= 150


@pytest.mark.parametrize("command", [[], ["run"], ["try"], ["demo"]])
def test_help(cli: Cli, command: list[str]) -> None:
    """Every command explains itself, with an example where it takes arguments."""
    done = cli(*command, "--help")
    assert done.returncode == 0
    assert "Usage: scraper" in done.stdout
    if command and command != ["demo"]:
        assert f"\n  scraper {command[0]} " in done.stdout


def test_progress_lines_where_stderr_is_no_terminal(cli: Cli, site: Any) -> None:
    """No bar, no control characters: a short run says its closing words only."""
    done = cli("run", f"{site.url}/a", *QUICK)
    assert "\r" not in done.stderr
    assert "\x1b" not in done.stderr
    assert done.stderr.startswith("1 page ok")


def test_complete_run_of_another_list_is_refused(cli: Cli, site: Any, tmp_path: Path) -> None:
    """Another list, or other fields, in a complete run's directory: refused, not passed off as done."""
    assert cli("run", f"{site.url}/a", *QUICK, "-o", "out").returncode == 0
    other = cli("run", f"{site.url}/b", *QUICK, "-o", "out")
    assert (other.returncode, "another list" in other.stderr) == (2, True)
    (tmp_path / "s.yaml").write_text("fields: {a: h2}\n")
    fields = cli("run", f"{site.url}/a", *QUICK, "-o", "out", "-s", "s.yaml")
    assert (fields.returncode, "other fields" in fields.stderr) == (2, True)
    assert site.hits == {"/a": 1}


def test_one_process_at_a_time(serve: Any, cli: Cli, write_list: Any, tmp_path: Path) -> None:
    """A second process is told who holds the directory, also with --restart; the first goes on."""
    reached, go_on = threading.Event(), threading.Event()

    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        reached.set()
        go_on.wait(30)
        return 200, {}, b"<h1>x</h1>"

    listed = write_list([f"{serve(answer).url}/{i}" for i in range(3)])
    command = [sys.executable, "-m", "scraper", "run", str(listed), "-o", "out", *QUICK, "--quiet"]
    first = subprocess.Popen(command, cwd=tmp_path)
    try:
        assert reached.wait(20)
        for flags in ([], ["--restart"]):
            second = cli("run", str(listed), *QUICK, "-o", "out", *flags)
            assert second.returncode == 2
            assert f"in use by process {first.pid}" in second.stderr
    finally:
        go_on.set()
        assert first.wait(30) == 0
    assert len(rows(tmp_path / "out" / "records.jsonl")) == 3


def test_list_error_found_late(cli: Cli, serve: Any, tmp_path: Path) -> None:
    """An error far down a long list ends the run with exit 1: it cannot be said that nothing was fetched."""
    site = serve(lambda path: (200, {}, b"<h1>x</h1>"))
    entries = "".join(f"- {site.url}/{i % 7}?{i}\n" for i in range(13_000))
    (tmp_path / "long.yaml").write_text(entries + "- [unclosed\n")
    done = cli("run", "long.yaml", *QUICK, "--parse-workers", "0")
    assert done.returncode == 1
    assert "long.yaml:13002" in done.stderr
    assert "Traceback" not in done.stderr


def test_reader_that_leaves(site: Any, tmp_path: Path) -> None:
    """`| head` ends the run without a word, and without a traceback."""
    urls = " ".join(f"{site.url}/{i}" for i in range(40))
    command = f"{sys.executable} -m scraper run {urls} -o - --quiet --delay 0 --allow-private"
    done = subprocess.run(
        f"{command} | head -n 1", shell=True, capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("end", ["os._exit(1)", "time.sleep(600)"], ids=["and dies", "and hangs"])
def test_parser_that_forks(site: Any, tmp_path: Path, end: str) -> None:
    """A child that a parser leaves behind hides no worker's death, and nobody waits for it: it costs one page."""
    (tmp_path / "p.py").write_text(
        "import os, time\n"
        "def parse(page):\n"
        "    if page.url.endswith('/7'):\n"
        "        if os.fork() == 0:\n"
        "            open('children', 'a').write(f'{os.getpid()}\\n')\n"
        "            time.sleep(600)\n"
        f"        {end}\n"
        "    return {'t': page.text}\n"
    )
    urls = [f"{site.url}/{i}" for i in range(20)]
    options = [*QUICK, "-o", "o", "--parser", "p.py:parse", "--set", "parse.timeout=1", "--quiet"]
    try:
        with (tmp_path / "said").open("w") as said:  # not a pipe, whose other end the child would keep open
            command = [sys.executable, "-m", "scraper", "run", *urls, *options]
            done = subprocess.run(command, cwd=tmp_path, stdout=said, stderr=said, timeout=60)
    finally:
        for pid in (tmp_path / "children").read_text().split():
            os.kill(int(pid), signal.SIGKILL)
    assert done.returncode == 0, (tmp_path / "said").read_text()
    assert len(rows(tmp_path / "o" / "records.jsonl")) == 19
    assert [row["url"] for row in rows(tmp_path / "o" / "failures.jsonl")] == [f"{site.url}/7"]


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX's")
@pytest.mark.parametrize("room", [6_000, 30_000, 60_000])
def test_full_disk(cli: Cli, site: Any, tmp_path: Path, room: int) -> None:
    """Where nothing more can be written: exit 1 with one line; with room made, the same command finishes the run."""
    import resource

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    urls = [f"{site.url}/{i}?{'x' * 500}" for i in range(200)]
    full = cli("run", *urls, *QUICK, "-o", "o", "--quiet", preexec_fn=limit)
    assert (full.returncode, full.stderr.count("\n")) == (1, 1), full.stderr
    assert "cannot write" in full.stderr
    again = cli("run", *urls, *QUICK, "-o", "o")
    assert again.returncode == 0, again.stderr
    assert sorted(row["url"] for row in rows(tmp_path / "o" / "records.jsonl")) == sorted(urls)


@pytest.mark.skipif(sys.platform != "linux", reason="a process's memory is read where Linux shows it")
def test_native_death_at_the_memory_limit(cli: Cli, site: Any, tmp_path: Path) -> None:
    """Native code that dies of a signal with its memory full is told as the memory limit, another one by its signal."""
    (tmp_path / "p.py").write_text(
        "import ctypes, mmap, time\n"
        "def parse(page):\n"
        "    held = mmap.mmap(-1, (90 if page.url.endswith('/full') else 9) << 20)\n"
        "    time.sleep(1)\n"
        "    ctypes.string_at(0)\n"
    )
    flags = ("--parser", "p.py:parse", "--set", "parse.memory=100MiB", "--set", "parse.timeout=4", "-o", "o")
    assert cli("run", f"{site.url}/full", f"{site.url}/light", *QUICK, *flags).returncode == 0
    told = {row["url"].rpartition("/")[2]: row["message"] for row in rows(tmp_path / "o" / "failures.jsonl")}
    assert told == {"full": "memory limit", "light": "the parse worker was ended by SIGSEGV"}
