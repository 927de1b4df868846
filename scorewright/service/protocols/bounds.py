"""How deep and how long a request to a bundle may be: told from its text before anything parses it. Pure.

The depth of nearly every request is settled by counting its brackets, which costs well under a microsecond.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from scorewright.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorewright.bundle import Signature

_TO_LISTS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


@dataclass(frozen=True)
class Bounds:
    """`depth` is how many lists and objects may be in each other, `rows` how many rows there may be (None: any)."""

    depth: int
    rows: int | None = None

    def check(self, text: str, signature: Callable[[], Signature]) -> None:
        """Raises RequestError 400 if a request is nested too deep, 413 if it has too many rows.

        What is not JSON may pass. `signature` is asked for only where rows have to be counted.
        """
        if text.count("[") + text.count("{") > self.depth:
            self.check_depth(text.encode())
        if self.rows is not None and text.count(",") >= self.rows:
            self.check_rows(_rows(text, signature()))

    def check_depth(self, data: bytes) -> None:
        """Raises RequestError 400 if JSON is nested too deep. What is not JSON passes: who parses it says so."""
        if data.count(b"[") + data.count(b"{") <= self.depth:
            return
        if _settled(_brackets(data), self.depth) or _settled(_brackets(_STRING.sub(b"", data)), self.depth):
            return
        if _is_json(data):
            raise RequestError(400, f"The request is nested too deep: more than {self.depth} lists and objects.")

    def check_rows(self, count: int) -> None:
        """Raises RequestError 413 if these are too many rows."""
        if self.rows is not None and count > self.rows:
            raise RequestError(413, f"The request has {count} rows, more than {self.rows}, the service's limit.")


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def _brackets(data: bytes) -> bytes:
    """The brackets alone, and all of them square."""
    return data.translate(_TO_LISTS, _NO_BRACKETS)


def _settled(brackets: bytes, depth: int) -> bool | None:
    """Whether brackets are nested at most so deep; None if they do not match: some are in strings, or it is no JSON."""
    if b"[" * (depth + 1) in brackets:
        return False
    for _ in range(depth):
        shorter = brackets.replace(b"[]", b"")
        if len(shorter) == len(brackets):
            return None if shorter else True
        brackets = shorter
    return not brackets


def _rows(text: str, signature: Signature) -> int:
    """The rows of a request to /score; 0 if it is none, which the script says better."""
    try:
        request = json.loads(text)
        given: Any = request["data"] if "data" in request else request["input_data"]["data"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return 0
    if isinstance(given, dict):
        given = next(iter(given.values()), None)
    if not isinstance(given, list):
        return 0
    if given and isinstance(given[0], list | dict):
        return len(given)
    return len(given) // max(1, sum(prod(size or 1 for size in tensor.shape[1:]) for tensor in signature.inputs))
