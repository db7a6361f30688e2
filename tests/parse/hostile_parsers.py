"""Parsers that give what no format can hold, or more than one would expect; a page's body says which."""

from __future__ import annotations

import dataclasses
import enum
import pickle
from collections import UserDict
from collections.abc import Callable
from typing import Any


class Word(str):
    """Text of a class of its own, as BeautifulSoup's strings are."""

    __slots__ = ()


class Share(float):
    """A number of a class of its own, as numpy's are."""


class Name(enum.Enum):
    TITLE = "title"
    URL = "url"


class Speechless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even that")


@dataclasses.dataclass
class Offer:
    price: str


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def ring() -> Any:
    value: dict[str, Any] = {}
    value["again"] = value
    return value


def fail(error: BaseException) -> Any:
    raise error


def endless(depth: int) -> Any:
    return endless(depth + 1)


#: What a parser does by the page's body.
DEEDS: dict[str, Callable[[Any], Any]] = {
    "half characters": lambda _: {"a\ud800": "\udfff", "b": ["\ud83d\ude00", {"\udc00": "x"}]},
    "NUL": lambda _: {"a\0": "\0", "b": {"c\0": ["d\0"]}},
    "NUL in a class": lambda _: {"offer": Offer("1\0\ud800")},
    "controls": lambda _: {"a": "\x1b]0;x\x07\x9b\u202e\u2028\t\r\n"},
    "escapes as text": lambda _: {"a": r"\u0000 \ud800" + "[{" * 200},
    "names alike": lambda _: {"a\0": 1, "a\ufffd": 2},
    "names alike as text": lambda _: {1: "a", "1": "b"},
    "names of other types": lambda _: {1: "a", 2.5: "b", Name.TITLE: "c", Word("w"): "d"},
    "name None": lambda _: {None: 1},
    "name bytes": lambda _: {b"a": 1},
    "name truth": lambda _: {True: 1},
    "reserved": lambda _: {"url": 1},
    "reserved by another class": lambda _: {Name.URL: 1},
    "reserved text class": lambda _: {Word("final_url"): 1},
    "huge": lambda _: {"a": 10**4000, "b": -(2**64)},
    "too huge": lambda _: {"a": 10**5000},
    "no numbers": lambda _: {"a": float("nan"), "b": float("inf"), "c": -float("inf")},
    "bytes": lambda _: {"a": b"\xff\0", "b": bytearray(b"x")},
    "sets": lambda _: {"a": {1}, "b": frozenset("x"), "c": (1, 2)},
    "classes": lambda _: {"a": Word("w"), "b": Share(0.5), "c": UserDict(d=1), "e": Offer("1")},
    "soup's strings": lambda page: {"a": page.soup.new_string("text")},
    "generator": lambda _: {"a": (x for x in "abc")},
    "ring": lambda _: {"a": ring()},
    "100 levels": lambda _: {"a": nested(99)},
    "101 levels": lambda _: {"a": nested(100)},
    "900 levels": lambda _: {"a": nested(900)},
    "a million levels": lambda _: {"a": nested(1_000_000)},
    "half characters, said": lambda _: fail(ValueError("\ud800\0" * 1000)),
    "speechless": lambda _: fail(Speechless()),
    "exit": lambda _: fail(SystemExit("\udfff")),
    "interrupt": lambda _: fail(KeyboardInterrupt()),
    "recursion": lambda _: endless(0),
}

#: What a parser does with a page that nests deep.
DEEP: dict[str, Callable[[Any], Any]] = {
    "get_text": lambda page: {"a": page.soup.get_text()[-4:]},
    "select": lambda page: {"a": len(page.soup.select("div div"))},
    "find_all": lambda page: {"a": len(page.soup.find_all("div"))},
    "str": lambda page: {"a": len(str(page.soup)) > 0},
    "pickle": lambda page: {"a": len(pickle.dumps(page.soup)) > 0},
    "decompose": lambda page: {"a": page.soup.decompose()},
    "html select": lambda page: {"a": len(page.html.select("div div"))},
    "html text": lambda page: {"a": page.html.text[-4:]},
}


def odd(page: Any) -> Any:
    """Give what the body says."""
    return DEEDS[page.body.decode()](page)


def deep(page: Any) -> Any:
    """Do what the URL's last part says with the page."""
    return DEEP[page.url.rpartition("/")[2].replace("+", " ")](page)


def word_before_at(page: Any) -> Any:
    """As a careless regular expression does it: time grows with the square of the longest word."""
    import re

    return {"mail": re.findall(r"(\w+)@(\w+)", page.text)}
