"""The log: one line format for the front and the scorers, on stderr."""

from __future__ import annotations

import json
import logging
import logging.config
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

from scorewright.contract import shim
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

NAME = "azmlinfsrv"
"""The logger of the service: named as that of Azure's server, so that a logging.json written for it applies."""

FILE = "logging.json"

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being scored, for the lines that a script logs meanwhile."""


class LineFormatter(logging.Formatter):
    """`2026-11-05T12:00:00.123Z INFO [pid] request-id message`; the request id where there is one."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        request_id = getattr(record, "request_id", "") or REQUEST_ID.get()
        place = f"{moment}.{int(record.msecs):03d}Z {record.levelname} [{record.process}]"
        return f"{place} {request_id} {record.message}" if request_id else f"{place} {record.message}"


def set_up(level: str) -> logging.Logger:
    """Send this service's log, and in the front uvicorn's warnings, to stderr; the service's logger."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
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
        logging.config.dictConfig(json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError, AttributeError, ImportError, KeyError, OSError) as error:
        cause = f": {error.__cause__}" if error.__cause__ is not None else ""
        raise UsageError(
            f"{path} cannot be used as logging configuration: {error}{cause}.",
            hint="It is given to Python's logging.config.dictConfig; mend or remove it.",
        ) from error
    logging.getLogger(NAME).info("Logging is set up by %s.", path)


def of(request_id: str) -> Mapping[str, str]:
    """What a log call takes as `extra` so that its line carries the request id."""
    return {"request_id": request_id}
