"""Collection of inputs and outputs, as Azure's model data collector has it: a thread writes what requests leave behind.

A request only puts its bytes into a bounded queue; what has no room is dropped and counted. JSON is read, redacted
and written by the thread.
"""

from __future__ import annotations

import base64
import json
import queue
import re
import threading
import time
import uuid
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import orjson

from scorewright import __version__
from scorewright.contract.monitoring import BasicCorrelationContext
from scorewright.service import log
from scorewright.service.collected_files import PARTS, CollectedFiles
from scorewright.service.redaction import REDACTED, Redaction

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from pathlib import Path

    from scorewright.contract.monitoring import CorrelationContext
    from scorewright.service.settings import Settings
    from scorewright.service.target import Target

REQUEST, RESPONSE = "request", "response"
"""The collections of what came and what was answered: Azure's names for them."""

LARGEST_BYTES = 1024 * 1024
"""Of a body that is collected: reading a larger one would hold up what else the process does."""

QUEUED_RECORDS = 1000
QUEUED_BYTES = 32 * 1024 * 1024
"""What may wait to be written."""

AT_ONCE = 500
"""Records that are written at once."""

LAST_SECONDS = 3.0
"""How long the end of a process may wait for what is not written yet."""

REPEAT_SECONDS = 60.0
"""How often it is said that something was dropped, or removed."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_JSON = "application/json"


@dataclass(frozen=True)
class Collecting:
    """What is collected, as a process is told. `sampling` is a share, `source` and `version` say what is served."""

    folder: str
    sampling: float
    redact: tuple[str, ...]
    max_bytes: int
    source: str
    version: str
    features: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings, target: Target) -> Self | None:
        """What the settings ask for."""
        if settings.collect_dir is None:
            return None
        signature = None if target.bundle is None else target.bundle.manifest.signature
        columns = () if signature is None else tuple(spec.name for spec in signature.inputs)
        return cls(
            folder=str(settings.collect_dir.resolve()),
            sampling=settings.collect_sampling,
            redact=tuple(name.strip() for name in settings.collect_redact.split(",") if name.strip()),
            max_bytes=settings.collect_max_bytes,
            source=f"/scorewright/{target.name}",
            version=target.version,
            features=columns if signature is None or signature.features is None else signature.features,
        )


class Record(NamedTuple):
    """What is to be kept. `content` reads and redacts it: what it holds, bytes or JSON, and of what content type."""

    collection: str
    content: Callable[[], tuple[object, str]]
    size: int
    attributes: dict[str, str]
    moment: float

    def line(self) -> bytes:
        """The CloudEvent. Raises ValueError, TypeError or RecursionError for what JSON cannot carry."""
        content, kind = self.content()
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "type": f"azureml.inference.{self.collection}",
            "datacontenttype": kind,
            "time": log.utc(self.moment),
        }
        if isinstance(content, bytes):
            event["data_base64"] = base64.b64encode(content).decode()
        else:
            event["data"] = content
        return orjson.dumps(event | self.attributes, option=orjson.OPT_APPEND_NEWLINE)


class CollectedData:
    """Writes what one process collects; whatever it serves, one after another, shares it."""

    def __init__(self, folder: Path, max_bytes: int, logger: logging.Logger) -> None:
        self._max_bytes = max_bytes
        self._log = logger
        self._files = CollectedFiles(folder, max_bytes)
        self._limit = min(LARGEST_BYTES, max_bytes // PARTS // 2)
        self._queue: queue.SimpleQueue[Record | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._bytes = 0
        self._dropped = self._removed = 0
        self._said = -REPEAT_SECONDS
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be written."""
        return self._bytes == 0

    def put(self, record: Record) -> None:
        """Have it written, or drop it if there is no room. Returns at once."""
        with self._lock:
            room = self._bytes + record.size <= QUEUED_BYTES and self._queue.qsize() < QUEUED_RECORDS
            taken = room and record.size <= self._limit
            if taken:
                self._bytes += record.size
            else:
                self._dropped += 1
        if taken:
            self._queue.put(record)

    def close(self) -> None:
        """Write what is left, if that does not take too long."""
        self._queue.put(None)
        self._thread.join(LAST_SECONDS)

    def _work(self) -> None:
        more = True
        while more:
            records, more = self._waiting()
            lines: dict[str, list[bytes]] = {}
            for record in records:
                try:
                    lines.setdefault(record.collection, []).append(record.line())
                except (ValueError, TypeError, RecursionError) as error:
                    self._drop(1, error)
            for collection, own in lines.items():
                try:
                    self._removed += self._files.append(collection, b"".join(own), records[-1].moment)
                except (OSError, ValueError) as error:
                    self._drop(len(own), error)
            self._say()
        self._say(last=True)

    def _waiting(self) -> tuple[list[Record], bool]:
        """What waits, up to what is written at once; whether there will be more."""
        records: list[Record] = []
        size = 0
        while size < self._limit and len(records) < AT_ONCE and (not records or not self._queue.empty()):
            record = self._queue.get()
            if record is None:
                return records, False
            records.append(record)
            size += record.size
        with self._lock:
            self._bytes -= size
        return records, True

    def _drop(self, count: int, error: Exception) -> None:
        with self._lock:
            self._dropped += count
        self._say(f" The last one: {error}.")

    def _say(self, why: str = "", *, last: bool = False) -> None:
        now = time.monotonic()
        if not (self._dropped or self._removed) or (now - self._said < REPEAT_SECONDS and not last):
            return
        self._said = now
        with self._lock:
            dropped, self._dropped = self._dropped, 0
        removed, self._removed = self._removed, 0
        if dropped:
            self._log.warning("%d records of collected data were dropped.%s", dropped, why)
        if removed:
            self._log.warning(
                "Collected data has reached its %d bytes: %d of the oldest files were removed.",
                self._max_bytes,
                removed,
            )


class DataCollector:
    """Collects what is asked of one target, and answered by it."""

    def __init__(self, collecting: Collecting, data: CollectedData) -> None:
        self._told = collecting
        self._data = data
        self._redaction = Redaction(collecting.redact, collecting.features)
        self._threshold = int(collecting.sampling * 2**32)

    def sampled(self, correlation_id: bytes) -> bool:
        """Whether what has this id is collected: all of it, or nothing."""
        return zlib.crc32(correlation_id) < self._threshold

    def exchange(self, request_id: bytes, body: bytes, answer: bytes | None, content_type: bytes) -> None:
        """A request was answered; None if its answer was made piece by piece. Returns at once."""
        if not self.sampled(request_id):
            return
        shared = {"correlationid": request_id.decode("latin-1"), "xrequestid": request_id.decode("latin-1")}
        redaction = self._redaction
        self._put(REQUEST, lambda: _payload(body, _JSON, redaction, redaction.of_request), len(body), shared)
        if answer is not None:
            told = content_type.decode("latin-1")
            self._put(RESPONSE, lambda: _payload(answer, told, redaction, redaction.of_answer), len(answer), shared)

    def frame(self, name: str, data: Any, context: CorrelationContext | None, request_id: str) -> CorrelationContext:
        """A script collects a DataFrame while it scores this request, if any; the context it is kept under.

        Raises ValueError for a name that no folder may have.
        """
        context = context or BasicCorrelationContext(request_id or None)
        correlation = context.get_id()
        if self.sampled(correlation.encode()):
            if _NAME.fullmatch(name) is None:
                raise ValueError(f"{name!r} cannot be the name of a collection: letters, digits, _, - and . can.")
            copy = data.copy()
            shared = {
                **{str(key).lower(): str(value) for key, value in context.get_headers().items()},
                "correlationid": correlation,
                "xrequestid": request_id or correlation,
                "collectdatatype": f"{type(data).__module__}.{type(data).__qualname__}",
            }
            size = int(data.memory_usage(index=False).sum())
            self._put(name, lambda: (self._rows(copy), _JSON), size, shared)
        return context

    def _rows(self, frame: Any) -> object:
        return self._redaction.of_answer(json.loads(frame.to_json(orient="records")))

    def _put(
        self, collection: str, content: Callable[[], tuple[object, str]], size: int, attributes: dict[str, str]
    ) -> None:
        shared = {
            "source": self._told.source,
            "modelversion": self._told.version,
            "agent": f"scorewright/{__version__}",
            **attributes,
        }
        self._data.put(Record(collection, content, size, shared, time.time()))


def _payload(
    body: bytes, content_type: str, redaction: Redaction, redacted: Callable[[object], object]
) -> tuple[object, str]:
    """A body as it is kept: JSON as what it holds, text as text, anything else as bytes.

    Where something is to be redacted, what is no JSON is redacted as a whole.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        if redaction:
            return REDACTED, content_type
        try:
            return body.decode(), content_type
        except UnicodeDecodeError:
            return body, content_type
    return (redacted(content) if redaction else content), _JSON
