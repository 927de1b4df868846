"""The engine with scorers that only write down what they are given."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from scorewright.errors import RequestError
from scorewright.service.engine import CHECK_SECONDS, SWEEP_SECONDS, Engine
from scorewright.service.frames import JSON_HEADERS, Outgoing, Ready, Scored
from scorewright.service.job import ClientGoneError
from scorewright.service.limits import BATCH_BYTES, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence


class Recorder:
    """A scorer that keeps what it is given until the test has it answer."""

    def __init__(self, engine: Engine, *, run_many: bool = True) -> None:
        self.script = Ready(run_many=run_many)
        self.given: list[list[bytes]] = []
        self.heard: list[str] = []
        self.begun = True
        self.idle = True
        self._engine = engine

    def send(self, requests: Sequence[Outgoing]) -> None:
        self.given.append([request.body for request in requests])

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
    return [asyncio.create_task(score(engine, body, gone=gone)) for body in bodies]


async def score(engine: Engine, body: bytes, *, budget: float | None = None, gone: Callable[[], bool] = here) -> Scored:
    with engine.place(budget) as place:
        place.hold(len(body))
        return await engine.score(place, b"id", body, gone)


async def turn() -> None:
    """Let everything happen that waits for nothing."""
    for _ in range(5):
        await asyncio.sleep(0)


def run(test: Callable[[], Coroutine[object, object, None]]) -> None:
    asyncio.run(test())


def test_what_waits_goes_as_one_batch_and_each_gets_its_own_answer() -> None:
    async def test() -> None:
        engine = Engine(Limits(requests=11, batch_requests=3))
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
        engine = Engine(Limits(requests=11, batch_requests=10))
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
        engine = Engine(Limits(requests=11, batch_requests=10))
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
        engine = Engine(Limits(requests=11, batch_requests=10))
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
        engine = Engine(Limits(requests=3, batch_requests=10))
        scorer = Recorder(engine)
        engine.join(scorer)
        running = ask(engine, b"a")
        await turn()
        waiting = ask(engine, b"b", b"c")
        await turn()
        with pytest.raises(RequestError) as refused:
            await score(engine, b"d")
        assert (refused.value.status, "3 are waiting or being scored" in refused.value.message) == (429, True)
        scorer.answer()
        scorer.answer()
        assert [(await task).body for task in running + waiting] == [b"a", b"b", b"c"]

    run(test)


def test_a_client_that_left_gives_its_place_back_and_is_not_scored() -> None:
    async def test() -> None:
        engine = Engine(Limits(requests=3, batch_requests=10))
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
        engine = Engine(Limits(requests=6, batch_requests=10))
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


def test_bodies_for_which_there_is_no_room_are_429() -> None:
    async def test() -> None:
        engine = Engine(Limits(held_bytes=5))
        scorer = Recorder(engine)
        engine.join(scorer)
        tasks = ask(engine, b"abc")
        await turn()
        with pytest.raises(RequestError, match="3 bytes of the 5") as refused:
            await score(engine, b"def")
        assert refused.value.status == 429
        tasks += ask(engine, b"de")
        await turn()
        scorer.answer()
        scorer.answer()
        await asyncio.gather(*tasks)
        tasks = ask(engine, b"abcde")
        await turn()
        scorer.answer()
        assert (await tasks[0]).body == b"abcde"

    run(test)


def test_a_batch_ends_before_the_request_with_which_it_would_have_too_many_rows() -> None:
    async def test() -> None:
        engine = Engine(Limits(batch_rows=10), lambda request: len(request.body))
        scorer = Recorder(engine)
        engine.join(scorer)
        sizes = [4, 6, 1, 30, 2, 8, 1]
        tasks = ask(engine, *(b"x" * size for size in sizes))
        await turn()
        for _ in range(4):
            scorer.answer()
        assert [[len(body) for body in batch] for batch in scorer.given] == [[4, 6], [1], [30], [2, 8], [1]]
        scorer.answer()
        await asyncio.gather(*tasks)

    run(test)


def test_what_a_dead_scorer_had_not_begun_is_scored_by_another() -> None:
    async def test() -> None:
        engine = Engine(Limits())
        dead, living = Recorder(engine), Recorder(engine)
        engine.join(dead)
        (task,) = ask(engine, b"a")
        await turn()
        dead.begun = False
        engine.leave(dead)
        engine.join(living)
        await turn()
        living.answer()
        assert (dead.given, living.given) == ([[b"a"]], [[b"a"]])
        assert (await task).body == b"a"

    run(test)


def test_a_scorer_that_is_at_work_for_another_front_is_taken_last() -> None:
    async def test() -> None:
        engine = Engine(Limits())
        busy, idle = Recorder(engine), Recorder(engine)
        busy.idle = False
        engine.join(busy)
        engine.join(idle)
        tasks = ask(engine, b"a")
        await turn()
        tasks += ask(engine, b"b")
        await turn()
        assert (busy.given, idle.given) == ([[b"b"]], [[b"a"]])
        busy.answer()
        idle.answer()
        await asyncio.gather(*tasks)

    run(test)


def test_what_waits_behind_another_fronts_request_waits_no_longer_than_it_may() -> None:
    async def test() -> None:
        engine = Engine(Limits(queue_wait=0.15))
        scorer = Recorder(engine)
        scorer.begun = False
        engine.join(scorer)
        with pytest.raises(RequestError, match="has waited 150 ms") as late:
            await score(engine, b"a")
        assert late.value.status == 503
        scorer.answer()
        assert engine.ready

    run(test)


def test_requests_that_are_over_do_not_keep_their_bodies_in_the_queue() -> None:
    async def test() -> None:
        engine = Engine(Limits(held_bytes=10))
        scorer = Recorder(engine)
        engine.join(scorer)
        (running,) = ask(engine, b"a")
        await turn()
        for _ in range(3):
            with pytest.raises(RequestError, match="Scoring timeout"):
                await score(engine, b"nine byte", budget=0.01)
        assert len(engine._waiting) == 0
        scorer.answer()
        await running

    run(test)


def test_who_has_waited_too_long_is_503_and_the_rest_goes_on() -> None:
    async def test() -> None:
        engine = Engine(Limits(queue_wait=0.15))
        scorer = Recorder(engine)
        engine.join(scorer)
        first, *tasks = ask(engine, b"a")
        await turn()
        tasks = ask(engine, b"b", b"c")
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [str(outcome) for outcome in outcomes] == [
            "The request has waited 150 ms for a scorer, as long as it may."
        ] * 2
        assert all(isinstance(outcome, RequestError) and outcome.status == 503 for outcome in outcomes)
        scorer.answer()
        assert (await first).body == b"a"
        (last,) = ask(engine, b"d")
        await turn()
        scorer.answer()
        assert (await last).body == b"d"

    run(test)


def test_a_budget_covers_the_queue_and_is_no_more_than_the_services() -> None:
    async def test() -> None:
        engine = Engine(Limits(scoring=0.2))
        scorer = Recorder(engine)
        engine.join(scorer)
        stuck = asyncio.create_task(score(engine, b"a", budget=100))
        await turn()
        queued = asyncio.create_task(score(engine, b"b", budget=0.05))
        with pytest.raises(RequestError, match="Scoring timeout after 50 ms") as late:
            await queued
        assert (late.value.status, late.value.failed, stuck.done()) == (500, True, False)
        # The scorer does not say so itself: the front does, a little later.
        with pytest.raises(RequestError, match="Scoring timeout after 200 ms"):
            await stuck
        scorer.answer()
        assert scorer.given == [[b"a"]]
        assert engine.ready

    run(test)


def test_of_a_batch_that_kills_its_scorer_each_is_scored_again_by_itself_and_only_the_killer_fails() -> None:
    async def test() -> None:
        engine = Engine(Limits())
        first = Recorder(engine)
        engine.join(first)
        batch = ask(engine, b"a", b"killer", b"c", b"d")
        await turn()
        waiting = ask(engine, b"e", b"f")
        await turn()
        first.answer(0)
        engine.leave(first)
        assert not engine.ready
        assert (await batch[0]).body == b"a"
        second = Recorder(engine)
        engine.join(second)
        await turn()
        assert second.given == [[b"killer"]]
        engine.leave(second)
        with pytest.raises(RequestError, match="ended unexpectedly") as died:
            await batch[1]
        assert (died.value.status, died.value.failed) == (500, True)
        third = Recorder(engine)
        engine.join(third)
        await turn()
        for _ in range(3):
            third.answer()
        assert third.given == [[b"c"], [b"d"], [b"e", b"f"]]
        assert [(await task).body for task in batch[2:] + waiting] == [b"c", b"d", b"e", b"f"]

    run(test)


def test_a_request_that_was_scored_by_itself_is_not_scored_again() -> None:
    async def test() -> None:
        engine = Engine(Limits())
        scorer = Recorder(engine)
        engine.join(scorer)
        scoring = ask(engine, b"a")
        await turn()
        waiting = ask(engine, b"b")
        await turn()
        engine.leave(scorer)
        with pytest.raises(RequestError, match="ended unexpectedly"):
            await scoring[0]
        replacement = Recorder(engine)
        engine.join(replacement)
        await turn()
        replacement.answer()
        assert replacement.given == [[b"b"]]
        assert (await waiting[0]).body == b"b"

    run(test)


def test_a_free_scorer_that_dies_is_given_nothing() -> None:
    async def test() -> None:
        engine = Engine(Limits(requests=11, batch_requests=2))
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
        engine = Engine(Limits(requests=11, batch_requests=1))
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
        engine = Engine(Limits(requests=11, batch_requests=2))
        with pytest.raises(RequestError, match="init") as refused:
            await score(engine, b"a")
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
            await score(engine, b"c")
        engine.join(Recorder(engine))
        assert engine.ready
        engine.draining = True
        assert (engine.ready, engine.state) == (False, "The service is stopping.")

    run(test)


def test_a_request_given_up_by_its_task_is_forgotten() -> None:
    async def test() -> None:
        engine = Engine(Limits(requests=11, batch_requests=10))
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
