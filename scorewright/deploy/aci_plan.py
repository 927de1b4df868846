"""The container group that is to be put to Azure Container Instances."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scorewright.deploy.preflight import NameRule, require_keys
from scorewright.deploy.settings import HIDDEN, PRIMARY, SECONDARY, SERVICE_PORT
from scorewright.deploy.yaml_text import yaml_text
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scorewright.deploy.aci_place import AciPlace
    from scorewright.deploy.settings import DeploySettings

API_VERSION = "2023-05-01"
KIND = "Microsoft.ContainerInstance/containerGroups"
OURS = "scorewright"
"""The tag on every group made here; the others are never touched."""

REGISTRY_PASSWORD = "REGISTRY_PASSWORD"  # noqa: S105  # the name of a variable
NAMES = NameRule(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "1 to 63 lower-case letters, digits and - inside")

MOST_CPU, MOST_GB = 31, 240
EASY_CPU, EASY_GB = 4, 16
CPU, MEMORY_GB = 1.0, 1.5
"""What a service is given unless something else is asked for; both are ACI's own defaults."""
TLS_CPU, TLS_GB = 0.1, 0.2
MOST_TAGS, TAG_NAME, TAG_VALUE = 50, 512, 256

Secret = Callable[[str], str]
"""What is put in the place of the secret of that name."""


@dataclass(frozen=True)
class AciPlan:
    """A container group. Nothing has been asked of Azure yet."""

    settings: DeploySettings
    place: AciPlace

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def cpu(self) -> float:
        return self.settings.cpu or CPU

    @property
    def memory_gb(self) -> float:
        """In tenths, as ACI takes it, and never less than was asked for."""
        return math.ceil(self.settings.memory / 2**30 * 10) / 10 if self.settings.memory else MEMORY_GB

    @property
    def secrets(self) -> dict[str, str]:
        """All that is sent and never shown."""
        password = self.place.registry_password
        return {
            **self.settings.revealed(),
            **({REGISTRY_PASSWORD: password.get_secret_value()} if password is not None else {}),
        }

    @property
    def notes(self) -> list[str]:
        """What should be known of it."""
        found = []
        if self.cpu > EASY_CPU or self.memory_gb > EASY_GB:
            found.append(
                f"{self.cpu:g} vCPU and {self.memory_gb:g} GB: more than {EASY_CPU} vCPU or {EASY_GB} GB "
                "may fail on capacity in some regions."
            )
        if self.place.public and not self.place.tls:
            found.append("The public address has no TLS: what is sent and answered can be read on the way.")
        if self.place.public and not self.settings.guarded:
            found.append("Anyone can ask it: it asks for no key.")
        return found

    @property
    def _group(self) -> str:
        """As a shell takes it: a group's name may have brackets."""
        return shlex.join(["--resource-group", self.place.resource_group, "--subscription", self.place.subscription])

    def body(self, secret: Secret) -> dict[str, Any]:
        """The request's body, as the REST API of 2023-05-01 has it."""
        place, settings = self.place, self.settings
        ports = [80, 443] if place.tls else [SERVICE_PORT]
        properties: dict[str, Any] = {
            "osType": "Linux",
            "restartPolicy": "Always",
            "containers": [self._service(secret), *([self._tls()] if place.tls else [])],
            "ipAddress": {
                "type": "Public" if place.public else "Private",
                **({"dnsNameLabel": place.dns_label} if place.public else {}),
                "ports": [{"protocol": "TCP", "port": port} for port in ports],
            },
        }
        if place.identity:
            properties["imageRegistryCredentials"] = [{"server": settings.image.registry, "identity": place.identity}]
        if place.registry_user:
            properties["imageRegistryCredentials"] = [
                {
                    "server": settings.image.registry,
                    "username": place.registry_user,
                    "password": secret(REGISTRY_PASSWORD),
                }
            ]
        if place.subnet:
            properties["subnetIds"] = [{"id": place.subnet}]
        if place.tls:
            properties["volumes"] = [{"name": "certificates", "emptyDir": {}}]
        identity = {"type": "UserAssigned", "userAssignedIdentities": {place.identity: {}}} if place.identity else None
        return {
            "location": place.location,
            "tags": {**settings.tags, OURS: "deployment"},
            **({"identity": identity} if identity else {}),
            "properties": properties,
        }

    def _service(self, secret: Secret) -> dict[str, Any]:
        settings, probes = self.settings, self.settings.probes
        variables = [{"name": name, "value": value} for name, value in settings.service_variables().items()]
        hidden = [{"name": name, "secureValue": secret(name)} for name in settings.variables_hidden]
        keys = zip((PRIMARY, SECONDARY), settings.auth_keys, strict=False)
        hidden += [{"name": variable, "secureValue": secret(name)} for variable, name in keys]
        # There is no startup probe: the one that kills asks a route that answers while the model is still loaded.
        probe = {
            "periodSeconds": probes.period,
            "timeoutSeconds": probes.timeout,
            "failureThreshold": probes.failures,
        }
        return {
            "name": self.name,
            "properties": {
                "image": str(settings.image),
                "ports": [{"protocol": "TCP", "port": SERVICE_PORT}],
                "resources": {"requests": {"cpu": self.cpu, "memoryInGB": self.memory_gb}},
                "environmentVariables": [*variables, *hidden],
                "livenessProbe": {"httpGet": _get("/livez"), "initialDelaySeconds": 10, **probe},
                "readinessProbe": {"httpGet": _get("/"), **probe},
            },
        }

    def _tls(self) -> dict[str, Any]:
        command = ["caddy", "reverse-proxy", "--from", str(self.place.fqdn), "--to", f"127.0.0.1:{SERVICE_PORT}"]
        return {
            "name": "tls",
            "properties": {
                "image": self.place.tls_image,
                "command": command,
                "ports": [{"protocol": "TCP", "port": port} for port in (80, 443)],
                "resources": {"requests": {"cpu": TLS_CPU, "memoryInGB": TLS_GB}},
                "volumeMounts": [{"name": "certificates", "mountPath": "/data"}],
            },
        }

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON carries it, secrets hidden."""
        return {
            "target": "aci",
            "name": self.name,
            "subscription": self.place.subscription,
            "resource_group": self.place.resource_group,
            "url": f"{'https' if self.place.tls else 'http'}://{self.place.fqdn}" if self.place.public else None,
            "notes": self.notes,
            "group": self.body(lambda _: HIDDEN),
        }

    def describe(self) -> str:
        """The group as YAML that the Azure CLI takes, and the command that puts it."""
        return self.to_yaml()

    def to_yaml(self) -> str:
        """`az container create --file` takes it; a secret is `${NAME}`, for the shell's variable of that name.

        Where something that is no secret has the same text in it, the variable is called `NAME_` instead.
        """
        variables = self._variables
        references = [f"${{{variable}}}" for variable in variables.values()]
        fill = f"envsubst '{' '.join(references)}' < group.yaml | " if references else ""
        file = "/dev/stdin" if references else "group.yaml"
        head = [f"# {note}" for note in self.notes]
        if references:
            head.append(f"# Secrets are not in this file: export {', '.join(variables.values())} first.")
        head.append(f"# {fill}az container create {self._group} --file {file}")
        group = {"name": self.name, "apiVersion": API_VERSION, "type": KIND}
        return "\n".join(head) + "\n" + yaml_text({**group, **self.body(lambda name: f"${{{variables[name]}}}")})

    @property
    def _variables(self) -> dict[str, str]:
        """By a secret's name, the variable that envsubst puts in its place, and nowhere else."""
        plain, found = yaml_text(self.body(lambda _: HIDDEN)), dict[str, str]()
        for name in sorted(self.secrets):
            variable = name
            while f"${variable}" in plain or f"${{{variable}}}" in plain or variable in found.values():
                variable += "_"
            found[name] = variable
        return found

    def to_template(self) -> dict[str, Any]:
        """An ARM template; each secret is a parameter of it, of type secureString."""
        names = sorted(self.secrets)
        body = _escaped(self.body(lambda name: f"\0{name}"))
        # Words of a command line are seen by everyone on the machine.
        given = ", ".join(f"{name}: {{value: env.{name}}}" for name in names)
        fill = f"jq --null-input '{{{given}}}' | " if names else ""
        return {
            "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
            "contentVersion": "1.0.0.0",
            "metadata": {
                "notes": self.notes,
                "apply": f"{fill}az deployment group create {self._group} --template-file template.json"
                + (" --parameters @-" if names else ""),
            },
            "parameters": {name: {"type": "secureString"} for name in names},
            "resources": [{"type": KIND, "apiVersion": API_VERSION, "name": self.name, **body}],
        }

    def write(self, folder: Path) -> Sequence[Path]:
        """group.yaml for `az container create`, template.json for `az deployment group create`."""
        folder.mkdir(parents=True, exist_ok=True)
        files = {
            "group.yaml": self.to_yaml(),
            "template.json": json.dumps(self.to_template(), indent=2) + "\n",
        }
        for name, text in files.items():
            (folder / name).write_text(text, "utf-8")
        return [folder / name for name in files]


def make_plan(settings: DeploySettings, place: AciPlace) -> AciPlan:
    """Raises UsageError, with the limit named, for what a container group cannot be."""
    NAMES.check(settings.name, "ACI")
    place.check()
    require_keys(settings)
    if (settings.replicas or 1) > 1 or settings.autoscale:
        raise UsageError(
            "A container group on ACI is one container of the service: it has no replicas and does not scale.",
            hint="Leave --replicas and --autoscale away; `scorewright deploy aks` has them.",
        )
    plan = AciPlan(settings, place)
    cpu = plan.cpu + (TLS_CPU if place.tls else 0)
    memory = plan.memory_gb + (TLS_GB if place.tls else 0)
    if cpu > MOST_CPU or memory > MOST_GB:
        raise UsageError(
            f"{cpu:g} vCPU and {memory:g} GB are more than a container group on ACI can have: "
            f"{MOST_CPU} vCPU and {MOST_GB} GB.",
            hint="Ask for less with --cpu and --memory, or deploy to AKS.",
        )
    if settings.image.in_azure and not (place.identity or place.registry_user):
        raise UsageError(
            f"{settings.image.registry} shows its images to nobody without a login, and ACI is given none.",
            hint="Name a user-assigned identity that has the role AcrPull, --identity ID; or a --registry-user.",
        )
    _check_tags({**settings.tags, OURS: ""})
    return plan


def _check_tags(tags: dict[str, str]) -> None:
    if len(tags) > MOST_TAGS:
        raise UsageError(f"{len(tags)} tags are more than a resource of Azure can have: {MOST_TAGS}.")
    for name, value in tags.items():
        if len(name) > TAG_NAME or set(name) & set("<>%&\\?/"):
            raise UsageError(f"--tag {name}: Azure takes names of up to {TAG_NAME} characters without <>%&\\?/.")
        if len(value) > TAG_VALUE:
            raise UsageError(f"--tag {name}: Azure takes values of up to {TAG_VALUE} characters, it has {len(value)}.")


def _get(path: str) -> dict[str, Any]:
    return {"path": path, "port": SERVICE_PORT, "scheme": "http"}


def _escaped(value: Any) -> Any:
    """As a template has it, where a text that begins with [ is an expression."""
    if isinstance(value, dict):
        return {key: _escaped(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_escaped(one) for one in value]
    if isinstance(value, str) and value.startswith("\0"):
        return f"[parameters('{value[1:]}')]"
    return f"[{value}" if isinstance(value, str) and value.startswith("[") else value
