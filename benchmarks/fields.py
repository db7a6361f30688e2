"""What fields in YAML cost: the field set of the comparison against the same taken by hand with turbohtml's own calls.

    pages ──► decoded once ──► by hand, by fields, by hand, by fields, ... ──► median of paired ratios

Both give the same values for every page, which is looked at first. They take turns over the whole corpus, and ratios
are taken within a turn: what disturbs the machine disturbs neighbours alike. Decoding is left out, since both would
share it.

    python benchmarks/fields.py [--rounds 15] [--pages DIR]
"""

from __future__ import annotations

import argparse
import gzip
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ada_url
import turbohtml
import yaml
from contestants import OWN_SETTINGS

from scraper import settings
from scraper.parse import engines
from scraper.parse.document import Document
from scraper.parse.fields import Spec

DOCUMENTATION = Path("/usr/share/doc/postgresql-doc-15/html")
Texts = list[tuple[str, str]]


def shown(text: str) -> str:
    """White space as a browser shows it; a no-break space is none."""
    return re.sub("[ \t\n\f\r]+", " ", text).strip(" ")


def by_hand(text: str, url: str) -> dict[str, Any]:
    """The record as somebody would write it who knows turbohtml."""
    document = turbohtml.parse(text, positions=False)
    title = document.select_one("title")
    h1 = document.select_one("h1")
    description = document.select_one("meta[name=description]")
    base = document.select_one("base[href]")
    start = url if base is None else ada_url.join_url(url, base.attr("href") or "")
    links = []
    for anchor in document.select("a[href]"):
        try:
            links.append(ada_url.join_url(start, (anchor.attr("href") or "").strip()))
        except ValueError:
            continue
    return {
        "title": None if title is None else shown(title.text),
        "h1": None if h1 is None else shown(h1.text),
        "links": links,
        "description": None if description is None else (description.attr("content") or "").strip(),
    }


def by_fields() -> Callable[[str, str], dict[str, Any]]:
    """The record by the settings of the comparison."""
    engine = engines.load("turbohtml", "lxml")
    spec = Spec(settings.load(yaml.safe_load(OWN_SETTINGS)).main, engine)

    def extract(text: str, url: str) -> dict[str, Any]:
        (record,) = spec.extract(Document(engine, text, url))
        return record

    return extract


def read(folder: Path) -> Texts:
    """Every page of a folder, with a URL."""
    paths = sorted([*folder.glob("*.html"), *folder.glob("*.html.gz")])
    opened = [
        (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes(), path) for path in paths
    ]
    return [(body.decode("utf-8", "replace"), f"http://pages.example/{path.name}") for body, path in opened]


def seconds(extract: Callable[[str, str], object], texts: Texts) -> float:
    """CPU seconds for all pages."""
    began = time.process_time()
    for text, url in texts:
        extract(text, url)
    return time.process_time() - began


def main() -> int:
    """Print the ratio; exit 1 if fields cost more than 15 % on top."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--pages", type=Path, default=DOCUMENTATION, help="a folder of .html or .html.gz files")
    arguments = parser.parse_args()
    texts = read(arguments.pages)
    if not texts:
        print(f"{arguments.pages} holds no pages; install the Debian package postgresql-doc-15, or give --pages")
        return 2
    extract = by_fields()
    other = sum(by_hand(*page) != extract(*page) for page in texts)
    ratios, hand, fields = [], [], []
    for _ in range(arguments.rounds):
        hand.append(seconds(by_hand, texts))
        fields.append(seconds(extract, texts))
        ratios.append(fields[-1] / hand[-1])
    ratio = statistics.median(ratios)
    print(f"{len(texts)} pages, {other} of them with other values; {arguments.rounds} rounds")
    print(f"by hand   {1000 * statistics.median(hand) / len(texts):.3f} ms of CPU a page")
    print(f"by fields {1000 * statistics.median(fields) / len(texts):.3f} ms of CPU a page")
    print(f"ratio     {ratio:.3f} (quartiles {', '.join(f'{q:.3f}' for q in statistics.quantiles(ratios, n=4))})")
    return int(ratio > 1.15)


if __name__ == "__main__":
    sys.exit(main())
