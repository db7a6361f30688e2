"""URL rules by the WHATWG URL standard: one parser for what a list says, what goes on the wire and what a link means.

Differences between URL parsers are how guards are fooled, so nothing else in the project takes a URL apart.
"""

from __future__ import annotations

import base64
import re
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from ada_url import URL, join_url, normalize_url

#: What the URL parser drops wherever it stands (URL Standard §4.4).
_DROPPED: Final = r"[\t\n\r]*"
#: The possessive `*+` never gives back what it took: else a text of tabs alone would take the square of its length.
_HTTP: Final = _DROPPED.join("http") + f"{_DROPPED}s?{_DROPPED}:[/\\\\\t\n\r]*+"
#: Userinfo as the URL parser sees it: after http(s) and any number of slashes of either kind, or after two slashes, up
#: to the last @ before the path (URL Standard §4.4, authority state).
_USERINFO: Final = re.compile(
    rf"^([\x00-\x20]*+(?:{_HTTP}|(?:[a-z][a-z0-9+.-]*:)?[/\\]{{2,}}+))[^/\\?#]*@", re.IGNORECASE
)

#: What may stand for the @ behind a password in a text that is no URL: itself, encoded, or as other keyboards have it.
_AT: Final = re.compile("@|%40|\N{FULLWIDTH COMMERCIAL AT}|\N{SMALL COMMERCIAL AT}")
_SEPARATOR: Final = re.compile(r"([/\\?#])")
#: The beginning of such a text that holds no secret.
_BEGINNING: Final = re.compile(rf"\s*+(?:{_HTTP}|[a-z][a-z0-9+.-]*:(?=[/\\]{{2}}))?[/\\]*+", re.IGNORECASE)
#: A scheme within it, whose colon begins no password.
_SCHEME_WITHIN: Final = re.compile(r"https?:$", re.IGNORECASE)
#: An address for mail, whose @ follows no password.
_MAIL: Final = re.compile(r"\s*mailto:[^/\\:]*", re.IGNORECASE)


#: Characters that a URL may have. RFC 9110 §4.1 asks servers for 8,000; few take more than twice that.
LONGEST: Final = 1 << 16
_TOO_LONG: Final = f"a URL of more than {LONGEST:,} characters"


class Parts(NamedTuple):
    """An http(s) URL, taken apart.

    Attributes:
        href: serialisation without fragment and userinfo (URL Standard §4.5): what tells pages apart. So two spellings
            that differ in nothing but these are the same page; ``%7E`` and ``~`` are not, which the standard does not
            make the same.
        scheme: ``http`` or ``https``.
        host: as serialised: IDNA-encoded, IPv6 in brackets.
        port: the explicit or default port.
        target: path and query, as they go into the request line; never empty, always ASCII without spaces.
        authorization: Basic credentials made of the userinfo (RFC 7617), or None.
    """

    href: str
    scheme: str
    host: str
    port: int
    target: str
    authorization: str | None


class InvalidURL(ValueError):
    """Not an http(s) URL; the message says what is wrong with it."""


def split(text: str, base: str | None = None) -> Parts:
    """Parse an http(s) URL, relative to `base` if given.

    Raises:
        InvalidURL: it does not parse, has another scheme or is too long.
    """
    if len(text) > LONGEST:
        raise InvalidURL(_TOO_LONG)
    try:
        # Without a base there is a way that takes two thirds of the time: lists have millions of URLs.
        href = normalize_url(text) if base is None else URL(text, base).href
    except (ValueError, UnicodeEncodeError):
        raise InvalidURL(f"not a valid URL: {_shorten(text)}") from None
    if not href.startswith(("http://", "https://")):
        raise InvalidURL(f"not an http(s) URL: {_shorten(text)}")
    if len(href) > LONGEST:  # what is not ASCII grows
        raise InvalidURL(_TOO_LONG)
    return take_apart(href)


def take_apart(href: str) -> Parts:
    """As `split`, for a text that is the serialisation of an http(s) URL already.

    That is regular: authority, then a path that starts with a slash (URL Standard §4.5), so slicing will do. Calling
    the parser instead would let go of the interpreter lock several times a page.
    """
    scheme, _, rest = href.partition("://")
    authority, slash, path = rest.partition("#")[0].partition("/")
    userinfo, at, location = authority.rpartition("@")
    host, colon, port = location.rpartition(":")
    if not colon or location.endswith("]"):
        host, port = location, "443" if scheme == "https" else "80"
    target = slash + path
    return Parts(f"{scheme}://{location}{target}", scheme, host, int(port), target, _basic(userinfo) if at else None)


def origin(href: str) -> str:
    """Scheme, host and port of the serialisation of an http(s) URL without userinfo, as in ``https://example.com``."""
    return href[: href.index("/", len("https://"))]  # no host is empty, so this is behind the slashes of http:// too


def join(base: str, link: str) -> str | None:
    """Resolve `link` against `base`; None where it gives no valid URL. Any scheme; the fragment stays."""
    try:
        return join_url(base, link)  # less than half of what asking a URL object for its parts takes
    except (ValueError, UnicodeEncodeError):
        return None


def without_userinfo(text: str) -> str:
    """The list's own spelling of a URL, with any ``user:password@`` cut out; the rest is left as it was.

    What is no valid http(s) URL needs `redacted` instead: who wrote it meant as a password what the standard does not.
    """
    return _USERINFO.sub(r"\1", text) if "@" in text else text


def redacted(text: str) -> str:
    """A text that is no valid http(s) URL, without anything that might have been meant as a user name and password.

    It errs on the safe side. Whatever precedes an @ in its segment (of what ``/``, ``\\``, ``?`` and ``#`` separate)
    goes; and since passwords that were not encoded hold separators, too (``http://me:se/cret@host/``), all from the
    first segment with a colon up to the last @. The scheme stays.
    """
    ats = list(_AT.finditer(text))
    if not ats or _MAIL.fullmatch(text):
        return text
    before, after = text[: ats[-1].start()], text[ats[-1].end() :]
    beginning = _BEGINNING.match(before)
    start = beginning.end() if beginning else 0
    kept = [before[:start]]
    pieces = _SEPARATOR.split(before[start:])
    for segment, separator in zip(pieces[::2], pieces[1::2], strict=False):  # the last segment goes in any case
        if ":" in _SCHEME_WITHIN.sub("", segment):
            break
        kept += [_AT.split(segment)[-1], separator]
    return "".join([*kept, after])


def _basic(userinfo: str) -> str:
    username, _, password = userinfo.partition(":")
    raw = unquote_to_bytes(username) + b":" + unquote_to_bytes(password)
    return "Basic " + base64.b64encode(raw).decode("ascii")


def _shorten(text: str, limit: int = 200) -> str:
    shown = repr(redacted(text))
    return shown if len(shown) <= limit else shown[:limit] + "…'"
