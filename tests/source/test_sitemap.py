"""Sitemaps: their entries, and the sitemaps that indexes lead to."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest

from scraper.errors import SourceError
from scraper.records import LIST, Failure, Page, Target
from scraper.source import Choice, open_sources
from scraper.source.sitemap import Sitemaps

SPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"


def urlset(*urls: str) -> str:
    locs = "".join(f"<url><loc>{url}</loc></url>\n" for url in urls)
    return f"<?xml version='1.0' encoding='UTF-8'?>\n<urlset xmlns='{SPACE}'>\n{locs}</urlset>"


def index(*urls: str) -> str:
    locs = "".join(f"<sitemap><loc>{url}</loc></sitemap>\n" for url in urls)
    return f"<sitemapindex xmlns='{SPACE}'>{locs}</sitemapindex>"


class Web:
    """What can be fetched, by URL; and what was."""

    def __init__(self, **pages: str | bytes | Failure) -> None:
        self.pages = {f"https://a.example/{name}": page for name, page in pages.items()}
        self.asked: list[str] = []

    def __call__(self, target: Target) -> Page | Failure:
        assert target.kind == LIST
        self.asked.append(target.href)
        page = self.pages[target.href]
        if isinstance(page, Failure):
            return page
        return Page(target.url, target.href, 200, "", [], page.encode() if isinstance(page, str) else page)


def read(content: str | bytes, web: Web | None = None, href: str | None = None) -> list[Target | Failure]:
    data = content.encode() if isinstance(content, str) else content
    return [*Sitemaps(web or Web()).read(io.BytesIO(data), "s.xml", href)]


def test_entries() -> None:
    """What stands beside the URL is the input; other namespaces are left out."""
    (one, two, three) = read(
        f"<urlset xmlns='{SPACE}' xmlns:i='http://www.google.com/schemas/sitemap-image/1.1'>"
        "<url>\n<loc>\n https://a.example/?x=1&amp;y=2 </loc><lastmod>2026-01-01</lastmod><priority>0.5</priority>"
        "<i:image><i:loc>https://a.example/i.png</i:loc></i:image></url>"
        "<url><i:loc>https://no.example/</i:loc><loc><![CDATA[https://b.example/]]></loc></url>\n"
        "<url><lastmod>x</lastmod></url></urlset>"
    )
    assert one == Target(
        "https://a.example/?x=1&y=2", "https://a.example/?x=1&y=2", "a.example",
        input={"lastmod": "2026-01-01", "priority": "0.5"},
    )  # fmt: skip
    assert two == Target("https://b.example/", "https://b.example/", "b.example")
    assert isinstance(three, Failure)
    assert three.message == "s.xml:4: the entry is empty"


def test_index() -> None:
    """Followed in order, each once, also within one another and gzipped; what cannot be had fails by itself."""
    gone = Failure("u", "http_error", "the server answered 404 Not Found", 404)
    web = Web(
        one=urlset("https://x.example/1"),
        two=gzip.compress(urlset("https://x.example/2").encode()),
        more=index("https://a.example/one", "https://a.example/last", "https://a.example/more"),
        last=urlset("https://x.example/3"),
        gone=gone,
        html="<html>\n</html>",
        cut=urlset("https://x.example/4")[:-10],
    )
    names = ("one", "gone", "two", "html", "more", "cut", "one")
    entries = read(index(*(f"https://a.example/{name}" for name in names), "ftp://u:secret@b.example/"), web)
    assert [entry.url for entry in entries if isinstance(entry, Target)] == [
        f"https://x.example/{number}" for number in range(1, 5)
    ]
    assert web.asked == [f"https://a.example/{name}" for name in ("one", "gone", "two", "html", "more", "last", "cut")]
    failures = [(entry.url, entry.error, entry.status) for entry in entries if isinstance(entry, Failure)]
    assert failures == [
        ("https://a.example/gone", "http_error", 404),
        ("https://a.example/html", "invalid_url", None),
        ("https://a.example/cut", "invalid_url", None),
        ("ftp://b.example/", "invalid_url", None),
    ]
    messages = [entry.message for entry in entries if isinstance(entry, Failure)]
    assert messages[0] == "s.xml:2: the sitemap cannot be had: the server answered 404 Not Found"
    assert messages[1] == "s.xml:4: no sitemap, line 1: the root is <html>"
    assert not any("secret" in message for message in messages)


def test_relative_places() -> None:
    """The protocol has none, but where a sitemap came from tells what is meant."""
    web = Web(two=urlset("/page"))
    entries = read(index("two"), web, "https://a.example/one.xml")
    assert [entry.url for entry in entries] == ["https://a.example/page"]
    assert isinstance(read(index("two"))[0], Failure)


def test_indexes_without_end() -> None:
    """So deep and no deeper."""
    web = Web(**{f"i{number}": index(f"https://a.example/i{number + 1}") for number in range(20)})
    (failure,) = read(index("https://a.example/i0"), web)
    assert isinstance(failure, Failure)
    assert "too deep" in failure.message
    assert len(web.asked) < 6


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<html><body/></html>", "s.xml:1: the root is <html>"),
        ("<urlset><url><loc>https://a.example/</loc></url>", "s.xml:1: not well-formed"),
        ("<urlset>\n<url></urlset>", "s.xml:2: not well-formed"),
        ("", "s.xml:1: not well-formed"),
        ("<?xml version='1.0' encoding='x-nonsense'?><urlset/>", "s.xml:1: "),
        ("<!DOCTYPE urlset [<!ENTITY a 'aaaaaaaaaa'>]><urlset><url><loc>&a;</loc></url></urlset>", "document type"),
        ("<!DOCTYPE urlset SYSTEM 'http://a.example/x.dtd'><urlset/>", "document type"),
        ("<rss><channel/></rss>", "the root is <rss>"),
    ],
)
def test_what_is_no_sitemap(content: str, message: str) -> None:
    """Said in one line, with its place."""
    with pytest.raises(SourceError) as caught:
        read(content)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_element_beyond_measure() -> None:
    """Its text is kept up to a limit."""
    entries = read(urlset("https://a.example/" + "x" * 1_000_000))
    assert len(entries[0].url) <= 1 << 16


def test_a_sitemap_that_is_elsewhere() -> None:
    """A URL that ends in .xml, or any with a format; a literal URL stays a page."""
    web = Web(**{"sitemap.xml": urlset("https://x.example/1"), "list?x.xml": "https://x.example/2\n"})
    lists = open_sources(["https://a.example/page?sitemap.xml", "https://a.example/sitemap.xml"])
    assert [entry.url for entry in lists.entries(web)] == [  # type: ignore[union-attr]
        "https://a.example/page?sitemap.xml", "https://x.example/1"
    ]  # fmt: skip
    lists = open_sources(["https://a.example/list?x.xml"], Choice(input_format="txt"))
    assert [entry.url for entry in lists.entries(web)] == ["https://x.example/2"]  # type: ignore[union-attr]
    gone = Web(**{"sitemap.xml": Failure("u", "timeout", "too slow")})
    with pytest.raises(SourceError, match=r"^https://a.example/sitemap.xml: the list cannot be fetched: too slow"):
        list(open_sources(["https://u:p@a.example/sitemap.xml"]).entries(gone))  # type: ignore[union-attr]


def test_a_sitemap_file_leads_to_others(tmp_path: Path) -> None:
    """What an index in a file names is fetched."""
    path = tmp_path / "index.xml.gz"
    path.write_bytes(gzip.compress(index("https://a.example/one").encode()))
    lists = open_sources([str(path)])
    web = Web(one=urlset("https://x.example/1"))
    assert [entry.url for entry in lists.entries(web)] == ["https://x.example/1"]  # type: ignore[union-attr]
