"""Both trees give the same: turbohtml, and BeautifulSoup on html5lib, over markup of every kind."""

from __future__ import annotations

import random
import warnings
from typing import Any

import pytest

from scraper.demo.website import build_site
from scraper.parse import engines
from scraper.parse.decode import decode
from scraper.parse.document import Document
from scraper.parse.engines import Engine, SelectorError
from scraper.parse.engines.soup import make_soup
from scraper.parse.fields import Spec
from scraper.settings import Container, FieldSettings, SetSettings

URL = "https://a.example/d/x"
TURBO = engines.load("turbohtml", "lxml")
SOUP = engines.load("beautifulsoup", "html5lib")
SITE = build_site()

#: Text of every element, and of some by name, hidden ones among them; and some attributes.
PROBES = {
    name: FieldSettings(css=(name,), all=True)
    for name in (
        "*",
        "body",
        "p",
        "td",
        "b",
        "a",
        "svg",
        "title",
        "script",
        "style",
        "noscript",
        "textarea",
        "iframe",
        "select",
    )
} | {
    f"@{name}": FieldSettings(css=("*",), attr=name, all=True)
    for name in ("class", "id", "title", "HREF", "viewBox", "xlink:href", "data-x", "checked", "alt")
}

#: Name: markup. What both engines must agree on; some with the text that a browser shows.
SNIPPETS: dict[str, tuple[str, str | None]] = {
    "br": ("<p>a<br>b<br/>c</p>d", "a b c d"),
    "wbr": ("<p>a<wbr>b<hr>c<img alt=i>d", "ab cd"),
    "table": ("<table><caption>t<tr><td>1<td>2<tr><th>3</table>", "t 1 2 3"),
    "table, misnested": ("<table>x<tr>y<td>z</table>w", "xy z w"),
    "table in table": ("<table><tr><td><table><tr><td>i</table>o</table>", "i o"),
    "column group": ("<table><colgroup>x<col></table>", "x"),
    "inline, nested": ("<p>a<b>b<i>c</i></b>d <em> e </em>f</p>", "abcd e f"),
    "inline, misnested": ("<b><p>a</b>b</p><i>c<div>d</i>e</div>", "ab c de"),
    "links, nested": ("<a href=1>a<a href=2>b</a>c</a>", "abc"),
    "forms, nested": ("<form><p>a<form><p>b</form>c", "a b c"),
    "buttons, nested": ("<button>a<button>b", "ab"),
    "script and style": ("<p>a<script>x</script><style>y</style>b</p>", "ab"),
    "script, commented out": ("<script><!-- <script> </script> --></script>x", "x"),
    "noscript": ("<p>a<noscript><b>n</b></noscript>c", "ac"),
    "noscript in head": ("<head><noscript><style>x</style></noscript></head><p>a", "a"),
    "empty template": ("<p>a<template></template>b", "ab"),
    "iframe, noembed": ("<noembed><b>x</b></noembed><iframe>y</iframe>z", "z"),
    "frameset": ("<frameset><frame></frameset><noframes>x</noframes>", None),
    "xmp, plaintext": ("<xmp><b>x</b></xmp><plaintext>b</p>", "<b>x</b> b</p>"),
    "no-break space": ("<p>&nbsp;a&nbsp;b &#160; c\xa0</p>", "\xa0a\xa0b \xa0 c\xa0"),
    "white space": ("<p>\n a\t\f b\r\nc\rd\v\x1ce\u2028f\u3000g </p>", "a b c d\v\x1ce\u2028f\u3000g"),
    "textarea, pre": ("<textarea>\n a <b> </textarea><pre>\n a\n  b</pre>", "a <b> a b"),
    "select": ("<select><option>a<option>b<optgroup label=x><option>c</select>", "a b c"),
    "lists": ("<ul><li>a<li>b<ul><li>c</ul></ul><dl><dt>d<dd>e</dl><menu><li>f</menu>", "a b c d e f"),
    "entities": ("<p>&lt;&amp;&eacute;&notit;&#x80;&#xD800;&copy &hearts;&nosuch;", "<&é¬it;€\ufffd© ♥&nosuch;"),
    "entities in attributes": ("<p title='&copy=1&amp;&lt;\nb' title=c data-x=&quot;&notit>q", "q"),
    "comments": ("<p>a<!-- b -->c<!-->d<!--[if IE]>x<![endif]--><![if !IE]>e<![endif]>", "acde"),
    "CDATA": ("<p>a<![CDATA[b]]>c</p>", "ac"),
    "CDATA in SVG": ("<svg><text><![CDATA[b<c]]></text></svg>", "b<c"),
    "processing instruction": ("<?php echo 1 ?><p>a", "a"),
    "SVG": (
        "<svg viewBox='0 0 1 1' class=' a  b ' xlink:href=z><title>t</title><text>s</text><style>q</style>"
        "<foreignObject><p>f</p></foreignObject><linearGradient id=G /></svg>",
        "ts f",
    ),
    "MathML": ("<math><mi>x</mi><mo>+</mo><mtext><p>y</p></mtext></math>", "x+ y"),
    "attributes": ("<p CLASS='A  b\n' ID= checked HREF=' /x '>q<p class>r<p data-x='1' Data-X='2'>", "q r"),
    "NUL": ("<p>a\0b", "ab"),
    "title": ("<title> a &amp; <b>b</b>\n</title>c", "c"),
    "two bodies": ("<body class=a><p>x</p><body id=b class=c>y", "x y"),
    "after the end": ("<p>a</body>b</html>c", "abc"),
    "custom elements": ("<my-el>a</my-el><my-el>b</my-el>", "ab"),
    "newer blocks": (
        "a<search>b</search>c<dialog open>d</dialog><details><summary>e</summary>f</details>",
        "a b c d e f",
    ),
    "fallbacks": ("<video>a</video><canvas>b</canvas><object>c</object>", "abc"),
    "quirks": ("<!DOCTYPE html PUBLIC '-//W3C//DTD HTML 3.2'><p class=A>a<table class=a><td>b", "a b"),
    "XHTML": ('<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body><p/>a<br/>b</body></html>', "a b"),
    "cut off": ("<p>a<b", "a"),
    "text": ("just text", "just text"),
    "a URL": ("https://a.example/b.html", "https://a.example/b.html"),
    "nothing": ("", ""),
    "deep": ("<div>" * 1000 + "x" + "</div>" * 1000, "x"),
}

#: Name: markup, the body's text by turbohtml and by html5lib. html5lib 1.1 is older than these parts of the standard;
#: where they matter, turbohtml does what browsers do.
DIFFERENCES = {
    "template": ("<p>a<template><p>t</p></template>b", "ab", "a t b"),
    "template in table": ("<table><template><tr><td>x</template><tr><td>y</table>", "y", "x y"),
    "isindex": ("<isindex prompt=x>", "", "x"),
}


def extract(engine: Engine, text: str, fields: dict[str, FieldSettings] | None, records: str | None = None) -> Any:
    container = Container(css=(records,)) if records else None
    return Spec(SetSettings(records=container, fields=fields), engine).extract(Document(engine, text, URL))


def body_text(engine: Engine, text: str) -> str | None:
    (record,) = extract(engine, text, {"text": FieldSettings(css=("body",))})
    found: str | None = record["text"]
    return found


@pytest.mark.parametrize("name", SNIPPETS)
def test_parity(name: str) -> None:
    """Every element's text and attributes are the same by both engines."""
    text, _ = SNIPPETS[name]
    probes = {key: probe for key, probe in PROBES.items() if name != "deep" or key == "body"}
    (turbo,), (soup,) = extract(TURBO, text, probes), extract(SOUP, text, probes)
    assert turbo == soup


@pytest.mark.parametrize("name", [name for name, (_, shown) in SNIPPETS.items() if shown is not None])
def test_text(name: str) -> None:
    """And it is what a browser shows, on one line."""
    text, shown = SNIPPETS[name]
    assert body_text(TURBO, text) == shown


@pytest.mark.parametrize("name", DIFFERENCES)
def test_known_differences(name: str) -> None:
    """Where the engines differ is known; this fails when a newer version of one of them makes it untrue."""
    text, turbo, soup = DIFFERENCES[name]
    assert (body_text(TURBO, text), body_text(SOUP, text)) == (turbo, soup)


def test_parity_on_the_demo_site() -> None:
    """The default record of every page, old encodings included, is the same by both engines."""
    pages = [reply for reply in SITE.pages.values() if reply.is_html]
    assert len(pages) > 100
    for reply in random.Random(3).sample(pages, 60):
        text = decode(reply.body, reply.content_type).text
        assert extract(TURBO, text, None) == extract(SOUP, text, None)


@pytest.mark.parametrize("builder", [None, "lxml", "html.parser"])
def test_depth(builder: str | None) -> None:
    """Five thousand nested elements are read to the bottom, without recursion."""
    engine = TURBO if builder is None else engines.load("beautifulsoup", builder)
    (record,) = extract(engine, "<div>" * 5000 + "deep" + "</div>" * 5000, {"text": FieldSettings(css=("div",))})
    assert record["text"] == "deep"


DOCUMENT = """<!DOCTYPE html><html lang=en><body><h3>out</h3>
<article id=A class="one  two"><h3>a1</h3><div><h3>a2</h3><a href=x rel="b  a">l</a><a>n</a></div><input checked>
<p></p><p> </p><p><!-- c --></p></article>
<article id=B><h3>b1</h3><input type=CHECKBOX disabled><option selected>o</article><p lang=de>x<span>y</span></p>"""


@pytest.mark.parametrize("records", [None, "article", "article, article h3", "nav"])
@pytest.mark.parametrize(
    "selector",
    [
        *(
            "h3",
            "H3",
            "*",
            "body h3",
            "article h3",
            "article > h3",
            ":scope > h3",
            ":scope",
            ":root",
            ":root h3",
            "a, h3",
        ),
        *("h3:first-child", "h3:last-of-type", "h3:nth-child(2n+1)", ":nth-child(2 of h3)", ":only-child", "h3 + div"),
        *("h3 ~ p", "div:has(a)", ":has(> h3)", "a:not([href])", ":is(h3, a)", ":where(a)", "article:has(h3):not(#B)"),
        *("a[href]", "a[HREF]", "[rel~=a]", "[rel='b  a']", ".one.two", "[class='one  two']", "#A", "#a", "\\31 "),
        *(":checked", ":disabled", ":enabled", ":link", ":any-link", ":empty", "p:empty", ":lang(en)", ":lang(de)"),
        *("[type=checkbox]", "[type=checkbox i]", "[type=checkbox s]", "a /* c */", ":NOT(a)", "é", "*|a"),
    ],
)
def test_selectors(selector: str, records: str | None) -> None:
    """The same elements, from the page or below a record's node."""
    fields = {"text": FieldSettings(css=(selector,), all=True), "first": FieldSettings(css=(selector,))}
    for engine in (TURBO, SOUP):
        engine.check(selector)
    assert extract(TURBO, DOCUMENT, fields, records) == extract(SOUP, DOCUMENT, fields, records)


@pytest.mark.parametrize("engine", [TURBO, SOUP], ids=["turbohtml", "beautifulsoup"])
@pytest.mark.parametrize(
    "selector",
    [
        "",
        " ",
        "h2[",
        "h3,",
        ">>",
        "div >",
        "div > > a",
        "a:foo",
        "a:not(",
        "[a=b",
        "..a",
        "#",
        "@x",
        "a{b}",
        "a::text",
        "//a",
    ],
)
def test_bad_selectors(engine: Engine, selector: str) -> None:
    """`SelectorError` with one line, for whatever is no CSS selector."""
    with pytest.raises(SelectorError) as caught:
        engine.check(selector)
    assert str(caught.value).strip()
    assert "\n" not in str(caught.value)


def test_no_advice_from_beautifulsoup() -> None:
    """It warns of XHTML, and of pages that look like a URL or a file name; neither concerns anybody here."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text in (SNIPPETS["XHTML"][0], "https://a.example/", "index.html"):
            make_soup(text, "lxml")
