"""Scorers that do not fit into memory are refused with the numbers."""

from __future__ import annotations

import os
import re

import pytest

from scorewright.errors import ServiceError
from scorewright.service import memory


def test_as_many_as_fit_are_taken_and_one_too_many_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "private", {42: 300_000_000, os.getpid(): 50_000_000}.get)
    monkeypatch.setattr(memory, "available", lambda: 1_000_000_000)
    memory.require(3, 42)
    told = (
        "worker_count is 4 and the first scorer has 300 MB of its own: all take 1,200 MB, beside 50 MB of the "
        "service's other processes, and there are 1,000 MB."
    )
    with pytest.raises(ServiceError, match=re.escape(told)):
        memory.require(4, 42)


def test_what_is_there_already_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "private", lambda pid: {os.getpid(): 50_000_000}.get(pid, 300_000_000))
    monkeypatch.setattr(memory, "available", lambda: 1_000_000_000)
    memory.require(2, 42, [43])
    with pytest.raises(ServiceError, match="all take 600 MB, beside 650 MB of the service's other processes"):
        memory.require(2, 42, [43, 44])
    monkeypatch.setattr(memory, "available", lambda: 949_000_000)
    with pytest.raises(ServiceError, match="beside 350 MB"):
        memory.require(2, 42, [43])


def test_where_the_system_does_not_tell_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: None)
    memory.require(256, os.getpid())
