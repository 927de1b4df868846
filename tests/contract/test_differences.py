"""Where ours answers otherwise than azmlinfsrv: each row of docs/compatibility.md, on both."""

from __future__ import annotations

import json
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import httpx
import pytest

from tests.contract.exchange import Asked, ask, post, raw_exchange
from tests.contract.judge import PLAIN, judged_exit, judging_with, require_judge, starting
from tests.contract.requests_sent import FORM, JSON, MULTIPART, UPLOAD
from tests.contract.test_judge_scripts import laid_out
from tests.contract.test_judge_serving import laid
from tests.service.servers import serving, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.exchange import Answered
    from tests.service.servers import Server

pytestmark = pytest.mark.judge

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"

PROBE = Asked("GET", "/")

INTERNAL = {"message": "An unexpected internal error occurred. Check the logs for more info."}
SCRIPT = {"message": "An unexpected error occurred in scoring script. Check the logs for more info."}


class Pair(NamedTuple):
    """One script behind both servers."""

    judge: str
    ours: str
    server: Server
    judge_log: Path

    def ask(self, asked: Asked) -> tuple[Answered, Answered]:
        return ask(self.judge, asked), ask(self.ours, asked)


def pair(stack: ExitStack, folder: Path, script: str, **environment: str) -> Pair:
    require_judge()
    laid_out(folder)
    words = ("--entry_script", f"{script}.py")
    log = folder / "judge.log"
    judge = stack.enter_context(judging_with(folder, log, *words, **environment))
    server = stack.enter_context(serving(cwd=folder, python=PLAIN))(*words, **environment).ready()
    return Pair(judge, server.url, server, log)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with ExitStack() as stack:
        yield pair(stack, tmp_path_factory.mktemp("text") / "app", "differences")


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with ExitStack() as stack:
        yield pair(stack, tmp_path_factory.mktemp("schema") / "app", "schema")


def told(answered: Answered) -> tuple[int, object]:
    return answered.status, json.loads(answered.body)


@pytest.mark.parametrize(
    ("do", "answer"),
    [
        ("numpy", {"a": [[1.5, 2.0]], "b": 0.5, "c": 3}),
        ("pandas", [{"n": 1, "s": "x"}]),
        ("date", "2026-11-21"),
    ],
)
def test_results_that_json_has_no_word_for(text: Pair, do: str, answer: object) -> None:
    judge, ours = text.ask(post({"do": do}))
    assert (told(judge), told(ours)) == ((500, INTERNAL), (200, answer))


def test_an_exit_in_run(text: Pair) -> None:
    judge = ask(text.judge, post({"do": "exit"}))
    assert (judge.status, dict(judge.headers)["content-type"]) == (500, "text/html")
    (scorer,) = text.server.scorers()
    assert told(ask(text.ours, post({"do": "exit"}))) == (500, SCRIPT)
    assert text.server.scorers() == [scorer]


def test_a_timeout_error_of_the_scripts_own(text: Pair) -> None:
    judge, ours = text.ask(post({"do": "timeout"}))
    assert (told(judge), told(ours)) == ((500, {"message": "Scoring timeout after 3600000 ms"}), (500, SCRIPT))


@pytest.mark.parametrize(
    "asked",
    [Asked(body=b"a=1&b=2", headers=(FORM,)), Asked(body=UPLOAD.replace(b"\xff", b""), headers=(MULTIPART,))],
    ids=["urlencoded", "multipart"],
)
def test_a_form_sent_to_an_undecorated_run(text: Pair, asked: Asked) -> None:
    judge, ours = text.ask(asked)
    assert (told(judge), told(ours)) == ((200, ""), (200, (asked.body or b"").decode()))


def test_a_query_nested_too_deep(text: Pair) -> None:
    judge, ours = text.ask(Asked("GET", "/score?a=" + "[" * 3_000))
    assert (judge.status, ours.status) == (500, 400)


@pytest.mark.parametrize("body", [b"\xff{}", b"[" * 60_000], ids=["not UTF-8", "nested too deep"])
def test_what_cannot_be_parsed_for_an_input_schema(schema: Pair, body: bytes) -> None:
    judge, ours = schema.ask(Asked(body=body, headers=(JSON,)))
    assert (judge.status, ours.status) == (500, 400)


def test_a_request_id_that_is_too_long(text: Pair) -> None:
    judge, ours = text.ask(Asked(body=b"x", headers=(("x-request-id", "q" * 101),)))
    assert (judge.status, judge.body) == (ours.status, ours.body)
    assert ("x-request-id", "<id>") in ours.headers
    assert "x-request-id" not in dict(judge.headers)


@pytest.mark.parametrize(
    "asked",
    [Asked("GET", "/nothing"), Asked("PUT", "/score"), Asked("POST", "/"), Asked("GET", "/score/")],
    ids=str,
)
def test_ids_and_allow_of_what_is_refused(text: Pair, asked: Asked) -> None:
    judge, ours = text.ask(asked)
    assert (judge.status, judge.body) == (ours.status, ours.body)
    assert "x-request-id" not in dict(judge.headers)
    assert ("x-request-id", "<id>") in ours.headers
    assert ("allow" in dict(ours.headers)) is (ours.status == 405)


def test_whether_run_failed_is_always_told(tmp_path: Path) -> None:
    """Of flask's own Response, azmlinfsrv does not tell it; the script must be served with flask there."""
    from tests.contract.judge import AZURE, require_azure

    require_azure()
    folder = laid_out(tmp_path / "app")
    words = ("--entry_script", "flasks.py")
    with judging_with(folder, tmp_path / "log", *words) as judge, serving(cwd=folder, python=AZURE) as serve:
        ours = serve(*words).ready().url
        asked = post({"do": "response"})
        assert "x-ms-run-function-failed" not in dict(ask(judge, asked).headers)
        assert ("x-ms-run-function-failed", "False") in ask(ours, asked).headers


def test_a_length_that_the_script_gives(text: Pair) -> None:
    judge, ours = text.ask(post({"do": "length"}))
    lengths = [[value for name, value in answer.headers if name == "content-length"] for answer in (judge, ours)]
    assert lengths == [["4", "4"], ["4"]]


def test_a_script_that_says_itself_that_it_failed(text: Pair) -> None:
    judge, ours = text.ask(post({"do": "failed"}))
    told = [sorted(value for name, value in one.headers if name == "x-ms-run-function-failed") for one in (judge, ours)]
    assert told == [["False", "True"], ["True"]]


def test_a_generator_that_fails_at_once(text: Pair) -> None:
    judge, ours = text.ask(post({"do": "broken"}))
    assert (judge.status, dict(judge.headers)["content-type"]) == (500, "text/html")
    assert told(ours) == (500, SCRIPT)
    assert ("x-ms-run-function-failed", "True") in ours.headers


def test_a_status_that_is_none(text: Pair) -> None:
    judge, ours = text.ask(post({"do": "status"}))
    assert judge.status == 999
    assert told(ours) == (500, INTERNAL)


def test_what_options_are_allowed(text: Pair) -> None:
    judge, ours = text.ask(Asked("OPTIONS", "/score"))
    assert ("allow" in dict(judge.headers), dict(ours.headers)["allow"]) == (False, "GET, OPTIONS, POST")


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        ((), {"AZUREML_LOG_LEVEL": "VERBOSE"}),
        ((), {"SEPERATE_HEALTH_ENDPOINT": "maybe"}),
        (("--config_file", "nowhere.json"), {}),
    ],
)
def test_a_setting_that_makes_no_sense(arguments: tuple[str, ...], environment: dict[str, str], tmp_path: Path) -> None:
    folder = laid(tmp_path / "app", {"score.py": "def init(): pass\ndef run(data): return 1"})
    words = ("--entry_script", "score.py", *arguments)
    with judging_with(folder, tmp_path / "log", *words, **environment), serving(cwd=folder, python=PLAIN) as serve:
        assert serve(*words, **environment).process.wait(30) == 2


def test_shortened_flags(tmp_path: Path) -> None:
    folder = laid(tmp_path / "app", {"score.py": "def init(): pass\ndef run(data): return 1"})
    with judging_with(folder, tmp_path / "log", "--entry", "score.py"), serving(cwd=folder, python=PLAIN) as serve:
        assert serve("--entry", "score.py").process.wait(30) == 2


def test_probes_that_come_too_early(tmp_path: Path) -> None:
    script = (
        "import os, time\ndef init():\n    while not os.path.exists('go'): time.sleep(0.01)\ndef run(data): return 1"
    )
    folder = laid(tmp_path / "app", {"score.py": script})
    words = ("--entry_script", "score.py")
    with serving(cwd=folder, python=PLAIN) as serve, ThreadPoolExecutor(1) as threads:
        server = serve(*words).listening()
        early = ask(server.url, PROBE)
        assert (early.status, dict(early.headers)["retry-after"]) == (503, "1")
        waiting = threads.submit(judged_early, folder, tmp_path / "log", *words)
        assert waiting.result(60).status == 200


def judged_early(folder: Path, log: Path, *words: str) -> Answered:
    """What azmlinfsrv answers to a probe that it is sent before init() is done."""
    with starting(folder, log, *words) as url, ThreadPoolExecutor(1) as threads:
        asked = threads.submit(ask, url, PROBE)
        assert not asked.done()
        (folder / "go").touch()
        return asked.result(60)


def test_more_requests_than_there_is_room_for(tmp_path: Path) -> None:
    script = """
        import os, time
        def init(): pass
        def run(data):
            while not os.path.exists("go"):
                time.sleep(0.01)
            return 1
        """
    folder = laid(tmp_path / "app", {"score.py": script})
    words = ("--entry_script", "score.py")
    with (
        judging_with(folder, tmp_path / "log", *words) as judge,
        serving(cwd=folder, python=PLAIN) as serve,
        ThreadPoolExecutor(6) as threads,
    ):
        ours = serve(*words, "--max-concurrent-requests-per-instance", "2").ready().url
        sent = [[threads.submit(ask, url, post(1)) for _ in range(3)] for url in (judge, ours)]
        wait_until(lambda: any(one.done() for one in sent[1]))
        (folder / "go").touch()
        found = [sorted(one.result(60).status for one in three) for three in sent]
        assert found == [[200, 200, 200], [200, 200, 429]]


def test_a_client_that_sends_no_more(text: Pair) -> None:
    request = b"POST /score HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1\r\n\r\n1"
    assert raw_exchange(text.judge, request, end=True).endswith(b'"1"')
    assert raw_exchange(text.ours, request, end=True) == b""
    assert raw_exchange(text.ours, request, end=False).endswith(b'"1"')


def test_a_worker_that_cannot_be_replaced(tmp_path: Path) -> None:
    script = """
        import os
        def init():
            if os.path.exists("started"):
                raise OSError("the model is gone")
            open("started", "w").close()
        def run(data):
            os._exit(1)
        """
    folder = laid(tmp_path / "app", {"score.py": script})
    words = ("--entry_script", "score.py")
    with serving(cwd=folder, python=PLAIN) as serve:
        server = serve(*words).ready()
        assert ask(server.url, post(1)).status == 500
        server.line("A scorer cannot be replaced: init.. in .* failed")
        assert ask(server.url, post(1)).status == 503
        (folder / "started").unlink()
        wait_until(lambda: ask(server.url, Asked("GET", "/")).status == 200)
    (folder / "started").unlink()
    with judging_with(folder, tmp_path / "log", *words) as judge:
        with pytest.raises(ConnectionError):
            ask(judge, post(1))
        wait_until(lambda: "Worker failed to boot" in (tmp_path / "log").read_text())


def test_flasks_application(tmp_path: Path) -> None:
    from tests.contract.judge import AZURE, require_azure

    require_azure()
    script = """
        from flask import after_this_request, request
        def init(): pass
        def run(data):
            @after_this_request
            def more(response):
                response.headers["X-Mine"] = "1"
                return response
            return request.endpoint
        """
    folder = laid(tmp_path / "app", {"score.py": script})
    words = ("--entry_script", "score.py")
    with judging_with(folder, tmp_path / "log", *words) as judge, serving(cwd=folder, python=AZURE) as serve:
        theirs, mine = ask(judge, post(1)), ask(serve(*words).ready().url, post(1))
    assert (told(theirs), told(mine)) == ((200, "main.handle_score"), (200, {}))
    assert ("x-mine" in dict(theirs.headers), "x-mine" in dict(mine.headers)) == (True, False)


def test_more_routes(text: Pair) -> None:
    for path in ("/livez", "/readyz", "/openapi.json", "/docs", "/v2"):
        judge, ours = text.ask(Asked("GET", path))
        assert (path, judge.status, ours.status) == (path, 404, 200)


def test_the_servers_name(text: Pair) -> None:
    import httpx

    assert httpx.get(text.judge + "/").headers["x-ms-server-version"] == "azmlinfsrv/1.5.1"
    assert httpx.get(text.ours + "/").headers["x-ms-server-version"].startswith("scorewright/")


def test_connections_are_kept(text: Pair) -> None:
    import httpx

    assert httpx.get(text.judge + "/").headers["connection"] == "close"
    assert "connection" not in httpx.get(text.ours + "/").headers


def test_the_deprecated_id_is_logged_once(text: Pair) -> None:
    deprecated = Asked(body=b"x", headers=(("x-ms-request-id", "legacy"),))
    for _ in range(3):
        text.ask(deprecated)
    assert text.judge_log.read_text().count("has been deprecated") == 3
    assert text.server.log.count("which is deprecated") == 1


def test_a_line_for_each_request_is_asked_for(text: Pair) -> None:
    text.ask(Asked("GET", "/score?seen=once"))
    assert "GET /score?seen=once 200" in text.judge_log.read_text()
    assert "seen=once" not in text.server.log


def test_what_is_logged_without_any_set_up(tmp_path: Path) -> None:
    script = "import logging\ndef init():\n    logging.info('of init')\ndef run(data):\n    return 1\n"
    folder = laid(tmp_path / "app", {"score.py": script})
    words = ("--entry_script", "score.py")
    with judging_with(folder, tmp_path / "log", *words), serving(cwd=folder, python=PLAIN) as serve:
        serve(*words).ready().line(r"INFO \[\d+\] of init$")
        assert "of init" not in (tmp_path / "log").read_text()


def test_modules_beside_the_script(tmp_path: Path) -> None:
    script = "import helper\ndef init():\n    pass\ndef run(data):\n    return 1\n"
    folder = laid(tmp_path / "app", {"code/score.py": script, "code/helper.py": ""})
    words = ("--entry_script", "code/score.py")
    assert judged_exit(folder, *words) == 3
    with serving(cwd=folder, python=PLAIN) as serve:
        serve(*words).ready()


def test_init_with_workers_preloaded(tmp_path: Path) -> None:
    script = "import os\ndef init():\n    open('started', 'a').write('x')\ndef run(data):\n    return 1\n"
    words = ("--entry_script", "score.py", "--worker_count", "2")
    judge, ours = (laid(tmp_path / name, {"score.py": script}) for name in ("judge", "ours"))
    with (
        judging_with(judge, tmp_path / "log", *words, WORKER_PRELOAD="true"),
        serving(cwd=ours, python=PLAIN) as serve,
    ):
        server = serve(*words, WORKER_PRELOAD="true")
        server.line("WORKER_PRELOAD is set; each scorer calls init")
        server.ready()
        wait_until(lambda: httpx.get(server.url + "/readyz").json()["scorers"] == 2)
    assert ((judge / "started").read_text(), (ours / "started").read_text()) == ("x", "xx")


def test_the_exit_code_of_wrong_words(tmp_path: Path) -> None:
    folder = laid(tmp_path / "app", {"bad.json": "{", "score.py": ""})
    for words, code in ((("--no_flag",), 1), (("--entry_script", "score.py", "--config_file", "bad.json"), 3)):
        assert judged_exit(folder, *words) == code
        with serving(cwd=folder, python=PLAIN) as serve:
            assert serve(*words).process.wait(30) == 2


def test_settings_in_a_file_that_azmlinfsrv_passes_over(tmp_path: Path) -> None:
    files = {"score.py": "def init(): pass\ndef run(data): return 1", "config.json": '{"AML_CORS_ORIGINS": "*"}'}
    folder = laid(tmp_path / "app", files)
    words = ("--entry_script", "score.py")
    asked = Asked(body=b"x", headers=(("Origin", "https://a.example"),))
    with judging_with(folder, tmp_path / "log", *words) as judge, serving(cwd=folder, python=PLAIN) as serve:
        ours = serve(*words).ready().url
        allowed = ("access-control-allow-origin", "https://a.example")
        assert (allowed in ask(judge, asked).headers, allowed in ask(ours, asked).headers) == (False, True)


def test_an_empty_environment_variable(tmp_path: Path) -> None:
    import httpx

    folder = laid(tmp_path / "app", {"score.py": "def init(): pass\ndef run(data): return 1"})
    words, empty = ("--entry_script", "score.py"), {"SERVER_VERSION_LOG_RESPONSE_ENABLED": ""}
    with judging_with(folder, tmp_path / "log", *words, **empty) as judge, serving(cwd=folder, python=PLAIN) as serve:
        ours = serve(*words, **empty).ready().url
        assert ["x-ms-server-version" in httpx.get(url).headers for url in (judge, ours)] == [False, True]


def test_a_worker_that_takes_too_long(tmp_path: Path) -> None:
    """Ended after WORKER_TIMEOUT by both: azmlinfsrv's client gets an HTML page, ours is told."""
    script = "import time\ndef init(): pass\ndef run(data):\n    time.sleep(60)\n"
    folder = laid(tmp_path / "app", {"score.py": script})
    words = ("--entry_script", "score.py")
    with (
        judging_with(folder, tmp_path / "log", *words, WORKER_TIMEOUT="1") as judge,
        serving(cwd=folder, python=PLAIN) as serve,
    ):
        ours = serve(*words, WORKER_TIMEOUT="1").ready().url
        assert dict(ask(judge, post(1)).headers)["content-type"] == "text/html"
        assert told(ask(ours, post(1))) == (500, {"message": "Scoring took longer than 1 s."})
        assert ask(ours, Asked("GET", "/livez")).status == 200


def test_a_run_that_cannot_be_interrupted(tmp_path: Path) -> None:
    """Its time is over, and it is in C, or blocks the signal: azmlinfsrv waits until it returns."""
    script = f"""
        import signal, time
        def init(): pass
        def run(data):
            signal.pthread_sigmask(signal.SIG_BLOCK, [{int(signal.SIGALRM)}])
            time.sleep(8)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [{int(signal.SIGALRM)}])
            return "much too late"
        """
    folder = laid(tmp_path / "app", {"score.py": script})
    words = ("--entry_script", "score.py")
    with (
        judging_with(folder, tmp_path / "log", *words, SCORING_TIMEOUT_MS="200") as judge,
        serving(cwd=folder, python=PLAIN) as serve,
    ):
        server = serve(*words, SCORING_TIMEOUT_MS="200").ready()
        timeout = (500, {"message": "Scoring timeout after 200 ms"})
        assert told(ask(server.url, post(1))) == timeout
        server.line(r"Scorer \d+ died: it was killed by SIGKILL")
        assert told(ask(judge, post(1))) == timeout
        assert "much too late" not in (tmp_path / "log").read_text()


def test_time_spent_in_the_queue(tmp_path: Path) -> None:
    script = "import time\ndef init(): pass\ndef run(data):\n    time.sleep(0.7)\n    return 1\n"
    folder = laid(tmp_path / "app", {"score.py": script})
    words = ("--entry_script", "score.py")
    with (
        judging_with(folder, tmp_path / "log", *words, SCORING_TIMEOUT_MS="1000") as judge,
        serving(cwd=folder, python=PLAIN) as serve,
        ThreadPoolExecutor(3) as threads,
    ):
        ours = serve(*words, SCORING_TIMEOUT_MS="1000").ready().url
        late = (500, {"message": "Scoring timeout after 1000 ms"})
        for url, expected in ((judge, [(200, 1)] * 3), (ours, [(200, 1), late, late])):
            sent = [threads.submit(ask, url, post(1)) for _ in range(3)]
            assert sorted((told(one.result(60)) for one in sent), key=str) == expected


def test_bodies_have_a_limit(tmp_path: Path) -> None:
    folder = laid(tmp_path / "app", {"score.py": "def init(): pass\ndef run(data): return len(data)"})
    words = ("--entry_script", "score.py")
    with judging_with(folder, tmp_path / "log", *words) as judge, serving(cwd=folder, python=PLAIN) as serve:
        ours = serve(*words, SCOREWRIGHT_MAX_BODY_BYTES="1000").ready().url
        large = Asked(body=b"x" * 1001)
        assert (ask(judge, large).status, ask(ours, large).status) == (200, 413)


def test_every_difference_is_listed_and_every_row_has_its_test() -> None:
    tests = {name for name, found in globals().items() if name.startswith("test_") and callable(found)}
    listed = re.findall(r"^\| .* \| `(test_\w+)` \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(tests - {"test_every_difference_is_listed_and_every_row_has_its_test"})
