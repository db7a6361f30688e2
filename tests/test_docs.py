"""What the documents say is so: every key and default, every flag, settings that load, commands that exist, links."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

from scraper import settings, yaml_core
from scraper.cli.commands import group
from scraper.parse import problems
from scraper.settings import Settings, check, check_fields, check_sets
from scraper.settings.fields import TYPES

ROOT = Path(__file__).parents[1]
REFERENCE = (ROOT / "docs/settings.md").read_text("utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = sorted((ROOT / "config").glob("*.yaml"))

SECTIONS = {
    "fetch": check.FETCH,
    "hosts": check.HOST,
    "politeness": check.POLITENESS,
    "parse": check.PARSE,
    "output": check.OUTPUT,
    "A rule of follow": check_sets.FOLLOW,
}
CORES = {"5 × CPU cores", "CPU cores"}


def section(title: str) -> str:
    """What stands below a heading of the reference, up to the next one."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", REFERENCE, re.DOTALL | re.MULTILINE)
    assert found, title
    return found[1]


def rows(text: str, first: str = "key") -> list[list[str]]:
    """The cells of the table with this in its header."""
    found = re.search(rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert found, text
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in found[1].splitlines()]


def blocks(path: Path) -> list[str]:
    """Indented blocks of a document."""
    found = re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", path.read_text("utf-8"), re.MULTILINE)
    return [re.sub(r"^ {4}", "", block.strip("\n"), flags=re.MULTILINE) + "\n" for block in found]


@pytest.mark.parametrize("title", SECTIONS)
def test_every_key_is_listed_with_its_default(title: str) -> None:
    """No more and no less than the code knows, in its order; defaults are what the code gives."""
    table = rows(section(title))
    assert [cells[0].strip("`") for cells in table] == list(SECTIONS[title])
    for key, default, *_ in table:
        name = key.strip("`")
        if default in CORES or not default:
            continue
        written = yaml_core.load(default.strip("`"), "docs").data
        assert _value(title, name, written) == _value(title, name, None), name


def _value(title: str, name: str, written: Any) -> Any:
    """What a key comes to, if it is written so; if None, what it is by default."""
    if title == "A rule of follow":
        rule = {"css": "a"} | ({} if written is None or written == [] else {name: written})
        return getattr(settings.load({"follow": [rule]}).follow[0], name)
    if title == "hosts":
        section = {} if written is None else {name: written}
        return getattr(settings.load({"hosts": {"a.example": section}}).hosts["a.example"], name)
    raw = {} if written is None else {title: {name: written}}
    return getattr(getattr(settings.load(raw), title), name)


def test_fields_and_types_are_listed() -> None:
    """Every key of a field, every type, every top-level key."""
    assert [cells[0].strip("`") for cells in rows(section("A field"))] == list(check_fields.FIELD)
    assert [cells[0].strip("`") for cells in rows(section("A field"), "type")] == list(TYPES)
    listed = [cells[0].strip("`") for cells in rows(section("records, page, fields, follow, sets"))]
    assert listed == ["records", "page", "fields", "follow", "sets"]
    assert set(listed) | {"fetch", "hosts", "politeness", "parse", "output"} == set(Settings.__struct_fields__) - {
        "places"
    }


def test_flags_exist() -> None:
    """Every flag that a document names is one of some command."""
    known = {flag for command in group.commands.values() for option in command.params for flag in option.opts}
    foreign = {"--help", "--update", "--upgrade", "--only", "--every", "--rounds", "--copies", "--pages", "--json"}
    for path in (ROOT / "README.md", ROOT / "docs/guide.md", ROOT / "docs/settings.md"):
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", path.read_text("utf-8")))
        assert named <= known | foreign, path


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """Files and headings."""
    for target in re.findall(r"\]\(([^)]+)\)", path.read_text("utf-8")):
        if "://" in target:
            continue
        name, _, heading = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}, target


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "docs/guide.md"], ids=lambda path: path.name)
def test_settings_in_documents_load(path: Path) -> None:
    """Blocks of YAML with keys of the settings load, and their selectors compile."""
    found = 0
    for block in blocks(path):
        if re.match(r"(?:fetch|records|fields|follow|page|sets):", block):
            found += 1
            loaded = settings.load(yaml_core.load(block, path.name).data)
            assert problems.find_all(loaded.main, loaded.sets, "turbohtml", "lxml") == []
    assert found >= 1


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_load(path: Path) -> None:
    """Settings in config/ load on both engines; so does the list."""
    if path.name == "urls.yaml":
        assert yaml_core.load(path.read_text("utf-8"), path.name).data["urls"]
        return
    loaded = settings.load(path)
    for engine in ("turbohtml", "beautifulsoup"):
        assert problems.find_all(loaded.main, loaded.sets, engine, "html5lib") == []


def test_commands_in_the_guide_are_commands() -> None:
    """Each parses: the command exists, its flags too, and its files are there or are made by the guide."""
    lines = [
        line
        for path in (ROOT / "README.md", ROOT / "docs/guide.md")
        for block in blocks(path)
        for line in block.splitlines()
    ]
    commands = [line.removeprefix("$ ") for line in lines if re.match(r"(?:\$ )?scraper \w", line)]
    assert len(commands) > 12
    for line in commands:
        _, name, *arguments = shlex.split(line.partition(" | ")[0], comments=True)
        command = group.commands[name]
        with click.Context(command) as context:
            command.make_parser(context).parse_args(arguments)
        for place in (argument for argument in arguments if argument.startswith("config/")):
            assert (ROOT / place).exists(), line
