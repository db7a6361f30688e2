"""Fields to values: every form of a field, the same on both engines."""

from __future__ import annotations

from typing import Any

import pytest

from scraper.parse import engines, problems
from scraper.parse.document import Document
from scraper.parse.engines import Engine
from scraper.parse.fields import DEFAULTS, MissingField, Spec
from scraper.settings import Container, FieldSettings, SetSettings

URL = "https://a.example/shop/list?page=1"

PAGE = """<!DOCTYPE html><html lang=en><head><title> A  shop </title>
<meta name=Description content=' Fine things '><link rel="x Canonical" href=/shop/#top></head><body><h1>Things</h1>
<div class=item data-sku=' A-1 '><h3><a href=../1.html title="The first">First …</a></h3><p class=price>£1,051.77</p>
<p class="star-rating Three"></p><span class=tag>old</span><span class=tag> rare<br>thing </span></div>
<div class=item data-sku=A-2><h3><a href=//b.example/2>Second</a></h3><b class=offer>12 €</b><p class=star-rating></p>
<a class=empty href=""></a><a class=bad href="http://[">bad</a><a class=mail href=mailto:me@a.example>mail</a></div>
</body></html>"""


@pytest.fixture(params=["turbohtml", "beautifulsoup"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each of the two."""
    return engines.load(request.param, "html5lib")


def container(selector: str | None) -> Container | None:
    """Records by a CSS selector, if there is one."""
    return None if selector is None else Container(css=(selector,))


def values(engine: Engine, text: str = PAGE, url: str = URL, records: str | None = None, **settings: Any) -> list[Any]:
    """One field's value in each record."""
    spec = Spec(SetSettings(records=container(records), fields={"field": FieldSettings(**settings)}), engine)
    return [record["field"] for record in spec.extract(Document(engine, text, url))]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"css": ("h3",)}, "First …"),
        ({"css": ("nav",)}, None),
        ({"css": ("nav", ".offer", ".price")}, "12 €"),
        ({"css": (".price", ".offer")}, "£1,051.77"),
        ({"css": ("h3 a",), "attr": "title"}, "The first"),
        ({"css": ("h3 a",), "attr": "TITLE"}, "The first"),
        ({"css": (".item",), "attr": "data-sku"}, "A-1"),
        ({"css": ("h3",), "attr": "title"}, None),
        ({"css": ("h3 a",), "attr": "href"}, "../1.html"),
        ({"css": (".tag",), "all": True}, ["old", "rare thing"]),
        ({"css": ("nav",), "all": True}, []),
        ({"css": ("nav", "h3"), "all": True}, ["First …", "Second"]),
        ({"css": ("a",), "attr": "title", "all": True}, ["The first"]),
        ({"css": (".price",), "type": "number"}, 1051.77),
        ({"css": (".offer",), "type": "number"}, 12),
        ({"css": ("h1",), "type": "number"}, None),
        ({"css": ("b, p",), "type": "number", "all": True}, [1051.77, 12]),
        ({"css": ("h3 a",), "attr": "href", "type": "url"}, "https://a.example/1.html"),
        (
            {"css": ("h3 a",), "attr": "href", "type": "url", "all": True},
            ["https://a.example/1.html", "https://b.example/2"],
        ),
        ({"css": (".empty",), "attr": "href", "type": "url"}, URL),
        ({"css": (".bad",), "attr": "href", "type": "url"}, None),
        ({"css": (".bad", ".mail"), "attr": "href", "type": "url", "all": True}, []),
        ({"css": (".mail",), "attr": "href", "type": "url"}, "mailto:me@a.example"),
        ({"css": (".star-rating",), "attr": "class", "regex": r"star-rating (\w+)"}, "Three"),
        ({"css": (".star-rating",), "attr": "class", "regex": r"star-rating (\w+)", "all": True}, ["Three"]),
        ({"css": (".price",), "regex": r"\d+\.\d+"}, "051.77"),
        ({"css": (".price",), "regex": r"(x)?£"}, None),
        ({"css": (".price",), "regex": r"£(\d),(\d+)", "type": "number"}, 1),
        ({"css": ("h1",), "regex": "^$"}, None),
        ({"css": ("nav",), "default": "none"}, "none"),
        ({"css": ("nav",), "default": 0}, 0),
        ({"css": ("nav",), "default": [], "all": True}, []),
        ({"css": ("nav",), "default": ["x"], "all": True}, ["x"]),
        ({"css": ("h1",), "regex": "x+", "default": "no x"}, "no x"),
        ({"css": ("h1",), "type": "number", "default": -1}, -1),
        ({"css": (".star-rating",), "default": "full of nothing"}, ""),
        ({"css": ("h1",), "required": True}, "Things"),
        ({"css": ("nav",), "required": True, "default": "x"}, "x"),
    ],
)
def test_forms(engine: Engine, settings: dict[str, Any], expected: Any) -> None:
    """css, a list of css, attr, all, type, regex, default, required, and what they do together."""
    assert values(engine, **settings) == [expected]


@pytest.mark.parametrize(
    "settings",
    [
        {"css": ("nav",)},
        {"css": ("nav",), "all": True},
        {"css": (".star-rating",)},
        {"css": ("h1",), "attr": "title"},
        {"css": ("h1",), "type": "number"},
        {"css": ("h1",), "regex": "x"},
        {"css": ("h1",), "regex": "x", "all": True},
        {"css": (".bad",), "attr": "href", "type": "url"},
        {"css": ("nav",), "default": ""},
    ],
)
def test_required(engine: Engine, settings: dict[str, Any]) -> None:
    """A required field that finds nothing, or nothing but emptiness, fails the page and is named."""
    with pytest.raises(MissingField, match="'field'"):
        values(engine, required=True, **settings)


def test_zero_is_something(engine: Engine) -> None:
    """A required number may be 0."""
    assert values(engine, "<p>0 left", css=("p",), type="number", required=True) == [0]


def test_records(engine: Engine) -> None:
    """One record for each match; selectors look below it."""
    assert values(engine, records=".item", css=("h3",)) == ["First …", "Second"]
    assert values(engine, records=".item", css=(".offer",)) == [None, "12 €"]
    assert values(engine, records=".item", css=("h1",)) == [None, None]
    assert values(engine, records=".item", css=(".item > h3",)) == ["First …", "Second"]
    assert values(engine, records="nav", css=("h3",)) == []


def test_one_missing_field_fails_the_page(engine: Engine) -> None:
    """Also when the other records have it."""
    with pytest.raises(MissingField):
        values(engine, records=".item", css=(".offer",), required=True)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("", "https://a.example/shop/x"),
        ("<base href=/other/>", "https://a.example/other/x"),
        ("<base href=https://c.example/d/e>", "https://c.example/d/x"),
        ("<base href=deeper/>", "https://a.example/shop/deeper/x"),
        ("<base target=_top><base href=/one/><base href=/two/>", "https://a.example/one/x"),
        ("<base href=' /spaced/ '>", "https://a.example/spaced/x"),
        ("<base href=''>", "https://a.example/shop/x"),
        ("<base href='http://['>", "https://a.example/shop/x"),
        ("<base href='javascript:void(0)'>", "https://a.example/shop/x"),
        ("<base href='DATA:text/plain,x'>", "https://a.example/shop/x"),
        ("</head><body><base href=/late/>", "https://a.example/late/x"),
    ],
)
def test_base(engine: Engine, head: str, expected: str) -> None:
    """Links are resolved against the first ``<base href>``, for all records (HTML Standard §4.2.3)."""
    text = f"{head}<div><a href=x>l</a></div>"
    settings: dict[str, Any] = {"css": ("a",), "attr": "href", "type": "url"}
    assert values(engine, text, **settings) == [expected]
    assert values(engine, text, records="div", **settings) == [expected]


def test_default_record(engine: Engine) -> None:
    """Without fields: title, description, language, canonical, h1, text and links."""
    (record,) = Spec(SetSettings(), engine).extract(Document(engine, PAGE, URL))
    assert list(record) == list(DEFAULTS)
    assert record == {
        "title": "A shop",
        "description": "Fine things",
        "language": "en",
        "canonical": "https://a.example/shop/#top",
        "h1": "Things",
        "text": "Things First … £1,051.77 old rare thing Second 12 € badmail",
        "links": ["https://a.example/1.html", "https://b.example/2", URL, "mailto:me@a.example"],
    }


def test_default_record_of_an_empty_page(engine: Engine) -> None:
    """Nothing is there, and nothing fails."""
    (record,) = Spec(SetSettings(), engine).extract(Document(engine, "", URL))
    assert record == dict.fromkeys(DEFAULTS) | {"text": "", "links": []}


def test_problems_tell_all(engine: Engine) -> None:
    """Every selector that does not compile, with its key and itself."""
    fields = {
        "a": FieldSettings(css=("p", "h2[", "")),
        "b": FieldSettings(css=("ok",)),
        "c": FieldSettings(css=(">>",)),
    }
    found = problems.find(SetSettings(records=container("x["), fields=fields), "turbohtml", "lxml", engine)
    assert [problem.path for problem in found] == ["records.css", "fields.a.css", "fields.a.css", "fields.c.css"]
    assert "'h2['" in found[1].message
    assert problems.find(SetSettings(fields=fields), "turbohtml", "lxml", engine) == found[1:]
    assert problems.find(SetSettings(), "turbohtml", "lxml", engine) == []
