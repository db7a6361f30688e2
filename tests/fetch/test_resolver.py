"""Names are looked up once, judged, and connected to by number; one that hangs costs no more than the deadline."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from scraper.fetch.addresses import AddressGuard
from scraper.fetch.deadline import DeadlineExceeded, Exchange, Watchdog
from scraper.fetch.failures import Refused
from scraper.fetch.resolver import Place, Resolver

PUBLIC: Final = "93.184.215.14"
LIMIT: Final = 10.0


class Names:
    """A name service: answers in turn, for each name; the last one stays. Keeps count of questions."""

    def __init__(self, **answers: list[list[str] | Exception]) -> None:
        self.answers = {name.replace("_", "."): list(each) for name, each in answers.items()}
        self.asked: list[str] = []
        self.hangs: set[str] = set()
        self.go_on = threading.Event()
        self.asking = threading.Semaphore(0)

    def getaddrinfo(self, host: str, port: Any, **_: Any) -> list[Any]:
        self.asked.append(host)
        self.asking.release()
        if host in self.hangs:
            assert self.go_on.wait(LIMIT)
        answers = self.answers[host]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return [_entry(address, port or 0) for address in answer]


def _entry(address: str, port: int) -> tuple[Any, ...]:
    if ":" in address:
        return socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Names]]:
    """Put a name service in place of the system's."""
    made: list[Names] = []

    def make(**answers: Any) -> Names:
        made.append(Names(**answers))
        monkeypatch.setattr(socket, "getaddrinfo", made[-1].getaddrinfo)
        return made[-1]

    yield make
    for each in made:
        each.go_on.set()


@pytest.fixture
def exchange() -> Iterator[Callable[..., Exchange]]:
    """Begin exchanges with so many seconds left."""
    watchdog = Watchdog()
    yield lambda seconds=LIMIT: Exchange(watchdog, seconds, LIMIT)
    watchdog.close()


@pytest.fixture
def packets(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Where sockets were connected to, which none is."""
    seen: list[tuple[str, int]] = []

    def connect(_: socket.socket, address: Any) -> None:
        seen.append(address[:2])
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket.socket, "connect", connect)
    return seen


def test_places(names: Any, exchange: Any) -> None:
    """In the order that the system gives, with the port that is wanted."""
    names(a_example=[[PUBLIC, "2606:4700::1"]])
    assert Resolver(AddressGuard(False), most=8).places("a.example", 81, exchange()) == [
        Place(socket.AF_INET, (PUBLIC, 81)),
        Place(socket.AF_INET6, ("2606:4700::1", 81, 0, 0)),
    ]


@pytest.mark.parametrize(
    ("host", "place"),
    [
        (PUBLIC, Place(socket.AF_INET, (PUBLIC, 80))),
        ("[2606:4700::1]", Place(socket.AF_INET6, ("2606:4700::1", 80, 0, 0))),
    ],
)
def test_numbers_are_not_looked_up(names: Any, exchange: Any, host: str, place: Place) -> None:
    """They say it all."""
    asked = names().asked
    assert Resolver(AddressGuard(False), most=8).places(host, 80, exchange()) == [place]
    assert asked == []


def test_one_of_many_is_enough(names: Any, exchange: Any) -> None:
    """Nobody knows which of them a connection would have taken."""
    names(a_example=[[PUBLIC, "2606:4700::1", "fd00::1"]])
    with pytest.raises(Refused, match=r"^a\.example is at fd00::1, which is not public") as told:
        Resolver(AddressGuard(False), most=8).places("a.example", 80, exchange())
    assert told.value.kind == "blocked_address"


def test_rebinding(names: Any, open_client: Any, packets: list[Any]) -> None:
    """A name that is public when it is judged and private a moment later: connected is to what was judged."""
    service = names(a_example=[[PUBLIC], ["127.0.0.1"]])
    client = open_client(fetch={"allow_private": False})
    assert client.failure("http://a.example/").error == "connect_error"
    assert packets == [(PUBLIC, 80)]
    assert service.asked == ["a.example"]
    assert client.failure("https://a.example:8443/").error == "blocked_address"
    assert packets == [(PUBLIC, 80)]


@pytest.mark.parametrize("addresses", [["127.0.0.1"], [PUBLIC, "10.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["fe80::1"]])
def test_names_of_what_is_not_public(names: Any, open_client: Any, packets: list[Any], addresses: list[str]) -> None:
    """Without a packet, and for good: it is not asked again."""
    names(a_example=[addresses])
    failure = open_client(fetch={"allow_private": False}).failure("http://a.example/")
    assert (failure.error, failure.retryable) == ("blocked_address", False)
    assert packets == []


def test_redirects(serve: Any, open_client: Any, names: Any) -> None:
    """Each hop is judged by itself, also on the same host: it may stand for another address by now."""
    service = names(a_example=[["127.0.0.1"]])
    site = serve(lambda path: (302, {"Location": "/" if path == "/on" else "http://b.example/"}, b""))
    client = open_client(fetch={"allow_private": ["a.example"]})
    port = site.url.rpartition(":")[2]
    hop = client.hop(f"http://a.example:{port}/")
    assert (hop.host, site.hits) == ("b.example", {"/": 1})
    service.answers["b.example"] = [["127.0.0.1"]]
    failure = client.failure(hop.href)
    assert (failure.error, site.hits) == ("blocked_address", {"/": 1})


def test_host_and_sni_are_those_of_the_url(serve: Any, open_client: Any, names: Any) -> None:
    """Though the connection goes to a number."""
    names(a_example=[["127.0.0.1"]])
    site = serve(lambda path: (200, {"Content-Type": "text/html"}, path.encode()))
    port = site.url.rpartition(":")[2]
    page = open_client(fetch={"allow_private": ["127.0.0.0/8"]}).page(f"http://a.example:{port}/x")
    assert page.final_url == f"http://a.example:{port}/x"


def test_a_look_up_that_hangs(names: Any, exchange: Any) -> None:
    """It is given up at the deadline, and another name does not wait for it."""
    service = names(slow_example=[[PUBLIC]], a_example=[[PUBLIC]])
    service.hangs.add("slow.example")
    resolver = Resolver(AddressGuard(False), most=8)
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        resolver.places("slow.example", 80, exchange(0.3))
    assert time.monotonic() - began < LIMIT / 2
    assert resolver.places("a.example", 80, exchange())


def test_those_who_want_the_same_wait_for_one_answer(names: Any, exchange: Any) -> None:
    """However many they are; who comes later asks anew."""
    service = names(slow_example=[[PUBLIC]])
    service.hangs.add("slow.example")
    resolver = Resolver(AddressGuard(False), most=8)
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(resolver.places("slow.example", 80, exchange()))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    assert service.asking.acquire(timeout=LIMIT)
    service.go_on.set()
    for thread in threads:
        thread.join(LIMIT)
    assert len(found) == 8
    assert 1 <= len(service.asked) <= 8
    before = len(service.asked)
    resolver.places("slow.example", 80, exchange())
    assert len(service.asked) == before + 1


def test_no_more_than_so_many_at_once(names: Any, exchange: Any) -> None:
    """A name service that never answers does not get a thread for every name of the list."""
    service = names(one_example=[[PUBLIC]], two_example=[[PUBLIC]])
    service.hangs.add("one.example")
    resolver = Resolver(AddressGuard(False), most=1)
    for name in ("one.example", "two.example"):
        with pytest.raises(DeadlineExceeded):
            resolver.places(name, 80, exchange(0.2))
    assert service.asked == ["one.example"]
    service.go_on.set()
    assert resolver.places("two.example", 80, exchange())


def test_one_that_gave_up_leaves_the_question_to_the_next(names: Any, exchange: Any) -> None:
    """Two want the same name, and there is room for its look-up when the first has no time left."""
    service = names(slow_example=[[PUBLIC]], a_example=[[PUBLIC]])
    service.hangs.add("slow.example")
    resolver = Resolver(AddressGuard(False), most=1)
    with pytest.raises(DeadlineExceeded):
        resolver.places("slow.example", 80, exchange(0.1))
    outcomes: list[Any] = []

    def ask(within: Exchange) -> None:
        try:
            outcomes.append(resolver.places("a.example", 80, within))
        except DeadlineExceeded as error:
            outcomes.append(error)

    first = threading.Thread(target=ask, args=(exchange(0.3),))
    second = threading.Thread(target=ask, args=(exchange(),))
    first.start()
    second.start()
    first.join(LIMIT)
    service.go_on.set()
    second.join(LIMIT)
    assert [type(outcome) for outcome in outcomes] == [DeadlineExceeded, list]


@pytest.mark.parametrize(
    ("error", "kind", "retryable"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), "dns_error", False),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), "dns_error", True),
        (UnicodeError("label too long"), "dns_error", False),
    ],
)
def test_failures(names: Any, open_client: Any, error: Exception, kind: str, retryable: bool) -> None:
    """They come out of the other thread as what they are."""
    names(a_example=[error])
    failure = open_client().failure("http://a.example/")
    assert (failure.error, failure.retryable) == (kind, retryable)


def test_the_deadline_is_that_of_the_whole_exchange(names: Any, open_client: Any) -> None:
    """Names included."""
    names(slow_example=[[PUBLIC]]).hangs.add("slow.example")
    failure = open_client(fetch={"timeout": 0.3}).failure("http://slow.example/")
    assert (failure.error, failure.retryable, failure.unreached) == ("timeout", True, True)


@pytest.mark.parametrize("source", ["settings", "environment"])
def test_a_proxy_needs_to_be_trusted(
    open_client: Any, monkeypatch: pytest.MonkeyPatch, packets: list[Any], source: str
) -> None:
    """Nobody here sees where it connects to."""
    if source == "environment":
        monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    fetch = {"proxy": "http://127.0.0.1:3128"} if source == "settings" else {}
    if source == "settings":
        failure = open_client(fetch={**fetch, "allow_private": True}).failure("http://a.example/")
        assert failure.error == "connect_error"
        assert packets == [("127.0.0.1", 3128)]
        return
    failure = open_client(fetch={"allow_private": ["a.example"]}).failure("http://a.example/")
    assert failure.error == "blocked_address"
    assert "through a proxy" in failure.message
    assert packets == []
