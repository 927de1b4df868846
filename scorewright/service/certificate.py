"""TLS: the certificate and its key, taken anew when their files change."""

from __future__ import annotations

import contextlib
import os
import ssl
from typing import TYPE_CHECKING, NamedTuple

from scorewright.errors import UsageError
from scorewright.service import shared_memory
from scorewright.service.watched import Content, Watched, meanwhile

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from scorewright.service.settings import Settings


class Pair(NamedTuple):
    """A certificate, its chain below it, and its key, in PEM."""

    certificate: bytes
    key: bytes


class Certificate:
    """A certificate with its key. Connections that are made get the newest pair; those that are there keep theirs."""

    def __init__(self, pair: Pair, watched: Watched, paths: tuple[Path, Path], logger: logging.Logger) -> None:
        """`watched` has the files at `paths`. Raises OSError or ValueError for what is no pair."""
        self._pair = pair
        self._paths = paths
        self._watched = watched
        self._log = logger
        self._newest = _context(pair)
        self.context = _context(pair)
        """What a server is given. It hands each connection to the newest."""
        self.context.sni_callback = self._hand_over

    @classmethod
    def of(cls, settings: Settings, logger: logging.Logger) -> Certificate | None:
        """That of the settings; None if they name none. Raises UsageError, naming both files, if they are no pair."""
        if settings.tls_cert is None or settings.tls_key is None:
            return None
        paths = settings.tls_cert, settings.tls_key
        watched = Watched(paths)
        try:
            return cls(_pair(watched.take(), paths), watched, paths, logger)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{paths[0]} and {paths[1]} cannot be used for TLS: {_reason(error)}.",
                hint="Both are PEM files; the certificate comes first in its own, then its chain. "
                "The key is not encrypted.",
            ) from None

    @classmethod
    def of_told(cls, told: list[str], settings: Settings, logger: logging.Logger) -> Certificate | None:
        """That which another process has in use, whatever is in the files by now."""
        if settings.tls_cert is None or settings.tls_key is None:
            return None
        paths = settings.tls_cert, settings.tls_key
        return cls(Pair(*(one.encode("latin-1") for one in told)), Watched(paths), paths, logger)

    def told(self) -> list[str]:
        """The pair that is in use now. The key is secret."""
        return [one.decode("latin-1") for one in self._pair]

    def watching(self) -> AbstractAsyncContextManager[None]:
        """Takes up another pair meanwhile, when the files have one. A bad one leaves what was before."""
        return meanwhile("the TLS certificate", self._watch, self._log)

    async def _watch(self) -> None:
        await self._watched.each_change(self._change, self._refuse)

    def _change(self, content: Content) -> None:
        pair = _pair(content, self._paths)
        if pair == self._pair:
            return
        try:
            self._newest = _context(pair)
        except (OSError, ValueError) as error:
            self._refuse(error)
            return
        self._pair = pair
        self._log.info("The TLS certificate has changed.")

    def _refuse(self, error: Exception) -> None:
        self._log.error("The new TLS certificate is not taken, the one of before stays: %s.", _reason(error))

    # OpenSSL asks for every handshake, whether the client names a host or not.
    def _hand_over(self, connection: ssl.SSLObject | ssl.SSLSocket, _: str | None, __: ssl.SSLContext) -> None:
        connection.context = self._newest


def _pair(content: Content, paths: tuple[Path, Path]) -> Pair:
    # A folder has no content of its own, and is found to be no PEM file.
    return Pair(*(content.get(str(path), b"") for path in paths))


def _context(pair: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # The ssl module reads files only. Those that were compared may be others by now.
    with _in_memory(pair.certificate) as certificate, _in_memory(pair.key) as key:
        # Else OpenSSL would ask the terminal for the password of an encrypted key.
        context.load_cert_chain(certificate, key, password="")
    return context


@contextlib.contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """A path by which this process alone reads it; it is on no disk."""
    descriptor = shared_memory.create("scorewright-tls", 0)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield f"/dev/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    if not isinstance(error, ssl.SSLError):
        return str(error)
    if error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
        return "the key is not the certificate's"
    # OpenSSL knows no more of what it cannot read, or says it in words of its own.
    return f"one of them is no PEM file of its kind{f' ({error.reason})' if error.reason else ''}"
