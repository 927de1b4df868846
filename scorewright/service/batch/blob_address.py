"""How a blob is named: abfs://container@account/path, as Azure and fsspec write it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from scorewright.errors import UsageError

_FORM = "Write it as abfs://container@account/path; the account is known, too, from AZURE_STORAGE_CONNECTION_STRING."
_URL = re.compile(r"(?P<scheme>[A-Za-z]+)://(?:(?P<container>[^@/]*)@)?(?P<host>[^@/]*)(?:/(?P<path>.*))?", re.DOTALL)
_CONTAINER = re.compile(r"[a-z0-9$](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_SECRET = re.compile(r"[?&](?:sig|se|sv|sp)=", re.IGNORECASE)


@dataclass(frozen=True)
class BlobAddress:
    """A blob, or a prefix of blobs' names. `path` has no slash at its ends; "" is the whole container."""

    container: str
    account: str | None
    """None: the one that the credentials belong to."""
    suffix: str
    """What follows the account's name in its host, for Azure's other clouds; "" for the public one."""
    path: str

    @classmethod
    def of(cls, url: str) -> BlobAddress:
        """What a URL names. Raises UsageError if it is not well formed, or holds a signature."""
        if _SECRET.search(url):
            raise UsageError(
                f"{url.partition('?')[0]} has a signature in its URL, which would be kept and shown with it.",
                hint="Put the signature into AZURE_STORAGE_SAS_TOKEN and leave it out of the URL.",
            )
        found = _URL.fullmatch(url)
        if found is None:
            raise UsageError(f"{url} is no location in Azure Storage.", hint=_FORM)
        container, host = (found["container"], found["host"]) if found["container"] is not None else (found["host"], "")
        account, _, rest = host.partition(".")
        suffix = re.sub(r"^(?:dfs|blob)\.", "", rest)
        path = (found["path"] or "").strip("/")
        if not _CONTAINER.fullmatch(container):
            raise UsageError(f"{url}: {container!r} is no name of a container.", hint=_FORM)
        if host and not _ACCOUNT.fullmatch(account):
            raise UsageError(f"{url}: {account!r} is no name of a storage account.", hint=_FORM)
        if any(part in ("", ".", "..") for part in path.split("/")) and path:
            raise UsageError(f"{url}: a blob's path has no empty parts, no . and no .. in it.", hint=_FORM)
        return cls(container, account or None, "" if suffix == "core.windows.net" else suffix, path)

    @property
    def url(self) -> str:
        """As `of` takes it."""
        host = f"@{self.account}.dfs.{self.suffix or 'core.windows.net'}" if self.account else ""
        return f"abfs://{self.container}{host}" + (f"/{self.path}" if self.path else "")

    @property
    def key(self) -> str:
        """As adlfs takes it: the container, then the path."""
        return f"{self.container}/{self.path}" if self.path else self.container

    def at(self, path: str) -> BlobAddress:
        """Another path in the same container."""
        return replace(self, path=path)

    def below(self, name: str) -> BlobAddress:
        """The name below this one."""
        return self.at(f"{self.path}/{name}" if self.path else name)
