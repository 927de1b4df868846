"""The scorer: what run() and run_many() return or raise becomes each request's own answer."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from scorewright.contract.run_form import RunForm
from scorewright.contract.script import EntryScript
from scorewright.service import frames
from scorewright.service.calls import Calls
from scorewright.service.channel import Channel
from scorewright.service.log import Current
from scorewright.service.scoring import Scorer
from scorewright.service.status import Status
from tests.aml import AMLResponse
from tests.contract.judge import PLAIN, require_judge
from tests.service.servers import OBEDIENT, serving, write_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scorewright.service.frames import Scored

SCRIPT_ERROR = {"message": "An unexpected error occurred in scoring script. Check the logs for more info."}
INTERNAL_ERROR = {"message": "An unexpected internal error occurred. Check the logs for more info."}


@pytest.fixture
def channel() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def answers(
    channel: tuple[socket.socket, socket.socket],
    bodies: list[bytes],
    run: Callable[[str], Any],
    run_many: Callable[[list[str]], Any] | None = None,
) -> list[Scored]:
    """What a scorer with these functions answers, in the order of the requests."""
    ours, theirs = channel
    script = EntryScript(Path("score.py"), lambda: None, run, RunForm.of(run), run_many)
    logger = logging.getLogger("scorer")
    scorer = Scorer(script, Calls(script), Status.create(), silence=60, current=Current(), logger=logger)
    scorer.score(
        Channel(theirs),
        [frames.Request(f"id-{number}", memoryview(b""), memoryview(body)) for number, body in enumerate(bodies)],
    )
    came: list[Scored] = []
    stream = Channel(ours)
    while len(came) < len(bodies):
        frame = stream.read()
        assert frame is not None
        came += frames.unpack_scored(frame[1])
    return sorted(came)


def echo(raw: str) -> object:
    return json.loads(raw)


def raising(error: BaseException) -> Callable[[object], object]:
    def run(_: object) -> object:
        raise error

    return run


def test_run_is_given_the_body_as_text(channel: tuple[socket.socket, socket.socket]) -> None:
    (scored,) = answers(channel, ["é 😀".encode()], lambda raw: [type(raw).__name__, raw])
    assert json.loads(scored.body) == ["str", "é 😀"]
    assert (scored.status, scored.failed, scored.headers) == (200, False, frames.JSON_HEADERS)
    assert scored.milliseconds >= 0


@pytest.mark.parametrize("error", [ValueError("secret"), SystemExit(3), KeyboardInterrupt(), RecursionError()])
def test_whatever_run_raises_is_a_500_that_says_nothing(
    error: BaseException, channel: tuple[socket.socket, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    (scored,) = answers(channel, [b"1"], raising(error))
    assert (scored.status, scored.failed, json.loads(scored.body)) == (500, True, SCRIPT_ERROR)
    assert scored.milliseconds < 0
    (record,) = caplog.records
    assert record.exc_info is not None


@pytest.mark.parametrize(
    "value",
    [
        object(),
        AMLResponse("x", 999),
        AMLResponse("x", 200, {"Bad Header": "x"}),
        AMLResponse("x", 200, {"X": "☃"}),
    ],
)
def test_what_cannot_be_sent_is_a_500(value: object, channel: tuple[socket.socket, socket.socket]) -> None:
    (scored,) = answers(channel, [b"1"], lambda _: value)
    assert (scored.status, json.loads(scored.body)) == (500, INTERNAL_ERROR)


def test_a_response_of_the_scripts_own_passes_through(channel: tuple[socket.socket, socket.socket]) -> None:
    (scored,) = answers(channel, [b"1"], lambda _: AMLResponse("gone", 503, {"X-Mine": "a, b"}))
    assert (scored.status, scored.body, scored.failed) == (503, b"gone", True)
    assert scored.headers == [(b"content-type", b"text/html; charset=utf-8"), (b"x-mine", b"a"), (b"x-mine", b"b")]


def test_run_many_scores_all_but_what_is_not_utf8(channel: tuple[socket.socket, socket.socket]) -> None:
    given: list[list[str]] = []

    def run_many(raws: list[str]) -> list[object]:
        given.append(raws)
        return [ValueError(raw) if raw == "2" else json.loads(raw) for raw in raws]

    came = answers(channel, [b"1", b"\xff", b"2", b"3"], raising(AssertionError()), run_many)
    assert given == [["1", "2", "3"]]
    assert [item.status for item in came] == [200, 400, 500, 200]
    assert (came[0].body, came[3].body) == (b"1", b"3")
    assert json.loads(came[1].body)["message"].startswith("Input cannot be decoded as UTF-8: 'utf-8' codec can't")
    assert json.loads(came[2].body) == SCRIPT_ERROR


def test_a_lone_request_goes_through_run(channel: tuple[socket.socket, socket.socket]) -> None:
    (scored,) = answers(channel, [b"1"], echo, raising(AssertionError()))
    assert scored.body == b"1"


@pytest.mark.parametrize(
    "run_many",
    [raising(ValueError()), raising(SystemExit(1)), lambda raws: raws[1:], lambda raws: [*raws, 1], lambda _: None],
)
def test_where_run_many_fails_run_decides(
    run_many: Callable[[list[str]], object],
    channel: tuple[socket.socket, socket.socket],
    caplog: pytest.LogCaptureFixture,
) -> None:
    came = answers(channel, [b"1", b"nonsense", b"3"], echo, run_many)
    assert [item.status for item in came] == [200, 500, 200]
    assert "each is scored by run()" in caplog.text


def test_a_scorer_imports_nothing_of_the_front(tmp_path: Path) -> None:
    """Where flask is installed, a script is given flask's classes, which bring along some of it."""
    require_judge()
    with serving(python=PLAIN) as serve:
        server = serve(str(write_bundle(tmp_path / "b", OBEDIENT))).ready()
        modules = set(httpx.post(server.url + "/score", json={"modules": 1}).json())
    assert "scorewright.contract.script" in modules
    assert not modules & {"fastapi", "uvicorn", "uvloop", "typer", "jinja2", "rich", "pydantic", "asyncio", "numpy"}


def test_the_front_imports_nothing_that_models_need() -> None:
    code = (
        "import sys; from scorewright.service import server, app, http_server, score_route, settings; "
        "print(*sorted({'numpy', 'pandas', 'sklearn', 'joblib', 'keras', 'tensorflow'} & sys.modules.keys()))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


@pytest.mark.parametrize(("cancelled", "came"), [(0, []), (5, [b"a", b"b"])])
def test_only_the_answer_that_is_cancelled_ends_early(
    cancelled: int, came: list[bytes], channel: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = channel
    ours.sendall(frames.pack_cancel(cancelled))

    def run(raw: str) -> object:
        return AMLResponse(iter("ab"), 200)

    script = EntryScript(Path("score.py"), lambda: None, run, RunForm.of(run))
    logger = logging.getLogger("scorer")
    scorer = Scorer(script, Calls(script), Status.create(), silence=60, current=Current(), logger=logger)
    scorer.score(Channel(theirs), [frames.Request("id", memoryview(b""), memoryview(b"x"))])
    theirs.shutdown(socket.SHUT_WR)
    stream = Channel(ours)
    found = []
    while (frame := stream.read()) is not None:
        found.append(frame)
    (begun,) = frames.unpack_scored(found[0][1])
    assert (begun.status, begun.more) == (200, True)
    pieces = [frames.unpack_piece(payload) for _, payload in found[1:]]
    assert [piece.body for piece in pieces[:-1]] == came
    assert pieces[-1] == frames.Piece(0, frames.End.LAST, b"")


class Short:
    """Says that it has as many items as it was asked for, and has fewer."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        return iter(["one"])


class Table(list[str]):
    columns = ("a", "b")


@pytest.mark.parametrize("odd", [Short, lambda n: dict.fromkeys(range(n)), lambda n: "x" * n, lambda n: Table("x" * n)])
def test_what_is_no_list_with_an_item_a_request_leaves_it_to_run(
    odd: Callable[[int], object], channel: tuple[socket.socket, socket.socket]
) -> None:
    came = answers(channel, [b"1", b"2", b"3"], echo, lambda raws: odd(len(raws)))
    assert [scored.body for scored in came] == [b"1", b"2", b"3"]
