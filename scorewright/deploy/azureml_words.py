"""What azure-ai-ml's refusals mean, in words."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scorewright.deploy.arm import hint_of, told, without_signatures
from scorewright.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LAST_LINES = 25
"""Of the log of a deployment that failed."""

CONTAINERS = {"inference-server": "the container", "storage-initializer": "what fetches the model for it"}


@contextmanager
def told_by_ml(doing: str) -> Iterator[None]:
    """Refusals of Azure and of its SDK in the body become DeployErrors: what was done, what is said, what to do."""
    from azure.ai.ml.exceptions import MlException

    with told(doing):
        try:
            yield
        except MlException as error:
            # The SDK's own checks are formatted for a terminal, over many lines.
            said = without_signatures(" ".join(str(error.message or error).split()))
            raise DeployError(f"{doing}: Azure ML's SDK refuses: {said}", hint=hint_of(None, said)) from None


def absent(ask: Callable[[], Any], doing: str) -> Any:
    """What `ask` finds; None if Azure says that there is none. Raises DeployError for every other refusal."""
    from azure.core.exceptions import ResourceNotFoundError

    with told_by_ml(doing):
        try:
            return ask()
        except ResourceNotFoundError:
            return None


def deployment_failed(client: Any, endpoint: str, slot: str, error: DeployError) -> DeployError:
    """The same error with the last lines that the deployment's containers have logged."""
    from azure.core.exceptions import AzureError

    parts = []
    for container, words in CONTAINERS.items():
        try:
            said = client.online_deployments.get_logs(slot, endpoint, lines=LAST_LINES, container_type=container)
        except AzureError:
            continue
        if lines := str(said).strip().splitlines()[-LAST_LINES:]:
            parts.append(f"The last lines of {words}:\n" + "\n".join(f"  {line}" for line in lines))
    return DeployError("\n".join([error.message, *parts]), hint=error.hint)
