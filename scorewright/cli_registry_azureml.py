"""`scorewright register --registry azureml://`: a bundle's model in an Azure ML workspace."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scorewright.cli_deploy_output import reporting, show
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scorewright.bundle import Bundle

_PLACE = re.compile(r"azureml(?P<v1>-v1)?://(?:(?P<subscription>[^/]+)/(?P<group>[^/]+)/(?P<workspace>[^/]+)/?)?")


def register_in_azureml(
    bundle: Bundle, url: str, metrics: Mapping[str, float], tags: Mapping[str, str], *, as_json: bool
) -> None:
    """Register a bundle's model by SDK v2, or v1, and say under which version.

    Raises UsageError for a URL that cannot be meant, DeployError for what Azure refuses.
    """
    from scorewright.deploy.azureml_model import register_in
    from scorewright.deploy.azureml_v1_target import AzuremlV1
    from scorewright.deploy.azureml_workspace import AzuremlWorkspace

    found = _PLACE.fullmatch(url)
    if found is None:
        raise UsageError(
            f"{url!r} is no workspace.",
            hint="Write azureml://SUBSCRIPTION/GROUP/WORKSPACE, or azureml:// for that of config.json.",
        )
    workspace = AzuremlWorkspace.find(found["subscription"], found["group"], found["workspace"])
    name, version = bundle.manifest.name, bundle.manifest.version
    with reporting() as report:
        if found["v1"]:
            version, new = AzuremlV1(workspace).register(bundle, tags, metrics, report)
        else:
            new = register_in(workspace, bundle, tags, metrics, report)
    if as_json:
        show({"name": name, "version": version, "workspace": workspace.id, "new": new})
    else:
        show(f"{name}:{version} is registered{'' if new else ' already'} in the workspace {workspace.name}.")
