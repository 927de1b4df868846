"""What the system tells of memory."""

from __future__ import annotations

import os

from scorewright import memory


def test_what_this_process_has_of_its_own_is_less_than_there_is() -> None:
    own, room = memory.private(os.getpid()), memory.available()
    assert own is not None
    assert room is not None
    assert 1e6 < own < room


def test_of_a_process_that_is_not_there_nothing_is_told() -> None:
    assert memory.private(2**30) is None
    assert memory.anonymous(2**30) is None
    assert memory.resident(2**30) == 0
