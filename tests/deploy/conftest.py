"""The server that stands in for Azure, and a shell that is logged in there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.deploy.standin.certificate import make_certificate
from tests.deploy.standin.kubernetes import Kubernetes, kubeconfig
from tests.deploy.standin.login import put_az
from tests.deploy.standin.proxy import Proxy
from tests.deploy.standin.registry import Registry
from tests.deploy.standin.server import StandIn
from tests.kubectl import require_kubectl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("standin") / "certificate.pem")


@pytest.fixture
def standin(certificate: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StandIn]:
    """Azure, without any service yet: every host that is asked by TLS leads there. `az` is logged in."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    monkeypatch.setenv("PATH", f"{put_az(tmp_path / 'bin')}:{os.environ['PATH']}")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")
    with StandIn(certificate) as running, Proxy(running.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("https_proxy", proxy.url)
        yield running


@pytest.fixture
def registry(standin: StandIn) -> Registry:
    """What answers for every *.azurecr.io."""
    found = Registry()
    standin.services.append(found)
    return found


@pytest.fixture
def cluster(standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kubernetes:
    """A cluster with the Gateway API, where all pods get ready; kubectl's current context leads there."""
    require_kubectl()
    found = Kubernetes()
    standin.services.append(found)
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "kubeconfig", standin.url)))
    monkeypatch.setenv("KUBECACHEDIR", str(tmp_path / "kubecache"))
    return found
