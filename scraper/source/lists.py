"""The lists of a run, one after the other, as one stream.

files, stdin, literal URLs ──► open_sources ─┐
                                             ├──► Lists ──► Target | Failure (no http(s) URL), and where each list ends
Python iterables ────────────► iter_targets ─┘
"""

from __future__ import annotations

import hashlib
import itertools
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, cast

import msgspec

from scraper import urls
from scraper.errors import SourceError
from scraper.records import Failure, ListEnd, ListStart, Stamp, Target
from scraper.source import entries
from scraper.source.yaml_list import SHAPE, read_yaml

STDIN: Final = "-"
_LITERAL: Final = re.compile(r"https?://", re.IGNORECASE)
#: Formats a later version reads; taking them for YAML would give baffling errors.
_TO_COME: Final = frozenset({".txt", ".csv", ".tsv", ".jsonl", ".ndjson", ".xml", ".gz"})
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
        """The entries alone."""
        return (item for item in self.read({}) if isinstance(item, (Target, Failure)))

    def read(self, known: Mapping[str, Stamp]) -> Iterator[Entry | ListStart | ListEnd]:
        """Entries, and between them where lists start and end; a list that is as `known` is left out, but told of.

        One behind a list that has changed is read all the same: which of its entries are duplicates has changed, too.

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
            for entry in each.entries():
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
        return [each.name for each in self._lists] == [ITEMS]

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

    def entries(self) -> Iterator[Entry]:
        yield from self._items

    def stamp(self) -> Stamp | None:
        """What tells whether it has changed, once its entries were read; None if that cannot be told."""
        return None

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
    """A file of a format that its suffix tells."""

    def __init__(self, path: str) -> None:
        """Look at it, without reading.

        Raises:
            SourceError: it is missing, unreadable or in no known format.
        """
        suffix = Path(path).suffix.lower()
        if suffix in _TO_COME:
            raise SourceError(f"{path}: {suffix} lists are not available in this version; give a YAML list")
        try:
            with Path(path).open("rb"):
                pass
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from None
        super().__init__(str(Path(path).resolve()), path, ())
        self._stamp: Stamp | None = None

    def entries(self) -> Iterator[Entry]:
        try:
            with Path(self.title).open("rb") as stream:
                modified = Path(self.title).stat().st_mtime_ns
                hashed = _Hashed(stream)
                yield from read_yaml(cast(IO[bytes], hashed), self.title)
                while hashed.read(1 << 16):
                    pass  # what follows the document, that the digest be of the whole file
                self._stamp = Stamp(hashed.size, modified, hashed.digest.hexdigest())
        except OSError as error:
            raise _unreadable(self.title, error) from None

    def stamp(self) -> Stamp | None:
        return self._stamp

    def is_unchanged(self, stamp: Stamp) -> bool:
        try:
            if Path(self.title).stat().st_size != stamp.size:
                return False
            # Not trusting an equal time alone: copying tools keep it, and hashing is far quicker than reading.
            with Path(self.title).open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest() == stamp.digest
        except OSError as error:
            raise _unreadable(self.title, error) from None


class _Stdin(_List):
    def __init__(self) -> None:
        super().__init__(STDIN, "stdin", ())

    def entries(self) -> Iterator[Entry]:
        # Unbuffered: a read gives what is there already, and no lock is held by a thread that waits for more.
        buffered: Any = sys.stdin.buffer
        try:
            yield from read_yaml(getattr(buffered, "raw", buffered), self.title)
        except OSError as error:
            raise _unreadable(self.title, error) from None


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


def open_sources(args: Sequence[str]) -> Lists:
    """The entries of list files and literal URLs, in order.

    Args:
        args: paths of YAML lists, ``-`` for standard input, or literal http(s) URLs.

    Raises:
        SourceError: a list is missing, unreadable or in no known format.
    """
    lists: list[_List] = []
    for literal, group in itertools.groupby(args, _is_literal):
        if literal:
            lists.append(_literals(list(group), len(lists)))
        else:
            lists += [_Stdin() if arg == STDIN else _File(arg) for arg in group]
    return Lists(lists, [arg if arg == STDIN or _is_literal(arg) else str(Path(arg).resolve()) for arg in args])


def can_be_opened(identity: str) -> bool:
    """Whether `open_sources` may read a list, of which this is the identity, once more."""
    return identity != STDIN and not identity.startswith(_DIGEST)


def _literals(args: list[str], place: int) -> _List:
    made = [entries.from_text(arg, "command line") for arg in args]
    packed = "\n".join(args).encode("utf-8", "surrogateescape")
    return _InMemory(f"command line {place}", ", ".join(args), made, hashlib.sha256(packed).hexdigest(), len(packed))


def iter_targets(items: Iterable[str | Mapping[str, Any] | Target]) -> Lists:
    """The entries of a Python iterable: URLs, mappings of the same shape as in a list, or ready targets.

    Raises:
        SourceError: `items` is a single text or mapping.
    """
    if isinstance(items, (str, bytes, Mapping)):
        raise SourceError('give a list of URLs, as in ["https://example.com/"], not a single one')
    made = (entries.from_any(item, f"item {number}") for number, item in enumerate(items, start=1))
    digest = _digest(items)
    if digest is None:
        return Lists([_List(ITEMS, "the iterable of URLs", made)], [])
    return Lists([_InMemory(ITEMS, "the list of URLs", made, *digest)], [_DIGEST + digest[0]])


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
            return Path(arg).stem.strip(".") or "run"
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
    return SourceError(f"{path}: cannot be read: {reason}; give a list file or an http(s) URL")
