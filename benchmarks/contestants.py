"""Who takes part: how each is started, where it leaves its records, and what must be installed for it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from corpus import UrlList

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent  # put first on PYTHONPATH: the checkout beside this file is measured, not an installed version

# The robots rules, the delay and the guard against private addresses are off because the server is ours, on loopback.
OWN_FLAGS = ("--quiet", "--allow-private", "--no-robots", "--delay", "0", "--per-host", "64")
OWN_SETTINGS = """\
fields:
  title: {css: title}
  h1: {css: h1}
  links: {css: 'a[href]', attr: href, all: true, type: url}
  description: {css: 'meta[name=description]', attr: content}
"""


@dataclass(frozen=True)
class Job:
    """One run of one contestant: what to fetch, and an empty folder of its own to write to."""

    source: UrlList
    folder: Path


@dataclass(frozen=True)
class Contestant:
    """A program that turns a list of URLs into JSON lines with at least `url` and `title`."""

    name: str
    label: str
    modules: tuple[str, ...]
    install: str
    command: Callable[[Job], list[str]]
    records: str
    distribution: str  # whose version the table states
    named: bool = False  # takes part only if --only names it

    def missing(self) -> list[str]:
        """The modules this contestant needs and this Python does not have."""
        return [module for module in self.modules if importlib.util.find_spec(module) is None]


def _this(job: Job) -> list[str]:
    settings = job.folder / "settings.yaml"
    settings.write_text(OWN_SETTINGS)
    files = [str(job.source.yaml), "-o", str(job.folder / "run"), "-s", str(settings)]
    return [sys.executable, "-m", "scraper", "run", *files, *OWN_FLAGS]


def _stateless(job: Job) -> list[str]:
    command = _this(job)
    command[command.index("-o") + 1] = "-"
    return ["sh", "-c", 'exec "$@" > records.jsonl', "sh", *command]


def _plain(job: Job) -> list[str]:
    return [sys.executable, str(HERE / "peers/plain_loop.py"), str(job.source.text), str(job.folder / "records.jsonl")]


def _scrapy(job: Job) -> list[str]:
    spider = str(HERE / "peers/scrapy_spider.py")
    target = f"{job.folder / 'records.jsonl'}:jsonlines"
    source = f"source={job.source.text}"
    return [sys.executable, "-m", "scrapy", "runspider", spider, "-L", "ERROR", "-a", source, "-O", target]


CONTESTANTS = (
    Contestant(
        name="this",
        label="this tool",
        modules=("requests", "turbohtml", "msgspec"),
        install="pip install -e .",
        command=_this,
        records="run/records.jsonl",
        distribution="concurrent-scraper",
    ),
    Contestant(
        name="stateless",
        label="this tool, -o - (no state)",
        modules=("requests", "turbohtml", "msgspec"),
        install="pip install -e .",
        command=_stateless,
        records="records.jsonl",
        distribution="concurrent-scraper",
        named=True,
    ),
    Contestant(
        name="plain",
        label="requests + BeautifulSoup loop",
        modules=("requests", "bs4", "lxml"),
        install="pip install requests beautifulsoup4 lxml",
        command=_plain,
        records="records.jsonl",
        distribution="beautifulsoup4",
    ),
    Contestant(
        name="scrapy",
        label="Scrapy",
        modules=("scrapy",),
        install="pip install 'scrapy>=2.19,<2.20'",
        command=_scrapy,
        records="records.jsonl",
        distribution="scrapy",
    ),
)
