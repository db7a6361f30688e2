"""How lists are to be read, and a part of them: the first entries, or some at random."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from scraper.errors import UsageError
from scraper.records import ListEnd, ListStart, Stamp
from scraper.source.formats import FORMATS

if TYPE_CHECKING:
    from scraper.source.lists import Lists
    from scraper.source.origins import Entry
    from scraper.source.sitemap import Fetch


class Choice(Struct, frozen=True, omit_defaults=True):
    """How lists are to be read.

    Attributes:
        input_format: of all of them; None: by suffix or content.
        column: that has the URLs, in tables and JSON lines.
        limit: entries that are read, of all lists together.
        sample: of these, so many at random.
        seed: of the sample; the same one gives the same sample.
    """

    input_format: str | None = None
    column: str | None = None
    limit: int | None = None
    sample: int | None = None
    seed: int = 0

    def check(self) -> Choice:
        """Itself.

        Raises:
            UsageError: a value is of no use.
        """
        if self.input_format is not None and self.input_format not in FORMATS:
            raise UsageError(f"the input format must be one of {', '.join(FORMATS)}, not {self.input_format!r}")
        for name in ("limit", "sample"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise UsageError(f"the {name} must be a number of entries from 1 on, not {value!r}")
        if type(self.seed) is not int:
            raise UsageError(f"the seed must be a whole number, not {self.seed!r}")
        if self.column is not None and not isinstance(self.column, str):
            raise UsageError(f"the column must be a name, not {self.column!r}")
        return self

    def of(self, lists: Lists) -> Lists | Selection:
        """The lists, or the part of them that is wanted."""
        return lists if self.limit is None and self.sample is None else Selection(lists, self)


#: All entries, in whatever format the lists are.
PLAIN: Final = Choice()


class Selection:
    """A part of some lists, which is a list of its own: other than they, and than another part of them.

    Attributes:
        identity: as that of the lists: a run can go on with more of them.
    """

    def __init__(self, lists: Lists, choice: Choice) -> None:
        self._lists = lists
        self._choice = choice
        self.identity = lists.identity

    def __iter__(self) -> Iterator[Entry]:
        """The entries alone."""
        return iter(self._chosen(iter(self._lists)))

    def read(self, known: Mapping[str, Stamp], fetch: Fetch) -> Iterator[Entry | ListStart | ListEnd]:
        """As `Lists.read`; nothing is read beyond the limit."""
        stamp = self._stamp()
        if stamp is not None and known.get(self._name) == stamp:
            yield ListEnd(self._name, stamp, unread=True)
            return
        yield ListStart(self._name)
        yield from self._chosen(self._lists.entries(fetch))
        yield ListEnd(self._name, stamp)

    def are_unchanged(self, known: Mapping[str, Stamp]) -> bool:
        """Whether the lists are as they were when this part of them was read."""
        stamp = self._stamp()
        return stamp is not None and known.get(self._name) == stamp

    @property
    def is_in_memory(self) -> bool:
        """It is of a Python object, which has no name."""
        return self._lists.is_in_memory

    @property
    def is_of_files(self) -> bool:
        """As that of the lists."""
        return self._lists.is_of_files

    @property
    def _name(self) -> str:
        choice = self._choice
        return msgspec.json.encode([choice.limit, choice.sample, choice.seed, *self._lists.names]).decode()

    def _stamp(self) -> Stamp | None:
        """What tells whether any of the lists has changed."""
        stamps = self._lists.stamps()
        if stamps is None:
            return None
        digests = "\n".join(stamp.digest for stamp in stamps)
        return Stamp(sum(stamp.size for stamp in stamps), 0, hashlib.sha256(digests.encode()).hexdigest())

    def _chosen(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        first = itertools.islice(entries, self._choice.limit)
        return first if self._choice.sample is None else self._sample(first, self._choice.sample)

    def _sample(self, entries: Iterator[Entry], number: int) -> Iterator[Entry]:
        """`number` entries at random, in their order, by one pass over all (reservoir sampling, algorithm R)."""
        chance = random.Random(self._choice.seed)
        kept: list[tuple[int, Entry]] = []
        for place, entry in enumerate(entries):
            if place < number:
                kept.append((place, entry))
            elif (slot := chance.randrange(place + 1)) < number:
                kept[slot] = (place, entry)
        kept.sort(key=lambda each: each[0])
        return iter([entry for _, entry in kept])
