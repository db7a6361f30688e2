"""Sitemaps (sitemaps.org, protocol 0.9): lists of URLs, and indexes of further sitemaps, which are followed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple
from xml.parsers import expat

import msgspec

from scraper import urls
from scraper.errors import SourceError
from scraper.records import LIST, Failure, Page, Target
from scraper.source import entries
from scraper.source.bytestream import CHUNK, Readable, unpacked

#: Indexes within indexes, and sitemaps of one list.
DEEPEST: Final = 5
MOST: Final = 50_000

#: Characters of an element's text that are kept.
LONGEST: Final = 1 << 16

_SHAPE: Final = "a sitemap is XML with <urlset> or <sitemapindex> at its root"

Fetch = Callable[[Target], Page | Failure]


class Loc(NamedTuple):
    """An entry of a sitemap.

    Attributes:
        url: where it points to.
        further: its other elements.
        line: where it begins.
    """

    url: str
    further: dict[str, str]
    line: int


class Malformed(Exception):
    """It is no sitemap; the message says where and why."""


class Sitemaps:
    """A sitemap and all that it leads to."""

    def __init__(self, fetch: Fetch) -> None:
        """`fetch` gets further sitemaps."""
        self._fetch = fetch
        self._seen: set[str] = set()

    def read(self, stream: Readable, name: str, href: str | None = None) -> Iterator[Target | Failure]:
        """Stream the entries of a sitemap, those of an index by way of the sitemaps that it names.

        A sitemap that an index names and that cannot be had is a failure, and those behind it come all the same.

        Args:
            stream: its bytes, unpacked.
            name: of it, for messages.
            href: where it came from, if it was fetched.

        Raises:
            SourceError: this one is no sitemap.
        """
        if href is not None:
            self._seen.add(href)
        try:
            yield from self._entries(stream, name, href, 1)
        except Malformed as error:
            raise SourceError(f"{name}:{error}; {_SHAPE}") from None

    def _entries(self, stream: Readable, name: str, href: str | None, depth: int) -> Iterator[Target | Failure]:
        parser = _Parser()
        while data := stream.read(CHUNK):
            for loc in parser.feed(data):
                place = f"{name}:{loc.line}"
                if parser.is_index:
                    yield from self._follow(loc.url, place, href, depth)
                else:
                    yield _entry(loc, place, href)
        parser.close()

    def _follow(self, url: str, place: str, base: str | None, depth: int) -> Iterator[Target | Failure]:
        try:
            parts = urls.split(url, base)
        except urls.InvalidURL as error:
            yield entries.invalid(url, f"a sitemap, {error}", place)
            return
        if parts.href in self._seen:
            return
        self._seen.add(parts.href)
        shown = entries.without_userinfo(url)
        if depth >= DEEPEST or len(self._seen) > MOST:
            yield entries.invalid(shown, "a sitemap too deep within indexes, or one too many", place)
            return
        target = Target(shown, parts.href, parts.host, authorization=parts.authorization, kind=LIST)
        result = self._fetch(target)
        if isinstance(result, Failure):
            message = f"{place}: the sitemap cannot be had: {result.message}"
            yield Failure(shown, result.error, message, result.status, attempts=0)
            return
        try:
            yield from self._entries(unpacked(_Once(result.body), shown), shown, result.final_url, depth + 1)
        except Malformed as error:
            yield entries.invalid(shown, f"no sitemap, line {error}", place)
        except SourceError as error:
            yield entries.invalid(shown, str(error), place)


def _entry(loc: Loc, place: str, base: str | None) -> Target | Failure:
    url = loc.url
    if base is not None and url:
        url = urls.join(base, url) or url  # the protocol asks for absolute ones, but not everybody keeps to that
    made = entries.from_text(url, place)
    if isinstance(made, Failure) or not loc.further:
        return made
    return msgspec.structs.replace(made, input=loc.further)


class _Once:
    """Bytes as a stream."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def read(self, size: int, /) -> bytes:
        data, self._data = self._data[:size], self._data[size:]
        return bytes(data)


class _Parser:
    """XML that comes in pieces; entries as soon as they are complete.

    No document type is accepted: a sitemap needs none, and entities that it defines could stand for anything.
    """

    def __init__(self) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._refuse
        self._parser = parser
        self._depth = 0
        self._space = ""
        self._line = 0
        self._name: str | None = None
        self._words: list[str] = []
        self._found: dict[str, str] = {}
        self._done: list[Loc] = []
        self.is_index = False

    def feed(self, data: bytes) -> list[Loc]:
        """Entries that are complete with this piece.

        Raises:
            Malformed: it is no sitemap.
        """
        self._parse(data, end=False)
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        """That was all.

        Raises:
            Malformed: it ends too early.
        """
        self._parse(b"", end=True)

    def _parse(self, data: bytes, *, end: bool) -> None:
        try:
            self._parser.Parse(data, end)
        except expat.ExpatError as error:
            raise Malformed(f"{error.lineno}: not well-formed: {expat.ErrorString(error.code)}") from None
        except (ValueError, LookupError) as error:  # an encoding that Python does not know
            raise Malformed(f"1: cannot be read: {error}") from None

    def _start(self, name: str, _: object) -> None:
        space, _, local = name.rpartition(" ")
        self._depth += 1
        if self._depth == 1:
            if local not in ("urlset", "sitemapindex"):
                raise Malformed(f"{self._parser.CurrentLineNumber}: the root is <{local[:80]}>")
            self.is_index = local == "sitemapindex"
            self._space = space
        elif self._depth == 2:
            self._line, self._found = self._parser.CurrentLineNumber, {}
        elif self._depth == 3 and space == self._space:
            self._name, self._words = local, []

    def _text(self, text: str) -> None:
        if self._name is not None and self._depth == 3 and sum(map(len, self._words)) < LONGEST:
            self._words.append(text)

    def _end(self, name: str) -> None:
        if self._depth == 3 and self._name is not None:
            self._found.setdefault(self._name, "".join(self._words)[:LONGEST].strip())
            self._name = None
        elif self._depth == 2 and name.rpartition(" ")[2] in ("url", "sitemap"):
            self._done.append(Loc(self._found.pop("loc", ""), self._found, self._line))
        self._depth -= 1

    def _refuse(self, *_: object) -> None:
        raise Malformed(f"{self._parser.CurrentLineNumber}: it has a document type, which no sitemap needs")
