"""The log: one line format for the front and the scorers, on stderr."""

from __future__ import annotations

import logging
import logging.config
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "scorewright.service"


class LineFormatter(logging.Formatter):
    """`2026-11-05T12:00:00.123Z INFO [pid] request-id message`; the request id where there is one."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        request_id = getattr(record, "request_id", "")
        place = f"{moment}.{int(record.msecs):03d}Z {record.levelname} [{record.process}]"
        return f"{place} {request_id} {record.message}" if request_id else f"{place} {record.message}"


def set_up(level: str) -> logging.Logger:
    """Send this service's log, and in the front uvicorn's warnings, to stderr; the service's logger.

    The root logger is left to the entry script, as azmlinfsrv leaves it.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    for name, least in ((NAME, level), ("uvicorn", max(logging.getLevelName(level), logging.WARNING))):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(least)
        logger.propagate = False
    return logging.getLogger(NAME)


def of(request_id: str) -> Mapping[str, str]:
    """What a log call takes as `extra` so that its line carries the request id."""
    return {"request_id": request_id}
