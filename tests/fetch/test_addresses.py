"""Which addresses may be connected to: by number, and as URLs spell them."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Any, Final

import pytest

from scraper import urls
from scraper.fetch.addresses import AddressGuard, why_not_public
from scraper.fetch.failures import Refused

NOT_PUBLIC: Final = """
0.0.0.0 0.0.0.1 0.255.255.255 10.0.0.0 10.1.2.3 10.255.255.255 100.64.0.0 100.100.100.200 100.127.255.255
127.0.0.0 127.0.0.1 127.1.2.3 127.255.255.255 169.254.0.0 169.254.169.254 169.254.170.2 169.254.255.255
172.16.0.0 172.17.0.1 172.31.255.255 192.0.0.0 192.0.0.8 192.0.0.9 192.0.0.170 192.0.0.192 192.0.0.255 192.0.2.0
192.0.2.255 192.31.196.1 192.52.193.1 192.175.48.1 192.88.99.0 192.88.99.1 192.88.99.255 192.168.0.0 192.168.1.1
192.168.255.255 198.18.0.0 198.19.255.255 198.51.100.0 198.51.100.255 203.0.113.0 203.0.113.255 224.0.0.0
224.0.0.1 239.255.255.255 240.0.0.0 255.255.255.254 255.255.255.255 :: ::1 ::2 ::7f00:1 ::127.0.0.1 ::8.8.8.8
::ffff:0.0.0.0 ::ffff:10.0.0.1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:192.168.0.1 ::ffff:255.255.255.255
::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::169.254.169.254 64:ff9b::192.168.1.1
64:ff9b::0.0.0.0 64:ff9b:1:: 64:ff9b:1::127.0.0.1 64:ff9b:1:ffff::8.8.8.8 100:: 100::1 100:0:0:1::1 2001::
2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:20::1 2001:30::1 2001:1ff:ffff::1 2001:db8::
2001:db8:ffff::1 2002:: 2002:7f00:1:: 2002:a00:1::1 2002:a9fe:a9fe::1 2002:c0a8:101::1 2002:808:808::1
2620:4f:8000::1 3fff:: 3fff:fff:ffff::1 4000::1 5f00::1 8000::1 c000::1 fc00:: fc00::1 fd00::1 fd00:ec2::254
fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff fe80:: fe80::1 febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff fec0::1 feff::1
ff00:: ff02::1 ff0e::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
"""

PUBLIC: Final = """
1.0.0.0 1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0 192.88.98.255
192.88.100.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255
203.0.114.0 223.255.255.255 ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2000::1 2001:200::1 2001:4860:4860::8888
2001:db7:ffff::1 2001:db9::1 2003::1 2606:4700:4700::1111 2a00:1450::1 3ffe:ffff::1 3fff:1000::1
"""

#: What URLs may hold → the address it is, if it is one that is not public.
SPELLINGS: Final = {
    "127.1": "127.0.0.1",
    "127.0.1": "127.0.0.1",
    "0177.0.0.1": "127.0.0.1",
    "0x7f.0.0.1": "127.0.0.1",
    "0x7F.1": "127.0.0.1",
    "0x7f000001": "127.0.0.1",
    "017700000001": "127.0.0.1",
    "2130706433": "127.0.0.1",
    "127.0.0.1.": "127.0.0.1",
    "%31%32%37.0.0.1": "127.0.0.1",
    "①②⑦.⓪.⓪.①": "127.0.0.1",
    "１２７.0.0.1": "127.0.0.1",
    "127。0。0。1": "127.0.0.1",
    "0": "0.0.0.0",
    "0x0": "0.0.0.0",
    "0.0": "0.0.0.0",
    "10.1": "10.0.0.1",
    "012.1": "10.0.0.1",
    "192.168.257": "192.168.1.1",
    "0xC0A80101": "192.168.1.1",
    "3232235777": "192.168.1.1",
    "2852039166": "169.254.169.254",
    "0xa9fea9fe": "169.254.169.254",
    "0251.0376.0251.0376": "169.254.169.254",
    "169.254.43518": "169.254.169.254",
    "[::1]": "::1",
    "[0:0:0:0:0:0:0:1]": "::1",
    "[0000::0001]": "::1",
    "[::]": "::",
    "[::127.0.0.1]": "::7f00:1",
    "[::ffff:127.0.0.1]": "::ffff:7f00:1",
    "[::FFFF:7F00:1]": "::ffff:7f00:1",
    "[0:0:0:0:0:ffff:a9fe:a9fe]": "::ffff:a9fe:a9fe",
    "[64:ff9b::7f00:1]": "64:ff9b::7f00:1",
    "[2002:7f00:1::]": "2002:7f00:1::",
    "[fe80::1]": "fe80::1",
    "[FC00::1]": "fc00::1",
}


@pytest.mark.parametrize("address", NOT_PUBLIC.split())
def test_not_public(address: str) -> None:
    """Each network at its first and last address, and one that is known for something."""
    assert why_not_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC.split())
def test_public(address: str) -> None:
    """Their neighbours."""
    assert why_not_public(ip_address(address)) is None


def test_there_are_many() -> None:
    """As many as are promised."""
    assert len({*NOT_PUBLIC.split()}) + len(SPELLINGS) >= 120


@pytest.fixture
def packets(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Where sockets were connected to, which none is."""
    seen: list[Any] = []

    def connect(_: socket.socket, address: Any) -> None:
        seen.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    return seen


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_spellings(open_client: Any, packets: list[Any], spelling: str, scheme: str) -> None:
    """Whatever a URL calls it, nothing is sent there."""
    url = f"{scheme}://{spelling}/"
    assert urls.split(url).host.strip("[]") == SPELLINGS[spelling]
    failure = open_client(fetch={"allow_private": False}).failure(url)
    assert (failure.error, failure.retryable) == ("blocked_address", False)
    assert f"{SPELLINGS[spelling]} is not public" in failure.message
    assert packets == []


@pytest.mark.parametrize(
    ("allowed", "host", "addresses", "passes"),
    [
        (False, "a.example", ["8.8.8.8"], True),
        (False, "a.example", ["10.0.0.1"], False),
        (False, "a.example", ["8.8.8.8", "10.0.0.1"], False),
        (False, "a.example", ["10.0.0.1", "8.8.8.8"], False),
        (False, "a.example", [], True),
        (True, "a.example", ["10.0.0.1"], True),
        ([], "a.example", ["10.0.0.1"], False),
        (["a.example"], "a.example", ["10.0.0.1", "::1"], True),
        (["a.example"], "a.example.", ["10.0.0.1"], True),
        (["a.example."], "a.example", ["10.0.0.1"], True),
        (["a.example"], "b.a.example", ["10.0.0.1"], False),
        (["10.0.0.0/8"], "a.example", ["10.0.0.1", "10.255.0.1"], True),
        (["10.0.0.0/8"], "a.example", ["10.0.0.1", "192.168.0.1"], False),
        (["10.0.0.0/8"], "[::ffff:a00:1]", ["::ffff:a00:1"], True),
        (["10.0.0.1"], "10.0.0.1", ["10.0.0.1"], True),
        (["10.0.0.1"], "10.0.0.2", ["10.0.0.2"], False),
        (["fe80::/10"], "a.example", ["fe80::1%eth0"], True),
        (["fd00::/8"], "[fd00::1]", ["fd00::1"], True),
        (["[fd00::1]"], "[fd00::1]", ["fd00::1"], True),
    ],
)  # fmt: skip
def test_what_is_let_through(allowed: Any, host: str, addresses: list[str], passes: bool) -> None:
    """By name, address or network; else one address of several that is not public is one too many."""
    guard = AddressGuard(allowed)
    if passes:
        guard.check(host, addresses)
        return
    with pytest.raises(Refused) as told:
        guard.check(host, addresses)
    assert told.value.kind == "blocked_address"
