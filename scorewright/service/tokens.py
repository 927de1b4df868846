"""The tokens that a request may carry instead of a key: JWTs of one issuer, as Microsoft Entra's are.

Contract: RFC 7519 and RFC 8725 (best current practices); Microsoft's access tokens for roles, scp, azp and appid.
"""

from __future__ import annotations

import hashlib
import importlib.util
import time
from typing import TYPE_CHECKING, Any

from scorewright.errors import RequestError, UsageError
from scorewright.service.issuer_keys import ALGORITHMS, IssuerKeys

if TYPE_CHECKING:
    import logging

    from scorewright.service.settings import Settings

LEEWAY_SECONDS = 60
"""How far the issuer's clock and this one may differ."""

MOST_BYTES = 16_384
MOST_REMEMBERED = 1000
"""Tokens that need not be checked again: a signature costs more than all else of a request."""


class Tokens:
    """Says whether a token is good."""

    def __init__(
        self, keys: IssuerKeys, issuer: str, audiences: list[str], permissions: frozenset[str], clients: frozenset[str]
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audiences = audiences
        self._permissions = permissions
        self._clients = clients
        self._good: dict[bytes, float] = {}
        self._generation = 0

    @classmethod
    def of(cls, settings: Settings, logger: logging.Logger) -> Tokens | None:
        """Those that the settings ask for; None if they ask for none. Raises UsageError if that cannot be."""
        if settings.token_issuer is None:
            return None
        if not all(importlib.util.find_spec(name) for name in ("jwt", "cryptography")):
            raise UsageError(
                "token_issuer is set, and what checks tokens is not installed.",
                hint="pip install 'scorewright[entra]'; for an image: scorewright build --entra",
            )
        audiences = sorted(_listed(settings.token_audience))
        permissions, clients = _listed(settings.token_permissions), _listed(settings.token_clients)
        return cls(IssuerKeys(settings.token_issuer, logger), settings.token_issuer, audiences, permissions, clients)

    async def watch(self) -> None:
        """Keep the issuer's keys fresh, until cancelled."""
        await self._keys.watch()

    def remembers(self, token: bytes) -> bool:
        """Whether it was found good, by keys that the issuer still has, and has not expired since."""
        self._forget_if_keys_changed()
        return self._good.get(hashlib.sha256(token).digest(), 0.0) > time.time()

    async def check(self, token: bytes) -> None:
        """Raises RequestError: 401 for a token that is not good, 403 for one that may not do this, 503 if nobody can
        tell, since the issuer's keys are not to be had."""
        import jwt

        try:
            if len(token) > MOST_BYTES:
                raise jwt.InvalidTokenError
            head = jwt.get_unverified_header(token)
            if head.get("alg") not in ALGORITHMS or not isinstance(kid := head.get("kid"), str):
                raise jwt.InvalidTokenError
            key = await self._keys.find(kid)
            if key is None and not self._keys.known:
                raise RequestError(503, "Tokens cannot be checked now: their issuer gives no keys.")
            if key is None:
                raise jwt.InvalidTokenError
            claims = jwt.decode(
                token,
                key,
                algorithms=[*ALGORITHMS],
                audience=self._audiences,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError:
            raise RequestError(401, "The token has expired.") from None
        except (jwt.PyJWTError, ValueError, TypeError):
            # What exactly is wrong would help who makes one up.
            raise RequestError(401, "The token is not good for this service.") from None
        self._require_allowed(claims)
        self._forget_if_keys_changed()
        if len(self._good) >= MOST_REMEMBERED:
            self._good.clear()
        self._good[hashlib.sha256(token).digest()] = float(claims["exp"]) + LEEWAY_SECONDS

    def _forget_if_keys_changed(self) -> None:
        if self._generation != self._keys.generation:
            self._good.clear()
            self._generation = self._keys.generation

    def _require_allowed(self, claims: dict[str, Any]) -> None:
        scopes = claims.get("scp") or claims.get("scope") or ""
        roles = claims.get("roles") or ()
        has = {*(scopes.split() if isinstance(scopes, str) else ()), *(roles if isinstance(roles, list) else ())}
        client = str(claims.get("azp") or claims.get("appid") or claims.get("client_id") or "")
        if (self._permissions and not has & self._permissions) or (self._clients and client not in self._clients):
            raise RequestError(403, "The token is good, but does not allow this.")


def _listed(text: str | None) -> frozenset[str]:
    return frozenset(part.strip() for part in (text or "").split(",") if part.strip())
