"""`scorewright loadtest` against real servers: what it counts, and what it sees."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from scorewright.loadtests.measurements import bucket_of
from tests.loadtests.servers import DOUBLING, GUARDED, REALTIME, SHORT, TALKATIVE, measured, request_file
from tests.service.servers import children, serving, wait_until, write_bundle

if TYPE_CHECKING:
    from tests.command import Command
    from tests.loadtests.conftest import Served


def test_users_ask_again_when_they_have_their_answer(doubling: Served, command: Command, tmp_path: Path) -> None:
    words = ("--bundle", doubling.bundle, "--users", 2, "--rows", "1,3", *SHORT, "--out", tmp_path / "report")
    done = command("loadtest", doubling.url, *words)
    assert done.exit_code == 0, done.err
    run = measured(tmp_path / "report")
    assert run.url == f"{doubling.url}/score"
    assert [(one.name, one.rows_per_request) for one in run.scenarios] == [
        ("realtime", 1), ("client-batch", 3)
    ]  # fmt: skip
    for scenario in run.scenarios:
        assert (scenario.loop, scenario.users, scenario.seconds, scenario.failures) == ("closed", 2, 1.0, {})
        assert scenario.requests == scenario.latency.total == sum(point.requests for point in scenario.timeline) > 0
        assert scenario.rows == scenario.requests * scenario.rows_per_request
        assert scenario.generator.cpu_share > 0
        assert scenario.answers_checked
    assert run.settings["different-answers"] == 32 + 8
    assert "realtime, one row a request" in done.err
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        "junit.xml", "report.html", "report.json", "report.md"
    ]  # fmt: skip


def test_a_fixed_rate_is_kept_to_the_request(doubling: Served, command: Command, tmp_path: Path) -> None:
    words = ("--bundle", doubling.bundle, *REALTIME, "--rate", 60, "--out", tmp_path / "report")
    assert command("loadtest", doubling.url, *words).exit_code == 0
    (scenario,) = measured(tmp_path / "report").scenarios
    assert (scenario.loop, scenario.rate, scenario.users) == ("open", 60.0, 0)
    assert (scenario.requests, scenario.failures) == (60, {})


def test_what_is_set_for_another_locust_leads_the_load_nowhere_else(
    doubling: Served, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "locust.conf").write_text("host = http://127.0.0.1:9\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOCUST_HOST", "http://127.0.0.1:9")
    monkeypatch.setenv("LOCUST_RUN_TIME", "1s")
    done = command("loadtest", doubling.url, "--bundle", doubling.bundle, *REALTIME, "--rate", 20)
    assert done.exit_code == 0, done.err


def test_several_workers_share_the_rate(doubling: Served, command: Command, tmp_path: Path) -> None:
    words = ("--bundle", doubling.bundle, *REALTIME, "--rate", 60, "--workers", 2, "--out", tmp_path / "report")
    done = command("loadtest", doubling.url, *words)
    assert done.exit_code == 0, done.err
    (scenario,) = measured(tmp_path / "report").scenarios
    assert (scenario.requests, scenario.failures) == (60, {})
    assert scenario.generator.processes == 2


def test_a_stall_is_felt_by_every_request_that_was_due(doubling: Served, command: Command, tmp_path: Path) -> None:
    """At 20 requests a second, a second's stall delays 20 of them; one user alone would see one slow answer."""
    request = request_file(tmp_path, {"data": [[1.5]], "do": "stall"})
    words = ("--request", request, "--scenario", "realtime", "--warm-up", "0.2s", "--duration", "3s", "--rate", 20)
    done = command("loadtest", doubling.url, *words, "--out", tmp_path / "report")
    assert done.exit_code == 0, done.err
    (scenario,) = measured(tmp_path / "report").scenarios
    assert scenario.requests == 60
    slow = sum(count for bucket, count in scenario.latency.counts.items() if bucket > bucket_of(400))
    assert slow >= 10


def test_what_is_answered_when_the_time_is_over_is_no_throughput(
    doubling: Served, command: Command, tmp_path: Path
) -> None:
    """A server that takes 50 ms for each is asked 60 times a second: all are waited for, but it does 20 a second."""
    request = request_file(tmp_path, {"data": [[1.5]], "do": "slow"})
    words = ("--request", request, *REALTIME, "--rate", 60, "--slo", "rps>40", "--out", tmp_path / "report")
    done = command("loadtest", doubling.url, *words)
    assert (done.exit_code, "wanted rps > 40, found " in done.err) == (14, True), done.err
    (scenario,) = measured(tmp_path / "report").scenarios
    assert (scenario.requests, scenario.latency.total) == (60, 60)
    assert 0 < scenario.answered == sum(point.answered for point in scenario.timeline) <= 21
    assert "(of 60 asked for)" in (tmp_path / "report/report.md").read_text()


def test_another_callers_answer_is_wrong(doubling: Served, command: Command, tmp_path: Path) -> None:
    request = request_file(tmp_path, {"data": [[1.5]], "do": "swap"})
    words = ("--request", request, *REALTIME, "--users", 8, "--out", tmp_path / "report")
    done = command("loadtest", doubling.url, *words)
    assert done.exit_code == 14
    assert "answers were wrong. The first: predict[0] is" in done.err
    (scenario,) = measured(tmp_path / "report").scenarios
    assert scenario.wrong_answers == scenario.failures["wrong answer"] > 0
    assert scenario.latency.total == scenario.requests - scenario.failed


def test_rows_in_another_order_are_seen_before_there_is_any_load(
    doubling: Served, command: Command, tmp_path: Path
) -> None:
    request = request_file(tmp_path, {"data": [[1.5]], "do": "reverse"})
    done = command("loadtest", doubling.url, "--request", request, "--scenario", "client-batch", *SHORT)
    assert done.exit_code == 13
    assert "answers 10 rows otherwise than each alone: predict[0] is" in done.err


def test_answers_that_vary_are_taken_only_if_one_says_so(doubling: Served, command: Command, tmp_path: Path) -> None:
    request = request_file(tmp_path, {"data": [[1.5]], "do": "vary"})
    words = ("--request", request, *REALTIME, "--users", 1)
    done = command("loadtest", doubling.url, *words)
    assert (done.exit_code, "answers the same request otherwise the second time" in done.err) == (13, True)
    assert command("loadtest", doubling.url, *words, "--no-check-answers", "--json").exit_code == 0


def test_no_right_answer_is_no_success(doubling: Served, command: Command, tmp_path: Path) -> None:
    request = request_file(tmp_path, {"data": [[1.5]], "do": "refuse"})
    words = ("--request", request, *REALTIME, "--rate", 50, "--slo", "errors<100%", "--out", tmp_path / "report")
    done = command("loadtest", doubling.url, *words)
    assert done.exit_code == 13
    assert "was answered rightly: 50 x HTTP 503. The first HTTP 503: " in done.err
    assert "too much" in done.err
    (scenario,) = measured(tmp_path / "report").scenarios
    assert scenario.failures == {"HTTP 503": 50}


def test_a_server_that_dies_is_no_success(command: Command, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", DOUBLING)
    request = request_file(tmp_path, {"data": [[1.5]], "do": "kill"})
    with serving() as serve:
        url = serve(str(bundle)).ready().url
        words = ("--request", request, *REALTIME, "--rate", 50, "--out", tmp_path / "report")
        done = command("loadtest", url, *words)
    assert done.exit_code == 14
    assert "errors < 1 %" in done.err
    (scenario,) = measured(tmp_path / "report").scenarios
    assert scenario.requests == 50
    assert 0 < scenario.latency.total < 50
    assert scenario.failures["connection refused"] > 0


def test_a_ramp_measures_each_step(doubling: Served, command: Command, tmp_path: Path) -> None:
    words = ("--bundle", doubling.bundle, *REALTIME, "--ramp", "20..40/s", "--out", tmp_path / "report")
    done = command("loadtest", doubling.url, *words)
    assert done.exit_code == 0, done.err
    (scenario,) = measured(tmp_path / "report").scenarios
    assert [(step.rate, step.requests, step.failures) for step in scenario.ramp] == [(20.0, 20, 0), (40.0, 40, 0)]
    assert (scenario.requests, scenario.seconds) == (60, 2.0)
    assert [(point.second, point.requests) for point in scenario.timeline] == [(0, 20), (1, 40)]


def test_an_slo_that_is_missed_decides_the_exit_code(doubling: Served, command: Command) -> None:
    words = ("--bundle", doubling.bundle, *REALTIME, "--rate", 20, "--slo", "rps>1000", "--json")
    done = command("loadtest", doubling.url, *words)
    assert done.exit_code == 14
    assert [(one["clause"], one["met"]) for one in json.loads(done.out)["verdicts"]] == [
        ("rps>1000", False), ("errors<1%", True)
    ]  # fmt: skip


def test_errors_of_one_scenario_leave_the_others_to_the_usual_demand(doubling: Served, command: Command) -> None:
    slo = "realtime.errors<5%,p99<10s"
    words = ("--bundle", doubling.bundle, "--rows", "3", *SHORT, "--rate", 20, "--slo", slo, "--json")
    done = command("loadtest", doubling.url, *words)
    assert done.exit_code == 0, done.err
    verdicts = [
        (one["clause"], one["scenario"]) for one in json.loads(done.out)["verdicts"] if "errors" in one["clause"]
    ]
    assert verdicts == [("realtime.errors<5%", "real-time"), ("client-batch.errors<1%", "client-batched")]


def test_a_report_that_cannot_be_written_is_printed_all_the_same(
    doubling: Served, command: Command, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    words = ("--bundle", doubling.bundle, *REALTIME, "--rate", 20, "--out", tmp_path / "file/report")
    done = command("loadtest", doubling.url, *words)
    assert (done.exit_code, "cannot be written" in done.err) == (12, True)
    assert done.out.startswith("## Load test")


def test_the_key_is_sent_and_never_shown(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = write_bundle(tmp_path / "bundle", GUARDED)
    request = request_file(tmp_path, {"any": "form"})
    with serving() as serve:
        url = serve(str(bundle)).ready().url
        words = ("loadtest", url, "--request", request, *REALTIME, "--rate", 20, "--deployment", "blue")
        done = command(*words)
        assert (done.exit_code, "asks for a key: HTTP 401: no such key" in done.err) == (13, True)
        monkeypatch.setenv("SCOREWRIGHT_KEY", "wr0ng")
        done = command(*words)
        assert (done.exit_code, "refuses the key" in done.err, "wr0ng" in done.err) == (13, True, False)
        (tmp_path / "key").write_text("s3cret\n")
        done = command(*words, "--key-file", tmp_path / "key", "--out", tmp_path / "report")
    assert done.exit_code == 0, done.err
    (scenario,) = measured(tmp_path / "report").scenarios
    assert (scenario.requests, scenario.failures) == (20, {})
    written = "".join(path.read_text() for path in (tmp_path / "report").iterdir())
    assert "s3cret" not in done.out + done.err + written


def test_a_key_that_the_endpoint_repeats_is_not_shown(command: Command, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", TALKATIVE)
    request = request_file(tmp_path, {"any": "form"})
    with serving() as serve:
        url = serve(str(bundle)).ready().url
        words = ("loadtest", url, "--request", request, *REALTIME, "--rate", 20, "--key", "s3cret")
        done = command(*words, "--out", tmp_path / "report")
        again = command(*words)
    assert (done.exit_code, again.exit_code) == (14, 13)
    written = (tmp_path / "report/report.html").read_text()
    for said in (written, again.err):
        assert "No longer: Bearer (the key)" in said
        assert "s3cret" not in said


def test_locust_itself_runs_a_plan(doubling: Served, command: Command, tmp_path: Path) -> None:
    plan, noted = tmp_path / "plan.json", tmp_path / "noted"
    request = request_file(tmp_path, {"data": [[1.5]], "do": "note", "where": str(noted)})
    done = command("loadtest", doubling.url, "--request", request, "--scenario", "realtime", "--plan", plan)
    assert done.exit_code == 0, done.err
    words = done.out.split("Next: locust ")[1].split()
    noted.unlink()
    locust = subprocess.Popen(
        [sys.executable, "-m", "locust", *words, "--headless", "--json"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=tmp_path,
    )  # fmt: skip
    try:
        # More than its users have on their way: some are answered.
        wait_until(lambda: noted.exists() and noted.stat().st_size > 20)
    finally:
        locust.terminate()
        out, _ = locust.communicate(timeout=30)
    (told,) = json.loads(out)
    assert (told["name"], told["num_failures"]) == ("one row a request", 0)
    assert told["num_requests"] > 0


def test_locust_without_a_plan_says_what_to_do(tmp_path: Path) -> None:
    locustfile = Path(__file__).parents[2] / "scorewright/loadtests/locustfile.py"
    ran = subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(locustfile), "--headless"],
        capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60,
    )  # fmt: skip
    assert ran.returncode == 1
    assert "There is no plan" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_locusts_web_interface_is_there_while_it_runs(doubling: Served, tmp_path: Path) -> None:
    words = ["--bundle", str(doubling.bundle), "--scenario", "realtime", "--warm-up", "1s", "--duration", "2s"]
    words += ["--web", "--web-port", "8571", "--rate", "20"]
    running = subprocess.Popen(
        [sys.executable, "-m", "scorewright", "loadtest", doubling.url, *words, "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ}, cwd=tmp_path,
    )  # fmt: skip

    def shown() -> bool:
        try:
            return "Locust" in httpx.get("http://127.0.0.1:8571/", timeout=5).text
        except httpx.TransportError:
            return False

    wait_until(shown)
    out, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert json.loads(out)["measurements"]["scenarios"][0]["requests"] == 40


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_load_ends_with_the_command(doubling: Served, tmp_path: Path, number: signal.Signals) -> None:
    words = ["--bundle", str(doubling.bundle), "--scenario", "realtime", "--warm-up", "0", "--duration", "1h"]
    running = subprocess.Popen(
        [sys.executable, "-m", "scorewright", "loadtest", doubling.url, *words, "--rate", "5", "--workers", "2"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path,
    )  # fmt: skip
    try:
        wait_until(lambda: any(len(children(child)) == 2 for child in children(running.pid)))
        (master,) = children(running.pid)
        generators = [master, *children(master)]
    finally:
        running.send_signal(number)
        running.wait(30)
    wait_until(lambda: not any(working(pid) for pid in generators))


def working(pid: int) -> bool:
    """Whether a process is there, and not only its end that nobody has asked for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
