"""The library, as a program uses it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

import scraper
from scraper import Failure, SettingsError, UsageError

QUICK: dict[str, Any] = {"delay": 0, "per_host": 20, "allow_private": True}


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else set()


def test_scrape_streams_records(site: Any) -> None:
    """Records come as mappings, each with its URL and the fields asked for."""
    urls = [f"{site.url}/{i}" for i in range(40)]
    records = list(scraper.scrape(urls, fields={"title": "h1"}, **QUICK))
    assert sorted(record["title"] for record in records) == sorted(f"Page /{i}" for i in range(40))


@pytest.mark.parametrize("workers", [0, 2])
def test_nothing_is_left(site: Any, workers: int) -> None:
    """After a run: no thread, no child, no open file; also after leaving the loop early."""
    threads, files = set(threading.enumerate()), descriptors()
    list(scraper.scrape([f"{site.url}/{i}" for i in range(5)], parse_workers=workers, **QUICK))
    stream = scraper.scrape([f"{site.url}/{i}" for i in range(500)], parse_workers=workers, **QUICK)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert set(threading.enumerate()) - threads <= {
        thread for thread in threading.enumerate() if "process_request" in thread.name
    }
    assert [child for child in psutil.Process().children(recursive=True) if child.is_running()] == []
    leaked = {
        os.readlink(f"/proc/self/fd/{name}")
        for name in descriptors() - files
        if os.path.exists(f"/proc/self/fd/{name}")
    }
    assert not {name for name in leaked if "socket" not in name}
    assert len(site.hits) < 500


def test_failures_are_handed_over(serve: Any) -> None:
    """Each URL without a record reaches `on_failure` as a value."""
    site = serve(lambda path: (404, {}, b""))
    failures: list[Failure] = []
    assert list(scraper.scrape([f"{site.url}/a", "nonsense"], on_failure=failures.append, **QUICK)) == []
    assert sorted(failure.error for failure in failures) == ["http_error", "invalid_url"]


def test_failures_are_logged_otherwise(caplog: pytest.LogCaptureFixture) -> None:
    """Without `on_failure` a failure is a warning in the log."""
    assert list(scraper.scrape(["nonsense"], parse_workers=0)) == []
    assert "invalid_url" in caplog.text


def test_any_iterable(site: Any) -> None:
    """A generator of URLs and mappings will do; further keys are the record's input."""
    entries = ({"url": f"{site.url}/{i}", "n": i} for i in range(10))
    records = list(scraper.scrape(entries, fields={"t": "h1"}, parse_workers=0, **QUICK))
    assert sorted(record["input"]["n"] for record in records) == list(range(10))


def test_run_returns_the_summary(site: Any, tmp_path: Path) -> None:
    """`run` returns what summary.json holds, as attributes."""
    summary = scraper.run([f"{site.url}/a"], output=tmp_path / "o", parse_workers=0, **QUICK)
    assert (summary.urls.ok, summary.urls["ok"], summary.records, summary.complete) == (1, 1, 1, True)
    assert (tmp_path / "o" / "summary.json").read_bytes() == summary.to_json()
    assert scraper.run([f"{site.url}/a"], output=tmp_path / "o", parse_workers=0, **QUICK) == summary
    assert site.hits == {"/robots.txt": 1, "/a": 1}


def test_settings_as_a_mapping_and_a_parser_function(site: Any) -> None:
    """Settings may be a mapping; a parser may be a function of the program (here inline)."""
    settings = {"parse": {"workers": 0}, "politeness": {"delay": 0}}
    (record,) = scraper.scrape(
        [f"{site.url}/a"], settings=settings, parser=lambda page: {"n": len(page.body)}, allow_private=True
    )
    assert record["n"] > 10


def test_redirect_to_another_host(serve: Any) -> None:
    """A redirect to another host goes back through the schedule and keeps the list's URL."""
    there = serve()
    port = there.url.rpartition(":")[2]
    here = serve(lambda path: (302, {"Location": f"http://localhost:{port}/b"}, b""))
    (record,) = scraper.scrape([f"{here.url}/a"], fields={"t": "h1"}, parse_workers=0, **QUICK)
    assert (record["url"], record["final_url"]) == (f"{here.url}/a", f"http://localhost:{port}/b")


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"fields": {"a": "h1["}}, "fields.a"),
        ({"fields": {"url": "h1"}}, "url"),
        ({"fields": {"a": "h1"}, "parser": len}, "parser"),
        ({"settings": {"fetch": {"wokers": 1}}}, "workers"),
        ({"delay": -1}, "delay"),
    ],
)
def test_bad_settings(keywords: dict[str, Any], message: str) -> None:
    """Wrong settings raise before anything is fetched."""
    with pytest.raises(SettingsError, match=message):
        list(scraper.scrape(["http://127.0.0.1:1/"], parse_workers=0, **keywords))


def test_unknown_keyword() -> None:
    """A misspelled keyword is a `TypeError` that names the nearest."""
    with pytest.raises(TypeError, match="fetch_workers"):
        scraper.scrape(["http://127.0.0.1:1/"], fetch_wokers=3)


def test_error_tree() -> None:
    """All errors are `ScraperError`s; bad input is exit 2."""
    assert issubclass(SettingsError, UsageError)
    assert scraper.WorkerStartError("x").code == UsageError.exit_code == 2


def script(tmp_path: Path, text: str, timeout: float = 40) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(text))
    return subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=timeout, cwd=tmp_path)


def test_script_without_the_guard(site: Any, tmp_path: Path) -> None:
    """A script without the guard ends with the advice, once: no storm of processes, nothing fetched."""
    done = script(
        tmp_path,
        f"""
        import scraper
        print("imported", flush=True)
        for record in scraper.scrape(["{site.url}/a"], delay=0, allow_private=True):
            print(record)
        """,
    )
    assert done.returncode == 2
    assert 'if __name__ == "__main__":' in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.count("imported") <= 2  # the script itself, and the one worker that was tried
    assert site.hits == {}


WORKER_IMPORTS = """
    import sys, scraper
    from scraper import scrape

    def parse(page):
        return {{"modules": sorted(sys.modules)}}

    if __name__ == "__main__":
        (record,) = scrape(["{url}/a"], parser=parse, delay=0, allow_private=True)
        print(" ".join(record["modules"]))
"""

FOREIGN = {"requests", "urllib3", "sqlite3", "click", "tqdm"}
OWN = {"scraper.pipeline", "scraper.fetch", "scraper.schedule", "scraper.write", "scraper.watch", "scraper.cli"}


def test_worker_imports_from_a_script(site: Any, tmp_path: Path) -> None:
    """A worker of a guarded script imports what parsing needs: no requests, no store, no other stage."""
    done = script(tmp_path, WORKER_IMPORTS.format(url=site.url))
    assert done.returncode == 0, done.stderr
    modules = set(done.stdout.split())
    assert "scraper.parse.worker" in modules
    assert not modules & (FOREIGN | OWN)


def test_worker_imports_from_the_command_line(site: Any, cli: Any, tmp_path: Path) -> None:
    """So does a worker of the command line."""
    (tmp_path / "p.py").write_text("import sys\ndef parse(page):\n    return {'modules': ' '.join(sys.modules)}\n")
    done = cli("run", f"{site.url}/a", "--parser", "p.py:parse", "-o", "-", "--quiet", "--allow-private")
    assert done.returncode == 0, done.stderr
    modules = set(done.stdout.split('"modules":"')[1].rstrip('"}\n').split())
    assert "scraper.parse.worker" in modules
    assert not modules & (FOREIGN | OWN)


def test_public_names() -> None:
    """`__all__` is sorted, complete and importable; `dir` shows it."""
    assert scraper.__all__ == sorted(scraper.__all__)
    for name in scraper.__all__:
        assert getattr(scraper, name) is not None
        assert name in dir(scraper)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = scraper.nonsense  # type: ignore[attr-defined]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("ending", ["", "    raise SystemError('the consumer fails')\n"], ids=["ends", "raises"])
def test_unfinished_generator_at_exit(site: Any, tmp_path: Path, workers: int, ending: str) -> None:
    """A program that ends with a generator half-way through ends: nobody waits for its threads."""
    urls = [f"{site.url}/{i}" for i in range(300)]
    done = script(
        tmp_path,
        "import scraper\n"
        "if __name__ == '__main__':\n"
        f"    stream = scraper.scrape({urls!r}, parse_workers={workers}, delay=0.01, allow_private=True)\n"
        "    next(stream)\n"
        "    print('end of script', flush=True)\n" + ending,
        timeout=20,
    )
    assert done.stdout == "end of script\n"
    assert done.returncode == (1 if ending else 0)


def test_runs_that_overlap_leave_nothing(site: Any) -> None:
    """The last of several runs at once ends what they shared."""
    streams = [scraper.scrape([f"{site.url}/{i}" for i in range(20)], parse_workers=1, **QUICK) for _ in range(2)]
    for stream in streams:
        next(stream)
    assert [len(list(stream)) for stream in streams] == [19, 19]
    assert [child for child in psutil.Process().children(recursive=True) if child.is_running()] == []


def test_cut_gzip_body_is_a_failure(serve: Any) -> None:
    """A compressed body that ends early, with a length to match, is no page."""
    import gzip
    import random

    text = "".join(random.Random(1).choices("abcdefgh <>", k=20_000)).encode()
    site = serve(lambda path: (200, {"Content-Encoding": "gzip"}, gzip.compress(text)[:300]))
    failures: list[Failure] = []
    assert not list(
        scraper.scrape(
            [f"{site.url}/a"], parse_workers=0, retries=0, robots=False, allow_private=True, on_failure=failures.append
        )
    )
    assert [failure.error for failure in failures] == ["truncated_body"]
