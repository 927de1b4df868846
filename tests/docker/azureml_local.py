"""Deploys an image by azure-ai-ml's local endpoints, scores a request, removes it again; prints what came of it.

Run by the Python that has azure-ai-ml: azureml_local.py BUNDLE IMAGE NAME
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from azure.ai.ml import MLClient, load_environment, load_model, load_online_deployment, load_online_endpoint
from azure.ai.ml.entities import CodeConfiguration

from scorewright.bundle import Bundle
from scorewright.deploy.azureml_plan import AzuremlPlan, Managed
from scorewright.deploy.azureml_workspace import AzuremlWorkspace
from scorewright.deploy.http import healthy
from scorewright.deploy.settings import DeploySettings
from tests.deploy.standin.login import LoggedOut

DEADLINE = 120
"""Seconds after which it is asked whether it is healthy or not."""


def main(bundle: Bundle, image: str, name: str) -> dict[str, object]:
    """What the deployment says of itself and answers. Nobody is logged in: Azure is not asked."""
    settings = DeploySettings.of(image, name=name, env={"LEVEL": "1"})
    workspace = AzuremlWorkspace("s", "g", "w")
    plan = AzuremlPlan(settings, workspace, Managed(), "blue", "key", None, False, bundle)
    client = MLClient(LoggedOut(), *vars(workspace).values(), show_progress=False, enable_telemetry=False)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        plan.write(folder)
        client.online_endpoints.begin_create_or_update(load_online_endpoint(folder / "endpoint.yml"), local=True)
        deployment = load_online_deployment(folder / "deployment.yml")
        # What is registered in a workspace, local endpoints are given as it is.
        deployment.environment = load_environment(folder / "environment.yml")
        deployment.model = load_model(folder / "model.yml")
        # Without one, azure-ai-ml 1.35.2 takes None for the name of the script's folder, and falls over it.
        deployment.code_configuration = CodeConfiguration(code=str(bundle.root), scoring_script="score.py")
        client.online_deployments.begin_create_or_update(deployment, local=True)
        try:
            uri = str(client.online_endpoints.get(name, local=True).scoring_uri)
            give_up = time.monotonic() + DEADLINE
            while not healthy(uri.removesuffix("/score")) and time.monotonic() < give_up:
                time.sleep(0.1)
            answer = client.online_endpoints.invoke(
                name, request_file=str(bundle.root / "sample_request.json"), local=True
            )
            state = client.online_deployments.get("blue", name, local=True).provisioning_state
            logs = client.online_deployments.get_logs("blue", name, lines=50, local=True)
        finally:
            client.online_endpoints.begin_delete(name, local=True)
    return {"answer": json.loads(answer), "state": str(state), "logs": logs}


if __name__ == "__main__":
    print(json.dumps(main(Bundle.load(sys.argv[1]), sys.argv[2], sys.argv[3])))  # noqa: T201  # its answer
