"""Fetch one target: ask, follow redirects, read the body, or say why not. Never raises.

The only part of the project that opens sockets.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec

from scraper import urls
from scraper.fetch import body, content
from scraper.fetch.adapter import Adapter, Proxies, Request
from scraper.fetch.addresses import AddressGuard
from scraper.fetch.deadline import Exchange, Watchdog
from scraper.fetch.failures import Cause, Refused, translate
from scraper.fetch.headers import RequestHeaders, same_origin, without_credentials
from scraper.fetch.memory import Budget, return_large_blocks
from scraper.fetch.retry_after import retry_after
from scraper.records import LIST, PAGE, RETRYABLE_STATUSES, ROBOTS, Failure, Hop, Page, Target, now

if TYPE_CHECKING:
    from requests import Response
    from urllib3.response import BaseHTTPResponse

    from scraper.settings import Settings

log = logging.getLogger("scraper.fetch")

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
#: Redirects that a robots.txt may take, and bytes of it that count (RFC 9309 §2.3.1.2, §2.5).
ROBOTS_REDIRECTS: Final = 5
ROBOTS_BODY: Final = 500 << 10

#: Bytes that a list of URLs may have, where pages may have less: as much as a sitemap (sitemaps.org, protocol).
LIST_BODY: Final = 50 << 20

#: How it ends when a host cannot be reached, if there was no connection.
_UNREACHED: Final = frozenset({"dns_error", "connect_error", "timeout"})


class Fetcher:
    """Fetches targets for many threads at once; a context manager.

    Attributes:
        budget: memory shared by all bodies; a `Page`'s ``len(body)`` is to be released to it when the page is done.
    """

    def __init__(
        self,
        settings: Settings,
        permit: Callable[[str], bool | None] = bool,
        sent: Callable[[Target], object] = bool,
    ) -> None:
        """Use the ``fetch`` and ``hosts`` sections of `settings`.

        Args:
            settings: complete settings.
            permit: whether a URL that a page redirects to may be asked for; None if that has yet to be found out, for
                which it goes back as a `Hop`.
            sent: is called with a target, as `fetch` got it, whenever a request for it is on its way.
        """
        self._permit = permit
        self._sent = sent
        self._limits = settings.fetch
        self._max_delay = settings.politeness.max_delay
        self._data_allowed = settings.parse.parser is not None or settings.reads_json
        guard = AddressGuard(settings.fetch.allow_private)
        self._adapter = Adapter(workers=settings.fetch.workers, verify=settings.fetch.verify_tls, guard=guard)
        self._proxies = Proxies(settings.fetch.proxy)
        self._headers = RequestHeaders(settings)
        return_large_blocks()
        self.budget = Budget(settings.fetch.memory)
        self._watchdog = Watchdog()

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; no fetch may be under way."""
        self._watchdog.close()
        self._adapter.close()

    def abort(self) -> None:
        """End every fetch that is under way; each returns a `Failure` soon."""
        self._watchdog.abort()

    def fetch(self, target: Target) -> Page | Hop | Failure:
        """Fetch `target` within its deadline (``fetch.timeout`` seconds from now, over all redirects in place)."""
        journey = _Journey(target)
        sent = functools.partial(self._sent, target)
        with Exchange(self._watchdog, self._limits.timeout, self._limits.connect_timeout, sent) as exchange:
            try:
                return self._travel(journey, exchange)
            except Exception as error:  # noqa: BLE001  a failure is a value; the kinds are told apart in one place
                cause = translate(
                    error,
                    timed_out=exchange.fired,
                    connected=exchange.connected,
                    handshaking=exchange.handshaking and not exchange.connected,
                    reading=journey.reading,
                )
                if journey.response is not None:
                    journey.response.raw.close()
                answered = exchange.connected or journey.target is not target  # the latter: with a redirect
                unreached = not answered and cause.kind in _UNREACHED
                return msgspec.structs.replace(journey.failure(cause), unreached=unreached)

    def _travel(self, journey: _Journey, exchange: Exchange) -> Page | Hop | Failure:
        while True:
            response = self._ask(journey, exchange)
            status, raw = response.status_code, response.raw
            location = _location(raw) if status in _REDIRECTS else None
            if location is not None:
                body.discard(raw)
                hop = self._redirect(journey, location)
                if hop is not None:
                    return hop
                continue
            if not 200 <= status < 300:
                body.discard(raw)
                return journey.failure(self._status_cause(response))
            return self._page(journey, exchange, response)

    def _ask(self, journey: _Journey, exchange: Exchange) -> Response:
        parts = urls.take_apart(journey.target.href)
        request = Request(parts, self._headers.of(journey.target, parts), self._proxies.find(parts))
        journey.asks()
        exchange.connected = False
        journey.response = self._adapter.send(request, stream=True, timeout=exchange)  # type: ignore[arg-type]
        exchange.connected = True  # an answer that a mock gave had no connection to say so
        self._headers.learn(journey.target, parts, journey.response.raw)
        return journey.response

    def _redirect(self, journey: _Journey, location: str) -> Hop | None:
        """Move the journey on; a `Hop` if it leaves the host.

        Raises:
            Refused: ``bad_redirect`` or ``too_many_redirects``.
        """
        target = journey.target
        most = ROBOTS_REDIRECTS if target.kind == ROBOTS else self._limits.max_redirects
        if target.redirects >= most:
            raise Refused("too_many_redirects", f"more than {most} redirects")
        try:
            parts = urls.split(_location_text(location), base=target.href)
        except urls.InvalidURL as error:
            raise Refused("bad_redirect", f"redirected to what is {error}") from None
        stays = same_origin(urls.take_apart(target.href), parts)
        journey.target = msgspec.structs.replace(
            target,
            href=parts.href,
            host=parts.host,
            redirects=target.redirects + 1,
            headers=target.headers if stays else without_credentials(target.headers),
            authorization=parts.authorization or (target.authorization if stays else None),
        )
        if parts.host != target.host:
            return Hop(journey.target)
        permitted = self._permit(parts.href) if target.kind == PAGE else True
        if permitted is False:
            raise Refused("robots_disallowed", f"robots.txt does not allow {parts.href}, where it redirects to")
        return None if permitted else Hop(journey.target)

    def _status_cause(self, response: Response) -> Cause:
        """What a status beyond 2xx means, and what the server asks for with it (Retry-After, RFC 9110 §10.2.3)."""
        status = response.status_code
        text = f"the server answered {status} {response.reason or ''}".rstrip()
        if status not in RETRYABLE_STATUSES:
            return Cause("http_error", text, retryable=False)
        pause = retry_after(response.raw.headers.get("Retry-After"), time.time())
        if pause > self._max_delay:
            longest = f"politeness.max_delay is {self._max_delay:g} s"
            return Cause("http_error", f"{text} and asks to wait for {pause:.0f} s; {longest}", retryable=False)
        return Cause("http_error", text, retryable=True, pause=pause)

    def _page(self, journey: _Journey, exchange: Exchange, response: Response) -> Page:
        raw = response.raw
        content_type = raw.headers.get("Content-Type")
        is_page = journey.target.kind == PAGE
        reason = content.refuse_type(content_type, data_allowed=self._data_allowed) if is_page else None
        if reason is not None:
            raise Refused("not_html", reason)
        journey.reading = True
        data = self._read(journey.target.kind, raw, exchange)
        reason = content.refuse_body(content_type, data) if is_page else None
        if reason is not None:
            self.budget.release(len(data))
            raise Refused("not_html", reason)
        target = journey.target
        return Page(
            url=target.url,
            final_url=target.href,
            status=response.status_code,
            fetched_at=now(),
            headers=list(raw.headers.items()),
            body=data,
            input=target.input,
            attempts=target.attempts + 1,
            id=target.id,
            crashes=target.crashes,
            type=target.type,
            depth=target.depth,
        )

    def _read(self, kind: str, raw: BaseHTTPResponse, exchange: Exchange) -> bytes:
        """The body, as far as it counts.

        Raises:
            Refused: it is too large, cut off, or not coded as it says.
        """
        if kind == ROBOTS:
            return body.read(raw, limit=ROBOTS_BODY, budget=self.budget, exchange=exchange, cut=True)
        limit = self._limits.max_body if kind != LIST else max(self._limits.max_body, LIST_BODY)
        return body.read(raw, limit=limit, budget=self.budget, exchange=exchange)


class _Journey:
    """Where one fetch stands: the current target, and what came of the current request."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.response: Response | None = None
        self.reading = False

    def asks(self) -> None:
        self.response = None
        self.reading = False

    def failure(self, cause: Cause) -> Failure:
        target = self.target
        return Failure(
            url=target.url,
            error=cause.kind,
            message=cause.message,
            status=None if self.response is None else self.response.status_code,
            attempts=target.attempts + 1,
            final_url=target.href,
            failed_at=now(),
            retryable=cause.retryable,
            pause=cause.pause,
        )


def _location(raw: BaseHTTPResponse) -> str | None:
    """The one place that an answer redirects to, if any (Fetch Standard, location URL).

    Raises:
        Refused: ``bad_redirect``: it names several.
    """
    found = raw.headers.getlist("Location")
    if len(set(found)) > 1:
        raise Refused("bad_redirect", "redirected to several places at once")
    return found[0] if found else None


def _location_text(value: str) -> str:
    """A Location as text: http.client reads headers as Latin-1, servers send UTF-8, or other bytes."""
    data = value.encode("latin-1", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return quote(data, safe=bytes(range(0x80)))
