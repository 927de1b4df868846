"""Resources as Azure Resource Manager keeps them: put, got, listed, deleted, by operations that take their time."""

from __future__ import annotations

import itertools
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.deploy.standin.answer import Answer, arm_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.deploy.standin.answer import Call


@dataclass
class Operation:
    """Something that takes a while: after `polls` looks at it, it is done."""

    url: str
    polls: int
    finish: Callable[[], dict[str, Any] | None]
    """Does what it was begun for; an ARM error's {"code", "message"} if it failed."""
    outcome: dict[str, Any] | None = None


class Resources:
    """One provider's resources under /subscriptions/{id}/resourceGroups/{group}/providers/{namespace}/.

    To be subclassed: `made` completes a resource when its operation has succeeded, `refused` says why it fails. Paths
    are compared without regard to case, as Azure does.
    """

    namespace = ""
    polls = 1
    """How often an operation is looked at before it is done."""
    taken_back: tuple[str, ...] = ("secureValue", "password")
    """Keys that are never sent back."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        """By path in lower case."""
        self._operations: dict[str, Operation] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._place = re.compile(rf"/subscriptions/[^/]+/.*?providers/{re.escape(self.namespace)}/", re.IGNORECASE)

    def made(self, path: str, resource: dict[str, Any]) -> None:
        """Fill in what the cloud adds: addresses, states."""

    def refused(self, path: str, resource: dict[str, Any]) -> dict[str, Any] | None:
        """Why the operation that makes this resource fails: {"code", "message"}; None if it does not."""
        return None

    def action(self, call: Call) -> Answer | None:
        """What is neither put, got, listed nor deleted."""
        return None

    def answer(self, call: Call) -> Answer | None:
        if not self._place.match(call.path):
            return None
        with self._lock:
            if operation := self._operations.get(call.path.rsplit("/", 1)[-1]):
                return self._look(operation)
            if (special := self.action(call)) is not None:
                return special
            known = {"PUT": self._put, "PATCH": self._put, "GET": self._get, "DELETE": self._delete}
            return known[call.method](call) if call.method in known else None

    def begin(self, host: str, finish: Callable[[], dict[str, Any] | None]) -> dict[str, str]:
        """Headers that lead to a new operation."""
        number = f"op-{self.namespace.rsplit('.', 1)[-1].lower()}-{next(self._numbers)}"
        url = f"https://{host}/subscriptions/s/providers/{self.namespace}/locations/here/operations/{number}"
        self._operations[number] = Operation(url, self.polls, finish)
        return {"Azure-AsyncOperation": url, "Location": url, "Retry-After": "0"}

    def _put(self, call: Call) -> Answer:
        path = call.path.lower()
        before = self.kept.get(path)
        resource = {**(before or {}), **call.body, "id": call.path, "name": call.path.rsplit("/", 1)[-1]}
        properties = resource.setdefault("properties", {})
        properties["provisioningState"] = "Updating" if before else "Creating"
        self.kept[path] = resource

        def finish() -> dict[str, Any] | None:
            why = self.refused(path, resource)
            properties["provisioningState"] = "Failed" if why else "Succeeded"
            if not why:
                self.made(path, resource)
            return why

        return Answer(200 if before else 201, self._shown(resource), self.begin(call.headers["host"], finish))

    def _get(self, call: Call) -> Answer:
        path = call.path.lower()
        if path in self.kept:
            return Answer(200, self._shown(self.kept[path]))
        scope, kind = path.split("/providers/", 1)
        # A collection has an even number of words after "providers", a resource an odd one.
        if len(kind.strip("/").split("/")) % 2 == 0:
            within = re.compile(rf"{re.escape(scope)}(/.*)?/providers/{re.escape(kind)}/[^/]+")
            return Answer(200, {"value": [self._shown(one) for key, one in self.kept.items() if within.fullmatch(key)]})
        return arm_error(404, "ResourceNotFound", f"The Resource '{call.path}' was not found.")

    def _delete(self, call: Call) -> Answer:
        path = call.path.lower()
        if path not in self.kept:
            return Answer(204)

        def finish() -> None:
            for key in [key for key in self.kept if key == path or key.startswith(f"{path}/")]:
                del self.kept[key]

        return Answer(202, None, self.begin(call.headers["host"], finish))

    def _look(self, operation: Operation) -> Answer:
        if operation.polls > 0:
            operation.polls -= 1
            return Answer(200, {"status": "InProgress"}, {"Retry-After": "0"})
        if operation.outcome is None:
            why = operation.finish()
            operation.outcome = {"status": "Failed", "error": why} if why else {"status": "Succeeded"}
        return Answer(200, operation.outcome)

    def _shown(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._shown(one) for key, one in value.items() if key not in self.taken_back}
        return [self._shown(one) for one in value] if isinstance(value, list) else value
