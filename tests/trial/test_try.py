"""`scraper try` as a user sees it: a page of a real server, pages saved, and text in colours."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scraper.trial import colour, saved, try_page

PAGE = b"<!doctype html><meta charset=utf-8><title>Lamp</title><p class=price>12 EUR</p><a href=/x>x</a>"
FIELDS = {
    "title": "title",
    "price": {"css": [".prize", ".price"], "type": "number"},
    "link": {"css": "a", "attr": "href", "type": "url"},
}


@pytest.fixture
def site(serve: Callable[..., Any]) -> Any:
    """One page, whatever is asked for."""
    return serve(lambda path: (200, {"Content-Type": "text/html", "Set-Cookie": "sid=s3cr3t"}, PAGE))


def test_what_is_shown(site: Any) -> None:
    """What was fetched, and a line for each selector."""
    report = try_page(f"{site.url}/a", {"fields": FIELDS}, {"fetch.allow_private": True})
    assert report.ok
    assert re.match(r"200, 95 bytes in \d\.\d\d s, utf-8 \(by its meta element\)\n", report.text)
    shown = re.sub(r"\x1b\[\d+m", "", report.text).splitlines()
    assert [line.rstrip() for line in shown[1:]] == [
        "title     1 × title  html > head > title",
        "price     0 × .prize",
        "              did you mean .price?",
        "price     1 × .price  html > body > p",
        "link      1 × a  html > body > a",
    ]
    record = json.loads(re.sub(r"\x1b\[\d+m", "", report.record or ""))
    assert (record["price"], record["link"]) == (12, f"{site.url}/x")


def test_save_and_read_again(site: Any, tmp_path: Path) -> None:
    """A saved page gives the same record, without network; with it is kept where it came from."""
    first = try_page(f"{site.url}/shop/a?b=1", {"fields": FIELDS}, {"fetch.allow_private": True}, tmp_path / "pages")
    (body,) = (tmp_path / "pages").glob("*.html")
    assert body.read_bytes() == PAGE
    assert "s3cr3t" not in (tmp_path / "pages/127.0.0.1_shop_a_b_1.meta.json").read_text()
    assert body.name == "127.0.0.1_shop_a_b_1.html"
    assert f"saved as {body}" in first.text
    site.close()
    again = try_page(str(body), {"fields": FIELDS}, {})
    assert again.record == first.record
    assert "95 bytes, utf-8" in again.text


def test_any_file(tmp_path: Path) -> None:
    """A page that somebody else saved, also gzipped; its links stay where it is."""
    path = tmp_path / "a.html.gz"
    path.write_bytes(gzip.compress(PAGE))
    report = try_page(str(path), {"fields": FIELDS}, {})
    assert json.loads(re.sub(r"\x1b\[\d+m", "", report.record or ""))["link"] == "file:///x"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.html.gz", b"no gzip", "cannot be read"),
        ("a.html", None, "not an http(s) URL, and no file is there"),
    ],
)
def test_what_cannot_be_read(cli: Any, tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    """One line, exit 2."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    done = cli("try", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert said in line


def test_broken_meta(cli: Any, tmp_path: Path) -> None:
    """What stands beside a page is checked too."""
    (tmp_path / "a.html").write_bytes(PAGE)
    (tmp_path / "a.meta.json").write_text('{"status": "x"}')
    done = cli("try", str(tmp_path / "a.html"))
    assert done.returncode == 2
    assert "a.meta.json" in done.stderr


def test_a_page_that_gives_nothing(cli: Any, tmp_path: Path) -> None:
    """A failure of the page is exit 1; no match of `records` is none. Nothing is coloured where nobody sees it."""
    path = tmp_path / "a.html"
    path.write_bytes(PAGE)
    failed = cli("try", str(path), "--set", "fields.x={css: h9, required: true}")
    assert failed.returncode == 1
    assert failed.stderr.endswith("missing_field: the required field 'x' found nothing\n")
    empty = cli("try", str(path), "--set", "records=h9")
    assert (empty.returncode, empty.stdout) == (0, "")
    assert "no record: nothing matched" in empty.stderr
    assert "\x1b" not in failed.stderr + empty.stderr


def test_colours_of_json() -> None:
    """Names, texts, numbers and words differ; the text stays the same."""
    text = '{\n  "a\\"": "b: 1",\n  "n": -1.5e3,\n  "w": [true, null]\n}'
    coloured = colour.json(text)
    assert re.sub(r"\x1b\[\d+m", "", coloured) == text
    assert coloured.count("\x1b[34m") == 3
    assert coloured.count("\x1b[32m") == 1
    assert coloured.count("\x1b[36m") == 1
    assert coloured.count("\x1b[35m") == 2


@pytest.mark.parametrize(
    "url", ["https://a.example/", "https://a.example/x/../y.html?q=ü#f", "https://a.example/" + "x" * 500]
)
def test_names_of_saved_pages(url: str) -> None:
    """Names that any file system takes."""
    name = saved._name(url)
    assert re.fullmatch(r"[\w.-]{1,100}", name, re.ASCII)
