"""How an endpoint's requests are shared out among its deployments, and HAProxy told so."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from scorewright.deploy.settings import SERVICE_PORT
from scorewright.deploy.shares import require_whole
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADER = "azureml-model-deployment"
"""Azure ML's: a request names its deployment with it, an answer says which one it is of."""

TRAFFIC_PATH = "/-/traffic"
"""Where the router says what it is doing; its ETag is `Routes.digest`."""

DRAIN = 30
"""Seconds that requests on their way have when the routes change."""

FOLDER = "/router"
CONFIG = "haproxy.cfg"
COMMAND = ("haproxy", "-W", "-db", "-f", f"{FOLDER}/{CONFIG}")
"""What runs in the router's container: every image of HAProxy has the program, but not each the same way to it."""

USER = "10001:10001"

_CONFIG = """\
# Written by scorewright; `scorewright deploy local traffic` changes it.
global
    log stdout format raw local0 notice
    hard-stop-after {drain}s
    # Some engines allow a process a thousand million files, and it would make room for as many connections.
    maxconn 4096

defaults
    mode http
    log global
    option dontlog-normal
    option forwardfor
    option redispatch
    # When the routes change, a client that keeps its connection is told so with its next answer, and not cut off.
    option idle-close-on-response
    retries 3
    timeout connect 3s
    timeout http-request 30s
    timeout http-keep-alive 5s
    # How long an answer may take is for the service to say.
    timeout client 1h
    timeout server 1h

resolvers docker
    nameserver engine 127.0.0.11:53
    hold valid 1s

frontend endpoint
    bind :{port}
    http-request return status 200 content-type application/json hdr ETag '"{digest}"' string '{traffic}' \
if {{ path {path} }}
    http-request return status 404 content-type application/json string '{unknown}' \
if {{ req.hdr({header}) -m found }} !{{ req.hdr({header}) -m str {names} }}
{pins}
    default_backend shared
"""


@dataclass(frozen=True)
class Route:
    """A deployment's host on the endpoint's network, and its share of the requests that name none, in percent."""

    host: str
    weight: int


@dataclass(frozen=True)
class Routes:
    """Where an endpoint's requests go, by deployment."""

    endpoint: str
    routes: Mapping[str, Route]

    @property
    def weights(self) -> dict[str, int]:
        return {name: route.weight for name, route in self.routes.items()}

    @property
    def digest(self) -> str:
        """What changes whenever anything of it does."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def to_json(self) -> str:
        return json.dumps({"endpoint": self.endpoint, "routes": {name: asdict(one) for name, one in self._sorted()}})

    @classmethod
    def from_json(cls, text: str | bytes) -> Routes:
        """What `to_json` wrote."""
        found = json.loads(text)
        return cls(found["endpoint"], {name: Route(**route) for name, route in found["routes"].items()})

    def with_host(self, deployment: str, host: str) -> Routes:
        """A deployment's place is this from now on. The first one gets all requests, the others none yet."""
        weight = self.routes[deployment].weight if deployment in self.routes else 0 if self.routes else 100
        return Routes(self.endpoint, {**self.routes, deployment: Route(host, weight)})

    def without(self, deployment: str) -> Routes:
        return Routes(self.endpoint, {name: route for name, route in self.routes.items() if name != deployment})

    def with_weights(self, weights: Mapping[str, int]) -> Routes:
        """A deployment that is not named gets nothing.

        Raises UsageError for a deployment that there is not, or if the weights are not 100 together.
        """
        for name in weights:
            if name not in self.routes:
                raise UsageError(
                    f"{self.endpoint} has no deployment {name}.", hint=f"It has {', '.join(sorted(self.routes))}."
                )
        require_whole(weights)
        return Routes(self.endpoint, {name: Route(one.host, weights.get(name, 0)) for name, one in self.routes.items()})

    def config(self) -> str:
        """The same for HAProxy, from release 2.6 on."""
        names = " ".join(sorted(self.routes))
        unknown = json.dumps({"message": f"{self.endpoint} has no deployment of the name in the header {HEADER}."})
        parts = [
            _CONFIG.format(
                drain=DRAIN,
                port=SERVICE_PORT,
                digest=self.digest,
                traffic=json.dumps(self.weights),
                path=TRAFFIC_PATH,
                unknown=unknown,
                header=HEADER,
                names=names,
                pins="\n".join(
                    f"    use_backend only-{one} if {{ req.hdr({HEADER}) -m str {one} }}" for one in self.routes
                ),
            ),
            _backend("shared", {name: route for name, route in self._sorted() if route.weight}),
            *(_backend(f"only-{name}", {name: route}) for name, route in self._sorted()),
        ]
        return "\n".join(parts)

    def _sorted(self) -> list[tuple[str, Route]]:
        return sorted(self.routes.items())


def _backend(name: str, routes: Mapping[str, Route]) -> str:
    lines = [f"backend {name}", "    balance roundrobin", f"    http-response set-header {HEADER} %s"]
    lines += [
        f"    server {deployment} {route.host}:{SERVICE_PORT} weight {route.weight or 1} "
        "check inter 2s resolvers docker init-addr libc,none"
        for deployment, route in routes.items()
    ]
    return "\n".join(lines) + "\n"
