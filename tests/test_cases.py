"""Saved pages as a user's test cases, run by a pytest of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SETTINGS = """
fields: {title: title, price: {css: .price, type: number, required: true}, link: {css: a, attr: href, type: url}}
sets: {ware: {records: li, fields: {name: b, day: {css: i, type: date}}}}
"""
TESTS = """
from scraper.testing import scraper_cases

test_pages = scraper_cases("pages", settings="settings.yaml")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with saved pages, and tests of them."""
    pages = tmp_path / "tests" / "pages"
    pages.mkdir(parents=True)
    (tmp_path / "settings.yaml").write_text(SETTINGS)
    (tmp_path / "tests/conftest.py").write_text('pytest_plugins = ["scraper.testing"]\n')
    (tmp_path / "tests/test_shop.py").write_text(TESTS)
    (pages / "lamp.html").write_text("<title>Lamp</title><b class=price>12.50 €</b><a href=x>x</a>")
    (pages / "list.html").write_text("<li><b>A</b><i>yesterday</i><li><b>B</b>")
    (pages / "list.meta.json").write_text('{"type": "ware", "fetched_at": "2026-03-01T00:00:00Z"}')
    (pages / "old.html").write_text("<title>Old</title>")
    return tmp_path


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The project's tests."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=60, env=environment)


def expected(project: Path, name: str) -> Any:
    """What is written beside a page."""
    return json.loads((project / f"tests/pages/{name}.records.json").read_text("utf-8"))


def test_update_then_pass_then_fail(project: Path) -> None:
    """Without expectations cases fail; --update writes them; they hold until the page or the settings change."""
    first = run(project)
    assert "3 failed" in first.stdout
    assert "lamp.records.json is not there yet: run pytest --update once" in first.stdout
    assert "3 passed" in run(project, "--update").stdout
    (lamp,) = expected(project, "lamp")
    assert (lamp["type"], lamp["title"], lamp["price"]) == (None, "Lamp", 12.5)
    assert lamp["link"] == "https://page.invalid/x"
    day = {"type": "ware", "name": "A", "day": "2026-02-28"}
    assert expected(project, "list") == [day, {"type": "ware", "name": "B", "day": None}]
    assert expected(project, "old") == {
        "error": "missing_field",
        "message": "the required field 'price' found nothing",
    }
    assert "3 passed" in run(project).stdout
    (project / "tests/pages/lamp.html").write_text("<title>Lamp</title><b class=cost>12.50 €</b>")
    changed = run(project)
    assert "1 failed, 2 passed" in changed.stdout
    assert '+  "error": "missing_field",' in changed.stdout
    assert '-    "price": 12.5,' in changed.stdout


def test_other_ways_to_name_things(project: Path) -> None:
    """The folder's own settings, fields by keyword, from another working directory."""
    (project / "tests/pages/settings.yaml").write_text("fields: {t: title}")
    text = "from scraper.testing import scraper_cases\n\ntest_a = scraper_cases('tests/pages')\n"
    (project / "tests/test_shop.py").write_text(text)
    (project / "tests/pages/list.meta.json").unlink()
    assert "3 passed" in run(project, "--update").stdout
    assert expected(project, "lamp") == [{"t": "Lamp"}]
    changed = text.replace("pages'", "pages', fields={'t': 'b'}, engine='beautifulsoup'")
    (project / "tests/test_shop.py").write_text(changed)
    done = run(project, str(project / "tests"), "--rootdir", str(project))
    assert "3 failed" in done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("scraper_cases('tests/nowhere')", "tests/nowhere holds no saved page; scraper try URL --save tests/nowhere"),
        ("scraper_cases('pages', fields={'a': 'p['})", "invalid CSS selector 'p['"),
        ("scraper_cases('pages', feilds={})", "did you mean 'fields'?"),
    ],
)
def test_what_is_wrong(project: Path, text: str, said: str) -> None:
    """Told as soon as it can be."""
    (project / "tests/test_shop.py").write_text(f"from scraper.testing import scraper_cases\n\ntest_a = {text}\n")
    (project / "tests/pages/list.meta.json").unlink()
    done = run(project)
    assert done.returncode != 0
    assert said in done.stdout
