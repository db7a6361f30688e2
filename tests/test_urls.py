"""URL rules of the WHATWG URL standard: one spelling for each page, on the wire, in records and for the guard."""

from __future__ import annotations

import base64

import pytest
from ada_url import URL
from hypothesis import assume, example, given
from hypothesis import strategies as st

from scraper.records import Failure
from scraper.source.entries import from_text
from scraper.urls import InvalidURL, Parts, join, redacted, split, take_apart, without_userinfo


def basic(userinfo: str) -> str:
    """The `Authorization` value of ``user:password``."""
    return "Basic " + base64.b64encode(userinfo.encode()).decode()


#: By section of the URL Standard: how a list may write it, and its serialisation without fragment and userinfo; None
#: where the standard refuses it. ``H`` stands for ``http://h.example``.
SECTIONS: dict[str, list[tuple[str, str | None]]] = {
    "4.4 what is dropped before parsing": [
        ("  http://h.example/ ", "H/"),
        ("\x00\x1f http://h.example/\x01\n", "H/"),
        ("h\tt\nt\rp:/\t/h.exa\nmple/\ra\tb?c\nd", "H/ab?cd"),
        ("http://h.example:8\n0/", "H/"),
        ("http://h.example/%\t2e%2\ne/x", "H/x"),
        ("http://h.example/a \x01", "H/a"),
        # Not C0 or space, so neither dropped nor part of a scheme.
        ("\xa0http://h.example/", None),
        ("\ufeffhttp://h.example/", None),
        ("\x7fhttp://h.example/", None),
    ],
    "4.4 scheme state": [
        ("HTTP://h.example/", "H/"),
        ("hTtPs://h.example/", "https://h.example/"),
        ("http ://h.example/", None),
        ("1http://h.example/", None),
        ("://h.example/", None),
        ("h.example", None),
        ("", None),
    ],
    "4.4 special authority slashes state": [
        ("http:h.example", "H/"),
        ("http:/h.example/x", "H/x"),
        ("http:///h.example/x", "H/x"),
        ("http://///h.example/x", "H/x"),
        ("http:\\\\h.example\\x", "H/x"),
        ("http:/\\/\\h.example", "H/"),
        ("//h.example/", None),
        ("\\\\h.example\\", None),
    ],
    "4.4 authority state": [
        ("http://me@h.example/", "H/"),
        ("http://me:secret@h.example/", "H/"),
        ("http://:secret@h.example/", "H/"),
        ("http://me:@h.example/", "H/"),
        ("http://@h.example/", "H/"),
        ("http://:@h.example/", "H/"),
        ("http://a@b@c@h.example/", "H/"),
        ("http://a:b:c@h.example/", "H/"),
        ("http://a%40b:c%2Fd@h.example/", "H/"),
        ("http:me:secret@h.example", "H/"),
        ("http://me:sec[ret]|^{<\u00e9@h.example/", "H/"),
        # The authority ends at a slash of either kind, ? and #, also within what was meant as a password.
        ("http://me/@h.example/", "http://me/@h.example/"),
        ("http://me\\@h.example/", "http://me/@h.example/"),
        ("http://me?@h.example/", "http://me/?@h.example/"),
        ("http://me#@h.example/", "http://me/"),
        ("http://me:se/cret@h.example/", None),
        ("http://me:se?cret@h.example/", None),
        ("http://me:se#cret@h.example/", None),
        ("http://me@", None),
        ("http://me:secret@/x", None),
        ("http://me:secret@:80/", None),
        ("http://@/", None),
    ],
    "4.4 port state": [
        ("http://h.example:80/", "H/"),
        ("https://h.example:443/", "https://h.example/"),
        ("http://h.example:443/", "H:443/"),
        ("https://h.example:80/", "https://h.example:80/"),
        ("http://h.example:/", "H/"),
        ("http://h.example:", "H/"),
        ("http://h.example:0/", "H:0/"),
        ("http://h.example:0080/", "H/"),
        ("http://h.example:00000000008080?", "H:8080/?"),
        ("http://h.example:65535\\", "H:65535/"),
        ("http://h.example:65536/", None),
        ("http://h.example:99999999999999999999/", None),
        ("http://h.example:-80/", None),
        ("http://h.example:+80/", None),
        ("http://h.example:8 0/", None),
        ("http://h.example:80a/", None),
        ("http://h.example:0x50/", None),
        ("http://h.example:\uff18\uff10/", None),
        ("http://h.example:80:80/", None),
    ],
    "3.5 host parser": [
        ("http://H.EXAMPLE/", "H/"),
        ("http://%68.%45xample/", "H/"),
        ("http://h%2Eexample/", "H/"),
        ("http://h.example./", "H./"),
        ("http://h_1.example/", "http://h_1.example/"),
        ("http://-h-.example/", "http://-h-.example/"),
        ("http://h!$&'()*+,;=~.example/", "http://h!$&'()*+,;=~.example/"),
        ('http://h"{}`.example/', 'http://h"{}`.example/'),
        ("http://a..b/", "http://a..b/"),
        ("http://./", "http://./"),
        ("http://" + "a" * 64 + ".example/", "http://" + "a" * 64 + ".example/"),
        ("http:///", None),
        ("http://", None),
        ("http:", None),
        ("http://?q", None),
        ("http://#f", None),
        ("http://:80/", None),
        *((f"http://h{forbidden}x/", None) for forbidden in " <>^|%[]\x00\x01\x7f"),
        *((f"http://h%{ord(forbidden):02x}x/", None) for forbidden in " /:?@<>^|%[]\\\x00\t\n\x7f#"),
        ("http://h%zzx/", None),
        ("http://h%C3x/", None),
    ],
    "3.3 domain to ASCII": [
        ("http://b\u00fccher.example/", "http://xn--bcher-kva.example/"),
        ("http://B\u00dcCHER.example/", "http://xn--bcher-kva.example/"),
        ("http://bu\u0308cher.example/", "http://xn--bcher-kva.example/"),
        ("http://b%C3%BCcher.example/", "http://xn--bcher-kva.example/"),
        ("http://XN--BCHER-KVA.example/", "http://xn--bcher-kva.example/"),
        ("http://fa\u00df.example/", "http://xn--fa-hia.example/"),
        ("http://\u65e5\u3002example/", "http://xn--wgv.example/"),
        ("http://\uff28.\uff45xample/", "H/"),
        ("http://h\u00ad.ex\u200bample/", "H/"),
        # The parser takes a domain in ASCII as it is: that a label is no Punycode shows when the name is looked up.
        ("http://xn--a/", "http://xn--a/"),
        ("http://\u00fc.xn--a/", None),
        ("http://\u00ad/", None),
        ("http://h\u2260x/", "http://xn--hx-miv/"),
        ("http://h\uff0fx/", None),
        ("http://h\uff20x/", None),
        ("http://h\ufffdx/", None),
    ],
    "3.5 IPv4 parser": [
        ("http://192.0.2.1/", "http://192.0.2.1/"),
        ("http://192.0.2.1./", "http://192.0.2.1/"),
        ("http://3221225985/", "http://192.0.2.1/"),
        ("http://192.513/", "http://192.0.2.1/"),
        ("http://192.0.513/", "http://192.0.2.1/"),
        ("http://0xC0.0x00.0X2.0x1/", "http://192.0.2.1/"),
        ("http://0xc0000201/", "http://192.0.2.1/"),
        ("http://0300.00.02.01/", "http://192.0.2.1/"),
        ("http://030000001001/", "http://192.0.2.1/"),
        ("http://0300.0x2.1/", "http://192.2.0.1/"),
        ("http://\uff11\uff19\uff12.0.2.1/", "http://192.0.2.1/"),
        ("http://%31%39%32.0.2.1/", "http://192.0.2.1/"),
        ("http://0/", "http://0.0.0.0/"),
        ("http://0x/", "http://0.0.0.0/"),
        ("http://4294967295/", "http://255.255.255.255/"),
        ("http://1.2.3.4a/", "http://1.2.3.4a/"),
        ("http://1.2.3.4../", "http://1.2.3.4../"),
        ("http://4294967296/", None),
        ("http://256.0.0.1/", None),
        ("http://1.256.0.1/", None),
        ("http://1.2.3.256/", None),
        ("http://1.2.65536/", None),
        ("http://1.2.3.4.5/", None),
        ("http://1..3.4/", None),
        ("http://08.2.3.4/", None),
        ("http://h.08/", None),
        ("http://h.0x1/", None),
        ("http://h.1/", None),
    ],
    "3.5 IPv6 parser": [
        ("http://[::1]/", "http://[::1]/"),
        ("http://[::]/", "http://[::]/"),
        ("http://[0:0:0:0:0:0:0:1]/", "http://[::1]/"),
        ("http://[2001:DB8::0A]/", "http://[2001:db8::a]/"),
        # Compressed is the longest run of zeros, the first of equals; never a single one.
        ("http://[1:0:0:2:0:0:0:3]/", "http://[1:0:0:2::3]/"),
        ("http://[1:0:0:2:3:0:0:4]/", "http://[1::2:3:0:0:4]/"),
        ("http://[1::2:3:4:5:6:7]/", "http://[1:0:2:3:4:5:6:7]/"),
        ("http://[::ffff:192.0.2.1]:80/", "http://[::ffff:c000:201]/"),
        ("http://[::1]:81/", "http://[::1]:81/"),
        ("http://[fe80::1%25eth0]/", None),
        ("http://[fe80::1%eth0]/", None),
        ("http://[::1/", None),
        ("http://::1/", None),
        ("http://[]/", None),
        ("http://[:1]/", None),
        ("http://[::g]/", None),
        ("http://[1::2::3]/", None),
        ("http://[12345::]/", None),
        ("http://[1:2:3:4:5:6:7]/", None),
        ("http://[1:2:3:4:5:6:7:8:9]/", None),
        ("http://[::1.2.3]/", None),
        ("http://[::1.2.3.256]/", None),
        ("http://[::01.2.3.4]/", None),
        ("http://[::1]x/", None),
        ("http://[v1.x]/", None),
        ("http://%5B::1%5D/", None),
    ],
    "4.4 path state": [
        ("http://h.example", "H/"),
        ("http://h.example/Path", "H/Path"),
        ("http://h.example/a/./b/../c", "H/a/c"),
        ("http://h.example/../../a", "H/a"),
        ("http://h.example/a/..", "H/"),
        ("http://h.example/a/.", "H/a/"),
        ("http://h.example/a/%2e", "H/a/"),
        ("http://h.example/a/.%2E/%2e./%2e%2E/b", "H/b"),
        ("http://h.example/.../..a/.a/a..", "H/.../..a/.a/a.."),
        ("http://h.example/..;/a", "H/..;/a"),
        ("http://h.example/%252e%252e/", "H/%252e%252e/"),
        ("http://h.example//a//", "H//a//"),
        ("http://h.example//../a", "H/a"),
        ("http://h.example\\a\\..\\b", "H/b"),
        ("http://h.example/a%5C..%2fb", "H/a%5C..%2fb"),
        ("http://h.example/http://h.example/", "H/http://h.example/"),
    ],
    "1.3 path percent-encode set": [
        ("http://h.example/100%", "H/100%"),
        ("http://h.example/%zz%7e%7E~%2", "H/%zz%7e%7E~%2"),
        ("http://h.example/a b", "H/a%20b"),
        ('http://h.example/"<>^`{}', "H/%22%3C%3E%5E%60%7B%7D"),
        ("http://h.example/|'[]!$&()*+,;=:@", "H/|'[]!$&()*+,;=:@"),
        ("http://h.example/\x01\x7f.", "H/%01%7F."),
        ("http://h.example/gr\u00f6\u00dfe", "H/gr%C3%B6%C3%9Fe"),
        ("http://h.example/\U0001f600", "H/%F0%9F%98%80"),
        ("http://h.example/e\u0301", "H/e%CC%81"),  # not composed, unlike a host
        ("http://h.example/\ufeff\ufffd", "H/%EF%BB%BF%EF%BF%BD"),
        # The standard takes text of scalar values; a lone surrogate, which Python's text may hold, is none.
        ("http://h.example/\ud800", None),
        ("http://h.example/?\udfff", None),
        ("http://h.example/#\ud800", None),
    ],
    "1.3 special-query percent-encode set": [
        ("http://h.example?", "H/?"),
        ("http://h.example/a?", "H/a?"),
        ("http://h.example??", "H/??"),
        ("http://h.example/?a=b&a=c&&=", "H/?a=b&a=c&&="),
        ("http://h.example/?b=1&a=2", "H/?b=1&a=2"),
        ("http://h.example/?q=a b+c%20d", "H/?q=a%20b+c%20d"),
        ("http://h.example/?\"<>'", "H/?%22%3C%3E%27"),
        ("http://h.example/?^`{|}[\\]:@!$()*,;/", "H/?^`{|}[\\]:@!$()*,;/"),
        ("http://h.example/?q=gr\u00f6\u00dfe", "H/?q=gr%C3%B6%C3%9Fe"),
        ("http://h.example/?100%&%zz&%7e", "H/?100%&%zz&%7e"),
        ("http://h.example/a/?../b/%2e%2e", "H/a/?../b/%2e%2e"),
        ("http://h.example?\x01\x7f.", "H/?%01%7F."),
    ],
    "4.4 fragment state, and what the key leaves out": [
        ("http://h.example#", "H/"),
        ("http://h.example/a#b?c/../d#e", "H/a"),
        ("http://h.example/?#", "H/?"),
        ("http://h.example#@other.example/", "H/"),
        ("http://h.example/#\u00e9 %zz", "H/"),
    ],
    "other schemes": [
        *(
            (text, None)
            for text in (
                "ftp://h.example/",
                "ws://h.example/",
                "wss://h.example/",
                "file:///etc/passwd",
                "javascript:alert(1)",
                "mailto:me@h.example",
                "data:text/html,x",
                "about:blank",
                "httpx://h.example/",
                "view-source:http://h.example/",
                "blob:http://h.example/x",
                "h.example:80/path",
                "localhost:80",
            )
        ),
    ],
}


def in_full(href: str) -> str:
    """With the table's abbreviation written out."""
    return href.replace("H", "http://h.example", 1) if href.startswith("H") else href


@pytest.mark.parametrize(
    ("text", "href"),
    [
        pytest.param(*row, id=f"{section}-{number}")
        for section, rows in SECTIONS.items()
        for number, row in enumerate(rows)
    ],
)
def test_the_standards_sections(text: str, href: str | None) -> None:
    """What says the same is written the same, and asked for so; what the standard refuses is refused."""
    if href is None:
        with pytest.raises(InvalidURL, match=r"^not (a valid|an http\(s\)) URL: "):
            split(text)
        return
    parts = split(text)
    assert parts.href == in_full(href)
    assert split(parts.href) == parts._replace(authorization=None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://h.example", "http://h.example/"),
        ("http://h.example/", "http://h.example/#part"),
        ("http://h.example/#a", "http://h.example/#b"),
        ("http://h.example:80/", "http://h.example/"),
        ("https://h.example:443/", "https://h.example/"),
        ("HTTP://H.Example/", "http://h.example/"),
        ("http:h.example", "http://h.example/"),
        ("http:\\\\h.example\\a", "http://h.example/a"),
        ("http://h.example/a/../b", "http://h.example/b"),
        ("http://h.example/%2E/b", "http://h.example/b"),
        ("http://h.example/\u00e9", "http://h.example/%C3%A9"),
        ("http://h.example/a b", "http://h.example/a%20b"),
        ("http://h.example/\ta", "http://h.example/a"),
        ("http://h.example/?'", "http://h.example/?%27"),
        ("http://b\u00fccher.example/", "http://xn--bcher-kva.example/"),
        ("http://0300.0.513/", "http://192.0.2.1/"),
        ("http://192.0.2.1./", "http://192.0.2.1/"),
        ("http://[::0:1]/", "http://[::1]/"),
        # The page is asked for with the credentials of the entry that comes first.
        ("http://me:secret@h.example/", "http://h.example/"),
        ("http://me:secret@h.example/", "http://you@h.example/"),
    ],
)
def test_the_same_page(one: str, other: str) -> None:
    """Spellings with one serialisation, fragment and userinfo aside, are one page."""
    assert split(one).href == split(other).href


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://h.example/", "https://h.example/"),
        ("http://h.example/", "http://www.h.example/"),
        ("http://h.example/", "http://h.example./"),
        ("http://h.example:443/", "http://h.example/"),
        ("http://h.example/a", "http://h.example/A"),
        ("http://h.example/a", "http://h.example/a/"),
        ("http://h.example/a", "http://h.example//a"),
        ("http://h.example/a", "http://h.example/a?"),
        ("http://h.example/?a&b", "http://h.example/?b&a"),
        ("http://h.example/?a+b", "http://h.example/?a%20b"),
        # Nothing is decoded, nor are the digits of what is encoded rewritten.
        ("http://h.example/~", "http://h.example/%7E"),
        ("http://h.example/%7e", "http://h.example/%7E"),
        ("http://h.example/a%2Fb", "http://h.example/a/b"),
        ("http://h.example/'", "http://h.example/%27"),
        ("http://h.example/\u00e9", "http://h.example/e\u0301"),
        ("http://127.0.0.1/", "http://localhost/"),
        ("http://[::ffff:192.0.2.1]/", "http://192.0.2.1/"),
    ],
)
def test_another_page(one: str, other: str) -> None:
    """What a server may answer differently is two pages, even if it usually does not."""
    assert split(one).href != split(other).href


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("http://a.example", ("http://a.example/", "http", "a.example", 80, "/", None)),
        ("https://a.example/?", ("https://a.example/?", "https", "a.example", 443, "/?", None)),
        ("https://a.example:8443/x?y#z", ("https://a.example:8443/x?y", "https", "a.example", 8443, "/x?y", None)),
        ("http://[::1]", ("http://[::1]/", "http", "[::1]", 80, "/", None)),
        ("https://[::1]:8080//a", ("https://[::1]:8080//a", "https", "[::1]", 8080, "//a", None)),
        ("http://u:p@a.example:81/@:#@", ("http://a.example:81/@:", "http", "a.example", 81, "/@:", basic("u:p"))),
        ("http://a.example:0/", ("http://a.example:0/", "http", "a.example", 0, "/", None)),
        ("http://u@[::1]:81/", ("http://[::1]:81/", "http", "[::1]", 81, "/", basic("u:"))),
    ],
)
def test_parts(text: str, parts: tuple[str, str, str, int, str, str | None]) -> None:
    """Scheme, host, port, request target and credentials."""
    assert split(text) == Parts(*parts)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("h.example/path", "not a valid URL: 'h.example/path'"),
        ("http://a b/", "not a valid URL: 'http://a b/'"),
        ("http://\ud800/", r"not a valid URL: 'http://\ud800/'"),
        ("ftp://me:secret@h.example/", "not an http(s) URL: 'ftp://h.example/'"),
        ("h.example:80/path", "not an http(s) URL: 'h.example:80/path'"),
    ],
)
def test_why_it_is_none(text: str, message: str) -> None:
    """The message tells text that is no URL from one for another protocol."""
    with pytest.raises(InvalidURL) as caught:
        split(text)
    assert str(caught.value) == message


def test_message_is_short_and_keeps_secrets() -> None:
    """The message shows the beginning of a long text, and no password."""
    with pytest.raises(InvalidURL) as caught:
        split("http://me:secret@a b/" + "x" * 1000)
    message = str(caught.value)
    assert "secret" not in message
    assert len(message) < 250
    assert "a b/xxx" in message


#: Relative to ``http://a.example/dir/page?x``, and what they give, fragment included; None where it is no URL.
LINKS: list[tuple[str, str | None]] = [
    ("b", "http://a.example/dir/b"),
    ("./b#c", "http://a.example/dir/b#c"),
    (".", "http://a.example/dir/"),
    ("..", "http://a.example/"),
    ("../b", "http://a.example/b"),
    ("../../../b", "http://a.example/b"),
    ("%2e%2e/b", "http://a.example/b"),
    ("b/", "http://a.example/dir/b/"),
    ("b:c", "b:c"),  # a scheme, to all appearances
    ("./b:c", "http://a.example/dir/b:c"),
    ("/b", "http://a.example/b"),
    ("/", "http://a.example/"),
    ("\\b", "http://a.example/b"),
    ("/100%|\u00e9", "http://a.example/100%|%C3%A9"),
    ("/http://b.example/", "http://a.example/http://b.example/"),
    ("//b.example", "http://b.example/"),
    ("\\/B.example\\c", "http://b.example/c"),
    ("///b.example/c", "http://b.example/c"),
    ("//me:secret@b.example:80/c", "http://me:secret@b.example/c"),
    ("?q", "http://a.example/dir/page?q"),
    ("?", "http://a.example/dir/page?"),
    ("?a?b#c", "http://a.example/dir/page?a?b#c"),
    ("#c", "http://a.example/dir/page?x#c"),
    ("#", "http://a.example/dir/page?x#"),
    ("", "http://a.example/dir/page?x"),
    (" \t\n", "http://a.example/dir/page?x"),
    (" b\tc\n", "http://a.example/dir/bc"),
    # With the base's scheme it is relative all the same, unless two slashes follow; with the other one it never is.
    ("http:b", "http://a.example/dir/b"),
    ("http:/b", "http://a.example/b"),
    ("HTTP:?q", "http://a.example/dir/page?q"),
    ("http:", "http://a.example/dir/page?x"),
    ("http://b", "http://b/"),
    ("https:b", "https://b/"),
    ("https:/b", "https://b/"),
    ("https:", None),
    ("mailto:me@a.example", "mailto:me@a.example"),
    ("javascript:void(0)", "javascript:void(0)"),
    ("tel:+1", "tel:+1"),
    ("http://", None),
    ("//", None),
    ("//a b", None),
    ("//b.example:99999", None),
    ("\ud800", None),
]


@pytest.mark.parametrize(("link", "joined"), LINKS)
def test_join(link: str, joined: str | None) -> None:
    """A link is resolved against its page; what gives no valid URL gives none (§4.4, relative states)."""
    assert join("http://a.example/dir/page?x", link) == joined


@pytest.mark.parametrize(("link", "joined"), LINKS)
def test_split_agrees_with_join(link: str, joined: str | None) -> None:
    """A redirect's Location and a page's link mean the same."""
    if joined is None or not joined.startswith("http"):
        with pytest.raises(InvalidURL):
            split(link, base="http://a.example/dir/page?x")
    else:
        assert split(link, base="http://a.example/dir/page?x") == split(joined)


@pytest.mark.parametrize(
    ("link", "href"), [("b#c", "http://a.example/dir/b"), ("//u:p@b.example", "http://b.example/")]
)
def test_split_against_a_base(link: str, href: str) -> None:
    """A relative text is fine where there is something it relates to."""
    assert split(link, base="http://a.example/dir/page").href == href


@pytest.mark.parametrize("base", ["", "not a URL", "mailto:me@a.example"])
def test_a_base_that_is_none(base: str) -> None:
    """A relative link without a usable base is no URL."""
    assert join(base, "b") is None
    with pytest.raises(InvalidURL):
        split("b", base=base)


@pytest.mark.parametrize(
    ("text", "shown", "userinfo"),
    [
        ("http://me:secret@a.example/", "http://a.example/", "me:secret"),
        ("http://me@a.example/", "http://a.example/", "me:"),
        ("http://:secret@a.example/", "http://a.example/", ":secret"),
        ("HTTP://me:secret@A.example", "HTTP://A.example", "me:secret"),
        ("  http://me:secret@a.example/ ", "  http://a.example/ ", "me:secret"),
        ("http:/me:secret@a.example/", "http:/a.example/", "me:secret"),
        ("http:me:secret@a.example/", "http:a.example/", "me:secret"),
        ("http:////me:secret@a.example/", "http:////a.example/", "me:secret"),
        ("http:\\\\me:secret@a.example/", "http:\\\\a.example/", "me:secret"),
        ("http:/\\me:secret@a.example/", "http:/\\a.example/", "me:secret"),
        ("http://me:se@cret@a.example/", "http://a.example/", "me:se@cret"),
        ("http://me:s:e@a.example/", "http://a.example/", "me:s:e"),
        ("http://m%3Ae:s%40@a.example/", "http://a.example/", "m:e:s@"),
        ("http://me:se cret@a.example/", "http://a.example/", "me:se cret"),
        ("http://mé:größe@a.example/", "http://a.example/", "mé:größe"),
        ("http://me:secret@a.example/@x:y@z", "http://a.example/@x:y@z", "me:secret"),
        ("http://me:secret@a.example?@", "http://a.example?@", "me:secret"),
        ("http://me:secret@a.example#@", "http://a.example#@", "me:secret"),
        pytest.param("ht\ttp://me:secret@a.example/", "ht\ttp://a.example/", "me:secret"),
        ("http:/\n/me:secret@a.example/", "http:/\n/a.example/", "me:secret"),
        pytest.param("http\n://me:secret@a.example/", "http\n://a.example/", "me:secret"),
        ("http:\n//me:secret@a.example/", "http:\n//a.example/", "me:secret"),
        pytest.param("\x00\x1fhttp://me:secret@a.example/", "\x00\x1fhttp://a.example/", "me:secret"),
    ],
)
def test_userinfo(text: str, shown: str, userinfo: str) -> None:
    """However it is spelled, userinfo becomes the header and is shown nowhere; the rest is left as it was."""
    parts = split(text)
    assert parts.authorization == basic(userinfo)
    assert "@" not in parts.href.partition("://")[2].partition("/")[0]
    assert without_userinfo(text) == shown
    assert split(shown) == parts._replace(authorization=None)


@pytest.mark.parametrize(
    "text",
    [
        "http://a.example/",
        "http://a.example/@b",
        "http://a.example/me:secret@b",
        "http://a.example?me@b",
        "http://a.example#me@b",
        "http:\\\\a.example\\me@b",
        "",
        "@",
        "me@a.example",
        "mailto:me@a.example",
        "/a@b",
    ],
)
def test_nothing_to_hide(text: str) -> None:
    """An @ elsewhere is left alone."""
    assert without_userinfo(text) == text


def test_empty_userinfo() -> None:
    """A lone @ holds no credentials."""
    assert split("http://@a.example/").authorization is None
    assert split("http://:@a.example/").authorization is None


characters = st.text(alphabet=st.sampled_from("aZ0%2fé日 ./\\?#@:;&=+|^~!$'()*,_-[]{}<>\"`\t\n"), max_size=12)
hosts = st.one_of(
    st.sampled_from(["a.example", "A.Example.", "bücher.example", "127.1", "0x7f000001", "[::1]", "[2001:DB8::1]"]),
    st.text(alphabet="abé日0123.-%_", min_size=1, max_size=10),
)
texts = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["http:", "https:", "HTTPS:", " http:"]),
        st.sampled_from(["//", "/", "", "\\\\", "///"]),
        st.one_of(st.just(""), st.just("@"), characters.map(lambda text: f"{text}@")),
        hosts,
        st.one_of(st.just(""), st.just(":"), st.integers(0, 70_000).map(lambda port: f":{port}")),
        st.one_of(st.just(""), characters.map(lambda text: f"/{text}")),
        st.one_of(st.just(""), characters.map(lambda text: f"?{text}")),
        st.one_of(st.just(""), characters.map(lambda text: f"#{text}")),
    ),
)


@given(texts)
@example("http://u:p@[::1]:80/@:?@:#@:")
def test_take_apart_equals_the_parser(text: str) -> None:
    """Slicing a serialisation gives what the parser gives."""
    try:
        url = URL(text)
    except ValueError:
        with pytest.raises(InvalidURL):
            split(text)
        return
    parts = take_apart(url.href)
    default = "443" if url.protocol == "https:" else "80"
    assert split(text) == parts
    assert (f"{parts.scheme}:", parts.host, parts.port) == (url.protocol, url.hostname, int(url.port or default))
    assert (parts.authorization is None) == (not url.username and not url.password)
    hrefs = URL(url.href)
    hrefs.username = hrefs.password = hrefs.hash = ""
    assert parts.href == hrefs.href
    assert parts.target == parts.href.removeprefix(f"{url.protocol}//{url.host}")
    assert parts.target.startswith("/")
    assert parts.target.isascii()
    assert not set(parts.target) & set(" \t\r\n#")


@given(texts)
@example("http://@/x@a.example")
def test_without_userinfo_hides_what_the_parser_sees(text: str) -> None:
    """What is left of a valid URL names the same page and holds no credentials."""
    try:
        parts = split(text)
    except InvalidURL:
        without_userinfo(text)  # whatever it is, it does not raise
        return
    assert split(without_userinfo(text)) == parts._replace(authorization=None)


#: Anything, and anything that begins like a URL.
anything = st.one_of(texts, st.text(max_size=30), st.text(max_size=30).map(lambda text: f"http://{text}"))


@given(anything)
@example("http://\u00fc.xn--a/")
def test_splitting_again_changes_nothing(text: str) -> None:
    """A serialisation is its own: what went on the wire is what records and the next run know."""
    try:
        parts = split(text)
    except InvalidURL:
        return
    assert split(parts.href) == take_apart(parts.href) == parts._replace(authorization=None)


SECRET = "s3cr3t"
#: What people write before a user name, a password and a host, be it right or wrong.
beginnings = st.one_of(
    st.sampled_from(
        ["http://", "HTTPS://", "http:", "http:/", "https:///", "http:\\\\", "ht\ttp:\n//", "\x00 http://"]
    ),
    st.sampled_from(
        ["http ://", "http//", "http;//", "'http://", "<http://", "\ufeffhttp://", "\xa0http://", "=http://"]
    ),
    st.sampled_from(["", "/", "//", "ftp://", "f\ttp:/", "git+ssh://", "view-source:http://", "http://h:x/http://"]),
)
names = st.text(alphabet="uE1.%-+/ \t@:\u00e9[", max_size=3)
around = st.text(alphabet="a1:/\\?#@%40&|[] \t\n\"'\u00e9\u200b\uff20", max_size=5)
passwords = st.builds("{}{}{}".format, around, st.just(SECRET), around)
ats = st.sampled_from(["@", "@", "@@", "%40", "%40@", "\t@", "\uff20", "\ufe6b"])
endings = st.sampled_from(
    ["h.example/", "h.example", "H:80/a@b?c@d#e", "a b/", "h:99999/@", "[::1", "[::1]", "256.0.0.1", "", "\ud800"]
)


@given(beginnings, names, passwords, ats, endings)
@example("http://", "u", f"{SECRET}/x", "@", "h.example")
@example("http://", "u", f"x#{SECRET}", "@", "h.example")
@example("http://", "u", SECRET, "%40", "h.example")
@example("", "u", f"/{SECRET}/", "@", "h.example")
@example("'http://", "u", SECRET, "@", "h.example'")
def test_no_password_is_shown(beginning: str, name: str, password: str, at: str, ending: str) -> None:
    """Neither a target nor the failure of an invalid entry shows one, unless the standard sees something else in it."""
    assume(beginning or not password.startswith(("//", "\\\\", "/\\", "\\/")))  # then the user name is a scheme
    text = f"{beginning}{name}:{password}{at}{ending}"
    made = from_text(text, "place")
    if isinstance(made, Failure):
        assert SECRET not in made.url
        assert SECRET not in made.message
        return
    url = URL(text)
    url.username = url.password = ""
    assert (SECRET in made.url) == (SECRET in url.href)  # as a host, say, or in a path: http://u:80/s3cr3t@h
    assert (SECRET in made.href) == (SECRET in url.href.partition("#")[0])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:se/cret@a b/x", "http://a b/x"),
        ("http://me:se?c#r@et@h.example/", "http://h.example/"),
        ("http://me:secret%40h.example/", "http://h.example/"),
        ("me:secret@h.example/x y", "h.example/x y"),
        ("token@h.example", "h.example"),
        ("'http://me:secret@h.example/'", "'http://h.example/'"),
        ("see http://me:secret@h.example/", "see http://h.example/"),
        ("http//me:secret@h.example/", "http//h.example/"),
        ("ftp://me:secret@h.example/pub", "ftp://h.example/pub"),
        # The less of the rest is lost, the easier the entry is found again.
        ("http://a b/users/@me", "http://a b/users/me"),
        ("http://a b/x@y/z@w?q", "http://a b/y/w?q"),
        ("http://a b/", "http://a b/"),
        ("ftp://h.example:21/", "ftp://h.example:21/"),
        ("mailto:me@h.example", "mailto:me@h.example"),
        ("", ""),
    ],
)
def test_redacted(text: str, shown: str) -> None:
    """What might have been meant as a password goes, and as little else as is safe."""
    assert redacted(text) == shown
    assert redacted(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("http:" + "\t" * 10**6 + "x/@", id="tabs"),
        pytest.param("\t" * 10**6 + "/@", id="tabs before"),
        pytest.param("a@" + ":" * 10**6, id="colons"),
        pytest.param("/@" * 10**5, id="ats"),
    ],
)
def test_long_texts_take_no_long_time(text: str) -> None:
    """The time grows with the length and not with its square, which here would be hours."""
    assert without_userinfo(text)
    assert "@" not in redacted(text)
