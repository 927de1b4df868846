"""Two load tests side by side, by the functions and by the command."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from scorewright.cli_loadtest_compare import compare as command
from scorewright.errors import OutputExistsError, ScorewrightError, SloMissedError, UsageError
from scorewright.loadtests.compare import Comparison, compare
from scorewright.loadtests.measurements import Histogram
from scorewright.loadtests.report import Report
from tests.loadtests.runs import LIMITED, bulk, nothing, ramped, run, scenario

GOLDEN = Path(__file__).parent / "golden/comparison.md"


def compared(a: Any, b: Any, allowed: float | None = 0.1) -> Comparison:
    return compare(run(a), run(b), names=("before", "after"), allowed=allowed)


def slower() -> Comparison:
    """The same on another machine, real-time slower, a scenario with more users, and one that is gone."""
    changed = replace(run().environment, machine={**run().environment.machine, "cores": "2"})
    b = run(
        scenario(p50=2.4, rps=800),
        scenario("client-batch", 10),
        scenario("client-batch", 100, users=32, failing={3: 100}),
        bulk(seconds=1.6),
        settings={**run().settings, "users": 32},
        environment=changed,
    )
    return compare(run(), b, names=("before", "after"), allowed=0.1)


def test_the_markdown_is_as_it_was(tmp_path: Path) -> None:
    slower().write(tmp_path / "out")
    text = (tmp_path / "out/comparison.md").read_text("utf-8")
    if os.environ.get("SCOREWRIGHT_UPDATE_GOLDEN"):
        GOLDEN.write_text(text, "utf-8")
    assert text == GOLDEN.read_text("utf-8")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "comparison.html",
        "comparison.json",
        "comparison.md",
    ]


def test_a_run_is_as_itself() -> None:
    found = compare(run(), run(), names=("x", "y"), allowed=0.0)
    assert found.headline == "B is as A: no p99, no throughput and no share of errors differs by more than noise."
    assert not found.differences
    assert {change.words for pair in found.pairs for change in pair.changes} == {"the same"}
    found.enforce()


def test_what_is_slower_is_told_and_refused() -> None:
    found = compared(scenario(), scenario(p50=2.4, rps=800))
    assert found.headline == "B against A: real-time p99 27 % slower, rps 14 % less."
    assert len(found.faults) == 4
    with pytest.raises(
        SloMissedError, match=r"not shown to be within 10 % of A: real-time p50: 2\.67 ms instead of"
    ) as e:
        found.enforce()
    assert e.value.exit_code == 14


def test_what_is_faster_is_told_and_allowed() -> None:
    found = compared(scenario(p50=2.4, rps=800), scenario())
    assert found.headline == "B against A: real-time p99 21 % faster, rps 16 % more."
    found.enforce()


def test_nothing_is_refused_unless_asked() -> None:
    compared(scenario(), scenario(p50=200.0), allowed=None).enforce()


def test_what_is_within_noise_is_said_to_be() -> None:
    steady = scenario()
    jumpy = replace(
        scenario(p50=2.2),
        timeline=tuple(replace(one, p99_ms=50.0 if one.second % 7 == 0 else 3.0) for one in steady.timeline),
    )
    changes = {change.figure: change for change in compared(steady, jumpy).pairs[0].changes}
    assert not changes["p99"].certain
    assert changes["p99"].words.startswith("15 % slower, within noise (±")
    assert not changes["p99"].too_much(0.1)
    assert changes["p50"].too_much(0.1)


def test_noise_of_a_few_seconds_is_not_known() -> None:
    (pair,) = compared(scenario(seconds=4), scenario(seconds=4, p50=2.4)).pairs
    assert pair.changes[0].noise is None
    assert pair.changes[0].words == "24 % slower, noise not known"


@pytest.mark.parametrize(
    ("failures", "refused"), [({}, False), ({3: 1}, False), ({3: 40}, True)], ids=["none", "chance", "more"]
)
def test_errors_are_worse_if_more_than_chance(failures: dict[int, int], refused: bool) -> None:
    found = compared(scenario(), scenario(failing=failures))
    assert bool(found.faults) == refused


@pytest.mark.parametrize(
    ("b", "said"),
    [
        (scenario(users=32), "not the same load: 16 users in A, 32 users in B"),
        (scenario(users=0, rate=500.0, loop="open"), "not the same load: 16 users in A, 500 requests/s in B"),
        (scenario(rows_per_request=7), "not the same load: 1 rows in A, 7 in B"),
        (ramped(), "raised in B only"),
        (scenario("client-batch", 10), "measured in A only"),
    ],
)
def test_another_load_is_not_judged_and_not_passed(b: Any, said: str) -> None:
    found = compared(scenario(), b)
    assert not found.pairs[0].comparable
    assert said in found.pairs[0].note
    assert said in found.faults[0]
    with pytest.raises(SloMissedError):
        found.enforce()


def test_what_b_has_besides_is_no_fault() -> None:
    found = compare(run(scenario()), run(scenario(), bulk()), names=("a", "b"), allowed=0.1)
    assert [pair.note for pair in found.pairs] == ["", "measured in B only"]
    found.enforce()


def test_nothing_is_never_good_enough() -> None:
    assert compared(scenario(), nothing()).faults == ("real-time: nothing was answered rightly in B",)
    silent = scenario(requests=9, failures={"HTTP 500": 9}, latency=Histogram())
    assert compared(silent, scenario()).faults == ("real-time: nothing was answered rightly in A",)
    empty = replace(run(), scenarios=())
    assert compare(empty, empty, names=("a", "b"), allowed=0.1).faults == ("neither run has a scenario",)


def test_ramps_are_compared_at_a_load_that_both_had() -> None:
    (pair,) = compared(ramped(), ramped()).pairs
    assert pair.title == "real-time at 8 users"
    assert pair.note == "at 8 users, the knee of A"
    assert [change.words for change in pair.changes] == ["the same"] * 5
    short = replace(ramped(), ramp=ramped().ramp[:3])
    assert "B has no step at A's knee, 8 users" in compared(ramped(), replace(short, users=256)).faults[0]


def test_a_generator_at_its_limit_is_told() -> None:
    (pair,) = compared(scenario(), scenario(generator=LIMITED)).pairs
    assert pair.note == "the load generator may have been the limit in B"
    assert pair.comparable


def test_a_job_of_other_rows_is_found_but_not_judged() -> None:
    (pair,) = compared(bulk(1000), bulk(2000)).pairs
    assert pair.note == "not the same load: 1,000 rows in A, 2,000 in B"


def test_json_has_each_change() -> None:
    content = json.loads(slower().to_json())
    assert content["schema_version"] == 1
    assert content["allowed"] == 0.1
    first = content["scenarios"][0]["changes"][0]
    assert (first["figure"], first["words"]) == ("p50", "27 % slower")
    assert {one["name"] for one in content["differences"]} == {"users", "load generator: cores"}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reports")
    Report.of(run(scenario())).write(path / "a")
    Report.of(run(scenario(p50=2.4, rps=800))).write(path / "b")
    return path


def told(*words: object) -> tuple[str, ScorewrightError | None]:
    """What the command prints and raises."""
    app = typer.Typer()
    app.command()(command)
    ended = CliRunner().invoke(app, [str(word) for word in words])
    assert ended.exception is None or isinstance(ended.exception, ScorewrightError), ended.exception
    return ended.output, ended.exception


def test_the_command(reports: Path) -> None:
    printed, error = told(reports / "a", reports / "b/report.json")
    assert error is None
    assert "B against A: real-time p99 27 % slower, rps 14 % less." in printed
    assert "real-time  p99     6.78 ms   8.6 ms   1.27  27 % slower" in printed


def test_the_command_refuses_what_is_worse(reports: Path, tmp_path: Path) -> None:
    printed, error = told(reports / "a", reports / "b", "--fail-above", "10%", "--out", tmp_path / "out")
    assert isinstance(error, SloMissedError)
    assert f"Wrote {tmp_path / 'out/comparison.html'}" in printed, "the report is there to be looked at"
    assert told(reports / "a", reports / "b", "--fail-above", "30 %")[1] is None


def test_the_command_prints_json(reports: Path) -> None:
    printed, _ = told(reports / "a", reports / "b", "--json")
    assert json.loads(printed)["headline"].startswith("B against A")


def test_the_command_does_not_replace_what_is_there(reports: Path, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    assert isinstance(told(reports / "a", reports / "b", "--out", tmp_path)[1], OutputExistsError)


@pytest.mark.parametrize("given", ["ten", "10", "-1%", "%"])
def test_a_percentage_is_needed(given: str, reports: Path) -> None:
    _, error = told(reports / "a", reports / "b", f"--fail-above={given}")
    assert isinstance(error, UsageError)
    assert "Write it as 10%" in error.hint
