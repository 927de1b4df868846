"""An image as a Deployment on a Kubernetes cluster, by kubectl."""

from __future__ import annotations

import base64
import json
import shlex
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorewright.deploy import aks_traffic
from scorewright.deploy.aks_objects import (
    KEYS_VOLUME,
    MANAGER_LABEL,
    NAME_LABEL,
    OURS,
    PIN_HEADER,
    SLOT_LABEL,
    keys_name,
)
from scorewright.deploy.aks_plan import NAMESPACE, SECRETS, AksPlan, make_plan
from scorewright.deploy.aks_rollout import progress, reason, wait_until_ready
from scorewright.deploy.http import bearer, score
from scorewright.deploy.kubectl import Kubectl
from scorewright.deploy.sample import curl_file_line
from scorewright.deploy.target import Status, silent
from scorewright.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scorewright.deploy.aks_place import AksPlace
    from scorewright.deploy.settings import DeploySettings
    from scorewright.deploy.target import Report

ROUTES, GATEWAYS = "httproutes.gateway.networking.k8s.io", "gateways.gateway.networking.k8s.io"
KINDS = (
    "deployments,services,horizontalpodautoscalers,poddisruptionbudgets,networkpolicies,configmaps,secrets,"
    "serviceaccounts"
)
"""What is made for a deployment besides its namespace and the way in."""


@dataclass(frozen=True)
class AksDeployment:
    """A service that was deployed there."""

    name: str
    service: str
    """The Kubernetes Service before its pods; with blue and green, one of the two."""
    url: str
    """Empty where no gateway leads to it."""
    target: Aks
    guarded: bool = False
    """Whether a request must carry a key."""

    @property
    def scoring_uri(self) -> str:
        return f"{self.url}/score" if self.url else ""

    def curl(self, bundle: Path | None) -> str:
        """A command line that scores the bundle's sample; without an address it forwards a port first."""
        if self.url:
            return curl_file_line(bundle, self.scoring_uri, self._show_keys)
        return f"{self._forward} &\n{curl_file_line(bundle, 'http://127.0.0.1:8080/score', self._show_keys)}"

    @property
    def _show_keys(self) -> str:
        place = self.target.place
        words = ["scorewright", "deploy", "aks", "keys", self.name, "--namespace", place.namespace]
        return shlex.join([*words, *(["--context", place.context] if place.context else [])]) if self.guarded else ""

    @property
    def _forward(self) -> str:
        place = self.target.place
        context = f" --context {place.context}" if place.context else ""
        return f"kubectl port-forward --namespace {place.namespace}{context} service/{self.service} 8080:80"

    def run(self, data: object, *, timeout: float = 60, slot: str | None = None) -> Any:
        """Score: a mapping is the request, anything else its rows; `slot` asks one, whatever the weights are.

        The parsed answer.
        """
        if not self.url:
            raise DeployError(f"{self.name} has no address outside the cluster.", hint=self._forward)
        pinned = {PIN_HEADER: slot} if slot else {}
        return score(self.scoring_uri, data, timeout=timeout, headers={**pinned, **bearer(self.get_keys())})

    def get_keys(self) -> tuple[str, ...]:
        """The keys in the deployment's Secret, the primary first; none where none is asked for."""
        return self.target.keys(self.name, self.service) if self.guarded else ()

    def status(self) -> Status:
        return self.target.status(self.name)

    def logs(self, tail: int | None = None) -> str:
        return self.target.logs(self.name, tail)

    def delete(self) -> None:
        self.target.delete(self.name)


@dataclass(frozen=True)
class Aks:
    """A namespace of a cluster. Raises DeployError for what kubectl or the cluster refuses."""

    place: AksPlace
    poll_seconds: float = 2

    def plan(self, settings: DeploySettings) -> AksPlan:
        """Raises UsageError, with the limit named, for what cannot be on a cluster."""
        return make_plan(settings, self.place)

    def apply(self, plan: AksPlan, report: Report = silent) -> AksDeployment:
        """Apply the overlay and wait until its pods are ready. Applied again it converges.

        A route that divides requests is made, but what weights it has already are not for an apply to change.

        Raises DeployError with the failing pod's reason and last lines. What ran before still answers then.
        """
        for existing in self._kubectl.named("deployment,service", plan.instance):
            if existing["metadata"].get("labels", {}).get(MANAGER_LABEL) != OURS:
                raise DeployError(
                    f"A {existing['kind']} {plan.instance} is there that was not deployed by scorewright.",
                    hint="Choose another --name or --namespace.",
                )
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            plan.write(folder)
            _write_secrets(folder, plan.settings.revealed())
            # One that is there stays as it is: few may change one, and others' pods may need what ours need not.
            if self._kubectl.get("namespace", plan.place.namespace) is None:
                report(f"making the namespace {plan.place.namespace}")
                self._apply(folder / NAMESPACE)
            if plan.place.overlay != "dev":
                route = self._route(plan.name, needed=True)
                if plan.place.overlay == "blue-green" and route is None:
                    report(f"making the route; all requests go to {plan.place.slot}")
                    self._apply(folder / "overlays/blue-green/route")
            report(f"applying {plan.applied}")
            self._apply(folder / plan.applied)
        wait_until_ready(
            self._kubectl,
            plan.instance,
            timeout=plan.settings.probes.start,
            wait=self.poll_seconds,
            secrets=plan.settings.revealed(),
            report=report,
        )
        return AksDeployment(
            plan.name, plan.instance, self._url(self._route_if_any(plan.name)), self, bool(plan.settings.keys)
        )

    def traffic(self, name: str, weights: Mapping[str, int] | None = None) -> dict[str, int]:
        """Each slot's share of the requests, in percent; `weights` are the new ones.

        Raises UsageError unless they are 100 together, DeployError if a slot that is to get some has no ready pod.
        """
        route = self._route(name)
        shares = aks_traffic.of_route(route, name) if route is not None else {}
        if route is None or not shares:
            raise DeployError(
                f"{name} has no route that divides requests.",
                hint="Deploy it with --overlay blue-green --slot blue, and again with --slot green.",
            )
        if weights is None:
            return shares
        weights = aks_traffic.complete(weights)
        for slot, share in weights.items():
            found = self._kubectl.get("deployment", f"{name}-{slot}") if share else None
            if share and (found is None or not found.get("status", {}).get("availableReplicas", 0)):
                raise DeployError(
                    f"{slot} has no ready pod, and would get {share} % of the requests.",
                    hint=f"Deploy it first: --overlay blue-green --slot {slot}",
                )
        patch = json.dumps([aks_traffic.weighted(route, name, weights)])
        self._kubectl.run("patch", ROUTES, name, "--type=json", f"--patch={patch}", f"--field-manager={OURS}")
        return weights

    def get(self, name: str) -> AksDeployment:
        """A handle on what was deployed under `name`."""
        found = self._deployments_of(name)
        volumes = found[0]["spec"]["template"]["spec"].get("volumes", ())
        guarded = any(one["name"] == KEYS_VOLUME for one in volumes)
        return AksDeployment(
            name, str(found[0]["metadata"]["name"]), self._url(self._route_if_any(name)), self, guarded
        )

    def keys(self, name: str, service: str) -> tuple[str, ...]:
        """The keys that a deployment's pods are given, the primary first; `service` is the Service before them."""
        secret = self._kubectl.get("secret", keys_name(name, service.removeprefix(name)))
        data = (secret or {}).get("data", {})
        return tuple(base64.b64decode(data[file]).decode() for file in ("primary", "secondary") if file in data)

    def status(self, name: str) -> Status:
        """How a deployment is; with blue and green both, and how the requests are divided."""
        found = self._deployments_of(name)
        route = self._route_if_any(name)
        return self._status(name, found, aks_traffic.of_route(route, name) if route else {}, self._url(route))

    def deployments(self) -> list[Status]:
        """All that was deployed into the namespace, by name."""
        found = self._kubectl.labelled("deployments", f"{MANAGER_LABEL}={OURS}")
        names = sorted({one["metadata"]["labels"][NAME_LABEL] for one in found})
        return [self.status(name) for name in names]

    def logs(self, name: str, tail: int | None = None) -> str:
        """What all pods have logged, each line with its pod; only the last `tail` lines of each if given."""
        self._deployments_of(name)
        return self._kubectl.run(
            "logs",
            f"--selector={_selector(name)}",
            f"--tail={-1 if tail is None else tail}",
            "--prefix",
            "--max-log-requests=100",
            "--ignore-errors",
        )

    def delete(self, name: str, report: Report = silent) -> None:
        """Remove all that was made for a deployment; its namespace stays. The pods answer what they have accepted."""
        self._deployments_of(name)
        report(f"deleting {name}")
        kinds = KINDS if self._route_if_any(name) is None else f"{ROUTES},{GATEWAYS},{KINDS}"
        self._kubectl.run("delete", kinds, f"--selector={_selector(name)}", "--ignore-not-found", "--wait=false")

    @property
    def _kubectl(self) -> Kubectl:
        return Kubectl(self.place.namespace, self.place.context)

    def _apply(self, folder: Path) -> None:
        # Server-side, so that what an autoscaler or a person has changed elsewhere is not taken back.
        self._kubectl.run("apply", "--server-side", f"--field-manager={OURS}", f"--kustomize={folder}")

    def _route(self, name: str, *, needed: bool = False) -> dict[str, Any] | None:
        try:
            return self._kubectl.get(ROUTES, name)
        except DeployError as error:
            if "have a resource type" not in error.message:
                raise
            if needed:
                raise DeployError(
                    "The cluster has no Gateway API, and there is to be a gateway before the service.",
                    hint="az aks update --enable-gateway-api (docs/deploy-aks.md), or deploy with --overlay dev.",
                ) from None
            return None

    def _route_if_any(self, name: str) -> dict[str, Any] | None:
        """The route; None, too, for who may not read routes, if there is no gateway before the deployment."""
        try:
            return self._route(name)
        except DeployError as error:
            # Azure's role RBAC Writer knows no routes, and dev needs none. What is behind a gateway has a budget.
            if "(Forbidden)" not in error.message or self._kubectl.labelled("poddisruptionbudgets", _selector(name)):
                raise
            return None

    def _deployments_of(self, name: str) -> list[dict[str, Any]]:
        found = self._kubectl.labelled("deployments", _selector(name))
        if not found:
            raise DeployError(
                f"Nothing is deployed as {name} in the namespace {self.place.namespace}.",
                hint=f"`scorewright deploy aks list --namespace {self.place.namespace}` shows what is.",
            )
        return found

    def _status(self, name: str, found: list[dict[str, Any]], weights: Mapping[str, int], url: str) -> Status:
        states, troubles, ready = [], [], True
        for one in sorted(found, key=lambda one: str(one["metadata"]["name"])):
            done, text = progress(one)
            slot = one["metadata"]["labels"].get(SLOT_LABEL)
            share = f", {weights.get(slot, 0)} % of the requests" if weights and slot else ""
            states.append(f"{one['metadata']['name']}: {text}{share}")
            ready = ready and done
            if not done:
                labels = one["spec"]["selector"]["matchLabels"]
                pods = self._kubectl.labelled("pods", ",".join(f"{key}={value}" for key, value in labels.items()))
                troubles += [f"pod {pod['metadata']['name']}: {reason(pod)}" for pod in pods if reason(pod)]
        images = {one["spec"]["template"]["spec"]["containers"][0]["image"]: None for one in found}
        return Status(name, "aks", ", ".join(images), "; ".join(states), ready, url, "; ".join(troubles))

    def _url(self, route: Mapping[str, Any] | None) -> str:
        """Where a route's gateway is reached; empty if there is none, or it has no address yet."""
        if route is None:
            return ""
        parent = route["spec"]["parentRefs"][0]
        kubectl = Kubectl(parent.get("namespace", self.place.namespace), self.place.context)
        gateway = kubectl.get(GATEWAYS, parent["name"])
        if gateway is None:
            return ""
        listener = gateway["spec"]["listeners"][0]
        addresses = gateway.get("status", {}).get("addresses") or [{}]
        host = next(iter(route["spec"].get("hostnames", [])), None) or addresses[0].get("value", "")
        scheme, usual = ("https", 443) if listener["protocol"] == "HTTPS" else ("http", 80)
        return f"{scheme}://{host}{'' if listener['port'] == usual else ':' + str(listener['port'])}" if host else ""


def _selector(name: str) -> str:
    return f"{NAME_LABEL}={name},{MANAGER_LABEL}={OURS}"


def _write_secrets(folder: Path, secrets: Mapping[str, str]) -> None:
    """A file for each secret, for kubectl alone to read, in a folder that is gone once it has."""
    place = folder / SECRETS
    if secrets:
        place.mkdir(mode=0o700, parents=True)
    for name, value in secrets.items():
        (place / name).write_text(value, "utf-8")
