"""A container registry as Azure's, with images that have a manifest and a configuration but no layers."""

from __future__ import annotations

import hashlib
import json
import time
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import unquote

from tests.deploy.standin.answer import Answer, Call
from tests.deploy.standin.server import TOKEN

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEX = "application/vnd.oci.image.index.v1+json"


class Registry:
    """Answers under /v2/ and /oauth2/ to whoever has a token of the stand-in's, or to everybody if `open_`."""

    def __init__(self, *, open_: bool = False) -> None:
        self._open = open_
        self._manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self._blobs: dict[str, bytes] = {}

    def push(
        self, repository: str, tag: str, labels: dict[str, str] | None = None, *, architecture: str = "amd64"
    ) -> str:
        """Have an image; its digest."""
        config = self._blob({"os": "linux", "architecture": architecture, "config": {"Labels": labels}})
        return self._manifest(
            repository,
            tag,
            MANIFEST,
            {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": config, "mediaType": "c"}, "layers": []},
        )

    def push_index(self, repository: str, tag: str, digests: dict[str, str]) -> str:
        """Have one name for images of several architectures; its digest."""
        manifests = [
            {"digest": digest, "platform": {"os": "linux", "architecture": architecture}}
            for architecture, digest in digests.items()
        ]
        return self._manifest(repository, tag, INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests})

    def answer(self, call: Call) -> Answer | None:
        if call.path.startswith("/oauth2/"):
            return Answer(200, {"refresh_token": _token(), "access_token": _token()})
        if not call.path.startswith("/v2/"):
            return None
        if not self._open and not call.headers.get("authorization", "").startswith("Bearer e30."):
            realm = f'Bearer realm="https://{call.headers["host"]}/oauth2/token",service="r",scope="repository:x:pull"'
            return Answer(401, {"errors": [{"code": "UNAUTHORIZED"}]}, {"WWW-Authenticate": realm})
        if call.path == "/v2/":
            return Answer(200, {})
        words = unquote(call.path).removeprefix("/v2/").rsplit("/", 2)
        if len(words) == 3 and words[1] == "manifests" and (found := self._manifests.get((words[0], words[2]))):
            kind, raw = found
            return Answer(200, raw, {"Content-Type": kind, "Docker-Content-Digest": _digest(raw)})
        if len(words) == 3 and words[1] == "blobs" and (blob := self._blobs.get(words[2])):
            part = {"Content-Range": f"bytes 0-{len(blob) - 1}/{len(blob)}"} if "range" in call.headers else {}
            return Answer(206 if part else 200, blob, part)
        return Answer(404, {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]})

    def _manifest(self, repository: str, tag: str, kind: str, manifest: dict[str, Any]) -> str:
        raw = json.dumps(manifest).encode()
        for reference in (tag, _digest(raw)):
            self._manifests[repository, reference] = (kind, raw)
        return _digest(raw)

    def _blob(self, value: dict[str, Any]) -> str:
        raw = json.dumps(value).encode()
        self._blobs[_digest(raw)] = raw
        return _digest(raw)


def _digest(raw: bytes) -> str:
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def _token() -> str:
    """What looks like a token of an hour; the SDK reads when it ends."""
    claims = urlsafe_b64encode(json.dumps({"exp": int(time.time()) + 3600, "jti": TOKEN}).encode())
    return f"e30.{claims.decode()}.x"
