"""A container with little of what is around it: a tenth of a processor, 96 MB of memory, no network."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.docker.running import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorewright.build.image import Image
    from tests.docker.running import Engine, Running

pytestmark = pytest.mark.docker

ASK = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", 5001)
connection.request("POST", "/score", sys.argv[1], {"Content-Type": "application/json"})
answer = connection.getresponse()
print(answer.status, answer.read().decode())
"""


@pytest.fixture(scope="module", autouse=True)
def slow(engine: Engine, tree_image: Image) -> Iterator[Running]:
    """Azure Container Instances' least processor, and enough memory. It starts while the other tests run."""
    with ExitStack() as stack:
        yield engine.run(tree_image.tag, stack, nano_cpus=100_000_000, mem_limit="512m")


def test_too_little_memory_is_said(engine: Engine, tree_image: Image, containers: ExitStack) -> None:
    small = engine.run(tree_image.tag, containers, mem_limit="96m", memswap_limit="96m")
    assert small.until_ended() == 3, small.logs
    assert "The scorer ended while it loaded /var/azureml-app/score.py: it was killed by SIGKILL." in small.logs
    assert "a SIGKILL is most often the memory limit" in small.logs
    assert "Traceback" not in small.logs


def test_without_a_network_it_starts_and_scores(
    engine: Engine, tree_image: Image, containers: ExitStack, request_and_answer: tuple[object, object]
) -> None:
    asked, expected = request_and_answer
    alone = engine.run(tree_image.tag, containers, network_mode="none")

    def answered() -> str | None:
        assert not alone.ended, alone.logs
        code, said = alone.exec("python", "-c", ASK, json.dumps(asked))
        return said if code == 0 else None

    status, answer = wait_for("an answer", answered).split(maxsplit=1)
    assert (status, json.loads(answer)) == ("200", expected)


def test_a_tenth_of_a_processor_is_enough(slow: Running, request_and_answer: tuple[object, object]) -> None:
    asked, expected = request_and_answer
    slow.until_healthy()
    assert wait_for("a health status", lambda: slow.health) == "healthy"
    answer = slow.score(asked)
    assert (answer.status_code, answer.json()) == (200, expected)
