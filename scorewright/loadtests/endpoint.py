"""An endpoint under test: its URL, its key, and asking it once."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from scorewright.errors import LoadTestError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

KEY_VARIABLE = "SCOREWRIGHT_KEY"
"""The environment variable with the endpoint's key: nobody sees it in a list of processes."""

_SHOWN = 300


@dataclass(frozen=True)
class Answered:
    """The answer to one request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def words(self) -> str:
        """What it says of a failure, shortened."""
        try:
            parsed = json.loads(self.body)
        except ValueError:
            parsed = self.body.decode("utf-8", "replace")
        content = parsed.get("message", parsed.get("detail", parsed)) if isinstance(parsed, dict) else parsed
        text = " ".join(str(content).split())
        said = text[:_SHOWN].rstrip(".")
        return f"HTTP {self.status}: {said}" if said else f"HTTP {self.status}"


@dataclass(frozen=True)
class Endpoint:
    """Where to score. The key is in no text that it makes of itself."""

    url: str
    """The scoring URL."""
    key: str | None = field(default=None, repr=False)
    deployment: str | None = None
    timeout: float = 30.0
    """Seconds that an answer may take."""

    @classmethod
    def of(cls, url: str, *, key: str | None = None, deployment: str | None = None, timeout: float = 30.0) -> Endpoint:
        """The endpoint at a URL; one without a path means its route /score. Raises UsageError for anything else."""
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            sound = False
        if not sound or not _plain(url.partition("?")[2]) or not _plain(parts.path):
            shown = re.sub("//[^/]*@", "//", url.partition("?")[0])
            raise UsageError(f"{shown} is no URL of an endpoint.", hint="Give one like http://127.0.0.1:5001/score.")
        if parts.username or parts.password:
            raise UsageError(
                f"The URL of {parts.hostname} has a name or a password in it, which would be shown in reports.",
                hint=f"Give a key by {KEY_VARIABLE} or --key-file.",
            )
        whole = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") or "/score", parts.query, ""))
        if key is not None and (not key or not key.isascii() or not key.isprintable()):
            raise UsageError("The key is empty, or has characters that a header cannot have.")
        if deployment is not None and not (deployment and _plain(deployment)):
            raise UsageError(f"--deployment {deployment!r} is no name of a deployment.")
        return cls(whole, key, deployment, timeout)

    @property
    def shown(self) -> str:
        """The URL for reports: without its query, which may hold a key."""
        return self.url.split("?")[0]

    def beside(self, path: str) -> str:
        """A path on the same server: beside the scoring route, or at the top if that is not called /score."""
        asked = urlsplit(self.url).path
        return f"{asked.removesuffix('/score') if asked.endswith('/score') else ''}{path}"

    def score(self, body: str) -> Answered:
        """POST a request's body to the scoring route. Raises LoadTestError if no answer comes."""
        parts = urlsplit(self.url)
        return self.ask("POST", f"{parts.path}{f'?{parts.query}' if parts.query else ''}", body)

    def ask(self, method: str, path: str, body: str | None = None) -> Answered:
        """One request to the same server. Raises LoadTestError if no answer comes."""
        parts = urlsplit(self.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=self.timeout)
        try:
            connection.request(method, path, body and body.encode(), headers(self.key, self.deployment))
            answer = connection.getresponse()
            told = answer.read() if answer.status == 200 else without_key(answer.read(), self.key)
            return Answered(answer.status, {name.lower(): value for name, value in answer.getheaders()}, told)
        except TimeoutError:
            raise LoadTestError(
                f"{parts.netloc} gave no answer to {method} {path.partition('?')[0]} in {self.timeout:g} s.",
                hint="Look at its log, or give it more time with --timeout.",
            ) from None
        except (OSError, HTTPException, UnicodeError) as error:
            raise LoadTestError(
                f"{parts.netloc} cannot be asked: {getattr(error, 'strerror', None) or error or type(error).__name__}.",
                hint="Is it running, and is the URL right? `scorewright serve BUNDLE` or `scorewright deploy local` "
                "starts one.",
            ) from None
        finally:
            connection.close()


def headers(key: str | None, deployment: str | None) -> dict[str, str]:
    """The headers of every request."""
    sent = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    if key:
        sent["Authorization"] = f"Bearer {key}"
    if deployment:
        sent["azureml-model-deployment"] = deployment
    return sent


def read_key(path: Path) -> str:
    """The key in a file. Raises UsageError if the file cannot be read or is empty."""
    try:
        key = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The key file {path} cannot be read: {getattr(error, 'strerror', error)}.") from None
    if not key:
        raise UsageError(f"The key file {path} is empty.")
    return key


def without_key(told: bytes, key: str | None) -> bytes:
    """What an endpoint says of a failure, which may repeat the key that it was sent."""
    return told.replace(key.encode(), b"(the key)") if key else told


def refused(answered: Answered, endpoint: Endpoint) -> LoadTestError:
    """Why a request was not answered with 200, as an error."""
    where = endpoint.shown
    match answered.status:
        case 401 | 403:
            given = "refuses the key" if endpoint.key else "asks for a key"
            return LoadTestError(
                f"{where} {given}: {answered.words}.", hint=f"Give the endpoint's key by {KEY_VARIABLE} or --key-file."
            )
        case 404 | 405:
            return LoadTestError(
                f"{where} is no scoring route: {answered.words}.", hint="Give the whole scoring URL, path and all."
            )
        case 408 | 429 | 502 | 503 | 504:
            return LoadTestError(
                f"{where} is not ready: {answered.words}.",
                hint="Wait until a single request is answered, and try again.",
            )
        case status if 400 <= status < 500 and status != 424:
            return LoadTestError(
                f"{where} refuses the request: {answered.words}.",
                hint="Give the bundle that it serves, or a request that it takes, with --request FILE.",
            )
    return LoadTestError(f"{where} fails at the request: {answered.words}.", hint="Look at its log.")


def _plain(text: str) -> bool:
    """Whether it can stand in a request as it is."""
    return text.isascii() and text.isprintable() and " " not in text
