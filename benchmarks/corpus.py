"""The pages a benchmark serves, and the lists of URLs that name them.

The default corpus is a Debian package: anybody gets the very same real pages from a mirror, and nothing is downloaded
from a site that did not ask to be benchmarked.
"""

from __future__ import annotations

import gzip
import random
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

PACKAGE = "postgresql-doc-15"
DOC_ROOT = Path("/usr/share/doc")
SUFFIXES = (".html", ".html.gz")
SEED = 20_260_701  # any number does; a fixed one makes two machines fetch in the same order


class CorpusMissing(Exception):
    """There are no pages to serve; the message says how to get some."""


@dataclass(frozen=True)
class Corpus:
    """A folder that a web server can serve as it stands, and the pages in it."""

    folder: Path
    names: tuple[str, ...]
    bytes: int


@dataclass(frozen=True)
class UrlList:
    """The same URLs in the two spellings the contestants read."""

    urls: tuple[str, ...]
    yaml: Path
    text: Path


def load(pages: Path | None, scratch: Path) -> Corpus:
    """Find the pages in `pages` (default: the package's), unpacked below `scratch` where they are gzipped."""
    folder = pages if pages is not None else _package_folder()
    found = _html_files(folder)
    if not found:
        raise CorpusMissing(f"{folder}: no .html or .html.gz file in this folder")
    if any(path.suffix == ".gz" for path in found):
        folder = _unpack(found, folder, scratch / "pages")
        found = _html_files(folder)
    # Reading every page once also warms the page cache, which would otherwise be the first contestant's burden.
    size = sum(len(path.read_bytes()) for path in found)
    return Corpus(folder.resolve(), tuple(path.relative_to(folder).as_posix() for path in found), size)


def urls(corpus: Corpus, origin: str, copies: int) -> list[str]:
    """Every page under each of `copies` prefixes, shuffled: neighbours in a real list are seldom neighbours on disk."""
    every = [f"{origin}/c{copy}/{quote(name)}" for copy in range(copies) for name in corpus.names]
    random.Random(SEED).shuffle(every)
    return every


def write_list(chosen: list[str], stem: Path) -> UrlList:
    """Write `chosen` as STEM.yaml and STEM.txt."""
    written = UrlList(tuple(chosen), stem.with_suffix(".yaml"), stem.with_suffix(".txt"))
    written.yaml.write_text("urls:\n" + "".join(f"  - {url}\n" for url in chosen))
    written.text.write_text("".join(f"{url}\n" for url in chosen))
    return written


def _html_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.name.endswith(SUFFIXES) and path.is_file())


def _unpack(found: list[Path], folder: Path, target: Path) -> Path:
    """Copy the corpus to `target` with every .gz unpacked: the server sends pages as they are, without gzip."""
    for path in found:
        copy = target / path.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".gz":
            copy.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        else:
            shutil.copyfile(path, copy)
    return target


def _package_folder() -> Path:
    for folder in [*_listed_by_dpkg(), DOC_ROOT / PACKAGE / "html"]:
        if _html_files(folder):
            return folder
    raise CorpusMissing(f"no pages to serve: `apt-get install {PACKAGE}`, or name a folder with --pages DIR")


def _listed_by_dpkg() -> list[Path]:
    """The folder named html among the package's files; empty where there is no dpkg or no such package."""
    if shutil.which("dpkg") is None:
        return []
    listing = subprocess.run(["dpkg", "-L", PACKAGE], capture_output=True, text=True, check=False)
    return [Path(line) for line in listing.stdout.splitlines() if Path(line).name == "html"]
