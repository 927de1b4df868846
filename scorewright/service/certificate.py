"""TLS: the certificate and its key, taken anew when their files change."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from scorewright.errors import UsageError
from scorewright.service.watched import Content, Watched, meanwhile

if TYPE_CHECKING:
    import logging
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from scorewright.service.settings import Settings


class Certificate:
    """A certificate with its key. Connections that are made get the newest pair; those that are there keep theirs."""

    def __init__(self, certificate: Path, key: Path, logger: logging.Logger) -> None:
        """Raises UsageError, naming both files, if they are not a certificate (its chain below it) and its key."""
        self._paths = certificate, key
        self._watched = Watched([certificate, key])
        self._log = logger
        try:
            self._watched.take()
            self._newest = _context(certificate, key)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{certificate} and {key} cannot be used for TLS: {_reason(error)}.",
                hint="Both are PEM files; the certificate comes first in its own, then its chain. "
                "The key is not encrypted.",
            ) from None
        self.context = _context(certificate, key)
        """What a server is given. It hands each connection to the newest."""
        self.context.sni_callback = self._hand_over

    @classmethod
    def of(cls, settings: Settings, logger: logging.Logger) -> Certificate | None:
        """That of the settings; None if they name none."""
        if settings.tls_cert is None or settings.tls_key is None:
            return None
        return cls(settings.tls_cert, settings.tls_key, logger)

    def watching(self) -> AbstractAsyncContextManager[None]:
        """Takes up another pair meanwhile, when the files have one. A bad one leaves what was before."""
        return meanwhile(self._watched.each_change(self._change, self._refuse))

    def _change(self, _: Content) -> None:
        try:
            self._newest = _context(*self._paths)
        except (OSError, ValueError) as error:
            self._refuse(error)
            return
        self._log.info("The TLS certificate has changed.")

    def _refuse(self, error: Exception) -> None:
        self._log.error("The new TLS certificate is not taken, the one of before stays: %s.", _reason(error))

    # OpenSSL asks for every handshake, whether the client names a host or not.
    def _hand_over(self, connection: ssl.SSLObject | ssl.SSLSocket, _: str | None, __: ssl.SSLContext) -> None:
        connection.context = self._newest


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # Else OpenSSL would ask the terminal for the password of an encrypted key.
    context.load_cert_chain(certificate, key, password="")
    return context


def _reason(error: Exception) -> str:
    if not isinstance(error, ssl.SSLError):
        return str(error)
    if error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
        return "the key is not the certificate's"
    # OpenSSL knows no more of what it cannot read, or says it in words of its own.
    return f"one of them is no PEM file of its kind{f' ({error.reason})' if error.reason else ''}"
