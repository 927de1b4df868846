"""/swagger.json: which documents this service has, as soon as a scorer has told of its script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.errors import RequestError
from scorewright.service.protocols.swagger import Schemas, Service, SwaggerDocuments, documents
from scorewright.service.protocols.swagger_signature import of_signature
from scorewright.service.target import EXPECTED, SAMPLE

if TYPE_CHECKING:
    from scorewright.service.engine import Engine
    from scorewright.service.frames import Ready
    from scorewright.service.target import Target


class SwaggerRoute:
    """The documents of a bundle, from its signature, or of a script, from its decorators."""

    def __init__(self, target: Target, engine: Engine, *, path_prefix: str) -> None:
        self._service = Service(target.name, target.version, path_prefix)
        self._engine = engine
        self._signature = _of_bundle(target)
        self._documents = SwaggerDocuments({})
        self._script: Ready | None = None

    def find(self, asked: str | None) -> bytes:
        """The document of a version. Raises RequestError 404 if there is none, 503 before init() is done."""
        script = self._engine.script
        if script.swagger is None:
            raise RequestError(503, self._engine.state)
        # A scorer that replaces another has called init() again, and that may have written other files.
        if script is not self._script:
            schemas = self._signature or {
                version: None if pair is None else Schemas(*pair) for version, pair in script.swagger["schemas"].items()
            }
            self._documents = documents(self._service, schemas, script.swagger["files"])
            self._script = script
        return self._documents.find(asked)


def _of_bundle(target: Target) -> dict[str, Schemas | None] | None:
    if target.bundle is None:
        return None
    examples = [target.documents.get(name, {}) for name in (SAMPLE, EXPECTED)]
    return of_signature(target.bundle.manifest.signature, *examples)
