"""YAML 1.2 scalars, plain data with places, and errors that name theirs; with libyaml and without."""

from __future__ import annotations

import contextlib
import io
import math
import sys
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scraper import yaml_core
from scraper.yaml_core import YamlError, load, resolve

LOADERS = [pytest.param(yaml.Loader, id="python")]
if hasattr(yaml, "CLoader"):
    LOADERS.append(pytest.param(yaml.CLoader, id="libyaml"))
each_loader = pytest.mark.parametrize("loader", LOADERS)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, None) for text in ("", "~", "null", "Null", "NULL")),
        *((text, True) for text in ("true", "True", "TRUE")),
        *((text, False) for text in ("false", "False", "FALSE")),
        ("0", 0),
        ("-0", 0),
        ("12", 12),
        ("+12", 12),
        ("-7", -7),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1e3", 1000.0),
        ("6.02E+23", 6.02e23),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        (str(2**64 - 1), 2**64 - 1),
    ],
)
def test_core_schema_types(text: str, value: object) -> None:
    """Plain scalars of the core schema become values of their type."""
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        *"""
        NO yes on off y n nULL tRUE 012 00 -01 0b11 0X1F 1_000 12:30 1:2:3 2024-01-31 2024-01-31T10:00:00Z 1.2.3 1,5 +
        - . e3 0x 0o8 -0x1 << inf nan ١٢ 012.5 1e999 18446744073709551616 -9223372036854775809
        """.split(),  # noqa: SIM905 - a list of forty literals reads worse
        "9" * 5000,
        "0x" + "f" * 5000,
        "1 2",
    ],
)
def test_everything_else_stays_text(text: str) -> None:
    """Norway, article numbers, times, dates and numbers too large for JSON are text."""
    assert resolve(text) == text


def test_nan() -> None:
    """`.nan` is a float that is not a number."""
    value = resolve(".nan")
    assert isinstance(value, float)
    assert math.isnan(value)


@given(st.integers(min_value=-(2**63), max_value=2**64 - 1))
def test_integers_round_trip(number: int) -> None:
    """Any 64-bit integer written in decimal reads as itself."""
    assert resolve(str(number)) == number


@given(st.text(max_size=40))
def test_resolve_never_raises(text: str) -> None:
    """Any text has a value."""
    resolve(text)


@each_loader
@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", None),
        ("# only a comment\n", None),
        ("---\n...\n", None),
        ("a: [1, 'x', {b: NO}]\n", {"a": [1, "x", {"b": "NO"}]}),
        ("a: '1'\nb: \"true\"\nc: |\n  12\n", {"a": "1", "b": "true", "c": "12\n"}),
        ("1: a\nno: b\n~: c\n", {"1": "a", "no": "b", "~": "c"}),
        ("a: !!str 1\nb: !!int '2'\nc: !!float 3\nd: !!bool 'true'\ne: !!null ''\n",
         {"a": "1", "b": 2, "c": 3.0, "d": True, "e": None}),
        ("!!map {a: !!seq [1]}", {"a": [1]}),
        ("a: *.x".replace("*.x", "'*.x'"), {"a": "*.x"}),
    ],
)  # fmt: skip
def test_builds_plain_data(loader: Any, text: str, data: object) -> None:
    """Documents become plain Python data; only plain scalars are typed, keys are text."""
    loaded = load(io.BytesIO(text.encode()), "f.yaml", loader).data
    assert loaded == data
    assert repr(loaded) == repr(data)


@each_loader
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(loader: Any, encoding: str) -> None:
    """UTF-8, with a byte order mark too, and UTF-16 read alike."""
    assert load(io.BytesIO("a: é漢😀\n".encode(encoding)), "f.yaml", loader).data == {"a": "é漢😀"}


@each_loader
@pytest.mark.parametrize(
    ("content", "place", "part"),
    [
        (b"a: *x", "f.yaml:1:4", "aliases are not supported"),
        (b"b: 1\na: &x 1", "f.yaml:2:4", "anchors are not supported"),
        (b"a: &x [1]", "f.yaml:1:4", "anchors are not supported"),
        (b"a: !!python/object/apply:os.system ['true']", "f.yaml:1:4", "'!!python/object/apply:os.system'"),
        (b"a: !!python/name:os.system x", "f.yaml:1:4", "is not supported"),
        (b"a: !mine 1", "f.yaml:1:4", "tag '!mine'"),
        (b"a: !!set {b}", "f.yaml:1:4", "tag '!!set'"),
        (b"a: !!binary aGk=", "f.yaml:1:4", "tag '!!binary'"),
        (b"a: !!int x", "f.yaml:1:4", "no !!int"),
        (b"a: !!bool 1", "f.yaml:1:4", "no !!bool"),
        (b"? [a]\n: b", "f.yaml:1:3", "a key must be text"),
        (b"a: 1\n---\nb: 1", "f.yaml:2:1", "second document"),
        (b"[" * 101 + b"]" * 101, "f.yaml:1:101", "nested deeper than 100"),
        (b"a:\n\t- b", "f.yaml:2:1", "indent with spaces"),
        (b"a: b: c", "f.yaml:1:5", "quote a text that holds ': '"),
        (b"- a\n- b\xff\n", "f.yaml:2:4", "not text in UTF-8 or UTF-16"),
        (b"\x89PNG\r\n\x1a\n\0\0", "f.yaml:1:1", "not text in UTF-8 or UTF-16"),
        (b"- a\n- b\x01\n", "f.yaml:2:4", "not allowed"),
    ],
)
def test_refusals_name_place_and_remedy(loader: Any, content: bytes, place: str, part: str) -> None:
    """What is refused or malformed gives one line: file, line, column, problem."""
    with pytest.raises(YamlError) as caught:
        load(io.BytesIO(content), "f.yaml", loader)
    assert str(caught.value).startswith(f"{place}: ")
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@each_loader
@given(content=st.binary(max_size=60))
def test_no_foreign_error_comes_out(loader: Any, content: bytes) -> None:
    """Whatever the bytes, there is data or a `YamlError`."""
    with contextlib.suppress(YamlError):
        load(io.BytesIO(content), "f.yaml", loader)


@each_loader
@given(content=st.text(alphabet="ab:-[]{},'\"|>&*!?#%@` \n\t12~.", max_size=40))
def test_no_foreign_error_comes_out_of_text(loader: Any, content: str) -> None:
    """The same for text made of YAML's indicators."""
    with contextlib.suppress(YamlError):
        load(content, "f.yaml", loader)


def test_deep_nesting_is_bounded() -> None:
    """100 levels are read; very many end in an error, not in a stack overflow."""
    assert load(b"[" * 100 + b"]" * 100, "f.yaml").data
    with pytest.raises(YamlError):
        load(b"[" * 50_000, "f.yaml")
    assert sys.getrecursionlimit() > yaml_core.NESTING * 5


@each_loader
def test_places_and_repeated_keys(loader: Any) -> None:
    """Every key and item has its place; the first of repeated keys counts."""
    document = load("a: 1\nb: {c: [x, y], c: 2}\na: 3\n", "f.yaml", loader)
    assert document.data == {"a": 1, "b": {"c": ["x", "y"]}}
    assert document.places["b.c"] == (2, 5)
    assert document.places["b.c.1"] == (2, 12)
    assert document.places["a"] == (1, 1)
    assert document.repeated == [("b.c", 2, 16), ("a", 3, 1)]


def test_error_without_a_place() -> None:
    """Text that cannot be encoded has no line to name."""
    with pytest.raises(YamlError, match=r"^--set x: not text"):
        load("\ud800", "--set x")
