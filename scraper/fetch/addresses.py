"""Which addresses the web is at, and which belong to this machine, to networks like this one, or to nobody.

A page, a redirect or a name server may lead anywhere: to a router's settings, a database, a cloud's metadata. So every
address is judged, as a number, before anything is sent there.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from scraper.fetch.failures import Refused

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: What is not public, by the IANA registries of special-purpose addresses (RFC 6890) and what they refer to. A list of
#: our own, since `ipaddress.is_global` differs by Python version. The few addresses within these networks that the
#: registries call reachable are anycast services, not websites.
_IPV4: Final = {
    "0.0.0.0/8": "this host (RFC 791)",
    "10.0.0.0/8": "a private network (RFC 1918)",
    "100.64.0.0/10": "a provider's inner network (RFC 6598)",
    "127.0.0.0/8": "this machine (RFC 1122)",
    "169.254.0.0/16": "link-local (RFC 3927)",
    "172.16.0.0/12": "a private network (RFC 1918)",
    "192.0.0.0/24": "for protocols (RFC 6890)",
    "192.0.2.0/24": "for documentation (RFC 5737)",
    "192.31.196.0/24": "for name servers' black holes (RFC 7535)",
    "192.52.193.0/24": "for multicast relays (RFC 7450)",
    "192.88.99.0/24": "for 6to4 relays (RFC 7526)",
    "192.168.0.0/16": "a private network (RFC 1918)",
    "192.175.48.0/24": "for name servers' black holes (RFC 7534)",
    "198.18.0.0/15": "for measurements (RFC 2544)",
    "198.51.100.0/24": "for documentation (RFC 5737)",
    "203.0.113.0/24": "for documentation (RFC 5737)",
    "224.0.0.0/4": "multicast (RFC 5771)",
    "240.0.0.0/4": "reserved (RFC 1112)",
}
#: Of IPv6, only 2000::/3 was ever given out for anybody to be reached at (RFC 4291 §2.4), but for these.
_IPV6: Final = {
    "2001::/23": "for protocols, as Teredo (RFC 2928)",
    "2001:db8::/32": "for documentation (RFC 3849)",
    "2002::/16": "6to4 (RFC 3056)",
    "2620:4f:8000::/48": "for name servers' black holes (RFC 7534)",
    "3fff::/20": "for documentation (RFC 9637)",
}
_NOT_PUBLIC: Final[dict[int, list[tuple[Network, str]]]] = {
    4: [(ip_network(text), what) for text, what in _IPV4.items()],
    6: [(ip_network(text), what) for text, what in _IPV6.items()],
}
_GLOBAL: Final = IPv6Network("2000::/3")

#: IPv6 spellings of IPv4 addresses, by which a translator or the system itself reaches those: mapped (RFC 4291
#: §2.5.5.2), and NAT64 with its well-known prefix (RFC 6052).
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_NAT64: Final = IPv6Network("64:ff9b::/96")

#: Why `fetch.proxy` needs `fetch.allow_private: true`.
BEHIND_A_PROXY: Final = (
    "behind which addresses cannot be checked; set fetch.allow_private: true (--allow-private) if it may reach them all"
)


def why_not_public(address: Address) -> str | None:
    """What an address is for, if it is not public; None if it is."""
    address = _reached(address)
    for network, what in _NOT_PUBLIC[address.version]:
        if address in network:
            return what
    if address.version == 6 and address not in _GLOBAL:
        return _outside(address)
    return None


class AddressGuard:
    """Lets through what may be connected to.

    Attributes:
        is_open: whatever it is.
    """

    def __init__(self, allowed: bool | Iterable[str]) -> None:
        """Let through public addresses, and besides them all, none, or these host names, addresses and networks.

        Args:
            allowed: `fetch.allow_private`.
        """
        self.is_open = allowed is True
        self._names: set[str] = set()
        self._networks: list[Network] = []
        for item in () if isinstance(allowed, bool) else allowed:
            try:
                self._networks.append(ip_network(item.strip("[]")))
            except ValueError:
                self._names.add(item.rstrip("."))

    def check(self, host: str, addresses: Iterable[str]) -> None:
        """See that a host may be connected to.

        Args:
            host: its name.
            addresses: *all* that the name stands for: which of them a connection would take is nobody's to foresee.

        Raises:
            Refused: ``blocked_address``.
        """
        if self.is_open or host.rstrip(".") in self._names:
            return
        for text in addresses:
            address = ip_address(text.partition("%")[0])  # a zone tells by which interface
            what = why_not_public(address)
            if what is not None and not self._is_allowed(address):
                name = host.strip("[]")
                shown = text if text == name else f"{name} is at {text}, which"
                raise Refused(
                    "blocked_address",
                    f"{shown} is not public, but {what}; fetch.allow_private: [{name}] would let it through",
                )

    def _is_allowed(self, address: Address) -> bool:
        reached = _reached(address)
        return any(address in network or reached in network for network in self._networks)


def _reached(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, or itself."""
    if isinstance(address, IPv6Address) and (address in _MAPPED or address in _NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _outside(address: Address) -> str:
    if address.is_loopback:
        return "this machine (RFC 4291)"
    if address.is_link_local:
        return "link-local (RFC 4291)"
    if address.is_multicast:
        return "multicast (RFC 4291)"
    return "a private network (RFC 4193)" if address.is_private and int(address) >> 121 == 0b1111110 else "reserved"
