"""Whether anyone who reaches the service may ask it. It is asked for a score without a key, with an empty request."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, failed, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scorewright.doctor.service.endpoint import Endpoint

GUARDED = (401, 403)


def look(endpoint: Endpoint) -> Outcome:
    if endpoint.unscored:
        return endpoint.unscored
    answered = endpoint.ask("POST", "/score", b"{}")
    if answered.status in GUARDED:
        return ok(f"without a key, a request is answered {answered.status}")
    return judge(endpoint.addresses)


def judge(addresses: Iterable[str]) -> Outcome:
    """How it is that a service at these addresses asks for no key."""
    found = [ip_address(address) for address in addresses]
    if found and all(address.is_loopback for address in found):
        return ok("it asks for no key, and only this machine reaches it at this address")
    if any(address.is_global for address in found):
        return failed(
            "it asks for no key, and its address is a public one: anyone may use the model",
            "Turn key authentication on, put a gateway with authentication before it, or take it off the internet.",
        )
    return warning(
        "it asks for no key: everyone in its network may use the model",
        "Turn key authentication on, or put a gateway with authentication before it.",
    )


CHECK: Check[Endpoint] = Check("auth", "whether the service asks for a key, and who can reach it", look)
