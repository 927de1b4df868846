"""The engine with scorers that only write down what they are given."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from scorewright.errors import RequestError
from scorewright.service.engine import BATCH_BYTES, CHECK_SECONDS, SWEEP_SECONDS, ClientGoneError, Engine
from scorewright.service.frames import JSON_HEADERS, Ready, Scored

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence


class Recorder:
    """A scorer that keeps what it is given until the test has it answer."""

    def __init__(self, engine: Engine, *, run_many: bool = True) -> None:
        self.script = Ready(run_many=run_many)
        self.given: list[list[bytes]] = []
        self.heard: list[str] = []
        self._engine = engine

    def send(self, requests: Sequence[tuple[bytes, bytes, bytes]]) -> None:
        self.given.append([body for *_, body in requests])

    def cancel(self, number: int) -> None:
        self.heard.append(f"cancel {number}")

    def hold(self, *, back: bool) -> None:
        self.heard.append("hold" if back else "go on")

    def answer(self, *numbers: int) -> None:
        """Echo these requests of the last batch, all of them by default."""
        bodies = self.given[-1]
        chosen = numbers or range(len(bodies))
        self._engine.scored(self, [Scored(n, 200, False, 0.0, JSON_HEADERS, bodies[n]) for n in chosen])


def here() -> bool:
    return False


def left() -> bool:
    return True


def ask(engine: Engine, *bodies: bytes, gone: Callable[[], bool] = here) -> list[asyncio.Task[Scored]]:
    return [asyncio.create_task(engine.score(b"id", body, gone)) for body in bodies]


async def turn() -> None:
    """Let everything happen that waits for nothing."""
    for _ in range(5):
        await asyncio.sleep(0)


def run(test: Callable[[], Coroutine[object, object, None]]) -> None:
    asyncio.run(test())


def test_what_waits_goes_as_one_batch_and_each_gets_its_own_answer() -> None:
    async def test() -> None:
        engine = Engine(max_queue=10, max_batch=3)
        scorer = Recorder(engine)
        engine.join(scorer)
        tasks = ask(engine, b"a")
        await turn()
        tasks += ask(engine, b"b", b"c", b"d", b"e")
        await turn()
        assert scorer.given == [[b"a"]]
        scorer.answer()
        assert scorer.given == [[b"a"], [b"b", b"c", b"d"]]
        scorer.answer(2, 0)
        assert len(scorer.given) == 2
        scorer.answer(1)
        scorer.answer()
        assert [(await task).body for task in tasks] == [b"a", b"b", b"c", b"d", b"e"]

    run(test)


def test_requests_of_one_moment_make_one_batch() -> None:
    async def test() -> None:
        engine = Engine(max_queue=10, max_batch=10)
        scorer = Recorder(engine)
        engine.join(scorer)
        tasks = ask(engine, b"a", b"b", b"c")
        await turn()
        assert scorer.given == [[b"a", b"b", b"c"]]
        scorer.answer()
        await asyncio.gather(*tasks)

    run(test)


def test_without_run_many_they_go_one_at_a_time_to_whoever_is_free() -> None:
    async def test() -> None:
        engine = Engine(max_queue=10, max_batch=10)
        first, second = Recorder(engine, run_many=False), Recorder(engine, run_many=False)
        engine.join(first)
        engine.join(second)
        tasks = ask(engine, b"a", b"b", b"c")
        await turn()
        assert (first.given, second.given) == ([[b"a"]], [[b"b"]])
        second.answer()
        assert second.given == [[b"b"], [b"c"]]
        first.answer()
        second.answer()
        await asyncio.gather(*tasks)

    run(test)


def test_a_batch_of_large_bodies_is_cut() -> None:
    async def test() -> None:
        engine = Engine(max_queue=10, max_batch=10)
        scorer = Recorder(engine)
        engine.join(scorer)
        large = bytes(BATCH_BYTES)
        tasks = ask(engine, large, large)
        await turn()
        assert [len(batch) for batch in scorer.given] == [1]
        scorer.answer()
        scorer.answer()
        await asyncio.gather(*tasks)

    run(test)


def test_a_full_queue_is_429_and_nothing_else_is_disturbed() -> None:
    async def test() -> None:
        engine = Engine(max_queue=2, max_batch=10)
        scorer = Recorder(engine)
        engine.join(scorer)
        running = ask(engine, b"a")
        await turn()
        waiting = ask(engine, b"b", b"c")
        await turn()
        with pytest.raises(RequestError) as refused:
            await engine.score(b"id", b"d", here)
        assert (refused.value.status, "2 are waiting" in refused.value.message) == (429, True)
        scorer.answer()
        scorer.answer()
        assert [(await task).body for task in running + waiting] == [b"a", b"b", b"c"]

    run(test)


def test_a_client_that_left_gives_its_place_back_and_is_not_scored() -> None:
    async def test() -> None:
        engine = Engine(max_queue=2, max_batch=10)
        scorer = Recorder(engine)
        engine.join(scorer)
        tasks = ask(engine, b"a")
        await turn()
        gone = ask(engine, b"b", gone=left)
        tasks += ask(engine, b"c")
        await turn()
        tasks += ask(engine, b"d")
        await turn()
        gone += ask(engine, b"e", gone=left)
        await asyncio.sleep(SWEEP_SECONDS)
        scorer.answer()
        scorer.answer()
        assert scorer.given == [[b"a"], [b"c", b"d"]]
        outcomes = await asyncio.gather(*gone, return_exceptions=True)
        assert isinstance(outcomes[0], ClientGoneError)
        assert isinstance(outcomes[1], RequestError)
        await asyncio.gather(*tasks)

    run(test)


def test_a_batch_of_clients_that_left_leaves_the_scorer_free() -> None:
    async def test() -> None:
        engine = Engine(max_queue=5, max_batch=10)
        scorer = Recorder(engine)
        engine.join(scorer)
        (task,) = ask(engine, b"a")
        await turn()
        gone = ask(engine, b"b", b"c", gone=left)
        await asyncio.sleep(CHECK_SECONDS)
        scorer.answer()
        assert scorer.given == [[b"a"]]
        tasks = [task, *ask(engine, b"d")]
        await turn()
        scorer.answer()
        assert [(await task).body for task in tasks] == [b"a", b"d"]
        assert all(
            isinstance(outcome, ClientGoneError) for outcome in await asyncio.gather(*gone, return_exceptions=True)
        )

    run(test)


def test_a_scorer_that_dies_fails_only_what_it_was_scoring() -> None:
    async def test() -> None:
        engine = Engine(max_queue=10, max_batch=2)
        scorer = Recorder(engine)
        engine.join(scorer)
        scoring = ask(engine, b"a", b"b")
        await turn()
        waiting = ask(engine, b"c")
        await turn()
        scorer.answer(0)
        engine.leave(scorer)
        assert not engine.ready
        assert (await scoring[0]).status == 200
        with pytest.raises(RequestError, match="ended unexpectedly") as died:
            await scoring[1]
        assert (died.value.status, died.value.failed) == (500, True)
        replacement = Recorder(engine)
        engine.join(replacement)
        await turn()
        replacement.answer()
        assert (await waiting[0]).body == b"c"

    run(test)


def test_a_free_scorer_that_dies_is_given_nothing() -> None:
    async def test() -> None:
        engine = Engine(max_queue=10, max_batch=2)
        scorer = Recorder(engine)
        engine.join(scorer)
        engine.leave(scorer)
        ask(engine, b"a")
        await turn()
        assert scorer.given == []
        assert engine.scorers == 0

    run(test)


def test_a_dying_scorer_is_given_nothing_more_but_its_answers_still_count() -> None:
    async def test() -> None:
        engine = Engine(max_queue=10, max_batch=1)
        scorer = Recorder(engine)
        engine.join(scorer)
        tasks = ask(engine, b"a")
        await turn()
        engine.retire(scorer)
        assert engine.scorers == 0
        tasks += ask(engine, b"b")
        await turn()
        scorer.answer()
        assert scorer.given == [[b"a"]]
        engine.leave(scorer)
        replacement = Recorder(engine)
        engine.join(replacement)
        await turn()
        replacement.answer()
        assert [(await task).body for task in tasks] == [b"a", b"b"]

    run(test)


def test_before_the_first_scorer_and_when_none_can_be_had_requests_are_refused_503() -> None:
    async def test() -> None:
        engine = Engine(max_queue=10, max_batch=2)
        with pytest.raises(RequestError, match="init") as refused:
            await engine.score(b"id", b"a", here)
        assert refused.value.status == 503
        scorer = Recorder(engine)
        engine.join(scorer)
        engine.leave(scorer)
        (waiting,) = ask(engine, b"b")
        await turn()
        engine.close("No scorer.")
        with pytest.raises(RequestError, match="No scorer"):
            await waiting
        with pytest.raises(RequestError, match="No scorer"):
            await engine.score(b"id", b"c", here)
        engine.join(Recorder(engine))
        assert engine.ready
        engine.draining = True
        assert (engine.ready, engine.state) == (False, "The service is stopping.")

    run(test)


def test_a_request_given_up_by_its_task_is_forgotten() -> None:
    async def test() -> None:
        engine = Engine(max_queue=10, max_batch=10)
        scorer = Recorder(engine)
        engine.join(scorer)
        running = ask(engine, b"a")
        await turn()
        waiting = ask(engine, b"b")
        await turn()
        for task in running + waiting:
            task.cancel()
        await turn()
        scorer.answer()
        assert scorer.given == [[b"a"]]

    run(test)
