"""What the tests of batch scoring share: a Dask cluster, and storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scorewright.service.batch import blob_client
from tests.service.batch import azurite as stand_in
from tests.service.batch.cluster import DaskCluster, dask_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """A scheduler and two workers."""
    with dask_cluster(tmp_path_factory.mktemp("dask"), 2) as running:
        yield running


@pytest.fixture(scope="session")
def azurite_server() -> Iterator[stand_in.Azurite]:
    with stand_in.running() as server:
        yield server


@pytest.fixture
def azurite(azurite_server: stand_in.Azurite, monkeypatch: pytest.MonkeyPatch) -> Iterator[stand_in.Azurite]:
    """Azurite, with the credentials for it in the environment."""
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite_server.connection_string())
    blob_client.forget()
    yield azurite_server
    blob_client.forget()


@pytest.fixture
def line(azurite: stand_in.Azurite, monkeypatch: pytest.MonkeyPatch) -> Iterator[stand_in.Line]:
    """The way to Azurite that the credentials in the environment name."""
    line = stand_in.Line(azurite.port)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string(port=line.port))
    yield line
    line.close()
