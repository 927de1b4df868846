"""The versions of an AKS endpoint of Azure ML's SDK v1."""

from __future__ import annotations

import contextlib
import inspect
from typing import TYPE_CHECKING, Any

from scorewright.deploy.azureml_v1_objects import told_by_v1
from scorewright.errors import DeployError

if TYPE_CHECKING:
    from scorewright.deploy.azureml_v1_plan import AzuremlV1Plan, OnAksEndpoint
    from scorewright.deploy.target import Report

_SIZES = ("cpu_cores", "memory_gb")


def versions_of(service: Any) -> dict[str, Any]:
    """The versions by name; none of what is no endpoint."""
    return dict(sorted((getattr(service, "versions", None) or {}).items()))


def described(name: str, version: Any) -> str:
    """A version's share and its roles, in words."""
    roles = ["default"] if version.is_default else []
    roles += [str(version.version_type).lower()] if version.version_type else []
    return " ".join([f"{name} {version.traffic_percentile or 0} %", *roles])


def put_version(
    service: Any, plan: AzuremlV1Plan, place: OnAksEndpoint, model: Any, inference: Any, *, wait: int, report: Report
) -> Any:
    """Make the planned version of an endpoint that is there, or change it; the service, which is still at it.

    Raises what the SDK raises, within `told_by_v1`.
    """
    _, given = plan.deployment
    given |= place.role
    there = place.version in versions_of(service)
    change = service.update_version if there else service.create_version
    takes = {*inspect.signature(change).parameters}
    left = sorted({*given} - takes - {"compute_target_name", "namespace"})
    doing = f"{'updating' if there else 'making'} the version {place.version} of {plan.name}"
    report(f"{doing}; v1 cannot set its {', '.join(left)}" if left else doing)
    asked = {key: given[key] for key in given if key in takes}
    # azureml-core 1.61 cannot make a version of a given size: it takes the endpoint for a service, and looks for the
    # size that it has. So it gets its size in a second step, and its requests not before.
    later = {key: asked.pop(key) for key in _SIZES if key in asked and not there}
    if later and place.traffic:
        later["traffic_percentile"] = place.traffic
        asked["traffic_percentile"] = 0
    change(models=[model], inference_config=inference, **asked)
    if later:
        with contextlib.suppress(_failure()):
            service.wait_for_deployment(show_output=False, timeout_sec=wait)
        if service.state == "Healthy":
            report(f"sizing the version {place.version} of {plan.name}")
            service.update_version(place.version, **later)
    return service


def remove_version(service: Any, version: str, wait: int) -> None:
    """Remove a version and wait until it is gone. Raises DeployError while requests are sent to it."""
    found = versions_of(service)
    if version not in found:
        raise DeployError(
            f"{service.name} has no version {version}; it has {', '.join(found) or 'none'}.",
            hint="`scorewright deploy azureml-v1 status` shows them.",
        )
    if share := found[version].traffic_percentile:
        raise DeployError(
            f"{version} answers {share} % of the requests to {service.name}.",
            hint="Apply it with --traffic 0, and give another version its share, first.",
        )
    with told_by_v1(f"deleting the version {version} of {service.name}"):
        service.delete_version(version)
        service.wait_for_deployment(show_output=False, timeout_sec=wait)


def _failure() -> type[Exception]:
    from azureml.exceptions import WebserviceException

    return WebserviceException  # type: ignore[no-any-return]  # it has no types
