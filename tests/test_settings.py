"""Settings: layers, types, and all problems told at once with their places."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scraper.errors import SettingsError
from scraper.settings import Container, Settings, fingerprint, load, parse_assignment, usable_cores


def problems(source: Any, overrides: dict[str, object] | None = None) -> list[str]:
    """The lines of the error that loading ends in."""
    with pytest.raises(SettingsError) as caught:
        load(source, overrides or {})
    return str(caught.value).splitlines()


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes s.yaml into the working directory and gives its name."""
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> str:
        Path("s.yaml").write_text(text, "utf-8")
        return "s.yaml"

    return write


FULL = """\
fetch:      {workers: 40, transport: requests, timeout: 30, connect_timeout: 5, max_body: 16MiB, max_redirects: 10,
             retries: 2, user_agent: null, headers: {}, cookies: false, auth: null, proxy: null, verify_tls: true,
             allow_private: false, memory: 256MiB}
hosts:      {Shop.Example: {delay: 2, per_host: 1, headers: {X-A: b}, auth: env:SHOP_TOKEN}}
politeness: {robots: true, per_host: 2, delay: 0.2, max_delay: 60, adaptive: true}
parse:      {workers: 8, engine: turbohtml, builder: lxml, timeout: 30, memory: 1GiB, parser: null}
records:    article.product_pod
fields:
  title:   {css: h3 a, attr: title, required: true}
  price:   {css: [.price_color, .price], type: number}
  tags:    {css: .tag, all: true, default: []}
  stars:   {css: p.star-rating, attr: class, regex: 'star-rating (\\w+)'}
  section: h2
output:     {format: jsonl, archive: false, fsync: true}
"""


def test_defaults() -> None:
    """No source gives the documented defaults; worker counts follow the cores."""
    settings = load(None)
    assert settings == Settings()
    assert settings.fetch.workers == 5 * usable_cores()
    assert settings.parse.workers == usable_cores()
    assert (settings.fetch.max_body, settings.fetch.memory, settings.parse.memory) == (16 << 20, 256 << 20, 1 << 30)
    assert (settings.fetch.timeout, settings.politeness.delay, settings.politeness.max_delay) == (30, 0.2, 60)
    assert settings.fields is None


def test_full_file(written: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every documented key is read, and its type is right."""
    monkeypatch.setenv("SHOP_TOKEN", "t0k")
    settings = load(written(FULL))
    assert settings.fetch.workers == 40
    assert isinstance(settings.fetch.timeout, float)
    shop = settings.hosts["shop.example"]
    assert (shop.delay, shop.per_host, shop.headers, shop.auth) == (2.0, 1, {"X-A": "b"}, "Bearer t0k")
    assert settings.records == Container(css=("article.product_pod",))
    assert settings.fields is not None
    assert list(settings.fields) == ["title", "price", "tags", "stars", "section"]
    assert settings.fields["price"].css == (".price_color", ".price")
    assert settings.fields["section"].css == ("h2",)
    assert settings.fields["tags"].default == []


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "fetch:\nhosts:\nfields:\nrecords:\n", "\ufeff"])
def test_empty_means_defaults(written: Any, text: str) -> None:
    """An empty file and sections whose keys are commented out leave the defaults."""
    assert load(written(text)) == Settings()


def test_precedence(written: Any) -> None:
    """Defaults < file < overrides."""
    path = written("fetch: {workers: 3, retries: 5}\nfields: {a: h1}\n")
    settings = load(path, {"fetch.workers": 8, "politeness.robots": False})
    assert (settings.fetch.workers, settings.fetch.retries, settings.fetch.timeout) == (8, 5, 30.0)
    assert settings.politeness.robots is False


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ("hosts.shop.example.delay", 3, lambda s: s.hosts["shop.example"].delay == 3.0),
        ("hosts.shop.example", {"per_host": 7}, lambda s: s.hosts["shop.example"].per_host == 7),
        ("hosts.shop.example.headers.X-A", 1, lambda s: s.hosts["shop.example"].headers == {"X-A": "1"}),
        ("fetch.headers.X-A", "b", lambda s: s.fetch.headers == {"X-A": "b"}),
        ("fields.a.attr", "id", lambda s: s.fields["a"].css == ("h1",) and s.fields["a"].attr == "id"),
        ("fields.b", "h2", lambda s: s.fields["a"].css == ("h1",) and s.fields["b"].css == ("h2",)),
        ("fields", {"c": "h3"}, lambda s: list(s.fields) == ["c"]),
        ("fetch", {"retries": 0}, lambda s: s.fetch.retries == 0),
        ("records", "li", lambda s: s.records == Container(css=("li",))),
    ],
)
def test_dotted_overrides(key: str, value: object, read: Any) -> None:
    """A dotted key reaches sections, hosts with dots in their names, single headers and single fields."""
    assert read(load({"fields": {"a": "h1"}}, {key: value}))


def test_sources_are_not_changed() -> None:
    """Overrides are laid over a copy of the caller's mapping."""
    source = {"fetch": {"headers": {"A": "1"}}, "fields": {"a": {"css": "h1"}}}
    load(source, {"fetch.headers.B": "2", "fields.a.attr": "x"})
    assert source == {"fetch": {"headers": {"A": "1"}}, "fields": {"a": {"css": "h1"}}}


def test_all_problems_at_once_in_order(written: Any) -> None:
    """Each problem is one line with file, line and column, in the file's order, overrides last."""
    path = written(
        "fetch:\n  wokers: 3\n  timeout: NO\n  retries: 1\n  retries: 2\nfecth: {}\nrecords: [1]\n"
        "politeness: {delay: -1}\nfields:\n  url: h1\n"
    )
    assert problems(path, {"parse.workers": -1, "parse.engin": "x"}) == [
        "s.yaml:2:3: unknown key 'wokers' in fetch; did you mean 'workers'?",
        's.yaml:3:3: fetch.timeout must be a number of seconds, more than 0, not "NO"',
        "s.yaml:5:3: repeated key 'retries'; keep one of them",
        "s.yaml:6:1: unknown key 'fecth'; did you mean 'fetch'?",
        "s.yaml:7:1: records must be text, not [1]",
        "s.yaml:8:14: politeness.delay must be a number of seconds, 0 or more, not -1",
        "s.yaml:10:3: the field name 'url' is reserved: every record has it; choose another",
        "parse.workers: must be a whole number of at least 0, not -1",
        "parse.engin: unknown key 'engin' in parse; did you mean 'engine'?",
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("fetch.workers", value) for value in (0, -1, 1.5, "8", True, None)),
        *(("parse.workers", value) for value in (-1, 2.0, False)),
        *(("fetch.timeout", value) for value in (0, -1, "30", True, float("inf"), float("nan"), None)),
        *(("politeness.delay", value) for value in (-0.1, "0")),
        *(("fetch.max_body", value) for value in ("16", "16M", "MiB", 0, -1, 1.5, True, "1e3KB", "", "9" * 5000)),
        *(("parse.memory", value) for value in ("63MiB", 1024)),
        *(("fetch.transport", value) for value in ("curl", "httpx", 1)),
        *(("output.format", value) for value in ("csv", "xml", ["jsonl"])),
        ("output.archive", True),
        ("fetch.cookies", "on"),
        ("fetch.verify_tls", "yes"),
        ("parse.engine", "lxml"),
        ("parse.builder", "html"),
        ("parse.parser", "shop.py"),
        ("parse.parser", "shop.py:"),
        ("parse.parser", ":parse"),
        ("fetch.allow_private", "NO"),
        ("fetch.allow_private", 1),
        ("fetch.allow_private", [1]),
        *(("fetch.allow_private", [value]) for value in ("10.0.0.0/33", "a b", "")),
        *(("fetch.proxy", value) for value in ("proxy.example:3128", "ftp://x", 1, "")),
        ("fetch.headers", "x"),
        ("fetch.headers", {"X A": "1"}),
        ("fetch.headers", {"X": "a\r\nB: c"}),
        ("fetch.headers", {"X": None}),
        ("fetch.headers", {"": "x"}),
        ("fetch.headers", {1: 2}),
        *(("fetch.user_agent", value) for value in ("a\nb", "", 1)),
        ("hosts", "x"),
        *(("hosts", {name: {}}) for name in ("http://a", "a:80", "[::1]:80", "a/", "a#b", "u@a", "")),
        ("hosts", {"A.example": {}, "a.example": {}}),
        ("hosts", {"a.example": {"dely": 1}}),
        *(("records", value) for value in ("", " ", 1)),
        ("fields", "h1"),
        ("fields", ["h1"]),
        ("fields", {"": "h1"}),
        ("fields", {"status": "h1"}),
        ("fields", {"a": None}),
        ("fields", {"a": {}}),
        ("fields", {"a": 1}),
        *(("fields.a", {"css": value}) for value in ("", None, 1)),
        ("fields.a", {"css": []}),
        ("fields.a", {"css": ["h1", 1]}),
        ("fields.a", {"css": [""]}),
        *(("fields.a", {"css": "h1", "regex": value}) for value in ("(", "", 1)),
        *(("fields.a", {"css": "h1", **extra}) for extra in ({"type": "int"}, {"all": "yes"}, {"default": object()})),
        *(("fields.a", {form: None}) for form in ("xpath", "jsonld", "microdata", "meta", "json", "article", "table")),
        *(("fields.a", {form: "a..b"}) for form in ("jsonld", "microdata", "json", "article")),
        *(("fields.a", {"css": "p", form: "p"}) for form in ("xpath", "jsonld", "opengraph", "table")),
        ("fields.a", {"each": "p"}),
        ("fields.a", {"each": {"css": "p", "xpath": "//p"}, "fields": {"b": "i"}}),
        ("fields.a", {"each": "p", "fields": {}}),
        ("fields.a", {"each": "p", "css": "p", "fields": {"b": "i"}}),
        ("fields.a", {"each": {"json": "p"}, "fields": {"b": "i"}}),
        ("fields.a", {"each": {"json": "p"}, "fields": {"b": {"xpath": "i"}}}),
        ("fields.a", {"each": "p", "fields": {"b": {"css": "i", "type": "int"}}}),
        *(("fields.a", {"css": "p", "fields": {"b": "i"}, **extra}) for extra in ({"attr": "x"}, {"regex": "x"})),
        *(("fields.a", {"jsonld": "p", **extra}) for extra in ({"attr": "x"}, {"type": "html"})),
        *(("fields.a", {"css": "p", "attr": "x", "type": kind}) for kind in ("html", "markdown")),
        *(("fields.a", {"exists": "p", **extra}) for extra in ({"all": True}, {"type": "text"}, {"regex": "x"})),
        *(("fields.a", {"count": "p", **extra}) for extra in ({"attr": "x"}, {"required": True}, {"default": 1})),
        *(("fields.a", {"table": "p", **extra}) for extra in ({"type": "number"}, {"regex": "x"})),
        *(("fields.a", {"article": "text", **extra}) for extra in ({"attr": "x"}, {"all": True})),
        ("fields.a", {"css": "p", "date_order": "DMY"}),
        ("fields.a", {"css": "p", "type": "date", "date_order": "MYD"}),
        ("records", {"css": "p", "json": "p"}),
        ("records", {"article": "text"}),
        ("page", {"url": "h1"}),
        ("page.a", {"css": ""}),
        ("nonsense", 1),
    ],
)  # fmt: skip
def test_wrong_values(key: str, value: object) -> None:
    """Every wrong type, bound and name gives exactly one line, which begins with the key."""
    lines = problems(None, {key: value})
    assert len(lines) == 1
    assert lines[0].startswith(key)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("16MiB", 16 << 20),
        ("256 MiB", 256 << 20),
        ("1GiB", 1 << 30),
        ("500KB", 500_000),
        ("1.5kb", 1500),
        ("7B", 7),
        (9, 9),
    ],
)
def test_sizes(value: object, size: int) -> None:
    """Binary and decimal units, and plain bytes."""
    assert load({"fetch": {"max_body": value}}).fetch.max_body == size


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            "fields: {a: {css: p, xpath: //p}}",
            "s.yaml:1:10: fields.a says in two ways where its value is, css and xpath; keep one of them",
        ),
        (
            "page: {a: h1}\nfields: {a: h2}",
            "s.yaml:1:8: page and fields both have a field 'a'; rename one of them",
        ),
        (
            "records: {json: items}\nfields: {a: name}",
            "s.yaml:2:10: fields.a is a CSS selector inside a JSON container; write {json: name}",
        ),
        ("output: {archive: true}", "s.yaml:1:10: output.archive true is not available in this version; leave it out"),
        ("output: {format: csv}", "s.yaml:1:10: output.format csv is not available in this version; use jsonl"),
        ("fetch: {transport: curl}", "s.yaml:1:9: fetch.transport curl is not available in this version; use requests"),
        ("fields: {a: #x\n  }", "s.yaml:1:10: fields.a is empty; give a text, in quotes if it starts with #"),
        ("engine: lxml", "s.yaml:1:1: unknown key 'engine'; did you mean 'parse.engine'?"),
        (
            "parse: {parser: a.py:f}\nfields: {a: h1}",
            "s.yaml:1:9: parse.parser and fields exclude each other; keep one of them",
        ),
        ("- a", "s.yaml:1:1: settings must be a mapping with keys such as 'fetch:' and 'fields:'"),
        ("fetch: {timeout: 012}", 's.yaml:1:9: fetch.timeout must be a number of seconds, more than 0, not "012"'),
    ],
)  # fmt: skip
def test_messages(written: Any, section: str, message: str) -> None:
    """One clear line, at the key's place."""
    assert problems(written(section)) == [message]


@pytest.mark.parametrize("text", ["fetch: [1", "a: *b", "fetch: {workers: !!python/name:os.system x}", "\0"])
def test_malformed_files(written: Any, text: str) -> None:
    """What is no YAML, or more than YAML, gives one line with its place."""
    (line,) = problems(written(text))
    assert line.startswith("s.yaml:")
    assert line.split(":")[1].isdecimal()


@pytest.mark.parametrize("path", ["missing.yaml", ".", "a\0b"])
def test_unreadable_files(written: Any, path: str) -> None:
    """A missing file and a directory give one line that names the path."""
    written("")
    (line,) = problems(path)
    assert line.startswith(f"{path}: cannot be read: ")


@pytest.mark.parametrize(
    ("secret", "header"),
    [
        ("user:password", "Basic dXNlcjpwYXNzd29yZA=="),
        ("user:pass word", "Basic dXNlcjpwYXNzIHdvcmQ="),
        ("Bearer x:yz", "Bearer x:yz"),
        ("Digest a=b", "Digest a=b"),
        ("xyz", "Bearer xyz"),
    ],
)
def test_auth(monkeypatch: pytest.MonkeyPatch, secret: str, header: str) -> None:
    """A secret, literal or from the environment, becomes the header's value."""
    monkeypatch.setenv("THE_TOKEN", secret)
    settings = load({"fetch": {"auth": "env:THE_TOKEN"}, "hosts": {"a.example": {"auth": secret}}})
    assert settings.fetch.auth == header
    assert settings.hosts["a.example"].auth == header


def test_header_and_proxy_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`env:NAME` works for header values and the proxy too."""
    monkeypatch.setenv("KEY", "k")
    monkeypatch.setenv("PROXY", "http://u:p@proxy.example:3128")
    fetch = load(
        {
            "fetch": {
                "headers": {"X-Key": "env:KEY", "X-On": True, "X-N": 2},
                "proxy": "env:PROXY",
                "allow_private": True,
            }
        }
    ).fetch
    assert fetch.headers == {"X-Key": "k", "X-On": "true", "X-N": "2"}
    assert fetch.proxy == "http://u:p@proxy.example:3128"


@pytest.mark.parametrize("allowed", [False, ["10.0.0.0/8"]])
def test_a_proxy_has_to_be_trusted(allowed: object) -> None:
    """Nobody here sees where it connects to."""
    (problem,) = problems({"fetch": {"proxy": "http://proxy.example:3128", "allow_private": allowed}})
    assert problem.startswith("fetch.proxy: needs fetch.allow_private: true")


@pytest.mark.parametrize("value", ["", None])
def test_unset_variable(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    """A variable that is unset or empty is an error that names it."""
    monkeypatch.delenv("NOPE", raising=False)
    if value is not None:
        monkeypatch.setenv("NOPE", value)
    assert problems({"hosts": {"a.example": {"auth": "env:NOPE"}}}) == [
        "hosts.a.example.auth: names the environment variable NOPE, which is not set; export it first"
    ]


@pytest.mark.parametrize(
    "section",
    [
        {"auth": ["hunter2"]},
        {"auth": "hunter2\nx"},
        {"headers": "hunter2"},
        {"headers": {"X": ["hunter2"]}},
        {"headers": {"X": "hunter2\r\n.x"}},
        {"proxy": "hunter2"},
        {"proxy": {"hunter2": 1}},
    ],
)
def test_secrets_are_not_repeated(section: dict[str, object]) -> None:
    """Errors about keys that hold secrets do not show their values."""
    assert "hunter2" not in "\n".join(problems({"fetch": section}))


def test_repr_keeps_secrets() -> None:
    """A logged `Settings` gives nothing away."""
    fetch = {"auth": "hunter2", "proxy": "http://hunter2", "headers": {"A": "hunter2"}, "allow_private": True}
    settings = load({"fetch": fetch, "hosts": {"a.example": {"auth": "hunter2"}}})
    assert "hunter2" not in repr(settings)
    assert "***" in repr(settings)


@pytest.mark.parametrize(
    ("spelling", "host"),
    [
        ("Shop.EXAMPLE", "shop.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("::1", "[::1]"),
        ("[::1]", "[::1]"),
    ],
)
def test_host_names(spelling: str, host: str) -> None:
    """Hosts are known by the name that targets carry."""
    assert list(load({"hosts": {spelling: {}}}).hosts) == [host]


def test_allow_private() -> None:
    """Names and networks in canonical form."""
    given = ["LocalHost", "10.1.2.3/8", "::1", "192.168.0.1"]
    assert load({"fetch": {"allow_private": given}}).fetch.allow_private == (
        "localhost", "10.0.0.0/8", "::1", "192.168.0.1",
    )  # fmt: skip
    assert load({"fetch": {"allow_private": True}}).fetch.allow_private is True


def test_where(written: Any) -> None:
    """The place of a key, of the nearest key around it, or the dotted path of what was not in the file."""
    path = written("fields:\n  a: {css: [h1, h2]}\n  b: h1\n  c.d: h3\nrecords: li\nhosts: {A.Example: {delay: 1}}\n")
    settings = load(path, {"fields.b.attr": "id", "fields.e": "h1"})
    assert settings.where("fields.a.css") == "s.yaml:2:7"
    assert settings.where("fields.a.css.1") == "s.yaml:2:17"
    assert settings.where("fields.b.css") == "s.yaml:3:3"
    assert settings.where("fields.b.attr") == "fields.b.attr"
    assert settings.where("fields.c.d.css") == "s.yaml:4:3"
    assert settings.where("fields.e.css") == "fields.e.css"
    assert settings.where("records") == "s.yaml:5:1"
    assert settings.where("hosts.a.example.delay") == "s.yaml:6:21"
    assert settings.where("parse.workers") == "parse.workers"
    assert load({"records": "li"}).where("records") == "records"
    assert load(path, {"fields": {"a": "h1"}}).where("fields.a.css") == "fields.a.css"


def test_settings_travel(written: Any) -> None:
    """Settings pickle, can be replaced in part, are equal wherever written, and load from themselves."""
    settings = load(written("records: li\nfields: {a: h1}\nfetch: {auth: 'u:p', allow_private: [a.example]}\n"))
    copy = pickle.loads(pickle.dumps(settings))
    assert copy == settings
    assert copy.where("records") == "s.yaml:1:1"
    same = {"records": "li", "fields": {"a": "h1"}, "fetch": {"auth": "u:p", "allow_private": ["a.example"]}}
    assert load(same) == settings
    assert msgspec.structs.replace(settings, records="p") != settings
    again = load(settings, {"fetch.retries": 0})
    assert again == msgspec.structs.replace(settings, fetch=msgspec.structs.replace(settings.fetch, retries=0))
    assert again.where("records") == "s.yaml:1:1"
    assert load(settings) == settings


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"records": "p"}, False),
        ({"fields.a": "h2"}, False),
        ({"fields.b": "h2"}, False),
        ({"fields.a.required": True}, False),
        ({"parse.engine": "beautifulsoup"}, False),
        ({"parse.builder": "html5lib"}, False),
        ({"fields": None, "parse.parser": "a.py:f"}, False),
        ({"fields.a": {"css": ["h1"], "required": False}}, True),
        ({"fetch.workers": 99, "parse.workers": 0, "output.fsync": False}, True),
    ],
)
def test_fingerprint(change: dict[str, object], same: bool) -> None:
    """What shapes records changes it, and nothing else."""
    base = {"records": "li", "fields": {"a": "h1"}}
    assert (fingerprint(load(base, change)) == fingerprint(load(base))) is same
    assert len(fingerprint(load(base))) == 64


def test_fingerprint_ignores_order() -> None:
    """Neither the order of fields nor the place they come from counts."""
    one, other = load({"fields": {"a": "h1", "b": "h2"}}), load({"fields": {"b": "h2", "a": "h1"}})
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("fetch.workers=8", ("fetch.workers", 8)),
        ("politeness.robots=false", ("politeness.robots", False)),
        ("fetch.max_body=1MiB", ("fetch.max_body", "1MiB")),
        ("records=a[href='x=y']", ("records", "a[href='x=y']")),
        ("records=#main", ("records", "#main")),
        ("fetch.user_agent=", ("fetch.user_agent", None)),
        ("fetch.headers={A: b}", ("fetch.headers", {"A": "b"})),
        ("fields.a.css=[h1, h2]", ("fields.a.css", ["h1", "h2"])),
    ],
)
def test_assignments(text: str, pair: tuple[str, object]) -> None:
    """`--set` values are YAML; only the first = counts."""
    assert parse_assignment(text) == pair


@pytest.mark.parametrize("text", ["fetch.workers", "=8", "", "records=*", "fetch.headers={A: 1, A: 2}", "fields=[1"])
def test_wrong_assignments(text: str) -> None:
    """No key, no =, or no YAML: one line that begins with the flag."""
    with pytest.raises(SettingsError, match=r"^--set .*$"):
        parse_assignment(text)


V2, V1 = "0::/job/step\n", "4:cpu,cpuacct:/job\n0::/\n"


@pytest.mark.parametrize(
    ("cgroup", "files", "cores"),
    [
        ("", {}, 8),
        (V2, {"job/step/cpu.max": "250000 100000"}, 3),
        (V2, {"job/step/cpu.max": "max 100000", "job/cpu.max": "150000 100000"}, 2),
        (V2, {"cpu.max": "10000 100000"}, 1),
        (V2, {"job/step/cpu.max": "max 100000"}, 8),
        (V2, {"job/step/cpu.max": "9900000 100000"}, 8),
        (V2, {"job/step/cpu.max": "junk"}, 8),
        (V1, {"cpu/job/cpu.cfs_quota_us": "400000", "cpu/job/cpu.cfs_period_us": "100000"}, 4),
        (V1, {"cpu,cpuacct/cpu.cfs_quota_us": "50000", "cpu,cpuacct/cpu.cfs_period_us": "100000"}, 1),
        (V1, {"cpu/job/cpu.cfs_quota_us": "-1", "cpu/job/cpu.cfs_period_us": "100000"}, 8),
    ],
)
def test_usable_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cgroup: str, files: dict[str, str], cores: int
) -> None:
    """The least of affinity and the quotas on the way up, rounded up, at least 1."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    tree = {"proc/self/cgroup": cgroup} | {f"sys/fs/cgroup/{name}": content for name, content in files.items()}
    for name, content in tree.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert usable_cores(tmp_path) == cores


def test_cores_without_affinity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the platform tells no affinity, the host's cores count, and one if even those are unknown."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores(tmp_path) == 1


def test_import_is_light() -> None:
    """Reading settings loads neither the network nor the parsers."""
    code = "import sys, scraper.settings; print(sorted({'requests', 'bs4', 'turbohtml', 'lxml'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
