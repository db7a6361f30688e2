"""The forms of a field beyond a CSS selector, on both engines: the same values, whatever builds the tree."""

from __future__ import annotations

from typing import Any

import pytest

from scraper import settings
from scraper.parse import engines, problems
from scraper.parse.document import Document, NotJson
from scraper.parse.engines import Engine
from scraper.parse.fields import MissingField, Spec

URL = "https://a.example/shop/7?x=1"
NOW = "2026-11-24T08:00:00.000Z"

PAGE = """<!DOCTYPE html><html lang=en-GB><head><title>Lamp</title><base href=/b/>
<meta name=Keywords content="lamp, light"><meta property=og:title content="A lamp">
<meta property=og:image content=i.png>
<meta property=og:image:width content=640><meta property=og:image content=j.png><meta name=twitter:card content=summary>
<script type="application/ld+json">{"@context": "https://schema.org", "@graph": [
 {"@type": "BreadcrumbList", "name": "crumbs"},
 {"@type": ["Product", "Thing"], "name": "Lamp & Co", "offers": [{"price": "1,234.50", "availability": true},
  {"price": 9}], "image": {"@type": "ImageObject", "url": "lamp.png"}, "tags": ["a", null, "b"], "size": 4.0}]}</script>
<script type="application/ld+json">broken {</script>
<script type="application/LD+json"><!-- {"@type": "WebPage", "mainEntity": {"@type": "https://schema.org/Person",
 "name": "Ada\tL."},} --></script><script id=state data-x='{"k": [1, 2]}'>
{"props": {"n": 7, "list": ["x", "y"]}}</script>
</head><body><h1> A&nbsp;lamp
<br>two </h1><p class=price>1.234,50 €</p><p class=qty>Stock: 1,200 pieces</p><p class=half>4.5</p>
<p class=yes> Yes </p>
<input class=box checked><time datetime=2026-03-04T10:30+01:00>4 March</time><p class=when>Posted on 03/04/2026</p>
<p class=ago>2 days ago</p><p class=month>March 2026</p><a href=x?y=1>l</a>
<div class=rich><p>Some <b>bold</b> &amp; <a href=/u>link</a></p><ul><li>one<li>two</ul><pre>
 a  b</pre></div>
<section itemscope itemtype=http://schema.org/Product><b itemprop=name>  Desk
 lamp</b><div itemprop=offers itemscope itemtype=http://schema.org/Offer><meta itemprop=price content=12.00></div>
<a itemprop=url href=deep/>u</a></section>
<ul><li class=review data-n=1><b>Ann</b><i>5</i>
<ul><li class=re>x<li class=re>y</ul><li class=review data-n=2><b>Bob</b></ul>
<table class=plain><tr><th>Size<th>Price<th>Price<tr><td>S<td>1<td>2<tr><td>M<td colspan=2>3</table>
<table class=specs><tr><th>UPC<td>u1<tr><th>Tax<td>£0</table>
<table class=wide><thead><tr><th rowspan=2>Name<th colspan=2>Size<tr><th>W<th>H</thead>
<tbody><tr><td rowspan=0>A<td>1<td>2
<tr><td>3<td>4</tbody><tfoot><tr><td>sum<td>4<td><table><tr><td>in</table></tfoot></table>
</body></html>"""


@pytest.fixture(params=["turbohtml", "beautifulsoup"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each of the two."""
    return engines.load(request.param, "html5lib")


def records(engine: Engine, text: str = PAGE, url: str = URL, **sections: Any) -> list[dict[str, Any]]:
    """A page's records by settings as a user writes them."""
    return Spec(settings.load(sections).main, engine).extract(Document(engine, text, url, NOW))


def value(engine: Engine, field: Any, text: str = PAGE) -> Any:
    """One field's value."""
    (record,) = records(engine, text, fields={"field": field})
    return record["field"]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        # xpath
        ({"xpath": "//h1"}, "A\xa0lamp two"),
        ({"xpath": "//tr[th='UPC']/td"}, "u1"),
        ({"xpath": ["//nav", "//title"]}, "Lamp"),
        ({"xpath": "//nav"}, None),
        ({"xpath": "//li[@class='review']/b/text()", "all": True}, ["Ann", "Bob"]),
        ({"xpath": "//a/@href", "type": "url", "all": True}, [
            "https://a.example/b/x?y=1", "https://a.example/u", "https://a.example/b/deep/"]),
        ({"xpath": "//input", "attr": "class"}, "box"),
        ({"xpath": "count(//tr)", "type": "integer"}, 11),
        ({"xpath": "boolean(//h1)", "type": "boolean"}, True),
        ({"xpath": "string(//p[@class='price'])", "type": "number"}, 1234.5),
        ({"xpath": "//p[re:test(., '^Stock')]"}, "Stock: 1,200 pieces"),
        ({"xpath": "//h1/text()", "type": "raw"}, " A\xa0lamp\n"),
        ({"xpath": "html/head/title"}, "Lamp"),
        ({"xpath": "//nav", "exists": True}, False),
        # types
        ({"css": "h1", "type": "raw"}, " A\xa0lamp\ntwo "),
        ({"css": ".qty", "type": "integer"}, 1200),
        ({"css": ".half", "type": "integer"}, None),
        ({"css": ".half", "type": "number"}, 4.5),
        ({"css": ".price", "type": "integer"}, None),
        ({"css": ".yes", "type": "boolean"}, True),
        ({"css": ".qty", "type": "boolean"}, None),
        ({"css": ".box", "attr": "checked", "type": "boolean"}, True),
        ({"css": "time", "attr": "datetime", "type": "date"}, "2026-03-04T10:30:00+01:00"),
        ({"css": ".when", "type": "date"}, "2026-04-03"),
        ({"css": ".when", "type": "date", "date_order": "MDY"}, "2026-03-04"),
        ({"css": ".ago", "type": "date"}, "2026-11-22"),
        ({"css": ".month", "type": "date"}, None),
        ({"css": ".rich p", "type": "html"}, '<p>Some <b>bold</b> &amp; <a href="/u">link</a></p>'),
        ({"css": ".rich pre", "type": "html"}, "<pre> a  b</pre>"),
        ({"css": ".rich", "type": "markdown"}, "Some **bold** & [link](/u)\n\n- one\n- two\n\n```\n a  b\n```"),
        ({"css": "li.re", "type": "html", "all": True}, ['<li class="re">x</li>', '<li class="re">y</li>']),
        ({"css": ".specs td", "type": "markdown"}, "u1"),
        # exists, count
        ({"exists": ".price"}, True),
        ({"css": [".sold", ".gone"], "exists": True}, False),
        ({"css": ".box", "type": "exists"}, True),
        ({"css": ".box", "attr": "checked", "exists": True}, True),
        ({"css": ".box", "attr": "disabled", "exists": True}, False),
        ({"count": "li.review"}, 2),
        ({"css": "nav", "count": True}, 0),
        ({"xpath": "//tr", "type": "count"}, 11),
        ({"jsonld": "Product.tags", "count": True}, 2),
        # jsonld
        ({"jsonld": "offers.price"}, "1,234.50"),
        ({"jsonld": "offers.price", "type": "number"}, 1234.5),
        ({"jsonld": "offers.price", "all": True, "type": "number"}, [1234.5, 9]),
        ({"jsonld": "offers.1.price"}, 9),
        ({"jsonld": "offers.1.price", "type": "text"}, "9"),
        ({"jsonld": "offers.availability"}, True),
        ({"jsonld": "offers.availability", "type": "text"}, "true"),
        ({"jsonld": "name"}, "crumbs"),
        ({"jsonld": "Product.name"}, "Lamp & Co"),
        ({"jsonld": "Person.name"}, "Ada\tL."),
        ({"jsonld": "mainEntity.name", "regex": r"^\w+"}, "Ada"),
        ({"jsonld": ["nothing", "Product.size"], "type": "integer"}, 4),
        ({"jsonld": "Product.size"}, 4.0),
        ({"jsonld": "image", "type": "url"}, "https://a.example/b/lamp.png"),
        ({"jsonld": "Product.tags"}, ["a", None, "b"]),
        ({"jsonld": "Product.tags", "type": "text"}, "a"),
        ({"jsonld": "Product.tags", "all": True}, ["a", "b"]),
        ({"jsonld": "Nothing.name", "default": "-"}, "-"),
        ({"jsonld": "offers.0"}, {"price": "1,234.50", "availability": True}),
        # microdata
        ({"microdata": "name", "type": "text"}, "Desk lamp"),
        ({"microdata": "offers.price", "type": "number"}, 12.0),
        ({"microdata": "Offer.price"}, "12.00"),
        ({"microdata": "Product.url"}, "https://a.example/b/deep/"),
        ({"microdata": "Person.name"}, None),
        # meta and Open Graph
        ({"opengraph": "title"}, "A lamp"),
        ({"opengraph": "og:title"}, "A lamp"),
        ({"opengraph": "image", "type": "url"}, "https://a.example/b/i.png"),
        ({"opengraph": "image", "all": True}, ["i.png", "j.png"]),
        ({"opengraph": "image.width", "type": "integer"}, 640),
        ({"meta": "keywords"}, "lamp, light"),
        ({"meta": ["nothing", "TWITTER:card"]}, "summary"),
        ({"meta": "nothing"}, None),
        # JSON in elements
        ({"css": "#state", "json": "props.n"}, 7),
        ({"css": "script", "json": "props.list", "all": True}, ["x", "y"]),
        ({"css": "#state", "attr": "data-x", "json": "k.1"}, 2),
        ({"xpath": "//script[@id='state']/text()", "json": "props.list.0"}, "x"),
        ({"css": "h1", "json": "props"}, None),
        # tables
        ({"table": ".plain"}, [
            {"Size": "S", "Price": "1", "Price 2": "2"}, {"Size": "M", "Price": "3", "Price 2": "3"}]),
        ({"table": ".specs"}, [{"UPC": "u1", "Tax": "£0"}]),
        ({"table": ".wide"}, [
            {"Name": "A", "Size W": "1", "Size H": "2"}, {"Name": "A", "Size W": "3", "Size H": "4"},
            {"Name": "sum", "Size W": "4", "Size H": "in"}]),
        ({"table": "h1"}, None),
        ({"table": [".none", ".specs"], "all": True}, [[{"UPC": "u1", "Tax": "£0"}]]),
        # inner fields
        ({"each": ".review",
          "fields": {"by": "b", "stars": {"css": "i", "type": "integer"}, "re": {"css": ".re", "all": True}}},
         [{"by": "Ann", "stars": 5, "re": ["x", "y"]}, {"by": "Bob", "stars": None, "re": []}]),
        ({"each": {"xpath": "//li[@data-n]"},
          "fields": {"n": {"xpath": "string(@data-n)"}, "up": {"xpath": "../../h1"}}},
         [{"n": "1", "up": "A\xa0lamp two"}, {"n": "2", "up": "A\xa0lamp two"}]),
        ({"css": ".review", "fields": {"by": "b"}}, {"by": "Ann"}),
        ({"css": ".review", "all": True, "fields": {"by": {"css": "b", "regex": "^A.*"}}},
         [{"by": "Ann"}, {"by": None}]),
        ({"css": "nav", "fields": {"by": "b"}}, None),
        ({"each": "nav", "fields": {"by": "b"}}, []),
        ({"fields": {"t": "title", "deep": {"fields": {"h": "h1"}}}}, {"t": "Lamp", "deep": {"h": "A\xa0lamp two"}}),
        ({"css": "#state", "json": "props", "fields": {"n": {"json": "n"}, "l": {"json": "list"}}},
         {"n": 7, "l": ["x", "y"]}),
    ],
)  # fmt: skip
def test_forms(engine: Engine, field: Any, expected: Any) -> None:
    """Each form of a field gives the value that a user would expect, on both engines."""
    found = value(engine, field)
    assert found == expected
    assert type(found) is type(expected)


SHOP = """{"items": [{"sku": "a", "stock": 3, "tags": ["x"]}, {"sku": "b", "stock": null, "tags": []}],
"next": "/p2", "n": "1.0"}"""


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ({"json": "items.0.stock"}, 3),
        ({"json": "items.1.stock"}, None),
        ({"json": "items.sku", "all": True}, ["a", "b"]),
        ({"json": "items.tags"}, ["x"]),
        ({"json": "next", "type": "url"}, "https://a.example/p2"),
        ({"json": "n", "type": "integer"}, 1),
        ({"json": "nothing", "default": 0}, 0),
        ({"json": "items", "count": True}, 2),
        ({"json": "items.5"}, None),
        ({"each": {"json": "items"}, "fields": {"s": {"json": "sku"}, "t": {"json": "tags", "all": True}}},
         [{"s": "a", "t": ["x"]}, {"s": "b", "t": []}]),
        ({"json": "items.0", "fields": {"s": {"json": "sku"}, "in": {"fields": {"n": {"json": "stock"}}}}},
         {"s": "a", "in": {"n": 3}}),
    ],
)  # fmt: skip
def test_json_responses(engine: Engine, field: Any, expected: Any) -> None:
    """Paths into a response that is JSON."""
    assert value(engine, field, SHOP) == expected


def test_records_of_json(engine: Engine) -> None:
    """One record for each item, with values of the whole response."""
    found = records(
        engine, SHOP, records={"json": "items"}, page={"next": {"json": "next"}}, fields={"sku": {"json": "sku"}}
    )
    assert found == [{"next": "/p2", "sku": "a"}, {"next": "/p2", "sku": "b"}]
    assert records(engine, "[1, [2]]", records={"json": "."}, fields={"v": {"json": "."}}) == [{"v": 1}, {"v": [2]}]
    assert records(engine, '{"items": []}', records={"json": "items"}, fields={"v": {"json": "."}}) == []


@pytest.mark.parametrize("text", ["<p>no</p>", "", "{", '{"a": }'])
def test_what_is_no_json(engine: Engine, text: str) -> None:
    """A response that should be JSON, and is not, fails the page; beside other fields a page may be HTML."""
    with pytest.raises(NotJson):
        value(engine, {"json": "a"}, text)
    if not text.startswith("{"):
        fields = {"a": {"json": "a"}, "t": "p"}
        assert records(engine, text, fields=fields) == [{"a": None, "t": "no" if text else None}]


def test_page_fields(engine: Engine) -> None:
    """Fields of the page are the same in all of its records, and come first."""
    found = records(engine, records="li.review", page={"title": "title"}, fields={"by": "b"})
    assert found == [{"title": "Lamp", "by": "Ann"}, {"title": "Lamp", "by": "Bob"}]
    assert list(found[0]) == ["title", "by"]
    by_xpath = records(
        engine, records={"xpath": "//li[@data-n]"}, fields={"by": {"xpath": "b"}, "n": {"xpath": "@data-n"}}
    )
    assert by_xpath == [{"by": "Ann", "n": "1"}, {"by": "Bob", "n": "2"}]
    with pytest.raises(MissingField, match="'title'"):
        records(
            engine, "<li class=review>", records="li", page={"title": {"css": "title", "required": True}}, fields={}
        )


def test_microdata_of_a_record(engine: Engine) -> None:
    """Within a container only its own items count, itself among them."""
    text = "".join(
        f"<div itemscope itemtype=http://x.example/P><b itemprop=n>{n}</b><a itemprop=u href={n}>" for n in "ab"
    )
    found = records(engine, text.replace("<a", "</div><a"), records="[itemscope]", fields={"n": {"microdata": "n"}})
    assert found == [{"n": "a"}, {"n": "b"}]


def test_inner_required_field_fails_the_page(engine: Engine) -> None:
    """Its name is told with the field around it."""
    field = {"each": ".review", "fields": {"stars": {"css": "i", "required": True}}}
    with pytest.raises(MissingField, match=r"'field\.stars'"):
        value(engine, field)


ODD_TABLES = {
    "no rows": ("<table></table>", []),
    "header alone": ("<table><tr><th>a</table>", []),
    "no header": ("<table><tr><td>a<td>b<tr><td>1</table>", [{"a": "1"}]),
    "nameless": ("<table><tr><th><th>b<tr><td>1<td>2<td>3</table>", [{"1": "1", "b": "2", "3": "3"}]),
    "twins": ("<table><tr><th>a<th>a<th>a 2<tr><td>1<td>2<td>3</table>", [{"a": "1", "a 2": "2", "a 2 2": "3"}]),
    "span past the end": ("<table><tr><th>a<tr><td rowspan=9>1</table>", [{"a": "1"}]),
    "spans of nonsense": ("<table><tr><th>a<tr><td colspan=-1 rowspan=x>1</table>", [{"a": "1"}]),
    "down and across": (
        "<table><tr><th>a<th>b<th>c<tr><td rowspan=2 colspan=2>1<td>2<tr><td>3</table>",
        [{"a": "1", "b": "1", "c": "2"}, {"a": "1", "b": "1", "c": "3"}],
    ),
    "row of spans alone": (
        "<table><tr><th>a<tr><td rowspan=3>1<tr></tr><tr><td>2</table>",
        [{"a": "1"}, {"a": "1"}, {"a": "1", "2": "2"}],
    ),
}


@pytest.mark.parametrize("name", ODD_TABLES)
def test_odd_tables(engine: Engine, name: str) -> None:
    """Tables as pages have them."""
    text, expected = ODD_TABLES[name]
    assert value(engine, {"table": "table", "default": []}, text) == expected


def test_a_table_cannot_grow_without_limit(engine: Engine) -> None:
    """Some bytes may ask for billions of cells."""
    text = "<table><tr><th>a" + "<tr>" + "<td colspan=1000 rowspan=65534>x" * 3 + "<tr>" * 2000 + "</table>"
    assert len(value(engine, {"table": "table"}, text)) < 1000


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ({"xpath": "//p["}, "expr"),
        ({"xpath": "string(//p)[1]"}, ""),
        ({"xpath": "count('p')"}, ""),
        ({"xpath": "//p[nope(.)]"}, "there is no function nope()"),
        ({"xpath": "//p[$x]"}, "there is no variable $x"),
        ({"xpath": "//svg:path"}, "there is no namespace prefix 'svg'"),
        ({"table": "table["}, "table["),
        ({"each": "p[", "fields": {"a": "b"}}, "p["),
        ({"each": "p", "fields": {"a": "b["}}, "b["),
    ],
)
def test_what_does_not_compile(engine: Engine, field: Any, said: str) -> None:
    """Told before anything is fetched; nothing else is."""
    name = "turbohtml" if "Turbo" in type(engine).__name__ else "beautifulsoup"
    (problem,) = problems.find(settings.load({"fields": {"x": field}}).main, name, "html5lib", engine)
    assert said in problem.message.lower() or said in problem.message
    assert "other engine" not in problem.message


@pytest.mark.parametrize(
    ("field", "unable", "able"),
    [
        ({"xpath": "//p[lower-case(.) = 'a']"}, "beautifulsoup", "turbohtml"),
        ({"css": "p:-soup-contains(a)"}, "turbohtml", "beautifulsoup"),
    ],
)
def test_what_one_engine_cannot_do_names_the_other(field: Any, unable: str, able: str) -> None:
    """An error at the start, with what to do."""
    main = settings.load({"fields": {"x": field}}).main
    (problem,) = problems.find(main, unable, "html5lib")
    assert problem.message.endswith(f"the other engine can do this: parse.engine: {able} (--engine {able})")
    assert problems.find(main, able, "html5lib") == []


def test_article_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that names the command, before anything is fetched."""
    monkeypatch.setattr("scraper.parse.article.importlib.util.find_spec", lambda _name: None)
    main = settings.load({"fields": {"x": {"article": "text"}, "y": "h1"}}).main
    (problem,) = problems.find(main, "turbohtml", "lxml")
    assert problem.path == "fields.x"
    assert "pip install 'concurrent-scraper[article]'" in problem.message


def test_article(engine: Engine) -> None:
    """Main text, and who wrote it when."""
    pytest.importorskip("trafilatura", reason="the extra 'article' is not installed")
    prose = "".join(
        f"<p>Sentence {n} of a story that is long enough to be told, and then some more of it.</p>" for n in range(9)
    )
    text = (
        "<html><head><title>A story</title><meta name=author content='Ada Lovelace'>"
        "<meta property=article:published_time content=2026-03-04T10:00:00Z></head><body><nav><a href=/>Home</a></nav>"
        f"<article><h1>A story</h1>{prose}<ul><li>one <b>bold</b></li></ul></article><footer>imprint</footer>"
    )
    parts = ("text", "markdown", "html", "title", "author", "date")
    (record,) = records(engine, text, fields={part: {"article": part} for part in parts})
    assert (record["title"], record["author"], record["date"]) == ("A story", "Ada Lovelace", "2026-03-04")
    for part in ("text", "markdown", "html"):
        assert "Sentence 8 of a story" in record[part]
        assert "imprint" not in record[part]
    assert record["html"].startswith("<html>")
    (nothing,) = records(engine, "", fields={part: {"article": part} for part in parts})
    assert nothing == dict.fromkeys(parts)
