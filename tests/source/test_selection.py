"""A part of lists: the first entries, or some at random, the same ones each time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scraper.records import Failure, ListEnd, Page, Stamp, Target
from scraper.source import Choice, iter_targets, open_sources

URLS = [f"https://a.example/{number}" for number in range(1000)]


def nothing(_: Target) -> Page | Failure:
    raise AssertionError("there is nothing to fetch")


def chosen(**choice: Any) -> list[str]:
    return [entry.url for entry in iter_targets(URLS, Choice(**choice))]


def test_limit() -> None:
    """The first ones; nothing is read beyond them."""
    assert chosen(limit=3) == URLS[:3]
    assert chosen(limit=5000) == URLS

    def endless() -> Iterator[str]:
        yield from URLS[:3]
        raise AssertionError("nobody asked for more")

    assert len(list(iter_targets(endless(), Choice(limit=3)))) == 3


def test_sample() -> None:
    """As many as asked for, each once, in the order of the list; another seed gives others."""
    one = chosen(sample=50)
    assert one == chosen(sample=50) == chosen(sample=50, seed=0)
    assert one == sorted(set(one), key=URLS.index)
    assert len(one) == 50
    assert one != chosen(sample=50, seed=1)
    assert one[-1] != URLS[49], "not the first ones"
    assert chosen(sample=5000) == URLS
    assert set(chosen(limit=100, sample=50)) <= set(URLS[:100])


def test_a_sample_is_fair() -> None:
    """Every entry has the same chance, the first and the last as well."""
    counts = dict.fromkeys(range(20), 0)
    for seed in range(2000):
        for entry in iter_targets(URLS[:20], Choice(sample=5, seed=seed)):
            counts[int(entry.url.rpartition("/")[2])] += 1
    assert all(400 < count < 600 for count in counts.values()), counts


def test_a_part_is_a_list_of_its_own(tmp_path: Path) -> None:
    """Known by what was chosen and by the whole lists; neither is mistaken for the other."""
    path = tmp_path / "l.txt"
    path.write_text("\n".join(URLS))
    args = [str(path), "https://b.example/"]

    def ends(known: dict[str, Stamp], **choice: Any) -> tuple[dict[str, Stamp], int]:
        items = [*open_sources(args, Choice(**choice)).read(known, nothing)]
        found = {item.name: item.stamp for item in items if isinstance(item, ListEnd)}
        assert all(stamp is not None for stamp in found.values())
        return found, sum(isinstance(item, Target) for item in items)  # type: ignore[return-value]

    known, number = ends({}, limit=10)
    assert number == 10
    assert open_sources(args, Choice(limit=10)).are_unchanged(known)
    assert ends(known, limit=10) == (known, 0)
    for other in ({"limit": 11}, {"sample": 10}, {"limit": 10, "sample": 5}):
        assert not open_sources(args, Choice(**other)).are_unchanged(known)
        assert ends(known, **other)[1] > 0
    whole, number = ends(known)
    assert number == 1001
    assert not open_sources(args, Choice(limit=10)).are_unchanged(whole)
    path.write_text("\n".join(URLS[::-1]))
    assert not open_sources(args, Choice(limit=10)).are_unchanged(known)
    assert ends(known, limit=10)[1] == 10


def test_a_part_of_what_nobody_can_tell() -> None:
    """Of a stream no part is known either."""
    lists = iter_targets(iter(URLS), Choice(limit=3))
    items = [*lists.read({}, nothing)]
    assert isinstance(items[-1], ListEnd)
    assert items[-1].stamp is None
    assert not lists.are_unchanged({})


def test_it_is_what_the_lists_are(tmp_path: Path) -> None:
    """For the directory of the run: its identity is that of the lists."""
    path = tmp_path / "l.txt"
    path.write_text("https://a.example/")
    assert open_sources([str(path)], Choice(limit=1)).identity == [str(path)]
    assert iter_targets(URLS, Choice(limit=1)).is_in_memory
    assert open_sources([str(path)], Choice(limit=1)).is_of_files
    with pytest.raises(Exception, match="give a list of URLs"):
        iter_targets("https://a.example/", Choice(limit=1))
