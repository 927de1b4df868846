"""Fixtures for load tests against real servers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.loadtests.servers import doubling_bundle
from tests.service.servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Served:
    """A bundle and where it is served."""

    bundle: Path
    url: str


@pytest.fixture(scope="package")
def doubling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The doubling bundle, served."""
    bundle = doubling_bundle(tmp_path_factory.mktemp("doubling") / "bundle")
    with serving() as serve:
        yield Served(bundle, serve(str(bundle)).ready().url)
