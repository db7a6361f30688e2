"""The lists of a run, one after the other, as one stream of entries, with where each list starts and ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from scraper.errors import SourceError
from scraper.records import Failure, ListEnd, ListStart, Page, Stamp, Target
from scraper.source.origins import Entry, File, Origin, Remote
from scraper.source.sitemap import Fetch
from scraper.source.yaml_list import SHAPE

#: Name of a list that is a Python object.
ITEMS: Final = "items"


class Lists:
    """Some lists in their order.

    Attributes:
        identity: what tells them from others, for the directory that they are kept in: absolute paths and URLs, or a
            digest; empty if that cannot be told.
    """

    def __init__(self, lists: Sequence[Origin], identity: Sequence[str]) -> None:
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
        return all(isinstance(each, (File, Remote)) for each in self._lists)

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


def _refuse(target: Target) -> Page | Failure:
    return Failure(target.url, "connect_error", "nothing is fetched here", attempts=0)
