"""Anybody's scripts under azmlinfsrv and under ours: the same requests, the same answers.

Ours is asked twice: from an environment without flask and azureml-core, and from one with them.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.contract.exchange import Asked, ask, post, without
from tests.contract.judge import AZURE, PLAIN, judging_with, require_azure, require_judge
from tests.contract.requests_sent import ANY, IDS, RAW, RESPONSES, SCHEMA, SCHEMA_ARRAYS, SLOW, TEXT, VALUES
from tests.service.servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.exchange import Answered

pytestmark = pytest.mark.judge

SCRIPTS = Path(__file__).parent / "scripts"

WITHOUT, WITH_FLASK = "without flask", "with flask and azureml-core"


@dataclass(frozen=True)
class Case:
    """A script, how it is served, and what is asked of it."""

    script: str
    asked: list[Asked]
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    environments: tuple[str, ...] = (WITHOUT, WITH_FLASK)


FLASK = [
    post({"do": do}, ("X-Mine", "é"), ("x-request-id", "r"), ("x-ms-client-request-id", "c"))
    for do in ("request", "jsonify", "response", "make", "stream", "ids", "failed", "none")
]

CASES = [
    Case("text", ANY + IDS + TEXT + VALUES),
    Case(
        "headers", ANY + TEXT + [Asked(headers=(("X-Twice", "1"), ("X-Twice", "2"), ("X_Under", "score")), body=b"x")]
    ),
    Case("by_name", [Asked(body=b"x", headers=(("X-Mine", "1"),)), Asked("GET", "/score?a=1")]),
    Case("schema", ANY + SCHEMA),
    Case("schema_arrays", SCHEMA_ARRAYS),
    Case("raw", ANY + IDS + RAW),
    Case("raw_stream", RAW),
    Case("response", RESPONSES),
    Case("response", RESPONSES, environment=(("AML_CORS_ORIGINS", "*"),), environments=(WITHOUT,)),
    Case("late_flask", [post([1], ("X-Mine", "1"))], environments=(WITH_FLASK,)),
    Case("driver", [post([1]), Asked("GET", "/score?a=1")]),
    Case("surroundings", [post([1])], arguments=("--model_dir", "models/churn/3", "--worker_count", "2")),
    Case("surroundings", [post([1])], environment=(("AZUREML_MODEL_DIR", "models/churn/3"),)),
    Case("slow", SLOW, environment=(("SCORING_TIMEOUT_MS", "400"),)),
    Case("flasks", FLASK, environments=(WITH_FLASK,)),
    Case("flask_raw", [post([1])], environments=(WITH_FLASK,)),
]


def laid_out(folder: Path) -> Path:
    """The scripts with a model beside them, as azmlinfsrv's users have it."""
    shutil.copytree(SCRIPTS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "models/churn/3").mkdir(parents=True)
    (folder / "models/churn/3/model.txt").write_text("the model")
    (folder / "beside.txt").write_text("opened by a relative path")
    return folder


@contextmanager
def both(folder: Path, case: Case, environment: str) -> Iterator[tuple[str, str]]:
    """azmlinfsrv and ours with the same words, and their URLs."""
    words = ("--entry_script", f"{case.script}.py", *case.arguments)
    with ExitStack() as stack:
        judge = stack.enter_context(judging_with(folder, folder / "judge.log", *words, **dict(case.environment)))
        serve = stack.enter_context(serving(cwd=folder, python=PLAIN if environment == WITHOUT else AZURE))
        yield judge, serve(*words, **dict(case.environment)).ready().url


ALWAYS_WITHOUT = {"allow", "x-ms-run-function-failed"}
"""Headers that every answer of ours has: those that azmlinfsrv has too are compared before they are dropped."""
UNROUTED = {"x-request-id", "x-ms-request-id", "x-ms-client-request-id"}


def compared(theirs: Answered, mine: Answered) -> tuple[Answered, Answered]:
    """What must be equal: all but what docs/compatibility.md lists for every answer."""
    have = {name for name, _ in theirs.headers}
    dropped = (ALWAYS_WITHOUT | (UNROUTED if mine.status in {404, 405} else set())) - have
    return theirs, without(mine, dropped)


@pytest.mark.parametrize(
    ("case", "environment"),
    [
        pytest.param(case, environment, id=f"{case.script}, {len(case.asked)} requests, {environment}")
        for case in CASES
        for environment in case.environments
    ],
)
def test_the_answers_are_equal(case: Case, environment: str, tmp_path: Path) -> None:
    require_judge()
    require_azure()
    with both(laid_out(tmp_path / "app"), case, environment) as (judge, ours):
        different = []
        for asked in case.asked:
            theirs, mine = compared(ask(judge, asked), ask(ours, asked))
            if theirs != mine:
                different.append(f"{asked}\n  judge {theirs}\n  ours  {mine}")
    assert not different, "\n".join(different)
