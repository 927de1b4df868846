"""Who is nearer to the client must be the more patient one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scorewright.doctor.timeouts import judge
from scorewright.doctor.wanted import Times, Wanted


@pytest.mark.parametrize(
    ("times", "place", "result", "says"),
    [
        (Times(client=30, gateway=20, service=10), None, "ok", "client 30 s > gateway 20 s > service 10 s"),
        (Times(client=30, service=10), None, "ok", "client 30 s > service 10 s"),
        (Times(gateway=20, service=30), None, "failed", "the gateway gives up after 20 s, the service only after 30 s"),
        (Times(gateway=20, service=20), None, "failed", "scoring for nobody"),
        (Times(gateway=20, service=0), None, "failed", "only after no limit"),
        (Times(client=20, gateway=20, service=5), None, "failed", "the client gives up after 20 s, the gateway only"),
        (Times(client=5, service=10), None, "failed", "the client gives up after 5 s, the service only after 10 s"),
        (Times(client=60, service=10, queue=10), None, "warning", "may wait 10 s to be scored, and has 10 s in all"),
        (Times(client=900, service=600, worker=300), None, "warning", "answers nothing for 300 s is replaced"),
        (Times(client=4000, service=3600, worker=300), None, "ok", "client 4,000 s > service 3,600 s"),
        (Times(service=181), "azureml", "failed", "Azure ML, which gives a request so long at most, 180 s"),
        (Times(service=60), "azureml", "ok", "service 60 s"),
        (Times(service=3600), "aks", "warning", "silent for so long, 240 s"),
        (Times(gateway=4000, service=3600), "aks", "ok", "gateway 4,000 s"),
        (Times(service=10), None, "not looked at", "who is before it, nobody has said"),
        (Times(client=10), None, "not looked at", "is not known from here"),
    ],
)
def test_the_chain(times: Times, place: str | None, result: str, says: str) -> None:
    outcome = judge(replace(Wanted(), times=times, place=place))
    assert (outcome.result, says in outcome.said) == (result, True), outcome
    assert bool(outcome.remedy) == (result != "ok")
