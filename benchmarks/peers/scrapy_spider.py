"""Scrapy, tuned for this job as its documentation advises: more concurrency, and everything off that is not needed.

Usage:

    python -m scrapy runspider scrapy_spider.py -L ERROR -a source=LIST.txt -O RECORDS.jsonl:jsonlines
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import scrapy
from scrapy.http import Response, TextResponse


class ListSpider(scrapy.Spider):
    """Fetch every URL of a list once and extract the four fields every contestant extracts."""

    name = "list"
    custom_settings = {  # noqa: RUF012 - an instance variable by Scrapy's own declaration
        "CONCURRENT_REQUESTS": 32,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 32,
        "DOWNLOAD_DELAY": 0,
        "AUTOTHROTTLE_ENABLED": False,
        "ROBOTSTXT_OBEY": False,
        "RETRY_ENABLED": False,
        "COOKIES_ENABLED": False,
        "REFERER_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
        "REMOTE_CONTROL_ENABLED": False,
        "FEED_EXPORT_ENCODING": "utf-8",
    }

    async def start(self) -> AsyncIterator[scrapy.Request]:
        """One request a line of the file named by `-a source=`, which Scrapy sets as an attribute."""
        for url in Path(str(vars(self)["source"])).read_text().split():
            # Each line is known to be distinct, so the filter for repeated requests would be work for nothing.
            yield scrapy.Request(url, dont_filter=True)

    def parse(self, response: Response, **_: object) -> Iterator[dict[str, object]]:
        """The record of one page."""
        if isinstance(response, TextResponse):
            yield {
                "url": response.url,
                "title": _text(response, "title"),
                "h1": _text(response, "h1"),
                "links": [response.urljoin(href) for href in response.css("a[href]::attr(href)").getall()],
                "description": response.css("meta[name=description]::attr(content)").get(),
            }


def _text(response: TextResponse, selector: str) -> str | None:
    found = response.css(selector)
    return found[0].xpath("string()").get("").strip() if found else None
