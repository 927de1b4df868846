"""A container group put to the stand-in by the real SDK: what it is asked, and what goes wrong, in words."""

from __future__ import annotations

import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from sklearn.tree import DecisionTreeClassifier

import scorewright
from scorewright.deploy.aci_place import AciPlace
from scorewright.deploy.aci_target import Aci
from scorewright.deploy.arm import Arm
from scorewright.deploy.preflight import BUNDLE_LABEL
from scorewright.deploy.settings import DeploySettings
from scorewright.errors import DeployError
from tests.deploy.standin.answer import FORBIDDEN, NOT_LOGGED_IN, QUOTA, THROTTLED, Answer, arm_error
from tests.deploy.standin.container_groups import ContainerGroups, Fate, ended, not_pulled
from tests.deploy.standin.login import LoggedIn, put_az

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scorewright.bundle import Bundle
    from tests.command import Command
    from tests.deploy.standin.registry import Registry
    from tests.deploy.standin.server import StandIn

ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/puller"
IMAGE = "acme.azurecr.io/churn:3"
PUT = "PUT /subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerInstance/containerGroups/churn"


class _Service(BaseHTTPRequestHandler):
    """Healthy, and scores everything alike."""

    def do_GET(self) -> None:
        self._say(b"Healthy")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._say(b'{"predict": [1]}')

    def _say(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[int]:
    """The port of a service that is well."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Service) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()


@pytest.fixture
def groups(standin: StandIn, service: int) -> ContainerGroups:
    """ACI, where a group's public address leads to the service that is well."""
    found = ContainerGroups()
    found.fate.port = service
    standin.services.append(found)
    return found


def target(**place: Any) -> Aci:
    where = {"dns_label": "acme", "identity": ID, **place}
    return Aci(AciPlace("s", "g", "westeurope", **where), Arm(LoggedIn(), poll_seconds=0.01))


def apply(where: Aci | None = None, said: list[str] | None = None, **given: Any) -> Any:
    there = where or target()
    todo = there.plan(DeploySettings.of(IMAGE, **{"probes": {"start": 1}, **given}))
    return there.apply(todo, (said if said is not None else []).append)


def puts(standin: StandIn) -> list[Any]:
    return [call.body for call in standin.calls if call.method == "PUT"]


def test_a_group_is_made_asked_looked_after_and_deleted(groups: ContainerGroups, standin: StandIn) -> None:
    said: list[str] = []
    groups.fate.log = "one\ntwo\n"
    there = target()
    deployed = apply(there, said, secrets={"API_KEY": "hunter2"})
    todo = there.plan(DeploySettings.of(IMAGE, probes={"start": 1}, secrets={"API_KEY": "hunter2"}))
    assert puts(standin) == [todo.body(todo.secrets.__getitem__)]
    assert "hunter2" in json.dumps(puts(standin))
    assert deployed.run([[1]]) == {"predict": [1]}
    assert deployed.get_keys() == ()
    assert said[:2] == ["making churn", "making churn: InProgress"]
    assert said[-1].startswith("healthy after")

    status = deployed.status()
    assert (status.state, status.healthy, status.detail) == ("Succeeded, Running", True, "")
    assert there.get("churn").url == deployed.url
    assert there.deployments() == [status]
    assert deployed.logs() == "one\ntwo\n"
    assert deployed.logs(tail=1) == "two\n"

    deployed.delete()
    assert there.deployments() == []
    with pytest.raises(DeployError, match="Nothing is deployed as churn in g"):
        there.status("churn")


def test_applied_again_it_converges(groups: ContainerGroups, standin: StandIn) -> None:
    apply()
    said: list[str] = []
    apply(None, said, env={"LEVEL": "x"})
    assert said[0] == "changing churn"
    assert len(groups.kept) == 1
    assert not [call for call in standin.calls if call.method == "DELETE"]


def test_what_azure_cannot_change_is_made_again(groups: ContainerGroups, standin: StandIn) -> None:
    apply()
    said: list[str] = []
    apply(None, said, cpu=2)
    assert said[0].startswith("deleting the churn of before, whose size or address cannot be changed")
    assert [call.method for call in standin.calls if call.method in ("PUT", "DELETE")] == ["PUT", "DELETE", "PUT"]
    assert len(groups.kept) == 1


def test_an_apply_that_was_interrupted_goes_on(groups: ContainerGroups, standin: StandIn) -> None:
    def interrupt(text: str) -> None:
        if "InProgress" in text:
            raise KeyboardInterrupt

    there = target()
    groups.polls = 3
    todo = there.plan(DeploySettings.of(IMAGE, probes={"start": 5}))
    with pytest.raises(KeyboardInterrupt):
        there.apply(todo, interrupt)
    path = PUT.removeprefix("PUT ").lower()
    threading.Timer(0.1, lambda: groups.kept[path]["properties"].update(provisioningState="Succeeded")).start()
    said: list[str] = []
    assert there.apply(todo, said.append).run([[1]]) == {"predict": [1]}
    assert said[0] == "waiting until churn is no longer Creating"
    assert len(groups.kept) == 1


def test_throttling_is_waited_out(groups: ContainerGroups, standin: StandIn) -> None:
    standin.fail("PUT", "containerGroups", THROTTLED)
    assert apply().run([[1]]) == {"predict": [1]}
    assert standin.lines.count(PUT) == 2


def test_a_group_of_someone_else_is_never_touched(groups: ContainerGroups, standin: StandIn) -> None:
    apply()
    groups.kept[PUT.removeprefix("PUT ").lower()]["tags"] = {}
    for what in (apply, lambda: target().delete("churn"), lambda: target().logs("churn")):
        with pytest.raises(DeployError, match="that was not deployed by scorewright"):
            what()
    assert target().deployments() == []
    assert standin.lines.count(PUT) == 1


@pytest.mark.parametrize(
    ("answer", "message", "hint"),
    [
        (NOT_LOGGED_IN, "not logged in to Azure", "az login"),
        (FORBIDDEN, "AuthorizationFailed", "Ask for the role"),
        (QUOTA, "QuotaExceeded", "have the quota raised"),
        (arm_error(409, "Conflict", "Another operation is in progress."), "Conflict", ""),
        (arm_error(400, "InaccessibleImage", "The image 'x' is not accessible."), "InaccessibleImage", "AcrPull"),
        (arm_error(400, "DnsNameLabelNotAvailable", "The label is taken."), "DnsNameLabelNotAvailable", "another"),
        (arm_error(404, "ResourceGroupNotFound", "Resource group 'g' not found."), "ResourceGroupNotFound", "az group"),
        (Answer(400, b"<html>Bad request</html>"), "400", ""),
    ],
)
def test_what_azure_refuses_is_told_in_words(
    groups: ContainerGroups, standin: StandIn, answer: Answer, message: str, hint: str
) -> None:
    standin.fail("PUT", "containerGroups", answer, times=20)
    with pytest.raises(DeployError, match=f"making churn: .*{message}") as caught:
        apply(secrets={"API_KEY": "hunter2"})
    assert hint in caught.value.hint
    assert "hunter2" not in caught.value.message


def test_an_operation_that_fails_on_the_way_is_told_in_words(groups: ContainerGroups) -> None:
    groups.fate = Fate(
        error={"code": "ServiceUnavailable", "message": "The requested resource is not available in here."}
    )
    with pytest.raises(DeployError, match=r"ServiceUnavailable.*not available in here") as caught:
        apply()
    assert "no room for this size" in caught.value.hint
    groups.fate = Fate(port=None)
    assert target().status("churn").state.startswith("Failed")


@pytest.mark.parametrize(
    ("view", "message", "hint"),
    [
        (not_pulled("Failed to pull image acme: unauthorized"), "cannot be pulled: Failed to pull image", "AcrPull"),
        (ended(3), "ended with exit code 3 and was started again 1 times", "scorewright check"),
        (ended(7), "ended with exit code 7", "other library versions"),
    ],
)
def test_a_container_without_hope_is_told_at_once(
    groups: ContainerGroups, view: dict[str, Any], message: str, hint: str
) -> None:
    groups.fate = Fate(view=view, log="first\nRuntimeError: no weights, key is hunter2\n")
    with pytest.raises(DeployError, match=message) as caught:
        apply(probes={"start": 600}, secrets={"API_KEY": "hunter2"})
    assert hint in caught.value.hint
    assert "  RuntimeError: no weights, key is ***" in caught.value.message
    assert "It is still there, and is paid for: scorewright deploy aci delete churn" in caught.value.message


def test_one_that_never_gets_healthy_is_given_up_with_its_last_lines(groups: ContainerGroups) -> None:
    groups.fate = Fate(port=1, log="loading\n")
    with pytest.raises(DeployError, match="was not healthy within 1 s") as caught:
        apply()
    assert "  loading" in caught.value.message
    assert "--timeout" in caught.value.hint


def test_one_that_is_killed_is_told_why(groups: ContainerGroups) -> None:
    groups.fate = Fate(view=ended(137, restarts=2), port=1)
    with pytest.raises(DeployError, match="within 1 s: it ended with exit code 137 and was started again 2") as caught:
        apply()
    assert "--memory" in caught.value.hint


def test_a_private_address_is_as_well_as_azure_says(groups: ContainerGroups) -> None:
    subnet = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/n"
    deployed = apply(target(dns_label=None, subnet=subnet))
    assert deployed.url == "http://127.0.0.1:5001"
    assert deployed.status().healthy


class TestCommands:
    """`scorewright deploy aci`, with an `az` that is logged in."""

    WORDS = ("deploy", "aci", IMAGE, "--subscription", "s", "-g", "g", "--location", "westeurope")
    FLAGS = ("--dns-label", "acme", "--identity", ID)
    PLACE = ("--subscription", "s", "-g", "g")

    @pytest.fixture(autouse=True)
    def patient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        connect = Arm.connect
        monkeypatch.setattr(Arm, "connect", lambda: Arm(connect().credential, poll_seconds=0.01))

    def test_the_whole_way(
        self, groups: ContainerGroups, registry: Registry, standin: StandIn, command: Command
    ) -> None:
        digest = registry.push("churn", "3")
        ran = command(*self.WORDS, *self.FLAGS, "--insecure", "--unchecked", "--json")
        assert ran.exit_code == 0, ran.err
        assert json.loads(ran.out)["scoring_uri"].endswith("/score")
        image = puts(standin)[0]["properties"]["containers"][0]["properties"]["image"]
        assert image == f"acme.azurecr.io/churn@{digest}"
        assert "making churn" in ran.err

        assert json.loads(command("deploy", "aci", "status", "churn", *self.PLACE, "--json").out)["healthy"] is True
        assert "churn" in command("deploy", "aci", "list", *self.PLACE).out
        groups.fate.log = "said\n"
        assert command("deploy", "aci", "logs", "churn", *self.PLACE).out == "said\n"
        logs = command("deploy", "aci", "logs", "churn", *self.PLACE, "--json")
        assert json.loads(logs.out) == {"name": "churn", "logs": "said\n"}
        deleted = command("deploy", "aci", "delete", "churn", *self.PLACE, "--json")
        assert json.loads(deleted.out) == {"name": "churn", "deleted": True}
        gone = command("deploy", "aci", "status", "churn", *self.PLACE)
        assert gone.exit_code == 15
        assert "Nothing is deployed as churn" in gone.err

    def test_open_to_everyone_must_be_meant(self, standin: StandIn, command: Command) -> None:
        ran = command(*self.WORDS, *self.FLAGS, "--unchecked")
        assert ran.exit_code == 2
        assert "anyone could ask it without a key" in ran.err
        assert standin.calls == []

    def test_the_image_must_be_there(self, groups: ContainerGroups, registry: Registry, command: Command) -> None:
        ran = command(*self.WORDS, *self.FLAGS, "--insecure", "--unchecked")
        assert ran.exit_code == 15
        assert f"There is no image {IMAGE}" in ran.err

    def test_the_bundle_must_be_named(self, registry: Registry, command: Command, standin: StandIn) -> None:
        registry.push("churn", "3")
        ran = command(*self.WORDS, *self.FLAGS, "--insecure")
        assert ran.exit_code == 2
        assert "Which bundle is in the image?" in ran.err
        assert puts(standin) == []

    def test_the_bundle_must_pass_its_check(
        self, registry: Registry, command: Command, standin: StandIn, hand_made: Bundle
    ) -> None:
        registry.push("churn", "3")
        ran = command(*self.WORDS, *self.FLAGS, "--insecure", "--bundle", hand_made.root)
        assert ran.exit_code == 6
        assert "checking" in ran.err
        assert puts(standin) == []

    def test_a_bundle_that_passes_its_check_is_sent(
        self, groups: ContainerGroups, registry: Registry, command: Command, standin: StandIn, tmp_path: Path
    ) -> None:
        model = DecisionTreeClassifier(max_depth=1, random_state=0).fit([[0.0], [1.0]], [0, 1])
        bundle = scorewright.generate(model, [[0.0], [1.0]], name="churn", out=tmp_path / "churn")
        registry.push("churn", "3", {BUNDLE_LABEL: bundle.digest})
        ran = command(*self.WORDS, *self.FLAGS, "--insecure", "--bundle", bundle.root)
        assert ran.exit_code == 0, ran.err
        assert f"checking {bundle.root}" in ran.err
        assert f"@{bundle.root}/sample_request.json http://localhost:{groups.fate.port}/score" in ran.out
        assert len(puts(standin)) == 1

    def test_who_interrupts_it_is_told_that_it_can_go_on(
        self, groups: ContainerGroups, registry: Registry, command: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        registry.push("churn", "3")
        words = (*self.WORDS, *self.FLAGS, "--insecure", "--unchecked")
        made = groups.made

        def interrupt(*_: Any) -> None:
            os.kill(os.getpid(), signal.SIGINT)

        monkeypatch.setattr(groups, "made", interrupt)
        ran = command(*words)
        assert ran.exit_code != 0
        assert "Interrupted. The same command goes on from what is there" in ran.err
        monkeypatch.setattr(groups, "made", made)
        assert command(*words).exit_code == 0
        assert len(groups.kept) == 1

    def test_who_is_not_logged_in_is_told_so(
        self, registry: Registry, command: Command, tmp_path: Path, standin: StandIn
    ) -> None:
        put_az(tmp_path / "bin", logged_in=False)
        ran = command(*self.WORDS, *self.FLAGS, "--insecure", "--unchecked")
        assert ran.exit_code == 15
        assert "not logged in to Azure" in ran.err
        assert "az login" in ran.err
        assert puts(standin) == []
