"""`/v2`: the Open Inference Protocol over REST. The front answers what it knows; inference is the scorers'.

Contract: https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import orjson

from scorewright.errors import RequestError
from scorewright.service import head
from scorewright.service.counters import GONE, Kind
from scorewright.service.job import ClientGoneError
from scorewright.service.protocols import azureml, oip
from scorewright.service.route import Route, gone

if TYPE_CHECKING:
    import logging

    from starlette.types import Receive, Scope, Send

    from scorewright.service.collection import DataCollector
    from scorewright.service.engine import Engine
    from scorewright.service.room import Place
    from scorewright.service.target import Target

PREFIX = "/v2"

_ROUTES = (
    "/v2, /v2/health/live, /v2/health/ready, MODEL, MODEL/ready and MODEL/infer, "
    "where MODEL is /v2/models/NAME or /v2/models/NAME/versions/VERSION"
)
_NO_SIGNATURE = (
    "The service runs an entry script, which has no signature to tell what it takes and answers: "
    "it is scored at /score. The models of /v2/models are bundles."
)


def is_v2(path: str) -> bool:
    """Whether a path is one of this protocol."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


class _Place(NamedTuple):
    """What a path leads to: its method, and what is answered there. None is inference."""

    method: str
    answer: dict[str, object] | None = None
    needs_scorer: bool = False


class V2Route(Route):
    """The ASGI application below `/v2`. It reads and answers as `/score` does; the body is not parsed."""

    def __init__(
        self,
        engine: Engine,
        target: Target,
        *,
        version: str,
        max_body_bytes: int,
        own_headers: azureml.Headers,
        log: logging.Logger,
        access: bool,
        collector: DataCollector | None = None,
    ) -> None:
        super().__init__(
            engine,
            max_body_bytes=max_body_bytes,
            own_headers=own_headers,
            log=log,
            access=access,
            collector=collector,
        )
        server = _Place("GET", oip.server_metadata(version))
        self._places = {
            PREFIX: server,
            f"{PREFIX}/": server,
            f"{PREFIX}/health/live": _Place("GET", {"live": True}),
            f"{PREFIX}/health/ready": _Place("GET", {"ready": True}, needs_scorer=True),
        }
        self._model = None if target.bundle is None else (target.name, target.version)
        if target.bundle is not None:
            metadata = oip.model_metadata(target.bundle.manifest)
            for path in model_paths(target.name, target.version):
                self._places |= {
                    path: _Place("GET", metadata),
                    f"{path}/ready": _Place("GET", {"name": target.name, "ready": True}, needs_scorer=True),
                    f"{path}/infer": _Place("POST"),
                }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        ids = azureml.read_ids(scope["headers"], azureml.new_id())
        place = self._places.get(scope["path"])
        room: Place | None = None
        try:
            if ids.refusal:
                raise RequestError(431, ids.refusal)
            if place is None:
                raise RequestError(404, self._unknown(scope["path"]))
            if scope["method"] == "OPTIONS":
                self._counters.answered(Kind.OTHER, 200)
                await self._answer(send, ids, 200, [(b"allow", _allowed(place))], b"")
                return
            if scope["method"] != place.method:
                raise RequestError(405, f"{scope['path']} takes {place.method} and OPTIONS, not {scope['method']}.")
            if place.answer is not None:
                await self._tell(send, ids, place)
                return
            with self._place(scope, ids) as room:
                body = await self._body(scope, receive, room)
                await self._engine.opened(room, lambda: gone(receive))
                told = head.of_inference(scope)
                scored = await self._engine.score(room, ids.request_id, body, lambda: gone(receive), head=told)
        except RequestError as refusal:
            status, answer = refusal.status, oip.error_body(refusal.message)
            scores = place is not None and place.answer is None
            self._counters.refused(Kind.V2 if scores else Kind.OTHER, refusal, begun)
            headers = azureml.error_headers(status, failed=refusal.failed)
            if status == 405 and place is not None:
                headers = [pair for pair in headers if pair[0] != b"allow"] + [(b"allow", _allowed(place))]
            if status == 413:
                await self._refuse_unread(receive, send, ids, headers, answer)
            else:
                await self._answer(send, ids, status, headers, answer)
        except ClientGoneError:
            self._counters.words[GONE] += 1
            return
        else:
            self._collect(ids, body, scored)
            status, answer = scored.status, scored.body
            headers = azureml.scored_headers(
                scored.headers, ids, failed=scored.failed, milliseconds=scored.milliseconds, length=False
            )
            self._counters.answered(Kind.V2, status, time.perf_counter() - begun)
            await self._answer(send, ids, status, headers, answer)
        self._log_access(scope, ids, status, begun, len(answer), room)

    async def _tell(self, send: Send, ids: azureml.Ids, place: _Place) -> None:
        if place.needs_scorer and not self._engine.ready:
            raise RequestError(503, self._engine.state)
        self._counters.answered(Kind.OTHER, 200)
        await self._answer(send, ids, 200, [(b"content-type", b"application/json")], orjson.dumps(place.answer))

    def _unknown(self, path: str) -> str:
        """What there is, where a path leads to nothing."""
        steps = path.split("/")[2:]
        if steps[0] != "models" or len(steps) < 2:
            return f"There is no {path[:200]}; the routes are {_ROUTES}."
        if self._model is None:
            return _NO_SIGNATURE
        name, version = self._model
        if steps[1] != name:
            return f"There is no model {steps[1][:200]!r}; the service has {name!r}."
        if steps[2:3] == ["versions"] and steps[3:4] != [version]:
            return (
                f"There is no version {''.join(steps[3:4])[:200]!r} of the model {name!r}; the service has {version!r}."
            )
        return f"There is no {path[:200]}; the routes are {_ROUTES}."


def model_paths(name: str, version: str) -> tuple[str, str]:
    """Where a model is found: without its version, and with it."""
    return f"{PREFIX}/models/{name}", f"{PREFIX}/models/{name}/versions/{version}"


def _allowed(place: _Place) -> bytes:
    return f"{place.method}, OPTIONS".encode()
