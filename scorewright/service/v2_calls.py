"""Requests in the Open Inference Protocol, as the scorer calls a bundle's script for them."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from scorewright.contract.answer import Answer, answer
from scorewright.errors import RequestError
from scorewright.service.protocols import coding, oip, oip_inference
from scorewright.service.protocols.bounds import Bounds

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorewright.bundle import Manifest
    from scorewright.contract.script import EntryScript
    from scorewright.service.order import Order
    from scorewright.service.protocols.oip_inference import Inference


class V2Calls:
    """Makes calls of inference requests, for one bundle whose manifest `load` parses."""

    def __init__(self, script: EntryScript, load: Callable[[], Manifest], max_body_bytes: int, bounds: Bounds) -> None:
        self.script = script
        self.bounds = bounds
        self._load = load
        self._max_body_bytes = max_body_bytes

    @cached_property
    def manifest(self) -> Manifest:
        """The bundle's manifest, parsed at the first request: it takes pydantic, which other scorers do without."""
        return self._load()

    @classmethod
    def ordered(cls, script: EntryScript, order: Order) -> Self | None:
        """For the bundle that a scorer is told to serve; None if it is none."""
        told = order.manifest
        if told is None:
            return None
        bounds = Bounds(order.max_json_depth, order.max_rows)
        return cls(script, lambda: _manifest(told), order.max_body_bytes, bounds)

    def of(self, told: dict[str, str], body: memoryview) -> V2Call:
        """The call of a request with this head and body."""
        return V2Call(self, told, body)

    def read(self, told: dict[str, str], body: memoryview) -> Inference:
        """A request, read. Raises RequestError 400, 413 or 415."""
        given = told.get("inference-header-content-length")
        json_length = None if given is None else oip.header_length(given)
        plain = coding.inflate(body, told.get("content-encoding", ""), self._max_body_bytes)
        return oip_inference.decode(self.manifest.signature, plain, json_length, self.bounds)

    def check(self, text: str) -> None:
        """Raises RequestError 400 or 413 if a request to /score is nested too deep or has too many rows."""
        self.bounds.check(text, lambda: self.manifest.signature)


class V2Call:
    """One inference request: run() is called once for each method whose outputs it asks for."""

    def __init__(self, of: V2Calls, told: dict[str, str], body: memoryview) -> None:
        self._of = of
        self._told = told
        self._body = body
        self._inference: Inference | None = None
        self._refusal: tuple[int, str] | None = None
        try:
            self._inference = of.read(told, body)
        except RequestError as refusal:
            # Not the error itself: its traceback would hold on to the body.
            self._refusal = refusal.status, refusal.message
        except Exception:  # noqa: S110 - invoke() meets it again, where it costs this request alone
            pass
        self.texts = None if self._inference is None else self._inference.texts

    def invoke(self) -> list[Any]:
        """Call."""
        if self._refusal is not None:
            raise RequestError(*self._refusal)
        script = self._of.script
        return [script.run(**{script.form.parameters[0].name: text}) for text in self._read().texts]

    def answer(self, values: list[Any]) -> Answer:
        """Call. The first refusal among what run() returned is the answer."""
        for value in values:
            if hasattr(value, "status_code"):
                return _refused(answer(value))
        manifest = self._of.manifest
        headers, body = oip_inference.encode(self._read(), values, name=manifest.name, version=manifest.version)
        body, encoding = coding.deflate(body, self._told.get("accept-encoding", ""))
        told = [(name.decode(), text.decode()) for name, text in headers]
        if encoding is not None:
            told += [("content-encoding", encoding), ("vary", "Accept-Encoding")]
        return Answer(200, body, told)

    def error(self, status: int, message: str) -> Answer:
        """Call."""
        return Answer(status, oip.error_body(message))

    def _read(self) -> Inference:
        if self._inference is None:
            self._inference = self._of.read(self._told, self._body)
        return self._inference


def _manifest(told: str) -> Manifest:
    from scorewright.bundle import Manifest

    return Manifest.model_validate_json(told)


def _refused(refusal: Answer) -> Answer:
    """What a script refuses with, {"message": ...}, in this protocol's shape."""
    try:
        content = json.loads(refusal.body)
    except ValueError:
        content = None
    if refusal.status < 400 or not isinstance(content, dict) or not isinstance(content.get("message"), str):
        raise ValueError(f"run() returned a response of its own, with the status {refusal.status}, that is no refusal.")
    return Answer(refusal.status, oip.error_body(content["message"]), failed=refusal.failed)
