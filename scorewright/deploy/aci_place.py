"""Where on Azure Container Instances, and how it is reached there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import SecretStr  # noqa: TC002  # a dataclass's field

from scorewright.deploy.preflight import NameRule
from scorewright.errors import UsageError

LABELS = NameRule(r"[a-z][a-z0-9-]{1,61}[a-z0-9]", "3 to 63 lower-case letters, digits and - inside, a letter first")

_IDENTITY = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.ManagedIdentity/userAssignedIdentities/[^/]+",
    re.IGNORECASE,
)
_SUBNET = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Network/virtualNetworks/[^/]+/subnets/[^/]+",
    re.IGNORECASE,
)

CADDY = "docker.io/library/caddy:2.10-alpine"
"""The sidecar that ends TLS: it gets and renews a certificate by itself, which nginx does not."""


@dataclass(frozen=True)
class AciPlace:
    """A resource group, and an address: a public one (`dns_label`) or one in a network (`subnet`)."""

    subscription: str
    resource_group: str
    location: str
    dns_label: str | None = None
    subnet: str | None = None
    """The resource id of a subnet that is delegated to Microsoft.ContainerInstance/containerGroups."""
    identity: str | None = None
    """The resource id of the user-assigned identity that pulls the image; a system-assigned one cannot."""
    registry_user: str | None = None
    registry_password: SecretStr | None = None
    tls: bool = False
    tls_image: str = CADDY

    @property
    def public(self) -> bool:
        return self.dns_label is not None

    @property
    def fqdn(self) -> str | None:
        """The name that the public address is going to have."""
        return f"{self.dns_label}.{self.location}.azurecontainer.io" if self.public else None

    def check(self) -> None:
        """Raises UsageError for what contradicts itself or is no such thing."""
        for flag, value in (
            ("--subscription", self.subscription),
            ("--resource-group", self.resource_group),
            ("--location", self.location),
        ):
            if not value:
                raise UsageError(f"{flag} is not given.", hint="`az account show` and `az group list` show yours.")
        if not re.fullmatch("[a-z0-9]+", self.location):
            raise UsageError(
                f"--location {self.location!r} is no region's name.",
                hint="Write it like westeurope: az account list-locations",
            )
        if (self.dns_label is None) == (self.subnet is None):
            raise UsageError(
                "Shall it have a public address or one in a network? Say one of them.",
                hint="--dns-label LABEL makes it LABEL.REGION.azurecontainer.io; --subnet ID puts it into a network.",
            )
        if self.dns_label is not None:
            LABELS.check(self.dns_label, "ACI, as its DNS label,")
        for flag, given, pattern in (("--subnet", self.subnet, _SUBNET), ("--identity", self.identity, _IDENTITY)):
            if given is not None and not pattern.fullmatch(given):
                raise UsageError(f"{flag} {given!r} is no resource id of that kind.", hint=_HINTS[flag])
        if (self.registry_user is None) != (self.registry_password is None):
            raise UsageError("A registry's user and password belong together.", hint="Give both, or an --identity.")
        if self.identity and self.registry_user:
            raise UsageError("The image is pulled by an identity or by user and password, not by both.")
        if self.tls and not self.public:
            raise UsageError(
                "--tls gets its certificate for a public name, and there is none.", hint="Give it a --dns-label."
            )


_HINTS = {
    "--subnet": "az network vnet subnet show -g GROUP --vnet-name VNET -n SUBNET --query id",
    "--identity": "az identity show -g GROUP -n NAME --query id",
}
