"""requests' transport seam without its per-call work.

Every request goes through ``HTTPAdapter.send`` of one shared adapter: the very method that `responses` replaces, so
that mocks work as for any code on requests. What `send` calls on the way is overridden where requests does the same
work anew for each request: parsing the URL three times, looking up proxies, building cookie jars, loading the CA
bundle.
"""

from __future__ import annotations

import os
import ssl
import threading
from collections import OrderedDict
from functools import cached_property
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Final
from urllib.request import getproxies

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidProxyURL
from requests.utils import DEFAULT_CA_BUNDLE_PATH, select_proxy
from urllib3 import HTTPConnectionPool, ProxyManager
from urllib3.exceptions import LocationParseError
from urllib3.util.ssl_ import create_urllib3_context

from scraper.fetch.addresses import BEHIND_A_PROXY, AddressGuard
from scraper.fetch.connection import Pool, TLSPool
from scraper.fetch.failures import Refused
from scraper.fetch.resolver import Resolver
from scraper.urls import Parts

#: Origins whose idle connections are kept; the least recently used goes first.
MAX_ORIGINS: Final = 256


class Request(PreparedRequest):
    """A GET request, ready to send; knows the parts of its URL so that nobody parses it again.

    Attributes:
        parts: the URL, taken apart by the WHATWG rules.
        proxy: URL of the proxy for it, or None.
    """

    def __init__(self, parts: Parts, headers: Any, proxy: str | None) -> None:
        super().__init__()
        self.method = "GET"
        self.url = parts.href
        self.headers = headers
        self.parts = parts
        self.proxy = proxy


class Adapter(HTTPAdapter):
    """One adapter for a run, shared by all fetch threads."""

    def __init__(self, *, workers: int, verify: bool, guard: AddressGuard) -> None:
        """Keep up to `workers` idle connections an origin; `verify` the certificates of HTTPS servers.

        Connections are made to what `guard` lets through.
        """
        super().__init__(pool_maxsize=workers)
        self._workers = workers
        self._verify = verify
        self._guard = guard
        self._resolver = Resolver(guard, workers)
        self._lock = threading.Lock()  # guards _pools
        self._pools: OrderedDict[tuple[str, str, int, str | None], HTTPConnectionPool] = OrderedDict()

    def get_connection_with_tls_context(self, request: PreparedRequest, *_: object, **__: object) -> HTTPConnectionPool:
        """The pool for a request's origin."""
        assert isinstance(request, Request)
        parts = request.parts
        key = (parts.scheme, parts.host, parts.port, request.proxy)
        evicted: HTTPConnectionPool | None = None
        with self._lock:
            pool = self._pools.get(key)
            if pool is None:
                pool = self._pools[key] = self._new_pool(parts, request.proxy)
                pool.resolver = self._resolver  # type: ignore[attr-defined]  # one of ours, but for SOCKS
                if len(self._pools) > MAX_ORIGINS:
                    evicted = self._pools.popitem(last=False)[1]
            else:
                self._pools.move_to_end(key)
        if evicted is not None:
            evicted.close()
        return pool

    def cert_verify(self, *_: object, **__: object) -> None:
        """Nothing to do for a request: all TLS pools share one context."""

    def request_url(self, request: PreparedRequest, *_: object, **__: object) -> str:
        """The request target: absolute for a forwarding proxy, else path and query, byte for byte."""
        assert isinstance(request, Request)
        forwarded = request.proxy and request.parts.scheme == "http"
        return request.parts.href if forwarded else request.parts.target

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:
        """A `requests.Response` with what fetching needs; encoding and cookies are not looked at."""
        response = Response()
        response.status_code = resp.status
        response.headers = resp.headers
        response.raw = resp
        response.reason = resp.reason
        response.url = req.url or ""
        response.request = req
        return response

    def close(self) -> None:
        """Close all idle connections."""
        with self._lock:
            pools = list(self._pools.values())
            self._pools.clear()
        for pool in pools:
            pool.close()
        super().close()

    def _new_pool(self, parts: Parts, proxy: str | None) -> HTTPConnectionPool:
        """A pool for an origin.

        Raises:
            InvalidProxyURL, ProxySchemeUnknown, …: the proxy cannot be used.
            Refused: ``blocked_address``, since nobody here sees where a proxy connects to.
        """
        if proxy is not None and not self._guard.is_open:
            raise Refused("blocked_address", f"it would go through a proxy, {BEHIND_A_PROXY}")
        tls: dict[str, Any] = {"ssl_context": self._tls_context} if parts.scheme == "https" else {}
        if proxy is None:
            kind = TLSPool if tls else Pool
            return kind(parts.host, parts.port, maxsize=self._workers, **tls)
        try:
            manager = self.proxy_manager_for(proxy, **tls)
        except (LocationParseError, ValueError):  # their messages show the proxy's password
            raise InvalidProxyURL("the proxy's URL is malformed") from None
        if isinstance(manager, ProxyManager):
            manager.pool_classes_by_scheme = {"http": Pool, "https": TLSPool}
        return manager.connection_from_host(parts.host, parts.port, parts.scheme)  # type: ignore[no-any-return]

    @cached_property
    def _tls_context(self) -> ssl.SSLContext:
        """One for all connections: loading the CA bundle takes some 20 ms of CPU."""
        context = create_urllib3_context()
        if self._verify:
            bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH
            is_folder = Path(bundle).is_dir()
            context.load_verify_locations(**{"capath" if is_folder else "cafile": bundle})
        else:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class Proxies:
    """Which proxy a URL goes through; the environment is read once."""

    def __init__(self, configured: str | None) -> None:
        """Use `configured` for every URL, or what the environment says (``HTTP_PROXY``, ``NO_PROXY``, …)."""
        self._all = configured
        self._environment = {} if configured else getproxies()
        self._bypass = self._environment.pop("no", "").split(",")

    def find(self, parts: Parts) -> str | None:
        """The proxy's URL, or None."""
        if self._all is not None or not self._environment:
            return self._all
        if any(_covers(entry, parts) for entry in self._bypass):
            return None
        proxy = select_proxy(parts.href, self._environment)
        return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def _covers(entry: str, parts: Parts) -> bool:
    """Whether an entry of NO_PROXY names the host (and port), a domain above it, or its network.

    requests' own function for this changes `os.environ` while it looks, which is not for threads.
    """
    name = entry.strip().lower().lstrip(".")
    places = (parts.host, f"{parts.host}:{parts.port}")
    if name == "*" or name in places or (name and any(place.endswith(f".{name}") for place in places)):
        return True
    try:
        return ip_address(parts.host.strip("[]")) in ip_network(name.strip("[]"), strict=False)
    except ValueError:
        return False
