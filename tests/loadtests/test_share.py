"""One generator process's share of the load, without Locust."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import gevent

from scorewright.loadtests import share
from scorewright.loadtests.plan import Plan
from scorewright.loadtests.recorder import Recorder
from scorewright.loadtests.schedule import Schedule
from scorewright.loadtests.share import Share

if TYPE_CHECKING:
    import pytest


def plan() -> Plan:
    return Plan("http://127.0.0.1/score", "one", None, (), 1, 50.0, warm_up=0.0, seconds=0.5, timeout=0.1)


def test_what_was_due_and_never_sent_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its one user hangs: nobody ever takes what is due."""
    monkeypatch.setattr(share, "GRACE_SECONDS", 0.0)
    mine = Share(plan())
    delivered = Recorder()
    mine.begin(users=1, all_users=1)
    gevent.spawn(mine.follow, delivered.merge).get()
    assert delivered.counted().failures == {"no answer in 0.1 s": 25}
    assert delivered.examples == {"no answer in 0.1 s": "it could not even be sent in time"}


def test_what_is_late_in_the_warm_up_is_not_told() -> None:
    now = time.perf_counter()
    for warm_up, late in ((0.0, 3), (10.0, 0)):
        recorder = Recorder()
        schedule = Schedule(recorder, counted_from=now - 5 + warm_up)
        users = [gevent.spawn(schedule.take) for _ in range(3)]
        gevent.sleep(0)
        schedule.run(now - 5, now - 2, interval=1, phase=0)
        gevent.joinall(users)
        assert recorder.late == late
