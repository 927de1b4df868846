"""Whether a registry has an image, and what it says of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scorewright.deploy.arm import azure_sdk, told
from scorewright.deploy.image_facts import ImageFacts
from scorewright.docker_engine import connect
from scorewright.errors import DeployError

if TYPE_CHECKING:
    from scorewright.deploy.image_name import ImageName

LINUX = {"os": "linux", "architecture": "amd64"}


def look_up(image: ImageName, credential: Any) -> ImageFacts:
    """What the registry that a cluster would pull from says of the image.

    An Azure container registry is asked with `credential` (an azure-core TokenCredential), any other by the Docker
    engine, without it. Raises DeployError if there is no such image, or nobody who could ask.
    """
    if not image.registry:
        raise DeployError(
            f"{image} names no registry: the cloud could not pull it.",
            hint=f"docker tag {image} REGISTRY.azurecr.io/{image}, docker push that, and deploy it by that name.",
        )
    return _of_azure(image, credential) if image.in_azure else _of_engine(image)


def _of_azure(image: ImageName, credential: Any) -> ImageFacts:
    with azure_sdk():
        from azure.containerregistry import ContainerRegistryClient
        from azure.core.exceptions import ResourceNotFoundError

    reference = image.digest or image.tag or "latest"
    client = ContainerRegistryClient(f"https://{image.registry}", credential)
    with client, told(f"looking for {image}"):
        try:
            found = client.get_manifest(image.repository, reference)
            manifest = found.manifest
            if "manifests" in manifest:
                manifest = client.get_manifest(image.repository, _for_linux(image, manifest)).manifest
            config = json.loads(b"".join(client.download_blob(image.repository, manifest["config"]["digest"])))
        except ResourceNotFoundError:
            raise _absent(image) from None
    labels = config.get("config", {}).get("Labels") or {}
    return ImageFacts(image, found.digest, labels, f"{config.get('os')}/{config.get('architecture')}")


def _for_linux(image: ImageName, index: Any) -> str:
    """The digest of the manifest that a Linux node on x86-64 would take from an index."""
    for one in index["manifests"]:
        if LINUX.items() <= one.get("platform", {}).items():
            return str(one["digest"])
    raise DeployError(
        f"{image} has no image for linux/amd64.", hint="Build it with `docker build --platform linux/amd64`."
    )


def _of_engine(image: ImageName) -> ImageFacts:
    from docker.errors import APIError, ImageNotFound, NotFound

    name = str(image) if image.tag or image.digest else f"{image}:latest"
    with connect() as client:
        try:
            registered: Any = client.images.get_registry_data(name)
        except (NotFound, ImageNotFound):
            raise _absent(image) from None
        except APIError as error:
            raise DeployError(
                f"The registry does not show {image}: {error.explanation}",
                hint=f"Is it pushed, and are you logged in there? docker push {image}; docker login {image.registry}",
            ) from None
        try:
            labels = client.images.get(str(image.at(registered.id))).labels
        except ImageNotFound:
            labels = {}
    linux = registered.has_platform("linux/amd64")
    return ImageFacts(image, registered.id, labels, "linux/amd64" if linux else "another platform")


def _absent(image: ImageName) -> DeployError:
    return DeployError(
        f"There is no image {image} in its registry.",
        hint=f"Push it: docker push {image}; or with `az acr login` first, if it is yours.",
    )
