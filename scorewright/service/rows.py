"""How many rows a request has, as far as can be told without parsing it. Pure.

A batch is bounded by rows, and the front does not parse: it counts the separators that a row of the signature must
have. A text with commas in it makes the count too large, never too small; the batch is then a little smaller.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorewright.bundle import Signature
    from scorewright.service.frames import Outgoing

    RowCount = Callable[[Outgoing], int]

UNKNOWN = 2**31
"""What is compressed has any number of rows."""

VALUE_BYTES = 4
"""The least that a value of a binary tensor takes, but for bool and the smallest integers."""


def one(request: Outgoing) -> int:
    """The count for an entry script, of which it is not known what a row is."""
    del request
    return 1


def counter(signature: Signature) -> RowCount:
    """A function from a request to the rows it has, at least 1."""
    separator, per_row = _separators(signature)
    # Between n values there is one comma less.
    more = 1 if separator == b"," else 0

    values = max(1, sum(prod(size or 1 for size in tensor.shape[1:]) for tensor in signature.inputs))

    def count(request: Outgoing) -> int:
        if b'"content-encoding"' in request.head:
            return UNKNOWN
        if b'"inference-header-content-length"' in request.head:
            return max(1, len(request.body) // (VALUE_BYTES * values))
        return max(1, (request.body.count(separator) + more) // per_row)

    return count


def _separators(signature: Signature) -> tuple[bytes, int]:
    """What to count, and how many of it a row has."""
    if signature.layout == "text":
        # Each text has two; so have the keys of the request.
        return b'"', 2
    if signature.layout == "columns":
        return b",", len(signature.inputs)
    shapes = [tensor.shape[1:] for tensor in signature.inputs]
    known = [tuple(size for size in shape if size is not None) for shape in shapes]
    if known == shapes:
        return b",", sum(map(prod, known))
    # Rows of any length: the lists they are made of are counted.
    return b"[", sum(_lists(shape) for shape in shapes) or 1


def _lists(shape: tuple[int | None, ...]) -> int:
    """How many lists a row of this shape is made of, with one item where any number may be."""
    sizes = [size or 1 for size in shape[:-1]]
    return sum(prod(sizes[:depth]) for depth in range(len(shape)))
