"""What a web service of Azure ML's SDK v1 is made from, as its workspace has it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from scorewright.deploy.azureml_v1_objects import environment, told_by_v1
from scorewright.deploy.azureml_v1_plan import DIGEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scorewright.bundle import Bundle
    from scorewright.deploy.azureml_v1_plan import AzuremlV1Plan
    from scorewright.deploy.target import Report


def registered_model(ws: Any, bundle: Bundle, given: Mapping[str, Any], report: Report) -> tuple[Any, bool]:
    """The bundle's model as the workspace has it, and whether it is new: registered unless it is there."""
    with told_by_v1(f"model {given['model_name']}"):
        from azureml.core import Model

        known = Model.list(ws, name=given["model_name"], tags=[[DIGEST, bundle.digest]], latest=True)
        if known:
            return known[0], False
        report(f"registering the model {given['model_name']}")
        # It takes nothing from outside the working directory.
        with contextlib.chdir(bundle.model_dir):
            return Model.register(ws, **given), True


def registered_environment(ws: Any, plan: AzuremlV1Plan, report: Report) -> Any:
    """The environment as the workspace has it: registered by us, or a curated one."""
    made = environment(plan)
    with told_by_v1("environment"):
        from azureml.core import Environment

        if made is None:
            name, _, version = plan.environment.partition(":")
            report(f"taking the environment {plan.environment}")
            return Environment.get(ws, name, version or None)
        report(f"registering the environment {made.name}")
        return made.register(ws)
