"""What a notebook deploys with, in one call: it knows all parts, as the commands do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorewright.bundle import Bundle
from scorewright.errors import UsageError
from scorewright.image_preparation import checked, checked_image, prepare

if TYPE_CHECKING:
    from scorewright.deploy.aci_target import AciDeployment
    from scorewright.deploy.aks_place import Overlay, Slot
    from scorewright.deploy.aks_target import AksDeployment
    from scorewright.deploy.azureml_target import AzuremlDeployment
    from scorewright.deploy.azureml_v1_plan import Place
    from scorewright.deploy.azureml_v1_target import AzuremlV1Deployment
    from scorewright.deploy.azureml_workspace import AzuremlWorkspace
    from scorewright.deploy.local_target import LocalDeployment
    from scorewright.deploy.target import Report


def local(
    source: Bundle | Path | str,
    *,
    name: str | None = None,
    port: int = 0,
    deployment: str | None = None,
    force: bool = False,
    unchecked: bool = False,
    report: Report | None = None,
    **settings: Any,
) -> LocalDeployment:
    """Run a bundle on this machine's Docker engine: `scorewright.deploy.local`.

    `source` is a bundle, its folder, or `name:version` in the registry: it is checked (unless `unchecked`) and its
    image built; a string that is none of these is the name of an image that is there already. `port` 0 takes a free
    one, `force` replaces a deployment of the same name, `deployment` puts it behind the endpoint `name` beside others.
    `report` is told how it comes along, a line at a time: try `print`. More `settings`, such as memory="1g", are those
    of DeploySettings.

    Raises UsageError for settings that do not fit, BundleError or CheckFailedError for a bundle that is not as it
    should be, DockerError for what the engine refuses or a container that does not get healthy.
    """
    from scorewright.build.context import default_tag
    from scorewright.deploy.local_target import Local
    from scorewright.deploy.settings import DeploySettings
    from scorewright.registry.reference import bundle_or_image

    tell = _heard(report)
    given: Bundle | Path | str | None = source
    if isinstance(source, str):
        given = bundle_or_image(source)
    bundle = Bundle.load(given) if isinstance(given, Path) else given if isinstance(given, Bundle) else None
    image = default_tag(bundle.manifest.name, bundle.manifest.version) if bundle else str(source)
    target = Local(port=port, force=force, deployment=deployment)
    plan = target.plan(DeploySettings.of(image, name=name, **settings))
    if bundle is not None:
        checked_image(bundle, image, unchecked=unchecked, report=tell)
    return target.apply(plan, tell)


def aci(
    image: str,
    *,
    resource_group: str,
    location: str,
    subscription: str | None = None,
    bundle: Bundle | Path | str | None = None,
    name: str | None = None,
    dns_label: str | None = None,
    subnet: str | None = None,
    identity: str | None = None,
    registry_user: str | None = None,
    registry_password: str | None = None,
    tls: bool = False,
    insecure: bool = False,
    unchecked: bool = False,
    credential: Any = None,
    report: Report | None = None,
    **settings: Any,
) -> AciDeployment:
    """Run an image as a container group on Azure Container Instances: `scorewright.deploy.aci`.

    `image` is in a registry, `bundle` (one, its folder, or `name:version`) what is in it: it is checked before anything
    is sent, unless `unchecked`. `subscription` is AZURE_SUBSCRIPTION_ID unless given, `credential` an azure-core
    TokenCredential; as the shell is logged in, unless given. The other words are those of `scorewright deploy aci` and
    of DeploySettings.

    Raises UsageError for what does not fit, with the limit named, BundleError or CheckFailedError for a bundle that is
    not as it should be, DeployError for what Azure refuses and a container that does not get healthy.
    """
    from pydantic import SecretStr

    from scorewright.deploy.aci_place import AciPlace
    from scorewright.deploy.aci_plan import make_plan
    from scorewright.deploy.aci_target import Aci
    from scorewright.deploy.arm import Arm
    from scorewright.deploy.preflight import require_guarded
    from scorewright.deploy.settings import DeploySettings

    place = AciPlace(
        subscription or os.environ.get("AZURE_SUBSCRIPTION_ID", ""),
        resource_group,
        location.lower().replace(" ", ""),
        dns_label=dns_label,
        subnet=subnet,
        identity=identity,
        registry_user=registry_user,
        registry_password=SecretStr(registry_password) if registry_password else None,
        tls=tls,
    )
    asked, tell = DeploySettings.of(image, name=name, **settings), _heard(report)
    make_plan(asked, place)
    require_guarded(asked, public=place.public, insecure=insecure)
    arm = Arm(credential) if credential is not None else Arm.connect()
    held = prepare(asked, _folder_if_any(bundle), unchecked=unchecked, report=tell, credential=arm.credential)
    target = Aci(place, arm)
    return target.apply(target.plan(held), tell)


def aks(
    image: str,
    *,
    namespace: str,
    context: str | None = None,
    bundle: Bundle | Path | str | None = None,
    name: str | None = None,
    overlay: Overlay = "prod",
    slot: Slot = "blue",
    gateway: str | None = None,
    gateway_class: str = "approuting-istio",
    public: bool = False,
    hostname: str | None = None,
    tls_secret: str | None = None,
    queue_target: int | None = None,
    insecure: bool = False,
    unchecked: bool = False,
    credential: Any = None,
    report: Report | None = None,
    **settings: Any,
) -> AksDeployment:
    """Run an image on a Kubernetes cluster, by kubectl: `scorewright.deploy.aks`.

    `credential` asks an Azure registry for the image; the cluster is asked as kubectl's `context` says. All else is as
    for `aci`, in the words of `scorewright deploy aks`. The handle's `run(data, slot="green")` asks one of blue and
    green; without a gateway there is no address to ask.

    Raises what `aci` raises; DeployError for what kubectl or the cluster refuses.
    """
    from scorewright.deploy.aks_place import AksPlace
    from scorewright.deploy.aks_target import Aks
    from scorewright.deploy.preflight import require_guarded
    from scorewright.deploy.settings import DeploySettings

    place = AksPlace(
        namespace,
        overlay,
        slot,
        context,
        gateway=gateway,
        gateway_class=gateway_class,
        public=public,
        hostname=hostname,
        tls_secret=tls_secret,
        queue_target=queue_target,
    )
    asked, tell, target = DeploySettings.of(image, name=name, **settings), _heard(report), Aks(place)
    target.plan(asked)
    require_guarded(asked, public=place.exposed, insecure=insecure)
    held = prepare(asked, _folder_if_any(bundle), unchecked=unchecked, report=tell, credential=credential)
    return target.apply(target.plan(held), tell)


def azureml(
    image: str,
    *,
    workspace: AzuremlWorkspace | None = None,
    bundle: Bundle | Path | str | None = None,
    name: str | None = None,
    slot: str = "blue",
    instance_type: str = "Standard_DS3_v2",
    kubernetes: str | None = None,
    auth_mode: str = "key",
    identity: str | None = None,
    private: bool = False,
    with_model: bool = False,
    unchecked: bool = False,
    credential: Any = None,
    report: Report | None = None,
    **settings: Any,
) -> AzuremlDeployment:
    """Run an image behind an Azure ML online endpoint, by SDK v2: `scorewright.deploy.azureml`.

    `workspace` is that of config.json unless given. All else is as for `aci`, in the words of `scorewright deploy
    azureml`. The handle's `run(data)` carries the endpoint's key, `run(data, slot="green")` asks one deployment.

    Raises what `aci` raises.
    """
    from scorewright.deploy.azureml_plan import Kubernetes, Managed
    from scorewright.deploy.azureml_target import Azureml
    from scorewright.deploy.azureml_workspace import AzuremlWorkspace
    from scorewright.deploy.settings import DeploySettings

    folder = _folder_if_any(bundle)
    if with_model and folder is None:
        raise UsageError("with_model: which model?", hint="Name its bundle.")
    target = Azureml(
        workspace or AzuremlWorkspace.find(),
        Kubernetes(kubernetes) if kubernetes else Managed(instance_type),
        slot,
        auth_mode,
        identity,
        private,
        Bundle.load(folder) if folder is not None and with_model else None,
        credential=credential,
    )
    asked, tell = DeploySettings.of(image, name=name, **settings), _heard(report)
    target.plan(asked)
    held = prepare(asked, folder, unchecked=unchecked, report=tell, credential=credential)
    return target.apply(target.plan(held), tell)


def azureml_v1(
    base_image: str,
    *,
    bundle: Bundle | Path | str,
    workspace: AzuremlWorkspace | None = None,
    name: str | None = None,
    place: Place | None = None,
    environment: str = "system",
    insecure: bool = False,
    unchecked: bool = False,
    credential: Any = None,
    report: Report | None = None,
    **settings: Any,
) -> AzuremlV1Deployment:
    """Run a bundle's score.py as a web service of SDK v1, whose support has ended: `scorewright.deploy.azureml_v1`.

    `base_image` is what Azure builds the environment on. `place` is where: OnAci() unless given, OnAks or OnAksEndpoint
    of `scorewright.deploy.azureml_v1_plan`. `environment` is system, user, or NAME:VERSION of a curated one.

    Raises what `aci` raises.
    """
    from scorewright.deploy.azureml_v1_plan import OnAci
    from scorewright.deploy.azureml_v1_target import AzuremlV1
    from scorewright.deploy.azureml_workspace import AzuremlWorkspace
    from scorewright.deploy.settings import DeploySettings

    folder, tell = _folder(bundle), _heard(report)
    target = AzuremlV1(workspace or AzuremlWorkspace.find(), insecure, credential=credential)
    asked = DeploySettings.of(base_image, name=name, **settings)
    plan = target.plan(asked, Bundle.load(folder), place or OnAci(), environment)
    target.require_sendable(plan)
    if not unchecked:
        tell(f"checking {folder}")
        checked(folder)
    return target.apply(plan, tell)


def _folder(bundle: Bundle | Path | str) -> Path:
    from scorewright.registry.reference import bundle_folder

    if isinstance(bundle, Bundle):
        return bundle.root
    return bundle if isinstance(bundle, Path) else bundle_folder(bundle)


def _folder_if_any(bundle: Bundle | Path | str | None) -> Path | None:
    return None if bundle is None else _folder(bundle)


def _heard(report: Report | None) -> Report:
    """Tells what has not just been told; nothing where nobody listens."""
    from scorewright.deploy.target import silent

    if report is None:
        return silent
    said = [""]

    def tell(text: str) -> None:
        if text != said[-1]:
            said[:] = [text]
            report(text)

    return tell
