"""An image built with --entra and --telemetry: it checks an issuer's tokens and sends its spans."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import pytest

from scorewright.build.image import build
from tests.docker.running import DEADLINE, wait_for
from tests.service.issuer import AUDIENCE, Issuer
from tests.service.receivers import OtlpReceiver, receiving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from scorewright.bundle import Bundle
    from tests.docker.running import Engine

pytestmark = pytest.mark.docker

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.close()


def test_tokens_are_checked_and_spans_are_sent(
    engine: Engine,
    tree_bundle: Bundle,
    containers: ExitStack,
    issuer: Issuer,
    request_and_answer: tuple[object, object],
) -> None:
    image = build(tree_bundle, tag="sw-test/tree-extras:1", entra=True, telemetry=True)
    asked, expected = request_and_answer
    with receiving(OtlpReceiver()) as receiver:
        # The issuer and the receiver listen on the host's loopback.
        running = engine.run(
            image.tag,
            containers,
            network_mode="host",
            environment={
                "SCOREWRIGHT_HOST": "127.0.0.1",
                "SCOREWRIGHT_PORT": "0",
                "SCOREWRIGHT_TOKEN_ISSUER": issuer.url,
                "SCOREWRIGHT_TOKEN_AUDIENCE": AUDIENCE,
                "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
                "OTEL_BSP_SCHEDULE_DELAY": "20",
            },
        )

        def listening() -> str | None:
            assert not running.ended, running.logs
            found = re.search(r"listens on (http://\S+)\.\n", running.logs)
            return found.group(1) if found else None

        with httpx.Client(base_url=wait_for("its address", listening), timeout=DEADLINE) as client:
            wait_for("readiness", lambda: client.get("/readyz").status_code == 200 or None)

            def status(token: str) -> int:
                return client.post("/score", json=asked, headers={"authorization": f"Bearer {token}"}).status_code

            assert client.post("/score", json=asked).status_code == 401
            assert status(issuer.token(exp=1_000_000_000)) == 401
            assert status(issuer.token(aud="api://another")) == 401
            answer = client.post(
                "/score",
                json=asked,
                headers={"authorization": f"Bearer {issuer.token()}", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"},
            )
            assert (answer.status_code, answer.json()) == (200, expected), running.logs
            span = receiver.one("POST /score", TRACE)
            assert span["resource"]["service.name"] == "tree"
    assert issuer.fetched == 1
