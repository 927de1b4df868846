"""Whether requests are encrypted on their way, and for how long the certificate holds."""

from __future__ import annotations

import ssl
import time
from ipaddress import ip_address
from socket import create_connection
from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, failed, ok, skipped, warning
from scorewright.doctor.service.endpoint import PATIENCE

if TYPE_CHECKING:
    from scorewright.doctor.service.endpoint import Endpoint

SOON = 14
"""Days before its end at which a certificate should have been renewed."""


def look(endpoint: Endpoint) -> Outcome:
    if endpoint.silent:
        return endpoint.silent
    if endpoint.scheme == "http":
        if all(ip_address(address).is_loopback for address in endpoint.addresses):
            return ok("none, and none is needed: it is on this machine")
        said = "requests and answers go over the network in clear text"
        remedy = "Serve it by TLS, or put a gateway that does before it, and ask https://."
        return failed(f"{said}, keys too", remedy) if endpoint.key else warning(said, remedy)
    return _certificate(endpoint)


def _certificate(endpoint: Endpoint) -> Outcome:
    context = ssl.create_default_context()
    try:
        with (
            create_connection((endpoint.host, endpoint.port), PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=endpoint.host) as secure,
        ):
            version = secure.version()
            end = ssl.cert_time_to_seconds(str((secure.getpeercert() or {})["notAfter"]))
    except (OSError, KeyError) as error:
        return skipped(f"the certificate could not be read again: {error}")
    days = (end - time.time()) / 86400
    said = f"{version}, the certificate holds for {days:.0f} days more"
    return ok(said) if days > SOON else warning(said, "Renew it; what renews it by itself has failed.")


CHECK: Check[Endpoint] = Check("tls", "encryption on the way, and its certificate", look)
