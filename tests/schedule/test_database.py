"""The state's file: who may read it, what is in it, and what is said when it is no good."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from scraper.errors import RunError, UsageError
from scraper.records import Target
from scraper.schedule import Store, database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture(params=[0o022, 0, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """What the user's shell keeps from others; restored afterwards."""
    former = os.umask(request.param)
    yield
    os.umask(former)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def enter(store: Store) -> None:
    store.begin_list()
    store.enter([Target("https://a.example/", "https://a.example/", "a.example")])


@pytest.mark.usefixtures("umask")
def test_only_the_owner_reads_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold credentials: neither it nor its log is open to others, at no moment, whatever the umask says."""
    modes: list[int] = []
    connect = sqlite3.connect

    def looked_at(place: Path, **options: object) -> sqlite3.Connection:
        modes.append(mode(Path(place)))
        return connect(place, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(sqlite3, "connect", looked_at)
    with Store.create(path, b"{}") as store:
        enter(store)
        modes += [mode(each) for each in path.parent.iterdir()]
        assert len([*path.parent.iterdir()]) == 2, "the database and its log"
    assert len(modes) == 4
    assert set(modes) == {0o600}


def test_settings_of_the_connection(path: Path) -> None:
    """A log, so that a commit is one write; the disk is waited for; nobody else gets in."""
    with Store.create(path, b"{}") as store:
        run = store._database.execute
        enter(store)
        store.commit([], {1: 1}, {}, 0.0)
        assert run("PRAGMA journal_mode").fetchone() == ("wal",)
        assert run("PRAGMA synchronous").fetchone() == (2,), "FULL"
        assert run("PRAGMA locking_mode").fetchone() == ("exclusive",)
        assert run("PRAGMA user_version").fetchone() == (database.VERSION,)
        assert not path.with_name("state.db-shm").exists(), "shared memory does not work on network file systems"


def test_no_index_holds_the_state(path: Path) -> None:
    """One that did would make each change of it several times as expensive."""
    with Store.create(path, b"{}") as store:
        run = store._database.execute
        made = [name for (name,) in run("SELECT name FROM sqlite_master WHERE type='index' AND tbl_name='urls'")]
        held = {name: [column for *_, column in run(f"PRAGMA index_info({name})")] for name in made}
    assert held == {"sqlite_autoindex_urls_1": ["key"], "urls_by_host": ["host"]}


@pytest.mark.parametrize("resumed", [False, True])
def test_exclusive(path: Path, resumed: bool) -> None:
    """Another connection can neither read nor write while the state is open, from the first moment on."""
    store = Store.create(path, b"{}")
    if resumed:
        store.close()
        store = Store.open(path)
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    for statement in ("SELECT count(*) FROM urls", "INSERT INTO meta VALUES ('a', 'b')"):
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute(statement)
    store.close()
    assert other.execute("SELECT count(*) FROM urls").fetchone() == (0,)
    other.close()


def test_second_state_of_a_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused in one line, and the first goes on."""
    connect = sqlite3.connect
    with Store.create(path, b"{}") as store:
        # Without SQLite's usual five seconds of hoping.
        monkeypatch.setattr(sqlite3, "connect", lambda *places, **options: connect(*places, timeout=0, **options))
        with pytest.raises(RunError, match="database is locked") as told:
            Store.open(path)
        assert str(path) in str(told.value)
        enter(store)
        assert store.counters.total == 1


# Making one


@pytest.mark.parametrize("content", [b"", b"no database at all" * 1000])
def test_half_made_file_is_harmless(path: Path, content: bytes) -> None:
    """What a process left that died while it made the file is neither used nor in the way."""
    path.with_name("state.db.new").write_bytes(content)
    with Store.create(path, b"{}") as store:
        enter(store)
    assert [each.name for each in path.parent.iterdir()] == ["state.db"]


def test_half_made_database_is_harmless(path: Path) -> None:
    """Also where it is a whole one, of another run."""
    database.create(path, b"other")
    path.rename(path.with_name("state.db.new"))
    with Store.create(path, b"mine") as store:
        assert store.about == b"mine"
        assert store.counters.total == 0


def test_all_or_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no file of that name until it is whole."""
    seen: list[bool] = []

    def fail(connection: sqlite3.Connection) -> None:
        seen.append(path.exists())
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(database, "_fill", fail)
    with pytest.raises(RunError, match="disk is full"):
        Store.create(path, b"{}")
    assert seen == [False]
    assert not path.exists()


@pytest.mark.parametrize("obstacle", ["no folder", "a folder of the name"])
def test_where_it_cannot_be_made(path: Path, obstacle: str) -> None:
    """The folder is named, and what to do."""
    if obstacle == "no folder":
        path = path.parent / "none" / path.name
    else:
        path.mkdir()
    with pytest.raises(UsageError, match="-o") as told:
        Store.create(path, b"{}")
    assert f"cannot write into {path.parent}: " in str(told.value)
    assert "\n" not in str(told.value)


# Opening one that is no good


def damaged(path: Path, how: str) -> None:
    """Make a state, and then make it so."""
    with Store.create(path, b"{}") as store:
        enter(store)
    content = path.read_bytes()
    if how == "text":
        path.write_text("These are not the bytes of a database.\n" * 100)
    elif how == "cut short":
        path.write_bytes(content[: len(content) // 2])
    elif how == "overwritten":
        path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))
    elif how == "no header":
        path.write_bytes(b"\0" * 100 + content[100:])


@pytest.mark.parametrize("how", ["text", "cut short", "overwritten", "no header"])
def test_damaged_file(path: Path, how: str) -> None:
    """One line with the name of the file and the way out, and exit status 2; it is not touched."""
    damaged(path, how)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="damaged") as told:
        Store.open(path)
    assert str(told.value).startswith(f"{path} is damaged (")
    assert "--restart" in str(told.value)
    assert "\n" not in str(told.value)
    assert path.read_bytes() == before
    # Nothing holds it any longer.
    path.unlink()
    Store.create(path, b"{}").close()


@pytest.mark.parametrize("version", [0, 1, 99])
def test_other_version(path: Path, version: int) -> None:
    """A file of another version's tables is not misread but refused, and stays as it is."""
    assert version != database.VERSION
    with Store.create(path, b"{}") as store:
        store._database.execute(f"PRAGMA user_version={version}")
    with pytest.raises(UsageError, match="not written by this version") as told:
        Store.open(path)
    assert str(path) in str(told.value)
    assert "--restart" in str(told.value)
    other = sqlite3.connect(path, timeout=0)
    assert other.execute("PRAGMA user_version").fetchone() == (version,)
    other.close()


def test_empty_file(path: Path) -> None:
    """A file without content is nobody's state."""
    path.touch()
    with pytest.raises(UsageError, match="not written by this version"):
        Store.open(path)


def test_damage_that_shows_later(path: Path) -> None:
    """In the midst of a run it ends the run, with one line."""
    with Store.create(path, b"{}") as store:
        enter(store)
        with pytest.raises(RunError, match="is damaged"), database.trouble(path):
            raise sqlite3.DatabaseError("database disk image is malformed")
        assert store.counters.total == 1


def test_mistakes_are_not_the_disk(path: Path) -> None:
    """What SQLite says of this program's own errors stays an error of the program."""
    with pytest.raises(sqlite3.IntegrityError), database.trouble(path):
        raise sqlite3.IntegrityError("UNIQUE constraint failed")
