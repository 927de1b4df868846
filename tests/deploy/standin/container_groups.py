"""Azure Container Instances: groups whose container does what the test says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.deploy.standin.answer import Answer
from tests.deploy.standin.resources import Resources

if TYPE_CHECKING:
    from tests.deploy.standin.answer import Call

RUNNING = {"currentState": {"state": "Running", "detailStatus": ""}, "restartCount": 0, "events": []}


def ended(code: int, restarts: int = 1) -> dict[str, Any]:
    """A container that ends with `code` whenever it is started."""
    return {
        "currentState": {"state": "Waiting", "detailStatus": "CrashLoopBackOff"},
        "previousState": {"state": "Terminated", "exitCode": code, "detailStatus": "Error"},
        "restartCount": restarts,
        "events": [],
    }


def not_pulled(message: str) -> dict[str, Any]:
    """A container whose image cannot be pulled."""
    event = {"name": "Failed", "type": "Warning", "count": 1, "message": message}
    return {"currentState": {"state": "Waiting", "detailStatus": "ImagePullBackOff"}, "events": [event]}


@dataclass
class Fate:
    """What becomes of a group that is put."""

    view: dict[str, Any] = field(default_factory=lambda: RUNNING)
    port: int | None = None
    """The port of this machine that a public address leads to in place of the service's own."""
    log: str = ""
    error: dict[str, Any] | None = None
    """Why its operation fails."""


class ContainerGroups(Resources):
    """Microsoft.ContainerInstance."""

    namespace = "Microsoft.ContainerInstance"

    def __init__(self) -> None:
        super().__init__()
        self.fate = Fate()

    def refused(self, path: str, resource: dict[str, Any]) -> dict[str, Any] | None:
        return self.fate.error

    def made(self, path: str, resource: dict[str, Any]) -> None:
        properties = resource["properties"]
        address = properties["ipAddress"]
        address["ip"] = "127.0.0.1"
        if address["type"] == "Public":
            address["fqdn"] = "localhost"
            if self.fate.port is not None:
                address["ports"] = [{"protocol": "TCP", "port": self.fate.port}]
        for container in properties["containers"]:
            container["properties"]["instanceView"] = self.fate.view

    def action(self, call: Call) -> Answer | None:
        if call.path.endswith("/logs"):
            lines = self.fate.log.splitlines(keepends=True)
            return Answer(200, {"content": "".join(lines[-int(call.query.get("tail", len(lines) or 1)) :])})
        return None
