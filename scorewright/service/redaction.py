"""Redaction: what of a request or an answer is not to be kept. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

REDACTED = "[redacted]"


class Redaction:
    """Replaces the values of these names, at whatever depth: keys, columns, tensors, and features by position.

    A name with dots is also a path from the top: `input_data.person.*.phone`; `*` is any one key, and lists count
    for nothing. `features` are the names of a row's values where a row is a bare list; of a request only.
    """

    def __init__(self, names: Iterable[str], features: Sequence[str] = ()) -> None:
        self._names = frozenset(names)
        self._paths = [tuple(name.split(".")) for name in self._names if "." in name]
        self._width = len(features)
        self._places = frozenset(place for place, name in enumerate(features) if name in self._names)

    def __bool__(self) -> bool:
        return bool(self._names)

    def of_request(self, content: object) -> object:
        """A request without what is redacted."""
        return self._walk(content, (), self._by_place)

    def of_answer(self, content: object) -> object:
        """An answer without what is redacted."""
        return self._walk(content, (), lambda _: None)

    def _walk(self, value: object, path: tuple[str, ...], bare: Callable[[list[Any]], list[Any] | None]) -> object:
        if isinstance(value, dict):
            return self._object(value, path, bare)
        if isinstance(value, list):
            row = bare(value)
            return [self._walk(item, path, bare) for item in value] if row is None else row
        return value

    def _object(
        self, value: dict[str, Any], path: tuple[str, ...], bare: Callable[[list[Any]], list[Any] | None]
    ) -> dict[str, Any]:
        told = {
            key: REDACTED if self._meant(key, (*path, key)) else self._walk(item, (*path, key), bare)
            for key, item in value.items()
        }
        columns, data = value.get("columns"), value.get("data")
        if isinstance(columns, list) and isinstance(data, list):
            # A table whose rows are bare lists: {"columns": [...], "data": [[...]]}.
            places = {place for place, name in enumerate(columns) if name in self._names}
            told["data"] = [_without(row, places) if isinstance(row, list) else row for row in data]
        elif isinstance(data, list) and isinstance(value.get("shape"), list):
            # A tensor of the Open Inference Protocol; its values may be one flat list, and its name is none of them.
            told["name"] = value.get("name")
            if value.get("name") in self._names:
                told["data"] = REDACTED
            elif self._places and value["shape"][-1:] == [self._width] and not any(isinstance(x, list) for x in data):
                told["data"] = [REDACTED if at % self._width in self._places else x for at, x in enumerate(data)]
        return told

    def _by_place(self, row: list[Any]) -> list[Any] | None:
        if not self._places or len(row) != self._width or any(isinstance(item, list | dict) for item in row):
            return None
        return _without(row, self._places)

    def _meant(self, key: str, path: tuple[str, ...]) -> bool:
        return key in self._names or any(
            len(path) == len(wanted) and all(step in {"*", at} for step, at in zip(wanted, path, strict=True))
            for wanted in self._paths
        )


def _without(row: list[Any], places: Iterable[int]) -> list[Any]:
    return [REDACTED if at in places else item for at, item in enumerate(row)]
