"""The front's ASGI application: `/score` by the shortest way, everything else by FastAPI."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from scorewright.errors import RequestError
from scorewright.service import batch_route, docs_page, metrics_route, openapi
from scorewright.service.batch_route import is_batch
from scorewright.service.counters import Kind
from scorewright.service.paths import Paths
from scorewright.service.protocols import azureml
from scorewright.service.refusal import ServiceMessage, refusal
from scorewright.service.swagger_route import SwaggerRoute
from scorewright.service.tracing import UNTRACED
from scorewright.service.v2_route import is_v2

if TYPE_CHECKING:
    import logging

    from starlette.types import Message, Receive, Scope, Send

    from scorewright.service.batch.jobs import Jobs
    from scorewright.service.counters import FrontCounters
    from scorewright.service.engine import Engine
    from scorewright.service.gate import Gate
    from scorewright.service.metrics import Metrics
    from scorewright.service.protocols.cors import Cors
    from scorewright.service.score_route import ScoreRoute
    from scorewright.service.target import Target
    from scorewright.service.tracing import Tracer
    from scorewright.service.v2_route import V2Route

JSON = "application/json"


class ServiceAlive(BaseModel):
    """The front answers."""

    status: Literal["alive"] = "alive"


class ServiceReady(BaseModel):
    """Requests are scored."""

    status: Literal["ready"] = "ready"
    reload: Annotated[
        Literal["under way", "refused"] | None,
        Field(description="How the last reload fares, unless it was done. What was loaded before it is served."),
    ] = None
    scorers: Annotated[int, Field(description="Scorers that are alive and have finished init().")]


class App:
    """The outermost application: gives every answer its ids, and `/score` the shortest way.

    `/score` is beside FastAPI and not in it because FastAPI's own middleware costs a request half as much again
    (60 against 40 microseconds of processor time, measured), and stands between it and the client's disconnect.
    """

    def __init__(
        self,
        score: ScoreRoute,
        v2: V2Route,
        rest: FastAPI,
        *,
        engine: Engine,
        own_headers: azureml.Headers,
        cors: Cors | None,
        gate: Gate | None,
        logger: logging.Logger,
        tracer: Tracer | None = None,
    ) -> None:
        self._score = score
        self._v2 = v2
        self._rest = rest
        self._paths = Paths(rest)
        self._engine = engine
        self._own = own_headers
        self._cors = cors
        self._gate = gate
        self._tracer = tracer
        self._log = logger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path.startswith("//"):
            # A base address that ends in a slash, and a path that begins with one.
            path = "/" + path.lstrip("/")
            scope = {**scope, "path": path}
        if self._cors is not None:
            own = self._paths.methods(path) if is_batch(path) else ()
            send = _with_cors(send, self._cors.headers(scope["method"], scope["headers"], own))
        try:
            if self._tracer is None or path in UNTRACED:
                await self._route(scope, receive, send)
            else:
                await self._tracer(self._route, scope, receive, send)
        except Exception:
            self._log.exception("%s %s failed in the service itself.", scope["method"], path)
            await self._failed(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if self._gate is not None and await self._gate.holds(scope, receive, send):
            return
        if path == "/score":
            await self._score(scope, receive, send)
        elif is_v2(path):
            await self._v2(scope, receive, send)
        else:
            await self._identified(scope, receive, send)

    async def _failed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 500. Raises RuntimeError if another answer has begun; the server then ends the connection."""
        ids = azureml.read_ids(scope["headers"], azureml.new_id())
        counted = _with_headers(send, ids.headers + self._own, self._engine.counters)
        await refusal(HTTPStatus.INTERNAL_SERVER_ERROR, azureml.INTERNAL_ERROR)(scope, receive, counted)

    async def _identified(self, scope: Scope, receive: Receive, send: Send) -> None:
        ids = azureml.read_ids(scope["headers"], azureml.new_id())
        extra = ids.headers + self._own
        if self._engine.draining:
            extra.append((b"connection", b"close"))

        send_identified = _with_headers(send, extra, self._engine.counters)
        method, path = scope["method"], scope["path"]
        methods = self._paths.methods(path)
        if ids.refusal:
            await refusal(431, ids.refusal)(scope, receive, send_identified)
        elif methods and method == "OPTIONS":
            await Response(headers={"allow": ", ".join(methods)}, media_type="text/html")(
                scope, receive, send_identified
            )
        elif methods and method not in methods:
            response = refusal(405, azureml.METHOD_NOT_ALLOWED)
            response.headers["allow"] = ", ".join(methods)
            await response(scope, receive, send_identified)
        else:
            # The server leaves the body of an answer to HEAD away.
            as_get = {**scope, "method": "GET"} if method == "HEAD" and not self._paths.takes_head(path) else scope
            await self._rest(as_get, receive, send_identified)


def _with_cors(send: Send, headers: azureml.Headers) -> Send:
    """The same for the headers that let a page in, unless the script lets it in by its own."""

    async def send_more(message: Message) -> None:
        if message["type"] == "http.response.start" and not any(
            name == b"access-control-allow-origin" for name, _ in message["headers"]
        ):
            message["headers"] = [*message["headers"], *headers]
        await send(message)

    return send_more


def _with_headers(send: Send, extra: azureml.Headers, counters: FrontCounters) -> Send:
    """Send answers with these headers besides their own, and count them."""

    async def send_more(message: Message) -> None:
        if message["type"] == "http.response.start":
            counters.answered(Kind.OTHER, message["status"])
            message["headers"] = [*message["headers"], *extra]
        await send(message)

    return send_more


def build(
    target: Target, engine: Engine, jobs: Jobs, metrics: Metrics, *, path_prefix: str = "", guarded: bool = False
) -> FastAPI:
    """The routes beside `/score`; `guarded` says that they ask for a key or token.

    Raises BundleError if the bundle's openapi.json or examples are not usable.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_bug)
    not_ready: dict[int | str, dict[str, Any]] = {
        503: {"model": ServiceMessage, "description": "Starting, stopping, or no scorer is alive."}
    }

    @app.get(
        "/",
        summary="Whether requests are scored",
        response_class=Response,
        tags=["health"],
        responses={200: {"content": {"text/html": {"example": "Healthy"}}}, **not_ready},
    )
    async def health() -> Response:
        """Azure's probe: `Healthy` once init() is done and while a scorer is alive."""
        if not engine.ready:
            return refusal(503, engine.state)
        return Response("Healthy", media_type="text/html")

    @app.get("/livez", summary="Whether the front answers", tags=["health"])
    async def livez() -> ServiceAlive:
        """200 as long as the process serves HTTP, whatever the model does."""
        return ServiceAlive()

    @app.get(
        "/readyz",
        summary="Whether requests are scored",
        tags=["health"],
        response_model=ServiceReady,
        responses=not_ready,
    )
    async def readyz() -> Response:
        """200 once init() is done and while a scorer is alive."""
        if not engine.ready:
            return refusal(503, engine.state)
        state = ServiceReady(scorers=engine.scorers, reload=engine.reload)
        return Response(state.model_dump_json(exclude_none=True), media_type=JSON)

    metrics_route.add(app, metrics)
    batch_route.add(app, jobs)
    document = openapi.merged(app, target, guarded=guarded)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi_json() -> Response:
        return Response(document, media_type=JSON)

    swagger = SwaggerRoute(target, engine, path_prefix=path_prefix)

    @app.api_route("/swagger.json", methods=["GET", "HEAD"], include_in_schema=False)
    async def swagger_json(request: Request) -> Response:
        asked = request.query_params.getlist("version")
        try:
            found = swagger.find(asked[0] if asked else None)
        except RequestError as error:
            return refusal(error.status, error.message)
        return Response(found, media_type=JSON, headers={"x-ms-run-function-failed": "False"})

    docs_page.add(app, title=target.name)
    return app


async def _on_http_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    known = {404: azureml.NOT_FOUND, 405: azureml.METHOD_NOT_ALLOWED}
    response = refusal(error.status_code, known.get(error.status_code, str(error.detail)))
    response.headers.update(error.headers or {})
    return response


async def _on_bug(_: Request, __: Exception) -> Response:
    return refusal(HTTPStatus.INTERNAL_SERVER_ERROR, azureml.INTERNAL_ERROR)
