"""A container group on its way to being healthy, in words."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from scorewright.deploy.arm import hint_of, told
from scorewright.deploy.exit_code import HOPELESS, cause_of, indented
from scorewright.deploy.http import healthy
from scorewright.deploy.settings import without_secrets
from scorewright.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorewright.deploy.aci_plan import AciPlan
    from scorewright.deploy.target import Report

LOG_TAIL = 25
UNSETTLED = frozenset({"Creating", "Pending", "Updating", "Repairing", "Deleting"})
"""States in which Azure takes no change of a group."""


def finish(doing: str, begin: Callable[[], Any], wait: float, report: Report) -> Any:
    """What the long-running operation that `begin` starts ends with; `doing` is told while it lasts.

    Raises DeployError if it fails. Waits `wait` seconds between two looks.
    """
    report(doing)
    with told(doing):
        poller = begin()
        while not poller.done():
            poller.wait(wait)
            report(f"{doing}: {poller.status()}")
        return poller.result()


def settled(groups: Any, group: str, name: str, *, wait: float, timeout: float, report: Report) -> Any | None:
    """The group of that name once nothing is going on with it; None if there is none.

    So a deployment that was interrupted is found as it is, and goes on from there.
    """
    from azure.core.exceptions import ResourceNotFoundError

    began = time.monotonic()
    with told(f"looking for {name}"):
        while True:
            try:
                found = groups.get(group, name)
            except ResourceNotFoundError:
                return None
            if found.provisioning_state not in UNSETTLED:
                return found
            if time.monotonic() - began > timeout:
                raise DeployError(
                    f"{name} is {found.provisioning_state} since {timeout:g} s, and Azure takes no change meanwhile.",
                    hint="Try again later; Azure's portal shows what it is doing.",
                )
            report(f"waiting until {name} is no longer {found.provisioning_state}")
            time.sleep(wait)


def wait_until_healthy(client: Any, plan: AciPlan, wait: float, report: Report) -> Any:
    """The group once its service is healthy.

    Raises DeployError with the container's last words if it cannot get healthy, or is not in time.
    """
    began = time.monotonic()
    timeout = plan.settings.probes.start
    while True:
        with told(f"looking at {plan.name}"):
            group = client.container_groups.get(plan.place.resource_group, plan.name)
        view = group.containers[0].instance_view
        if _answers(group, view, public=plan.place.public):
            report(f"healthy after {time.monotonic() - began:.1f} s")
            return group
        if (why := trouble(view)) and _hopeless(view):
            raise _failed(client, plan, why, hint=_hint(view))
        if time.monotonic() - began > timeout:
            late = f"was not healthy within {timeout:g} s"
            raise _failed(client, plan, f"{late}: {why}" if why else late, hint=_hint(view) or _PATIENCE)
        report(f"waiting until it is healthy: {why or state(view)}")
        time.sleep(wait)


def url_of(group: Any) -> str:
    """Where a group is reached; empty as long as it has no address."""
    address = group.ip_address
    if address is None or not (address.fqdn or address.ip):
        return ""
    port = max(one.port for one in address.ports)
    host = address.fqdn or address.ip
    return f"https://{host}" if port == 443 else f"http://{host}:{port}"


def state(view: Any) -> str:
    """The container's state in Azure's own words."""
    now = view.current_state if view is not None else None
    return " ".join(word for word in (now.state, now.detail_status) if word) if now is not None else "Pending"


def trouble(view: Any) -> str:
    """What is wrong with a container; empty if nothing is known to be."""
    if view is None:
        return ""
    if pulls := [event for event in view.events or () if _pull_failed(event)]:
        return f"the image cannot be pulled: {pulls[-1].message}"
    ended = _exit(view)
    if ended is not None:
        return f"it ended with exit code {ended} and was started again {view.restart_count or 0} times"
    return ""


def _pull_failed(event: Any) -> bool:
    return event.type == "Warning" and event.name in ("Failed", "BackOff") and "pull" in (event.message or "").lower()


def _exit(view: Any) -> int | None:
    """The exit code with which it ended the last time, if it did."""
    for one in (view.current_state, view.previous_state):
        if one is not None and one.state == "Terminated" and one.exit_code is not None:
            return int(one.exit_code)
    return None


def _hopeless(view: Any) -> bool:
    return any(_pull_failed(event) for event in view.events or ()) or _exit(view) in HOPELESS


def _answers(group: Any, view: Any, *, public: bool) -> bool:
    if public:
        url = url_of(group)
        return bool(url) and healthy(url)
    # From here nobody may reach a private address; that the container runs is all that Azure tells.
    now = view.current_state if view is not None else None
    return now is not None and now.state == "Running"


_PATIENCE = "Give it longer with --timeout, or see in the lines above what it waits for."


def _hint(view: Any) -> str:
    if view is None:
        return ""
    if any(_pull_failed(event) for event in view.events or ()):
        return hint_of("InaccessibleImage", "")
    return cause_of(_exit(view))


def _failed(client: Any, plan: AciPlan, why: str, hint: str) -> DeployError:
    return DeployError(
        f"{plan.name} {why}. Its last lines:\n{indented(last_words(client, plan))}\n"
        f"It is still there, and is paid for: scorewright deploy aci delete {plan.name} "
        f"--resource-group {plan.place.resource_group}",
        hint=hint,
    )


def last_words(client: Any, plan: AciPlan) -> str:
    """The last lines of the service's log; empty where Azure has none (yet)."""
    from azure.core.exceptions import HttpResponseError

    try:
        logs = client.containers.list_logs(plan.place.resource_group, plan.name, plan.name, tail=LOG_TAIL)
    except HttpResponseError:
        return ""
    return without_secrets(logs.content or "", plan.secrets)
