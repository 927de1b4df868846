"""What is to be run on this machine's Docker engine."""

from __future__ import annotations

import platform
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scorewright.bundle import Bundle
from scorewright.deploy.container import HOST
from scorewright.deploy.preflight import NameRule, require_keys
from scorewright.deploy.routes import COMMAND, CONFIG, FOLDER, USER, Routes
from scorewright.deploy.settings import KEYS_PATH, SERVICE_PORT
from scorewright.errors import BundleError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scorewright.deploy.settings import DeploySettings

MOUNT = "/bundle"
DATA_MOUNT = "/var/lib/scorewright"
"""The image's folder of batch jobs."""

KEYS_MOUNT = "/run/scorewright/keys"
"""Where the service finds its keys: a volume of the container's own, which `docker inspect` shows without them."""

DATA_VARIABLE = "SCOREWRIGHT_BATCH_DATA"
IMAGE_USER = 10001
LABEL = "io.scorewright.deployment"
"""On every container made here; the others on the engine are never touched."""

ENDPOINT_LABEL = "io.scorewright.endpoint"
"""The endpoint's name: on the router, and on what stands behind it."""

DEPLOYMENT_LABEL = "io.scorewright.endpoint.deployment"
"""What the endpoint calls a container behind it."""

ROUTER_IMAGE = "haproxy:3.2"

NAMES = NameRule(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", "letters, digits, and . _ - inside; two or more")


@dataclass(frozen=True)
class LocalPlan:
    """One container. Nothing has been asked of the engine yet."""

    settings: DeploySettings
    port: int
    """The port on this machine; 0 for a free one."""
    bundle: Path | None = None
    """Mounted in place of the image's own."""
    deployment: str | None = None
    """Its name behind the endpoint, which has the settings' name then; None: it has a port to itself."""
    router_image: str = ROUTER_IMAGE
    """What runs HAProxy, if the endpoint is still to be made."""
    data: Path | None = None
    """Mounted as the data folder of batch jobs."""

    @property
    def name(self) -> str:
        return f"{self.settings.name}-{self.deployment}" if self.deployment else self.settings.name

    @property
    def network(self) -> str | None:
        return self.settings.name if self.deployment else None

    @property
    def own_port(self) -> int:
        """The container's; behind an endpoint it is a free one, for a look at this deployment alone."""
        return 0 if self.deployment else self.port

    @property
    def variables(self) -> dict[str, str]:
        """The container's environment without its secrets."""
        own = {"SCOREWRIGHT_BUNDLE": MOUNT} if self.bundle else {}
        return own | ({KEYS_PATH: KEYS_MOUNT} if self.settings.keys else {}) | self.settings.service_variables()

    @property
    def labels(self) -> dict[str, str]:
        behind = {ENDPOINT_LABEL: self.settings.name, DEPLOYMENT_LABEL: self.deployment} if self.deployment else {}
        return {LABEL: self.name, **behind, **self.settings.tags}

    @property
    def user(self) -> str | None:
        """Whoever owns the data folder, so that what is written there is theirs; None: the image's user."""
        if self.data is None:
            return None
        state = self.data.stat()
        return f"{state.st_uid}:{state.st_gid}" if state.st_uid else None

    @property
    def memory(self) -> str | None:
        """As the engine takes it."""
        return f"{self.settings.memory}b" if self.settings.memory else None

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON carries it."""
        return {
            "target": "local",
            "url": f"http://{HOST}:{self.port}" if self.port else f"http://{HOST}:<a free port>",
            "bundle": str(self.bundle) if self.bundle else None,
            "data": str(self.data) if self.data else None,
            **({"deployment": self.deployment, "router_image": self.router_image} if self.deployment else {}),
            **self.settings.to_dict(),
        }

    def describe(self) -> str:
        """The `docker run` that does the same; it takes the secrets from the shell's variables of the same names.

        For the first deployment behind an endpoint, with the network and the router, which has the file of `write`.
        """
        if not self.deployment:
            return self._container()
        endpoint, router = self.settings.name, ["docker run --detach", f"--name {self.settings.name}"]
        router += [f"--label {LABEL}={endpoint} --label {ENDPOINT_LABEL}={endpoint}", f"--network {endpoint}"]
        router.append(f"--publish {HOST}:{self.port or ''}:{SERVICE_PORT}")
        router.append(f"--user {USER} --read-only --cap-drop ALL --security-opt no-new-privileges")
        router.append(f'--restart unless-stopped --volume "$PWD"/{CONFIG}:{FOLDER}/{CONFIG}:ro')
        router.append(shlex.join([self.router_image, *COMMAND]))
        network = f"docker network create --label {ENDPOINT_LABEL}={endpoint} {endpoint}"
        return "\n".join([network, self._container(), " \\\n    ".join(router)])

    def _container(self) -> str:
        settings, probes = self.settings, self.settings.probes
        words = ["docker create" if settings.keys else "docker run --detach", f"--name {self.name}"]
        words += [shlex.join(["--label", f"{key}={value}"]) for key, value in self.labels.items()]
        if self.network:
            words.append(f"--network {self.network}")
        words.append(f"--publish {HOST}:{self.own_port or ''}:{SERVICE_PORT}")
        words.append("--read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges")
        words.append(
            f"--health-interval {probes.period}s --health-timeout {probes.timeout}s "
            f"--health-retries {probes.failures} --health-start-period {probes.start}s"
        )
        if self.bundle:
            words.append(shlex.join(["--volume", f"{self.bundle}:{MOUNT}:ro"]))
        if self.data:
            words.append(shlex.join(["--volume", f"{self.data}:{DATA_MOUNT}"]))
        if settings.keys:
            words.append(f"--volume {KEYS_MOUNT}")
        if self.user:
            words.append(f"--user {self.user}")
        words += [shlex.join(["--env", f"{name}={value}"]) for name, value in self.variables.items()]
        words += [f"--env {name}" for name in settings.variables_hidden]
        if self.memory:
            words.append(f"--memory {self.memory} --memory-swap {self.memory}")
        if settings.cpu:
            words.append(f"--cpus {settings.cpu:g}")
        made = " \\\n    ".join([*words, shlex.quote(str(settings.image))])
        return "\n".join([made, *self._given_keys(), f"docker start {self.name}"]) if settings.keys else made

    def _given_keys(self) -> list[str]:
        """Puts the keys into the container that was created: no list of processes shows what printf prints."""
        user, _, group = (self.user or f"{IMAGE_USER}:{IMAGE_USER}").partition(":")
        keys = self.settings.keys
        return [
            "keys=$(mktemp -d)",
            *(f'printf %s "${name}" > "$keys/{file}"' for file, name in keys.items()),
            f'tar -C "$keys" --owner={user} --group={group} --mode=0400 -c {" ".join(keys)} '
            f"| docker cp - {self.name}:{KEYS_MOUNT}",
            'rm -r "$keys"',
        ]

    def write(self, folder: Path) -> Sequence[Path]:
        """run.sh, which does the same with Docker's own command; for an endpoint's router also its configuration."""
        folder.mkdir(parents=True, exist_ok=True)
        script = folder / "run.sh"
        script.write_text(f"#!/bin/sh\n{self.describe()}\n", "utf-8")
        if not self.deployment:
            return [script]
        config = folder / CONFIG
        config.write_text(Routes(self.settings.name, {}).with_host(self.deployment, self.name).config(), "utf-8")
        return [script, config]


def make_plan(
    settings: DeploySettings,
    port: int,
    bundle: Path | None,
    deployment: str | None = None,
    router_image: str = ROUTER_IMAGE,
    data: Path | None = None,
) -> LocalPlan:
    """Raises UsageError for what one container on this machine cannot be, BundleError for a bundle it cannot read."""
    NAMES.check(settings.name, "this machine")
    require_keys(settings)
    if (settings.replicas or 1) > 1 or settings.autoscale:
        raise UsageError(
            "On this machine a deployment is one container: there are no replicas.",
            hint="Leave --replicas and --autoscale away; `scorewright deploy aks` has them.",
        )
    if not 0 <= port <= 65535:
        raise UsageError(f"{port} is no port.", hint="Use 0 (a free one) to 65535.")
    if deployment is not None and not re.fullmatch(r"[a-z][a-z0-9-]{0,31}", deployment):
        raise UsageError(
            f"{deployment!r} cannot be the name of a deployment behind an endpoint.",
            hint="Name it like blue: a small letter, and up to 31 small letters, digits and - after it.",
        )
    if DATA_VARIABLE in {*settings.env, *settings.secrets}:
        raise UsageError(f"{DATA_VARIABLE} is for the deployment to set.", hint="Use --data.")
    return LocalPlan(
        settings,
        port,
        _mountable(bundle) if bundle else None,
        deployment,
        router_image,
        _writable(data) if data else None,
    )


def _mountable(bundle: Path) -> Path:
    """The folder of a verified bundle that a container's user may read."""
    loaded = Bundle.load(bundle)
    paths = {loaded.root, *(loaded.path(name) for name in loaded.manifest.files)}
    paths |= {parent for path in paths for parent in path.parents if parent.is_relative_to(loaded.root)}
    shut = [path for path in sorted(paths) if not path.stat().st_mode & 0o004]
    # Elsewhere Docker runs in a virtual machine that reads the host's files with the rights of its owner.
    if shut and platform.system() == "Linux":
        raise BundleError(
            f"{shut[0]} may only be read by its owner, not by the service in the container.",
            hint=f"chmod -R a+rX {shlex.quote(str(loaded.root))}",
        )
    return loaded.root


def _writable(data: Path) -> Path:
    """A folder that the container's user may write to."""
    folder = data.resolve()
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder.", hint=f"mkdir -p {shlex.quote(str(folder))}")
    state = folder.stat()
    if state.st_uid == 0 and not state.st_mode & 0o002 and platform.system() == "Linux":
        raise UsageError(
            f"{folder} may only be written by root, which the service in the container is not.",
            hint=f"chown {IMAGE_USER} {shlex.quote(str(folder))}",
        )
    return folder
