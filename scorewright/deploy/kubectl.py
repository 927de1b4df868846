"""kubectl, asked as a program, and its refusals in words."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

from scorewright.errors import DeployError

TIMEOUT = 120
"""Seconds that one command may take; each asks the cluster a few times at most."""

ROLES = (
    "Ask for the role Azure Kubernetes Service RBAC Writer on the namespace, or RBAC Cluster Admin to have it made; "
    "for gateways and routes see docs/deploy-aks.md."
)

# The first that is found in what kubectl says is told.
HINTS = {
    "exceeded quota": "Ask for less with --cpu, --memory or --replicas, or have the namespace's quota raised.",
    "Unauthorized": "Log in again: az login; az aks get-credentials --resource-group GROUP --name CLUSTER",
    "Forbidden": ROLES,
    "forbidden": ROLES,
    "violates PodSecurity": "The namespace forbids what the pods want: see the message.",
    "Apply failed with": "Somebody else has set these: see who, or take them over by kubectl apply --force-conflicts.",
    "no matches for kind": "The cluster has no Gateway API: az aks update --enable-gateway-api (docs/deploy-aks.md).",
    "connection refused": "Is the cluster running, and the right context chosen? kubectl config get-contexts",
    "no such host": "Is the cluster running, and the right context chosen? kubectl config get-contexts",
    "does not exist": "kubectl config get-contexts shows the contexts that there are.",
    "current-context": "az aks get-credentials --resource-group GROUP --name CLUSTER",
    "azure-kubernetes-service": "Log in again: az login, kubelogin convert-kubeconfig -l azurecli",
}


@dataclass(frozen=True)
class Kubectl:
    """kubectl for one namespace of one cluster."""

    namespace: str
    context: str | None = None

    def run(self, *words: str, given: str | None = None) -> str:
        """What a command prints. Raises DeployError with what kubectl says if it fails."""
        program = shutil.which("kubectl")
        if program is None:
            raise DeployError("There is no kubectl on the PATH.", hint="az aks install-cli")
        place = [f"--namespace={self.namespace}", *([f"--context={self.context}"] if self.context else [])]
        try:
            ran = subprocess.run(
                [program, *words, *place], input=given, capture_output=True, text=True, check=False, timeout=TIMEOUT
            )
        except subprocess.TimeoutExpired:
            raise DeployError(
                f"kubectl {words[0]}: the cluster gave no answer within {TIMEOUT} s.", hint=HINTS["connection refused"]
            ) from None
        if ran.returncode != 0:
            raise _refusal(words[0], ran.stderr)
        return ran.stdout

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """An object; None if there is none."""
        found = self.run("get", kind, name, "--ignore-not-found", "--output=json")
        return json.loads(found) if found.strip() else None

    def named(self, kinds: str, name: str) -> list[dict[str, Any]]:
        """The objects of that name among several kinds, like deployment,service."""
        found = self.run("get", kinds, name, "--ignore-not-found", "--output=json")
        if not found.strip():
            return []
        parsed = json.loads(found)
        return list(parsed["items"]) if parsed["kind"] == "List" else [parsed]

    def labelled(self, kind: str, selector: str, *flags: str) -> list[dict[str, Any]]:
        """The objects that have the labels."""
        found = json.loads(self.run("get", kind, f"--selector={selector}", "--output=json", *flags))
        return list(found["items"])


def _refusal(verb: str, said: str) -> DeployError:
    # kubectl's own log, like E1121 17:00:00 ..., says the same again.
    lines = [line for line in said.strip().splitlines() if line and not re.match(r"[EIW]\d{4} |Warning:", line)]
    text = " ".join(lines) or said.strip() or "it does not say why"
    hint = next((hint for known, hint in HINTS.items() if known in said), "The message is kubectl's own.")
    return DeployError(f"kubectl {verb}: {text}", hint=hint)
