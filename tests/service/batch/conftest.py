"""What the tests of batch scoring share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.service.batch.cluster import DaskCluster, dask_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """A scheduler and two workers."""
    with dask_cluster(tmp_path_factory.mktemp("dask"), 2) as running:
        yield running
