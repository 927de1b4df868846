"""The log's line format."""

from __future__ import annotations

import logging
import re

from scorewright.service import log


def test_a_line_has_time_level_process_and_the_request_id_where_there_is_one() -> None:
    record = logging.LogRecord("n", logging.WARNING, __file__, 1, "a %s", ("message",), None)
    formatter = log.LineFormatter()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING \[\d+\] a message", formatter.format(record))
    record.__dict__.update(log.of("the-id"))
    assert formatter.format(record).endswith("] the-id a message")


def test_a_traceback_follows_its_line() -> None:
    try:
        raise ValueError("why")
    except ValueError as error:
        record = logging.LogRecord(
            "n", logging.ERROR, __file__, 1, "failed.", (), (ValueError, error, error.__traceback__)
        )
    first, *rest = log.LineFormatter().format(record).splitlines()
    assert first.endswith("failed.")
    assert rest[-1] == "ValueError: why"
