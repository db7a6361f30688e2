"""Cookies: a jar for each origin, for as long as the run lasts; they are sent to nobody else, whatever they say.

RFC 6265 by `http.cookiejar`. Narrower than a browser: scheme, host and port must be those that set the cookie, so a
cookie of a whole domain is one of that host, and a redirect carries none along.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from email.message import Message
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import Any, Final, cast
from urllib.request import Request

from scraper.urls import Parts

#: Origins whose cookies are kept; the least recently used goes first.
MAX_ORIGINS: Final = 4096
#: Cookies of an origin, and bytes of one (RFC 6265 §6.1 asks for no fewer). Of more, the oldest go.
MAX_COOKIES: Final = 50
MAX_BYTES: Final = 4096

#: What no cookie holds (RFC 6265 §4.1.1), and no request should.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

_Origin = tuple[str, str, int]


class Jars:
    """The cookies of a run, in memory only; for many threads."""

    def __init__(self, most: int = MAX_ORIGINS) -> None:
        """Keep those of `most` origins."""
        self._most = most
        self._lock = threading.Lock()  # guards _jars; each jar has a lock of its own
        self._jars: OrderedDict[_Origin, CookieJar] = OrderedDict()

    def header(self, parts: Parts) -> str | None:
        """The `Cookie` value for a request, or None."""
        jar = self._jar(parts, make=False)
        if jar is None:
            return None
        request = _request(parts)
        jar.add_cookie_header(request)
        return request.get_header("Cookie")

    def keep(self, parts: Parts, values: Sequence[str]) -> None:
        """Take what an answer sets.

        Args:
            parts: the URL that was asked for.
            values: its `Set-Cookie` fields.
        """
        values = [value for value in values if len(value) <= MAX_BYTES and not _CONTROL.search(value)]
        if not values:
            return
        jar = self._jar(parts, make=True)
        assert jar is not None
        answer = Message()
        for value in values:
            answer["Set-Cookie"] = value
        jar.extract_cookies(cast(Any, _Answer(answer)), _request(parts))
        jar.clear_expired_cookies()

    def _jar(self, parts: Parts, *, make: bool) -> CookieJar | None:
        origin = (parts.scheme, parts.host, parts.port)
        with self._lock:
            jar = self._jars.get(origin)
            if jar is not None:
                self._jars.move_to_end(origin)
            elif make:
                jar = self._jars[origin] = _Jar(_POLICY)
                if len(self._jars) > self._most:
                    self._jars.popitem(last=False)
            return jar


class _Jar(CookieJar):
    """One that does not grow without end."""

    def set_cookie(self, cookie: Cookie) -> None:
        super().set_cookie(cookie)
        for old in list(self)[:-MAX_COOKIES]:
            self.clear(old.domain, old.path, old.name)


class _Answer:
    """What a `CookieJar` looks at of an answer."""

    def __init__(self, header: Message) -> None:
        self._header = header

    def info(self) -> Message:
        return self._header


def _request(parts: Parts) -> Request:
    return Request(parts.href)


#: As browsers do: Netscape's cookies, which RFC 6265 describes, not RFC 2965's.
_POLICY: Final = DefaultCookiePolicy(netscape=True, rfc2965=False)
