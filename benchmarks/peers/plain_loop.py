"""What people write first: one thread, a `requests.Session` and BeautifulSoup on lxml.

Usage:

    python plain_loop.py LIST.txt RECORDS.jsonl
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from urllib.parse import urljoin

import requests
from bs4 import BeautifulSoup, Tag, XMLParsedAsHTMLWarning


def main() -> None:
    """Fetch the listed URLs one after the other and write one record a line."""
    warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)  # XHTML, served and read as HTML by all contestants
    source, target = (Path(argument) for argument in sys.argv[1:])
    with requests.Session() as session, target.open("w", encoding="utf-8") as lines:
        for url in source.read_text().split():
            response = session.get(url, timeout=30)
            response.raise_for_status()
            lines.write(json.dumps(extract(url, response.content), ensure_ascii=False) + "\n")


def extract(url: str, body: bytes) -> dict[str, object]:
    """The record of one page: the four fields every contestant extracts."""
    soup = BeautifulSoup(body, "lxml")
    description = soup.select_one("meta[name=description]")
    return {
        "url": url,
        "title": _text(soup.select_one("title")),
        "h1": _text(soup.select_one("h1")),
        "links": [urljoin(url, str(link["href"])) for link in soup.select("a[href]")],
        "description": description.get("content") if description else None,
    }


def _text(tag: Tag | None) -> str | None:
    return tag.get_text().strip() if tag else None


if __name__ == "__main__":
    main()
