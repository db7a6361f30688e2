"""Fuzz what strangers send: HTTP answers through a real socket, and pages through decoding and extraction.

    python benchmarks/fuzz.py                           five minutes, half of them for each
    python benchmarks/fuzz.py --pages DIR --seed 7      other pages to mutate, another sequence of cases
    python benchmarks/fuzz.py --replay findings/FILE    one saved input once more

Every answer must end as a page, a hop or a failure of a known kind within the deadline, with all memory given back;
every page as records that are JSON which every format can hold. Whatever does not is saved as a file of its own. Exit
code 1 where there is one. A case depends on nothing but the seed and its number.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import gzip
import random
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from fuzz_inputs import ANSWERS, Mutator

from scraper import urls
from scraper.demo.website import build_site
from scraper.fetch import Fetcher
from scraper.parse.extract import Extractor, Plan
from scraper.parse.worker import decode_batch, encode_batch
from scraper.records import KINDS, Failure, Hop, Page, Target
from scraper.settings import FieldSettings, SetSettings, load

#: An address of loopback that nothing else is likely to listen on.
HOST: Final = "127.83.57.19"

#: Seconds for an exchange, how much later it may end, how long a page may take, and after how long it is a hang.
DEADLINE: Final = 1.0
OVERRUN: Final = 0.5
PAGE_LIMIT: Final = 10.0
HANG: Final = 60.0

MOST_BODY: Final = 1 << 20

#: Bytes of a page that are mutated; the slowest builder takes a second for so many.
LARGEST: Final = 100_000

DOCUMENTATION: Final = Path("/usr/share/doc/postgresql-doc-15/html")

ENGINES: Final = (
    ("turbohtml", "lxml"),
    ("beautifulsoup", "lxml"),
    ("beautifulsoup", "html.parser"),
    ("beautifulsoup", "html5lib"),
)

FIELDS: Final = {
    "number": FieldSettings(css=("td", "span", "p"), type="number"),
    "links": FieldSettings(css=("a[href]", "[src]"), attr="href", type="url", all=True),
    "word": FieldSettings(css=("body",), regex=r"([A-Z]\w+) \1"),
    "lists": FieldSettings(css=("div > ul li:nth-child(2n)", "p ~ p"), all=True),
}

KNOWN_ERRORS: Final = {None, "missing_field"}


class Finding(NamedTuple):
    """Something that must not be.

    Attributes:
        name: of the file that holds its input.
        data: the input.
        why: what was wrong.
    """

    name: str
    data: bytes
    why: str


class AnswerServer:
    """Sends the same bytes to every connection, whatever it asks; a context manager."""

    def __init__(self) -> None:
        self.answer, self.stays_open = b"", False
        self._socket = socket.create_server((HOST, 0))
        self.origin = f"http://{HOST}:{self._socket.getsockname()[1]}"
        self._over = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> AnswerServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        socket.create_connection(self._socket.getsockname()).close()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._over:
            connection, _ = self._socket.accept()
            with connection:
                connection.settimeout(2 * DEADLINE)
                try:
                    while connection.recv(65536):  # until the other side has had enough
                        connection.sendall(self.answer)
                        if not self.stays_open:
                            connection.shutdown(socket.SHUT_WR)
                            break
                except OSError:
                    pass


class Responses:
    """The response path: mutated answers, fetched for real."""

    name = "response"

    def __init__(self) -> None:
        settings = {"timeout": DEADLINE, "max_body": MOST_BODY, "allow_private": [HOST], "max_redirects": 3}
        self._server = AnswerServer()
        # A mutated redirect must not make it knock at other ports.
        self._fetcher = Fetcher(load({"fetch": settings}), permit=lambda url: urls.origin(url) == self._server.origin)
        self.kinds: Counter[str] = Counter()

    def close(self) -> None:
        self._fetcher.close()
        self._server.__exit__()

    def inputs(self, chance: random.Random) -> tuple[str, bytes]:
        """A mutated answer; one in fifty is followed by silence instead of the end of the connection."""
        mutate = Mutator(chance)
        valid = chance.choice(ANSWERS)
        return ("open" if chance.random() < 0.02 else "close"), mutate(valid, ANSWERS)

    def check(self, variant: str, data: bytes) -> str | None:
        """What is wrong with how it ends, if anything."""
        self._server.answer, self._server.stays_open = data, variant == "open"
        url = f"{self._server.origin}/"
        began = time.monotonic()
        result = self._fetcher.fetch(Target(url, url, HOST))
        seconds = time.monotonic() - began
        self.kinds[result.error if isinstance(result, Failure) else type(result).__name__] += 1
        if isinstance(result, Page):
            self._fetcher.budget.release(len(result.body))
        if self._fetcher.budget.used:
            return f"{self._fetcher.budget.used} bytes of memory are not given back"
        if seconds > DEADLINE + OVERRUN:
            return f"took {seconds:.2f} s"
        if isinstance(result, Failure):
            return None if result.error in KINDS and result.message else f"not told well: {result}"
        if isinstance(result, Hop):
            return None
        if len(result.body) > MOST_BODY:
            return f"a body of {len(result.body):,} bytes"
        return (
            None
            if decode_batch(iter(encode_batch([result])).__next__) == [result]
            else "changes on its way to a worker"
        )


class Overtime(Exception):
    """A page was cut short, as a parse worker would be."""


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    """For html5lib, which takes the square of the number of elements where formatting is not closed."""

    def end(*_: object) -> None:
        raise Overtime

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, PAGE_LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Pages:
    """Decoding and extraction: mutated pages, on every engine."""

    name = "page"

    def __init__(self, pages: Sequence[bytes]) -> None:
        self._pages = pages
        self._extractors = {
            f"{engine}.{builder}.{kind}": Extractor(Plan(engine, builder, main=SetSettings(fields=fields)))
            for engine, builder in ENGINES
            for kind, fields in (("defaults", None), ("fields", FIELDS))
        }
        self.kinds: Counter[str] = Counter()

    def close(self) -> None:
        pass

    def inputs(self, chance: random.Random) -> tuple[str, bytes]:
        """A mutated page, and the name of an extractor with a charset."""
        mutate = Mutator(chance)
        page = mutate(chance.choice(self._pages)[:LARGEST], self._pages)[:LARGEST]
        charset = chance.choice(
            ("", "", "", "utf-8", "utf-7", "utf-16", "iso-2022-jp", "x-none", "gb18030", "replacement")
        )
        return f"{chance.choice(list(self._extractors))}.{charset}", page

    def check(self, variant: str, data: bytes) -> str | None:
        """What is wrong with what is extracted, if anything."""
        extractor, _, charset = variant.rpartition(".")
        headers = [("Content-Type", f"text/html; charset={charset}" if charset else "text/html")]
        page = Page("https://a.example/", "https://a.example/x", 200, "2026-01-01T00:00:00Z", headers, data)
        began = time.monotonic()
        if "html5lib" in extractor:
            with _time_limit():
                verdict = self._extractors[extractor](page)
            if verdict.message.startswith(Overtime.__name__):
                self.kinds["parse_timeout"] += 1
                return None
        else:
            verdict = self._extractors[extractor](page)
        seconds = time.monotonic() - began
        self.kinds[verdict.error or "ok"] += 1
        if verdict.message.startswith("ParserRejectedMarkup"):  # Python's own parser stops at some declarations
            return None
        if verdict.error not in KNOWN_ERRORS:
            return f"{verdict.error}: {verdict.message}"
        if seconds > PAGE_LIMIT:
            return f"took {seconds:.1f} s"
        for line in verdict.lines.splitlines():
            if "\0" in str(msgspec.json.decode(line)):
                return "a record holds NUL"
        return None


def fuzz(
    target: Responses | Pages, seed: int, cases: int, until: float, folder: Path | None = None
) -> Iterator[Finding]:
    """Findings among so many cases, or until a moment of the monotonic clock.

    With a folder, the input in hand lies there, in case that it ends or hangs this process.
    """
    for number in range(cases):
        if time.monotonic() > until:
            return
        chance = random.Random(f"{seed}:{target.name}:{number}")
        variant, data = target.inputs(chance)
        name = f"{target.name}-{seed}-{number}-{variant}.bin"
        if folder is not None:
            (folder / "in-hand.name").write_text(name)
            (folder / "in-hand.bin").write_bytes(data)
            faulthandler.dump_traceback_later(HANG, exit=True)
        why = _checked(target, variant, data)
        if why is not None:
            yield Finding(name, data, why)
    if folder is not None:
        faulthandler.cancel_dump_traceback_later()


def _checked(target: Responses | Pages, variant: str, data: bytes) -> str | None:
    try:
        return target.check(variant, data)
    except Exception as error:  # noqa: BLE001  that is what is looked for
        return f"raised {type(error).__name__}: {error}"


def pages_of(folder: Path | None) -> list[bytes]:
    """The bodies in a folder of .html and .html.gz; by default the demo website and some documentation if installed."""
    if folder is None:
        bodies = [reply.body for reply in build_site().pages.values() if reply.is_html]
        return bodies + [path.read_bytes() for path in sorted(DOCUMENTATION.glob("*.html"))]
    bodies = [path.read_bytes() for path in sorted(folder.rglob("*.html"))]
    bodies += [gzip.decompress(path.read_bytes()) for path in sorted(folder.rglob("*.html.gz"))]
    if not bodies:
        sys.exit(f"{folder}: no .html or .html.gz file in this folder")
    return bodies


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=Path, help="folder of pages to mutate")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, help="default: by the clock")
    parser.add_argument("--findings", type=Path, default=Path("findings"), help="where inputs are saved")
    parser.add_argument("--only", choices=["responses", "pages"])
    parser.add_argument("--replay", type=Path, help="a saved input")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else int(time.time())
    if options.replay is not None:
        return replay(options.replay)
    options.findings.mkdir(parents=True, exist_ok=True)
    print(f"seed {seed}, findings go to {options.findings}/", flush=True)
    chosen = ["responses", "pages"] if options.only is None else [options.only]
    count = 0
    for name in chosen:
        target = Responses() if name == "responses" else Pages(pages_of(options.pages))
        until = time.monotonic() + options.seconds / len(chosen)
        for finding in fuzz(target, seed, sys.maxsize, until, options.findings):
            count += 1
            (options.findings / finding.name).write_bytes(finding.data)
            print(f"{finding.name}: {finding.why}"[:300], flush=True)
        target.close()
        print(f"{name}: {target.kinds.total():,} cases, {dict(target.kinds.most_common())}", flush=True)
    faulthandler.cancel_dump_traceback_later()
    return 1 if count else 0


def replay(path: Path) -> int:
    """Check one saved input."""
    kind, _, _, variant = path.name.removesuffix(".bin").split("-", 3)
    target = Responses() if kind == "response" else Pages([b""])
    why = _checked(target, variant, path.read_bytes())
    target.close()
    print(why or f"as it should be: {dict(target.kinds)}")
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main())
