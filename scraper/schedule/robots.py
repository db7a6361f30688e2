"""What a site's robots.txt lets us fetch: RFC 9309, Robots Exclusion Protocol.

Pure: bytes in, verdicts out; no clock, no socket. How a fetch's status bears on the rules (§2.3.1) is the caller's.

protego matches. Reading the file stays here, as protego's own reading departs from the standard: group ``sc`` catches
agent ``scraper``, ``scraper/1.0`` does not (§2.2.1); of two names that mean us, one counts; a byte order mark voids the
first group; an unknown record between two user-agent lines parts them (§2.2.4); U+2028 ends a line. So it is given one
group for ``*``, in a spelling that it takes as it stands; see `_spelling`. What that does not put right, of §2.2.2:

- Where lengths are compared, characters other than letters, digits and ``-._/=`` count three octets, as if quoted.
- An allowed ``/index.html`` counts an octet too many.
"""

from __future__ import annotations

import codecs
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from protego import Protego

from scraper import urls

#: Bytes of a file that are parsed: the least that §2.5 allows.
MAX_SIZE: Final = 500 * 1024

#: What the default user agent is called in a robots.txt: the distribution's name, or the command's.
_DEFAULT_TOKENS: Final = ("concurrent-scraper", "scraper")

_TOKEN: Final = re.compile(r"[A-Za-z_-]+")
#: The name behind which a crawler hides that wants a browser's page: Mozilla/5.0 (compatible; NAME/1.0; …).
_COMPATIBLE: Final = re.compile(r"compatible;\s*([A-Za-z_-]+)", re.ASCII | re.IGNORECASE)

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_STARS: Final = re.compile(r"\*+")
#: The records that say something to us. Misspellings, and white space where the colon should be, are those that protego
#: understands: they stand in many a file, and whoever wrote them meant it.
_KINDS: Final = {
    **dict.fromkeys(("user-agent", "useragent", "user agent"), "agent"),
    **dict.fromkeys(("disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw"), "disallow"),
    "allow": "allow",
    **dict.fromkeys(("crawl-delay", "crawl delay"), "delay"),
}
_RECORD: Final = re.compile(rf"({'|'.join(_KINDS)})(?:\s*:|\s|$)(.*)", re.ASCII | re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Robots:
    """The rules of one origin for one crawler.

    Two files that say the same to us are equal.

    Attributes:
        crawl_delay: seconds between two requests, as the file asks for; None if it does not. Any finite number that
            is not negative, so the caller decides how much is too much.
    """

    crawl_delay: float | None = None
    #: A robots.txt with one group, for protego; empty if nothing is forbidden.
    _rules: str = ""

    @classmethod
    def parse(cls, content: bytes, agents: Sequence[str]) -> Robots:
        """The rules that a robots.txt has for the crawler with these product tokens; see `product_tokens`.

        Never raises: what cannot be read says nothing, and where nothing is said all is allowed (§2.2.2). Thus a page
        of HTML in place of the file gives `ALLOW_ALL`.
        """
        group = _merged(_lines(content), {agent.lower() for agent in agents if agent})
        delay = max(_delays(group["delay"]), default=None)
        rules = _written(_normal(group["disallow"]), _normal(group["allow"]))
        return cls(delay, rules) if rules or delay is not None else ALLOW_ALL

    def allows(self, href: str) -> bool:
        """Whether `href`, the WHATWG serialisation of an http(s) URL without fragment, may be fetched (§2.2.2).

        The longest pattern that matches decides, a tie allows, and so does silence.
        """
        if not self._rules:
            return True
        protego = (_matcher if len(self._rules) <= _LARGE else _large_matcher)(self._rules)
        # With an authority, lest that of //a/b be a.
        return protego.can_fetch("http://a" + _spelling(urls.take_apart(href).target), "*")


#: protego's objects take up to sixty times the memory of the text they are made of, so they are kept for hosts that are
#: busy, and for few of those with more than so many characters of rules.
_LARGE: Final = 8 * 1024
_matcher: Final = lru_cache(1024)(Protego.parse)
_large_matcher: Final = lru_cache(16)(Protego.parse)

#: Nothing is forbidden: one object for the many hosts whose file says so, or who have none.
ALLOW_ALL: Final = Robots()


def product_tokens(user_agent: str | None) -> tuple[str, ...]:
    """The names under which a robots.txt may mean a crawler, in lower case, the most telling first (§2.2.1).

    Args:
        user_agent: value of the User-Agent header; None for the default one.

    Returns:
        Nothing where no name is found: then only the rules for ``*`` apply.
    """
    if user_agent is None:
        return _DEFAULT_TOKENS
    found = (_COMPATIBLE.search(user_agent), _TOKEN.match(user_agent.strip()))
    names = (match[match.lastindex or 0].lower() for match in found if match)
    return tuple(dict.fromkeys(names))


def _lines(content: bytes) -> list[str]:
    """The lines within `MAX_SIZE`; one that is cut in two is dropped, since half a path means something else.

    Octets that are no UTF-8 stay what they are, so that a path in another charset still means itself. UTF-16 with a
    byte order mark, which the standard does not know, is how some editors save a text.
    """
    head = content[:MAX_SIZE]
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = head.decode("utf-16", "replace")
    else:
        text = head.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    lines = _LINE_END.split(text)
    if content[MAX_SIZE : MAX_SIZE + 1] not in (b"", b"\n", b"\r"):
        lines.pop()
    return lines


def _merged(lines: Iterable[str], agents: set[str]) -> defaultdict[str, set[str]]:
    """All groups that name us as one; if there is none, those for ``*`` (§2.2.1). Values by kind of record.

    Only rules end a row of user-agent lines, other records do not (§2.2.4). Crawl-delay is none of the standard's
    records, but counts as a rule here: that is how it is written, and else a group of nothing but a delay for ``*``
    would share the rules of the bad robot after it.
    """
    ours: defaultdict[str, set[str]] = defaultdict(set)
    everybody: defaultdict[str, set[str]] = defaultdict(set)
    for_us = for_all = names_end = False
    for line in lines:
        record = _RECORD.match(line.partition("#")[0].strip())
        if record is None:
            continue
        kind, value = _KINDS[record[1].lower()], record[2].strip()
        if kind == "agent" and names_end:
            for_us = for_all = False
        names_end = kind != "agent"
        if kind == "agent":
            token = _TOKEN.match(value)
            for_us |= token is not None and token[0].lower() in agents
            for_all |= value == "*"
        if for_us:
            ours[kind].add(value)
        if for_all:
            everybody[kind].add(value)
    return ours or everybody  # ours holds a name at least, if there was one


def _delays(values: Iterable[str]) -> Iterator[float]:
    for value in values:
        with suppress(ValueError):
            seconds = float(value)
            if math.isfinite(seconds) and seconds >= 0:
                yield seconds


def _normal(patterns: Iterable[str]) -> list[str]:
    """``*`` and a ``$`` at the end keep their meaning (§2.2.3), all else is as in a path; several ``*`` are one.

    Without patterns that no path can match: the empty one, and what starts with neither ``/`` nor ``*``.
    """
    normal = set()
    for pattern in patterns:
        text = pattern.removesuffix("$")
        normal.add("*".join(map(_spelling, _STARS.split(text))) + pattern[len(text) :])
    return sorted(text for text in normal if text.startswith(("/", "*")))


def _spelling(text: str) -> str:
    """The one spelling of all that mean the same octets (§2.2.2): ``~3F`` for ``?`` and for ``%3F``.

    By the letter of the standard reserved characters are the same quoted or not, ``/`` too, and in a query its examples
    want just that. With ``%`` in place of ``~`` protego would unquote again: octets that are no UTF-8 would be all the
    same, ``/a$`` would cover ``/a$b``, and ``/robots.txt?a`` would be /robots.txt.
    """
    quoted = quote_from_bytes(unquote_to_bytes(text.encode("utf-8", "surrogateescape")), "/=")
    return quoted.replace("~", "%7E").replace("%", "~")


def _written(disallow: list[str], allow: list[str]) -> str:
    """Normal patterns as a robots.txt for protego, empty if nothing is forbidden."""
    if not disallow:
        return ""
    # protego takes an allowed /index.html for / too, but not before a star, which says nothing at the end.
    allow = [text + "*" if text.endswith("/index.html") else text for text in allow]
    return "\n".join(["User-agent: *", *map("Disallow: ".__add__, disallow), *map("Allow: ".__add__, allow)])
