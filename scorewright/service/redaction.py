"""Redaction: what of a request or an answer is not to be kept. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

REDACTED = "[redacted]"

_SHAPES = frozenset(("columns", "index", "shape"))


class Redaction:
    """Replaces the values of these names, at whatever depth: keys, columns, tensors, and features by position.

    A name with dots is also a path from the top: `input_data.person.*.phone`; `*` is any one key, and lists count
    for nothing. `features` are the names of a row's values where a row is a bare list; of a request only. What looks
    like such a row and is not as wide is replaced whole.
    """

    def __init__(self, names: Iterable[str], features: Sequence[str] = ()) -> None:
        self._names = frozenset(names)
        self._paths = [tuple(name.split(".")) for name in self._names if "." in name]
        self._features = frozenset(features)
        self._width = len(features)
        self._places = frozenset(place for place, name in enumerate(features) if name in self._names)

    def __bool__(self) -> bool:
        return bool(self._names)

    def of_request(self, content: object) -> object:
        """A request without what is redacted."""
        return self._walk(content, (), bare=True)

    def of_answer(self, content: object) -> object:
        """An answer without what is redacted."""
        return self._walk(content, (), bare=False)

    def _walk(self, value: object, path: tuple[str, ...], *, bare: bool) -> object:
        """`bare` says that a list may be a row of the features' values."""
        if isinstance(value, dict):
            return self._object(value, path, bare=bare)
        if isinstance(value, list):
            if bare and self._places and any(not isinstance(item, list | dict) for item in value):
                return self._row(value, self._width, self._places)
            return [self._walk(item, path, bare=bare) for item in value]
        return value

    def _object(self, value: dict[str, Any], path: tuple[str, ...], *, bare: bool) -> dict[str, Any]:
        told = {
            key: REDACTED if self._meant(key, (*path, key)) else self._walk(item, (*path, key), bare=bare)
            for key, item in value.items()
        }
        data = value.get("data")
        if not isinstance(data, list) or self._meant("data", (*path, "data")):
            return told
        for key in _SHAPES & value.keys():
            # It says how the values lie, and is none itself.
            if not self._meant(key, (*path, key)):
                told[key] = value[key]
        columns, shape = value.get("columns"), value.get("shape")
        if isinstance(columns, list):
            # A table whose rows are bare lists: {"columns": [...], "data": [[...]]}.
            places = {place for place, name in enumerate(columns) if name in self._names}
            told["data"] = [self._row(row, len(columns), places) for row in data]
        elif isinstance(shape, list):
            # A tensor of the Open Inference Protocol; its values may be one flat list, and its name is none of them.
            told["name"] = value.get("name")
            told["data"] = self._tensor(value.get("name"), shape, data, path, bare=bare)
        return told

    def _tensor(self, name: object, shape: list[Any], data: list[Any], path: tuple[str, ...], *, bare: bool) -> object:
        if name in self._names:
            return REDACTED
        whole_rows = bare and bool(self._places) and name not in self._features
        if not whole_rows or any(isinstance(item, list | dict) for item in data):
            return self._walk(data, path, bare=whole_rows)
        if shape[-1:] != [self._width]:
            return REDACTED
        return [REDACTED if at % self._width in self._places else item for at, item in enumerate(data)]

    def _row(self, row: object, width: int, places: Iterable[int]) -> object:
        """A row without what is in these places. Of one that is not as wide or not flat, nobody knows where what is."""
        if not isinstance(row, list) or len(row) != width or any(isinstance(item, list | dict) for item in row):
            return REDACTED
        return [REDACTED if at in places else item for at, item in enumerate(row)]

    def _meant(self, key: str, path: tuple[str, ...]) -> bool:
        return key in self._names or any(
            len(path) == len(wanted) and all(step in {"*", at} for step, at in zip(wanted, path, strict=True))
            for wanted in self._paths
        )
