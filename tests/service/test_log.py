"""The log's line format."""

from __future__ import annotations

import logging
import re

from scorewright.service import log


def test_a_line_has_time_level_process_and_the_request_id_where_there_is_one() -> None:
    record = logging.LogRecord("n", logging.WARNING, __file__, 1, "a %s", ("message",), None)
    formatter = log.LineFormatter(log.Current())
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
    first, *rest = log.LineFormatter(log.Current()).format(record).splitlines()
    assert first.endswith("failed.")
    assert rest[-1] == "ValueError: why"


def test_what_a_client_sends_cannot_begin_a_line_or_move_the_cursor() -> None:
    assert log.printable("plain-é.1") == "plain-é.1"
    assert log.printable("a\nERROR forged \x1b[31m \x9b") == r"a\nERROR forged \x1b[31m \x9b"
    record = logging.makeLogRecord({"msg": "text", "request_id": "a\x1b[31m", "levelname": "INFO"})
    assert log.LineFormatter(log.Current()).format(record).endswith(r" a\x1b[31m text")
