"""Files replaced as a whole, and directories that remember what is in them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path


def replace(path: Path, content: Iterable[bytes], *, sync: bool = False) -> None:
    """Write `content` to a file of another name and rename that to `path`: a reader sees the old file or the new one.

    Args:
        path: of the file, which need not exist.
        content: its bytes, in parts.
        sync: wait for the disk, so that power loss leaves the old file or the new one, too.

    Raises:
        OSError: as the system says; the old file stays.
    """
    fresh = path.with_name(f"{path.name}.new")
    try:
        with fresh.open("wb") as file:
            for part in content:
                file.write(part)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
    if sync:
        sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Wait until the disk knows the directory's files by name, where the system can be asked for that.

    Only `fsync` of the directory itself promises that a new or renamed file is found after power loss (fsync(2)).
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
