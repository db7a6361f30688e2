"""What a fetch makes of answers, with the network mocked the way users mock it: `responses` without any setting."""

from __future__ import annotations

import base64
import gzip
import socket
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import brotli
import pytest
import requests
import responses
from responses import RequestsMock
from urllib3.exceptions import ProtocolError

from scraper.fetch import Fetcher
from scraper.records import RETRYABLE_STATUSES, Failure, Hop, Page, Target
from scraper.settings import load

# The standard library's, or the package that urllib3's extra installs where there is none.
try:
    from compression import zstd
except ImportError:
    from backports import zstd

#: A socket that would be opened fails the test.
pytestmark = pytest.mark.usefixtures("no_network")

URL = "https://a.example/page"
HTML = "text/html; charset=utf-8"
BODY = b"<!doctype html><title>A page</title>" + b"<p>Words." * 100


def basic(userinfo: str) -> str:
    """The `Authorization` value of ``user:password``."""
    return "Basic " + base64.b64encode(userinfo.encode()).decode()


def sent(web: RequestsMock, call: int = -1) -> dict[str, str]:
    """Headers of a request."""
    return dict(web.calls[call].request.headers)


def asked(web: RequestsMock) -> list[str]:
    """URLs of all requests."""
    return [str(call.request.url) for call in web.calls]


def test_page(web: RequestsMock, client: Any) -> None:
    """A 2xx answer becomes a page with all that later stages need."""
    web.get("https://a.example/%C3%BC", body=BODY, content_type=HTML, headers={"X-Note": "1"}, status=203)
    before = datetime.now(UTC).replace(microsecond=0)
    page = client.page("HTTPS://A.example:443/ü#part", input={"sku": 7}, attempts=1)
    assert page.url == "HTTPS://A.example:443/ü#part"
    assert page.final_url == "https://a.example/%C3%BC"
    assert (page.status, page.body, page.input, page.attempts) == (203, BODY, {"sku": 7}, 2)
    assert ("X-Note", "1") in page.headers
    assert ("Content-Type", HTML) in page.headers
    assert page.fetched_at.endswith("Z")
    assert before <= datetime.fromisoformat(page.fetched_at) <= datetime.now(UTC)


def test_memory_is_reserved_until_released(web: RequestsMock, client: Any) -> None:
    """A page's body counts until whoever deals with it gives it back."""
    web.get(URL, body=BODY, content_type=HTML)
    page = client.fetch(URL)
    assert client.fetcher.budget.used == len(page.body) == len(BODY)


def test_empty_body(web: RequestsMock, client: Any) -> None:
    """An empty page is a page."""
    web.get(URL, status=204, content_type="")
    assert client.page(URL).body == b""


# What is asked


def test_headers_by_default(web: RequestsMock, client: Any) -> None:
    """Who asks, what for, and which codings are understood."""
    web.get(URL, body=BODY, content_type=HTML)
    client.page(URL)
    headers = sent(web)
    assert set(headers) == {"User-Agent", "Accept", "Accept-Encoding"}
    assert headers["User-Agent"].startswith("concurrent-scraper/")
    assert headers["Accept"].startswith("text/html,")
    assert headers["Accept-Encoding"] == "gzip, deflate, br, zstd"


@pytest.mark.parametrize(
    ("settings", "target", "expected"),
    [
        ({"fetch": {"user_agent": "me/1"}}, {}, {"User-Agent": "me/1"}),
        ({"fetch": {"headers": {"X-A": "1", "accept": "text/plain"}}}, {}, {"X-A": "1", "accept": "text/plain"}),
        ({}, {"headers": {"Accept-Language": "fr"}}, {"Accept-Language": "fr"}),
        ({"fetch": {"headers": {"X-A": "1"}}}, {"headers": {"x-a": "2"}}, {"x-a": "2"}),
        ({"fetch": {"auth": "me:secret"}}, {}, {"Authorization": basic("me:secret")}),
        ({"fetch": {"auth": "token"}}, {}, {"Authorization": "Bearer token"}),
        ({"hosts": {"a.example": {"headers": {"X-H": "h"}}}}, {}, {"X-H": "h"}),
        (
            {"fetch": {"headers": {"X-H": "f"}}, "hosts": {"a.example": {"headers": {"X-H": "h"}}}},
            {"headers": {"X-T": "t"}},
            {"X-H": "h", "X-T": "t"},
        ),
        (
            {"fetch": {"headers": {"X-H": "f"}}, "hosts": {"a.example": {"headers": {"X-H": "h"}}}},
            {"headers": {"X-H": "t"}},
            {"X-H": "t"},
        ),
        (
            {"fetch": {"auth": "fetch"}, "hosts": {"a.example": {"auth": "host"}}},
            {},
            {"Authorization": "Bearer host"},
        ),
        ({"hosts": {"a.example": {"auth": "host"}}}, {"authorization": "Basic own"}, {"Authorization": "Basic own"}),
        ({}, {"authorization": "Basic own", "headers": {"authorization": "x"}}, {"authorization": "x"}),
    ],
)
def test_header_layers(
    web: RequestsMock,
    open_client: Callable[..., Any],
    settings: dict[str, Any],
    target: dict[str, Any],
    expected: dict[str, str],
) -> None:
    """The nearer to the URL a header was given, the more it counts: settings, host, userinfo, list entry."""
    web.get(URL, body=BODY, content_type=HTML)
    open_client(**settings).page(URL, **target)
    headers = sent(web)
    assert {name: headers.get(name) for name in expected} == expected
    assert len({name.lower() for name in headers}) == len(headers)


@pytest.mark.parametrize("host", ["b.example", "www.a.example", "example"])
def test_host_settings_are_for_their_host(web: RequestsMock, open_client: Callable[..., Any], host: str) -> None:
    """A host's headers and credentials go to no other host."""
    web.get(f"https://{host}/", body=BODY, content_type=HTML)
    open_client(hosts={"a.example": {"auth": "token", "headers": {"X-H": "h"}}}).page(f"https://{host}/")
    assert not {"Authorization", "X-H"} & set(sent(web))


@pytest.mark.parametrize(
    ("userinfo", "decoded"),
    [("me:secret@", "me:secret"), ("me@", "me:"), (":secret@", ":secret"), ("m%40e:s%3Ac:r@", "m@e:s:c:r")],
)
def test_userinfo_becomes_authorization(web: RequestsMock, client: Any, userinfo: str, decoded: str) -> None:
    """User name and password of a URL travel in the header, and stand in no record."""
    web.get(URL, body=BODY, content_type=HTML)
    page = client.page(f"https://{userinfo}a.example/page")
    assert sent(web)["Authorization"] == basic(decoded)
    assert asked(web) == [URL]
    assert page.url == page.final_url == URL


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_in_place(web: RequestsMock, client: Any, status: int) -> None:
    """A redirect within the host is followed at once."""
    web.get(URL, status=status, headers={"Location": "/new?x=1#part"})
    web.get("https://a.example/new?x=1", body=BODY, content_type=HTML)
    page = client.page(URL)
    assert (page.url, page.final_url, page.status) == (URL, "https://a.example/new?x=1", 200)


@pytest.mark.parametrize(
    ("location", "final"),
    [
        ("other", "https://a.example/dir/other"),
        ("../up", "https://a.example/up"),
        ("?q=ü", "https://a.example/dir/page?q=%C3%BC"),
        ("//a.example/x", "https://a.example/x"),
        ("HTTPS://A.EXAMPLE:443/x", "https://a.example/x"),
        ("http://a.example/plain", "http://a.example/plain"),
        ("https://a.example:8443/port", "https://a.example:8443/port"),
        (" /blanks ", "https://a.example/blanks"),
        ("/a b|c", "https://a.example/a%20b|c"),
        ("/100%", "https://a.example/100%"),
        ("\\back\\slashes", "https://a.example/back/slashes"),
        ("", "https://a.example/dir/page"),
    ],
)
def test_where_a_location_leads(web: RequestsMock, client: Any, location: str, final: str) -> None:
    """A Location is resolved by the WHATWG rules; another port or scheme is the same host."""
    web.get("https://a.example/dir/page", status=302, headers={"Location": location.encode().decode("latin-1")})
    web.get(final, body=BODY, content_type=HTML)
    assert client.page("https://a.example/dir/page").final_url == final


@pytest.mark.parametrize(
    ("location", "final"),
    [
        # http.client reads a header's bytes as Latin-1: what UTF-8 looks like then
        ("/größe".encode().decode("latin-1"), "https://a.example/gr%C3%B6%C3%9Fe"),
        # Latin-1 itself, which is no UTF-8: the bytes are kept
        ("/größe", "https://a.example/gr%F6%DFe"),
        ("/größe|%20/100%", "https://a.example/gr%F6%DFe|%20/100%"),
        ("\\größe", "https://a.example/gr%F6%DFe"),
    ],
)
def test_location_in_bytes(web: RequestsMock, client: Any, location: str, final: str) -> None:
    """A Location beyond ASCII is read as UTF-8, else byte for byte."""
    web.get(URL, status=302, headers={"Location": location})
    web.get(final, body=BODY, content_type=HTML)
    assert client.page(URL).final_url == final
    assert asked(web)[-1] == final


@pytest.mark.parametrize(
    ("location", "href", "host"),
    [
        ("https://b.example/x#y", "https://b.example/x", "b.example"),
        ("http://www.a.example/", "http://www.a.example/", "www.a.example"),
        ("//bücher.example:8080", "http://xn--bcher-kva.example:8080/", "xn--bcher-kva.example"),
        ("http://[::1]/", "http://[::1]/", "[::1]"),
    ],
)
def test_redirect_to_another_host(web: RequestsMock, client: Any, location: str, href: str, host: str) -> None:
    """A redirect that leaves the host is not followed: it comes back as a hop for the schedule."""
    url = "http://a.example/page"
    web.get(url, status=301, headers={"Location": location.encode().decode("latin-1")})
    target = client.hop(url, input={"sku": 7}, headers={"X-A": "1"}, redirects=3, attempts=1)
    assert (target.url, target.href, target.host) == (url, href, host)
    assert (target.input, target.headers, target.redirects, target.attempts) == ({"sku": 7}, {"X-A": "1"}, 4, 1)
    assert len(web.calls) == 1


SECRETS = {"Authorization": "own", "cookie": "c=1", "Proxy-Authorization": "p", "X-A": "1"}


@pytest.mark.parametrize(
    "origin", ["http://a.example", "https://a.example:8443"], ids=["another scheme", "another port"]
)
def test_credentials_do_not_travel_in_place(web: RequestsMock, open_client: Callable[..., Any], origin: str) -> None:
    """On the same host but another origin, neither the list's credentials nor the settings' go along."""
    web.get(URL, status=302, headers={"Location": f"{origin}/new"})
    web.get(f"{origin}/new", status=302, headers={"Location": f"{origin}/newer"})
    web.get(f"{origin}/newer", body=BODY, content_type=HTML)
    client = open_client(fetch={"auth": "token"})
    client.page("https://me:secret@a.example/page", headers=SECRETS)
    first, *others = ({name.lower() for name in sent(web, call)} for call in range(3))
    assert {"authorization", "cookie", "proxy-authorization", "x-a"} <= first
    for names in others:
        assert "x-a" in names
        assert not {"authorization", "cookie", "proxy-authorization"} & names


def test_credentials_do_not_travel_with_a_hop(web: RequestsMock, open_client: Callable[..., Any]) -> None:
    """The target of a hop carries no credentials, and fetching it sends none."""
    web.get(URL, status=302, headers={"Location": "https://b.example/"})
    web.get("https://b.example/", body=BODY, content_type=HTML)
    client = open_client(fetch={"auth": "token"})
    target = client.hop("https://me:secret@a.example/page", headers=SECRETS)
    assert (target.authorization, target.headers) == (None, {"X-A": "1"})
    assert isinstance(client.fetcher.fetch(target), Page)
    assert "Authorization" not in sent(web)


def test_credentials_stay_within_the_origin(web: RequestsMock, open_client: Callable[..., Any]) -> None:
    """A redirect within the origin keeps what was given for it."""
    web.get(URL, status=302, headers={"Location": "/new"})
    web.get("https://a.example/new", body=BODY, content_type=HTML)
    open_client(fetch={"auth": "token"}).page("https://me:secret@a.example/page", headers={"Cookie": "c=1"})
    assert sent(web)["Authorization"] == basic("me:secret")
    assert sent(web)["Cookie"] == "c=1"


def test_each_host_gets_its_own_credentials(web: RequestsMock, open_client: Callable[..., Any]) -> None:
    """After a hop the new host's settings count."""
    web.get(URL, status=302, headers={"Location": "https://b.example/"})
    web.get("https://b.example/", body=BODY, content_type=HTML)
    client = open_client(hosts={"a.example": {"auth": "for-a"}, "b.example": {"auth": "for-b"}})
    assert isinstance(client.fetcher.fetch(client.hop(URL)), Page)
    assert [sent(web, call)["Authorization"] for call in (0, 1)] == ["Bearer for-a", "Bearer for-b"]


@pytest.mark.parametrize(("most", "requests_made"), [(0, 1), (1, 2), (3, 4)])
def test_too_many_redirects(web: RequestsMock, open_client: Callable[..., Any], most: int, requests_made: int) -> None:
    """A redirect beyond the limit is a failure with the last URL asked."""
    web.get(URL, status=302, headers={"Location": "/page"})
    failure = open_client(fetch={"max_redirects": most}).failure(URL)
    assert (failure.error, failure.status, failure.retryable) == ("too_many_redirects", 302, False)
    assert failure.message == f"more than {most} redirects"
    assert len(web.calls) == requests_made


def test_redirects_of_former_hops_count(web: RequestsMock, client: Any) -> None:
    """The limit is for the whole way, over all hosts."""
    web.get(URL, status=302, headers={"Location": "https://b.example/"})
    assert client.failure(URL, redirects=10).error == "too_many_redirects"


@pytest.mark.parametrize(
    "location",
    ["https://", "http://a b/", "http://a.example:99999/", "http://[::1/", "http://1.2.3.4.5/"],
)
def test_location_that_is_no_url(web: RequestsMock, client: Any, location: str) -> None:
    """A Location nobody could follow is the server's mistake."""
    web.get(URL, status=302, headers={"Location": location})
    failure = client.failure(URL)
    assert (failure.error, failure.status, failure.retryable) == ("bad_redirect", 302, False)
    assert location in failure.message
    assert failure.final_url == URL


@pytest.mark.parametrize("location", ["ftp://a.example/", "javascript:alert(1)", "mailto:me@a.example", "file:///etc"])
def test_location_with_another_scheme(web: RequestsMock, client: Any, location: str) -> None:
    """What is neither http nor https is never asked for."""
    web.get(URL, status=301, headers={"Location": location})
    failure = client.failure(URL)
    assert failure.error == "bad_redirect"
    assert "not an http(s) URL" in failure.message


def test_a_bad_location_shows_no_password(web: RequestsMock, client: Any) -> None:
    """Userinfo in a Location does not reach the message."""
    web.get(URL, status=302, headers={"Location": "https://me:secret@a b/"})
    assert "secret" not in client.failure(URL).message


@pytest.mark.parametrize("status", [300, 301, 302, 304, 305, 307])
def test_redirect_to_nowhere(web: RequestsMock, client: Any, status: int) -> None:
    """A 3xx answer without Location, or of a kind that is not followed, is an HTTP error."""
    web.get(URL, status=status)
    assert client.failure(URL).error == "http_error"


def test_location_of_a_page_means_nothing(web: RequestsMock, client: Any) -> None:
    """Only a redirect's Location is followed."""
    web.get(URL, status=201, body=BODY, content_type=HTML, headers={"Location": "/new"})
    assert client.page(URL).final_url == URL


# Statuses


@pytest.mark.parametrize("status", [*range(400, 419), 421, 425, 429, 451, 499, *range(500, 512), 520, 530, 599, 999])
def test_status_that_is_no_page(web: RequestsMock, client: Any, status: int) -> None:
    """Any other status is a failure that names it; passing conditions may be tried again."""
    web.get(URL, status=status, body=BODY, content_type=HTML)
    failure = client.failure(URL, attempts=2)
    assert (failure.error, failure.status, failure.attempts) == ("http_error", status, 3)
    assert failure.retryable == (status in RETRYABLE_STATUSES)
    assert failure.message.startswith(f"the server answered {status}")
    assert (failure.url, failure.final_url) == (URL, URL)
    assert failure.failed_at.endswith("Z")


def test_statuses_worth_another_try() -> None:
    """RFC 9110 §15 and RFC 6585 §4: what says that it will pass."""
    assert sorted(RETRYABLE_STATUSES) == [408, 425, 429, 500, 502, 503, 504]


# What is no page


@pytest.mark.parametrize("content_type", ["image/png", "application/pdf", "application/json", "video/mp4"])
def test_not_html_by_type(web: RequestsMock, client: Any, content_type: str) -> None:
    """An answer of another type is refused by its header."""
    web.get(URL, body=BODY, content_type=content_type)
    failure = client.failure(URL)
    assert (failure.error, failure.status, failure.retryable) == ("not_html", 200, False)
    assert failure.message == f"the content type is {content_type}"


@pytest.mark.parametrize("content_type", [HTML, "", "unknown/unknown"])
def test_not_html_by_signature(web: RequestsMock, client: Any, content_type: str) -> None:
    """A binary file is refused by its first bytes, and its memory is given back."""
    web.get(URL, body=b"%PDF-1.7\n" + b"x" * 1000, content_type=content_type)
    assert client.failure(URL).error == "not_html"


def test_a_parser_may_read_json(web: RequestsMock, open_client: Callable[..., Any]) -> None:
    """JSON is a page where a user's parser will read it."""
    web.get(URL, json={"a": 1})
    assert open_client(parse={"parser": "shop.py:parse"}).page(URL).body == b'{"a": 1}'


@pytest.mark.parametrize(
    ("section", "welcome"),
    [
        ({"fields": {"a": {"json": "a"}}}, True),
        ({"page": {"a": {"json": "a"}}}, True),
        ({"records": {"json": "a"}, "fields": {"b": {"json": "c"}}}, True),
        ({"follow": [{"json": "a"}]}, True),
        ({"fields": {"a": {"fields": {"b": {"json": "a"}}}}}, True),
        ({"fields": {"a": {"each": {"json": "a"}, "fields": {"b": {"json": "c"}}}}}, True),
        ({"fields": {"a": {"css": "script", "json": "a"}}}, False),
        ({"fields": {"a": "h1"}}, False),
    ],
)
def test_json_fields_read_json(
    web: RequestsMock, open_client: Callable[..., Any], section: dict[str, Any], welcome: bool
) -> None:
    """JSON is a page where some field is to be found in it, however deep within others; in a script it is not."""
    web.get(URL, json={"a": 1})
    client = open_client(**section)
    assert client.page(URL).body == b'{"a": 1}' if welcome else client.failure(URL).error == "not_html"


# Size


@pytest.mark.parametrize("size", [999, 1000])
def test_body_up_to_the_limit(web: RequestsMock, open_client: Callable[..., Any], size: int) -> None:
    """The limit itself is allowed."""
    web.get(URL, body=b"x" * size, content_type=HTML, auto_calculate_content_length=True)
    assert len(open_client(fetch={"max_body": 1000}).page(URL).body) == size


def test_body_declared_too_large(web: RequestsMock, open_client: Callable[..., Any]) -> None:
    """A declared size beyond the limit is refused before the body is read."""
    web.get(URL, body=b"x" * 1001, content_type=HTML, auto_calculate_content_length=True)
    failure = open_client(fetch={"max_body": 1000}).failure(URL)
    assert (failure.error, failure.status, failure.retryable) == ("body_too_large", 200, False)
    assert failure.message == "the body has 1,001 bytes, more than the 1,000 allowed"


def test_body_found_too_large(web: RequestsMock, open_client: Callable[..., Any]) -> None:
    """Without a declared size the body is read up to the limit."""
    web.get(URL, body=b"x" * 300_000, content_type=HTML)
    failure = open_client(fetch={"max_body": 1000}).failure(URL)
    assert failure.error == "body_too_large"
    assert failure.message == "the body has more than the 1,000 decoded bytes allowed"


def test_the_limit_is_for_decoded_bytes(web: RequestsMock, open_client: Callable[..., Any]) -> None:
    """A small body that decodes to a large one is too large."""
    data = gzip.compress(b"x" * 300_000)
    web.get(URL, body=data, content_type=HTML, headers={"Content-Encoding": "gzip"}, auto_calculate_content_length=True)
    assert open_client(fetch={"max_body": 10_000}).failure(URL).error == "body_too_large"


# Content codings


def deflated(data: bytes, wbits: int) -> bytes:
    """Deflate with (15) or without (-15) the zlib wrapper; servers send both."""
    packer = zlib.compressobj(wbits=wbits)
    return packer.compress(data) + packer.flush()


CODED = {
    "gzip": gzip.compress(BODY),
    "x-gzip": gzip.compress(BODY),
    "deflate": deflated(BODY, 15),
    "Deflate": deflated(BODY, -15),
    "br": brotli.compress(BODY),
    "zstd": zstd.compress(BODY),
    "gzip, br": brotli.compress(gzip.compress(BODY)),
    "identity": BODY,
}


@pytest.mark.parametrize("coding", CODED)
def test_content_codings(web: RequestsMock, client: Any, coding: str) -> None:
    """Every coding that is asked for is decoded."""
    web.get(URL, body=CODED[coding], content_type=HTML, headers={"Content-Encoding": coding})
    assert client.page(URL).body == BODY


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_broken_coding(web: RequestsMock, client: Any, coding: str) -> None:
    """A body that is not what its header says is the server's mistake, and stays so."""
    web.get(URL, body=b"<html>not compressed at all", content_type=HTML, headers={"Content-Encoding": coding})
    failure = client.failure(URL)
    assert (failure.error, failure.status, failure.retryable) == ("bad_encoding", 200, False)


@pytest.mark.parametrize(
    ("coding", "kept"), [("gzip", -8), ("deflate", -4), ("br", 40), ("zstd", 40)], ids=["gzip", "deflate", "br", "zstd"]
)
def test_coding_broken_on_the_way(web: RequestsMock, client: Any, coding: str, kept: int) -> None:
    """A body that goes bad in the middle, or has the wrong checksum, is no shorter page."""
    web.get(URL, body=CODED[coding][:kept] + b"\xff" * 100, content_type=HTML, headers={"Content-Encoding": coding})
    assert client.failure(URL).error == "bad_encoding"


# What the network does


@pytest.mark.parametrize(
    ("error", "kind", "retryable"),
    [
        (requests.ConnectionError("refused"), "connect_error", True),
        (requests.Timeout("slow"), "timeout", True),
        (requests.exceptions.SSLError("bad certificate"), "tls_error", False),
        (requests.exceptions.ChunkedEncodingError("broken"), "protocol_error", True),
        (ConnectionResetError(104, "Connection reset by peer"), "protocol_error", True),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), "dns_error", False),
        (ProtocolError("broken"), "protocol_error", True),
        (ValueError("odd"), "protocol_error", False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_a_mock_raises(web: RequestsMock, client: Any, error: Exception, kind: str, retryable: bool) -> None:
    """A fetch never raises: what was raised below is a failure with a kind."""
    web.get(URL, body=error)
    failure = client.failure(URL)
    assert (failure.error, failure.retryable, failure.status) == (kind, retryable, None)
    assert failure.message


def test_failure_after_a_redirect(web: RequestsMock, client: Any) -> None:
    """The failure names where it happened, and no longer carries the redirect's status."""
    web.get(URL, status=302, headers={"Location": "/new"})
    web.get("https://a.example/new", body=requests.ConnectionError("refused"))
    failure = client.failure(URL)
    assert (failure.url, failure.final_url, failure.status) == (URL, "https://a.example/new", None)


def test_what_no_mock_matches(client: Any) -> None:
    """An address that was not mocked is a connection error, as it is for requests."""
    with responses.RequestsMock() as web:
        failure = client.failure(URL)
        assert failure.error == "connect_error"
        assert "Connection refused by Responses" in failure.message
        assert len(web.calls) == 1


def test_answers_in_turn(web: RequestsMock, client: Any) -> None:
    """Several answers for one URL come in their order."""
    web.get(URL, status=503)
    web.get(URL, body=BODY, content_type=HTML)
    kinds = [type(client.fetch(URL)) for _ in range(2)]
    assert kinds == [Failure, Page]


def test_as_decorator() -> None:
    """The decorator that most test suites use works alike, for a fetcher made before."""

    @responses.activate
    def use(fetcher: Fetcher) -> Page | Hop | Failure:
        responses.get(URL, body=BODY, content_type=HTML)
        return fetcher.fetch(Target(URL, URL, "a.example"))

    with Fetcher(load({})) as fetcher:
        assert isinstance(use(fetcher), Page)
