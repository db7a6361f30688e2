"""The lists of a run, one after the other, as one stream.

files, stdin, URLs of lists and of pages ──► open_sources ─┐
                                                           ├──► Lists ──► Target | Failure, and where each list ends
Python iterables ──────────────────────────► iter_targets ─┘
"""

from __future__ import annotations

import hashlib
import io
import itertools
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, cast

import msgspec

from scraper import urls
from scraper.errors import SourceError
from scraper.records import LIST, Failure, ListEnd, ListStart, Page, Stamp, Target
from scraper.source import entries
from scraper.source.reading import Reading
from scraper.source.selection import PLAIN, Choice, Selection
from scraper.source.sitemap import Fetch
from scraper.source.yaml_list import SHAPE

STDIN: Final = "-"
_LITERAL: Final = re.compile(r"https?://", re.IGNORECASE)
_SITEMAP: Final = re.compile(r"\.xml(\.gz)?$", re.IGNORECASE)
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")

Entry = Target | Failure


class Lists:
    """Some lists in their order.

    Attributes:
        identity: what tells them from others, for the directory that they are kept in: absolute paths and URLs, or a
            digest; empty if that cannot be told.
    """

    def __init__(self, lists: Sequence[_List], identity: Sequence[str]) -> None:
        self._lists = lists
        self.identity = list(identity)

    def __iter__(self) -> Iterator[Entry]:
        """The entries alone, without those that would have to be fetched."""
        return self.entries(_refuse)

    def entries(self, fetch: Fetch) -> Iterator[Entry]:
        """The entries alone; as `read`."""
        return (item for item in self.read({}, fetch) if isinstance(item, (Target, Failure)))

    def read(self, known: Mapping[str, Stamp], fetch: Fetch) -> Iterator[Entry | ListStart | ListEnd]:
        """Entries, and between them where lists start and end; a list that is as `known` is left out, but told of.

        One behind a list that has changed is read all the same: which of its entries are duplicates has changed, too.

        Args:
            known: lists as they were when they were read before, by name.
            fetch: gets a list that is elsewhere.

        Raises:
            SourceError: a list is malformed or cannot be read, or all of them together hold no entry.
        """
        empty = unchanged = True
        for each in self._lists:
            stamp = known.get(each.name)
            if unchanged and stamp is not None and each.is_unchanged(stamp):
                empty = False
                yield ListEnd(each.name, stamp, unread=True)
                continue
            unchanged = False
            yield ListStart(each.name)
            for entry in each.entries(fetch):
                empty = False
                yield entry
            yield ListEnd(each.name, each.stamp())
        if empty:
            raise SourceError(f"{self._named()}: no entry at all; {SHAPE}")

    def are_unchanged(self, known: Mapping[str, Stamp]) -> bool:
        """Whether all lists are as `known`."""
        return all(each.name in known and each.is_unchanged(known[each.name]) for each in self._lists)

    @property
    def is_in_memory(self) -> bool:
        """It is a Python object, which has no name."""
        return self.names == [ITEMS]

    @property
    def is_of_files(self) -> bool:
        """All of it is there, and can be read to the end at once."""
        return all(isinstance(each, (_File, _Remote)) for each in self._lists)

    @property
    def names(self) -> list[str]:
        """The names of the lists."""
        return [each.name for each in self._lists]

    def stamps(self) -> list[Stamp] | None:
        """The lists as they are now, without reading their entries; None if that cannot be told of all.

        Raises:
            SourceError: one cannot be read.
        """
        stamps = [each.look() for each in self._lists]
        known = [stamp for stamp in stamps if stamp is not None]
        return known if len(known) == len(stamps) else None

    def _named(self) -> str:
        return ", ".join(each.title for each in self._lists) or "no source given"


class _List:
    """One list; this one can neither be told from others nor read twice.

    Attributes:
        name: what tells it from others in a run.
        title: what people call it.
    """

    def __init__(self, name: str, title: str, items: Iterable[Entry]) -> None:
        self.name = name
        self.title = title
        self._items = items

    def entries(self, fetch: Fetch) -> Iterator[Entry]:  # noqa: ARG002  others need it
        yield from self._items

    def stamp(self) -> Stamp | None:
        """What tells whether it has changed, once its entries were read; None if that cannot be told."""
        return None

    def look(self) -> Stamp | None:
        """As `stamp`, without its entries having been read."""
        return self.stamp()

    def is_unchanged(self, stamp: Stamp) -> bool:
        return self.stamp() == stamp


class _InMemory(_List):
    """A list of which all is known from the beginning."""

    def __init__(self, name: str, title: str, items: Iterable[Entry], digest: str, size: int) -> None:
        super().__init__(name, title, items)
        self._stamp = Stamp(size, 0, digest)

    def stamp(self) -> Stamp:
        return self._stamp


class _File(_List):
    """A file."""

    def __init__(self, path: str, reading: Reading) -> None:
        """Look at it, without reading.

        Raises:
            SourceError: it is missing or unreadable.
        """
        try:
            with Path(path).open("rb"):
                pass
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from None
        super().__init__(str(Path(path).resolve()), path, ())
        self._reading = reading
        self._stamp: Stamp | None = None

    def entries(self, fetch: Fetch) -> Iterator[Entry]:
        try:
            with Path(self.title).open("rb") as stream:
                modified = Path(self.title).stat().st_mtime_ns
                hashed = _Hashed(stream)
                yield from self._reading.entries(cast(IO[bytes], hashed), self.title, self.title, fetch)
                while hashed.read(1 << 16):
                    pass  # what follows the list, that the digest be of the whole file
                self._stamp = Stamp(hashed.size, modified, hashed.digest.hexdigest())
        except OSError as error:
            raise _unreadable(self.title, error) from None

    def stamp(self) -> Stamp | None:
        return self._stamp

    def look(self) -> Stamp:
        try:
            with Path(self.title).open("rb") as stream:
                modified = Path(self.title).stat().st_mtime_ns
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
                return Stamp(stream.tell(), modified, digest)
        except OSError as error:
            raise _unreadable(self.title, error) from None

    def is_unchanged(self, stamp: Stamp) -> bool:
        try:
            if Path(self.title).stat().st_size != stamp.size:
                return False
        except OSError as error:
            raise _unreadable(self.title, error) from None
        # Not trusting an equal time alone: copying tools keep it, and hashing is far quicker than reading.
        return self.look().digest == stamp.digest


class _Stdin(_List):
    def __init__(self, reading: Reading) -> None:
        super().__init__(STDIN, "stdin", ())
        self._reading = reading

    def entries(self, fetch: Fetch) -> Iterator[Entry]:
        # Unbuffered: a read gives what is there already, and no lock is held by a thread that waits for more.
        buffered: Any = sys.stdin.buffer
        try:
            yield from self._reading.entries(getattr(buffered, "raw", buffered), self.title, "", fetch)
        except OSError as error:
            raise _unreadable(self.title, error) from None


class _Remote(_List):
    """A list that has to be fetched; nobody can tell whether it has changed since."""

    def __init__(self, url: str, reading: Reading) -> None:
        """Take it apart.

        Raises:
            SourceError: it is no URL.
        """
        try:
            self._target = msgspec.structs.replace(entries.target(url), kind=LIST)
        except urls.InvalidURL as error:
            raise SourceError(f"{error}; give a list file or the http(s) URL of one") from None
        super().__init__(self._target.href, self._target.url, ())
        self._reading = reading

    def entries(self, fetch: Fetch) -> Iterator[Entry]:
        result = fetch(self._target)
        if isinstance(result, Failure):
            raise SourceError(f"{self.title}: the list cannot be fetched: {result.message}")
        path = result.final_url.partition("?")[0]
        stream = io.BytesIO(result.body)
        yield from self._reading.entries(stream, self.title, path, fetch, href=result.final_url)


def _refuse(target: Target) -> Page | Failure:
    return Failure(target.url, "connect_error", "nothing is fetched here", attempts=0)


class _Hashed:
    """A binary stream that adds up what is read from it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.digest.update(data)
        self.size += len(data)
        return data

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def open_sources(args: Sequence[str], choice: Choice = PLAIN) -> Lists | Selection:
    """The entries of list files, lists elsewhere and literal URLs, in order.

    Args:
        args: paths of lists, ``-`` for standard input, http(s) URLs of sitemaps (``.xml``, ``.xml.gz``; with an
            `input_format`, of lists in that format), or literal http(s) URLs.
        choice: how they are to be read.

    Raises:
        SourceError: a list is missing or unreadable.
    """
    reading = Reading(choice.input_format, choice.column)
    lists: list[_List] = []
    for kind, group in itertools.groupby(args, lambda arg: _kind(arg, choice)):
        if kind is _InMemory:
            lists.append(_literals(list(group), len(lists)))
        elif kind is _Remote:
            lists += [_Remote(arg, reading) for arg in group]
        else:
            lists += [_Stdin(reading) if arg == STDIN else _File(arg, reading) for arg in group]
    return choice.of(
        Lists(lists, [arg if arg == STDIN or _is_literal(arg) else str(Path(arg).resolve()) for arg in args])
    )


def _kind(arg: str, choice: Choice) -> type[_List]:
    if not _is_literal(arg):
        return _File
    return _Remote if choice.input_format is not None or _SITEMAP.search(_path(arg)) else _InMemory


def _path(url: str) -> str:
    return re.split(r"[?#]", url, maxsplit=1)[0]


def can_be_opened(identity: str) -> bool:
    """Whether `open_sources` may read a list, of which this is the identity, once more."""
    return identity != STDIN and not identity.startswith(_DIGEST)


def _literals(args: list[str], place: int) -> _List:
    made = [entries.from_text(arg, "command line") for arg in args]
    packed = "\n".join(args).encode("utf-8", "surrogateescape")
    return _InMemory(f"command line {place}", ", ".join(args), made, hashlib.sha256(packed).hexdigest(), len(packed))


def iter_targets(
    items: Iterable[str | Mapping[str, Any] | Target],
    choice: Choice = PLAIN,
) -> Lists | Selection:
    """The entries of a Python iterable: URLs, mappings of the same shape as in a list, or ready targets.

    Raises:
        SourceError: `items` is a single text or mapping.
    """
    if isinstance(items, (str, bytes, Mapping)):
        raise SourceError('give a list of URLs, as in ["https://example.com/"], not a single one')
    made = (entries.from_any(item, f"item {number}") for number, item in enumerate(items, start=1))
    digest = _digest(items)
    if digest is None:
        return choice.of(Lists([_List(ITEMS, "the iterable of URLs", made)], []))
    return choice.of(Lists([_InMemory(ITEMS, "the list of URLs", made, *digest)], [_DIGEST + digest[0]]))


#: Name of a list that is a Python object.
ITEMS: Final = "items"
_DIGEST: Final = "sha256:"


def _digest(items: object) -> tuple[str, int] | None:
    """What tells a list of URLs in memory from another; None for what can be read only once."""
    if not isinstance(items, (list, tuple)):
        return None
    try:
        packed = msgspec.json.encode(items)
    except (TypeError, ValueError):
        return None
    return hashlib.sha256(packed).hexdigest(), len(packed)


def default_name(args: Sequence[str]) -> str:
    """The name of a run over these sources: that of the first list file, else the first URL's host."""
    for arg in args:
        if arg == STDIN:
            return "stdin"
        if not _is_literal(arg):
            name = Path(arg).name
            plain = Path(name[:-3] if name.lower().endswith(".gz") else name)
            return plain.stem.strip(".") or "run"
    for arg in args:
        try:
            return _UNSAFE.sub("-", urls.split(arg).host).strip("-.") or "run"
        except urls.InvalidURL:
            continue
    return "run"


def _is_literal(arg: str) -> bool:
    return _LITERAL.match(arg) is not None


def _unreadable(path: str, error: Exception) -> SourceError:
    reason = getattr(error, "strerror", None) or error
    # With a colon before the @ it was meant as a URL rather than as a file.
    shown = urls.redacted(path) if ":" in path.partition("@")[0] else path
    return SourceError(f"{shown}: cannot be read: {reason}; give a list file or an http(s) URL")
