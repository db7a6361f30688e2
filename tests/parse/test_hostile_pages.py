"""Hostile pages and odd parsers: neither crash nor hang, and every record can be stored in every format."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scraper import storable
from scraper.channel import Channel
from scraper.parse.decode import decode
from scraper.parse.extract import LONGEST_MESSAGE, Extractor, Plan, Verdict
from scraper.parse.inline import InlineParser
from scraper.parse.pool import ParsePool
from scraper.parse.worker import decode_verdicts, encode_verdicts
from scraper.records import Failure, Outcome, Page, Target
from scraper.settings import FieldSettings, SetSettings
from scraper.source import iter_targets

PARSERS = Path(__file__).with_name("hostile_parsers.py")
MB = 1 << 20

#: Some of every kind, so that a page is gone through once.
FIELDS = {
    "title": FieldSettings(css=("title",)),
    "text": FieldSettings(css=("body", "html")),
    "inner": FieldSettings(css=("div div", "p > i"), attr="class", all=True),
    "link": FieldSettings(css=("a[href]",), attr="href", type="url"),
    "id": FieldSettings(css=("[id]",), attr="id"),
    "word": FieldSettings(css=("body", "html"), regex=r"needle (\w{1,20})"),
    "number": FieldSettings(css=("body", "html"), type="number"),
}
MAIN = SetSettings(fields=FIELDS)

TITLE = "<title>t</title>"
END = "needle found</body>"

#: Markup before `END`, made when its test runs, since some of it is long.
BIG: dict[str, Callable[[], str]] = {
    "nested blocks": lambda: "<div>" * 200_000,
    "nested formatting": lambda: "<b>" * 50_000 + "</p>" * 1000,
    "nested tables": lambda: "<table><tr><td>" * 30_000,
    "misnested": lambda: "<b><p></b>" * 3000,
    "end tags alone": lambda: "</p></div>" * 30_000,
    "attributes": lambda: "<div " + " ".join(f"a{number}=v" for number in range(100_000)) + ">",
    "one attribute over and over": lambda: "<div " + "id=x " * 100_000 + ">",
    "long attribute": lambda: f"<p id='{'x' * 12 * MB}'>",
    "long line": lambda: "<p>" + "x" * 100 * MB + " ",
    "long line of spaces": lambda: "<p>" + " " * 20 * MB,
    "open angles": lambda: "<p>" + "< " * 100_000,
    "ampersands": lambda: "<p>" + "&" * MB,
    "open comment": lambda: "<!-- --!" + "-" * MB + "> -->",
    "declarations": lambda: "<!>" * 100_000,
    "digits": lambda: "<p>" + "1" * MB,
    "character references": lambda: "<p>" + "&#0;&#xd800;&#x110000;&#99999999999;&#x1b;&#128;" * 10_000,
    "NULs": lambda: "<p\0 id='a\0b'>\0" + "\0" * 100_000,
    "controls": lambda: "<p>\x1b]0;x\x07\x01\x7f\x9b\u202e\u2028" * 1000,
    "half characters": lambda: "<p>&#xd83d;&#xde00;",
    "template within template": lambda: "<template>" * 10_000 + "</template>" * 10_000,
    "selects": lambda: "<select><option>" * 5000 + "</select>" * 5000,
    "marked section": lambda: "<svg><![CDATA[x]]></svg>",
}


def page(body: bytes | str, content_type: str = "text/html; charset=utf-8", url: str = "https://a.example/") -> Page:
    data = body if isinstance(body, bytes) else body.encode()
    return Page(url, url, 200, "2026-01-01T00:00:00.000Z", [("Content-Type", content_type)], data)


def record(verdict: Verdict) -> dict[str, Any]:
    """The one record; it has come through a worker's pipe, and holds nothing that cannot be stored."""
    (verdict,) = decode_verdicts(encode_verdicts([verdict]))
    assert verdict.error is None, verdict.message
    (line,) = verdict.lines.splitlines()
    found: dict[str, Any] = msgspec.json.decode(line)
    assert storable.value(found) == found
    return found


@pytest.mark.parametrize("name", BIG)
def test_turbohtml(name: str) -> None:
    """The fast tree bears everything, and what follows is found."""
    found = record(Extractor(Plan(main=MAIN))(page(TITLE + BIG[name]() + END)))
    assert found["title"] == "t"
    assert found["word"] == "found"


@pytest.mark.parametrize("name", [name for name in BIG if name != "long line"])
def test_beautifulsoup(name: str) -> None:
    """So does BeautifulSoup on lxml; text beyond the 255 levels of lxml's own trees is there."""
    found = record(Extractor(Plan("beautifulsoup", main=MAIN))(page(TITLE + BIG[name]() + END)))
    assert found["title"] == "t"
    assert found["word"] == "found"
    if name == "long attribute":
        assert len(found["id"]) == 12 * MB


@pytest.mark.parametrize("builder", ["html.parser", "html5lib"])
@pytest.mark.parametrize(
    "body",
    [
        "<div>" * 1000,
        "<b>" * 500 + "</p>" * 100,
        "<div " + " ".join(f"a{number}=v" for number in range(5000)) + ">",
        "<p>" + "x" * MB + " ",
        "<p>\0<p id='\0'>&#0;&#xd800;",
        "<p>" + "&#xd800;" * 1000,
        "<p>" + "<!>" * 1000,
    ],
    ids=["blocks", "formatting", "attributes", "line", "NULs", "references", "declarations"],
)
def test_other_builders(builder: str, body: str) -> None:
    """The other builders are slower; what they bear is the same."""
    text = f"<html><head>{TITLE}</head><body>{body}{END}</html>"
    found = record(Extractor(Plan("beautifulsoup", builder, main=MAIN))(page(text)))
    assert found["title"] == "t"
    assert found["word"] == "found"


@pytest.mark.parametrize("builder", ["lxml", "html.parser", "html5lib"])
def test_depth_is_no_loss(builder: str) -> None:
    """Around the 256 levels that libxml2 has by itself: all text of every level."""
    for levels in (254, 255, 256, 257, 400):
        body = "".join(f"<div>w{level} " for level in range(levels))
        found = record(Extractor(Plan("beautifulsoup", builder, main=MAIN))(page(f"<html><body>{body}")))
        assert found["text"] == " ".join(f"w{level}" for level in range(levels))


def test_markup_that_a_builder_refuses() -> None:
    """Python's own parser stops at some declarations: that is the page's failure, in versions that do."""
    verdict = Extractor(Plan("beautifulsoup", "html.parser", main=MAIN))(page("<html><body><p>a<![\ufffd b<p>c"))
    assert verdict.error in (None, "parse_error")
    assert verdict.error is None or "rejected" in verdict.message


#: Body, Content-Type, encoding and what the text begins with. UTF-7, escapes of Python and the like are no encodings of
#: the web; UTF-16 without mark or label is not looked for by the standard either (HTML Standard §13.2.3.2).
ENCODINGS: dict[str, tuple[bytes, str | None, str, str]] = {
    "UTF-7 in the header": (b"+ADw-b+AD4-", "text/html; charset=utf-7", "windows-1252", "+ADw-b"),
    "UTF-7 in the page": (b"<meta charset=utf-7>+ADw-b+AD4-", None, "windows-1252", "<meta charset=utf-7>+ADw-b"),
    "UTF-7 by its mark": (b"+/v8-+ADw-b+AD4-", None, "windows-1252", "+/v8-+ADw-b"),
    "bogus": (b"caf\xc3\xa9", "text/html; charset=x-nope", "utf-8", "caf\xe9"),
    "bogus in the page": (b"<meta charset=nope>caf\xc3\xa9", None, "utf-8", "<meta charset=nope>caf\xe9"),
    "endless": (b"a", "text/html; charset=" + "a" * 100_000, "windows-1252", "a"),
    "NUL in the label": (b"a", "text/html; charset=\0utf-8", "windows-1252", "a"),
    "not ASCII in the label": (b"a\xe9", "text/html; charset=\xe9", "windows-1252", "a\xe9"),
    "escapes of Python": (b"\\u0041", "text/html; charset=unicode_escape", "windows-1252", "\\u0041"),
    "a codec that is none": (b"abc", "text/html; charset=zlib", "windows-1252", "abc"),
    "rot13": (b"abc", "text/html; charset=rot13", "windows-1252", "abc"),
    "UTF-16 without mark": ("<p>é".encode("utf-16-le"), None, "windows-1252", "<\0p\0"),
    "UTF-16 by the header": ("<p>é".encode("utf-16-le"), "text/html; charset=utf-16", "utf-16le", "<p>é"),
    "UTF-16 by the page": (b"<meta charset=utf-16>caf\xc3\xa9", None, "utf-8", "<meta charset=utf-16>caf\xe9"),
    "UTF-32": ("<p>".encode("utf-32-le"), None, "windows-1252", "<\0\0\0p"),
    "half characters in UTF-8": (b"\xed\xa0\x80\xed\xb0\x80", "text/html; charset=utf-8", "utf-8", "\ufffd" * 6),
    "half characters in UTF-16": (b"\xff\xfe\x00\xd8a\x00", None, "utf-16le", "\ufffda"),
    "half a unit": (b"\xff\xfea", None, "utf-16le", "\ufffd"),
    "replacement": (b"<b>x", "text/html; charset=iso-2022-kr", "replacement", "\ufffd"),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_encodings(name: str) -> None:
    """Whatever a page says of its encoding: text without half characters, and a record on both engines."""
    body, content_type, encoding, beginning = ENCODINGS[name]
    decoded = decode(body, content_type)
    assert decoded.encoding == encoding
    assert decoded.text.startswith(beginning)
    assert not re.search("[\ud800-\udfff]", decoded.text)
    for engine in ("turbohtml", "beautifulsoup"):
        record(Extractor(Plan(engine))(page(body, content_type or "text/html")))


REFUSED = "the record cannot be written as JSON: "

#: What becomes of what `hostile_parsers.odd` gives: the record without the reserved names, or the failure's message.
ODD: dict[str, dict[str, Any] | str] = {
    "half characters": {"a\ufffd": "\ufffd", "b": ["\N{GRINNING FACE}", {"\ufffd": "x"}]},
    "NUL": {"a\ufffd": "\ufffd", "b": {"c\ufffd": ["d\ufffd"]}},
    "NUL in a class": {"offer": {"price": "1\ufffd\ufffd"}},
    "controls": {"a": "\x1b]0;x\x07\x9b\u202e\u2028\t\r\n"},
    "escapes as text": {"a": r"\u0000 \ud800" + "[{" * 200},
    "names alike": f"{REFUSED}two of its keys differ only in what cannot be stored",
    "names alike as text": "two names of the parser's record are the same as text",
    "names of other types": {"1": "a", "2.5": "b", "title": "c", "w": "d"},
    "name None": "a name in the parser's record is of type NoneType, not text",
    "name bytes": "a name in the parser's record is of type bytes, not text",
    "name truth": "a name in the parser's record is of type bool, not text",
    "reserved": "the parser's record uses the name 'url'",
    "reserved by another class": "the parser's record uses the name 'url'",
    "reserved text class": "the parser's record uses the name 'final_url'",
    "huge": {"a": 10**4000, "b": -(2**64)},
    "too huge": REFUSED,
    "no numbers": {"a": None, "b": None, "c": None},
    "bytes": {"a": "/wA=", "b": "eA=="},
    "sets": {"a": [1], "b": ["x"], "c": [1, 2]},
    "classes": {"a": "w", "b": 0.5, "c": {"d": 1}, "e": {"price": "1"}},
    "soup's strings": {"a": "text"},
    "generator": f"{REFUSED}it holds a generator",
    "ring": f"{REFUSED}maximum recursion depth exceeded",
    "101 levels": f"{REFUSED}it nests more than 100 levels",
    "900 levels": f"{REFUSED}it nests more than 100 levels",
    "a million levels": f"{REFUSED}maximum recursion depth exceeded",
    "half characters, said": "ValueError: \ufffd\ufffd",
    "speechless": "Speechless (hostile_parsers.py:",
    "exit": "SystemExit: \ufffd",
    "interrupt": "KeyboardInterrupt",
    "recursion": "RecursionError: ",
}


@pytest.mark.parametrize("name", ODD)
def test_odd_parsers(name: str) -> None:
    """A record that every format can hold, or one line that says why there is none."""
    verdict = Extractor(Plan(parser=f"{PARSERS}:odd"))(page(name))
    expected = ODD[name]
    if isinstance(expected, dict):
        found = record(verdict)
        assert {key: value for key, value in found.items() if key not in page(name).__struct_fields__} == expected
        return
    (verdict,) = decode_verdicts(encode_verdicts([verdict]))
    assert verdict.error == "parse_error"
    assert verdict.message.startswith(expected)
    assert len(verdict.message) <= LONGEST_MESSAGE
    assert "\0" not in verdict.message


def test_the_deepest_record_is_read_back() -> None:
    """100 levels are a record, and nobody's reader is at its end there."""
    assert str(record(Extractor(Plan(parser=f"{PARSERS}:odd"))(page("100 levels")))["a"]).count("[") == 99


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"a\ud800": "\0\udfff"}, {"a\ufffd": "\ufffd\ufffd"}),
        ({"a\0": 1, "a\ud800": 2}, "further key"),
        ({"a": {"b": "\ud83d\ude00"}}, {"a": {"b": "\N{GRINNING FACE}"}}),
        ({"a": [[[[]]]]}, {"a": [[[[]]]]}),
        ({"a": eval("[" * 99 + "]" * 99)}, "nests more than 99 levels"),  # a parser's record, one level down
    ],
)
def test_further_keys(given: dict[str, Any], kept: dict[str, Any] | str) -> None:
    """What a list gives besides the URL is stored as well."""
    (made,) = iter_targets([{"url": "https://a.example/", **given}])
    if isinstance(kept, str):
        assert isinstance(made, Failure)
        assert kept in made.message
    else:
        assert isinstance(made, Target)
        assert made.input == kept


class Pool:
    """Real workers: a list of pages in, their outcomes by URL out."""

    def __init__(self, plan: Plan, timeout: float = 20.0, *, inline: bool = False) -> None:
        self._plan, self._timeout, self._inline = plan, timeout, inline

    def __call__(self, pages: list[Page]) -> dict[str, Outcome]:
        channel: Channel[Page] = Channel(100)
        outcomes: list[Outcome] = []
        ends: dict[str, Any] = {"pages": channel, "deliver": outcomes.extend, "ended": bool}
        parser: ParsePool | InlineParser
        if self._inline:
            parser = InlineParser(self._plan, **ends)
        else:
            parser = ParsePool(self._plan, workers=2, timeout=self._timeout, fail=bool, **ends)
        for each in pages:
            channel.put(each)
        channel.close()
        parser.start()
        parser.join()
        assert len(outcomes) == len(pages)
        return {outcome.url: outcome for outcome in outcomes}


@pytest.mark.parametrize("inline", [True, False])
def test_messages_travel(inline: bool) -> None:
    """Whatever an exception says, no worker dies of it, and the others' pages are parsed."""
    names = ["half characters, said", "speechless", "exit", "recursion", "NUL", "ring"]
    pages = [page(name, url=f"https://a.example/{number}") for number, name in enumerate(names)]
    outcomes = Pool(Plan(parser=f"{PARSERS}:odd"), inline=inline)(pages)
    errors = [None if each.failure is None else each.failure.error for _, each in sorted(outcomes.items())]
    assert errors == ["parse_error"] * 4 + [None, "parse_error"]


#: What `hostile_parsers.deep` finds on a page of 20,000 nested elements; where the tree's own code recurses, the page
#: fails, by an exception or with its worker.
DEEP: dict[str, Any] = {
    "get_text": "deep",
    "select": 19_999,
    "find_all": 20_000,
    "str": True,
    "pickle": True,
    "decompose": None,
    "html+select": 19_999,
    "html+text": "deep",
}


def test_what_people_do_with_deep_pages() -> None:
    """Each has its outcome, and the worker that had a deep tree in hand goes on."""
    body = "<div>" * 20_000 + "deep"
    pages = [page(body, url=f"https://a.example/{name}") for name in DEEP]
    outcomes = Pool(Plan(parser=f"{PARSERS}:deep"))(pages)
    for name, expected in DEEP.items():
        outcome = outcomes[f"https://a.example/{name}"]
        if outcome.failure is not None:
            assert outcome.failure.error == expected or outcome.failure.error == "parse_crashed", (name, outcome)
        else:
            assert msgspec.json.decode(outcome.lines)["a"] == expected, name


def test_a_slow_expression() -> None:
    """A regular expression that takes the square of a 100 MB line's length is cut short; other pages are not."""
    pages = [
        page("x" * 100 * MB, url="https://a.example/long"),
        page("a@b", url="https://a.example/short"),
    ]
    began = time.monotonic()
    outcomes = Pool(Plan(parser=f"{PARSERS}:word_before_at"), timeout=1.0)(pages)
    assert time.monotonic() - began < 12
    long, short = outcomes["https://a.example/long"], outcomes["https://a.example/short"]
    assert long.failure is not None
    assert long.failure.error == "parse_timeout"
    assert short.failure is None


def test_a_slow_tree() -> None:
    """html5lib takes the square of the number of formatting elements that are not closed; that is cut short, too."""
    pages = [
        page("<p><b>" * 5000, url="https://a.example/open"),
        page("<p><b>x</b></p>", url="https://a.example/closed"),
    ]
    outcomes = Pool(Plan("beautifulsoup", "html5lib"), timeout=1.0)(pages)
    slow, quick = outcomes["https://a.example/open"], outcomes["https://a.example/closed"]
    assert slow.failure is not None
    assert slow.failure.error == "parse_timeout"
    assert quick.failure is None


def test_more_than_a_worker_may_have() -> None:
    """A tree of a million elements in 64 MiB: the page fails, and says why; other pages do not."""
    pages = [
        page("<i>x</i>" * 1_000_000, url="https://a.example/large"),
        page(TITLE, url="https://a.example/small"),
    ]
    outcomes = Pool(Plan(main=MAIN, memory=64 << 20))(pages)
    large, small = outcomes["https://a.example/large"], outcomes["https://a.example/small"]
    assert large.failure is not None
    assert (large.failure.error, large.failure.message) == ("parse_crashed", "memory limit")
    assert small.failure is None
