"""The log: one line format for the front and the scorers, on stdout as that of Azure's server."""

from __future__ import annotations

import fcntl
import json
import logging
import logging.config
import sys
import time
from typing import TYPE_CHECKING, TextIO

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


class Current:
    """The id of the request that is being scored, for the lines that are logged meanwhile, by whatever thread."""

    request_id = ""


class LineFormatter(logging.Formatter):
    """`2026-11-05T12:00:00.123Z INFO [pid] request-id message`; the request id where there is one."""

    def __init__(self, current: Current) -> None:
        super().__init__()
        self._current = current

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        request_id = printable(getattr(record, "request_id", "") or self._current.request_id)
        place = f"{moment}.{int(record.msecs):03d}Z {record.levelname} [{record.process}]"
        return f"{place} {request_id} {record.message}" if request_id else f"{place} {record.message}"


def printable(text: str) -> str:
    """What a client sent, with all that could move a cursor or begin a line written out."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def own_stdout() -> TextIO | None:
    """Another way to where stdout leads now, by lines: a script may close stdout, and the log goes on."""
    if sys.stdout is None:
        return None
    descriptor = fcntl.fcntl(sys.stdout.fileno(), fcntl.F_DUPFD_CLOEXEC, 3)
    return open(descriptor, "w", buffering=1, encoding=sys.stdout.encoding, errors="backslashreplace")  # noqa: PTH123 - a descriptor


def set_up(level: str, current: Current, stream: TextIO | None = None) -> logging.Logger:
    """Send this service's log, and in the front uvicorn's warnings, to stdout or a stream; the service's logger."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(LineFormatter(current))
    for name, least in ((NAME, level), ("uvicorn", max(logging.getLevelName(level), logging.WARNING))):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(least)
        logger.propagate = False
    return logging.getLogger(NAME)


def replace(folders: Iterable[Path]) -> None:
    """Let the first logging.json in these folders replace the set-up, as Azure's server does.

    Contract: azureml-inference-server-http 1.5.1, log_config.py: the file is a dictConfig; it may name the
    package's own formatter and filter. Raises UsageError naming the file if it cannot be used.
    """
    path = next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)
    if path is None:
        return
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


def of(request_id: str) -> Mapping[str, str]:
    """What a log call takes as `extra` so that its line carries the request id."""
    return {"request_id": request_id}
