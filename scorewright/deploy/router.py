"""The container in front of an endpoint's deployments: HAProxy, told of its routes by files in a volume of its own."""

from __future__ import annotations

import io
import tarfile
import time
from http.client import HTTPException
from typing import TYPE_CHECKING

from scorewright.deploy.container import GRACE, HOST, POLL, published_port, start
from scorewright.deploy.http import etag
from scorewright.deploy.local_plan import ENDPOINT_LABEL, LABEL
from scorewright.deploy.routes import COMMAND, CONFIG, DRAIN, FOLDER, TRAFFIC_PATH, USER, Routes
from scorewright.deploy.settings import SERVICE_PORT
from scorewright.errors import DockerError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.api.container import _RestartPolicy
    from docker.models.containers import Container

    from scorewright.deploy.target import Report

ROUTES = "routes.json"

RESTART: _RestartPolicy = {"Name": "unless-stopped"}  # type: ignore[typeddict-item]  # the stubs do not know it
"""So that an endpoint is there again when the engine is, until somebody stops it."""

QUIET = 2
"""Processes of a router that has no requests of before: the master and the worker."""

SETTLE = 30
"""Seconds in which new routes must be in force."""


def make(client: DockerClient, routes: Routes, image: str, port: int, tell: Report) -> Container:
    """Run a router, and wait until it is there. Nothing is left of one that fails.

    Raises DockerError if the image cannot be had, the port is taken or the router does not start.
    """
    name = routes.endpoint
    _have(client, image, tell)
    tell(f"starting the router of {name}")
    volume = client.volumes.create(f"{name}-router", labels={ENDPOINT_LABEL: name})
    router = client.containers.create(
        image,
        name=name,
        entrypoint=list(COMMAND),
        command=[],
        user=USER,
        detach=True,
        labels={LABEL: name, ENDPOINT_LABEL: name},
        network=name,
        ports={f"{SERVICE_PORT}/tcp": (HOST, port)},
        volumes={volume.name: {"bind": FOLDER, "mode": "rw"}},
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        stop_signal="SIGUSR1",
        restart_policy=RESTART,
    )
    try:
        _write(router, routes)
        start(router, name, port)
        _settle(router, routes)
    except BaseException:
        router.remove(force=True)
        volume.remove(force=True)
        raise
    return router


def routes_of(router: Container) -> Routes:
    """What a router was told last."""
    chunks, _ = router.get_archive(f"{FOLDER}/{ROUTES}")
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        file = archive.extractfile(ROUTES)
        return Routes.from_json(file.read() if file else b"")


def tell_routes(router: Container, routes: Routes) -> None:
    """Send requests elsewhere from now on. Those on their way, and connections that are kept, lose nothing by it.

    Raises DockerError if the router does not run, or does not take the routes; the ones before are kept then.
    """
    router.reload()
    if router.status != "running":
        raise DockerError(
            f"The router of {routes.endpoint} does not run: {router.status}.",
            hint=f"docker start {routes.endpoint}",
        )
    before = routes_of(router)
    _write(router, routes)
    router.kill(signal="SIGUSR2")
    try:
        _settle(router, routes)
    except DockerError:
        _write(router, before)
        raise


def drain(router: Container, tell: Report) -> None:
    """Wait until no request is on its way by the routes of before."""
    give_up = time.monotonic() + DRAIN + GRACE
    while len(router.top()["Processes"] or []) > QUIET and time.monotonic() < give_up:
        tell("waiting for the requests that are on their way")
        time.sleep(POLL)


def _write(router: Container, routes: Routes) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, text in ((CONFIG, routes.config()), (ROUTES, routes.to_json())):
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size = 0o644, len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    router.put_archive(FOLDER, content.getvalue())


def _settle(router: Container, routes: Routes) -> None:
    give_up = time.monotonic() + SETTLE
    while time.monotonic() < give_up:
        router.reload()
        port = published_port(router)
        try:
            if port is not None and etag(f"http://{HOST}:{port}{TRAFFIC_PATH}") == f'"{routes.digest}"':
                return
        except (OSError, HTTPException):
            pass
        time.sleep(POLL)
    said = router.logs(tail=10).decode("utf-8", "replace")
    raise DockerError(f"The router of {routes.endpoint} does not take its routes. Its last lines:\n{said}")


def _have(client: DockerClient, image: str, tell: Report) -> None:
    from docker.errors import APIError, ImageNotFound

    try:
        client.images.get(image)
    except ImageNotFound:
        tell(f"fetching {image}")
        try:
            client.images.pull(image)
        except APIError as error:
            raise DockerError(
                f"There is no image {image} on this engine, and it cannot be fetched: {error.explanation}",
                hint="Name an image with HAProxy 2.6 or later by --router-image.",
            ) from None
