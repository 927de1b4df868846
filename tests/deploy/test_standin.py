"""The stand-in itself, asked by a real SDK: what it says is what Azure says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.mgmt.containerinstance import ContainerInstanceManagementClient

from scorewright.deploy.arm import Arm, told
from scorewright.errors import DeployError
from tests.deploy.standin.answer import FORBIDDEN, NOT_LOGGED_IN, QUOTA, THROTTLED
from tests.deploy.standin.login import LoggedIn, LoggedOut
from tests.deploy.standin.resources import Resources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.deploy.standin.answer import Answer
    from tests.deploy.standin.server import StandIn

GROUP = {"location": "here", "properties": {"osType": "Linux", "containers": []}}


class Groups(Resources):
    namespace = "Microsoft.ContainerInstance"


@pytest.fixture
def client(standin: StandIn) -> Iterator[Any]:
    standin.services.append(Groups())
    with ContainerInstanceManagementClient(Arm.connect().credential, "s", polling_interval=0.01) as opened:
        yield opened


def test_a_resource_is_put_got_listed_and_deleted_by_operations(client: Any, standin: StandIn) -> None:
    made = client.container_groups.begin_create_or_update("g", "churn", GROUP).result()
    assert made.provisioning_state == "Succeeded"
    assert [one.name for one in client.container_groups.list()] == ["churn"]
    assert [one.name for one in client.container_groups.list_by_resource_group("other")] == []
    client.container_groups.begin_delete("g", "churn").result()
    assert list(client.container_groups.list()) == []
    assert [call.method for call in standin.calls] == ["PUT", *["GET"] * 5, "DELETE", *["GET"] * 3]


def test_throttling_is_waited_out(client: Any, standin: StandIn) -> None:
    standin.fail("GET", "containerGroups/churn", THROTTLED)
    with pytest.raises(DeployError, match=r"looking: Azure refuses \(ResourceNotFound\)"), told("looking"):
        client.container_groups.get("g", "churn")
    assert [call.method for call in standin.calls] == ["GET", "GET"]


@pytest.mark.parametrize(
    ("answer", "message", "hint"),
    [
        (QUOTA, r"Azure refuses \(QuotaExceeded\): Resource usage exceeds quota", "have the quota raised"),
        (FORBIDDEN, r"Azure refuses \(AuthorizationFailed\): The client", "Ask for the role"),
        (NOT_LOGGED_IN, "not logged in to Azure, or the login has expired", "az login"),
    ],
)
def test_refusals_are_told_in_words(client: Any, standin: StandIn, answer: Answer, message: str, hint: str) -> None:
    standin.fail("PUT", "containerGroups", answer)
    with pytest.raises(DeployError, match=f"making churn: {message}") as caught, told("making churn"):
        client.container_groups.begin_create_or_update("g", "churn", GROUP).result()
    assert hint in caught.value.hint


def test_who_is_not_logged_in_is_told_so_before_anything_is_sent(standin: StandIn) -> None:
    with (
        ContainerInstanceManagementClient(LoggedOut(), "s") as client,
        pytest.raises(DeployError, match="not logged in") as caught,
        told("making churn"),
    ):
        client.container_groups.get("g", "churn")
    assert "az login" in caught.value.hint
    assert standin.calls == []


def test_nobody_there_is_told_in_words(certificate: object) -> None:
    with (
        ContainerInstanceManagementClient(LoggedIn(), "s", "https://127.0.0.1:1", retry_total=0) as client,
        pytest.raises(DeployError, match="Azure does not answer"),
        told("making churn"),
    ):
        client.container_groups.get("g", "churn")
