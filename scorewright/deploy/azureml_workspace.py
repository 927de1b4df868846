"""Which Azure ML workspace is meant, and the way to it."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from scorewright.deploy.azureml_words import told_by_ml
from scorewright.errors import DeployError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACES = ("config.json", ".azureml/config.json", "aml_config/config.json")
"""Where Azure's own SDKs look for a workspace, from the working directory upwards."""

_KEYS = {"subscription": "subscription_id", "resource_group": "resource_group", "name": "workspace_name"}
_SCOPE = re.compile(
    "/subscriptions/(?P<subscription_id>[^/]+)/resourceGroups/(?P<resource_group>[^/]+)/.*/workspaces/"
    "(?P<workspace_name>[^/]+)",
    re.IGNORECASE,
)
_FLAGS = {"subscription": "--subscription", "resource_group": "--resource-group", "name": "--workspace"}


@dataclass(frozen=True)
class AzuremlWorkspace:
    """A workspace by its three names."""

    subscription: str
    resource_group: str
    name: str

    @classmethod
    def find(
        cls,
        subscription: str | None = None,
        resource_group: str | None = None,
        name: str | None = None,
        *,
        start: Path | None = None,
    ) -> Self:
        """What is given; the rest from the config.json that the portal and both SDKs write, at or above `start`.

        Raises UsageError for what neither names, and for a config.json that cannot be read.
        """
        given = {"subscription": subscription, "resource_group": resource_group, "name": name}
        place = _config((start or Path.cwd()).resolve())
        written = _read(place) if place is not None and not all(given.values()) else {}
        found = {key: value or written.get(_KEYS[key]) for key, value in given.items()}
        if missing := [_FLAGS[key] for key, value in found.items() if not value]:
            where = f"{place} does not say, either" if place else "there is no config.json here or above"
            raise UsageError(
                f"Which workspace? {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not given, "
                f"and {where}.",
                hint="Give them, or download config.json from the workspace's page in the Azure portal.",
            )
        return cls(**{key: str(value) for key, value in found.items()})

    @property
    def id(self) -> str:
        """As Azure Resource Manager names it."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{self.name}"
        )

    def command(self, *words: str) -> str:
        """A `scorewright deploy` command line that asks this workspace, whatever config.json there is."""
        place = [part for key, flag in _FLAGS.items() for part in (flag, getattr(self, key))]
        return shlex.join(["scorewright", "deploy", *words, *place])

    def to_config(self) -> dict[str, str]:
        """The content of config.json."""
        return {_KEYS[key]: value for key, value in vars(self).items()}

    @contextlib.contextmanager
    def client(self, credential: Any = None) -> Iterator[Any]:
        """An azure.ai.ml.MLClient of this workspace, which is there and may be read.

        `credential` is an azure-core TokenCredential; as the shell is logged in unless given. In the body, what the
        SDK prints of its progress is not seen. Raises DeployError if the SDK is not installed or Azure refuses.
        """
        try:
            from azure.ai.ml import MLClient
            from azure.identity import DefaultAzureCredential
        except ImportError as error:
            raise DeployError(
                f"Azure ML's SDK cannot be imported: {error}.", hint="pip install 'scorewright[azureml]'"
            ) from None
        # It is chatty on all three: progress bars on stderr, dots on stdout, which is for our answer, and warnings.
        logging.getLogger("azure.ai.ml").setLevel(logging.ERROR)
        with told_by_ml(f"workspace {self.name}"), contextlib.redirect_stdout(io.StringIO()):
            client = MLClient(
                credential or DefaultAzureCredential(),
                self.subscription,
                self.resource_group,
                self.name,
                show_progress=False,
                enable_telemetry=False,
            )
            client.workspaces.get(self.name)
        with contextlib.redirect_stdout(io.StringIO()):
            yield client


def _config(start: Path) -> Path | None:
    for folder in (start, *start.parents):
        for place in PLACES:
            if (folder / place).is_file():
                return folder / place
    return None


def _read(place: Path) -> dict[str, Any]:
    try:
        found = json.loads(place.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{place} cannot be read: {error}.", hint="Download it again from the Azure portal.") from None
    if not isinstance(found, dict):
        raise UsageError(f"{place} is no workspace's config.json.", hint="Download it again from the Azure portal.")
    # What SDK v1 writes is a workspace's whole id.
    whole = _SCOPE.match(str(found.get("Scope", "")))
    return whole.groupdict() if whole else found
