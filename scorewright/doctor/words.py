"""Amounts as people read them."""

from __future__ import annotations


def megabytes(count: float) -> str:
    return f"{count / 1e6:,.0f} MB"


def seconds(count: float) -> str:
    if 0 < count < 1:
        return f"{count * 1000:.3g} ms"
    return f"{count:.3g} s" if count < 100 else f"{count:,.0f} s"
