"""The demo website as data: it is large enough, hangs together and says the truth about itself."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup
from protego import Protego

from scraper import demo, urls
from scraper.demo.curiosities import FRENCH, LATIN_1, SHIFT_JIS
from scraper.demo.wares import products
from scraper.demo.website import Site, build_site

BASE = "http://127.0.0.1:8642/"
CONFIG = Path(__file__).parents[2] / "config"


@pytest.fixture(scope="module")
def site() -> Site:
    """The website at its usual place."""
    return build_site(BASE)


def path_of(url: str) -> str:
    """Path and query as in the request line."""
    return urls.split(url).target


def charset_of(content_type: str) -> str:
    """What the header declares, or UTF-8."""
    return content_type.partition("charset=")[2] or "utf-8"


def text_at(soup: BeautifulSoup, selector: str) -> str:
    """Text of the first match."""
    tag = soup.select_one(selector)
    assert tag is not None
    return tag.get_text()


def test_size(site: Site) -> None:
    """Enough pages for a demonstration, and products of every kind."""
    assert sum(reply.is_html and reply.status == 200 for reply in site.pages.values()) >= 150
    assert sum(path.startswith("/product/") for path in site.pages) >= 120
    assert sum(path.startswith("/category/") and "?" not in path for path in site.pages) >= 8
    assert sum(path.startswith("/article/") for path in site.pages) >= 15


def test_same_every_time(site: Site) -> None:
    """The site is deterministic."""
    assert build_site(BASE) == site


def test_base_without_slash(site: Site) -> None:
    """The base may be given without its last slash."""
    assert build_site(BASE.rstrip("/")) == site


def test_every_link_leads_somewhere(site: Site) -> None:
    """Links and pictures resolve to something that exists, except the dead ends; everything is reachable."""
    reached = {"/", "/robots.txt"}
    for path, reply in site.pages.items():
        if not reply.is_html:
            continue
        soup = BeautifulSoup(reply.body.decode(charset_of(reply.content_type), "replace"), "lxml")
        links = [tag["href"] for tag in soup.select("[href]")] + [tag["src"] for tag in soup.select("[src]")]
        links += [value for name, value in reply.headers if name == "Location"]
        for link in links:
            url = urls.join(urljoin(BASE, path), str(link))
            assert url is not None
            assert url.startswith(BASE), f"{path} links to another site: {url}"
            target = path_of(url)
            assert target in site.pages, f"{path} has a dead link: {link}"
            assert site.pages[target].status < 400 or target.startswith("/gone/")
            reached.add(target)
    assert reached == set(site.pages)


def test_link_styles(site: Site) -> None:
    """A product page has relative, rooted and absolute links."""
    soup = BeautifulSoup(site.pages[products()[0].path].body, "lxml")
    links = [str(tag["href"]) for tag in soup.select("a[href]")]
    assert any(link.startswith("../") for link in links)
    assert any(link.startswith("/") for link in links)
    assert any(link.startswith(BASE) for link in links)


def test_product_page(site: Site) -> None:
    """Every product page shows what its product says, in the page and in its JSON-LD."""
    for product in products():
        soup = BeautifulSoup(site.pages[product.path].body, "lxml")
        assert text_at(soup, "h1") == product.title
        assert text_at(soup, "article.product .price") == product.price
        assert text_at(soup, "tr.upc td") == product.upc
        assert len(soup.select(".breadcrumb li")) == 3
        offer = json.loads(text_at(soup, "script"))["offers"]
        assert offer["price"] == f"{product.cents / 100:.2f}"
        assert offer["url"] == BASE + product.path[1:]


def test_price_styles() -> None:
    """Pounds and euro, each as people there write them."""
    prices = {product.title: product.price for product in products()}
    assert prices["The Ferryman’s Second Winter"].startswith("£")
    assert prices["Library Globe on Walnut Stand"].startswith("1.234,")
    assert prices["Library Globe on Walnut Stand"].endswith(" €")


def test_no_two_products_alike() -> None:
    """Numbers, codes and paths are unique."""
    goods = products()
    for attribute in ("sku", "upc", "path", "title"):
        assert len({getattr(product, attribute) for product in goods}) == len(goods)


def test_charset_in_header_only(site: Site) -> None:
    """The Latin-1 page is Latin-1, and only its header says so."""
    reply = site.pages["/curiosity/latin-1"]
    assert charset_of(reply.content_type) == "ISO-8859-1"
    assert b"charset=" not in reply.body
    assert all(text.replace("'", "&#x27;") in reply.body.decode("iso-8859-1") for text in LATIN_1)
    with pytest.raises(UnicodeDecodeError):
        reply.body.decode("utf-8")


def test_charset_in_meta_only(site: Site) -> None:
    """The Shift-JIS page says so in its first kilobyte, and its header does not."""
    reply = site.pages["/curiosity/shift-jis"]
    assert reply.content_type == "text/html"
    assert b'<meta charset="shift_jis">' in reply.body[:1024]
    assert all(text in reply.body.decode("shift_jis") for text in SHIFT_JIS)


def test_other_pages_declare_utf_8(site: Site) -> None:
    """What claims UTF-8 in its header is UTF-8."""
    for reply in site.pages.values():
        if "charset=utf-8" in reply.content_type:
            reply.body.decode("utf-8")


def test_compressed_bodies(site: Site) -> None:
    """The compressed variants hold the same page."""
    packed = [reply for reply in site.pages.values() if reply.compressed is not None]
    assert len(packed) >= 4
    assert all(gzip.decompress(reply.compressed or b"") == reply.body for reply in packed)


def test_languages(site: Site) -> None:
    """One page has a French variant."""
    assert FRENCH[0] in site.pages["/curiosity/welcome"].languages["fr"].decode()


def test_pdf(site: Site) -> None:
    """The PDF's cross-reference table points at its objects."""
    body = site.pages["/curiosity/brochure.pdf"].body
    start = int(body.rsplit(b"startxref\n", 1)[1].split()[0])
    assert body[start:].startswith(b"xref\n0 6\n")
    for number, line in enumerate(body[start:].splitlines()[3:8], start=1):
        assert body[int(line[:10]) :].startswith(b"%d 0 obj" % number)


def test_robots(site: Site) -> None:
    """robots.txt keeps crawlers out of one existing folder, asks for no delay and names the sitemap."""
    rules = Protego.parse(site.pages["/robots.txt"].body.decode())
    refused = {path for path in site.pages if not rules.can_fetch(BASE + path[1:], "scraper")}
    assert refused == {"/private/ledger"}
    assert rules.crawl_delay("scraper") is None
    assert list(rules.sitemaps) == [f"{BASE}sitemap.xml"]


def test_sitemap(site: Site) -> None:
    """The sitemap lists every web page that may be crawled, and nothing else."""
    places = [tag.get_text() for tag in BeautifulSoup(site.pages["/sitemap.xml"].body, "xml").select("loc")]
    assert len(places) == len(set(places))
    wanted = {path for path, reply in site.pages.items() if reply.is_html and reply.status == 200}
    assert {path_of(place) for place in places} == wanted - {"/private/ledger"}


def test_write_list(site: Site, tmp_path: Path) -> None:
    """The list names every page once, some with keys, one with a header."""
    path = tmp_path / "urls.yaml"
    count = demo.write_list(BASE, path)
    entries = [e if isinstance(e, dict) else {"url": e} for e in yaml.safe_load(path.read_text("utf-8"))["urls"]]
    assert count == len(entries)
    assert {path_of(entry["url"]) for entry in entries} == {p for p, reply in site.pages.items() if reply.listed}
    assert len({entry["url"] for entry in entries}) == count
    assert {"sku", "section"} <= {key for entry in entries for key in entry}
    assert [entry["headers"] for entry in entries if "headers" in entry] == [{"Accept-Language": "fr"}]


def test_example_list_exists(site: Site) -> None:
    """config/urls.yaml names pages of the site."""
    for entry in yaml.safe_load((CONFIG / "urls.yaml").read_text("utf-8"))["urls"]:
        url = entry["url"] if isinstance(entry, dict) else entry
        assert path_of(url) in site.pages
        assert urlsplit(url).netloc == urlsplit(BASE).netloc


def test_example_settings_agree() -> None:
    """The settings in config/ do on the demo website what its own settings do."""
    example = yaml.safe_load((CONFIG / "settings.yaml").read_text("utf-8"))
    own = yaml.safe_load(demo.SETTINGS.read_text("utf-8"))
    assert {name: example[name] for name in own} == own
