"""What is sent with a request, and to whom: secrets go to the origins that the list names, not where redirects lead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from requests.structures import CaseInsensitiveDict

from scraper import urls
from scraper.fetch import coding
from scraper.fetch.cookies import Jars
from scraper.records import PAGE, Target

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

    from scraper.settings import FetchSettings, Settings

USER_AGENT: Final = "concurrent-scraper/0.1 (python-requests)"
ACCEPT: Final = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.5"
#: What must not travel to another origin (Fetch Standard, HTTP-redirect fetch, step 13).
_CREDENTIALS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
_PORTS: Final = {"http": 80, "https": 443}

Headers = CaseInsensitiveDict[str]


class RequestHeaders:
    """The header of each request; shared by all threads."""

    def __init__(self, settings: Settings) -> None:
        """Use the ``fetch`` and ``hosts`` sections of `settings`."""
        self._hosts = settings.hosts
        self._general = _general(settings.fetch)
        self._secret = [name for name in self._general if name.lower() in _CREDENTIALS]
        self._jars = Jars() if settings.fetch.cookies else None

    def of(self, target: Target, parts: urls.Parts) -> Headers:
        """The header of the next request for `target`, whose `href` is `parts`. Not to be changed."""
        headers = self._given(target, parts)
        if self._jars is None or target.kind != PAGE or "Cookie" in headers:
            return headers
        cookies = self._jars.header(parts)
        if cookies is None:
            return headers
        headers = headers.copy()
        headers["Cookie"] = cookies
        return headers

    def learn(self, target: Target, parts: urls.Parts, raw: BaseHTTPResponse) -> None:
        """Take the cookies that an answer sets."""
        if self._jars is not None and target.kind == PAGE:
            self._jars.keep(parts, raw.headers.getlist("Set-Cookie"))

    def _given(self, target: Target, parts: urls.Parts) -> Headers:
        host = self._hosts.get(target.host)
        if host is None and target.headers is None and target.authorization is None and not target.redirects:
            return self._general
        headers = self._general.copy()
        listed = urls.split(target.url) if target.redirects and target.kind == PAGE else parts
        strayed = not same_origin(listed, parts) or (target.redirects > 0 and target.kind != PAGE)
        if strayed:
            for name in self._secret:
                del headers[name]
        if host is not None:
            trusted = not strayed or _is_own(listed, parts)
            headers.update(host.headers if trusted else without_credentials(host.headers) or {})
            if host.auth and trusted:
                headers["Authorization"] = host.auth
        if target.authorization is not None:
            headers["Authorization"] = target.authorization
        headers.update(target.headers or {})
        return headers


def same_origin(one: urls.Parts, other: urls.Parts) -> bool:
    """Whether scheme, host and port are the same."""
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def without_credentials(headers: dict[str, str] | None) -> dict[str, str] | None:
    """What may be told to another origin."""
    if headers is None:
        return None
    return {name: value for name, value in headers.items() if name.lower() not in _CREDENTIALS}


def _is_own(listed: urls.Parts, parts: urls.Parts) -> bool:
    """Whether a host that another one redirects to may get its own secrets: at the port that its scheme stands for, and
    not in the clear where the list asked for encryption.
    """
    if listed.host == parts.host or parts.port != _PORTS[parts.scheme]:
        return False
    return parts.scheme == "https" or listed.scheme == "http"


def _general(settings: FetchSettings) -> Headers:
    headers: Headers = CaseInsensitiveDict(
        {
            "User-Agent": settings.user_agent or USER_AGENT,
            "Accept": ACCEPT,
            "Accept-Encoding": coding.ACCEPTED,
        }
    )
    headers.update(settings.headers)
    if settings.auth:
        headers["Authorization"] = settings.auth
    return headers
