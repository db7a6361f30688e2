"""URL rules of the WHATWG URL standard: one spelling for each page, on the wire, in records and for the guard."""

from __future__ import annotations

import base64

import pytest
from ada_url import URL
from hypothesis import example, given
from hypothesis import strategies as st

from scraper.urls import InvalidURL, Parts, join, split, take_apart, without_userinfo


def basic(userinfo: str) -> str:
    """The `Authorization` value of ``user:password``."""
    return "Basic " + base64.b64encode(userinfo.encode()).decode()


@pytest.mark.parametrize(
    ("text", "href"),
    [
        ("http://a.example", "http://a.example/"),
        ("HTTP://A.EXAMPLE/Path", "http://a.example/Path"),
        ("  https://a.example/ \n", "https://a.example/"),
        ("ht\ntps://a.exa\tmple/a\rb", "https://a.example/ab"),
        ("https:a.example", "https://a.example/"),
        ("https:/a.example/x", "https://a.example/x"),
        ("https:///a.example/x", "https://a.example/x"),
        ("https:\\\\a.example\\x\\y", "https://a.example/x/y"),
        # path
        ("http://a.example/a/./b/../c", "http://a.example/a/c"),
        ("http://a.example/../../a", "http://a.example/a"),
        ("http://a.example/a/%2e%2E/b", "http://a.example/b"),
        ("http://a.example//a//", "http://a.example//a//"),
        ("http://a.example/100%", "http://a.example/100%"),
        ("http://a.example/%zz%7e", "http://a.example/%zz%7e"),
        ("http://a.example/a|b", "http://a.example/a|b"),
        ("http://a.example/a b", "http://a.example/a%20b"),
        ("http://a.example/größe", "http://a.example/gr%C3%B6%C3%9Fe"),
        ("http://a.example/\U0001f600", "http://a.example/%F0%9F%98%80"),
        ("http://a.example/a;b=c,d@e:f", "http://a.example/a;b=c,d@e:f"),
        # query
        ("http://a.example?", "http://a.example/?"),
        ("http://a.example/?a=b&a=c", "http://a.example/?a=b&a=c"),
        ("http://a.example/?b=1&a=2", "http://a.example/?b=1&a=2"),
        ("http://a.example/?q=a b+c|d'", "http://a.example/?q=a%20b+c|d%27"),
        ("http://a.example/?q=größe", "http://a.example/?q=gr%C3%B6%C3%9Fe"),
        ("http://a.example/??/../", "http://a.example/??/../"),
        # fragment
        ("http://a.example/#", "http://a.example/"),
        ("http://a.example/a#b?c/d#e", "http://a.example/a"),
        ("http://a.example/?#", "http://a.example/?"),
        ("http://a.example#@b.example/", "http://a.example/"),
        # host
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://BÜCHER.example/", "http://xn--bcher-kva.example/"),
        ("http://XN--BCHER-KVA.example/", "http://xn--bcher-kva.example/"),
        ("http://faß.example/", "http://xn--fa-hia.example/"),
        ("http://日本。example/", "http://xn--wgv71a.example/"),
        ("http://%61.example/", "http://a.example/"),
        ("http://a.example./", "http://a.example./"),
        ("http://a_b.example/", "http://a_b.example/"),
        ("http://127.1/", "http://127.0.0.1/"),
        ("http://0x7f.0.0.1/", "http://127.0.0.1/"),
        ("http://017700000001/", "http://127.0.0.1/"),
        ("http://2130706433/", "http://127.0.0.1/"),
        ("http://１２７.0.0.1/", "http://127.0.0.1/"),
        ("http://[::1]/", "http://[::1]/"),
        ("http://[2001:DB8:0:0:0:0:0:1]:8080/", "http://[2001:db8::1]:8080/"),
        ("http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/"),
        # port
        ("http://a.example:80/", "http://a.example/"),
        ("https://a.example:443/", "https://a.example/"),
        ("http://a.example:443/", "http://a.example:443/"),
        ("http://a.example:/", "http://a.example/"),
        ("http://a.example:0/", "http://a.example:0/"),
        ("http://a.example:00080/", "http://a.example/"),
        ("http://a.example:65535/", "http://a.example:65535/"),
        # userinfo
        ("http://me:secret@a.example/", "http://a.example/"),
        ("http://@a.example/", "http://a.example/"),
        ("http://a.example/@b", "http://a.example/@b"),
    ],
)
def test_one_spelling(text: str, href: str) -> None:
    """What says the same is written the same, and that is what is asked for."""
    parts = split(text)
    assert parts.href == href
    assert split(parts.href) == parts._replace(authorization=None)


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
    "text",
    [
        "",
        "a.example",
        "/path",
        "//a.example/",
        "?query",
        "#fragment",
        "http://",
        "http:///",
        "https:",
        "http://?a",
        "http://:80/",
        "http://me@/",
        "http://a.example:65536/",
        "http://a.example:-1/",
        "http://a.example:8a/",
        "http://a b/",
        "http://a<b/",
        "http://a^b/",
        "http://a%zzb/",
        "http://a%00b/",
        "http://a%2fb/",
        "http://[::1/",
        "http://::1/",
        "http://[::g]/",
        "http://[1::2::3]/",
        "http://1.2.3.4.5/",
        "http://256.0.0.1/",
        "http://1.2.3.0x1ffff/",
        "http://\u00ad/",
        "http://a.example\ud800/\ud800",
    ],
)
def test_no_url(text: str) -> None:
    """What the standard refuses is refused, with a message that shows it."""
    with pytest.raises(InvalidURL, match=r"^not a valid URL: "):
        split(text)


@pytest.mark.parametrize(
    "text",
    [
        "ftp://a.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "mailto:me@a.example",
        "data:text/html,<p>",
        "a.example:80/path",
        "ws://a.example/",
        "httpx://a.example/",
        "view-source:http://a.example/",
    ],
)
def test_another_scheme(text: str) -> None:
    """Only http and https are for this project."""
    with pytest.raises(InvalidURL, match=r"^not an http\(s\) URL: "):
        split(text)


def test_message_is_short_and_keeps_secrets() -> None:
    """The message shows the beginning of a long text, and no password."""
    with pytest.raises(InvalidURL) as caught:
        split("http://me:secret@a b/" + "x" * 1000)
    message = str(caught.value)
    assert "secret" not in message
    assert len(message) < 250
    assert "a b/xxx" in message


@pytest.mark.parametrize(
    ("link", "joined"),
    [
        ("b", "http://a.example/dir/b"),
        ("./b#c", "http://a.example/dir/b#c"),
        ("../b", "http://a.example/b"),
        ("/b", "http://a.example/b"),
        ("//b.example", "http://b.example/"),
        ("?q", "http://a.example/dir/page?q"),
        ("#c", "http://a.example/dir/page?x#c"),
        ("", "http://a.example/dir/page?x"),
        ("https:b", "https://b/"),
        ("http:b", "http://a.example/dir/b"),
        ("\\b", "http://a.example/b"),
        (" b\n", "http://a.example/dir/b"),
        ("mailto:me@a.example", "mailto:me@a.example"),
        ("http://", None),
        ("//a b", None),
        ("\ud800", None),
    ],
)
def test_join(link: str, joined: str | None) -> None:
    """A link is resolved against its page; what gives no valid URL gives none."""
    assert join("http://a.example/dir/page?x", link) == joined


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


@given(texts)
def test_splitting_again_changes_nothing(text: str) -> None:
    """A serialisation is its own: what went on the wire is what records and the next run know."""
    try:
        parts = split(text)
    except InvalidURL:
        return
    assert split(parts.href) == take_apart(parts.href) == parts._replace(authorization=None)
