"""`/metrics`: what the service tells Prometheus."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fastapi import Request, Response

if TYPE_CHECKING:
    from fastapi import FastAPI

    from scorewright.service.metrics import Metrics

PATH = "/metrics"

_EXAMPLE = """\
# HELP scorewright_queue_requests Requests that wait for a scorer.
# TYPE scorewright_queue_requests gauge
scorewright_queue_requests 0.0
"""


def add(app: FastAPI, metrics: Metrics) -> None:
    """Add the route."""

    @app.get(
        PATH,
        summary="Metrics for Prometheus",
        response_class=Response,
        tags=["monitoring"],
        responses={
            200: {
                "content": {
                    "text/plain": {"schema": {"type": "string"}, "example": _EXAMPLE},
                    "application/openmetrics-text": {"schema": {"type": "string"}},
                }
            }
        },
    )
    async def tell(request: Request) -> Response:
        """Prometheus' text format, or OpenMetrics if `Accept` asks for it. Of several fronts, it is the sum."""
        # It looks into /proc and the jobs' database: requests do not wait for that.
        text, content_type = await asyncio.to_thread(metrics.render, request.headers.get("accept", ""))
        return Response(text, headers={"content-type": content_type})
