"""The import rules: one way down, stages never import each other, and only three places start threads or processes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import scraper

ROOT = Path(scraper.__file__).parent
STAGES = ("source", "schedule", "fetch", "parse", "write")

#: What anybody may import: values and rules without behaviour of their own.
COMMON = {
    "records",
    "atomic",
    "unheard",
    "storable",
    "terminal",
    "counters",
    "settings",
    "errors",
    "urls",
    "channel",
    "yaml_core",
    "paths",
}

#: Who may import what, besides COMMON and its own package; whoever is not named is on top and may import all.
ALLOWED = {
    **{stage: set() for stage in STAGES},
    "records": set(),
    "atomic": set(),
    "unheard": set(),
    "storable": set(),
    "terminal": set(),
    "counters": set(),
    "errors": set(),
    "urls": set(),
    "channel": set(),
    "yaml_core": set(),
    "paths": set(),
    "settings": set(),
    "watch": set(),
    "demo": set(),
    "pipeline": {*STAGES, "watch"},
}

#: The other side of the wire: the demo's website is a process of its own, its server needs threads as any server does.
STARTERS = {"pipeline", "fetch", "parse", "demo"}
STARTING = {
    "Thread",
    "ThreadPoolExecutor",
    "ProcessPoolExecutor",
    "Process",
    "Popen",
    "Timer",
    "fork",
    "run_in_executor",
}


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield parts[0], path


def imported(path: Path) -> Iterator[str]:
    """Top-level parts of this package that a module imports, at its top or within a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "scraper" else [module]
        for name in names:
            if name.startswith("scraper."):
                yield name.split(".")[1]


def test_imports_go_one_way() -> None:
    """cli → pipeline, watch → stages → records, settings, errors; no stage imports another."""
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for part, path in modules()
        if part in ALLOWED
        for name in imported(path)
        if name not in COMMON | ALLOWED[part] | {part}
    ]
    assert wrong == []


def test_common_ground_is_low() -> None:
    """What everybody imports does not import upwards."""
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for part, path in modules()
        if part in COMMON
        for name in imported(path)
        if name not in COMMON
    ]
    assert wrong == []


def test_who_starts_threads_and_processes() -> None:
    """Only pipeline, fetch and parse do (and the demo's website, which is not part of the tool)."""
    wrong = []
    for part, path in modules():
        if part in STARTERS:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
            if name in STARTING:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} {name}")
    assert wrong == []


def test_only_fetch_opens_sockets() -> None:
    """No other part of the tool imports a networking module."""
    network = {"socket", "requests", "urllib3", "http", "ssl"}
    wrong = []
    for part, path in modules():
        if part in {"fetch", "demo"}:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            wrong += [f"{path.relative_to(ROOT)} imports {name}" for name in names if name.split(".")[0] in network]
    assert wrong == []


def test_no_module_is_a_drawer() -> None:
    """A folder's listing tells its story: no utils, helpers, base or manager."""
    names = {path.stem for _, path in modules()}
    assert not names & {"utils", "util", "helpers", "base", "manager", "common", "misc"}
