"""/metrics: what is told is what happened, of all fronts together."""

from __future__ import annotations

import itertools
import os
import re
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics

from scorewright.deploy.aks_objects import METRICS_PATH, QUEUE_METRIC
from scorewright.service.metrics_route import PATH
from tests.service.scraped import Scraped, scrape
from tests.service.servers import OBEDIENT, TOGETHER, WAIT_SECONDS, serving, wait_until, write_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.service.servers import Serve, Server

PAGE = Path(__file__).parents[2] / "docs" / "service.md"


@pytest.fixture(scope="module")
def server(serve_once: Serve, tmp_path_factory: pytest.TempPathFactory) -> Server:
    folder = tmp_path_factory.mktemp("metrics")
    limits = ("--max-concurrent-requests-per-instance", "6", "--max-body-bytes", "1000", "--max-queue-wait-ms", "5000")
    return serve_once(str(write_bundle(folder / "b", TOGETHER)), *limits, SCORING_TIMEOUT_MS="60000").ready()


@pytest.fixture(scope="module")
def fronts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("fronts")
    with serving(cwd=folder) as serve:
        server = serve(str(write_bundle(folder / "b", TOGETHER)), "--http-workers", "3", "--worker-count", "2").ready()
        wait_until(lambda: len(server.fronts()) == 2)
        yield server


def answered(before: Scraped, after: Scraped) -> dict[tuple[str, int], float]:
    """Answers between two scrapes, by route and status."""
    counted: Counter[tuple[str, int]] = Counter()
    for sign, scraped in ((1, after), (-1, before)):
        for labels in scraped.labels("requests_total"):
            place = labels["route"], int(labels["status"])
            counted[place] += sign * int(scraped("requests_total", **labels))
    return {place: count for place, count in counted.items() if count}


def test_every_answer_is_counted_once_by_its_route_and_status(server: Server) -> None:
    before = scrape(server)
    with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as client:
        for value in range(5):
            assert client.post("/score", json={"echo": value}).status_code == 200
        assert client.post("/score", json={"raise": "no"}).status_code == 500
        assert client.post("/score", json={"status": 599}).status_code == 599
        assert client.post("/score", content=b"x" * 1001).status_code == 413
        assert client.put("/score").status_code == 405
        assert client.options("/score").status_code == 200
        assert client.post("/score", headers={"x-ms-client-request-id": "x" * 101}, json={}).status_code == 431
        assert client.post("/v2/models/hand-written/infer", json={}).status_code == 400
        assert client.get("/v2/health/ready").status_code == 200
        assert client.get("/v2/nothing").status_code == 404
        assert client.get("/livez").status_code == 200
        assert client.get("/no-such-path/with-a-secret").status_code == 404
    after = scrape(server)
    score = {200: 6, 500: 1, 599: 1, 413: 1, 405: 1, 431: 1}
    assert answered(before, after) == {
        **{("/score", status): count for status, count in score.items()},
        ("/v2", 400): 1,
        ("other", 200): 3,
        ("other", 404): 2,
    }
    # What was refused, or is not scored, says nothing of how long scoring takes.
    timed = after("request_duration_seconds_count", route="/score") - before(
        "request_duration_seconds_count", route="/score"
    )
    assert timed == 7
    assert after("run_duration_seconds_count") - before("run_duration_seconds_count") >= 6
    assert "secret" not in str(after.samples)


def test_what_waits_and_what_is_under_way_is_told_while_it_is(server: Server, tmp_path: Path) -> None:
    before = scrape(server)
    hold = tmp_path / "hold"
    with ThreadPoolExecutor(6) as threads, httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as client:
        held = threads.submit(client.post, "/score", json={"until": str(hold)})
        wait_until((tmp_path / "hold.started").exists)
        waiting = [threads.submit(client.post, "/score", json={"many": "count"}) for _ in range(5)]
        wait_until(lambda: scrape(server)("queue_requests") == 5)
        amid = scrape(server)
        assert (amid("in_flight_requests"), amid("max_requests")) == (6, 6)
        assert httpx.post(f"{server.url}/score", json={"echo": 1}).status_code == 429
        hold.touch()
        assert held.result(WAIT_SECONDS).json() == "held"
        assert [one.result(WAIT_SECONDS).json() for one in waiting] == [5] * 5
    wait_until(lambda: scrape(server)("in_flight_requests") == 0)
    after = scrape(server)
    assert after("queue_requests") == 0
    assert answered(before, after)["/score", 429] == 1
    sizes = [after(f"batch_requests_{part}") - before(f"batch_requests_{part}") for part in ("count", "sum")]
    assert sizes == [2, 6]
    # One run() and one run_many(), and all six have waited, most of them for as long as the first was held.
    assert after("run_duration_seconds_count") - before("run_duration_seconds_count") == 2
    assert after("queue_wait_seconds_count") - before("queue_wait_seconds_count") == 6
    assert after("queue_wait_seconds_sum") > before("queue_wait_seconds_sum")
    five_at_most = [scraped("batch_requests_bucket", le="4.0") for scraped in (before, after)]
    assert five_at_most[1] - five_at_most[0] == 1


def test_timeouts_are_told_by_the_setting_whether_scorer_or_front_saw_them(server: Server, tmp_path: Path) -> None:
    before = scrape(server)
    with ThreadPoolExecutor(2) as threads, httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as client:
        hold, budget = tmp_path / "never", {"x-scoring-timeout-ms": "1500"}
        running = threads.submit(client.post, "/score", json={"until": str(hold)}, headers=budget)
        wait_until((tmp_path / "never.started").exists)
        waiting = threads.submit(client.post, "/score", json={"echo": 1}, headers={"x-scoring-timeout-ms": "100"})
        assert {running.result(WAIT_SECONDS).status_code, waiting.result(WAIT_SECONDS).status_code} == {500}
    after = scrape(server)
    for limit, count in (("scoring_timeout_ms", 2), ("max_queue_wait_ms", 0)):
        assert after("timeouts_total", limit=limit) - before("timeouts_total", limit=limit) == count
    assert answered(before, after)["/score", 500] == 2
    # That the run was interrupted is no time of a run.
    assert after("run_duration_seconds_count") == before("run_duration_seconds_count")


def test_a_request_that_waited_too_long_is_told_as_such(serve: Serve, tmp_path: Path) -> None:
    server = serve(str(write_bundle(tmp_path / "b", OBEDIENT)), "--max-queue-wait-ms", "50").ready()
    with ThreadPoolExecutor(1) as threads:
        held = threads.submit(httpx.post, f"{server.url}/score", json={"until": str(tmp_path / "hold")}, timeout=30)
        wait_until((tmp_path / "hold.started").exists)
        assert httpx.post(f"{server.url}/score", json={"echo": 1}, timeout=WAIT_SECONDS).status_code == 503
        (tmp_path / "hold").touch()
        held.result(WAIT_SECONDS)
    scraped = scrape(server)
    assert scraped("timeouts_total", limit="max_queue_wait_ms") == 1
    assert scraped("requests_total", route="/score", status="503") == 1


def test_a_client_that_leaves_is_counted_and_its_request_is_no_answer(server: Server, tmp_path: Path) -> None:
    before = scrape(server)
    hold = tmp_path / "hold"
    with ThreadPoolExecutor(1) as threads, httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as client:
        held = threads.submit(client.post, "/score", json={"until": str(hold)})
        wait_until((tmp_path / "hold.started").exists)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{server.url}/score", json={"echo": 1}, timeout=0.2)
        hold.touch()
        held.result(WAIT_SECONDS)
    wait_until(lambda: scrape(server)("clients_gone_total") - before("clients_gone_total") == 1)
    assert answered(before, scrape(server))["/score", 200] == 1


def test_scorers_that_end_are_told_by_how_they_ended(serve: Serve, tmp_path: Path) -> None:
    script = OBEDIENT + "\nif os.path.exists('broken'):\n    raise ValueError('broken')\n"
    server = serve(str(write_bundle(tmp_path / "b", script)), WORKER_TIMEOUT="1").ready()
    assert (scrape(server)("scorers"), scrape(server)("scorers_wanted"), scrape(server)("ready")) == (1, 1, 1)
    (scorer,) = server.scorers()
    for request in ({"kill": int(signal.SIGSEGV)}, {"kill": int(signal.SIGKILL)}):
        httpx.post(f"{server.url}/score", json=request, timeout=WAIT_SECONDS)
    httpx.post(f"{server.url}/score", json={"until": str(tmp_path / "never")}, timeout=WAIT_SECONDS)

    def ended() -> dict[str, float]:
        scraped = scrape(server)
        found = {labels["reason"]: labels for labels in scraped.labels("scorer_restarts_total")}
        return {reason: scraped("scorer_restarts_total", **labels) for reason, labels in found.items()}

    told = {"exited": 0, "killed": 1, "crashed": 1, "overdue": 1, "not_started": 0}
    wait_until(lambda: ended() == told and scrape(server)("scorers") == 1)
    assert server.scorers() != [scorer]


def test_the_model_the_memory_and_the_jobs_are_told(server: Server) -> None:
    scraped = scrape(server)
    assert scraped.labels("model_info") == [
        {"name": "hand-written", "version": "1", "framework": "scikit-learn", "runtime": "native"}
    ]
    page = os.sysconf("SC_PAGE_SIZE")
    for kind, pids in (("main", [server.process.pid]), ("scorer", server.scorers())):
        resident = sum(int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * page for pid in pids)
        assert scraped("resident_memory_bytes", process=kind) == pytest.approx(resident, rel=0.2)
    assert scraped("resident_memory_bytes", process="front") == 0
    assert scraped("memory_limit_bytes") > scraped("resident_memory_bytes", process="main")
    assert {labels["state"] for labels in scraped.labels("batch_jobs")} == {
        *("queued", "running", "completed", "failed", "cancelled")
    }


def test_openmetrics_is_told_to_who_asks_for_it(server: Server) -> None:
    answer = httpx.get(f"{server.url}/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    told = {family.name for family in openmetrics(answer.text)}  # type: ignore[no-untyped-call]
    assert told == {family.name.removesuffix("_info") for family in scrape(server).families}


def test_any_front_tells_the_sum_of_all_and_each_request_is_in_it_once(fronts: Server) -> None:
    before = scrape(fronts)
    each, askers = 25, 12

    def ask(_: int) -> list[Scraped]:
        # A connection of its own, so that all fronts have some; what is counted may never go back meanwhile.
        with httpx.Client(base_url=fronts.url, timeout=WAIT_SECONDS) as client:
            seen = []
            for number in range(each):
                assert client.post("/score", json={"echo": number}).json() == number
                if number % 5 == 0:
                    seen.append(scrape(fronts, client))
            return seen

    with ThreadPoolExecutor(askers) as threads:
        for seen in threads.map(ask, range(askers)):
            for earlier, later in itertools.pairwise(seen):
                assert all(later.growing[key] >= value for key, value in earlier.growing.items())
    clients = [httpx.Client(base_url=fronts.url, timeout=WAIT_SECONDS) for _ in range(20)]
    scraped = [scrape(fronts, client) for client in clients]
    assert all(fronts.connections(pid) > 0 for pid in [fronts.process.pid, *fronts.fronts()])
    for client in clients:
        client.close()
    for after in scraped:
        assert answered(before, after)["/score", 200] == each * askers
        name = "request_duration_seconds_count"
        assert after(name, route="/score") - before(name, route="/score") == each * askers
        assert after("queue_wait_seconds_count") - before("queue_wait_seconds_count") == each * askers
        assert after("batch_requests_sum") - before("batch_requests_sum") == each * askers
        assert (after("fronts"), after("scorers"), after("in_flight_requests")) == (3, 2, 0)
        assert after("resident_memory_bytes", process="front") > after("resident_memory_bytes", process="main")


def test_what_a_killed_front_has_counted_stays_and_what_it_held_does_not(fronts: Server, tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    victim = fronts.fronts()[0]
    with ThreadPoolExecutor(1) as threads:
        while True:
            client = httpx.Client(base_url=fronts.url, timeout=WAIT_SECONDS)
            had = fronts.connections(victim)
            assert client.post("/score", json={"echo": 1}).json() == 1
            if fronts.connections(victim) > had:
                break
            client.close()
        held = threads.submit(client.post, "/score", json={"until": str(hold)})
        wait_until((tmp_path / "hold.started").exists)
        before = scrape(fronts)
        assert before("in_flight_requests") == 1
        os.kill(victim, signal.SIGKILL)
        with pytest.raises(httpx.TransportError):
            held.result(WAIT_SECONDS)
    hold.touch()
    fronts.line(f"Front {victim} died")
    seen = [before]
    wait_until(lambda: seen.append(scrape(fronts)) or seen[-1]("fronts") == 3)  # type: ignore[func-returns-value]
    for earlier, later in itertools.pairwise(seen):
        assert all(later.growing[key] >= value for key, value in earlier.growing.items())
    after = seen[-1]
    assert (after("in_flight_requests"), after("queue_requests")) == (0, 0)
    assert after("front_restarts_total") - before("front_restarts_total") == 1
    assert ("/score", 200) not in answered(before, after)
    with ThreadPoolExecutor(10) as threads:
        asked = [
            threads.submit(httpx.post, f"{fronts.url}/score", json={"echo": n}, timeout=WAIT_SECONDS) for n in range(30)
        ]
        assert [one.result().json() for one in asked] == list(range(30))
    assert answered(before, scrape(fronts))["/score", 200] == 30


def test_the_page_lists_every_metric_as_it_is(server: Server) -> None:
    scraped = scrape(server)
    listed = re.findall(r"^\| `(scorewright_\w+)` \| (\w+) \| (.*) \| (.+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    told = []
    for family in scraped.families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = [label for sample in family.samples[:1] for label in sample.labels if label != "le"]
        told.append((name, family.type, ", ".join(f"`{label}`" for label in sorted(labels)), family.documentation))
    assert listed == told


def test_what_deployments_scale_by_is_what_is_told_there(server: Server) -> None:
    assert PATH == METRICS_PATH
    assert QUEUE_METRIC in {family.name for family in scrape(server).families}
