"""Where on a Kubernetes cluster, and how it is reached there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from scorewright.deploy.preflight import NameRule
from scorewright.errors import UsageError

Overlay = Literal["dev", "prod", "blue-green"]
Slot = Literal["blue", "green"]
SLOTS: tuple[Slot, ...] = ("blue", "green")

LABELS = NameRule(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "1 to 63 lower-case letters, digits and - inside")
_HOST = r"([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)+[a-z]{2,}"


@dataclass(frozen=True)
class AksPlace:
    """A namespace of a cluster, which overlay is applied there, and the gateway before it.

    dev         one replica, reached by `kubectl port-forward` alone
    prod        replicas that scale, behind a gateway
    blue-green  two such deployments side by side, the gateway dividing the requests between them
    """

    namespace: str
    overlay: Overlay = "prod"
    slot: Slot = "blue"
    """Which of the two is applied (blue-green)."""
    context: str | None = None
    """Which of kubectl's contexts; None for the current one."""
    gateway: str | None = None
    """A gateway that is there already, NAME or NAMESPACE/NAME; None makes one."""
    gateway_class: str = "approuting-istio"
    public: bool = False
    """Whether the gateway that is made has a public address; else it has one in the cluster's network."""
    hostname: str | None = None
    tls_secret: str | None = None
    """The Secret with the certificate of `hostname`, in the namespace; None for HTTP."""
    queue_target: int | None = None
    """Requests that wait in a replica on average, at which there are to be more replicas."""
    metrics_namespace: str | None = None
    """Where Prometheus runs, which is let through to the pods; None if nobody but the namespace may ask them."""

    @property
    def exposed(self) -> bool:
        """Whether people from outside may reach it: of a gateway that was there already that is not known here."""
        return self.overlay != "dev" and (self.public or self.gateway is not None)

    @property
    def gateway_parts(self) -> tuple[str | None, str]:
        """The namespace (None: the deployment's own) and the name of a gateway that is there already."""
        space, _, name = (self.gateway or "").rpartition("/")
        return space or None, name

    def check(self) -> None:
        """Raises UsageError for what contradicts itself or is no such thing."""
        LABELS.check(self.namespace, "a cluster, as a namespace,")
        if self.gateway is not None:
            for word in self.gateway.split("/"):
                LABELS.check(word, "a cluster, as a gateway,")
            if self.public or self.tls_secret:
                raise UsageError(
                    "--gateway names one that is there already: its address and its certificate are its own.",
                    hint="Leave --public and --tls-secret away, or let a gateway be made.",
                )
        if self.hostname is not None and not re.fullmatch(_HOST, self.hostname):
            raise UsageError(
                f"--hostname {self.hostname!r} is no host's name.", hint="Write it like churn.acme.example."
            )
        if self.tls_secret is not None and self.hostname is None:
            raise UsageError("--tls-secret holds the certificate of a name.", hint="Name it with --hostname.")
        if self.overlay == "dev" and (self.public or self.gateway or self.hostname):
            raise UsageError(
                "The overlay dev has no gateway: it is reached by kubectl port-forward.", hint="Take --overlay prod."
            )
        if self.queue_target is not None and self.queue_target < 1:
            raise UsageError(f"--queue-target {self.queue_target}: at least one request must wait.")
        if self.metrics_namespace is not None:
            LABELS.check(self.metrics_namespace, "a cluster, as the namespace of Prometheus,")
