"""Every kind of scikit-learn model (tests/score/estimators.py): what tests/score/trial.py demands of each."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.score import trial
from tests.score.estimators import CASES

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def trials(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[None]]]:
    """The trials of the models asked for, under way, several at once: each waits for processes that it starts."""
    here = [item for item in request.session.items if item.path == request.path and isinstance(item, pytest.Function)]
    asked = [str(item.callspec.params["name"]) for item in here]
    spawn = multiprocessing.get_context("spawn")
    with (
        pytest.MonkeyPatch.context() as patch,
        ProcessPoolExecutor(os.cpu_count(), mp_context=spawn, initializer=trial.strict) as pool,
    ):
        patch.setenv("OMP_NUM_THREADS", "1")  # a process a core is enough: more threads wait for one another
        yield {name: pool.submit(trial.put_to_the_test, name, tmp_path_factory.mktemp("model")) for name in asked}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", CASES)
def test_the_script_answers_as_the_model(name: str, trials: dict[str, Future[None]]) -> None:
    trials[name].result()
