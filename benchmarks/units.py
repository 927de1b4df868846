"""Values with their units, written as Grafana writes them."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.errors import BenchmarkError


@dataclass(frozen=True)
class Unit:
    """What a value is divided by, and what then stands behind it."""

    size: float
    name: str

    def told(self, value: float) -> str:
        """A value, three digits of it."""
        shown = value / self.size
        return f"{shown:.0f}{self.name}" if abs(shown) >= 100 else f"{shown:.3g}{self.name}"


_UNITS = {
    "short": (Unit(1, ""), Unit(1e3, " K"), Unit(1e6, " Mil")),
    "reqps": (Unit(1, " req/s"), Unit(1e3, "K req/s")),
    "percentunit": (Unit(0.01, "%"),),
    "s": (Unit(1e-6, " µs"), Unit(1e-3, " ms"), Unit(1, " s")),
    "bytes": (Unit(1, " B"), Unit(2**10, " KiB"), Unit(2**20, " MiB"), Unit(2**30, " GiB")),
}


def unit(name: str, value: float) -> Unit:
    """The unit that suits a value, by the name that Grafana has for its kind."""
    if name not in _UNITS:
        raise BenchmarkError(f"The unit {name} cannot be drawn; known are {', '.join(_UNITS)}.")
    first, *larger = _UNITS[name]
    return next((one for one in reversed(larger) if abs(value) >= one.size), first)
