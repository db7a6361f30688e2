"""Where one list comes from: memory, a file, standard input, or another machine."""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Final, cast

import msgspec

from scraper import urls
from scraper.errors import SourceError
from scraper.records import LIST, Failure, Stamp, Target
from scraper.source import entries
from scraper.source.reading import Reading
from scraper.source.sitemap import Fetch

STDIN: Final = "-"

Entry = Target | Failure


class Origin:
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


class InMemory(Origin):
    """A list of which all is known from the beginning."""

    def __init__(self, name: str, title: str, items: Iterable[Entry], digest: str, size: int) -> None:
        super().__init__(name, title, items)
        self._stamp = Stamp(size, 0, digest)

    def stamp(self) -> Stamp:
        return self._stamp


class File(Origin):
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


class Stdin(Origin):
    """Standard input; once."""

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


class Remote(Origin):
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


def _unreadable(path: str, error: Exception) -> SourceError:
    reason = getattr(error, "strerror", None) or error
    # With a colon before the @ it was meant as a URL rather than as a file.
    shown = urls.redacted(path) if ":" in path.partition("@")[0] else path
    return SourceError(f"{shown}: cannot be read: {reason}; give a list file or an http(s) URL")
