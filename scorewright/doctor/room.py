"""How many bytes of memory there are for a service here."""

from __future__ import annotations

from pathlib import Path

_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_MACHINE = Path("/proc/meminfo")


def room() -> int | None:
    """The container's limit, or the machine's memory if that is less; None where the system does not tell."""
    limits = [int(text) for path in _CGROUP_LIMITS if (text := _read(path).strip()).isdigit()]
    return min([*limits, *_lines(_MACHINE, "MemTotal:")], default=None)


def private(pid: int) -> int | None:
    """The bytes of a process that are its alone; None where the system does not tell."""
    return next(iter(_lines(Path(f"/proc/{pid}/smaps_rollup"), "Private_Dirty:")), None)


def _lines(path: Path, name: str) -> list[int]:
    """Lines of kilobytes by that name, in bytes."""
    return [int(line.split()[1]) * 1024 for line in _read(path).splitlines() if line.startswith(name)]


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except OSError:
        return ""
