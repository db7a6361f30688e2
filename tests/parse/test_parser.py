"""User's parsers: what they may give, and what is told when they fail."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

import scraper
from scraper.parse.extract import Extractor, Plan, Verdict
from scraper.records import Page

HELPERS = """
def price(page):
    return float(page.soup.p.string)

def deep(n):
    return deep(n + 1)

def picked(page):
    return page.soup.select("p[")
"""

SHOP = """
import json
from helpers import deep, picked, price

def parse(page):
    return {"price": price(page)}

def endless(page):
    deep(0)

def library(page):
    return picked(page)

def late(page):
    yield {"a": 1}
    raise KeyError("b")

def loaded(page):
    json.loads(page.text)

def nothing(page):
    return None

def several(page):
    yield from ({"n": n} for n in range(3))

def trees(page):
    return {"soup": page.soup.p.get_text(), "html": page.html.select_one("p").text, "builder": page.soup.builder.NAME}
"""


@pytest.fixture
def extract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs one of the functions of a user's file on a page."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "helpers.py").write_text(HELPERS)
    (tmp_path / "shop.py").write_text(SHOP)

    def call(function: str, text: str = "<p>x", builder: str = "lxml") -> Verdict:
        url = "https://a.example/"
        page = Page(url, url, 200, "2026-01-01T00:00:00.000Z", [("Content-Type", "text/html")], text.encode())
        return Extractor(Plan(builder=builder, parser=f"{tmp_path}/shop.py:{function}"))(page)

    return call


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("parse", "ValueError: could not convert string to float: 'x' (shop.py:6 in parse > helpers.py:3 in price)"),
        ("late", "KeyError: 'b' (shop.py:16 in late)"),
        ("library", "SelectorSyntaxError: Malformed attribute selector at position 1 line 1: p[ ^ "
                    "(shop.py:12 in library > helpers.py:9 in picked)"),
        ("loaded", "JSONDecodeError: Expecting value: line 1 column 1 (char 0) (shop.py:19 in loaded)"),
    ],
)  # fmt: skip
def test_failure_tells_the_users_own_frames(extract: Any, function: str, message: str) -> None:
    """From the parser to where it failed; what libraries do on the way is left out. No record is kept."""
    verdict = extract(function)
    assert (verdict.error, verdict.message, verdict.records) == ("parse_error", message, 0)


def test_frames_of_a_recursion_are_cut(extract: Any) -> None:
    """A thousand frames of one function say no more than some."""
    verdict = extract("endless")
    assert verdict.message.startswith("RecursionError: ")
    assert verdict.message.endswith(
        "(shop.py:9 in endless > helpers.py:6 in deep > helpers.py:6 in deep > … > "
        "helpers.py:6 in deep > helpers.py:6 in deep > helpers.py:6 in deep)"
    )


def test_what_a_parser_may_give(extract: Any) -> None:
    """None skips the page; a generator gives several records."""
    nothing, several = extract("nothing"), extract("several")
    assert (nothing.error, nothing.records, nothing.lines) == (None, 0, b"")
    assert [json.loads(line)["n"] for line in several.lines.splitlines()] == [0, 1, 2]


@pytest.mark.parametrize("builder", ["lxml", "html5lib", "html.parser"])
def test_trees(extract: Any, builder: str) -> None:
    """Both trees are there, BeautifulSoup's on the builder of the settings."""
    record = json.loads(extract("trees", builder=builder).lines)
    assert (record["soup"], record["html"], record["builder"]) == ("x", "x", builder)


def test_an_editor_can_complete_a_page() -> None:
    """Everything on a page is typed, and documented where it is defined; the class is public."""
    assert scraper.Page.__module__ == "scraper.parse.page"
    tree = ast.parse(Path(str(__import__("scraper.parse.page").parse.page.__file__)).read_text("utf-8"))
    (page,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Page"]
    methods = [node for node in page.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    assert {node.name for node in methods} >= {"text", "soup", "html", "decoded"}
    assert all(node.returns is not None and ast.get_docstring(node) for node in methods)
    documented = ast.get_docstring(page) or ""
    for name in ("url", "final_url", "status", "headers", "body", "input", "fetched_at"):
        assert f"\n    {name}: " in documented
