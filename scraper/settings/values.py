"""Readers of single values: each takes what YAML or a keyword gave and returns what a stage works with.

They raise `ValueError` with a message that goes on after the key's name: ``must be …``.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from scraper import paths as json_paths
from scraper import urls

Reader = Callable[[Any], Any]

_UNITS: Final = {"B": 1} | {
    f"{letter}{infix}B": base**power
    for power, letter in enumerate("KMGT", start=1)
    for infix, base in (("", 1000), ("i", 1024))
}
_SIZE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]+)")
#: RFC 9110 §5.6.2: a token, the form of header names and of authentication schemes.
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: RFC 9110 §5.5: no control characters but the tab; nothing beyond Latin-1 fits into a header.
_NOT_IN_VALUE: Final = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
_HALVES: Final = re.compile("[\ud800-\udfff]")
_NOT_IN_HOST: Final = re.compile(r"[/?#@\\\s]|\]:")
_PROXY: Final = re.compile(r"(?:https?|socks5h?)://[^\s/]+/?")
_PARSER: Final = re.compile(r"(?:.+\.py|[^\W\d]\w*(?:\.\w+)*):[^\W\d]\w*")


def show(value: object) -> str:
    """A value as a person would write it, shortened."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def count(least: int) -> Reader:
    """A whole number of at least `least`."""

    def read(value: Any) -> int:
        if type(value) is not int or value < least:
            raise ValueError(f"must be a whole number of at least {least}")
        return value

    return read


def seconds(*, zero: bool = False) -> Reader:
    """A finite number of seconds, above 0 or, with `zero`, from 0 on."""

    def read(value: Any) -> float:
        if type(value) in (int, float) and (0 < value < math.inf or (zero and value == 0)):
            return float(value)
        raise ValueError(f"must be a number of seconds, {'0 or more' if zero else 'more than 0'}")

    return read


def size(least: int = 1) -> Reader:
    """A size in bytes: a whole number, or text such as ``16MiB`` (1024²) or ``500KB`` (1000)."""

    def read(value: Any) -> int:
        number = _bytes(value)
        if number is None:
            raise ValueError("must be a size such as 16MiB, 500KB, or a whole number of bytes")
        if number < least:
            raise ValueError(f"must be at least {_in_units(least)}")
        return number

    return read


def _bytes(value: object) -> int | None:
    if type(value) is int:
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) and len(value) < 24 else None
    unit = {name.lower(): factor for name, factor in _UNITS.items()}.get(match[2].lower()) if match else None
    return round(float(match[1]) * unit) if match and unit else None


def _in_units(number: int) -> str:
    return f"{number // 1024**2}MiB" if number >= 1024**2 else f"{number} byte{'s' * (number != 1)}"


def choice(*names: str, built: tuple[str, ...] | None = None) -> Reader:
    """One of `names`; those not in `built`, if given, are known but still to come."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            raise ValueError(f"must be {one_of(names)}")
        if built is not None and value not in built:
            raise ValueError(f"{value} is not available in this version; use {one_of(built)}")
        return value

    return read


def one_of(names: tuple[str, ...]) -> str:
    """``a, b or c``."""
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def not_yet(value: Any) -> bool:
    """A switch that cannot be turned on yet."""
    if flag(value):
        raise ValueError("true is not available in this version; leave it out")
    return False


def text(value: Any) -> str:
    """Text that is not empty."""
    if value is None:
        raise ValueError("is empty; give a text, in quotes if it starts with #")
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be text")
    if not value.isascii() and _HALVES.search(value):
        raise ValueError("holds half a character (a lone surrogate)")
    return value


def nullable(read: Reader) -> Reader:
    """What `read` takes, or null."""
    return lambda value: None if value is None else read(value)


def texts(value: Any) -> tuple[str, ...]:
    """A text, or a list of at least one."""
    values = value if isinstance(value, (list, tuple)) else [value]
    if not values:
        raise ValueError("is an empty list; name at least one")
    return tuple(map(text, values))


def paths(value: Any) -> tuple[str, ...]:
    """A dotted path, or a list of at least one."""
    found = texts(value)
    for path in found:
        json_paths.split(path)
    return found


def regex(value: Any) -> str:
    """A regular expression of Python's `re`."""
    pattern = text(value)
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is not a regular expression: {error}, in {show(pattern)}") from None
    return pattern


def any_json(value: Any) -> Any:
    """Any value JSON can say."""
    try:
        return msgspec.json.decode(msgspec.json.encode(value))
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
        raise ValueError("must be a value that JSON can say") from None


def parser(value: Any) -> str:
    """``FILE.py:FUNCTION`` or ``MODULE:FUNCTION``."""
    if not isinstance(value, str) or not _PARSER.fullmatch(value):
        raise ValueError("must be FILE.py:FUNCTION or MODULE:FUNCTION")
    return value


def host(value: str) -> str:
    """A host name as `Target.host` has it: in lower case, IDNA-encoded, without scheme, port or path."""
    # A colon is either a port, which then makes no IPv6 address, or an address without its brackets.
    bracketed = f"[{value}]" if ":" in value and not value.startswith("[") else value
    try:
        if _NOT_IN_HOST.search(bracketed):
            raise urls.InvalidURL
        return urls.split(f"http://{bracketed}/").host
    except urls.InvalidURL:
        raise ValueError(f"holds {show(value)}, which is not a host name (no scheme, port or path)") from None


def anything(value: Any) -> Any:
    """What is read elsewhere."""
    return value


def host_patterns(value: Any) -> tuple[str, ...]:
    """Host names; ``*.`` before one stands for all names below it, and ``*`` alone for all hosts."""
    return tuple(_pattern(item) for item in texts(value))


def _pattern(item: str) -> str:
    if item == "*":
        return item
    name = item.removeprefix("*.")
    return item[: len(item) - len(name)] + host(name)


def allow_private(value: Any) -> bool | tuple[str, ...]:
    """True, false, or a list of host names, addresses and networks."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) and item for item in value):
        raise ValueError("must be true, false, or a list of host names, addresses and networks")
    return tuple(map(_name_or_network, value))


def _name_or_network(item: str) -> str:
    try:
        network = ipaddress.ip_network(item, strict=False)
    except ValueError:
        if "/" in item:
            raise ValueError(f"holds {show(item)}, which is not a network such as 10.0.0.0/8") from None
        return host(item)
    return str(network) if "/" in item else str(network.network_address)


def proxy(value: Any) -> str:
    """A proxy's URL, or ``env:NAME``."""
    found = from_environment(text(value))
    if not _PROXY.fullmatch(found):
        raise ValueError("must be a URL such as http://proxy.example:3128")
    return found


def auth(value: Any) -> str:
    """The `Authorization` value made of a secret, or of ``env:NAME``.

    ``SCHEME CREDENTIALS`` stays as it is, ``USER:PASSWORD`` becomes Basic (RFC 7617), anything else a Bearer token.
    """
    secret = from_environment(text(value)).strip()
    scheme, blank, _ = secret.partition(" ")
    if blank and _TOKEN.fullmatch(scheme):
        return header_value(secret)
    if ":" in secret:
        return "Basic " + base64.b64encode(secret.encode()).decode("ascii")
    return header_value(secret if blank else f"Bearer {secret}")


def from_environment(value: str) -> str:
    """The variable's value for ``env:NAME``; any other text as it is."""
    if not value.startswith("env:"):
        return value
    name = value.removeprefix("env:")
    found = os.environ.get(name)
    if not found:
        raise ValueError(f"names the environment variable {name}, which is not set; export it first")
    return found


def header_name(name: str) -> str:
    """A header's name (a token)."""
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"holds {show(name)}, which is not a header name")
    return name


def header_value(value: Any) -> str:
    """A header's value: text, number, true or false, trimmed; the message keeps it secret."""
    if isinstance(value, bool):
        value = str(value).lower()
    if not isinstance(value, (str, int, float)):
        raise ValueError("must be text")
    trimmed = str(value).strip(" \t")
    if _NOT_IN_VALUE.search(trimmed):
        raise ValueError("holds a line break, a control character or one beyond Latin-1")
    return trimmed


def header_setting(value: Any) -> str:
    """A header's value in the settings, where ``env:NAME`` keeps a secret out of the file."""
    return header_value(from_environment(value) if isinstance(value, str) else value)


def user_agent(value: Any) -> str:
    """The `User-Agent` header's value."""
    return header_value(text(value))


def headers(value: Mapping[Any, Any]) -> dict[str, str]:
    """Request headers by name, as a URL list gives them."""
    found: dict[str, str] = {}
    for name, content in value.items():
        try:
            found[header_name(str(name))] = header_value(content)
        except ValueError as error:
            raise ValueError(f"header {show(str(name))} {error}") from None
    return found
