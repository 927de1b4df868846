"""What can go wrong with a benchmark."""

from __future__ import annotations


class BenchmarkError(Exception):
    """The benchmark cannot be run at all."""


class ContenderError(Exception):
    """One server cannot take part, or answers wrongly; the others go on. Its text is the reason, for the report."""
