"""How many CPU cores this process may use, which in a container is fewer than the host has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def usable_cores(root: Path = Path("/")) -> int:
    """Cores by affinity and cgroup quota, whichever is less, rounded up; at least 1.

    Args:
        root: where `proc` and `sys` are mounted.
    """
    return max(1, min(_affinity(), *_quotas(root)))


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[int]:
    """One value for each limit on the way up: a quota of any ancestor binds its children too."""
    yield _affinity()
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        for mount in _mounts(controllers.split(","), root / "sys/fs/cgroup"):
            group = mount / path.lstrip("/")
            # Inside a cgroup namespace the path may not exist below the mount; then the mount's root still counts.
            for folder in (group, *group.parents):
                yield from _limit(folder)
                if folder == mount:
                    break


def _mounts(controllers: list[str], base: Path) -> list[Path]:
    if controllers == [""]:  # version 2, alone or beside version 1
        return [base, base / "unified"]
    return [base / "cpu", base / ",".join(controllers)] if "cpu" in controllers else []


def _limit(folder: Path) -> Iterator[int]:
    """The quota of one cgroup, as `cpu.max` (v2) or `cpu.cfs_quota_us` and `cpu.cfs_period_us` (v1) tell it."""
    words = _read(folder / "cpu.max").split() or [
        *_read(folder / "cpu.cfs_quota_us").split(),
        *_read(folder / "cpu.cfs_period_us").split(),
    ]
    if len(words) == 2 and all(word.isdecimal() for word in words) and int(words[1]):
        yield max(1, -(-int(words[0]) // int(words[1])))


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""
