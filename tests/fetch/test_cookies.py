"""Cookies: a jar for each origin, sent to nobody else (RFC 6265)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from responses import RequestsMock

from scraper.fetch.cookies import MAX_BYTES, MAX_COOKIES, Jars
from scraper.records import ROBOTS
from scraper.urls import split

URL = "https://a.example/shop/list"
HTML = "text/html"


def sent(web: RequestsMock, call: int = -1) -> str | None:
    """The `Cookie` field of a request."""
    return web.calls[call].request.headers.get("Cookie")


@pytest.fixture
def client(open_client: Callable[..., Any]) -> Any:
    """A client that keeps cookies."""
    return open_client(fetch={"cookies": True})


@pytest.mark.parametrize(
    ("values", "url", "expected"),
    [
        (["a=1"], URL, "a=1"),
        (["a=1"], "https://a.example/other", None),  # the default path is the folder (§5.1.4)
        (["a=1; Path=/"], "https://a.example/other", "a=1"),
        (["a=1; Path=/other"], URL, None),
        (["a=1; Path=/shop"], "https://a.example/shopping", None),
        (["a=1", "b=2"], URL, "a=1; b=2"),
        (["a=1", "a=2"], URL, "a=2"),
        (["a=1; Path=/", "a=2; Path=/shop"], URL, "a=2; a=1"),  # longer paths first (§5.4)
        (["a=1; Max-Age=0"], URL, None),
        (["a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], URL, None),
        (["a=1; Max-Age=1000; Secure; HttpOnly; SameSite=Lax"], URL, "a=1"),
        (["a=1; Domain=example"], URL, None),
        (["a=1; Domain=b.example"], URL, None),
        (["a=1; Domain=a.example"], URL, "a=1"),
        (["a=1; Domain=a.example; Path=/"], "https://b.a.example/", None),  # no other host, whatever it says
        (["a=1"], "http://a.example/shop/list", None),
        (["a=1"], "https://a.example:8443/shop/list", None),
        (["=", ";", "", "a=\x1b", "\x00=1", "b"], URL, "b"),
        (["a=\xe9"], URL, "a=\xe9"),
        (["a=" + "x" * MAX_BYTES], URL, None),
    ],
)
def test_rules(values: list[str], url: str, expected: str | None) -> None:
    """Path, age and domain count; and the origin."""
    jars = Jars()
    jars.keep(split(URL), values)
    assert jars.header(split(url)) == expected


def test_a_later_answer_takes_one_back() -> None:
    """By its age."""
    jars = Jars()
    jars.keep(split(URL), ["a=1", "b=2"])
    jars.keep(split(URL), ["a=; Max-Age=0"])
    assert jars.header(split(URL)) == "b=2"


def test_no_more_than_so_many() -> None:
    """Of a host that sets without end, the latest are kept; of hosts without end, too."""
    jars = Jars(most=2)
    jars.keep(split(URL), [f"n{number}=x" for number in range(MAX_COOKIES + 5)])
    names = (jars.header(split(URL)) or "").split("; ")
    assert names == [f"n{number}=x" for number in range(5, MAX_COOKIES + 5)]
    jars.keep(split("https://b.example/"), ["b=1"])
    assert jars.header(split(URL))
    jars.keep(split("https://c.example/"), ["c=1"])
    assert [bool(jars.header(split(url))) for url in (URL, "https://b.example/", "https://c.example/")] == [
        True,
        False,
        True,
    ]


def test_off_by_default(web: RequestsMock, open_client: Callable[..., Any]) -> None:
    """Nothing is kept."""
    web.get(URL, headers={"Set-Cookie": "a=1"}, body=b"<p>", content_type=HTML)
    client = open_client()
    client.page(URL)
    client.page(URL)
    assert sent(web) is None


def test_from_page_to_page(web: RequestsMock, client: Any) -> None:
    """What one answer sets, later requests carry: those for pages."""
    web.get(URL, headers={"Set-Cookie": "a=1; Path=/"}, body=b"<p>", content_type=HTML)
    web.get("https://a.example/robots.txt", body=b"", content_type="text/plain")
    client.page(URL)
    assert sent(web) is None
    client.page(URL)
    assert sent(web) == "a=1"
    client.page("https://a.example/robots.txt", kind=ROBOTS)
    assert sent(web) is None


def test_set_on_the_way(web: RequestsMock, client: Any) -> None:
    """A redirect that sets a cookie is followed with it; one to another origin without any."""
    web.get(URL, status=302, headers={"Set-Cookie": "a=1; Path=/; Domain=a.example", "Location": "/in"})
    web.get("https://a.example/in", status=302, headers={"Location": "https://a.example:8443/out"})
    web.get("https://a.example:8443/out", status=302, headers={"Location": "https://b.a.example/"})
    target = client.hop(URL)
    assert [sent(web, call) for call in range(3)] == [None, "a=1", None]
    web.get("https://b.a.example/", body=b"<p>", content_type=HTML)
    client.fetcher.fetch(target)
    assert sent(web) is None


def test_failures_set_cookies_too(web: RequestsMock, client: Any) -> None:
    """A page behind a consent wall, say."""
    web.get(URL, status=403, headers={"Set-Cookie": "seen=1"})
    client.failure(URL)
    client.failure(URL)
    assert sent(web) == "seen=1"


def test_the_users_own_come_first(web: RequestsMock, client: Any) -> None:
    """What the list says is not added to."""
    web.get(URL, headers={"Set-Cookie": "a=1"}, body=b"<p>", content_type=HTML)
    client.page(URL)
    client.page(URL, headers={"cookie": "mine=1"})
    assert sent(web) == "mine=1"


AUTH = {"a.example": {"auth": "Bearer of-a", "headers": {"Cookie": "of=a", "X-A": "a"}}}


@pytest.mark.parametrize(
    ("listed", "place", "trusted"),
    [
        ("https://a.example/", "https://a.example/in", True),
        ("https://a.example/", "http://a.example/", False),
        ("https://a.example/", "https://a.example:8443/", False),
        ("http://a.example/", "https://a.example/", False),
        ("https://b.example/", "https://a.example/", True),
        ("http://b.example/", "http://a.example/", True),
        ("https://b.example/", "http://a.example/", False),
        ("https://b.example/", "https://a.example:8443/", False),
    ],
)
def test_a_hosts_own_secrets(
    web: RequestsMock, open_client: Callable[..., Any], listed: str, place: str, trusted: bool
) -> None:
    """They go where the list points, and to their host when another one leads there; not to its other ports, and never
    in the clear instead of encrypted.
    """
    web.get(listed, status=302, headers={"Location": place})
    web.get(place, body=b"<p>", content_type=HTML)
    client = open_client(hosts=AUTH)
    answer = client.fetch(listed)
    if split(listed).host != split(place).host:
        answer = client.fetcher.fetch(answer.target)
    client.fetcher.budget.release(len(answer.body))
    headers = web.calls[-1].request.headers
    assert (headers.get("Authorization"), headers.get("Cookie")) == (
        ("Bearer of-a", "of=a") if trusted else (None, None)
    )
    assert headers["X-A"] == "a"
