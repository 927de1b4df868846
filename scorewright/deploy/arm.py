"""The way to Azure Resource Manager: who asks, and what its refusals mean."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from scorewright.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Iterator

HINTS = {
    "AuthorizationFailed": "Ask for the role that the page of this target names, and log in again once you have it.",
    "InvalidAuthenticationToken": "Log in again: az login",
    "LinkedAuthorizationFailed": "The identity that is named in the plan may not be used by you: ask for the role "
    "Managed Identity Operator on it.",
    "QuotaExceeded": "Ask for less with --cpu or --replicas, take another region, or have the quota raised.",
    "ContainerGroupQuotaReached": "Delete what is not needed any more, take another region, or have the quota raised.",
    "ServiceUnavailable": "The region has no room for this size now: try later, another region, or a smaller one.",
    "ResourceGroupNotFound": "Make it: az group create --name NAME --location REGION",
    "SubscriptionNotFound": "`az account list` shows the subscriptions that you have.",
    "InaccessibleImage": "Is it pushed, and may the identity pull it (role AcrPull)?",
    "DnsNameLabelNotAvailable": "The label is taken in this region: choose another.",
    "ImageBuildFailure": "Is it pushed, and may the endpoint's identity pull it (role AcrPull)?",
    "ResourceNotReady": "The log's last lines say why it is not ready; `scorewright check BUNDLE` tries the same here.",
    "OutOfQuota": "Ask for less with --instance-type or --replicas, or have the quota raised.",
    "OutOfCapacity": "The region has no such machine now: take another --instance-type, or try later.",
    "MissingSubscriptionRegistration": "az provider register --namespace, with the provider that the message names",
}


@dataclass(frozen=True)
class Arm:
    """Who asks Azure Resource Manager, and how patiently."""

    credential: Any = field(repr=False)
    """An azure-core TokenCredential."""
    poll_seconds: float = 3
    """How long to wait between two looks at a long-running operation, unless the service says how long."""

    @classmethod
    def connect(cls) -> Self:
        """As the shell is logged in (`az login`, or the variables and identities that azure-identity knows).

        Raises DeployError if the SDKs are not installed.
        """
        with azure_sdk():
            from azure.identity import DefaultAzureCredential
        return cls(DefaultAzureCredential())


@contextmanager
def azure_sdk() -> Iterator[None]:
    """Raises DeployError with what to install if the body cannot import a part of Azure's SDK."""
    try:
        yield
    except ImportError as error:
        raise DeployError(
            f"Azure's SDK cannot be imported: {error}.", hint="pip install 'scorewright[azure]'"
        ) from None


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Azure's refusals in the body become DeployErrors that say what was being done, what Azure says and what to do."""
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

    try:
        yield
    except ClientAuthenticationError as error:
        raise DeployError(
            f"{doing}: not logged in to Azure, or the login has expired. {_first_line(error.message)}",
            hint="az login, or the variables AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET",
        ) from None
    except HttpResponseError as error:
        code = error.error.code if error.error is not None else ""
        said = error.error.message if error.error is not None else error.message
        raise DeployError(
            f"{doing}: Azure refuses ({code or error.status_code}): {_first_line(said or '')}", hint=hint_of(code, said)
        ) from None
    except AzureError as error:
        raise DeployError(
            f"{doing}: Azure does not answer: {_first_line(str(error.message))}",
            hint="Is there a way to it from here (a proxy, a firewall)?",
        ) from None


def hint_of(code: str | None, said: str | None) -> str:
    """What to do about one of Azure's errors; a code of a wrapping error is looked for in its message, too."""
    for known, hint in HINTS.items():
        if code == known or known in (said or ""):
            return hint
    return "The message is Azure's own." if code else ""


def without_signatures(text: str) -> str:
    """What a library says of an address, without the signature in it that opens the storage behind."""
    return re.sub(r"\bsig=[^&\s'\")]+", "sig=***", text)


def _first_line(text: str) -> str:
    return without_signatures(text.strip().splitlines()[0]) if text.strip() else "It does not say why."
