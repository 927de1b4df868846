"""What a script prints and logs, as lines of the service's own log: each once, with time, level and request id."""

from __future__ import annotations

import builtins
import functools
import logging
import logging.config
import sys
from typing import Any, TextIO

from scorewright.service import log


def take(level: str, current: log.Current, form: log.Form, stream: TextIO | None) -> None:
    """Have print() and the root logger end in the service's log. Once a process, before the script is loaded.

    Contract: azureml-inference-server-http 1.5.1, print_log_hook.py: print() to stdout becomes a line of the log.
    Beyond it: logging without any set-up of the script's own reaches the log too. A script that sets logging up
    for itself, by basicConfig() or handlers, is left its own lines.
    """
    root = logging.getLogger()
    handler = _RootHandler(stream)
    handler.setFormatter(log.formatter(form, current))
    root.addHandler(handler)
    root.setLevel(level)
    # What is printed is meant to be seen, at whatever level the rest is.
    logging.getLogger(log.PRINTED).setLevel(logging.INFO)
    _redirect_print()
    _yield_to_basic_config(handler)


class _RootHandler(logging.StreamHandler[Any]):
    """Writes what no handler of the script's own has written."""

    def filter(self, record: logging.LogRecord) -> bool:
        """logging.Filterer."""
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None:
            if any(_writes_lines(handler) and handler is not self for handler in logger.handlers):
                return False
            logger = logger.parent if logger.propagate else None
        return super().filter(record)


def _writes_lines(handler: logging.Handler) -> bool:
    return isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler)


def _redirect_print() -> None:
    printed = logging.getLogger(log.PRINTED)
    plain = builtins.print

    @functools.wraps(plain)
    def to_log(
        *objects: object, sep: str | None = " ", end: str | None = "\n", file: Any = None, flush: bool = False
    ) -> None:
        if file is None or file is sys.stdout:
            printed.info("%s", (" " if sep is None else sep).join(map(str, objects)))
        else:
            plain(*objects, sep=sep, end=end, file=file, flush=flush)

    builtins.print = to_log


def _yield_to_basic_config(handler: logging.Handler) -> None:
    basic_config = logging.basicConfig

    @functools.wraps(basic_config)
    def own_config(**settings: Any) -> None:
        root = logging.getLogger()
        if handler in root.handlers:
            root.removeHandler(handler)
            root.setLevel(logging.WARNING)
        basic_config(**settings)

    logging.basicConfig = own_config
