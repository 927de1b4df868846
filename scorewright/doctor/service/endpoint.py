"""A running service as a client sees it, asked with what Python brings."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from scorewright.doctor.finding import Outcome, skipped
from scorewright.doctor.wanted import Wanted
from scorewright.errors import ServiceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scorewright.bundle import Bundle

KEY_VARIABLE = "SCOREWRIGHT_KEY"
PATIENCE = 10.0
"""Seconds that an answer may take."""


@dataclass(frozen=True)
class Answered:
    """An answer, and the seconds that it took, the connection included."""

    status: int
    headers: Mapping[str, str]
    """By lower-case names."""
    body: bytes
    seconds: float


@dataclass(frozen=True)
class Endpoint:
    """A service, by the URL of its top or of its /score."""

    scheme: str
    host: str
    port: int
    prefix: str
    key: str | None = field(default=None, repr=False)
    wanted: Wanted = field(default_factory=Wanted)
    bundle: Bundle | None = None
    difference: Callable[[Any, Any], str] = lambda expected, found: "" if expected == found else "it differs"
    """In what an answer differs from the expected one, in words; empty if in nothing."""

    @classmethod
    def of(cls, url: str, **given: Any) -> Self:
        """Raises UsageError for what is no URL, or one with a password in it, and for a key that is none."""
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            parts, port = urlsplit(""), 0
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{url.partition('?')[0]!r} is no URL of a service.", hint="Like http://127.0.0.1:5001.")
        if parts.username or parts.password:
            raise UsageError(
                f"The URL of {parts.hostname} has a name or a password in it.",
                hint=f"Give a key by ${KEY_VARIABLE} or --key-file.",
            )
        key = given.get("key")
        if key is not None and (not key or not key.isascii() or not key.isprintable()):
            raise UsageError("The key is empty, or has characters that a header cannot have.")
        return cls(parts.scheme, parts.hostname, port, parts.path.rstrip("/").removesuffix("/score"), **given)

    @property
    def place(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.prefix}"

    def ask(self, method: str, path: str, body: bytes | None = None, *, key: str | None = None) -> Answered:
        """One request. Raises ServiceError with what to do if no answer comes."""
        kind = HTTPSConnection if self.scheme == "https" else HTTPConnection
        connection = kind(self.host, self.port, timeout=PATIENCE)
        headers = {"Accept-Encoding": "identity", **({"Content-Type": "application/json"} if body else {})}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        began = time.perf_counter()
        try:
            connection.request(method, f"{self.prefix}{path}", body, headers)
            answer = connection.getresponse()
            told = answer.read()
        except (OSError, HTTPException, UnicodeError) as error:
            raise self._silent(error) from None
        finally:
            connection.close()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answered(answer.status, found, told, time.perf_counter() - began)

    @cached_property
    def first(self) -> Answered | ServiceError:
        """The answer of the health route, or why there is none. Asked once: whoever is gone is not waited for again."""
        try:
            return self.ask("GET", "/")
        except ServiceError as error:
            return error

    @property
    def silent(self) -> Outcome | None:
        """What further checks say if the service cannot be reached; None if it can."""
        return skipped("the service cannot be reached") if isinstance(self.first, ServiceError) else None

    @property
    def unscored(self) -> Outcome | None:
        """The same of checks that ask for a score, which would wait for a model that is still loaded."""
        if isinstance(self.first, Answered) and self.first.status == 503:
            return skipped("requests are not scored now")
        return self.silent

    @cached_property
    def addresses(self) -> list[str]:
        """What the host's name leads to."""
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError:
            return []
        return sorted({str(address[0]).partition("%")[0] for *_, address in found})

    def _silent(self, error: Exception) -> ServiceError:
        where = f"{self.host}:{self.port}"
        match error:
            case socket.gaierror():
                return ServiceError(f"No address is known for {self.host}.", hint="Is the name right, and DNS at work?")
            case ssl.SSLCertVerificationError():
                return ServiceError(
                    f"The certificate of {where} is not trusted here: {error.verify_message}.",
                    hint="Give the authority that signed it by $SSL_CERT_FILE, or mend the certificate.",
                )
            case ssl.SSLError():
                return ServiceError(
                    f"{where} does not speak TLS as it should: {error.reason or error}.", hint="Is it http:// there?"
                )
            case ConnectionRefusedError():
                return ServiceError(
                    f"Nobody listens at {where}.",
                    hint="Start it (scorewright serve, deploy local), and look at its log if it has ended.",
                )
            case TimeoutError():
                return ServiceError(
                    f"{where} has not answered in {PATIENCE:g} s.",
                    hint="Is a firewall between, or the machine overloaded? Look at the service's log.",
                )
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return ServiceError(f"{where} cannot be asked: {said}.", hint="Is the URL right, https:// or http:// too?")
