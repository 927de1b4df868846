"""What `azureml.ai.monitoring` gives a script: a Collector for its inputs and outputs.

Contract: azureml-ai-monitoring 1.0.0, collector.py and context.py. Beyond it: without a context of the script's own,
what is collected in one request belongs together; where nothing is collected, a Collector can be made all the same.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Collect = Callable[[str, Any, "CorrelationContext | None"], "CorrelationContext"]
    """Takes the name of a collection, a DataFrame and a context; the context that it was collected under."""


class CorrelationContext:
    """What tells that inputs and outputs belong together."""

    @staticmethod
    def get_id() -> str:
        """The id that they share."""
        return ""

    def get_timestamp(self) -> int:
        """When they were collected, in seconds since the epoch."""
        return int(time.time())

    def get_headers(self) -> dict[str, str]:
        """Further attributes of the record."""
        return {}

    def __str__(self) -> str:
        return self.get_id()


class BasicCorrelationContext(CorrelationContext):
    """A context of an id that is given, or made."""

    def __init__(
        self,
        id: str | None = None,
        timestamp: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.id = id or str(uuid.uuid4())
        self.timestamp = timestamp or int(time.time())
        self.headers = headers or {}

    def get_id(self) -> str:  # type: ignore[override]
        """CorrelationContext."""
        return self.id

    def get_timestamp(self) -> int:
        """CorrelationContext."""
        return self.timestamp

    def get_headers(self) -> dict[str, str]:
        """CorrelationContext."""
        return self.headers


def collector_class(sink: Collect | None) -> type:
    """The class that a script imports as Collector. Without a sink, what it collects is dropped."""

    class Collector:
        """Collects DataFrames under a name."""

        def __init__(self, *, name: str, on_error: Callable[[Exception], Any] | None = None) -> None:
            self.name = name
            self.on_error = on_error
            if not name:
                self._fail(ValueError("collection name is not provided"))

        def collect(self, data: Any, correlation_context: CorrelationContext | None = None) -> CorrelationContext:
            """Collect a DataFrame; the context to give to what belongs to it."""
            if not hasattr(data, "to_json") or not hasattr(data, "columns"):
                kind = type(data).__name__
                self._fail(TypeError(f"data type ({kind}) not supported, supported types: pandas.DataFrame"))
            elif sink is not None and self.name:
                return sink(self.name, data, correlation_context)
            return correlation_context or BasicCorrelationContext()

        def _fail(self, error: Exception) -> None:
            if self.on_error is None:
                raise error
            self.on_error(error)

    Collector.__module__ = "azureml.ai.monitoring.collector"
    return Collector
