"""Both engines over real pages: the same record descriptions give the same records, whatever builds the tree.

Run as a script, this file goes over every page instead of some, on all cores, and names those that differ:

    python tests/test_parity.py [--every N] [FOLDER ...]
"""

from __future__ import annotations

import argparse
import gzip
import multiprocessing
import os
import re
import sys
import time
from pathlib import Path
from typing import Any, Final

import pytest

from scraper import settings
from scraper.parse import engines
from scraper.parse.decode import decode
from scraper.parse.document import Document
from scraper.parse.fields import Spec

#: Debian's postgresql-doc-15 and python3-doc.
DOCUMENTATION: Final = Path("/usr/share/doc")
FOLDERS: Final = (DOCUMENTATION / "postgresql-doc-15/html", *sorted(DOCUMENTATION.glob("python3.*/html")))

URL: Final = "https://pages.example/folder/page.html"

SELECTORS: Final = (
    "title",
    "h1, h2, h3",
    "body > div",
    "div > p:first-child",
    "p + ul",
    "h2 ~ p",
    "ul li a",
    "*[id]",
    "[class~=title]",
    "[class|=c]",
    "[href^='http']",
    "[href$='.html']",
    "[href*='sql']",
    "[href^='#' i]",
    "a[title]:not([title=''])",
    "a:not([href])",
    ":is(h1, h2, h3) > a",
    ":is(ul, ol):not(.simple) > li",
    ":where(section, div) > p:last-child",
    "li:nth-child(2)",
    "li:nth-child(2n+1)",
    "li:nth-child(odd) > a",
    "li:nth-last-child(1)",
    "p:nth-of-type(3)",
    "p:nth-last-of-type(2)",
    "td:nth-child(-n+2)",
    "tr:nth-child(even) td",
    "p:first-of-type",
    "p:last-of-type",
    "p:only-child",
    "code:only-of-type",
    "div:has(> h2)",
    "li:has(ul)",
    "p:has(code):not(:has(a))",
    "tr:has(th) + tr",
    "section:has(> h2, > h3)",
    "dt:has(+ dd) code",
    "pre:not(:has(span))",
    ":not(div):not(span)[class]",
    "div:empty, p:empty, td:empty",
    "html:root > head > meta",
    "table tr > :nth-child(2)",
    "dl > dt:nth-of-type(odd)",
    "img[src]:not([alt])",
    "link[rel~='next' i]",
    "meta[name='GENERATOR' i]",
    "a.xref, a.reference, a.link",
    "div.toc dt > span > a",
    "input:checked, option:checked",
    "input:disabled, button:enabled",
    "[lang]",
    "em > code, strong > code, tt",
)

EXPRESSIONS: Final = (
    "//title",
    "//h2/text()",
    "//div[@class]/@class",
    "//li[position() = last()]",
    "//p[contains(., 'the')][2]",
    "//a[starts-with(@href, 'http')]/@href",
    "//*[@id][self::div or self::section]/@id",
    "//table//tr[th]/td[1]",
    "//dt/following-sibling::dd[1]",
    "//code/ancestor::p[1]",
    "//p[code and not(a)]",
    "//pre/preceding-sibling::p[1]",
    "count(//a)",
    "normalize-space(//h1)",
    "//a[re:test(@href, '^[a-z]+\\.html$')]/@href",
    "string-length(//body) > 1000",
)


def description() -> dict[str, Any]:
    """Settings that use every form of a field."""
    fields: dict[str, Any] = {f"css {selector}": {"css": selector, "all": True} for selector in SELECTORS}
    fields |= {f"xpath {expression}": {"xpath": expression, "all": True} for expression in EXPRESSIONS}
    return fields | {
        "links": {"css": "a[href]", "attr": "href", "type": "url", "all": True},
        "number": {"css": "p, td", "type": "number", "all": True},
        "integer": {"css": ["td", "li"], "type": "integer"},
        "date": {"css": "time, .date", "attr": "datetime", "type": "date"},
        "raw": {"css": "body", "type": "raw"},
        "html": {"css": "h1, h2, p, pre, dl, table", "type": "html", "all": True},
        "markdown": {"css": ["article", ".body", "body > div", "body"], "type": "markdown"},
        "tables": {"table": "table", "all": True},
        "count": {"count": "a"},
        "exists": {"exists": "table"},
        "jsonld": {"jsonld": ".", "all": True},
        "microdata": {"microdata": ".", "all": True},
        "title": {"opengraph": "title"},
        "viewport": {"meta": ["viewport", "generator"]},
        "items": {"each": "li, dt", "fields": {"link": {"css": "a", "attr": "href"}, "up": {"xpath": "name(..)"}}},
    }


SPECIFICATION: Final = settings.load({"fields": description()}).main
RECORDS: Final = settings.load(
    {
        "records": "div > div, section, table",
        "page": {"title": "title"},
        "fields": {
            "first": {"xpath": "*[1]"},
            "links": {"css": "a", "attr": "href", "all": True},
            "in": {"xpath": "name(..)"},
        },
    }
).main

#: What is known to differ, and why: in pages with this, fields whose names begin so.
KNOWN: Final = (
    # html5lib 1.1 is older than the element, and takes what it holds for a part of the page.
    (r"<template", ""),
    # BeautifulSoup knows that the first option of a list is chosen where none is marked, as the standard has it.
    (r"<select", "css input:checked, option:checked"),
    # Without a doctype, or with an old one, class names are the same in any case; BeautifulSoup tells them apart.
    (r"^(?!\s*(?:<!--.*?-->\s*|<\?xml.*?\?>\s*)*<!doctype html\s*>)", "css "),
)


def comparable(name: str, value: Any) -> Any:
    """A value without what markup may have either way.

    The order of attributes: html5lib moves some of SVG's. The line feed that begins a pre: html5lib keeps some of them.
    """
    if name == "html":
        value = [re.sub(r"(<pre[^>]*>)\n+", r"\1", _ATTRIBUTES.sub(_in_order, markup)) for markup in value]
    return re.sub("\n+", "\n", value) if name == "raw" else value


_ATTRIBUTES: Final = re.compile(r"(?<=<)([a-zA-Z0-9:-]+)((?: [^\s=<>\"]+=\"[^\"]*\"){2,})(?=>)")


def _in_order(found: re.Match[str]) -> str:
    return found[1] + "".join(sorted(re.findall(r" [^\s=<>\"]+=\"[^\"]*\"", found[2])))


def differences(path: Path) -> list[str]:
    """Fields of a page that the engines do not agree on, but for what is known."""
    body = path.read_bytes()
    text = decode(gzip.decompress(body) if path.suffix == ".gz" else body, None).text
    known = tuple(start for pattern, start in KNOWN if re.search(pattern, text, re.IGNORECASE | re.DOTALL))
    found: set[str] = set()
    for main in (SPECIFICATION, RECORDS):
        turbo, soup = (
            Spec(main, engine).extract(Document(engine, text, URL, "2026-01-01T00:00:00Z"))
            for engine in (engines.load("turbohtml", "lxml"), engines.load("beautifulsoup", "html5lib"))
        )
        if len(turbo) != len(soup):
            found.add("records")
        for one, other in zip(turbo, soup, strict=False):
            found.update(name for name in one if comparable(name, one[name]) != comparable(name, other[name]))
    return sorted(name for name in found if not name.startswith(known))


def pages(folders: tuple[Path, ...]) -> list[Path]:
    """Every page of some folders, once: documentation has links to folders."""
    found = [path for folder in folders for path in folder.rglob("*") if path.name.endswith((".html", ".html.gz"))]
    return sorted({path.resolve() for path in found})


PAGES: Final = pages(FOLDERS)


@pytest.mark.skipif(not PAGES, reason="the Debian packages postgresql-doc-15 and python3-doc are not installed")
@pytest.mark.parametrize("path", PAGES[7 :: max(1, len(PAGES) // 24)], ids=lambda path: path.stem)
def test_the_same_records_of_a_real_page(path: Path) -> None:
    """Every form of a field, and more than fifty selectors."""
    assert differences(path) == []


def main() -> int:
    """Go over all pages; exit 1 if any differs."""
    parser = argparse.ArgumentParser(description="Compare the engines over real pages.")
    parser.add_argument("folders", type=Path, nargs="*", default=list(FOLDERS))
    parser.add_argument("--every", type=int, default=1, help="only every so many pages")
    arguments = parser.parse_args()
    chosen = pages(tuple(arguments.folders))[:: arguments.every]
    began, differing = time.monotonic(), 0
    with multiprocessing.Pool(len(os.sched_getaffinity(0))) as pool:
        for path, found in zip(chosen, pool.imap(differences, chosen), strict=True):
            if found:
                differing += 1
                print(f"{path}: {', '.join(found)}", flush=True)
    fields = len(SPECIFICATION.fields or {}) + len(RECORDS.fields or {})
    print(f"{len(chosen)} pages, {fields} fields, {differing} pages differ; {time.monotonic() - began:.0f} s")
    return int(differing > 0)


if __name__ == "__main__":
    sys.exit(main())
