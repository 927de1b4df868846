"""The log: one format for the front and the scorers, on stdout as that of Azure's server: lines of text, or of JSON."""

from __future__ import annotations

import fcntl
import json
import logging
import logging.config
import sys
import time
from typing import TYPE_CHECKING, Literal, TextIO

from scorewright.contract import shim
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

NAME = "azmlinfsrv"
"""The logger of the service: named as that of Azure's server, so that a logging.json written for it applies."""

PRINTED = f"{NAME}.print"
"""The logger of what a script prints, under the name that such a file knows."""

FILE = "logging.json"

_TRACE_ID = slice(3, 35)
"""Where the 32 digits of the trace are in a traceparent: version, trace, span, flags."""

Form = Literal["text", "json"]
"""What a line of the log is."""


class Current:
    """The ids of the request that is being scored, for the lines that are logged meanwhile, by whatever thread.

    `traceparent` is that of its trace, if it has one.
    """

    request_id = ""
    traceparent = ""


class LineFormatter(logging.Formatter):
    """`2026-11-05T12:00:00.123Z INFO [pid] request-id trace=trace-id message`; the ids where there are any."""

    def __init__(self, current: Current) -> None:
        super().__init__()
        self._current = current

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        request_id, trace_id = _ids(record, self._current)
        words = [moment(record), record.levelname, f"[{record.process}]"]
        words += [printable(request_id)] if request_id else []
        words += [f"trace={trace_id}"] if trace_id else []
        return " ".join([*words, record.message])


class JsonFormatter(logging.Formatter):
    """A JSON object a line, all in ASCII: whatever is logged, a line begins and ends with the object.

    Keys: time, level, process, logger, request_id and trace_id where there are any, message, exception (the
    traceback), stack; and those that a log call gives as `extra={"fields": {...}}`.
    """

    def __init__(self, current: Current) -> None:
        super().__init__()
        self._current = current

    def format(self, record: logging.LogRecord) -> str:
        """logging.Formatter."""
        request_id, trace_id = _ids(record, self._current)
        line: dict[str, object] = {
            "time": moment(record),
            "level": record.levelname,
            "process": getattr(record, "of_process", record.process),
            "logger": record.name,
        }
        if request_id:
            line["request_id"] = request_id
        if trace_id:
            line["trace_id"] = trace_id
        line["message"] = record.getMessage()
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return json.dumps(line)


def moment(record: logging.LogRecord) -> str:
    """When it was logged, in UTC: `2026-11-05T12:00:00.123Z`."""
    return utc(record.created)


def utc(moment: float) -> str:
    """A time since the epoch: `2026-11-05T12:00:00.123Z`."""
    whole = int(moment)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{int((moment - whole) * 1000):03d}Z"


def _ids(record: logging.LogRecord, current: Current) -> tuple[str, str]:
    request_id = getattr(record, "request_id", "")
    if request_id:
        return request_id, getattr(record, "trace_id", "")
    return current.request_id, current.traceparent[_TRACE_ID]


def formatter(form: Form, current: Current) -> logging.Formatter:
    """The formatter of this form."""
    return JsonFormatter(current) if form == "json" else LineFormatter(current)


def printable(text: str) -> str:
    """What a client sent, with all that could move a cursor or begin a line written out."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def own_stdout() -> TextIO | None:
    """Another way to where stdout leads now, by lines: a script may close stdout, and the log goes on."""
    if sys.stdout is None:
        return None
    descriptor = fcntl.fcntl(sys.stdout.fileno(), fcntl.F_DUPFD_CLOEXEC, 3)
    return open(descriptor, "w", buffering=1, encoding=sys.stdout.encoding, errors="backslashreplace")  # noqa: PTH123 - a descriptor


def set_up(level: str, current: Current, form: Form = "text", stream: TextIO | None = None) -> logging.Logger:
    """Send this service's log, and in the front uvicorn's warnings, to a stream, else stdout; the service's logger."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(formatter(form, current))
    for name, least in ((NAME, level), ("uvicorn", max(logging.getLevelName(level), logging.WARNING))):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(least)
        logger.propagate = False
    return logging.getLogger(NAME)


def replace(folders: Iterable[Path]) -> bool:
    """Let the first logging.json in these folders replace the set-up, as Azure's server does; whether there is one.

    Contract: azureml-inference-server-http 1.5.1, log_config.py: the file is a dictConfig; it may name the
    package's own formatter and filter. Raises UsageError naming the file if it cannot be used.
    """
    path = next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)
    if path is None:
        return False
    shim.provide()
    try:
        config = json.loads(path.read_text("utf-8"))
        logging.config.dictConfig(config)
    except (ValueError, TypeError, AttributeError, ImportError, KeyError, OSError) as error:
        cause = f": {error.__cause__}" if error.__cause__ is not None else ""
        raise UsageError(
            f"{path} cannot be used as logging configuration: {error}{cause}.",
            hint="It is given to Python's logging.config.dictConfig; mend or remove it.",
        ) from error
    logger = logging.getLogger(NAME)
    if NAME not in config.get("loggers", {}):
        # Not named is not switched off: tracebacks of run() must end somewhere.
        logger.disabled = False
        if "root" in config:
            logger.handlers, logger.propagate = [], True
    logging.getLogger(PRINTED).disabled = False
    logger.info("Logging is set up by %s.", path)
    return True


def of(request_id: str, trace_id: str = "", **fields: object) -> Mapping[str, object]:
    """What a log call takes as `extra` so that its line carries the ids, and as JSON these fields, too."""
    return {"request_id": request_id, "trace_id": trace_id, "fields": fields}
