"""The head of a request: what a scorer is told of it beside its body. Empty where the body is all it needs.

JSON with the key `protocol`; the other keys are that protocol's. Pure.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson

from scorewright.contract.request import HttpRequest

if TYPE_CHECKING:
    from starlette.types import Scope

AZUREML = "azureml"

_LOCAL = {"127.0.0.1", "::1"}
V2 = "v2"

_V2_HEADERS = (b"accept-encoding", b"content-encoding", b"inference-header-content-length")


def of_http(scope: Scope) -> bytes:
    """The head of a request whose script is given more of it than the body."""
    return orjson.dumps(
        {
            "protocol": AZUREML,
            "method": scope["method"],
            "path": scope["raw_path"].decode("latin-1"),
            "query": scope["query_string"].decode("latin-1"),
            "headers": [(name.decode("latin-1"), value.strip().decode("latin-1")) for name, value in scope["headers"]],
            "client": scope["client"] or ("", 0),
            "server": scope["server"] or ("", 0),
            "scheme": _scheme(scope),
            "version": scope["http_version"],
        }
    )


def _scheme(scope: Scope) -> str:
    """https also where a proxy on this machine says so, as gunicorn takes its word."""
    secure = (b"x-forwarded-proto", b"https")
    if scope["client"] is not None and scope["client"][0] in _LOCAL and secure in scope["headers"]:
        return "https"
    return str(scope["scheme"])


def of_inference(scope: Scope) -> bytes:
    """The head of a request in the Open Inference Protocol: the headers that tell the form of its body and answer.

    What came several times is one list, as HTTP has it.
    """
    found: dict[bytes, list[bytes]] = {name: [] for name in _V2_HEADERS}
    for name, value in scope["headers"]:
        if name in found:
            found[name].append(value)
    told = {name.decode(): b", ".join(values).decode("latin-1") for name, values in found.items() if values}
    return orjson.dumps({"protocol": V2, **told})


def read(head: memoryview) -> dict[str, Any]:
    """A head that is not empty, parsed."""
    return dict(json.loads(bytes(head)))


def http_request(head: dict[str, Any], body: bytes) -> HttpRequest:
    """The request of an azureml head and its body."""
    return HttpRequest(
        method=head["method"],
        path=head["path"],
        query=head["query"],
        headers=[(name, value) for name, value in head["headers"]],
        body=body,
        client=tuple(head["client"]),
        server=tuple(head["server"]),
        scheme=head["scheme"],
        version=head["version"],
    )
