"""The Kustomize tree that is to be applied to a cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scorewright.deploy import aks_objects as objects
from scorewright.deploy.aks_place import SLOTS, AksPlace
from scorewright.deploy.preflight import NameRule, require_keys
from scorewright.deploy.settings import Autoscale
from scorewright.deploy.yaml_text import yaml_text
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scorewright.deploy.settings import DeploySettings

NAMES = NameRule(r"[a-z]([-a-z0-9]{0,48}[a-z0-9])?", "1 to 50 lower-case letters, digits and - inside, a letter first")
_ANNOTATION = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")

PROD = Autoscale(min=2, max=10)
"""How a deployment scales in production unless something else is asked for."""
MOST_REPLICAS = 1000

SECRETS = "base/secrets"
"""The folder with a file for each secret, which no plan writes."""

NAMESPACE = "namespace"
"""The folder that is applied only where the namespace is missing: few may make or change one."""

Tree = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class AksPlan:
    """A base and its overlays. Nothing has been asked of a cluster yet."""

    settings: DeploySettings
    place: AksPlace

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def instance(self) -> str:
        """The name of the Kubernetes Deployment: with blue and green, one of the two."""
        return f"{self.name}-{self.place.slot}" if self.place.overlay == "blue-green" else self.name

    @property
    def applied(self) -> str:
        """The folder of the tree that is applied."""
        slot = f"/{self.place.slot}" if self.place.overlay == "blue-green" else ""
        return f"overlays/{self.place.overlay}{slot}"

    @property
    def notes(self) -> list[str]:
        """What should be known of it."""
        found = []
        if self.place.overlay != "dev" and not self.place.tls_secret and not self.place.gateway:
            found.append("The gateway has no TLS: what is sent and answered can be read on the way.")
        if self.place.overlay != "dev" and not self.settings.guarded:
            found.append("Whoever reaches the gateway can ask it: it asks for no key.")
        if self.place.queue_target is not None:
            found.append(
                f"Prometheus and an adapter must hand on {objects.QUEUE_METRIC}, which the pods tell at "
                f"{objects.METRICS_PATH}: without it nothing is scaled down."
            )
        if self.place.queue_target is not None and self.place.metrics_namespace is None:
            found.append("A Prometheus in another namespace reaches the pods only if --metrics-namespace names that.")
        return found

    @property
    def _advice(self) -> list[str]:
        """What who applies the files by hand should know."""
        found = []
        if not self.settings.image.digest:
            found.append("This command holds the image by its digest; a tag may be another image tomorrow.")
        if self.settings.secrets:
            names = ", ".join(f"{SECRETS}/{name}" for name in sorted(self.settings.secrets))
            found.append(f"Secrets are not in these files: write each into a file of its own, {names}.")
        found.append(f"Unless the namespace is there: kubectl apply --server-side --kustomize {NAMESPACE}")
        found.append(f"kubectl apply --server-side --kustomize {self.applied}")
        return found

    def tree(self) -> Tree:
        """The files by their paths."""
        name, place, settings = self.name, self.place, self.settings
        tree: Tree = {
            f"{NAMESPACE}/kustomization.yaml": _kustomization("namespace.yaml"),
            f"{NAMESPACE}/namespace.yaml": objects.namespace(place),
            "base/kustomization.yaml": self._base(),
            "base/serviceaccount.yaml": objects.service_account(name),
            "base/deployment.yaml": objects.deployment(settings),
            "base/service.yaml": objects.service(name),
            "base/networkpolicy.yaml": objects.network_policy(settings, place),
            "production/kustomization.yaml": {
                "apiVersion": "kustomize.config.k8s.io/v1alpha1",
                "kind": "Component",
                "resources": ["poddisruptionbudget.yaml"],
                "labels": [{"pairs": self._labels}],
            },
            "production/poddisruptionbudget.yaml": objects.disruption_budget(name),
        }
        if settings.replicas is None:
            scale = settings.autoscale or PROD
            scaler = objects.autoscaler(name, scale.min, scale.max, scale.target, place.queue_target)
            tree["production/horizontalpodautoscaler.yaml"] = scaler
            tree["production/kustomization.yaml"]["resources"].append("horizontalpodautoscaler.yaml")
        else:
            tree["production/kustomization.yaml"]["replicas"] = [{"name": name, "count": settings.replicas}]
        tree |= self._dev()
        tree |= self._prod()
        tree |= self._blue_green()
        return tree

    def _base(self) -> dict[str, Any]:
        settings = self.settings
        variables = settings.service_variables()
        return {
            **_kustomization("serviceaccount.yaml", "deployment.yaml", "service.yaml", "networkpolicy.yaml"),
            "labels": [{"pairs": self._labels, "includeTemplates": True}],
            **({"commonAnnotations": dict(settings.tags)} if settings.tags else {}),
            **(
                {"configMapGenerator": [{"name": self.name, "literals": [_literal(*one) for one in variables.items()]}]}
                if variables
                else {}
            ),
            **({"secretGenerator": self._secrets} if settings.secrets else {}),
        }

    @property
    def _secrets(self) -> list[dict[str, Any]]:
        settings = self.settings
        found: list[dict[str, Any]] = []
        if names := settings.variables_hidden:
            found.append({"name": self.name, "files": [f"secrets/{name}" for name in names]})
        if settings.keys:
            files = [f"{file}=secrets/{name}" for file, name in settings.keys.items()]
            # Under one name for ever, other keys reach the pods that run: none is started anew for them.
            generated = {"name": objects.keys_name(self.name), "files": files}
            found.append({**generated, "options": {"disableNameSuffixHash": True}})
        return found

    def _dev(self) -> Tree:
        return {
            "overlays/dev/kustomization.yaml": {
                **_kustomization("../../base"),
                "namespace": self.place.namespace,
                "replicas": [{"name": self.name, "count": 1}],
            },
        }

    def _prod(self) -> Tree:
        folder = "overlays/prod"
        return {
            f"{folder}/kustomization.yaml": {
                **_kustomization("../../base", *self._gateway_files(), "httproute.yaml"),
                "components": ["../../production"],
                "namespace": self.place.namespace,
                "labels": [{"pairs": self._labels}],
            },
            **{f"{folder}/{file}": objects.gateway(self.name, self.place) for file in self._gateway_files()},
            f"{folder}/httproute.yaml": objects.route(self.name, self.place, {}),
        }

    def _blue_green(self) -> Tree:
        folder = "overlays/blue-green"
        weights: dict[str, int] = {slot: 100 if slot == self.place.slot else 0 for slot in SLOTS}
        tree: Tree = {
            f"{folder}/kustomization.yaml": _kustomization(*SLOTS, "route"),
            f"{folder}/route/kustomization.yaml": {
                **_kustomization(*self._gateway_files(), "httproute.yaml"),
                "namespace": self.place.namespace,
                "labels": [{"pairs": self._labels}],
            },
            **{f"{folder}/route/{file}": objects.gateway(self.name, self.place) for file in self._gateway_files()},
            f"{folder}/route/httproute.yaml": objects.route(self.name, self.place, weights),
        }
        for slot in SLOTS:
            tree[f"{folder}/{slot}/kustomization.yaml"] = {
                **_kustomization("../../../base"),
                "components": ["../../../production"],
                "namespace": self.place.namespace,
                "nameSuffix": f"-{slot}",
                "labels": [{"pairs": {objects.SLOT_LABEL: slot}, "includeSelectors": True}],
            }
        return tree

    @property
    def _labels(self) -> dict[str, str]:
        return {objects.NAME_LABEL: self.name, objects.MANAGER_LABEL: objects.OURS}

    def _gateway_files(self) -> list[str]:
        return [] if self.place.gateway else ["gateway.yaml"]

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON carries it."""
        return {
            "target": "aks",
            "name": self.name,
            "namespace": self.place.namespace,
            "applied": self.applied,
            "notes": [*self.notes, *self._advice],
            "files": self.tree(),
        }

    def describe(self) -> str:
        """The files one after the other, and the command that applies them."""
        head = "\n".join(f"# {line}" for line in (*self.notes, *self._advice))
        return head + "".join(f"\n--- # {path}\n{yaml_text(one)}" for path, one in self.tree().items())

    def write(self, folder: Path) -> Sequence[Path]:
        """The tree, for `kubectl apply --kustomize`."""
        for path, one in self.tree().items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(yaml_text(one), "utf-8")
        return [folder / path for path in self.tree()]


def make_plan(settings: DeploySettings, place: AksPlace) -> AksPlan:
    """Raises UsageError, with the limit named, for what cannot be on a cluster."""
    NAMES.check(settings.name, "a cluster")
    place.check()
    require_keys(settings)
    most = settings.replicas or (settings.autoscale.max if settings.autoscale else 1)
    if most > MOST_REPLICAS:
        raise UsageError(f"{most} replicas are more than is meant: at most {MOST_REPLICAS}.")
    if settings.replicas is not None and place.queue_target is not None:
        raise UsageError("--queue-target is for replicas that scale.", hint="Say --autoscale in place of --replicas.")
    for name in settings.tags:
        if not _ANNOTATION.fullmatch(name):
            raise UsageError(
                f"--tag {name}: it becomes an annotation, and Kubernetes takes no such name.",
                hint="Take up to 63 letters, digits and - _ . inside.",
            )
    return AksPlan(settings, place)


def _literal(name: str, value: str) -> str:
    """A variable as Kustomize takes it: one pair of quotes around a value is taken off there."""
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return f'{name}="{value}"' if quoted else f"{name}={value}"


def _kustomization(*resources: str) -> dict[str, Any]:
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(resources),
    }
