"""What Azure Storage says, in words for the user: what happened, where, and what to do. Never a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ServiceRequestError

from scorewright.errors import LocationError

if TYPE_CHECKING:
    from scorewright.service.batch.blob_address import BlobAddress

_CREDENTIALS = (
    "Set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_SAS_TOKEN, or log in "
    "(az login, a managed identity) as somebody with the role Storage Blob Data Contributor."
)
_AGAIN = "It was tried again for a while. Check the network, then start again."
_STRANGERS = ("AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation")


def blob_error(doing: str, address: BlobAddress, error: Exception) -> LocationError | None:
    """The error to raise for one of adlfs's or Azure's; None if it is neither."""
    found = _azures(error)
    where = address.url
    if found is None:
        return missing(address) if isinstance(error, FileNotFoundError) else None
    status, code = getattr(found, "status_code", None), _code(found)
    if isinstance(found, ClientAuthenticationError) and status is None:
        return LocationError(
            f"Cannot {doing} {where}: no credentials for Azure were found, or none were taken.", hint=_CREDENTIALS
        )
    if status == 404 and code == "ContainerNotFound":
        return no_container(address)
    if status == 404:
        return missing(address)
    if code in _STRANGERS or status == 401:
        return LocationError(
            f"Cannot {doing} {where}: Azure Storage does not take the credentials ({code or status}); they are wrong, "
            "expired or of another account.",
            hint=_CREDENTIALS,
        )
    if status == 403:
        return LocationError(
            f"No permission to {doing} {where}: Azure Storage answers {code or status}.",
            hint=f"Check the key or signature, and the account's firewall. {_CREDENTIALS}",
        )
    if status is not None and (status >= 500 or status in (408, 429)):
        return LocationError(f"Cannot {doing} {where}: Azure Storage answers {status} ({code}).", hint=_AGAIN)
    if status is not None:
        return LocationError(
            f"Cannot {doing} {where}: Azure Storage answers {status} ({code}).",
            hint=f"https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes explains {code}.",
        )
    if isinstance(found, ServiceRequestError):
        return LocationError(
            f"Cannot {doing} {where}: its storage account is not to be reached.",
            hint=f"Check the account's name. {_AGAIN}",
        )
    return LocationError(f"Cannot {doing} {where}: the connection is cut again and again.", hint=_AGAIN)


def missing(address: BlobAddress) -> LocationError:
    """For a blob or folder that is not there."""
    return LocationError(f"There is no blob or folder {address.url}.", hint="Check the path.")


def no_container(address: BlobAddress) -> LocationError:
    """For a container that is not there."""
    return LocationError(
        f"There is no container {address.container} in the storage account of {address.url}.",
        hint="Check its name, or make it: az storage container create.",
    )


def _azures(error: BaseException | None) -> AzureError | None:
    """Azure's error in what adlfs made of it."""
    while error is not None and not isinstance(error, AzureError):
        error = error.__cause__ or error.__context__
    return error


def _code(error: AzureError) -> str:
    given = getattr(error, "error_code", None)
    if given is None and isinstance(error, HttpResponseError) and error.response is not None:
        given = error.response.headers.get("x-ms-error-code")
    return str(getattr(given, "value", given) or "")
