"""The connection to a storage account: who we are to it, and how patient we are with it."""

from __future__ import annotations

import logging
import os
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from adlfs import AzureBlobFileSystem
from azure.core.exceptions import ClientAuthenticationError
from azure.core.utils import parse_connection_string
from azure.storage.blob.aio import BlobServiceClient, ExponentialRetry

from scorewright.errors import LocationError, UsageError

PIECE = 4 << 20
"""Bytes of one request. A connection that is cut costs one piece, which is asked for up to three times."""
AT_ONCE = 64 << 20
"""Bytes that are still written by one request. What is written in blocks cannot be written by two at a time."""
PATIENCE: dict[str, Any] = {"initial_backoff": 0.5, "increment_base": 2, "retry_total": 4, "random_jitter_range": 0.5}
"""A server that does not answer, or is busy, is asked again for half a minute; azure-storage-blob's own waits
begin at 15 s, which suits neither a dropped connection nor a busy server."""
CONNECTIONS = 4


def filesystem(account: str | None, suffix: str) -> AzureBlobFileSystem:
    """The account's filesystem, one a process. Raises UsageError if the account is not known.

    A child that was forked has not the threads of its parent, and so not its event loop: it connects by itself.
    """
    return _filesystem(account, suffix, os.getpid())


@cache
def _filesystem(account: str | None, suffix: str, _: int) -> AzureBlobFileSystem:
    # Azure's packages warn of each cut connection, which is then tried again: for who has set up logging.
    logging.getLogger("azure").addHandler(logging.NullHandler())
    return _Account(
        account_name=account,
        account_suffix=suffix,
        anon=True,  # else it asks azure-identity for credentials before do_connect() is called
        max_concurrency=CONNECTIONS,
        use_listings_cache=False,
        skip_instance_cache=True,
    )


def forget() -> None:
    """Connect anew next time: the credentials in the environment have changed."""
    _filesystem.cache_clear()


class _Patience(ExponentialRetry):  # type: ignore[misc]
    """Azure's own way to ask again, but not for credentials: who has none now has none in a minute."""

    def increment(self, settings: Any, request: Any, response: Any = None, error: Any = None, **given: Any) -> bool:
        """Whether to ask again."""
        return not isinstance(error, ClientAuthenticationError) and bool(
            super().increment(settings, request, response, error, **given)
        )


class _Account(AzureBlobFileSystem):  # type: ignore[misc]
    """adlfs's filesystem, with credentials that are used only for the account they belong to."""

    def __init__(self, account_suffix: str, **given: Any) -> None:
        self.account_suffix = account_suffix
        self.named = given.get("account_name")
        super().__init__(**given)

    def do_connect(self) -> None:
        """Make the client. Nothing is sent yet."""
        settings = {
            "retry_policy": _Patience(**PATIENCE),
            "max_single_get_size": PIECE,
            "max_chunk_get_size": PIECE,
            "max_single_put_size": AT_ONCE,
            "max_block_size": PIECE,
        }
        given = os.environ.get("AZURE_STORAGE_CONNECTION_STRING")
        if given:
            try:
                if self.named is None or _account_of(given) in (None, self.named):
                    self.service_client = BlobServiceClient.from_connection_string(given, **settings)
                    return
            except ValueError:
                raise LocationError(
                    "AZURE_STORAGE_CONNECTION_STRING is no connection string.",
                    hint="Copy it anew: in Azure's portal it is under the storage account's access keys.",
                ) from None
        account = self.named or os.environ.get("AZURE_STORAGE_ACCOUNT_NAME")
        if not account:
            raise UsageError(
                "It is not said which storage account is meant.",
                hint="Write abfs://container@account/path, or set AZURE_STORAGE_CONNECTION_STRING.",
            )
        url = f"https://{account}.blob.{self.account_suffix or 'core.windows.net'}"
        self.service_client = BlobServiceClient(url, credential=self._own_credential(account), **settings)

    def _own_credential(self, account: str) -> Any:
        if os.environ.get("AZURE_STORAGE_ACCOUNT_NAME") in (None, "", account):
            if key := os.environ.get("AZURE_STORAGE_ACCOUNT_KEY"):
                return {"account_name": account, "account_key": key}
            if signature := os.environ.get("AZURE_STORAGE_SAS_TOKEN"):
                return signature.removeprefix("?")
        from azure.identity.aio import DefaultAzureCredential

        self.credential = DefaultAzureCredential()  # adlfs closes what is kept under this name
        return self.credential


def _account_of(connection_string: str) -> str | None:
    """Whose connection string it is; None if it does not say. Raises ValueError if it is none."""
    parts = parse_connection_string(connection_string, case_sensitive_keys=False)
    if name := parts.get("accountname"):
        return str(name)
    endpoint = urlsplit(parts.get("blobendpoint", ""))
    host = endpoint.hostname or ""
    return (host.partition(".")[0] if ".blob." in host else endpoint.path.strip("/").partition("/")[0]) or None
