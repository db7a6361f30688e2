"""Links to follow: pages that other pages add to the run, with a real server, the real command and real processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import scraper

FLAGS = ["--allow-private", "--no-robots", "--delay", "0", "--quiet"]
QUICK: dict[str, Any] = {"allow_private": True, "robots": False, "delay": 0, "fetch_workers": 4, "parse_workers": 0}


def catalogue(pages: int = 5, wares: int = 4) -> Callable[[str], tuple[int, dict[str, str], bytes]]:
    """Pages that lead to the next one and to wares, every page to its neighbours' too, and some pages that fail."""

    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        kind, _, number = path.strip("/").partition("/")
        if kind == "page":
            n = int(number)
            links = "".join(f"<h3><a href=../ware/{n}-{i}>w</a></h3>" for i in range(wares))
            links += f"<h3><a href=/ware/{n - 1}-0#again>w</a></h3>" if n > 1 else ""
            after = f"<li class=next><a href={n + 1}>next</a>" if n < pages else ""
            return 200, {}, f"<title>P{n}</title>{links}{after}<a class=home href=/page/1>home</a>".encode()
        if kind == "ware":
            if number.endswith("-3"):
                return 404, {}, b"gone"
            return 200, {}, f"<title>W</title><h1>Ware {number}</h1><a class=rel href=/ware/1-0>r</a>".encode()
        return 404, {}, b"none"

    return answer


SETTINGS: dict[str, Any] = {
    "follow": [{"css": "li.next a", "limit": 50}, {"css": "h3 a", "fields": "ware"}],
    "sets": {"ware": {"fields": {"name": {"css": "h1", "required": True}}}},
}


def lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_catalogue_in_full(cli: Any, serve: Any, tmp_path: Path, workers: str) -> None:
    """From its first page: every ware once, with its type; the pages that only lead on give no record."""
    site = serve(catalogue())
    (tmp_path / "s.yaml").write_text(json.dumps(SETTINGS))
    done = cli("run", f"{site.url}/page/1", "-o", "out", "-s", "s.yaml", "--parse-workers", workers, *FLAGS)
    assert (done.returncode, done.stderr) == (0, "")
    records, failures = lines(tmp_path / "out/records.jsonl"), lines(tmp_path / "out/failures.jsonl")
    names = sorted(record["name"] for record in records)
    assert names == sorted(f"Ware {page}-{ware}" for page in range(1, 6) for ware in range(3))
    assert {record["type"] for record in records} == {"ware"}
    assert list(records[0]) == ["url", "final_url", "status", "fetched_at", "type", "name"]
    assert Counter(failure["error"] for failure in failures) == {"http_error": 5}
    assert set(site.hits.values()) == {1}
    summary = json.loads((tmp_path / "out/summary.json").read_bytes())
    assert summary["urls"] == {"total": 25, "ok": 20, "empty": 5, "failed": 5, "pending": 0, "duplicate": 0}
    assert (summary["followed"], summary["fill_rates"], summary["complete"]) == (24, {"ware.name": 1.0}, True)
    again = cli("run", f"{site.url}/page/1", "-o", "out", "-s", "s.yaml", *FLAGS)
    assert again.returncode == 0
    assert set(site.hits.values()) == {1}


def test_records_of_both_kinds(serve: Any) -> None:
    """Pages of the list give records too, if they have fields, and have no type; `scrape` follows as well."""
    site = serve(catalogue(2, 1))
    found = list(scraper.scrape([f"{site.url}/page/1"], settings=SETTINGS | {"fields": {"title": "title"}}, **QUICK))
    assert sorted((record["type"] or "", record.get("title") or record["name"]) for record in found) == [
        ("", "P1"),
        ("", "P2"),
        ("ware", "Ware 1-0"),
        ("ware", "Ware 2-0"),
    ]


def test_without_names_there_is_no_type(serve: Any) -> None:
    """Links within one set need no names."""
    site = serve(catalogue(3, 0))
    found = list(scraper.scrape([f"{site.url}/page/1"], fields={"t": "title"}, follow=["li.next a"], **QUICK))
    assert [record["t"] for record in found] == ["P1", "P2", "P3"]
    assert "type" not in found[0]


@pytest.mark.parametrize(
    ("rule", "pages"),
    [
        ({"css": ".next a"}, 9),
        ({"css": ".next a", "limit": 3}, 4),
        ({"css": ".next a", "limit": 0}, 1),
        ({"css": ".next a", "depth": 2}, 3),
        ({"css": [".none a", ".next a"]}, 9),
        ({"xpath": "//li[@class='next']/a"}, 9),
        ({"xpath": "//li[@class='next']/a/@href", "depth": 1}, 2),
        ({"css": ".next", "attr": "title"}, 1),
        ({"css": "body, .next a, .home"}, 9),
    ],
)
def test_rules(serve: Any, rule: dict[str, Any], pages: int) -> None:
    """Which links, how many of them, and how far from the list."""
    site = serve(catalogue(9, 0))
    found = list(scraper.scrape([f"{site.url}/page/1"], fields={"t": "title"}, follow=[rule], **QUICK))
    assert sorted(record["t"] for record in found) == [f"P{n}" for n in range(1, pages + 1)]
    assert sum(site.hits.values()) == pages


def test_limit_is_of_the_run(serve: Any, tmp_path: Path) -> None:
    """However many pages its links are on, and over all of its sessions."""
    site = serve(catalogue(6, 3))
    settings = {"follow": [{"css": "h3 a", "limit": 4}], "fields": {"t": "title"}}
    urls = tmp_path / "urls.txt"
    urls.write_text("".join(f"{site.url}/page/{n}\n" for n in range(1, 4)))
    first = scraper.run(urls, settings=settings, output=tmp_path / "out", **QUICK)
    urls.write_text("".join(f"{site.url}/page/{n}\n" for n in range(1, 7)))
    second = scraper.run(urls, settings=settings, output=tmp_path / "out", **QUICK)
    assert (first.urls.total, first.followed, second.urls.total, second.followed) == (7, 4, 10, 4)


def test_hosts(serve: Any) -> None:
    """Links stay on their host, unless `hosts` lets them go elsewhere; never beyond http."""

    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        here = sites[0].url
        there = here.replace("127.0.0.1", "127.0.0.2")
        links = f"<a href=/b><a href={there}/c><a href=mailto:a@b.example><a href=javascript:0><a href='http://['>"
        return 200, {}, f"<title>{path}</title>{links if path == '/a' else ''}".encode()

    sites = [serve(answer)]
    start = [f"{sites[0].url}/a"]

    def titles(rule: dict[str, Any]) -> list[str]:
        rows = scraper.scrape(
            start, fields={"t": "title"}, follow=[{"css": "a", **rule}], on_failure=failed.append, **QUICK
        )
        return sorted(row["t"] for row in rows)

    failed: list[Any] = []
    assert (titles({}), failed) == (["/a", "/b"], [])
    for hosts in ("127.0.0.2", ["*"], ["x.example", "127.0.0.2"]):
        titles({"hosts": hosts})
        assert [failure.url.rpartition("/")[2] for failure in failed] == ["c"]  # nobody listens there
        failed.clear()


def test_pages_of_an_api(serve: Any) -> None:
    """A JSON response names the next one."""

    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        page = int(path.rpartition("=")[2])
        body = {"items": [{"n": 10 * page + i} for i in range(2)], "next": f"?page={page + 1}" if page < 4 else None}
        return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()

    site = serve(answer)
    settings = {"records": {"json": "items"}, "fields": {"n": {"json": "n"}}, "follow": [{"json": "next"}]}
    found = list(scraper.scrape([f"{site.url}/api?page=1"], settings=settings, **QUICK))
    assert [record["n"] for record in found] == [10, 11, 20, 21, 30, 31, 40, 41]


def test_a_parser_beside_rules(serve: Any, tmp_path: Path) -> None:
    """Links are followed from the pages of a parser, too; also from those on which it fails."""
    site = serve(catalogue(3, 0))
    (tmp_path / "p.py").write_text(
        "def parse(page):\n    1 / ('P2' not in page.text)\n    return {'t': page.soup.title.string}"
    )
    failed: list[Any] = []
    found = list(
        scraper.scrape(
            [f"{site.url}/page/1"],
            settings={"follow": ["li.next a"]},
            parser=f"{tmp_path}/p.py:parse",
            on_failure=failed.append,
            **QUICK,
        )
    )
    assert ([record["t"] for record in found], [failure.error for failure in failed]) == (["P1", "P3"], ["parse_error"])


def test_robots_and_the_list_have_their_say(serve: Any) -> None:
    """What robots.txt forbids is no more asked for behind a link; a page of the list stays one."""
    wares = catalogue(1, 2)

    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        return (200, {}, b"User-agent: *\nDisallow: /ware/1-0\n") if path == "/robots.txt" else wares(path)

    site = serve(answer)
    failed: list[Any] = []
    urls = [f"{site.url}/ware/1-1", f"{site.url}/page/1"]
    found = list(
        scraper.scrape(
            urls, settings=SETTINGS | {"fields": {"t": "title"}}, on_failure=failed.append, **QUICK | {"robots": True}
        )
    )
    assert sorted((record["type"], record["t"]) for record in found) == [(None, "P1"), (None, "W")]
    assert [failure.error for failure in failed] == ["robots_disallowed"]


def test_kill_and_resume(serve: Any, tmp_path: Path) -> None:
    """Killed again and again on the way along a chain of pages, a run has everything once in the end."""
    site = serve(catalogue(40, 2))
    (tmp_path / "s.yaml").write_text(json.dumps(SETTINGS))
    command = [sys.executable, "-m", "scraper", "run", f"{site.url}/page/1", "-o", "out", "-s", "s.yaml", *FLAGS]
    seen = 0
    for _ in range(4):
        process = subprocess.Popen([*command, "--parse-workers", "1"], cwd=tmp_path)
        try:
            while process.poll() is None and sum(site.hits.values()) < seen + 20:
                pass
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        seen = sum(site.hits.values())
    assert subprocess.run(command, cwd=tmp_path, timeout=60).returncode == 0
    records = lines(tmp_path / "out/records.jsonl")
    assert Counter(record["name"] for record in records) == {f"Ware {p}-{w}": 1 for p in range(1, 41) for w in range(2)}
    assert json.loads((tmp_path / "out/summary.json").read_bytes())["urls"]["total"] == 120


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("follow: {css: a}", "s.yaml:1:1: follow must be a list of rules such as {css: li.next a}"),
        ("follow: [null]", "s.yaml:1:10: follow.0 needs one of css, xpath and json"),
        ("records: {json: a}", "s.yaml:1:1: records are JSON, where the default fields find nothing; name fields"),
        ("follow: [{attr: x}]", "s.yaml:1:10: follow.0 needs one of css, xpath and json"),
        ("follow: [{css: a, json: b}]", "s.yaml:1:10: follow.0 needs one of css, xpath and json"),
        ("follow: [{css: a, limt: 3}]", "s.yaml:1:19: unknown key 'limt' in follow.0; did you mean 'limit'?"),
        ("follow: [{css: a, depth: 0}]", "s.yaml:1:19: follow.0.depth must be a whole number of at least 1, not 0"),
        ("follow: [{css: a, hosts: a/b}]", "s.yaml:1:19: follow.0.hosts holds \"a/b\", which is not a host name"),
        ("follow: [{css: a, fields: b}]", "s.yaml:1:19: follow.0.fields names the set 'b', which is not there"),
        ("follow: [{css: a, fields: b}]\nsets: {bb: {fields: {t: h1}}}", "did you mean 'bb'?"),
        ("sets: {b: {fields: {type: h1}}}", "s.yaml:1:21: the field name 'type' is reserved where sets have names"),
        ("sets: {b: {filds: {t: h1}}}", "s.yaml:1:12: unknown key 'filds' in sets.b; did you mean 'fields'?"),
        ("sets: {b: {fields: {t: 'h1['}}}", "s.yaml:1:21: sets.b.fields.t: invalid CSS selector 'h1['"),
        ("follow: ['a[']", "s.yaml:1:10: follow.0: invalid CSS selector 'a['"),
        ("sets: {b: {}}\nparse: {parser: a.py:f}", "s.yaml:2:9: parse.parser and sets exclude each other"),
    ],
)  # fmt: skip
def test_what_is_wrong(cli: Any, tmp_path: Path, text: str, said: str) -> None:
    """One line with its place, before anything is fetched."""
    (tmp_path / "s.yaml").write_text(text)
    done = cli("run", "http://127.0.0.1:9/", "-o", "out", "-s", "s.yaml", *FLAGS)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert said in line


def test_all_errors_together(cli: Any, tmp_path: Path) -> None:
    """Selectors that do not compile are told with what else is wrong, by line."""
    (tmp_path / "s.yaml").write_text("fields:\n  a: 'h1['\n  b: {css: x, typ: text}\nfetch: {workers: 0}\n")
    done = cli("run", "http://127.0.0.1:9/", "-o", "out", "-s", "s.yaml", *FLAGS)
    assert [line.removeprefix("scraper: ").partition(": ")[0] for line in done.stderr.splitlines()] == [
        "s.yaml:2:3",
        "s.yaml:3:15",
        "s.yaml:4:9",
    ]
