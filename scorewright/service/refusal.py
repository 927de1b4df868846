"""An error as an answer, in the one shape that all routes beside /v2 have."""

from __future__ import annotations

from pydantic import BaseModel
from starlette.responses import Response

from scorewright.service.protocols import azureml


class ServiceMessage(BaseModel):
    """What every error answers."""

    message: str


def refusal(status: int, message: str) -> Response:
    """`{"message": ...}` with the headers that go with the status."""
    response = Response(azureml.error_body(message), status)
    for name, value in azureml.error_headers(status):
        response.headers[name.decode()] = value.decode()
    return response
