"""Azure ML's scoring protocol: ids, headers, queries and error bodies. Pure.

Contract: azureml-inference-server-http 1.5.1, server/routes.py and server/input_parsers.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import getrandbits
from typing import TYPE_CHECKING

from scorewright.contract.request import query_values
from scorewright.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

Headers = list[tuple[bytes, bytes]]

BUDGET = b"x-scoring-timeout-ms"
"""The header by which a client gives its request less time than the service would."""

BUDGET_DIGITS = 10

LENGTH_DIGITS = 18
"""Of a content-length that a script may give: more is no length of anything."""

ID_LIMIT = 100
"""Characters that an id given by a client may have."""

RETRY_AFTER_SECONDS = 1
"""What a client refused for want of room is told to wait."""

NOT_FOUND = (
    "The requested URL was not found on the server. If you entered the URL manually please check your spelling and"
    " try again."
)
METHOD_NOT_ALLOWED = "The method is not allowed for the requested URL."
INTERNAL_ERROR = "An unexpected internal error occurred. Check the logs for more info."
SCRIPT_ERROR = "An unexpected error occurred in scoring script. Check the logs for more info."

_UUID_MASK = 0xF000_C000_0000_0000_0000
_UUID_VERSION_4 = 0x4000_8000_0000_0000_0000
_CLIENT_ID = b"x-ms-client-request-id"
_ALLOWED = b"GET, POST, OPTIONS"
_OWN_HEADERS = frozenset(
    (
        *(b"x-request-id", b"x-ms-request-id", b"x-ms-run-fn-exec-ms"),
        *(b"x-ms-server-version", b"content-length", b"connection", b"transfer-encoding"),
    )
)


@dataclass(frozen=True, slots=True)
class Ids:
    """The id of a request, and the headers that tell it to the client.

    `refusal` is why the request is not taken although its id is known: a client id that is too long. `deprecated`
    says that the client sent x-ms-request-id. `budget` is x-scoring-timeout-ms, as it was sent.
    """

    request_id: bytes
    headers: Headers
    refusal: str = ""
    deprecated: bool = False
    budget: bytes | None = None


def new_id() -> bytes:
    """A version-4 UUID. It names a request and guards nothing, so it need not cost a system call."""
    digits = b"%032x" % ((getrandbits(128) & ~_UUID_MASK) | _UUID_VERSION_4)
    return b"-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def read_ids(headers: Iterable[tuple[bytes, bytes]], new_id: bytes) -> Ids:
    """The ids among a request's headers (lower-case names); `new_id` where it brings none.

    A header that comes several times is one, joined by commas, as gunicorn has it.
    """
    request_id, legacy, client, trace, budget = new_id, b"", b"", None, None
    for name, value in headers:
        if name == b"x-request-id":
            request_id = value if request_id is new_id else request_id + b"," + value
        elif name == b"x-ms-client-request-id":
            client = client + b"," + value if client else value
        elif name == b"x-ms-request-id":
            legacy = legacy + b"," + value if legacy else value
        elif name == b"traceid":
            trace = value if trace is None else trace + b"," + value
        elif name == BUDGET:
            budget = value
    traced = [] if trace is None else [(b"traceid", trace)]
    if len(request_id) > ID_LIMIT:
        return Ids(new_id, [(b"x-request-id", new_id), *traced], f"x-request-id must not exceed {ID_LIMIT} characters")
    answered: Headers = [(b"x-request-id", request_id)] if request_id else []
    if len(legacy) > ID_LIMIT or len(client) > ID_LIMIT:
        refusal = f"x-ms-request-id and x-ms-client-request-id must not exceed {ID_LIMIT} characters"
        return Ids(request_id, answered + traced, refusal)
    # The deprecated x-ms-request-id stands in for the client's id, and is answered whether it was given or not.
    deprecated = bool(legacy)
    client = client or legacy
    legacy = legacy or client or request_id
    if legacy:
        answered.append((b"x-ms-request-id", legacy))
    if client:
        answered.append((b"x-ms-client-request-id", client))
    return Ids(request_id, answered + traced, deprecated=deprecated, budget=budget)


def budget_seconds(told: bytes) -> float:
    """The seconds that a client gives its request. Raises RequestError 400 if they are no number of milliseconds."""
    if not told.isdigit() or not 0 < len(told) <= BUDGET_DIGITS or int(told) == 0:
        shown = told[:40].decode("latin-1")
        raise RequestError(
            400,
            f"{BUDGET.decode()} is {shown!r}, it must be a whole number of milliseconds, 1 to {'9' * BUDGET_DIGITS}",
        )
    return int(told) / 1000


def query_to_json(query: bytes) -> bytes:
    """What run() is given for a GET: the query's parameters as a JSON object.

    Raises RequestError 400 if a value is nested too deep to be parsed.
    """
    return json.dumps(query_values(query.decode("latin-1"))).encode()


def error_body(message: str) -> bytes:
    """The one shape of every error."""
    return json.dumps({"message": message}).encode()


def scoring_timeout(milliseconds: int) -> str:
    """What is answered where run() took longer than it may."""
    return f"Scoring timeout after {milliseconds} ms"


def error_headers(status: int, *, failed: bool = False) -> Headers:
    """The headers of an error that did not come out of run(); `failed` if the script was at fault all the same."""
    headers: Headers = [
        (b"content-type", b"application/json"),
        (b"x-ms-run-function-failed", b"True" if failed else b"False"),
    ]
    if status in {429, 503}:
        headers.append((b"retry-after", b"%d" % RETRY_AFTER_SECONDS))
    if status == 405:
        headers.append((b"allow", _ALLOWED))
    return headers


def scored_headers(headers: Headers, ids: Ids, *, failed: bool, milliseconds: float, length: bool) -> Headers:
    """The headers of an answer: the script's own, whether run() failed, and how long it took (not below 0).

    The script cannot answer other ids than the request's. `length` leaves it its content-length: of an answer made
    piece by piece, only the script can know it.
    """
    kept = [
        pair
        for pair in headers
        if (
            pair[0] not in _OWN_HEADERS
            and not (pair[0] == _CLIENT_ID and any(_CLIENT_ID in own for own in ids.headers))
        )
        or (length and pair[0] == b"content-length" and pair[1].isdigit() and len(pair[1]) <= LENGTH_DIGITS)
    ]
    kept.append((b"x-ms-run-function-failed", b"True" if failed else b"False"))
    if milliseconds >= 0:
        kept.append((b"x-ms-run-fn-exec-ms", b"%.3f" % milliseconds))
    return kept


def options_headers() -> Headers:
    """What OPTIONS is answered with, beside an empty body."""
    return [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"allow", _ALLOWED),
        (b"x-ms-run-function-failed", b"False"),
    ]
