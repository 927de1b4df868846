"""What a service tells at /metrics, read as Prometheus' own parser reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.service.servers import WAIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.service.servers import Server

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Scraped:
    """The samples of one answer, by name and labels."""

    def __init__(self, text: str) -> None:
        self.families = list(text_string_to_metric_families(text))
        samples = [sample for family in self.families for sample in family.samples]
        self.samples: Samples = {(one.name, frozenset(one.labels.items())): one.value for one in samples}
        assert len(self.samples) == len(samples), "a series is told twice"

    def __call__(self, name: str, **labels: str) -> float:
        """One sample."""
        return self.samples[f"scorewright_{name}", frozenset(labels.items())]

    def labels(self, name: str) -> list[dict[str, str]]:
        """The labels of each series of a metric."""
        return [dict(labels) for told, labels in self.samples if told == f"scorewright_{name}"]

    @property
    def growing(self) -> Samples:
        """Those that never go back."""
        ends = ("_total", "_bucket", "_count", "_sum")
        return {key: value for key, value in self.samples.items() if key[0].endswith(ends)}


def scrape(server: Server, client: httpx.Client | None = None) -> Scraped:
    get: Callable[..., httpx.Response] = httpx.get if client is None else client.get
    answer = get(f"{server.url}/metrics", timeout=WAIT_SECONDS)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Scraped(answer.text)
