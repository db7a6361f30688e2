"""The demo website's wall of sayings: a few to a page, in the markup of the year they were put up; and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from scraper.demo.layout import breadcrumb, escape, page, slug
from scraper.demo.reply import Reply

_PER_PAGE: Final = 5
#: From this page on the wall has its newer markup; the older pages were never touched again.
_NEWER: Final = 4


@dataclass(frozen=True, slots=True)
class Author:
    """Somebody on the wall; `born` as whoever wrote the label wrote dates."""

    name: str
    born: str
    place: str
    about: str

    @property
    def path(self) -> str:
        """Path of their page."""
        return f"/author/{slug(self.name)}"


@dataclass(frozen=True, slots=True)
class Saying:
    """One line of the wall; `liked` as it is printed."""

    text: str
    author: Author
    tags: tuple[str, ...]
    liked: str


_AUTHORS: Final = (
    Author("Hester Quill", "14 March 1871", "Saltmouth", "Kept the harbour office for fifty years, its cat for nine."),
    Author("Anselm Rook", "February 2, 1902", "Upper Wick", "Ferryman, later the ferry's only historian."),
    Author("Dagny Solheim", "3. mai 1888", "Bergvik", "Taught navigation to people who had meant to study singing."),
    Author("Bruno Ferrante", "21/11/1915", "Porto Lana", "Baker. Rose at two so that others could rise at eight."),
    Author("Ottilie Brandt", "30.09.1894", "Neustrand", "Mended nets, clocks and, when asked, sentences."),
)  # fmt: skip

_TEXTS: Final = (
    ("A harbour is a promise that the sea did not sign.", 0, "sea promises", "1,204"),
    ("The tide has never once been late, and nobody thanks it.", 1, "sea time", "987"),
    ("Learn the knot before you need the rope.", 2, "craft", "2,310"),
    ("Bread forgives everything except hurry.", 3, "craft bread time", "3,045"),
    ("What you mend twice you own.", 4, "craft", "812"),
    ("Fog is only the sky asking to be let in.", 0, "weather", "640"),
    ("I have carried kings and coal; coal tips better.", 1, "work", "1,911"),
    ("A chart is an opinion with good handwriting.", 2, "sea truth", "1,377"),
    ("The oven does not care what day it is.", 3, "work bread", "455"),
    ("A short sentence holds more water than a long one.", 4, "words", "2,001"),
    ("Never lend your pen to a man in a hurry.", 0, "words time", "733"),
    ("Both banks believe that they are this side.", 1, "truth", "4,150"),
    ("Stars are for finding the way, not for following.", 2, "truth sea", "1,688"),
    ("Salt at the start, sugar at the end, patience throughout.", 3, "bread", "598"),
    ("The clock is right twice a day and smug about it.", 4, "time truth", "1,256"),
    ("Write it down; the water will not.", 0, "words sea", "905"),
    ("The last boat is always the fullest.", 1, "work time", "377"),
    ("Steer small, and look far.", 2, "craft sea", "2,642"),
    ("A guest who brings flour may stay for supper.", 3, "bread", "1,120"),
    ("Thread the needle in the morning, thank yourself at dusk.", 4, "craft time", "488"),
    ("Every letter that came late came from somewhere.", 0, "words", "269"),
    ("Count the passengers, then count the oars.", 1, "work", "1,003"),
    ("If you cannot sing, at least keep time.", 2, "time", "714"),
    ("The crust is the part that was brave.", 3, "bread truth", "5,218"),
    ("Untangling is also a kind of reading.", 4, "craft words", "861"),
    ("It is only late if someone is standing on the quay.", 0, "time sea", "1,430"),
    ("A good landing is mostly a good beginning.", 1, "craft work", "652"),
    ("North is not a place to live.", 2, "truth", "1,745"),
)  # fmt: skip

SAYINGS: Final = tuple(Saying(text, _AUTHORS[by], tuple(tags.split()), liked) for text, by, tags, liked in _TEXTS)


def saying_pages(base: str) -> Iterator[tuple[str, Reply]]:
    """Every path of the wall with what it answers; `base` is the site's URL."""
    pages = [SAYINGS[start : start + _PER_PAGE] for start in range(0, len(SAYINGS), _PER_PAGE)]
    for number, sayings in enumerate(pages, start=1):
        yield _path(number), _wall(base, number, len(pages), sayings)
        yield f"/api/sayings?page={number}", _json(number, len(pages), sayings)
    for author in _AUTHORS:
        yield author.path, _author(base, author)


def _path(number: int) -> str:
    return "/sayings" if number == 1 else f"/sayings/{number}"


def _wall(base: str, number: int, pages: int, sayings: Sequence[Saying]) -> Reply:
    shown = "".join(map(_newer if number >= _NEWER else _older, sayings))
    after = f'<li class="next"><a href="{_path(number + 1)}">Next →</a></li>' if number < pages else ""
    before = f'<li class="previous"><a href="{_path(number - 1)}">← Previous</a></li>' if number > 1 else ""
    title = "Sayings" if number == 1 else f"Sayings, page {number}"
    body = (
        f"{breadcrumb(('/', 'Home'), here='Sayings')}<h1>Sayings of the harbour</h1>"
        f'<p class="lead">Page {number} of {pages}, also <a href="/api/sayings?page={number}">as JSON</a></p>'
        f'{shown}<ul class="pager list">{before}{after}</ul>'
    )
    return Reply(page(title, body, base=base, path=_path(number)).encode(), listed=False)


def _older(saying: Saying) -> str:
    tags = "".join(f'<a class="tag">{tag}</a> ' for tag in saying.tags)
    return (
        f'<div class="quote"><span class="text">“{escape(saying.text)}”</span>'
        f'<p class="byline">by <small class="author">{escape(saying.author.name)}</small> '
        f'<a class="about" href="{saying.author.path}">(about)</a></p><div class="tags">{tags}</div>'
        f'<p class="liked">liked {saying.liked} times</p></div>\n'
    )


def _newer(saying: Saying) -> str:
    tags = "".join(f'<li class="tag">{tag}</li>' for tag in saying.tags)
    return (
        f'<blockquote class="saying" data-likes="{saying.liked}"><p>“{escape(saying.text)}”</p>'
        f'<footer>— <cite><a rel="author" href="{saying.author.path}">{escape(saying.author.name)}</a></cite></footer>'
        f'<ul class="tags">{tags}</ul></blockquote>\n'
    )


def _author(base: str, author: Author) -> Reply:
    body = (
        f"{breadcrumb(('/', 'Home'), ('/sayings', 'Sayings'), here=author.name)}"
        f'<article class="author-details prose"><h1 class="author-title">{escape(author.name)}</h1>'
        f'<p>Born: <span class="author-born-date">{author.born}</span> '
        f'<span class="author-born-location">in {escape(author.place)}</span></p>'
        f'<div class="author-description"><p>{escape(author.about)}</p></div></article>'
    )
    text = page(author.name, body, base=base, path=author.path, description=author.about)
    return Reply(text.encode(), listed=False)


def _json(number: int, pages: int, sayings: Sequence[Saying]) -> Reply:
    content: dict[str, Any] = {
        "page": number,
        "pages": pages,
        "next": f"?page={number + 1}" if number < pages else None,
        "sayings": [
            {
                "text": saying.text,
                "author": {"name": saying.author.name, "url": saying.author.path},
                "tags": list(saying.tags),
                "likes": int(saying.liked.replace(",", "")),
            }
            for saying in sayings
        ],
    }
    return Reply(json.dumps(content).encode(), content_type="application/json", listed=False)
