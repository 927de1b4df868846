"""The public keys by which an issuer's tokens are known: fetched, kept, and fetched again when there is a new one.

Contract: OpenID Connect Discovery 1.0, sections 3 and 4; JSON Web Key (RFC 7517).
"""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from scorewright.errors import UsageError
from scorewright.service import daemon_thread, timed_fetch
from scorewright.service.target import loopback

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from jwt import PyJWK

ALGORITHMS = {"RS256": "RSA", "ES256": "EC"}
"""The algorithms that a token may be signed by, and the kind of key that each has. None of them is symmetric."""

_PUBLIC = ("kty", "n", "e", "crv", "x", "y")
"""What a public key is made of (RFC 7518, 6.2.1 and 6.3.1)."""

DISCOVERY = "/.well-known/openid-configuration"

FRESH_SECONDS = 3600.0
"""How long keys are used before they are fetched again: what the issuer has withdrawn counts no longer than this."""

RETRY_SECONDS = 10.0
"""How long after a fetch that failed, or one for a key that nobody knew, the next one is."""

TIMEOUT_SECONDS = 10.0
"""How long a fetch may take from its beginning to its end, both documents together."""

MOST_BYTES = 1_000_000


class IssuerKeys:
    """An issuer's keys by their ids. During an outage those that were fetched last are kept."""

    def __init__(self, issuer: str, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` tells seconds. Raises UsageError for an issuer that cannot be asked safely."""
        if not _safe(issuer):
            raise UsageError(
                f"token_issuer is {issuer}, and its keys must come over https.",
                hint="Write it as the claim iss of its tokens is.",
            )
        self._issuer = issuer
        self._log = logger
        self._clock = clock
        self._keys: dict[str, PyJWK] = {}
        self._fetched = -FRESH_SECONDS
        self._tried = -RETRY_SECONDS
        self._asked = -RETRY_SECONDS
        self._failing = False
        self._fetching: asyncio.Task[None] | None = None
        self.generation = 0
        """Counts the changes of the keys."""

    @property
    def known(self) -> bool:
        """Whether there are any."""
        return bool(self._keys)

    async def find(self, kid: str) -> PyJWK | None:
        """The key of that id, fetched if need be; None if the issuer has none. Others are answered meanwhile."""
        if kid not in self._keys and self._may_ask():
            await self.fetch()
        return self._keys.get(kid)

    async def watch(self) -> None:
        """Fetch the keys as soon as may be, and again before they are old, until cancelled."""
        while True:
            now = self._clock()
            if now - self._fetched >= FRESH_SECONDS and now - self._tried >= RETRY_SECONDS:
                await self.fetch()
            await asyncio.sleep(1)

    async def fetch(self) -> None:
        """Fetch them, in a thread; whoever wants the same at that time waits for the one fetch, which ends in time."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
        # One whose client leaves must not take the keys from the others.
        await asyncio.shield(self._fetching)

    def _may_ask(self) -> bool:
        """Whether a fetch for an unknown id is due: anybody can think of ids."""
        if self._fetching is not None:
            return True
        now = self._clock()
        if now - self._asked < RETRY_SECONDS:
            return False
        self._asked = now
        return True

    async def _fetch(self) -> None:
        self._tried = self._clock()
        try:
            # Its thread may hang where no timeout of ours counts, in the look-up of a name.
            async with asyncio.timeout(TIMEOUT_SECONDS):
                until = time.monotonic() + TIMEOUT_SECONDS
                keys = await daemon_thread.run(lambda: _download(self._issuer, until))
        except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
            if not self._failing:
                stay = "those of before stay" if self._keys else "no token can be checked"
                self._log.warning("The keys of %s cannot be fetched, %s: %s", self._issuer, stay, _reason(error))
            self._failing = True
        else:
            if self._failing or not self._keys:
                self._log.info("The keys of %s have been fetched: %d.", self._issuer, len(keys))
            self._keys, self._fetched, self._failing = keys, self._clock(), False
            self.generation += 1
        finally:
            self._fetching = None


def _reason(error: Exception) -> str:
    """In a line: what an answer that is none holds may be anything."""
    if isinstance(error, TimeoutError):
        return f"it took longer than {TIMEOUT_SECONDS:g} s"
    if isinstance(error, http.client.HTTPException):
        return f"it answered something that is no HTTP: {error!r:.200}"
    return f"{error!s:.500}"


def _download(issuer: str, until: float) -> dict[str, PyJWK]:
    """Raises OSError or HTTPException, or ValueError or RecursionError for documents that are not what they should be.

    TimeoutError once it is later than `until`, of time.monotonic().
    """
    described = _get(issuer.rstrip("/") + DISCOVERY, until)
    if described.get("issuer") != issuer:
        raise ValueError(f"it calls itself {str(described.get('issuer'))[:200]!r}")
    keys = _get(str(described.get("jwks_uri")), until).get("keys")
    found = {}
    for one in keys if isinstance(keys, list) else ():
        if (key := _key(one)) is not None:
            found[str(one["kid"])] = key
    if not found:
        raise ValueError(f"it has no key for {' or '.join(ALGORITHMS)}")
    return found


def _key(told: Any) -> PyJWK | None:
    """A key as it was told; None if it is for something else."""
    from jwt import PyJWK
    from jwt.exceptions import PyJWTError

    if not isinstance(told, dict) or not told.get("kid") or told.get("use", "sig") != "sig":
        return None
    algorithm = told.get("alg") or next((name for name, kind in ALGORITHMS.items() if kind == told.get("kty")), None)
    if ALGORITHMS.get(str(algorithm)) != told.get("kty"):
        return None
    try:
        return PyJWK({name: told[name] for name in _PUBLIC if name in told}, algorithm)
    except (PyJWTError, ValueError, TypeError):
        # One that is none takes nothing from the others. Older releases of PyJWT let cryptography's own errors through.
        return None


def _get(url: str, until: float) -> dict[str, Any]:
    if not _safe(url):
        raise ValueError(f"{url[:200]} is not https")
    content = json.loads(timed_fetch.get(url, until, MOST_BYTES))
    if not isinstance(content, dict):
        raise ValueError(f"{url[:200]} answered no JSON object")
    return content


def _safe(url: str) -> bool:
    """Whether nobody on the way can change what comes from there: https, or this machine itself."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    return parts.scheme == "http" and loopback(host)
