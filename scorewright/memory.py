"""How much memory processes have, and how much there is."""

from __future__ import annotations

from pathlib import Path

_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_MACHINE = Path("/proc/meminfo")


def private(pid: int) -> int | None:
    """The bytes of a process that are its alone; None where the system does not tell."""
    return _field(Path(f"/proc/{pid}/smaps_rollup"), "Private_Dirty:")


def anonymous(pid: int) -> int | None:
    """The bytes of memory that a process has and no file backs, quick to ask for; None where it is not told."""
    return _field(Path(f"/proc/{pid}/status"), "RssAnon:")


def resident(pid: int) -> int:
    """The bytes of a process that are in memory, those that it shares with others included; 0 if there is no such."""
    return _field(Path(f"/proc/{pid}/status"), "VmRSS:") or 0


def available() -> int | None:
    """The bytes that this process's container, or the machine with its swap space, has; None if it does not tell."""
    limits = [int(text) for path in _CGROUP_LIMITS if (text := _read(path).strip()).isdigit()]
    main, swap = _field(_MACHINE, "MemTotal:"), _field(_MACHINE, "SwapTotal:")
    machine = [] if main is None else [main + (swap or 0)]
    return min([*limits, *machine], default=None)


def _field(path: Path, name: str) -> int | None:
    """A line of kilobytes, as /proc has them, in bytes."""
    for line in _read(path).splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except OSError:
        return ""
