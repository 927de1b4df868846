"""A plan for Azure ML's SDK v1 as the SDK's own objects. Making them asks nobody, and they check themselves."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scorewright.deploy.arm import told, without_signatures
from scorewright.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scorewright.deploy.azureml_v1_plan import AzuremlV1Plan


@contextmanager
def told_by_v1(doing: str) -> Iterator[None]:
    """Refusals of the SDK in the body become DeployErrors. Raises DeployError, too, if it is not installed."""
    try:
        from azureml.exceptions import AzureMLException
        from azureml.exceptions import UserErrorException as UserError
        from msrest.exceptions import HttpOperationError
        from requests.exceptions import RequestException
    except ImportError as error:
        raise DeployError(
            f"Azure ML's SDK v1 cannot be imported: {error}.",
            hint="pip install 'scorewright[azureml-v1]', in an environment of its own: it asks for old releases.",
        ) from None
    try:
        with told(doing), warnings.catch_warnings():
            # What it says of its own end, we say once, in our words.
            warnings.simplefilter("ignore")
            yield
    except (AzureMLException, UserError) as error:
        raise DeployError(f"{doing}: Azure ML refuses: {_first_words(error.message)}") from None
    except (HttpOperationError, RequestException) as error:
        raise DeployError(f"{doing}: Azure does not answer as it should: {_first_words(str(error))}") from None
    except Exception as error:
        # Its client of environments raises what everybody raises.
        if type(error) is not Exception:
            raise
        raise DeployError(f"{doing}: Azure ML refuses: {_first_words(str(error))}") from None


def environment(plan: AzuremlV1Plan) -> Any:
    """An azureml.core.Environment, not registered: the bundle's pins, installed by conda or by pip.

    None for a curated one, which the workspace has. Raises DeployError for what the SDK refuses.
    """
    if plan.environment not in ("system", "user"):
        return None
    with told_by_v1("environment"):
        from azureml.core import Environment
        from azureml.core.conda_dependencies import CondaDependencies

        made = Environment(plan.environment_name)
        made.environment_variables = plan.variables
        made.inferencing_stack_version = "latest"
        if plan.environment == "user":
            made.docker.base_image = None
            made.docker.base_dockerfile = plan.dockerfile
            made.python.user_managed_dependencies = True
        else:
            made.docker.base_image = str(plan.settings.image)
            made.python.conda_dependencies = CondaDependencies.create(
                python_version=plan.python, pip_packages=plan.requirements, pin_sdk_version=False
            )
        return made


def inference_config(plan: AzuremlV1Plan, environment: Any, folder: Path) -> Any:
    """An azureml.core.model.InferenceConfig on the script that `plan.write(folder)` has written."""
    with told_by_v1("inference configuration"):
        from azureml.core.model import InferenceConfig

        return InferenceConfig(
            entry_script=plan.bundle.entry_script.name,
            source_directory=str(folder / "source"),
            environment=environment,
            description=f"{plan.bundle.manifest.name} {plan.bundle.manifest.version}",
        )


def deployment_config(plan: AzuremlV1Plan) -> Any:
    """The deploy_configuration of the plan's class of service."""
    with told_by_v1("deployment configuration"):
        from azureml.core import webservice

        kind, given = plan.deployment
        return getattr(webservice, kind).deploy_configuration(**given)


def _first_words(text: str) -> str:
    """An error of the SDK's is many lines, with the whole response in them."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return without_signatures(" ".join(lines))[:600] or "It does not say why."
