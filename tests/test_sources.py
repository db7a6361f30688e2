"""Every kind of list from the command line and the library, through real runs."""

from __future__ import annotations

import contextlib
import gzip
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import responses

import scraper

QUICK = ("--no-robots", "--delay", "0", "--allow-private", "--parse-workers", "0", "--fetch-workers", "2")


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def pages(out: Path) -> list[str]:
    """Paths of the pages that gave a record."""
    return sorted("/" + row["url"].split("/", 3)[3] for row in rows(out / "records.jsonl"))


def summary(out: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((out / "summary.json").read_bytes())
    return read


@pytest.fixture
def sitemaps(serve: Any) -> Any:
    """A site with an index of two sitemaps, one of them gzipped, and one that is not there."""
    answers: dict[str, bytes] = {}

    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        if path.startswith("/gone"):
            return 404, {}, b"gone"
        if path in answers:
            return 200, {"Content-Type": "application/xml"}, answers[path]
        return 200, {}, f"<title>{path}</title>".encode()

    site = serve(answer)

    def locs(tag: str, *paths: str) -> str:
        return "".join(f"<{tag}><loc>{site.url}{path}</loc></{tag}>" for path in paths)

    answers["/sitemap.xml"] = (
        f"<sitemapindex>{locs('sitemap', '/one.xml', '/gone.xml', '/two.xml.gz')}</sitemapindex>".encode()
    )
    answers["/one.xml"] = f"<urlset>{locs('url', '/p1', '/p2')}</urlset>".encode()
    answers["/two.xml.gz"] = gzip.compress(f"<urlset>{locs('url', '/p3')}</urlset>".encode())
    site.answers = answers
    return site


def test_a_sitemap_from_afar(sitemaps: Any, cli: Any, tmp_path: Path) -> None:
    """Fetched like pages, politely; new pages in it are added by the same command; a missing part is a failure."""
    out = tmp_path / "out"
    command = ("run", f"{sitemaps.url}/sitemap.xml", "-o", "out", *QUICK)
    result = cli(*command)
    assert result.returncode == 0, result.stderr
    assert pages(out) == ["/p1", "/p2", "/p3"]
    (failure,) = rows(out / "failures.jsonl")
    assert (failure["url"], failure["error"], failure["status"]) == (f"{sitemaps.url}/gone.xml", "http_error", 404)
    assert summary(out)["urls"]["total"] == 4
    assert cli(*command).returncode == 0
    assert all(sitemaps.hits[f"/p{number}"] == 1 for number in (1, 2, 3))
    sitemaps.answers["/two.xml.gz"] = sitemaps.answers["/one.xml"].replace(b"/p2", b"/p4")
    assert cli(*command).returncode == 0
    assert pages(out) == ["/p1", "/p2", "/p3", "/p4"]
    assert sitemaps.hits["/p1"] == 1


def test_a_sitemap_file_and_its_delay(sitemaps: Any, cli: Any, tmp_path: Path) -> None:
    """An index in a file leads to what has to be fetched; robots.txt is not asked for its sake."""
    (tmp_path / "index.xml").write_bytes(sitemaps.answers["/sitemap.xml"])
    result = cli("run", "index.xml", *QUICK)
    assert result.returncode == 0, result.stderr
    assert pages(tmp_path / "output/index") == ["/p1", "/p2", "/p3"]


@pytest.mark.parametrize("path", ["/gone.xml", "/p1?.xml", "/p1.xml"])
def test_no_sitemap_there(sitemaps: Any, cli: Any, tmp_path: Path, path: str) -> None:
    """One line, exit 2, and no page was fetched; a URL with .xml in its query is a page."""
    result = cli("run", f"{sitemaps.url}{path}", "-o", "out", *QUICK)
    if "?" in path:
        assert result.returncode == 0
        return
    assert result.returncode == 2
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith(f"scraper: {sitemaps.url}{path}")
    assert not (tmp_path / "out").exists()


def test_several_formats_at_once(site: Any, cli: Any, tmp_path: Path) -> None:
    """Files and standard input, extras into `input`, bad rows with their place, duplicates counted once for all."""
    (tmp_path / "a.txt").write_text(f"# pages\n{site.url}/1\nnonsense\n{site.url}/2 # the second\n")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(f"sku;URL\nA-7;{site.url}/3\nB;{site.url}/1\n".encode()))
    lines = f'{{"url": "{site.url}/4", "n": [1]}}\n"{site.url}/5"\n{{"n": 1}}\n'
    result = cli("run", "a.txt", "b.csv.gz", "-", f"{site.url}/6", "-o", "out", *QUICK, input=lines)
    assert result.returncode == 0, result.stderr
    out = tmp_path / "out"
    assert pages(out) == [f"/{number}" for number in range(1, 7)]
    inputs = {row["url"][-1]: row.get("input") for row in rows(out / "records.jsonl")}
    assert inputs == {"1": None, "2": None, "3": {"sku": "A-7"}, "4": {"n": [1]}, "5": None, "6": None}
    messages = sorted(row["message"] for row in rows(out / "failures.jsonl"))
    assert messages == ["a.txt:3: not a valid URL: 'nonsense'", "stdin:3: the entry has no url"]
    assert summary(out)["urls"]["duplicate"] == 1


def test_column_and_format(site: Any, cli: Any, tmp_path: Path) -> None:
    """Named where they are not what is usual; a table without the column is told of in one line."""
    (tmp_path / "list.data").write_text(f"name,link\nx,{site.url}/1\n")
    result = cli("run", "list.data", "--input-format", "csv", "-o", "out", *QUICK)
    assert result.returncode == 2
    assert result.stderr == (
        "scraper: list.data:1: the table has no column 'url'; name one of its own with --column: name, link\n"
    )
    result = cli("run", "list.data", "--input-format", "csv", "--column", "link", "-o", "out", *QUICK)
    assert result.returncode == 0, result.stderr
    assert pages(tmp_path / "out") == ["/1"]
    assert cli("run", "list.data", "--input-format", "xls", "-o", "out", *QUICK).returncode == 2
    assert cli("run", "list.data", "--limit", "0", "-o", "out2", *QUICK).stderr.startswith("scraper: the limit must be")


def test_limit_and_more(site: Any, cli: Any, write_list: Any, tmp_path: Path) -> None:
    """The first ones; the same again is complete; more of them, or all, go on with the same run."""
    write_list([f"{site.url}/{number}" for number in range(20)])
    out = tmp_path / "out"
    for limit, expected in ((("--limit", "5"), 5), (("--limit", "5"), 5), (("--limit", "8"), 8), ((), 20)):
        result = cli("run", "urls.yaml", "-o", "out", *limit, *QUICK)
        assert result.returncode == 0, result.stderr
        assert len(pages(out)) == expected
        assert summary(out)["urls"]["duplicate"] == 0
    assert set(site.hits.values()) == {1}
    assert "nothing to fetch" in cli("run", "urls.yaml", "-o", "out", *QUICK).stderr


def test_sample(site: Any, cli: Any, write_list: Any, tmp_path: Path) -> None:
    """The same ones for the same seed, so that a run can be resumed."""
    write_list([f"{site.url}/{number}" for number in range(200)])
    assert cli("run", "urls.yaml", "-o", "one", "--sample", "10", *QUICK).returncode == 0
    assert cli("run", "urls.yaml", "-o", "two", "--sample", "10", *QUICK).returncode == 0
    assert cli("run", "urls.yaml", "-o", "three", "--sample", "10", "--seed", "5", *QUICK).returncode == 0
    one, two, three = (pages(tmp_path / name) for name in ("one", "two", "three"))
    assert len(one) == 10
    assert one == two != three
    again = cli("run", "urls.yaml", "-o", "one", "--sample", "10", *QUICK)
    assert "nothing to fetch" in again.stderr


@responses.activate
def test_the_library_takes_the_same(tmp_path: Path) -> None:
    """As keywords; for lists in memory, too."""

    def scrape(sources: Any, **keywords: Any) -> list[dict[str, Any]]:
        return list(scraper.scrape(sources, robots=False, delay=0, parse_workers=0, retries=0, **keywords))

    for number in range(5):
        responses.get(f"https://a.example/{number}", body="<title>x</title>", content_type="text/html")
    urls = [f"https://a.example/{number}" for number in range(5)]
    (tmp_path / "l.tsv").write_text("page\tn\n" + "".join(f"{url}\t{url[-1]}\n" for url in urls))
    assert len(scrape(urls, limit=2)) == 2
    records = scrape(str(tmp_path / "l.tsv"), column="page", sample=3, seed=1)
    assert len(records) == 3
    assert all(record["input"] == {"n": record["url"][-1]} for record in records)
    with pytest.raises(scraper.UsageError, match="the input format must be one of"):
        scrape(str(tmp_path / "l.tsv"), input_format="xls")
    with pytest.raises(TypeError, match="did you mean 'column'"):
        scrape(urls, colum="x")


def test_the_last_choice_counts(site: Any, cli: Any, write_list: Any, tmp_path: Path) -> None:
    """Later commands that read the list once more, told nothing of how, read it as the last one did."""
    write_list([f"{site.url}/{number}" for number in range(20)])
    for limit, number in ((("--limit", "5"), 5), (("--sample", "2"), None)):
        assert cli("run", "urls.yaml", "-o", "out", *limit, *QUICK).returncode == 0
        with contextlib.closing(sqlite3.connect(tmp_path / "out" / "state.db")) as database:
            (about,) = database.execute("SELECT value FROM meta WHERE name='about'").fetchone()
        assert json.loads(about)["choice"] == ({"sample": 2} if number is None else {"limit": number})


def test_a_limit_does_not_wait(site: Any, tmp_path: Path) -> None:
    """What might come later on standard input is not waited for."""
    command = [sys.executable, "-m", "scraper", "run", "-", "--limit", "2", "--sample", "2", "-o", "out", *QUICK]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        process.stdin.write("".join(f"{site.url}/{number}\n" for number in range(3)))
        process.stdin.flush()
        assert process.wait(30) == 0
    assert site.hits == {"/0": 1, "/1": 1}


def test_a_page_to_try_is_no_list(site: Any, cli: Any) -> None:
    """Though it is called like a sitemap."""
    done = cli("try", f"{site.url}/sitemap.xml", "--allow-private")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["url"] == f"{site.url}/sitemap.xml"
