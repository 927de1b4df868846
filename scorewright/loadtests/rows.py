"""Rows to score: those of a bundle's sample or of a request file, and more like them."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scorewright.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.bundle import Bundle

SEED = 20261121
_MOST_WORDS = 8


@dataclass(frozen=True)
class Rows:
    """A request taken apart: what is around its rows, and the rows."""

    around: dict[str, Any]
    """The request without its rows."""
    place: tuple[str, ...]
    """The keys that lead to the rows: ("data",) or ("input_data", "data")."""
    rows: tuple[Any, ...]
    texts: bool = False
    """Whether each row is one text, whose words may be mixed."""

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> Rows:
        """The rows of a bundle's sample. Raises BundleError if it has none."""
        signature = bundle.manifest.signature
        data = dict(bundle.json("sample_request.json"))["data"]  # type: ignore[call-overload]
        if signature.layout == "tensors" and isinstance(data, dict):
            data = [dict(zip(data, values, strict=True)) for values in zip(*data.values(), strict=True)]
        return cls({}, ("data",), tuple(data), texts=signature.layout == "text")

    @classmethod
    def of_request(cls, request: Any) -> Rows | None:
        """The rows of a request {"data": rows} or {"input_data": {..., "data": rows}}; None if it has another form."""
        if not isinstance(request, dict):
            return None
        nested = isinstance(request.get("input_data"), dict)
        holder: dict[str, Any] = request["input_data"] if nested else request
        data = holder.get("data")
        if not isinstance(data, list) or not data:
            return None
        if all(isinstance(value, int | float) for value in data):
            data = [data]
        # An index names as many rows as the request had.
        around = {key: value for key, value in holder.items() if key not in ("data", "index")}
        if not nested:
            return cls(around, ("data",), tuple(data), texts=all(isinstance(row, str) for row in data))
        return cls({**request, "input_data": around}, ("input_data", "data"), tuple(data))

    def request(self, rows: list[Any]) -> str:
        """A request for these rows, as JSON."""
        whole = dict(self.around)
        if self.place[0] == "input_data":
            whole["input_data"] = {**whole["input_data"], "data": rows}
        else:
            whole["data"] = rows
        return json.dumps(whole)

    def varied(self, count: int) -> list[Any]:
        """At most so many different rows: the sample's first, then others that are put together from them.

        Fractions are moved by up to a quarter; whole numbers and texts may be indices or categories, and are only
        put into new company. Not every model takes every such row.
        """
        chance = random.Random(SEED)  # noqa: S311  # no secret: the same rows each time
        found: dict[str, Any] = {}
        for row in self.rows[: max(1, count // 2)]:
            found.setdefault(json.dumps(row), row)
        for number in range(8 * count):
            if len(found) >= count:
                break
            row = self._mixed(self.rows[number % len(self.rows)], chance)
            found.setdefault(json.dumps(row), row)
        return list(found.values())

    def _mixed(self, row: Any, chance: random.Random) -> Any:
        if self.texts:
            words = sorted({word for text in self.rows for word in str(text).split()}) or [""]
            return " ".join(chance.choice(words) for _ in range(chance.randint(1, _MOST_WORDS)))
        if isinstance(row, dict):
            return {key: _moved(chance.choice(self.rows).get(key, value), chance) for key, value in row.items()}
        if isinstance(row, list) and not any(isinstance(value, list) for value in row):
            return [_moved(chance.choice(self.rows)[at], chance) for at in range(len(row))]
        return _moved(row, chance)


def read_requests(path: Path) -> list[str]:
    """The requests of a file: one, or one a line. Raises UsageError if it has none, or something else than JSON."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The request {path} cannot be read: {getattr(error, 'strerror', error)}.") from None
    try:
        json.loads(text)
    except ValueError:
        lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        for number, line in lines:
            try:
                json.loads(line)
            except ValueError as error:
                raise UsageError(
                    f"{path} is neither one request as JSON nor one a line: line {number}: {error}."
                ) from None
        if not lines:
            raise UsageError(f"{path} is empty: it has no request.") from None
        return [line for _, line in lines]
    return [text]


def _moved(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        return {key: _moved(item, chance) for key, item in value.items()}
    if isinstance(value, list):
        return [_moved(item, chance) for item in value]
    return float(f"{value * chance.uniform(0.8, 1.25):.7g}") if isinstance(value, float) else value
