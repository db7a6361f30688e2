"""A documentation of a thousand pages behind nginx: what is scraped against what another parser finds in the files.

Run as a script, this file is that other parser: ``test_real_pages.py ORIGIN FILE...`` prints one JSON line a page.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from ada_url import URL
from bs4 import BeautifulSoup

from scraper.parse.extract import Extractor, Plan
from scraper.records import Page

DOCUMENTATION: Final = Path("/usr/share/doc/postgresql-doc-15/html")
PAGES: Final = sorted(DOCUMENTATION.glob("*.html"))
NGINX: Final = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"]))

needs_pages = pytest.mark.skipif(not PAGES, reason="the Debian package postgresql-doc-15 is not installed")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian package nginx-light)")

#: All that nginx writes lies below its prefix. `user` only when root: the worker must read a folder nobody else may.
CONFIG: Final = """\
{user}
worker_processes 1;
daemon off;
pid nginx.pid;
error_log error.log;
events {{ worker_connections 1024; }}
http {{
    types {{ text/html html; }}
    access_log off;
    keepalive_timeout 60s;
    keepalive_requests 100000;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port} backlog=512;
        root {root};
    }}
}}
"""


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[str]:
    """The documentation behind an nginx of one worker; gives the origin, as in http://127.0.0.1:8123."""
    for _ in range(3):  # a port that was free a moment ago may be taken when nginx binds it
        server, port = _start_nginx(tmp_path)
        if _is_up(server, tmp_path / "nginx.pid"):
            break
        _stop(server)
    else:
        pytest.fail("nginx did not start: " + (tmp_path / "stderr.log").read_text(errors="replace"))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        _stop(server)


@needs_nginx
@needs_pages
def test_pages_of_a_documentation_give_what_another_parser_finds_in_their_files(
    origin: str, tmp_path: Path, cli: Callable[..., subprocess.CompletedProcess[str]], write_list: Callable[..., Path]
) -> None:
    """One record a page, no failure; title, h1 and links are those that html5lib finds in every third file."""
    urls = [f"{origin}/{path.name}" for path in PAGES]
    output = tmp_path / "out"
    polite_no_more = ["--allow-private", "--no-robots", "--delay", "0", "--per-host", "64", "--quiet"]
    run = cli("run", str(write_list(urls)), "-o", str(output), *polite_no_more)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert (output / "failures.jsonl").read_bytes() == b""
    records = [json.loads(line) for line in (output / "records.jsonl").read_text("utf-8").splitlines()]
    assert sorted(record["url"] for record in records) == urls
    found = {record["url"]: {name: record[name] for name in ("title", "h1", "links")} for record in records}
    expected = _by_another_parser(origin)
    assert [url for url in expected if found[url] != expected[url]] == []


@needs_pages
@pytest.mark.parametrize("path", PAGES[:: max(1, len(PAGES) // 60)], ids=lambda path: path.stem)
def test_both_engines_give_the_same_record_of_a_real_page(path: Path) -> None:
    """Default fields by turbohtml, and by BeautifulSoup with html5lib."""
    turbo, soup = _records(path.read_bytes())
    assert turbo == soup
    assert turbo["title"]
    assert turbo["text"]
    assert turbo["links"]


@pytest.mark.parametrize(
    ("markup", "name", "value"),
    [
        ("<template><h1>No</h1></template><h1>Yes</h1>", "h1", "Yes"),
        ("<template><a href=/no>no</a></template><a href=/yes>yes</a>", "links", ["http://site.example/yes"]),
        ("<template><base href=/no/></template><a href=yes>", "links", ["http://site.example/folder/yes"]),
        ("<base href=data:,x><a href=y>", "links", ["http://site.example/folder/y"]),
        ("<base href='javascript:0'><a href=y>", "links", ["http://site.example/folder/y"]),
        ("<base target=x><base href=/one/><base href=/two/><a href=y>", "links", ["http://site.example/one/y"]),
        ("<a href='#a'><a href='#a'><a href='http://['>", "links", ["http://site.example/folder/page#a"] * 2),
        ("<a href><a href=' y\n'>", "links", ["http://site.example/folder/page", "http://site.example/folder/y"]),
        ("<p>a<b>b</b><!-- c --> d<br>e<td>f<script>g</script><p>h<svg><title>i</title></svg>", "text", "ab d ef hi"),
        ("<p>a\t\n\r\f b\xa0\u2003 c\x85\x1cd \x0b e", "text", "a b\xa0\u2003 c\x85\x1cd \x0b e"),
        ("<ruby>a<rp>(</rp><rt>b</rt></ruby>", "text", "a(b"),
    ],
)
def test_both_engines_follow_the_standard_in_rare_markup(markup: str, name: str, value: object) -> None:
    """Templates, bases that do not count, white space that is none."""
    turbo, soup = _records(markup.encode())
    assert turbo[name] == value
    assert turbo == soup


def _records(body: bytes) -> list[dict[str, Any]]:
    """A page's record by each engine."""
    url = "http://site.example/folder/page"
    page = Page(url, url, 200, "2026-01-01T00:00:00.000Z", [("Content-Type", "text/html; charset=utf-8")], body)
    plans = Plan(), Plan(engine="beautifulsoup", builder="html5lib")
    return [json.loads(Extractor(plan)(page).lines) for plan in plans]


def _start_nginx(prefix: Path) -> tuple[subprocess.Popen[bytes], int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    user = "user root;" if os.geteuid() == 0 else ""
    (prefix / "nginx.conf").write_text(CONFIG.format(user=user, port=port, root=DOCUMENTATION))
    with (prefix / "stderr.log").open("wb") as log:
        return subprocess.Popen([str(NGINX), "-p", f"{prefix}/", "-c", "nginx.conf"], stdout=log, stderr=log), port


def _is_up(server: subprocess.Popen[bytes], pid_file: Path) -> bool:
    """Whether nginx wrote its pid file, which it does after it has bound the port; false when it ended instead."""
    give_up = time.monotonic() + 10
    while server.poll() is None and time.monotonic() < give_up:
        if pid_file.exists() and pid_file.read_text().strip() == str(server.pid):
            return True
        time.sleep(0.02)
    return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(5)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _by_another_parser(origin: str) -> dict[str, dict[str, Any]]:
    """What html5lib finds in files, by URL. It takes 40 ms a page: hence two processes, and not all."""
    paths = [str(path) for path in PAGES[::3]]
    commands = [[sys.executable, __file__, origin, *paths[start::2]] for start in range(2)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") for command in commands]
    printed = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    return dict(json.loads(line) for lines in printed for line in lines.splitlines())


def _extract(url: str, markup: str) -> dict[str, Any]:
    """Title, first heading and links of a page; none of the project's code takes part."""
    soup = BeautifulSoup(markup, "html5lib")
    links = [URL(anchor["href"], url).href for anchor in soup.find_all("a", href=True)]
    return {"title": _collapsed(soup.find("title")), "h1": _collapsed(soup.find("h1")), "links": links}


def _collapsed(element: Any) -> str | None:
    return None if element is None else re.sub("[ \t\n\f\r]+", " ", element.get_text()).strip(" ")


def _print_pages(origin: str, *names: str) -> None:
    for path in map(Path, names):
        url = f"{origin}/{path.name}"
        sys.stdout.write(json.dumps([url, _extract(url, path.read_text("utf-8"))]) + "\n")


if __name__ == "__main__":
    _print_pages(*sys.argv[1:])
