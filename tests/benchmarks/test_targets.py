"""Targets against figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.results import Start
from benchmarks.targets import verdicts
from tests.benchmarks.results import results, row, tree

if TYPE_CHECKING:
    from benchmarks.results import Results, Verdict


def told(run: Results) -> dict[tuple[str, str], Verdict]:
    return {(verdict.what, verdict.asked): verdict for verdict in verdicts(run)}


def test_a_target_is_met_by_the_median() -> None:
    case = tree(
        row("scorewright", (128, [900, 810, 700]), (1, [500] * 3), p50=2, p99=7),
        row("azmlinfsrv", (128, [100, 100, 100]), (1, [100] * 3), p50=4),
        row("hello", (128, [2000, 2000, 2000])),
    )
    start = Start(key="scorewright", title="", processes=2, seconds=[2.4, 2.6, 2.7], memory_bytes=[149_000_000] * 3)
    found = told(results(case, starts=[start]))
    throughput = found["(a) requests/s at 128 connections", "at least 8x azmlinfsrv, aim 12x"]
    assert (throughput.reached, throughput.met) == ("8.1x azmlinfsrv (7 – 9)", True)
    ceiling = found["(a) requests/s at 128 connections", "at least 45 % of the bare route"]
    assert ceiling.met is False
    lone = found["(a) p50 of a lone request", "at most 0.6x azmlinfsrv"]
    assert (lone.reached, lone.met) == ("0.5x azmlinfsrv (0.5 – 0.5)", True)
    assert found["(a) p99 at 128 connections", "at most 3x p50"].met is False
    assert found["memory of an idle service with (a), 1 scorer", "at most 150 MB"].met is True
    assert found["cold start to ready, (a)", "at most 2.5 s"].met is False


def test_a_lone_request_is_compared_with_the_model_itself() -> None:
    case = tree(row("scorewright", (1, [100, 100, 100]), p50=0.5)).model_copy(update={"key": "b"})
    assert told(results(case))["(b) p50 of a lone request", "at most native predict + 0.5 ms"].met is True


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    found = verdicts(results())
    assert len(found) == 20
    assert {(verdict.reached, verdict.met) for verdict in found} == {(None, None)}
