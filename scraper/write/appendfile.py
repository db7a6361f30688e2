"""A file that grows in step with the state: what is behind its committed length never happened."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from scraper.atomic import sync_directory
from scraper.errors import RunError, UsageError


class AppendFile:
    """A file that is only appended to; for one thread at a time.

    Attributes:
        name: of the file in its directory.
        length: bytes in it.
    """

    def __init__(self, path: Path, committed: int) -> None:
        """Open it, and cut it back to the length that was committed.

        Raises:
            UsageError: it cannot be opened, or it is shorter than what was committed.
            RunError: it cannot be cut.
        """
        self.name = path.name
        self.length = committed
        try:
            # Not buffered: the writer's groups are the buffer.
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
        except OSError as error:
            failure = UsageError if committed == 0 else RunError
            raise failure(f"cannot write into {path.parent}: {error.strerror}") from None
        if committed == 0:
            sync_directory(path.parent)  # it may be new
        try:
            self._cut(path)
        except BaseException:
            self.close()
            raise

    def _cut(self, path: Path) -> None:
        found = os.fstat(self._descriptor).st_size
        if found < self.length:
            raise UsageError(
                f"{path} has {found:,} bytes, but {self.length:,} were committed to it: something else has changed it; "
                "put it back as it was, or --restart to begin anew"
            )
        if found > self.length:
            try:
                os.ftruncate(self._descriptor, self.length)
                os.fsync(self._descriptor)
            except OSError as error:
                raise RunError(f"cannot write {path}: {error.strerror}") from None

    def append(self, data: bytes) -> None:
        """Write all of `data` to its end.

        Raises:
            OSError: as the system says; part of it may be in the file.
        """
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]
        self.length += len(data)

    def cut(self, length: int) -> None:
        """Back to a former length, where the system lets it; else the next start does it."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, length)
        self.length = length

    def sync(self) -> None:
        """Wait until the disk has it.

        Raises:
            OSError: as the system says.
        """
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close it."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
